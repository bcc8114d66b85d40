// SPDX-License-Identifier: Apache-2.0
// Resource limits that leave no room for extras: the program must get as far as without us. (No
// thread is started in a full address space: jemalloc 5.3.0 itself crashes when there is no room
// for the arena of a thread that allocates for the first time.)
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>

#include "workbench.h"

namespace mpol::test {
namespace {

std::function<void()> limit(int resource, rlim_t value) {
    return [resource, value] {
        const rlimit both{value, value};
        ::setrlimit(static_cast<__rlimit_resource>(resource), &both);
    };
}

constexpr rlim_t kAddressSpaceBytes = rlim_t{300'000} << 10;

// How many MiB, in blocks of a size, until malloc refuses; then everything goes on.
size_t fill(size_t block) {
    static void* kept[100'000];
    size_t count = 0;
    while (count < 100'000 && (kept[count] = volatile_malloc(block)) != nullptr) ++count;
    for (size_t i = 0; i < count; ++i) std::free(kept[i]);
    return count * block >> 20;
}

}  // namespace

TEST(Limits, EightDescriptorsSuffice) {
    Workbench bench({.before_exec = limit(RLIMIT_NOFILE, 8)});
    const uint64_t memory = bench.allocate(0, 1 << 20);
    const unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}), {worker});
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
    EXPECT_EQ(segment_descriptors(bench.pid()).size(), 1U);
}

SUBJECT(fill_memory) {
    say("large %zu", fill(1 << 20));
    say("small %zu", fill(3000));
    await_command();
    return 0;
}

struct Filled {
    uint64_t large;
    uint64_t small;
};

Filled fill_under(const Options& options) {
    Subject subject("fill_memory", options);
    Filled filled{};
    filled.large = subject.hear_number("large");
    filled.small = subject.hear_number("small");
    EXPECT_EQ(subject.finish(), 0);
    return filled;
}

TEST(Limits, SmallAddressSpaceGoesAsFarAsPlainJemalloc) {
    Options plain{.before_exec = limit(RLIMIT_AS, kAddressSpaceBytes)};
    plain.preload = false;
    plain.environment = {"LD_PRELOAD=" MPOL_SYSTEM_JEMALLOC};
    const Filled theirs = fill_under(plain);
    const Filled ours = fill_under({.before_exec = limit(RLIMIT_AS, kAddressSpaceBytes)});
    EXPECT_GE(ours.large * 10, theirs.large * 9) << "MiB: " << ours.large << " of " << theirs.large;
    EXPECT_GE(ours.small * 10, theirs.small * 9) << "MiB: " << ours.small << " of " << theirs.small;
}

TEST(Limits, SmallAddressSpaceStillTakesPolicies) {
    Workbench bench({.before_exec = limit(RLIMIT_AS, kAddressSpaceBytes)});
    const uint64_t memory = bench.allocate(0, 1 << 20);
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
    const unsigned worker = bench.start_thread(0);
    set_thread(target, bench.tid(worker), make_policy(Mode::kInterleave, {0}));
    const uint64_t own = bench.allocate(worker, 1 << 20);
    EXPECT_EQ(policy_at(bench.pid(), own), "interleave:0");
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
}

}  // namespace mpol::test
