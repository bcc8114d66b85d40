// SPDX-License-Identifier: Apache-2.0
// The pages of a purge, given back together. jemalloc gives back one extent at a time, and each
// time every processor that runs a thread of the process is interrupted. process_madvise(2)
// interrupts them once for all that it is told of, since Linux 6.16 (madvise_finish_tlb in
// mm/madvise.c); where it can't be had, they go one at a time.
//
// While jemalloc purges an extent nobody else finds it; je_extent_dalloc_wrapper gives its pages
// back and makes it available. That call is ours (rename-jemalloc): the pages of several go first,
// then it is made for each of them, and gives back nothing.
#pragma once

#include <sys/uio.h>

#include <cstddef>

#include "heap/je.h"
#include "heap/regions.h"

namespace mpol::heap {

// For the length of a block: what the calling thread has jemalloc purge, outside of jemalloc's
// locks. Nothing is left of it at the end. Never allocates; errno is preserved.
class PurgeBatch {
  public:
    PurgeBatch();
    ~PurgeBatch();
    PurgeBatch(const PurgeBatch&) = delete;
    PurgeBatch& operator=(const PurgeBatch&) = delete;

    // The calling thread's, or nullptr.
    static PurgeBatch* current();

    // Instead of je_extent_dalloc_wrapper. False: that is to be called now.
    [[nodiscard]] bool take(void* tsdn, void* pac, void* ehooks, je_edata* extent);

  private:
    struct Taken {
        void* tsdn;
        void* pac;
        void* ehooks;
        je_edata* extent;
    };

    void flush();

    // The process's mmap and munmap wait for the whole of a call.
    static constexpr size_t kBytesMax = size_t{4} << 20;
    static constexpr unsigned kExtentsMax = 64;

    PurgeBatch* const outer_;
    ScopeId scope_ = kProcessScope;  // of all of them
    unsigned count_ = 0;
    size_t bytes_ = 0;
    bool flushing_ = false;
    Taken taken_[kExtentsMax];
    iovec pages_[kExtentsMax];
};

}  // namespace mpol::heap
