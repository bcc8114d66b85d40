// SPDX-License-Identifier: Apache-2.0
// For programs that the preloaded library's own sources are linked into: what its malloc and free
// do there, where a sanitizer has these names; and the program itself, rewritten through its
// segment as any other process is.
#pragma once

#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <stdexcept>

#include "control/attach.h"
#include "heap/je.h"
#include "heap/placed.h"
#include "policy/policy.h"
#include "preload/foreign.h"
#include "preload/slow_path.h"
#include "sys/sys.h"

namespace mpol::test {

inline constexpr int kTimeoutMs = 30'000;
inline constexpr size_t kPage = 4096;

inline void* allocate(size_t size) {
    preload::check();
    return je_malloc(size);
}
inline void release(void* pointer) {
    preload::release(pointer);
}

inline void* map_pages(size_t pages, void* at = nullptr) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (at != nullptr ? MAP_FIXED : 0);
    return ::mmap(at, pages * kPage, PROT_READ | PROT_WRITE, flags, -1, 0);
}

// Told apart by their modes, on one node too.
inline const Policy kPolicies[] = {Policy{.mode = Mode::kBind, .nodes = NodeMask::of(0)},
                                   Policy{.mode = Mode::kPreferred, .nodes = NodeMask::of(0)},
                                   Policy{.mode = Mode::kInterleave, .nodes = NodeMask::of(0)},
                                   Policy{.mode = Mode::kLocal}};
inline constexpr unsigned kPolicyCount = sizeof(kPolicies) / sizeof(kPolicies[0]);

// jemalloc makes its automatic arenas as threads come that need one, and lets other threads see them
// by atomics that ThreadSanitizer can't see, since Debian's is built without it. To be called by a
// process's first thread: makes them all before there is another.
inline void make_automatic_arenas() {
    unsigned arenas = 0;
    size_t size = sizeof(arenas);
    ASSERT_EQ(je_mallctl("opt.narenas", &arenas, &size, nullptr, 0), 0);
    for (unsigned arena = 0; arena < arenas; ++arena) {
        const int flags = heap::arena_flag(arena) | heap::kNoTcache;
        je_dallocx(je_mallocx(1, flags), flags);
    }
}

// What the kernel has for the page; kDefault where it has nothing of its own.
inline Mode mode_at(const void* at) {
    int mode_word = -1;
    NodeMask nodes;
    (void)sys::get_mempolicy_at(const_cast<void*>(at), MPOL_F_ADDR, mode_word, nodes);
    return static_cast<Mode>(mode_word);
}

// This process as its writer sees it. Throws when it is refused, or never in force.
class Self {
  public:
    Self() : target_(attached()) {}

    control::Target& target() { return target_; }
    control::ThreadSlot slot_of(pid_t tid) { return checked(target_.slot_of(tid)); }

    uint64_t publish(const std::optional<Policy>& policy) {
        return checked(target_.publish_kind(kMmap, policy, false, kTimeoutMs));
    }
    uint64_t publish(pid_t tid, const std::optional<Policy>& policy) {
        return checked(target_.publish_own_kind(slot_of(tid), kMmap, policy, kTimeoutMs));
    }
    // And waits.
    void rewrite(const std::optional<Policy>& policy) {
        check(target_.wait_kind(kMmap.kind, publish(policy), kTimeoutMs));
    }
    void rewrite(pid_t tid, const std::optional<Policy>& policy) {
        check(target_.wait_own_kind(slot_of(tid), kMmap.kind, publish(tid, policy), kTimeoutMs));
    }

  private:
    static constexpr control::KindName kMmap{MPOL_CTL_KIND_MMAP, 0};

    template <class T>
    static T checked(control::Result<T> result) {
        if (!result) throw std::runtime_error(result.error().what);
        return std::move(*result);
    }
    static void check(bool in_force) {
        if (!in_force) throw std::runtime_error("never in force");
    }
    static control::Target attached() {
        release(allocate(1));  // Publishes the segment.
        return checked(control::Target::attach(::getpid(), control::Access::kWrite));
    }

    control::Target target_;
};

// Nobody has placed anything, and no row was lost.
inline void expect_an_empty_table() {
    constexpr uintptr_t kEnd = uintptr_t{1} << 47;
    EXPECT_EQ(heap::next_placed(0, kEnd).start, kEnd);
    constexpr heap::Placer kNobody = ~heap::Placer{0};
    unsigned entered = 0;
    for (uintptr_t at = kPage; heap::enter_placed(at, at + kPage, kNobody); at += 2 * kPage) {
        ++entered;
    }
    EXPECT_EQ(entered, heap::kPlacedMax);
    heap::forget_placed_of(kNobody);
}

}  // namespace mpol::test
