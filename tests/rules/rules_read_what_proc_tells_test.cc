// SPDX-License-Identifier: Apache-2.0
// Facts and topology of the running test itself, on the machine that it runs on.
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "daemon/rules/load.h"
#include "daemon/rules/topology.h"
#include "rules.h"

namespace mpol::rules::test {
namespace {

constexpr FieldSet kEverything = ~FieldSet{0};

TEST(ReadFacts, OfThisProcess) {
    ASSERT_EQ(::prctl(PR_SET_NAME, "a\x1b\nb c)"), 0);
    const auto facts = read_facts(::getpid(), kEverything);
    ASSERT_TRUE(facts.has_value());
    EXPECT_EQ(facts->comm, "a\x1b\nb c)");
    EXPECT_EQ(facts->exe, std::filesystem::read_symlink("/proc/self/exe").string());
    ASSERT_TRUE(facts->argv.has_value());
    EXPECT_NE(facts->argv->at(0).find("rules-test"), std::string::npos);
    ASSERT_TRUE(facts->user.has_value() && facts->groups.has_value());
    EXPECT_EQ(facts->user->id, ::geteuid());
    EXPECT_EQ(facts->groups->at(0).id, ::getegid());
    EXPECT_GT(facts->resident_bytes.value_or(0), 0U);
    EXPECT_LT(facts->age_s.value_or(UINT64_MAX), 3600U);
    ASSERT_TRUE(facts->env.has_value());
    EXPECT_TRUE(facts->env_whole);
}

TEST(ReadFacts, NamesOfThreads) {
    std::thread([] {
        ::prctl(PR_SET_NAME, "worker");
        const auto facts = read_facts(::getpid(), kEverything);
        ASSERT_TRUE(facts.has_value() && facts->threads.has_value());
        EXPECT_TRUE(std::any_of(
            facts->threads->begin(), facts->threads->end(),
            [](const auto& one) { return one.tid == ::gettid() && one.name == "worker"; }));
    }).join();
}

TEST(ReadFacts, OnlyWhatIsAskedFor) {
    const auto facts = read_facts(::getpid(), 1U << static_cast<unsigned>(Field::kExe));
    ASSERT_TRUE(facts.has_value());
    EXPECT_TRUE(facts->exe && facts->comm);
    EXPECT_FALSE(facts->argv || facts->user || facts->groups || facts->cgroup || facts->units ||
                 facts->threads || facts->env || facts->resident_bytes || facts->age_s);
}

TEST(ReadFacts, OfNobodyIsNothing) {
    EXPECT_FALSE(read_facts(4194304, kEverything).has_value());
    const Topology machine = read_topology();
    EXPECT_FALSE(read_target_nodes(4194304, machine).has_value());
}

TEST(ReadTopology, HangsTogether) {
    const Topology machine = read_topology();
    EXPECT_FALSE(machine.has_memory.empty());
    EXPECT_TRUE(machine.has_memory.subset_of(machine.online));
    const unsigned first = machine.online.first();
    EXPECT_EQ(machine.distance.at(first).at(first), 10U);
    const auto target = read_target_nodes(::getpid(), machine);
    ASSERT_TRUE(target.has_value());
    EXPECT_TRUE(target->allowed.subset_of(machine.has_memory));
    EXPECT_FALSE(target->near.empty());
    EXPECT_TRUE(target->near.subset_of(machine.has_cpu));
}

TEST(DefaultFolder, IsTheUsersOwn) {
    if (::geteuid() == 0) {
        EXPECT_EQ(default_folder(), "/etc/mpol/rules.d");
        return;
    }
    ::setenv("XDG_CONFIG_HOME", "/c", 1);
    EXPECT_EQ(default_folder(), "/c/mpol/rules.d");
    ::unsetenv("XDG_CONFIG_HOME");
    ::setenv("HOME", "/h", 1);
    EXPECT_EQ(default_folder(), "/h/.config/mpol/rules.d");
}

}  // namespace
}  // namespace mpol::rules::test
