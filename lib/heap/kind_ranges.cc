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
constexpr uintptr_t page_above(uintptr_t at) { return (at + kPage - 1) & ~(kPage - 1); }

// Upper ends of the threads' stacks, by slot; written by each thread without the mutex.
constinit std::atomic<uintptr_t> marks[MPOL_CTL_SLOTS];
// The marks in ascending order, of one walk. Under apply_mutex.
constinit uintptr_t sorted_marks[MPOL_CTL_SLOTS];

struct Walk {
    Kind kind;
    const Binding* before;
    const Binding* binding;
    size_t mark_count = 0;
    uintptr_t data_end = 0;  // of the last mapping of a file's data
    int first_error = 0;
};

size_t sort_marks() {
    const unsigned used = std::min(control::load(control::local.header.slots_used), MPOL_CTL_SLOTS);
    size_t count = 0;
    for (unsigned slot = 0; slot < used; ++slot) {
        const uintptr_t mark = marks[slot].load(std::memory_order_acquire);
        if (mark != 0) sorted_marks[count++] = mark;
    }
    std::sort(sorted_marks, sorted_marks + count);
    return count;
}

// The end of the stack that begins where the mapping begins; its start when there is none.
uintptr_t stack_end(const Walk& walk, const Mapping& mapping) {
    const uintptr_t* const first = sorted_marks;
    const uintptr_t* const above = std::lower_bound(first, first + walk.mark_count, mapping.end);
    if (above == first || above[-1] < mapping.start) return mapping.start;
    return std::min(page_above(above[-1] + 1), mapping.end);
}

// Whether the range has the policy that the binding says, as the kernel tells it.
bool is_bound_to(uintptr_t start, const Binding& binding) {
    int mode_word = 0;
    NodeMask nodes;
    if (sys::get_mempolicy_at(reinterpret_cast<void*>(start), MPOL_F_ADDR, mode_word, nodes) != 0) {
        return false;
    }
    return mode_word == kernel_mode_word(binding.policy) &&
           (nodes == binding.effective || nodes == binding.policy.nodes);
}

void bind(Walk& walk, uintptr_t start, uintptr_t end) {
    if (start >= end) return;
    if (!walk.binding->set && (!walk.before->set || !is_bound_to(start, *walk.before))) return;
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

void bind_programs_own(Walk& walk, uintptr_t start, uintptr_t end) {
    for (uintptr_t at = start; at < end;) {
        uintptr_t next = end;
        const uintptr_t ours = ours_at(at, end, next);
        if (ours == at) bind(walk, at, next);
        at = ours == at ? next : ours;
    }
}

int visit(const Mapping& mapping, void* context) {
    Walk& walk = *static_cast<Walk*>(context);
    if (mapping.data) walk.data_end = mapping.end;
    if (!mapping.anonymous) return 0;
    const uintptr_t stack = stack_end(walk, mapping);
    if (walk.kind == Kind::kStack) {
        bind_programs_own(walk, mapping.start, stack);
    } else if (mapping.start != walk.data_end) {
        bind_programs_own(walk, stack, mapping.end);
    }
    return 0;
}

}  // namespace

int bind_existing(Kind kind, const Binding& before, const Binding& binding) {
    Walk walk{.kind = kind, .before = &before, .binding = &binding};
    walk.mark_count = sort_marks();
    const int err = walk_mappings(visit, &walk);
    if (err != 0) control::record_error(MPOL_CTL_ERROR_MAPPINGS, -err);
    return walk.first_error != 0 ? walk.first_error : err;
}

void mark_thread(int slot, uintptr_t descriptor) {
    if (slot >= 0) marks[slot].store(descriptor, std::memory_order_release);
}

void forget_marks() {
    for (std::atomic<uintptr_t>& mark : marks) {
        if (mark.load(std::memory_order_relaxed) != 0) mark.store(0, std::memory_order_relaxed);
    }
}

}  // namespace mpol::heap
