// SPDX-License-Identifier: Apache-2.0
// POSIX lets a successful malloc change errno; programs don't expect it, and glibc's doesn't. The
// slow path (first call of a thread, a rewrite, a growing heap) makes system calls that fail.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <thread>

#include "subject.h"

namespace mpol::test {
namespace {

constexpr int kOdd = 4711;

bool survives_all_sizes() {
    errno = kOdd;
    for (size_t size = 1; size < size_t{128} << 20; size *= 3) {
        void* const memory = realloc(volatile_malloc(size), size * 2);
        if (memory == nullptr || errno != kOdd) return false;
        free(memory);
        if (errno != kOdd) return false;
    }
    return true;
}

}  // namespace

SUBJECT(keep_errno) {
    say("first %d", survives_all_sizes());
    await_command();
    say("rewritten %d", survives_all_sizes());
    bool thread_kept = false;
    std::thread([&] { thread_kept = survives_all_sizes(); }).join();
    say("thread %d", thread_kept);
    return 0;
}

TEST(Errno, SurvivesSuccess) {
    Subject subject("keep_errno");
    EXPECT_EQ(subject.hear("first"), "1");
    control::Target target = subject.attach();
    set_process(target, bind_to({63}));  // A node that isn't there: applying fails.
    subject.tell('g');
    EXPECT_EQ(subject.hear("rewritten"), "1");
    EXPECT_EQ(subject.hear("thread"), "1");
    EXPECT_NE(target.process().applied_errno, 0);
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test
