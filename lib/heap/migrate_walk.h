// SPDX-License-Identifier: Apache-2.0
// The walk of a migration over the regions it concerns, chunk by chunk in the order of addresses,
// then once more over the pages that were busy. It goes by the policies as they were when it began:
// when one is rewritten, whoever drives it begins it anew.
//
// For the helper thread only. Never allocates, prints or exits; errno is preserved.
#pragma once

#include <cstdint>

#include "heap/mover.h"

namespace mpol::heap {

class Walk {
  public:
    // Begins over all regions, or over those of a thread: its scope, and that of its large
    // allocations where it has one (else the same again). The tally's counts of what is found on
    // the way begin anew too; what was moved stays counted.
    void begin(bool everything, ScopeId scope, ScopeId large, Tally& tally);
    // A policy that it goes by has been rewritten since, or a scope was added.
    [[nodiscard]] bool outdated() const { return policies_ != policies(); }

    // Takes up chunks until one has something to move, or a bounded number had not. Returns 0, or
    // -errno when pages can't even be asked for. ret_over: nothing is left.
    int advance(Tally& tally, bool& ret_over);

    [[nodiscard]] Mover& mover() { return mover_; }
    [[nodiscard]] uint64_t seen_bytes() const { return seen_bytes_; }
    // Heap bytes that a policy names nodes for, and the others.
    void measure(uint64_t& ret_bound, uint64_t& ret_unbound) const;

  private:
    struct Chunk {
        uintptr_t start = 0;
        uintptr_t end = 0;
        unsigned row = 0;
    };
    // Busy pages kept for a second try; those beyond count as failed at once.
    static constexpr unsigned kBusyMax = 4096;

    [[nodiscard]] bool concerns(ScopeId scope) const {
        return everything_ || scope == scope_ || scope == large_;
    }
    [[nodiscard]] uint64_t policies() const;
    [[nodiscard]] bool next_chunk(Chunk& ret_chunk);
    int take_up(const Chunk& chunk, Tally& tally);
    void keep_busy(Tally& tally);
    int take_up_busy(Tally& tally, bool& ret_over);
    void learn_placement();

    bool everything_ = false;
    ScopeId scope_ = kProcessScope;
    ScopeId large_ = kProcessScope;
    uint64_t policies_ = 0;
    unsigned row_ = 0;
    uintptr_t at_ = 0;  // in that region; 0: at its start
    uint64_t seen_bytes_ = 0;
    Mover mover_{};
    KernelWeights weights_{};
    unsigned busy_count_ = 0;
    unsigned busy_done_ = 0;
    uintptr_t busy_[kBusyMax]{};
};

}  // namespace mpol::heap
