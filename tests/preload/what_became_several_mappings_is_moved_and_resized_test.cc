// SPDX-License-Identifier: Apache-2.0
// A mapping of a thread's own that the kernel has come to hold as two of the same policy, because
// each half was a part of a neighbour for a while: mremap of it works as if it were one.
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kPage = 4096;
constexpr size_t kSize = 4 * kMiB;
constexpr size_t kGrown = 7 * kMiB;
constexpr control::KindName kMmap{MPOL_CTL_KIND_MMAP, 0};

// System calls past the library.
char* map_at(char* at, size_t size, int prot, int flags) {
    return reinterpret_cast<char*>(
        ::syscall(SYS_mmap, at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0));
}
void bind_raw(char* at, size_t size, int mode) {
    unsigned long nodes = 1;
    if (::syscall(SYS_mbind, at, size, mode, &nodes, 64, 0) != 0) std::abort();
}
uint64_t result(uint64_t got) {
    return got == ~uint64_t{0} ? static_cast<uint64_t>(errno) : got;
}

uint64_t& word_of(uint64_t address) {
    return *reinterpret_cast<uint64_t*>(address);
}

// Puts the thread's own mapping, bound to bind:0, between two neighbours, and halves it. Every page
// says where it is, from the start. Returns where it is now.
uint64_t halve(uint64_t address, uint64_t, std::string&) {
    char* const low = map_at(nullptr, 4 * kSize, PROT_NONE, 0);
    char* const middle = low + kSize;
    char* const high = middle + kSize;
    if (::mremap(reinterpret_cast<void*>(address), kSize, kSize, MREMAP_MAYMOVE | MREMAP_FIXED,
                 middle) != middle) {
        std::abort();
    }
    for (char* const neighbour : {low, high}) {
        if (map_at(neighbour, kSize, PROT_READ | PROT_WRITE, MAP_FIXED) != neighbour) std::abort();
        *neighbour = 1;
        bind_raw(neighbour, kSize, MPOL_PREFERRED);
    }
    bind_raw(middle + kSize / 2, kSize / 2, MPOL_PREFERRED);
    bind_raw(middle, kSize / 2, MPOL_PREFERRED);
    bind_raw(middle, kSize, MPOL_BIND);
    const auto start = reinterpret_cast<uint64_t>(middle);
    for (size_t at = 0; at < kSize; at += kPage) word_of(start + at) = at + 1;
    return start;
}
const Verb halve_registered("halve", halve);

// How many of the first kSize bytes' pages say something else; ~0 where what follows is not zero.
uint64_t wrong_pages(uint64_t address, uint64_t size, std::string&) {
    uint64_t wrong = 0;
    for (size_t at = 0; at < kSize; at += kPage) wrong += word_of(address + at) != at + 1;
    for (size_t at = kSize; at < size; at += kPage) {
        if (word_of(address + at) != 0) return ~uint64_t{0};
    }
    return wrong;
}
const Verb wrong_pages_registered("wrong_pages", wrong_pages);

uint64_t grow(uint64_t address, uint64_t flags, std::string&) {
    return result(reinterpret_cast<uint64_t>(
        ::mremap(reinterpret_cast<void*>(address), kSize, kGrown, static_cast<int>(flags))));
}
const Verb grow_registered("grow_halves", grow);

uint64_t grow_raw(uint64_t address, uint64_t flags, std::string&) {
    return result(
        static_cast<uint64_t>(::syscall(SYS_mremap, address, kSize, kGrown, flags, nullptr)));
}
const Verb grow_raw_registered("grow_halves_raw", grow_raw);

uint64_t move_to(uint64_t address, uint64_t to, std::string&) {
    return result(reinterpret_cast<uint64_t>(::mremap(reinterpret_cast<void*>(address), kSize,
                                                      kSize, MREMAP_MAYMOVE | MREMAP_FIXED,
                                                      reinterpret_cast<void*>(to))));
}
const Verb move_to_registered("move_halves", move_to);

uint64_t room(uint64_t size, uint64_t, std::string&) {
    return reinterpret_cast<uint64_t>(map_at(nullptr, size, PROT_NONE, 0));
}
const Verb room_registered("room", room);

uint64_t is_free(uint64_t address, uint64_t size, std::string&) {
    char* const at = reinterpret_cast<char*>(address);
    return map_at(at, size, PROT_NONE, MAP_FIXED_NOREPLACE) == at ? 1 : 0;
}
const Verb is_free_registered("is_free", is_free);

