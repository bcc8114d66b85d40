// SPDX-License-Identifier: Apache-2.0
#include "cli/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace mpol::cli {

Status status_of(int err) {
    switch (err) {
        case 0:
            return Status::kOk;
        case ESRCH:
        case ENODEV:
            return Status::kNoTarget;
        case EPERM:
        case EACCES:
            return Status::kNotPermitted;
        case ENOTSUP:
        case ENOSYS:
            return Status::kNotSupported;
        default:
            return Status::kFailed;
    }
}

tl::unexpected<Error> failed(const control::Failure& failure) {
    return failed(failure.err, failure.what, failure.hint);
}

tl::unexpected<Error> failed(int err, std::string message, std::string hint) {
    return tl::unexpected(Error{status_of(err), err, std::move(message), std::move(hint)});
}

tl::unexpected<Error> misused(std::string message, std::string hint) {
    return tl::unexpected(Error{Status::kUsage, EINVAL, std::move(message), std::move(hint)});
}

tl::unexpected<Error> unparsed(std::string_view text, const ParseError& error) {
    return tl::unexpected(Error{Status::kUsage,
                                EINVAL,
                                fmt::format("{}; accepted: {}", error.problem, error.accepted),
                                {},
                                BadText{std::string(text), error},
                                {}});
}

std::string errno_name(int err) {
    if (err == 0) return "none";
    const char* const name = ::strerrorname_np(err);
    return name != nullptr ? name : fmt::format("errno {}", err);
}

std::string errno_text(int err) {
    return fmt::format("{} ({})", errno_name(err), std::strerror(err));
}

}  // namespace mpol::cli
