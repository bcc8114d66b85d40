// SPDX-License-Identifier: Apache-2.0
// Rewrites a process's policy, and those of its threads, until standard input ends; then prints how
// often. Each rewrite waits for the one before to be in force: one that never is was forgotten by
// the target.
//
//   lock-rewriter PID
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "control/attach.h"

namespace {

using namespace mpol;

constexpr int kTimeoutMs = 30'000;

bool input_ended() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) != 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    auto target = control::Target::attach(std::atoi(argv[1]), control::Access::kWrite);
    if (!target) {
        std::fprintf(stderr, "lock-rewriter: %s\n", target.error().what.c_str());
        return 1;
    }
    const Policy policies[] = {Policy{.mode = Mode::kBind, .nodes = NodeMask::of(0)},
                               Policy{.mode = Mode::kInterleave, .nodes = NodeMask::of(0)}};
    uint64_t rounds = 0;
    while (!input_ended()) {
        const auto published = target->publish_process(policies[rounds % 2], kTimeoutMs);
        if (!published || !target->wait_process(*published, kTimeoutMs)) {
            std::fprintf(stderr, "lock-rewriter: rewrite %llu is not in force\n",
                         static_cast<unsigned long long>(rounds));
            return 1;
        }
        for (const control::ThreadState& thread : target->threads()) {
            if (thread.slot % 4 != rounds % 4) continue;
            std::optional<Policy> own;
            if (rounds % 3 != 0) own = policies[(rounds + 1) % 2];
            (void)target->publish_thread({thread.slot, thread.tid}, own, kTimeoutMs);
        }
        ++rounds;
    }
    std::printf("%llu\n", static_cast<unsigned long long>(rounds));
    return 0;
}
