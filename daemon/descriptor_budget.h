// SPDX-License-Identifier: Apache-2.0
// How many processes the descriptors suffice for. Each takes one, which tells of its end; the first
// quarter also keep their segment's, which saves opening it anew each time, and works for programs
// that close theirs. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mpol::daemon {

class DescriptorBudget {
  public:
    // For the API's clients (two each), and for what is open only for a moment.
    static constexpr uint64_t kForOthers = 512;

    explicit DescriptorBudget(uint64_t limit)
        : limit_(limit), places_(limit - std::min(limit / 2, kForOthers)) {}

    [[nodiscard]] uint64_t limit() const { return limit_; }
    [[nodiscard]] bool is_full() const { return processes_ + segments_ >= places_; }
    // Enough has come free for it to be worth looking who was left out.
    [[nodiscard]] bool has_room() const { return processes_ + segments_ + places_ / 16 < places_; }

    void add_process() { ++processes_; }
    void drop_process(bool keeps_segment) {
        --processes_;
        segments_ -= keeps_segment ? 1 : 0;
    }
    // True: one more process may keep its segment's descriptor, and does.
    [[nodiscard]] bool keep_segment() {
        if (is_full() || segments_ >= places_ / 4) return false;
        ++segments_;
        return true;
    }

  private:
    uint64_t limit_;
    uint64_t places_;
    uint64_t processes_ = 0;
    uint64_t segments_ = 0;
};

}  // namespace mpol::daemon
