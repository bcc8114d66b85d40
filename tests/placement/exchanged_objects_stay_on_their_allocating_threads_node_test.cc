// SPDX-License-Identifier: Apache-2.0
// Four threads bound to four nodes hand their objects around a ring and free each other's: what is
// alive at the end lies on the node of the thread that allocated it. The same program under plain
// libjemalloc, each thread bound by its own call and with an arena of its own, is run beside it.
//
// MPOL_RING_OBJECTS asks for fewer than the 10,000,000 that the aim is stated for.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "placement.h"

namespace mpol::test {
namespace {

constexpr const char* kObjects = "10000000";
constexpr double kOwnShareMin = 0.999;

struct Outcome {
    size_t pairs = 0;
    size_t own = 0;
    size_t objects = 0;
    uint64_t ns = 0;
    [[nodiscard]] double share() const {
        return static_cast<double>(own) / static_cast<double>(pairs);
    }
    void print(const char* under) const {
        std::printf("%s: %zu objects, %zu of %zu pages on the allocating thread's node: %.4f %%\n",
                    under, objects, own, pairs, share() * 100);
    }
};

std::string object_count() {
    const char* const asked = std::getenv("MPOL_RING_OBJECTS");
    return asked != nullptr ? asked : kObjects;
}

Outcome run(Subject& ring) {
    ring.tell('g');
    std::string line;
    do {
        line = ring.hear();
    } while (line == "round");
    Outcome outcome;
    unsigned long long ns = 0;
    EXPECT_EQ(std::sscanf(line.c_str(), "pairs %zu own %zu objects %zu ns %llu", &outcome.pairs,
                          &outcome.own, &outcome.objects, &ns),
              4)
        << line;
    outcome.ns = ns;
    return outcome;
}

Outcome run_under_us() {
    Options options;
    options.arguments = {object_count()};
    Subject ring("ring", options);
    pid_t tids[4];
    for (pid_t& tid : tids) tid = static_cast<pid_t>(ring.hear_number("thread"));
    ring.hear("ready");
    control::Target target = ring.attach();
    for (unsigned node = 0; node < 4; ++node) set_thread(target, tids[node], bind_to({node}));
    return run(ring);
}

Outcome run_under_jemalloc() {
    Options options;
    options.preload = false;
    options.arguments = {object_count(), "self"};
    options.environment = {"LD_PRELOAD=" MPOL_SYSTEM_JEMALLOC};
    Subject ring("ring", options);
    for (int i = 0; i < 4; ++i) ring.hear("thread");
    ring.hear("ready");
    return run(ring);
}

}  // namespace

using ExchangedObjects = FourNodes;

TEST_F(ExchangedObjects, StayOnTheirAllocatingThreadsNode) {
    const Outcome ours = run_under_us();
    const Outcome jemalloc = run_under_jemalloc();
    ours.print("libmpol-preload");
    jemalloc.print("libjemalloc, an arena for each thread");
    EXPECT_GT(ours.pairs, 1'000U);
    EXPECT_GE(ours.share(), kOwnShareMin);
    // Or the program has not shown anything.
    EXPECT_LT(jemalloc.share(), kOwnShareMin);
}

}  // namespace mpol::test
