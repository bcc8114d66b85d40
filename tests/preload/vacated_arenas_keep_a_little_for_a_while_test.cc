// SPDX-License-Identifier: Apache-2.0
// What is free in an arena that its last thread has left: a little stays for the thread that may
// follow, and goes back soon when none does, or at a rewrite; more goes back at once, as under
// plain jemalloc. Pages that are used again for a block that is to be zero stay, too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLittle = size_t{512} << 10;
constexpr size_t kALot = size_t{4} << 20;

uint64_t fill_verb(uint64_t at, uint64_t size, std::string&) {
    std::memset(reinterpret_cast<void*>(at), 0x5a, size);
    return 0;
}
const Verb fill_registered("fill", fill_verb);

uint64_t written_verb(uint64_t at, uint64_t size, std::string&) {
    const auto* const bytes = reinterpret_cast<const char*>(at);
    return size - static_cast<uint64_t>(std::count(bytes, bytes + size, 0));
}
const Verb written_registered("written", written_verb);

class VacatedArena : public ::testing::Test {
  protected:
    void start(const std::string& environment) {
        Options options;
        options.environment = {environment};
        bench_.emplace(options);
    }
    // Pages of a block, without those that it shares, once the thread that had it has ended.
    uint64_t resident_when_left(size_t size) {
        const unsigned worker = bench_->start_thread(Workbench::kMain);
        const uint64_t at = bench_->allocate(worker, size);
        first_ = (at + kPage) & ~(kPage - 1);
        size_ = size - 2 * kPage;
        bench_->touch(worker, at, size);
        EXPECT_EQ(resident(), size_ / kPage);
        bench_->release(worker, at);
        EXPECT_EQ(resident(), size_ / kPage);
        bench_->end_thread(worker);
        return resident();
    }
    uint64_t resident() { return bench_->resident(first_, size_); }

    std::optional<Workbench> bench_;
    uint64_t first_ = 0;
    size_t size_ = 0;
};

constexpr const char* kSlowly = "MALLOC_CONF=dirty_decay_ms:10000000";

}  // namespace

TEST_F(VacatedArena, KeepsALittleForAWhile) {
    start(kSlowly);
    EXPECT_EQ(resident_when_left(kLittle), kLittle / kPage - 2);
    EXPECT_TRUE(eventually([&] { return resident() == 0; }));
}

TEST_F(VacatedArena, GivesALotBackAtOnce) {
    start(kSlowly);
    EXPECT_EQ(resident_when_left(kALot), 0U);
}

TEST_F(VacatedArena, GivesAllBackAtOnceWhereNobodyWouldLater) {
    start("MPOL_HELPER=0");
    EXPECT_EQ(resident_when_left(kLittle), 0U);
}

TEST_F(VacatedArena, IsTheNextThreadsAsItWasLeft) {
    start(kSlowly);
    ASSERT_EQ(resident_when_left(kLittle), kLittle / kPage - 2);
    const unsigned next = bench_->start_thread(Workbench::kMain);
    const uint64_t at = bench_->allocate(next, kLittle);
    EXPECT_EQ((at + kPage) & ~(kPage - 1), first_);
    EXPECT_EQ(resident(), size_ / kPage);
}

TEST_F(VacatedArena, GivesAllBackAtARewrite) {
    start(kSlowly);
    control::Target target = bench_->attach();
    ASSERT_EQ(resident_when_left(kLittle), kLittle / kPage - 2);
    bench_->set_all(target, make_policy(Mode::kBind, {0}));
    EXPECT_EQ(resident(), 0U);
}

TEST(ZeroedBlock, IsWrittenWhereItHasPages) {
    Workbench bench;
    constexpr size_t kSize = size_t{40} << 10;  // too large for a thread's cache
    const uint64_t at = bench.allocate(Workbench::kMain, kSize);
    bench.run(Workbench::kMain, "fill", at, kSize);
    bench.release(Workbench::kMain, at);
    const uint64_t zeroed = bench.allocate_zeroed(Workbench::kMain, kSize);
    ASSERT_EQ(zeroed & ~(kPage - 1), at & ~(kPage - 1));
    EXPECT_EQ(bench.resident((at + kPage) & ~(kPage - 1), kSize - 2 * kPage), kSize / kPage - 2);
    EXPECT_EQ(bench.run(Workbench::kMain, "written", zeroed, kSize), 0U);
}

}  // namespace mpol::test
