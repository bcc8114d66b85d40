// SPDX-License-Identifier: Apache-2.0
// Kinds: memory of the process with a policy of its own, whoever allocates it. Off until somebody
// sets one; then
//
//   large  jemalloc itself sends allocations of at least a threshold, of threads without a policy
//          of their own, to one arena on the regions of a scope of ours (its "huge arena")
//   stack  each new thread binds its stack; a rewrite binds those of all living threads
//   mmap   the exported mmap binds what it has mapped; a rewrite binds all that is mapped
//
// Each has a scope, whose binding is what new memory of the kind is bound to; those of stack and
// mmap have no regions. Never allocates, prints, exits or throws; errno is preserved.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "heap/placed.h"
#include "heap/scopes.h"
#include "heap/task.h"

namespace mpol::heap {

enum class Kind : uint8_t {
    kLarge = MPOL_CTL_KIND_LARGE,
    kStack = MPOL_CTL_KIND_STACK,
    kMmap = MPOL_CTL_KIND_MMAP,
};
[[nodiscard]] constexpr uint32_t bit_of(Kind kind) {
    return 1U << static_cast<unsigned>(kind);
}

// Bits of the kinds that have a policy now, and of those that ever had one.
extern std::atomic<uint32_t> kinds_set;
extern std::atomic<uint32_t> kinds_ever;

// --- Applying. apply_mutex held.

// Binds what is newly asked for. sync_allowed: the allowed nodes, known to apply.cc from then on.
// Returns the bits of the kinds that are to be purged and acknowledged.
using SyncAllowed = NodeMask(void* pass);
[[nodiscard]] uint32_t bind_kinds(SyncAllowed* sync_allowed, void* pass);
void report_kinds(uint32_t bound);
// Without the mutex: free memory of the large arena goes back, unless the publication keeps it.
void purge_kinds(uint32_t bound);

// --- Stacks

// A thread of the program's begins: descriptor lies at the upper end of its stack (pthread_self()),
// which its creator has placed as its own, if any. 0: it has ended.
void mark_thread(int slot, uintptr_t descriptor, Placer placer);
// Binds a new thread's stack, if a policy of a kind has, or had, to do with stacks. own: as its
// creator has its own policy for it, where set.
void bind_stack(void* start, size_t size, const OwnStack& own);
[[nodiscard]] bool stacks_concerned();

// --- Mappings. Async-signal-safe.

// Some policy of the process's or of the calling thread's is for what is mapped.
[[nodiscard]] bool mappings_concerned();
void bind_mapping(void* start, size_t size);

// What threads have placed in a range that is about to be unmapped or moved. It is forgotten
// before: whoever is given the range next enters it anew.
class Lifted {
  public:
    Lifted(const void* start, size_t size);
    // The call has failed, or left the range where it was.
    void put_back() const { move_to(start_, size_); }
    // The range, as it was or of another size, is there now.
    void move_to(uintptr_t start, size_t size) const;

  private:
    // More mappings than that in one call, which the kernel moves since 6.17 only, are the
    // process's.
    static constexpr unsigned kPiecesMax = 8;

    uintptr_t start_;
    size_t size_;
    Placed pieces_[kPiecesMax];
    unsigned count_ = 0;
};

// What the process has for the kind, if anything. kStack, kMmap.
[[nodiscard]] Binding kind_binding(Kind kind);

// --- Large allocations

// Whether memory of the calling thread's scope has to move to become size bytes, where jemalloc
// would grow it in place.
[[nodiscard, gnu::always_inline]] inline bool becomes_large(size_t size) {
    return __builtin_expect(size >= je_oversize_threshold, 0) && this_task.scope == kProcessScope;
}
// The same the other way round, for memory of another scope than the calling thread's.
[[nodiscard]] bool ceases_to_be_large(const void* pointer, size_t size);

// --- Fork: what is asked for in the parent's segment, and in the child's. Plain loads and stores.

struct KindLegacy {
    control::PolicyWords policy[MPOL_CTL_KINDS];
    uint64_t threshold[MPOL_CTL_KINDS];
    uint32_t set = 0;    // bits
    uint32_t bound = 0;  // those of them that are in force
};
[[nodiscard]] KindLegacy read_kinds();
void inherit_kinds(const KindLegacy& legacy);

}  // namespace mpol::heap
