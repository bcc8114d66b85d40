// SPDX-License-Identifier: Apache-2.0
// Moves the pages of one chunk (at most a huge page's range) to where a binding wants them, batch
// by batch, with move_pages(2) on the process itself.
//
// Why move_pages: it holds the mmap lock for reading and only while it collects pages, so faults
// and mappings of the program go on. mbind(MPOL_MF_MOVE) on Linux 6.1 holds it for writing,
// throughout.
//
// move_pages leaves the status of pages unwritten from the first run that failed on, so every batch
// goes to one node, and what is not clear afterwards is asked again and tried page by page.
//
// For the helper thread only. Never allocates, prints or exits; errno is preserved.
#pragma once

#include <cstdint>

#include "heap/migrate_plan.h"

namespace mpol::heap {

// What became of pages, in bytes.
struct Tally {
    uint64_t moved = 0;
    uint64_t placed = 0;
    uint64_t failed[MPOL_CTL_MIGRATION_FAILURES]{};
    int last_error = 0;  // -errno of the last one that has no count of its own

    void fail(uint64_t bytes, int err);
};

class Mover {
  public:
    // Takes up the present pages in [start, end): where they lie, and where each has to go. start
    // and end are in one huge-page-aligned range. Returns 0 or -errno: pages can't be asked for at
    // all.
    int load(uintptr_t start, uintptr_t end, const Binding& binding, const KernelWeights& weights,
             Tally& tally);
    // The same of a page that was busy before, to be tried a last time: one of busy().
    int load_again(uintptr_t busy, const Binding& binding, const KernelWeights& weights,
                   Tally& tally);

    // Forgets what it has taken up.
    void drop() { whole_ = false, first_ = count_ = busy_count_ = 0; }

    // The range of the pages taken up; size in bytes.
    [[nodiscard]] const void* start() const { return address_[0]; }
    [[nodiscard]] size_t size() const {
        const auto* const first = static_cast<const char*>(address_[0]);
        return count_ == 0 ? 0
                           : static_cast<size_t>(static_cast<const char*>(address_[count_ - 1]) -
                                                 first) + kPageBytes;
    }

    // Nothing is left to move.
    [[nodiscard]] bool settled() const { return !whole_ && first_ == count_; }

    // One call that moves: at most limit pages, or one huge page. Returns 0, or -errno when no page
    // can be moved at all (-EPERM, -ENOSYS). ret_pages: how many it tried.
    int run_batch(unsigned limit, Tally& tally, unsigned& ret_pages);

    // Pages of the chunk that were busy. The lowest bit stands for a huge page.
    [[nodiscard]] const uintptr_t* busy() const { return busy_; }
    [[nodiscard]] unsigned busy_count() const { return busy_count_; }

    // Linux before 6.7 takes an interleaved page's number as 32 bits.
    void set_short_index(bool short_index) { short_index_ = short_index; }

  private:
    int take_up(uintptr_t start, uintptr_t end);
    [[nodiscard]] bool fills_a_huge_page() const;
    [[nodiscard]] int destination_of(unsigned i, bool huge) const;
    void plan_pages(Tally& tally);
    void plan_whole(Tally& tally);
    unsigned collect(unsigned limit);
    void settle(unsigned count, int to, int result, Tally& tally);
    void refuse(unsigned i, int err, Tally& tally);
    void give_up_node(int to, Tally& tally);
    int run_whole(Tally& tally, unsigned& ret_pages);
    void not_huge_after_all(Tally& tally);
    void refuse_whole(int err, Tally& tally);

    Binding binding_{};
    const KernelWeights* weights_ = nullptr;
    NodeMask full_{};  // had no room for a page of this chunk
    bool last_try_ = false;
    bool short_index_ = false;

    // The chunk as one page: a huge page, or what may be one. Page trial_ is moved to to_, to see
    // whether all follow.
    bool whole_ = false;
    bool surely_huge_ = false;
    unsigned trial_ = 0;
    int to_ = kAnyNode;

    unsigned count_ = 0;  // present pages
    unsigned first_ = 0;  // those below are settled
    void* address_[kPagesPerHuge]{};
    int node_[kPagesPerHuge]{};    // where it lies
    int home_[kPagesPerHuge]{};    // where it has to go; kAnyNode: settled
    bool alone_[kPagesPerHuge]{};  // to be tried by itself

    // The batch under way.
    unsigned index_[kPagesPerHuge]{};
    void* batch_[kPagesPerHuge]{};
    int nodes_[kPagesPerHuge]{};
    int status_[kPagesPerHuge]{};

    uintptr_t busy_[kPagesPerHuge]{};
    unsigned busy_count_ = 0;
};

}  // namespace mpol::heap
