// SPDX-License-Identifier: Apache-2.0
// A program that links libmpol finds the preloaded library's functions in front of libmpol's,
// symbol versions or not; a handle of libmpol's leads there too; without the preload both say so.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {

SUBJECT(calls_by_both_ways) {
    Dl_info where{};
    dladdr(reinterpret_cast<void*>(&mpol_take_all_locks), &where);
    say("linked %s", where.dli_fname);
    say("taken %d", mpol_take_all_locks());
    say("dropped %d", mpol_drop_all_locks());
    const mpol_notifier_ops ops{};
    say("registered %d", mpol_notifier_register(&ops, nullptr));
    void* const libmpol = dlopen(MPOL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    using Call = int();
    auto* const take = reinterpret_cast<Call*>(dlsym(libmpol, "mpol_take_all_locks"));
    auto* const drop = reinterpret_cast<Call*>(dlsym(libmpol, "mpol_drop_all_locks"));
    dladdr(reinterpret_cast<void*>(take), &where);
    say("handle %s", where.dli_fname);
    say("taken %d", take());
    say("nested %d", mpol_take_all_locks());
    say("dropped %d", drop());
    return 0;
}

TEST(Libmpol, LeadsToThePreloadedLibrary) {
    Subject subject("calls_by_both_ways");
    EXPECT_EQ(subject.hear("linked"), MPOL_PRELOAD_LIBRARY);
    EXPECT_EQ(subject.hear("taken"), "0");
    EXPECT_EQ(subject.hear("dropped"), "0");
    EXPECT_EQ(subject.hear("registered"), "0");
    EXPECT_NE(subject.hear("handle"), MPOL_PRELOAD_LIBRARY);
    EXPECT_EQ(subject.hear("taken"), "0");
    EXPECT_EQ(subject.hear("nested"), std::to_string(-EDEADLK));
    EXPECT_EQ(subject.hear("dropped"), "0");
    EXPECT_EQ(subject.finish(), 0);
}

TEST(Libmpol, SaysThatThereIsNothingToHoldOffWithoutIt) {
    Options options;
    options.preload = false;
    Subject subject("calls_by_both_ways", options);
    const std::string no_preload = std::to_string(-ENOSYS);
    EXPECT_NE(subject.hear("linked"), MPOL_PRELOAD_LIBRARY);
    EXPECT_EQ(subject.hear("taken"), no_preload);
    EXPECT_EQ(subject.hear("dropped"), no_preload);
    EXPECT_EQ(subject.hear("registered"), no_preload);
    (void)subject.hear("handle");
    EXPECT_EQ(subject.hear("taken"), no_preload);
    EXPECT_EQ(subject.hear("nested"), no_preload);
    EXPECT_EQ(subject.hear("dropped"), no_preload);
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test
