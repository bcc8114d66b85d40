// SPDX-License-Identifier: Apache-2.0
// Threads with policies of their own come and go, in each other's scopes and slots, and leave
// memory behind; readers look all of that up the while, from inside and as outsiders do, and
// migrations go over it. Nothing is read that was freed, and what a thread left still has an owner.
// (A scope is never freed: heap/scopes.h.) Who has looked a scope up keeps it from the next thread.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <cinttypes>
#include <thread>
#include <vector>

#include "heap/apply.h"
#include "heap/bindings.h"
#include "heap/task.h"
#include "linked.h"
#include "preload/process.h"

// mmap stays the sanitizer's.
void mpol::preload::resolve_mmap() {}

namespace mpol::test {
namespace {

constexpr unsigned kComers = 4;  // at a time
constexpr unsigned kReaders = 2;
constexpr size_t kObjectBytes = size_t{64} << 10;

uint64_t lives_wanted() {
    const char* const text = std::getenv("MPOL_SCOPE_LIVES");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 300;
}

std::atomic<bool> stop{false};
std::atomic<void*> left_behind[kComers];
std::atomic<uint64_t> looked_up{0};
std::atomic<uint64_t> strangers{0};  // owners that no scope is
std::atomic<uint64_t> in_own_scope{0};

// One life: a policy of its own, set by the thread for itself as an outsider would; half of them
// are taken back before the end.
void live(unsigned comer, bool take_back) {
    Self self;
    const control::ThreadSlot slot = self.slot_of(static_cast<pid_t>(::syscall(SYS_gettid)));
    EXPECT_TRUE(self.target().publish_thread(slot, kPolicies[0], kTimeoutMs).has_value());
    void* const object = allocate(kObjectBytes);
    static_cast<volatile char*>(object)[0] = 1;
    in_own_scope += heap::this_task.scope != heap::kProcessScope;
    release(left_behind[comer].exchange(object));  // of the life before, which has another scope
    if (!take_back) return;
    EXPECT_TRUE(self.target().publish_thread(slot, std::nullopt, kTimeoutMs).has_value());
    release(allocate(1));
}

void look_up(control::Target target) {
    std::minstd_rand random(1);
    while (!stop) {
        const heap::ScopesOfSlot of_slot = heap::get_scopes_of_slot(random() % 16);
        const heap::ScopeId of_object = heap::owner_of(left_behind[random() % kComers].load());
        for (const heap::ScopeId id : {of_slot.own, of_slot.large, of_object}) {
            strangers += id >= heap::scope_count();
            (void)heap::read_binding(id);
        }
        heap::put_scopes(of_slot);
        for (const control::RegionState& region : target.regions()) {
            // One scope may be in the making: it is counted when it has its first region.
            strangers += region.scope > heap::scope_count();
        }
        (void)target.threads();
        looked_up.fetch_add(1, std::memory_order_relaxed);
    }
}

// The scope of a thread that has a policy of its own and is gone.
heap::ScopeId scope_of_a_life(heap::ScopesOfSlot* ret_looked_up = nullptr) {
    heap::ScopeId scope = heap::kProcessScope;
    std::thread([&] {
        live(0, false);
        scope = heap::this_task.scope;
        const auto slot = static_cast<unsigned>(heap::this_task.slot);
        if (ret_looked_up != nullptr) *ret_looked_up = heap::get_scopes_of_slot(slot);
    }).join();
    release(left_behind[0].exchange(nullptr));
    return scope;
}

uint64_t migrate_until_stopped(Self& self) {
    uint64_t migrations = 0;
    while (!stop) {
        const auto asked = self.target().start_migration({}, kTimeoutMs);
        if (!asked) continue;
        for (auto phase = self.target().migration().phase; !control::has_ended(phase);
             phase = self.target().migration().phase) {
            (void)self.target().wait_migration(*asked, phase, kTimeoutMs);
        }
        ++migrations;
    }
    return migrations;
}

}  // namespace

TEST(Scopes, OutliveTheirThreads) {
    make_automatic_arenas();
    Self self;
    uint64_t migrations = 0;
    std::vector<std::thread> readers;
    for (unsigned i = 0; i < kReaders; ++i) {
        readers.emplace_back(look_up, std::move(Self().target()));
    }
    readers.emplace_back([&] { migrations = migrate_until_stopped(self); });
    std::vector<std::thread> comers;
    for (unsigned comer = 0; comer < kComers; ++comer) {
        comers.emplace_back([comer] {
            for (uint64_t i = 0; i < lives_wanted(); ++i) {
                std::thread([=] { live(comer, i % 2 == 0); }).join();
            }
        });
    }
    for (std::thread& comer : comers) comer.join();
    stop = true;
    for (std::thread& reader : readers) reader.join();
    for (auto& object : left_behind) release(object.exchange(nullptr));
    EXPECT_EQ(strangers.load(), 0U);
    EXPECT_EQ(in_own_scope.load(), kComers * lives_wanted());
    // As many as there were at a time, looked up by the readers or not, and not as there were
    // lives.
    EXPECT_LE(heap::scope_count(), 1U + kComers + kReaders + 2U);
    EXPECT_GT(looked_up.load(), 0U);
    EXPECT_GT(migrations, 0U);
    std::printf("%" PRIu64 " lives in %u scopes, %" PRIu64 " look-ups, %" PRIu64 " migrations\n",
                kComers * lives_wanted(), heap::scope_count(), looked_up.load(), migrations);
}

TEST(Scopes, AreNotHandedOnWhileLookedUp) {
    heap::ScopesOfSlot looked_up;
    const heap::ScopeId first = scope_of_a_life(&looked_up);
    ASSERT_NE(first, heap::kProcessScope);
    ASSERT_EQ(looked_up.own, first);
    EXPECT_NE(scope_of_a_life(), first);
    heap::put_scopes(looked_up);
    EXPECT_EQ(scope_of_a_life(), first);
}

}  // namespace mpol::test
