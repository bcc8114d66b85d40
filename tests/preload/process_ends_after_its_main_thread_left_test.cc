// SPDX-License-Identifier: Apache-2.0
// A process lives until its last thread ends; the helper thread must not count as one.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "subject.h"

namespace mpol::test {
namespace {

void* answer_until_told(void*) {
    say("worker %d", ::gettid());
    while (await_command() == 'c') {
        call_allocator();
        say("called");
    }
    return nullptr;
}

}  // namespace

SUBJECT(main_thread_leaves) {
    pthread_t worker;
    if (pthread_create(&worker, nullptr, answer_until_told, nullptr) != 0) return 1;
    pthread_detach(worker);
    pthread_exit(nullptr);
}

namespace {

bool main_thread_is_gone(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    const size_t end = text.rfind(')');
    return end != std::string::npos && text.compare(end, 3, ") Z") == 0;
}

}  // namespace

TEST(MainThread, LeavesAndTheProcessLivesOnThenEnds) {
    Subject subject("main_thread_leaves");
    const auto worker = static_cast<pid_t>(subject.hear_number("worker"));
    ASSERT_TRUE(eventually([&] { return main_thread_is_gone(subject.pid()); }));
    control::Target target = subject.attach();
    ASSERT_TRUE(eventually([&] { return target.threads().size() == 1; }));
    EXPECT_TRUE(eventually([&] { return task_named(subject.pid(), "mpol-helper") != 0; }));
    set_process(target, bind_to({0}));
    subject.ask('c', "called");
    EXPECT_EQ(task_policy(subject.pid(), worker), "bind:0");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test
