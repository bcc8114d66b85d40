// SPDX-License-Identifier: Apache-2.0
// Kind rows whose bytes make no sense change nothing; a threshold that can't hold is refused with
// an errno in the row.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "workbench.h"

namespace mpol::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr control::KindName kLarge{MPOL_CTL_KIND_LARGE, 2 * kMiB};

void write_word(const Workbench& bench, size_t offset, uint64_t value) {
    const int number = segment_descriptors(bench.pid()).at(0);
    const std::string path =
        "/proc/" + std::to_string(bench.pid()) + "/fd/" + std::to_string(number);
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(::pwrite(fd, &value, sizeof(value), static_cast<off_t>(offset)), 8);
    ::close(fd);
}

// The errno that the row shows once the publication was acted on.
int refusal(Workbench& bench, control::Target& target, const control::KindName& kind) {
    const auto generation = target.publish_kind(kind, bind_to({0}), false, kWaitMs);
    bench.call();
    if (!generation || !target.wait_kind(kind.kind, *generation, kWaitMs)) return -1;
    return target.kinds().at(0).applied_errno;
}

}  // namespace

TEST(HostileWriter, KindThatIsNoPolicyIsIgnored) {
    Workbench bench;
    control::Target target = bench.attach();
    bench.set_kind(target, kLarge, bind_to({0}));
    const uint64_t memory = bench.allocate(0, 4 * kMiB);
    write_word(bench, offsetof(mpol_ctl, kinds) + offsetof(mpol_ctl_kind, policy), 99);
    write_word(bench, offsetof(mpol_ctl, kinds),
               control::next_generation(control::next_generation(control::kHasPolicy)));
    set_process(target, std::nullopt);  // Rings.
    bench.call();
    EXPECT_TRUE(eventually([&] {
        const auto errors = target.errors();
        return find_error(errors, MPOL_CTL_ERROR_LATCH) != nullptr;
    }));
    EXPECT_FALSE(target.kinds().at(0).asked.readable);
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(0, 4 * kMiB)), "bind:0");
    bench.set_kind(target, kLarge, make_policy(Mode::kPreferred, {0}));
    EXPECT_EQ(policy_at(bench.pid(), memory), "prefer:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(HostileWriter, KindsBitAloneIsSurvived) {
    Workbench bench;
    control::Target target = bench.attach();
    write_word(bench, offsetof(mpol_ctl_header, kinds), ~uint32_t{0});
    set_process(target, bind_to({0}));
    bench.call();
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(0, 4 * kMiB)), "bind:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(Threshold, BelowTheLeastIsRefused) {
    Workbench bench;
    control::Target target = bench.attach();
    EXPECT_EQ(refusal(bench, target, {MPOL_CTL_KIND_LARGE, 4096}), ERANGE);
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(0, 4 * kMiB)), "default");
    EXPECT_EQ(refusal(bench, target, {MPOL_CTL_KIND_LARGE, 64 << 10}), 0);
    EXPECT_EQ(policy_at(bench.pid(), bench.allocate(0, 64 << 10)), "bind:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(Threshold, ThatThreadCachesServeIsRefused) {
    Options options;
    options.environment = {"MALLOC_CONF=tcache_max:1048576"};
    Workbench bench(options);
    control::Target target = bench.attach();
    EXPECT_EQ(refusal(bench, target, {MPOL_CTL_KIND_LARGE, kMiB}), ERANGE);
    EXPECT_EQ(refusal(bench, target, kLarge), 0);
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test
