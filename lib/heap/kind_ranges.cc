// SPDX-License-Identifier: Apache-2.0
// What of /proc/self/maps belongs to which kind. A mapping is cut where something of ours begins or
// ends, because the kernel joins neighbours of the same flags and policy:
//
//     start      a thread's descriptor                                                  end
//       |  its stack    |   the program's  |  a region of ours  |   the program's        |
//
// The uninitialised data of a program or library is anonymous memory too; it lies directly above a
// mapping of its file's data, and is left alone.
#include "heap/kind_ranges.h"

#include <linux/mempolicy.h>

#include <algorithm>
#include <cerrno>

#include "control/segment.h"
#include "heap/mappings.h"
#include "heap/notify.h"
#include "heap/own_kinds.h"
#include "heap/weighted.h"
#include "sys/sys.h"

// This library's own uninitialised data, which holds the segment's mapping.
extern "C" {
[[gnu::visibility("hidden")]] extern char __bss_start[];
[[gnu::visibility("hidden")]] extern char _end[];
}

namespace mpol::heap {
namespace {

constexpr uintptr_t kPage = 4096;
constexpr uintptr_t page_above(uintptr_t at) {
    return (at + kPage - 1) & ~(kPage - 1);
}

// Upper ends of the threads' stacks, by slot, and who has placed them as its own; written by each
// thread without the mutex.
constinit std::atomic<uintptr_t> marks[MPOL_CTL_SLOTS];
constinit std::atomic<Placer> stack_placers[MPOL_CTL_SLOTS];
// The marks in ascending order, of one walk. Under apply_mutex.
struct Mark {
    uintptr_t at;
    Placer placer;
};
constinit Mark sorted_marks[MPOL_CTL_SLOTS]{};

struct Walk {
    Kind kind;
    const Binding* before;
    const Binding* binding;
    Placer placer = 0;        // whose own is bound; 0: all that is nobody's own
    uint64_t generation = 0;  // of its policy
    size_t mark_count = 0;
    uintptr_t data_end = 0;  // of the last mapping of a file's data
    int first_error = 0;
};

size_t sort_marks() {
    const unsigned used = std::min(control::load(control::local.header.slots_used), MPOL_CTL_SLOTS);
    size_t count = 0;
    for (unsigned slot = 0; slot < used; ++slot) {
        const uintptr_t mark = marks[slot].load(std::memory_order_acquire);
        if (mark != 0) sorted_marks[count++] = {mark, stack_placers[slot].load()};
    }
    std::sort(sorted_marks, sorted_marks + count,
              [](const Mark& one, const Mark& other) { return one.at < other.at; });
    return count;
}

// The mode of the range's policy, as the kernel tells it; -1: nothing is mapped.
int mode_at(uintptr_t start, NodeMask& ret_nodes) {
    int mode_word = 0;
    const int err =
        sys::get_mempolicy_at(reinterpret_cast<void*>(start), MPOL_F_ADDR, mode_word, ret_nodes);
    return err == 0 ? mode_word : -1;
}

bool is_bound_to(uintptr_t start, const Binding& binding) {
    NodeMask nodes;
    return mode_at(start, nodes) == kernel_mode_word(binding.policy) &&
           (nodes == binding.effective || nodes == binding.policy.nodes);
}

void bind(Walk& walk, uintptr_t start, uintptr_t end) {
    if (start >= end) return;
    // A thread's own has been looked at.
    if (walk.placer == 0 && !walk.binding->set &&
        (!walk.before->set || !is_bound_to(start, *walk.before))) {
        return;
    }
    const Notice notice(MPOL_EVENT_POLICY, reinterpret_cast<void*>(start), end - start);
    const int err = bind_range(reinterpret_cast<void*>(start), end - start, *walk.binding);
    if (err == 0 || err == -EFAULT) return;  // EFAULT: unmapped meanwhile.
    control::record_error(MPOL_CTL_ERROR_MBIND, -err, start, end - start,
                          static_cast<uint64_t>(walk.binding->policy.mode_word()),
                          walk.binding->effective.words[0]);
    if (walk.first_error == 0) walk.first_error = err;
}

// The end of what is ours and holds at; at itself when nothing does. ret_next: where the next such
// begins, at most limit.
uintptr_t ours_at(uintptr_t at, uintptr_t limit, uintptr_t& ret_next) {
    uintptr_t end = at;
    ret_next = limit;
    const auto consider = [&](uintptr_t from, uintptr_t to) {
        if (from <= at && at < to) end = std::max(end, to);
        if (from > at) ret_next = std::min(ret_next, from);
    };
    consider(reinterpret_cast<uintptr_t>(__bss_start) & ~(kPage - 1),
             page_above(reinterpret_cast<uintptr_t>(_end)));
    for (unsigned row = 0; row < region_count(); ++row) {
        const uintptr_t start = region_at(row).start.load(std::memory_order_acquire);
        if (start != 0) consider(start, start + region_at(row).size);
    }
    return end;
}

using BindPiece = void(Walk& walk, uintptr_t start, uintptr_t end);

void bind_programs_own(Walk& walk, uintptr_t start, uintptr_t end, BindPiece* bind_piece) {
    for (uintptr_t at = start; at < end;) {
        uintptr_t next = end;
        const uintptr_t ours = ours_at(at, end, next);
        if (ours == at) bind_piece(walk, at, next);
        at = ours == at ? next : ours;
    }
}

// What the kernel says of the row's range is not what its thread has made of it.
bool is_stale(const Placed& placed) {
    NodeMask nodes;
    return placed.settled && mode_at(placed.start, nodes) != placed.mode_word;
}

// No thread's own. Whoever places something meanwhile enters it first: it is found afterwards.
void bind_nobodys(Walk& walk, uintptr_t start, uintptr_t end) {
    if (walk.placer != 0 || start >= end) return;
    bind(walk, start, end);
    for (Placed meanwhile = next_placed(start, end); meanwhile.start < end;
         meanwhile = next_placed(meanwhile.end, end)) {
        bind_as_placed(meanwhile.start, meanwhile.end);
    }
}

// What the thread whose policy is new has placed; or had: it may be another's by the time it is
// bound. Settled at once: the kernel names a mapping again that has grown together with the one
// behind it.
void bind_own(Walk& walk, Placed piece) {
    const bool alone = split_off(piece);
    bind(walk, piece.start, piece.end);
    NodeMask nodes;
    const int mode_word = mode_at(piece.start, nodes);
    const bool settled = alone && mode_word >= 0 && settle_anew(piece, mode_word, walk.generation);
    if (!settled || !is_as_it_was(piece)) bind_as_placed(piece.start, piece.end);
}

// A mapping, or a part of one, of one policy.
void bind_mapped(Walk& walk, uintptr_t start, uintptr_t end) {
    for (uintptr_t at = start; at < end;) {
        const Placed placed = next_placed(at, end);
        bind_nobodys(walk, at, placed.start);
        at = placed.end;
        if (placed.start == placed.end) continue;
        const bool stale = is_stale(placed);
        if (stale || (walk.placer == 0 && !is_kept(placed.placer, Kind::kMmap))) {
            forget_placed(placed);
            bind_nobodys(walk, placed.start, placed.end);
        } else if (placed.placer == walk.placer && placed.settled &&
                   !is_newer(placed, walk.generation)) {
            bind_own(walk, placed);
        }
    }
}

// The stacks of a mapping, from its start on. Returns where the last one ends; the mapping's start
// when there is none.
uintptr_t visit_stacks(Walk& walk, const Mapping& mapping) {
    const Mark* const first = sorted_marks;
    const Mark* const last = first + walk.mark_count;
    const auto is_below = [](const Mark& one, uintptr_t start) { return one.at < start; };
    uintptr_t at = mapping.start;
    for (const Mark* mark = std::lower_bound(first, last, mapping.start, is_below);
         mark != last && mark->at < mapping.end; ++mark) {
        const uintptr_t end = std::min(page_above(mark->at + 1), mapping.end);
        const bool concerned =
            walk.placer != 0 ? mark->placer == walk.placer : !is_kept(mark->placer, Kind::kStack);
        if (walk.kind == Kind::kStack && concerned) bind_programs_own(walk, at, end, bind);
        at = end;
    }
    return at;
}

int visit(const Mapping& mapping, void* context) {
    Walk& walk = *static_cast<Walk*>(context);
    if (mapping.data) walk.data_end = mapping.end;
    if (!mapping.anonymous) return 0;
    const uintptr_t stack = visit_stacks(walk, mapping);
    if (walk.kind == Kind::kMmap && mapping.start != walk.data_end) {
        bind_programs_own(walk, stack, mapping.end, bind_mapped);
    }
    return 0;
}

int walk_and_bind(Walk& walk) {
    walk.mark_count = sort_marks();
    const int err = walk_mappings(visit, &walk);
    if (err != 0) control::record_error(MPOL_CTL_ERROR_MAPPINGS, -err);
    return walk.first_error != 0 ? walk.first_error : err;
}

}  // namespace

int bind_existing(Kind kind, const Binding& before, const Binding& binding) {
    Walk walk{.kind = kind, .before = &before, .binding = &binding};
    return walk_and_bind(walk);
}

int bind_placed(Kind kind, Placer placer, const Binding& binding, uint64_t generation) {
    Walk walk{.kind = kind,
              .before = &binding,
              .binding = &binding,
              .placer = placer,
              .generation = generation};
    return walk_and_bind(walk);
}

void disown_placed(Kind kind, Placer placer, uint64_t generation) {
    if (kind == Kind::kMmap) return forget_placed_until(placer, generation);
    for (std::atomic<Placer>& of : stack_placers) {
        Placer its = placer;
        if (of.load(std::memory_order_relaxed) == placer) of.compare_exchange_strong(its, 0);
    }
}

void mark_thread(int slot, uintptr_t descriptor, Placer placer) {
    if (slot < 0) return;
    // Pages of zeros stay unread where nobody has placed a stack, also in a forked child.
    if (own_stacks_ever.load(std::memory_order_relaxed)) stack_placers[slot].store(placer);
    marks[slot].store(descriptor, std::memory_order_release);
}

void forget_marks() {
    for (std::atomic<uintptr_t>& mark : marks) {
        if (mark.load(std::memory_order_relaxed) != 0) mark.store(0, std::memory_order_relaxed);
    }
    if (!own_stacks_ever.load(std::memory_order_relaxed)) return;
    for (std::atomic<Placer>& placer : stack_placers) {
        if (placer.load(std::memory_order_relaxed) != 0) placer.store(0, std::memory_order_relaxed);
    }
}

}  // namespace mpol::heap
