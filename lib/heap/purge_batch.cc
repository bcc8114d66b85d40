// SPDX-License-Identifier: Apache-2.0
#include "heap/purge_batch.h"

#include "heap/task.h"

namespace mpol::heap {

namespace {

constexpr uintptr_t kInPage = 4095;

thread_local constinit PurgeBatch* batch MPOL_TLS = nullptr;

// How jemalloc's edata_t begins (include/jemalloc/internal/edata.h of 5.3). The low bits of the
// last two are something else's.
struct ExtentWords {
    uint64_t bits;
    uintptr_t start;
    size_t size;
};

// Where the extent lies; nowhere where jemalloc's own map does not say the same, or it isn't in
// memory of ours (a program's own extent hooks).
iovec pages_of(void* tsdn, const je_edata* extent) {
    const auto* const words = reinterpret_cast<const ExtentWords*>(extent);
    void* const start = reinterpret_cast<void*>(words->start & ~kInPage);
    if (!in_region(start)) return {};
    size_t free_count = 0;
    size_t count = 0;
    size_t size = 0;
    je_inspect_extent_util_stats_get(tsdn, start, &free_count, &count, &size);
    if (size != (words->size & ~kInPage)) return {};
    return {start, size};
}

}  // namespace

PurgeBatch::PurgeBatch() : outer_(batch) {
    batch = this;
}

PurgeBatch::~PurgeBatch() {
    flush();
    batch = outer_;
}

PurgeBatch* PurgeBatch::current() {
    return batch;
}

bool PurgeBatch::take(void* tsdn, void* pac, void* ehooks, je_edata* extent) {
    if (flushing_) return false;
    const iovec pages = pages_of(tsdn, extent);
    if (pages.iov_len == 0 || pages.iov_len > kBytesMax) return false;
    const ScopeId scope = owner_of(pages.iov_base);
    if (count_ == kExtentsMax || bytes_ + pages.iov_len > kBytesMax || scope != scope_) flush();
    scope_ = scope;
    taken_[count_] = {tsdn, pac, ehooks, extent};
    pages_[count_++] = pages;
    bytes_ += pages.iov_len;
    return true;
}

void PurgeBatch::flush() {
    if (count_ == 0) return;
    flushing_ = true;
    const bool gone = count_ > 1 && give_back_together(scope_, pages_, count_);
    for (unsigned i = 0; i < count_; ++i) {
        const Taken& taken = taken_[i];
        if (gone) tell_gone(pages_[i].iov_base);
        je_extent_dalloc_wrapper(taken.tsdn, taken.pac, taken.ehooks, taken.extent);
    }
    tell_gone(nullptr);
    count_ = 0;
    bytes_ = 0;
    flushing_ = false;
}

}  // namespace mpol::heap

// What jemalloc calls for each extent that it purges (src/pac.c, pac_decay_stashed).
extern "C" void mpol_extent_dalloc(void* tsdn, void* pac, void* ehooks, je_edata* extent) {
    mpol::heap::PurgeBatch* const batch = mpol::heap::PurgeBatch::current();
    if (batch != nullptr && batch->take(tsdn, pac, ehooks, extent)) return;
    je_extent_dalloc_wrapper(tsdn, pac, ehooks, extent);
}
