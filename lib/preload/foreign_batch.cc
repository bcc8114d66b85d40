// SPDX-License-Identifier: Apache-2.0
#include "preload/foreign_batch.h"

#include <algorithm>
#include <atomic>

#include "control/segment.h"
#include "heap/hurry.h"
#include "heap/je.h"
#include "heap/task.h"
#include "preload/process.h"
#include "sys/sys.h"

namespace mpol::preload {

using control::local;

namespace {

struct alignas(64) Batch {
    std::atomic<bool> taken;  // Acquired and released by whoever uses what follows.
    void** held;              // kHeldObjectsMax places; made at the slot's first use, for good
    std::atomic<uint32_t> objects;  // Written by the taker, read by the sweep without taking.
    uint32_t bytes;
    std::atomic<uint32_t> frees;  // ever: tells the sweep whether the batch was touched
    uint32_t swept;               // the helper's: frees at its last look

    [[nodiscard]] bool try_take() { return !taken.exchange(true, std::memory_order_acquire); }
    void give_back() { taken.store(false, std::memory_order_release); }
    [[nodiscard]] uint32_t count() const { return objects.load(std::memory_order_relaxed); }
};

constinit Batch batches[MPOL_CTL_SLOTS]{};
constinit std::atomic<unsigned> batches_used{0};  // one more than the highest slot with a cache

constinit uint64_t next_sweep_ns = 0;  // The helper's.

// nullptr: the thread has no slot, not yet or no longer.
Batch* own_batch() {
    const int slot = heap::this_task.slot;
    return slot >= 0 ? &batches[slot] : nullptr;
}

// batch taken.
void flush(Batch& batch) {
    const uint32_t count = batch.count();
    if (count == 0) return;
    for (uint32_t i = 0; i < count; ++i) je_dallocx(batch.held[i], heap::kNoTcache);
    control::count(MPOL_CTL_FOREIGN_FREES, count);
    batch.objects.store(0, std::memory_order_relaxed);
    batch.bytes = 0;
}

// batch taken.
[[gnu::cold, gnu::noinline]] bool make_room(Batch& batch) {
    const sys::ErrnoGuard guard;
    batch.held = static_cast<void**>(
        je_mallocx(kHeldObjectsMax * sizeof(void*), heap::arena_flag(0) | heap::kNoTcache));
    if (batch.held == nullptr) return false;
    const auto wanted = static_cast<unsigned>(&batch - batches) + 1;
    unsigned used = batches_used.load(std::memory_order_relaxed);
    while (used < wanted && !batches_used.compare_exchange_weak(used, wanted)) {
    }
    return true;
}

// False: the batch can't take it.
bool hold(Batch& batch, void* pointer, size_t size) {
    if (!batch.try_take()) return false;
    if (__builtin_expect(batch.held == nullptr, 0) && !make_room(batch)) {
        batch.give_back();
        return false;
    }
    const uint32_t objects = batch.count() + 1;
    batch.held[objects - 1] = pointer;
    batch.objects.store(objects, std::memory_order_relaxed);
    batch.bytes += static_cast<uint32_t>(size);
    batch.frees.store(batch.frees.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (__builtin_expect(objects == kHeldObjectsMax || batch.bytes >= kHeldBytesMax, 0)) {
        const sys::ErrnoGuard guard;
        flush(batch);
    }
    batch.give_back();
    if (__builtin_expect(objects == 1, 0)) call_helper();
    return true;
}

bool anyone_holds() {
    const unsigned used = batches_used.load(std::memory_order_acquire);
    return std::any_of(batches, batches + used,
                       [](const Batch& batch) { return batch.count() > 0; });
}

void flush_idle() {
    const unsigned used = batches_used.load(std::memory_order_acquire);
    for (Batch* batch = batches; batch != batches + used; ++batch) {
        const uint32_t frees = batch->frees.load(std::memory_order_relaxed);
        const bool idle = batch->swept == frees;
        batch->swept = frees;
        if (!idle || batch->count() == 0 || !batch->try_take()) continue;
        flush(*batch);
        batch->give_back();
    }
}

}  // namespace

void free_foreign(void* pointer) {
    const size_t size = je_sallocx(pointer, 0);
    Batch* const batch = own_batch();
    if (size <= kHeldObjectBytesMax && batch != nullptr && hold(*batch, pointer, size)) return;
    control::count(MPOL_CTL_FOREIGN_FREES);
    je_sdallocx(pointer, size, heap::kNoTcache);
}

void flush_foreign() {
    Batch* const batch = own_batch();
    // Taken: the helper is flushing it.
    if (batch == nullptr || !batch->try_take()) return;
    flush(*batch);
    batch->give_back();
}

int64_t sweep_foreign() {
    const uint64_t now = sys::monotonic_ns();
    if (now >= next_sweep_ns) {
        const heap::Unhurried unhurried(anyone_holds());  // Of many threads it takes long.
        flush_idle();
        next_sweep_ns = now + kSweepNs;
    }
    return anyone_holds() ? static_cast<int64_t>(next_sweep_ns - now) : -1;
}

void inherit_foreign() {
    const unsigned used = batches_used.load(std::memory_order_acquire);
    for (Batch* batch = batches; batch != batches + used; ++batch) {
        if (!batch->taken.load(std::memory_order_acquire)) continue;
        batch->objects.store(0, std::memory_order_relaxed);
        batch->bytes = 0;
        batch->give_back();
    }
}

void flush_inherited() {
    const unsigned used = batches_used.load(std::memory_order_acquire);
    for (Batch* batch = batches; batch != batches + used; ++batch) flush(*batch);
}

}  // namespace mpol::preload