uint64_t unmap_raw(uint64_t address, uint64_t size, std::string&) {
    return static_cast<uint64_t>(::syscall(SYS_munmap, address, size));
}
const Verb unmap_raw_registered("unmap_raw", unmap_raw);

// The second half's growth elsewhere is refused: ENOMEM.
uint64_t refuse_to_grow(uint64_t, uint64_t, std::string&) {
    constexpr uint32_t kGrownHalf = kGrown - kSize / 2;
    constexpr auto kNumber = static_cast<uint32_t>(offsetof(seccomp_data, nr));
    constexpr auto kNewSize = static_cast<uint32_t>(offsetof(seccomp_data, args) + 2 * 8);
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNewSize),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kGrownHalf, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof(code) / sizeof(code[0]), code};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return static_cast<uint64_t>(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}
const Verb refuse_to_grow_registered("refuse_to_grow", refuse_to_grow);

struct SeveralMappings : ::testing::Test {
    Workbench bench;
    unsigned worker = bench.start_thread(0);
    control::Target target = bench.attach();
    uint64_t placed = 0;

    void SetUp() override {
        bench.set_own_kind(target, kMmap, bind_to({0}), worker);
        placed = bench.run(0, "halve", bench.map(worker, kSize));
        if (bench.run(0, "grow_halves_raw", placed, 0) != EFAULT) {
            GTEST_SKIP() << "this kernel has them as one mapping";
        }
    }
    // The worker's still, and nothing is lost.
    void expect_own(uint64_t address, uint64_t size) {
        EXPECT_EQ(bench.run(0, "wrong_pages", address, size), 0U);
        bench.set_kind(target, kMmap, make_policy(Mode::kPreferred, {0}));
        bench.set_own_kind(target, kMmap, make_policy(Mode::kInterleave, {0}), worker);
        for (uint64_t at = 0; at < size; at += kMiB) {
            EXPECT_EQ(policy_at(bench.pid(), address + at), "interleave:0") << at;
        }
    }
};

}  // namespace

TEST_F(SeveralMappings, GrowElsewhere) {
    const uint64_t grown = bench.run(0, "grow_halves", placed, MREMAP_MAYMOVE);
    ASSERT_GT(grown, kPage) << "errno";
    EXPECT_EQ(bench.run(0, "is_free", placed, kSize), 1U);
    expect_own(grown, kGrown);
    EXPECT_EQ(bench.finish(), 0);
}

TEST_F(SeveralMappings, GrowInPlace) {
    ASSERT_EQ(bench.run(0, "grow_halves", placed, 0), uint64_t{ENOMEM}) << "there is a neighbour";
    ASSERT_EQ(bench.run(0, "unmap_raw", placed + kSize, kSize), 0U);
    ASSERT_EQ(bench.run(0, "grow_halves", placed, 0), placed);
    expect_own(placed, kGrown);
    EXPECT_EQ(bench.finish(), 0);
}

TEST_F(SeveralMappings, GoWhereTheyAreToldTo) {
    const uint64_t to = bench.run(0, "room", kSize);
    ASSERT_EQ(bench.run(0, "move_halves", placed, to), to);
    EXPECT_EQ(bench.run(0, "is_free", placed, kSize), 1U);
    expect_own(to, kSize);
    EXPECT_EQ(bench.finish(), 0);
}

TEST_F(SeveralMappings, AreWhereTheyWereWhenALaterOneIsRefused) {
    ASSERT_EQ(bench.run(0, "refuse_to_grow"), 0U);
    EXPECT_EQ(bench.run(0, "grow_halves", placed, MREMAP_MAYMOVE), uint64_t{ENOMEM});
    expect_own(placed, kSize);
    EXPECT_EQ(bench.finish(), 0);
}

// As the kernel says itself.
TEST_F(SeveralMappings, AreNoneWithAHole) {
    ASSERT_EQ(bench.run(0, "unmap_raw", placed + kMiB, kMiB), 0U);
    EXPECT_EQ(bench.run(0, "grow_halves", placed, MREMAP_MAYMOVE), uint64_t{EFAULT});
    EXPECT_EQ(bench.run(0, "grow_halves", placed, 0), uint64_t{EFAULT});
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test
