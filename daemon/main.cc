// SPDX-License-Identifier: Apache-2.0
// mpold: reads its command line, says in one sentence what stands in the way of serving, and serves
// until SIGTERM or SIGINT. Exit status: 0, 1 it could not serve or failed, 2 wrong usage.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "daemon/mpold.h"

int main(int argc, char** argv) {
    using namespace mpol::daemon;
    int status = 0;
    try {
        const auto options = parse_options(argc, argv, status);
        if (!options) return status;
        auto mpold = Mpold::start(*options);
        if (mpold) return (*mpold)->run();
        const mpol::control::Failure& failure = mpold.error();
        fmt::print(stderr, "mpold: {}\n", failure.what);
        if (!failure.hint.empty()) fmt::print(stderr, "hint: {}\n", failure.hint);
    } catch (const std::exception& exception) {
        fmt::print(stderr, "mpold: {}\n", exception.what());
    }
    return 1;
}
