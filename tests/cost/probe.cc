// SPDX-License-Identifier: Apache-2.0
// The second process: publishes policies to a subject, and says what its segment shows.
//
//   probe set PID POLICY            prints the generation published
//   probe set-thread PID TID POLICY
//   probe set-large PID TID POLICY  for allocations of 1 MiB and more
//   probe wait PID GENERATION       until it is in force
//   probe show PID                  "name value" lines
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

#include "control/attach.h"
#include "control/proc.h"
#include "policy/parse.h"

namespace {

using namespace mpol;

constexpr int kWaitMs = 60'000;
constexpr uint64_t kLargeBytes = uint64_t{1} << 20;

[[noreturn]] void fail(const std::string& what) {
    std::cerr << "probe: " << what << std::endl;
    std::exit(1);
}

template <class T>
T must(control::Result<T> result) {
    if (!result) fail(result.error().what);
    return std::move(*result);
}

Policy policy_of(pid_t pid, const char* text) {
    ParseContext context;
    context.has_memory = context.allowed = control::mems_allowed(pid).value_or(NodeMask::of(0));
    const ParseResult policy = parse_lenient(text, context);
    if (!policy) fail(render_error(policy.error(), text));
    return *policy;
}

void show(const control::Target& target) {
    const control::ProcessState process = target.process();
    unsigned failed = process.applied_errno != 0;
    for (const control::ThreadState& thread : target.threads()) failed += thread.applied_errno != 0;
    std::cout << fmt::format(
        "asked {}\napplied {}\nerrors {}\nthreads {}\nslotless {}\nregions {}\nreserved {}\n"
        "mbinds {}\nmbind_failures {}\nscopes {}\napply_ns_last {}\n",
        process.asked.generation, process.applied, failed, target.threads().size(),
        target.slotless_threads(), target.regions().size(), target.counter(MPOL_CTL_RESERVED_BYTES),
        target.counter(MPOL_CTL_MBINDS), target.counter(MPOL_CTL_MBIND_FAILURES),
        target.counter(MPOL_CTL_SCOPES), target.counter(MPOL_CTL_APPLY_NS_LAST));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) fail("which verb and process?");
    const std::string verb = argv[1];
    const pid_t pid = std::atoi(argv[2]);
    control::Target target = must(control::Target::attach(pid, control::Access::kWrite));
    if (verb == "set" && argc == 4) {
        std::cout << must(target.publish_process(policy_of(pid, argv[3]), kWaitMs)) << std::endl;
    } else if (verb == "set-thread" && argc == 5) {
        const unsigned slot = must(target.slot_of(std::atoi(argv[3])));
        std::cout << must(target.publish_thread(slot, policy_of(pid, argv[4]), kWaitMs))
                  << std::endl;
    } else if (verb == "set-large" && argc == 5) {
        const control::ThreadSlot slot = must(target.slot_of(std::atoi(argv[3])));
        const control::KindName large{MPOL_CTL_KIND_LARGE, kLargeBytes};
        std::cout << must(target.publish_own_kind(slot, large, policy_of(pid, argv[4]), kWaitMs))
                  << std::endl;
    } else if (verb == "wait" && argc == 4) {
        if (!target.wait_process(std::strtoull(argv[3], nullptr, 10), kWaitMs))
            fail("not in force");
    } else if (verb == "show" && argc == 3) {
        show(target);
    } else {
        fail("see the top of probe.cc");
    }
    return 0;
}
