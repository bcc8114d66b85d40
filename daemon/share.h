// SPDX-License-Identifier: Apache-2.0
// How much of the daemon's time goes to one process: a burst, and then a share of the time that
// passes. Who asks for more waits; nobody else does. Pure; times are CLOCK_MONOTONIC, ns.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mpol::daemon {

class Share {
  public:
    // About fifty first looks at a process, and one in twenty later on.
    static constexpr uint64_t kBurstNs = 20'000'000;
    static constexpr uint64_t kPart = 20;

    // The next time at which it may have more; now_ns: at once.
    [[nodiscard]] uint64_t may_at_ns(uint64_t now_ns) const {
        const uint64_t spent = left_of(now_ns);
        return spent <= kBurstNs ? now_ns : now_ns + (spent - kBurstNs) * kPart;
    }
    void spend(uint64_t from_ns, uint64_t to_ns) {
        spent_ns_ = left_of(from_ns) + (to_ns - from_ns);
        at_ns_ = to_ns;
    }

  private:
    [[nodiscard]] uint64_t left_of(uint64_t now_ns) const {
        return spent_ns_ - std::min(spent_ns_, (now_ns - std::min(now_ns, at_ns_)) / kPart);
    }

    uint64_t spent_ns_ = 0;  // lately
    uint64_t at_ns_ = 0;
};

}  // namespace mpol::daemon
