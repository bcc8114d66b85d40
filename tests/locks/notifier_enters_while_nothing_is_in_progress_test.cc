// SPDX-License-Identifier: Apache-2.0
// Notifiers come and go while threads grow and purge: none ever hears the end of an operation whose
// beginning it did not hear, and none is called after it has gone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "errand.h"
#include "mpol/notifier.h"
#include "subject.h"

namespace mpol::test {
namespace {

constexpr int kRounds = 2000;
constexpr int kThreads = 4;

struct Client {
    std::atomic<bool> registered{false};
    std::atomic<int> in_progress{0};
    std::atomic<unsigned> starts{0};
};
std::atomic<unsigned> wrong{0};
std::atomic<bool> stop{false};

void on_start(void* context, mpol_event, void*, size_t) {
    auto& client = *static_cast<Client*>(context);
    if (!client.registered) ++wrong;
    ++client.in_progress;
    ++client.starts;
}
void on_end(void* context, mpol_event, void*, size_t) {
    auto& client = *static_cast<Client*>(context);
    if (!client.registered || client.in_progress.fetch_sub(1) <= 0) ++wrong;
}

void grow_and_purge() {
    while (!stop) {
        std::free(volatile_malloc(size_t{256} << 10));
        (void)preloaded_mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
    }
}

}  // namespace

SUBJECT(clients_come_and_go) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(grow_and_purge);
    const mpol_notifier_ops ops{on_start, on_end};
    Client client;
    unsigned in_progress_on_the_edge = 0;
    for (int i = 0; i < kRounds || client.starts == 0; ++i) {
        // By a holder, who can look while nothing happens, and without.
        const bool holds = i % 2 == 0 && mpol_take_all_locks() == 0;
        client.registered = true;
        if (mpol_notifier_register(&ops, &client) != 0) return 1;
        if (holds) {
            if (client.in_progress != 0) ++in_progress_on_the_edge;
            (void)mpol_drop_all_locks();
        }
        std::this_thread::yield();
        if (mpol_notifier_unregister(&ops, &client) != 0) return 1;
        client.registered = false;
        if (client.in_progress != 0) ++in_progress_on_the_edge;
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    say("wrong %u", wrong.load() + in_progress_on_the_edge);
    return 0;
}

TEST(Notifier, EntersAndLeavesWhileNothingIsInProgress) {
    Subject subject("clients_come_and_go");
    EXPECT_EQ(subject.hear("wrong"), "0");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test
