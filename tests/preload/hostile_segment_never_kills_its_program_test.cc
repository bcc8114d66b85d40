// SPDX-License-Identifier: Apache-2.0
// Whoever may open the segment may write it. Nonsense is ignored and recorded; the program lives.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <stdexcept>

#include "control/words.h"
#include "replay.h"
#include "sys/sys.h"
#include "workbench.h"

namespace mpol::test {
namespace {

class Mapping {
  public:
    explicit Mapping(pid_t pid) {
        const int number = segment_descriptors(pid).at(0);
        const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(number);
        const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        void* const at =
            ::mmap(nullptr, sizeof(mpol_ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ::close(fd);
        if (at == MAP_FAILED) throw std::runtime_error("can't map the segment");
        segment_ = static_cast<mpol_ctl*>(at);
    }
    ~Mapping() { ::munmap(segment_, sizeof(mpol_ctl)); }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    mpol_ctl* operator->() { return segment_; }
    char* bytes() { return reinterpret_cast<char*>(segment_); }

  private:
    mpol_ctl* segment_;
};

void publish_garbage(mpol_ctl_header& header, uint64_t mode_word) {
    control::store(header.process_policy[0], mode_word);
    control::store(
        header.process_word,
        control::next_generation(control::load(header.process_word)) | control::kHasPolicy);
    control::add(header.epoch, uint32_t{1});
    sys::futex_wake(&header.epoch, INT32_MAX);
}

// How often the process met a policy that is none.
uint64_t refusals(const control::Target& target) {
    const auto errors = target.errors();
    const control::ErrorState* const error = find_error(errors, MPOL_CTL_ERROR_LATCH);
    return error != nullptr ? error->count : 0;
}

// Every kind of call that looks at the segment.
void exercise(Workbench& bench) {
    const unsigned worker = bench.start_thread(0);
    for (const unsigned thread : {0U, worker}) {
        bench.allocate_many(thread, 2000, 100);
        bench.release(thread, bench.allocate(thread, 1 << 20));
        bench.release_many(thread);
    }
    bench.end_thread(worker);
}

}  // namespace

TEST(HostileWriter, GarbagePolicyIsIgnoredAndRecorded) {
    Workbench bench;
    const uint64_t memory = bench.allocate(0, 1 << 20);
    control::Target target = bench.attach();
    set_process(target, bind_to({0}));
    bench.call();
    Mapping segment(bench.pid());
    // A mode, a mode flag, an origin and a home node that don't exist.
    for (const uint64_t nonsense :
         {uint64_t{99}, uint64_t{2} | uint64_t{1} << 16, uint64_t{2} | uint64_t{77} << 8,
          uint64_t{2} | uint64_t{5000} << 32}) {
        const uint64_t before = refusals(target);
        publish_garbage(segment->header, nonsense);
        bench.call();
        EXPECT_TRUE(eventually([&] { return refusals(target) > before; })) << std::hex << nonsense;
        EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0") << std::hex << nonsense;
        EXPECT_EQ(task_policy(bench.pid()), "bind:0");
        EXPECT_FALSE(target.process().asked.readable);
    }
    const uint64_t generation = set_process(target, make_policy(Mode::kInterleave, {0}));
    bench.call();
    ASSERT_TRUE(target.wait_process(generation, kWaitMs));
    EXPECT_EQ(policy_at(bench.pid(), memory), "interleave:0");
    EXPECT_EQ(bench.finish(), 0);
}

TEST(HostileWriter, RandomBytesEverywhereAreSurvived) {
    std::mt19937_64 random(announced_seed());
    Workbench bench;
    bench.start_thread(0);
    control::Target target = bench.attach();
    set_thread(target, bench.tid(1), bind_to({0}));
    bench.call(1);
    Mapping segment(bench.pid());
    constexpr size_t kBytes = sizeof(mpol_ctl);
    for (int round = 0; round < 60; ++round) {
        if (round == 20) {
            std::memset(segment.bytes(), 0xff, kBytes);
        } else {
            for (size_t at = 0; at < kBytes; at += sizeof(uint64_t)) {
                const uint64_t word = random();
                std::memcpy(segment.bytes() + at, &word, sizeof(word));
            }
        }
        exercise(bench);
        bench.call(1);
    }
    EXPECT_EQ(bench.finish(), 0);
}

TEST(HostileWriter, ZeroedSegmentIsSurvived) {
    Workbench bench;
    bench.start_thread(0);
    Mapping segment(bench.pid());
    std::memset(segment.bytes(), 0, sizeof(mpol_ctl));
    control::add(segment->header.epoch, uint32_t{12345});
    exercise(bench);
    bench.call(1);
    bench.fork();
    exercise(bench);
    bench.leave();
    EXPECT_EQ(bench.finish(), 0);
}

}  // namespace mpol::test
