// SPDX-License-Identifier: Apache-2.0
// The fifth node of the four-node machine goes and comes back, a CPU goes and comes back, and
// system weights are written: each is told once, with the machine as it is then. Changes the
// machine: runs in that machine only.
#include <sys/stat.h>

#include <chrono>
#include <filesystem>

#include "policy/text.h"
#include "tests/machine/watched.h"

namespace mpol::daemon {
namespace {

namespace fs = std::filesystem;

bool in_test_machine() {
    return fs::exists("/run/vm");
}

class FifthNode : public Watched {
  protected:
    static constexpr unsigned kNode = 4;

    void SetUp() override {
        if (!in_test_machine() || !fs::exists(kFolder)) {
            GTEST_SKIP() << "needs the four-node machine with its removable fifth node";
        }
        Watched::SetUp();
    }
    void TearDown() override { set_state("online_movable"); }

    // Of all the node's memory blocks. The device's folder links to each of them.
    static void set_state(const std::string& state) {
        if (!fs::exists(kFolder)) return;
        for (const fs::directory_entry& entry : fs::directory_iterator(kFolder)) {
            const std::string name = entry.path().filename();
            if (name.starts_with("memory") && name.size() > 6 && std::isdigit(name[6]) != 0) {
                write(entry.path().string() + "/state", state);
            }
        }
    }

    static constexpr const char* kFolder = "/sys/devices/system/node/node4";
};

TEST_F(FifthNode, ItsGoingAndItsComingAreTold) {
    const rules::Topology before = watch_->topology();
    ASSERT_TRUE(before.has_memory.test(kNode)) << nodes_text(before.has_memory);
    set_state("offline");
    auto change = wait_for([](const MachineChange& it) { return !it.memory_gone.empty(); });
    ASSERT_TRUE(change) << "its going was not told";
    EXPECT_EQ(change->memory_gone, NodeMask::of(kNode));
    EXPECT_TRUE(change->memory_came.empty());
    EXPECT_EQ(watch_->topology().has_memory, before.has_memory - NodeMask::of(kNode));
    EXPECT_EQ(words_of(*change), "memory went from nodes 4");
    std::printf("told: %s\n", words_of(*change).c_str());

    set_state("online_movable");
    change = wait_for([](const MachineChange& it) { return !it.memory_came.empty(); });
    ASSERT_TRUE(change) << "its coming was not told";
    EXPECT_EQ(change->memory_came, NodeMask::of(kNode));
    EXPECT_EQ(watch_->topology().has_memory, before.has_memory);
    std::printf("told: %s\n", words_of(*change).c_str());
    // The last of its blocks may be told of by itself, and changes nothing that counts.
    while (sd_event_run(loop_.get(), 4 * kSettleMs * 1000) > 0) {
    }
    EXPECT_EQ(watch_->topology(), before);
}

class Cpus : public Watched {
  protected:
    void SetUp() override {
        if (!in_test_machine() || !fs::exists(kOnline)) {
            GTEST_SKIP() << "needs the four-node machine";
        }
        Watched::SetUp();
    }
    void TearDown() override {
        if (in_test_machine()) write(kOnline, "1");
    }
    static constexpr const char* kOnline = "/sys/devices/system/cpu/cpu2/online";
};

TEST_F(Cpus, TheirGoingAndComingAreTold) {
    const auto cpus = [](const MachineChange& it) { return it.cpus; };
    ASSERT_TRUE(write(kOnline, "0"));
    ASSERT_TRUE(wait_for(cpus));
    EXPECT_FALSE(watch_->topology().has_cpu.test(2)) << "node 2 has no other CPU";
    ASSERT_TRUE(write(kOnline, "1"));
    ASSERT_TRUE(wait_for(cpus));
    EXPECT_TRUE(watch_->topology().has_cpu.test(2));
}

class SystemWeights : public Watched {
  protected:
    void SetUp() override {
        if (!in_test_machine() || !fs::exists(kWeight)) {
            GTEST_SKIP() << "needs the four-node machine and Linux 6.9";
        }
        Watched::SetUp();
    }
    void TearDown() override {
        if (in_test_machine() && fs::exists(kWeight)) write(kWeight, "0");
    }
    static constexpr const char* kWeight = "/sys/kernel/mm/mempolicy/weighted_interleave/node1";
};

TEST_F(SystemWeights, ThatAreWrittenAreTold) {
    ASSERT_TRUE(write(kWeight, "7"));
    const auto change = wait_for([](const MachineChange& it) { return it.topology; });
    ASSERT_TRUE(change);
    EXPECT_EQ(watch_->topology().system_weights.weights.of[1], 7);
}

}  // namespace
}  // namespace mpol::daemon
