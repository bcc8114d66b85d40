// SPDX-License-Identifier: Apache-2.0
// Constructors of other libraries run before ours, and their destructors later.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "workbench.h"

namespace mpol::test {
namespace {

void check(const Options& options) {
    Workbench bench(options);
    control::Target target = bench.attach();
    EXPECT_GE(target.threads().size(), 1U);
    const uint64_t kept = bench.run(0, "early_memory");
    ASSERT_NE(kept, 0U) << "its child did not end well";
    EXPECT_TRUE(in_regions(target, kept, 0));
    bench.set_all(target, bind_to({0}));
    EXPECT_EQ(policy_at(bench.pid(), kept), "bind:0");
    EXPECT_EQ(task_policy(bench.pid()), "bind:0");
    bench.run(0, "exit_at_end");
    EXPECT_EQ(bench.finish(), 0);
}

uint64_t early_memory(uint64_t, uint64_t, std::string&) {
    using Kept = void*();
    auto* const kept = reinterpret_cast<Kept*>(dlsym(RTLD_DEFAULT, "early_library_kept"));
    return kept != nullptr ? reinterpret_cast<uint64_t>(kept()) : 0;
}
const Verb early_memory_verb("early_memory", early_memory);

// exit instead of _exit: destructors run.
uint64_t exit_at_end(uint64_t, uint64_t, std::string&) {
    say("ok 0");
    while (await_command() != '\0') {
    }
    std::exit(0);
}
const Verb exit_verb("exit_at_end", exit_at_end);

}  // namespace

TEST(OtherLibraries, InFrontOfUsMayUseTheirConstructor) {
    check({.preload_before = MPOL_EARLY_LIBRARY});
}

TEST(OtherLibraries, BehindUsMayUseTheirConstructor) {
    check({.preload_after = MPOL_EARLY_LIBRARY});
}

}  // namespace mpol::test
