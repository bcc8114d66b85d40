// SPDX-License-Identifier: Apache-2.0
// How much of the daemon's time goes to one process: a burst, and then a share of the time that
// passes. Who asks for more waits; nobody else does. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mpol::daemon {

// ns
struct Clocks {
    uint64_t monotonic_ns = 0;
    uint64_t processor_ns = 0;  // that the daemon has used
};

class Share {
  public:
    // About fifty first looks at a process, and one in twenty later on.
    static constexpr uint64_t kBurstNs = 20'000'000;
    static constexpr uint64_t kPart = 20;
    // Of the time in which the daemon did not run, so much at most is put down to the process: it
    // may have waited for locks of the process's, but also have been stopped, traced, or kept from
    // the processor or the disk for seconds. The process then waits for about a second, not for
    // minutes.
    static constexpr uint64_t kWaitMaxNs = 50'000'000;

    // The next time at which it may have more; now_ns: at once.
    [[nodiscard]] uint64_t may_at_ns(uint64_t now_ns) const {
        const uint64_t spent = left_of(now_ns);
        return spent <= kBurstNs ? now_ns : now_ns + (spent - kBurstNs) * kPart;
    }
    void spend(const Clocks& from, const Clocks& to) {
        const uint64_t passed_ns = to.monotonic_ns - from.monotonic_ns;
        const uint64_t used_ns = to.processor_ns - from.processor_ns;
        spent_ns_ = left_of(from.monotonic_ns) + std::max(used_ns, std::min(passed_ns, kWaitMaxNs));
        at_ns_ = to.monotonic_ns;
    }

  private:
    [[nodiscard]] uint64_t left_of(uint64_t now_ns) const {
        return spent_ns_ - std::min(spent_ns_, (now_ns - std::min(now_ns, at_ns_)) / kPart);
    }

    uint64_t spent_ns_ = 0;  // lately
    uint64_t at_ns_ = 0;
};

}  // namespace mpol::daemon
