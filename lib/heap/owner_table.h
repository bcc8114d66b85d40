// SPDX-License-Identifier: Apache-2.0
// Address to scope, for every free once a process has several scopes: one load. Regions are
// aligned to kRegionBytesMin, so that a table over 47 bits of addresses (what mmap hands out unless
// asked for more) has 2^17 entries, untouched pages of which cost nothing.
#pragma once

#include <atomic>
#include <cstdint>

#include "heap/regions.h"

namespace mpol::heap {

struct OwnerTable {
    // Some region begins or ends inside the unit: ask the directory.
    static constexpr ScopeId kMixed = 0xffff;
    static constexpr unsigned kAddressBits = 47;
    static constexpr size_t kUnits = size_t{1} << (kAddressBits - kRegionShift);

    std::atomic<ScopeId> unit[kUnits];

    void enter(uintptr_t start, size_t size, ScopeId scope) {
        const bool whole = start % kRegionBytesMin == 0 && size % kRegionBytesMin == 0;
        const uintptr_t last = (start + size - 1) >> kRegionShift;
        for (uintptr_t at = start >> kRegionShift; at <= last && at < kUnits; ++at) {
            unit[at].store(whole ? scope : kMixed, std::memory_order_relaxed);
        }
    }

    // Relaxed: whoever holds a pointer into a region got it from a carve that came after enter.
    [[nodiscard]] ScopeId look_up(const void* address) const {
        const uintptr_t at = reinterpret_cast<uintptr_t>(address) >> kRegionShift;
        return at < kUnits ? unit[at].load(std::memory_order_relaxed) : kProcessScope;
    }

    // The same of what jemalloc has handed out, which the kernel maps below 47 bits unless it is
    // asked for more: without a look at the bounds.
    [[nodiscard]] ScopeId look_up_allocated(const void* address) const {
        const uintptr_t at = reinterpret_cast<uintptr_t>(address) >> kRegionShift;
        return unit[at % kUnits].load(std::memory_order_relaxed);
    }
};

extern OwnerTable owners;

}  // namespace mpol::heap
