// SPDX-License-Identifier: Apache-2.0
// The preloaded library's own sources, its mmap, munmap and mremap among them, linked into this
// program so that a sanitizer sees them: threads with mmap: policies of their own, and threads
// without, map, move, cut and unmap, in each other's old places, while everybody's policies are
// rewritten. In the end each mapping has what its thread was given last, and nothing else is known.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cinttypes>
#include <memory>
#include <thread>
#include <vector>

#include "errand.h"
#include "linked.h"
#include "replay.h"

namespace mpol::test {
namespace {

constexpr unsigned kPlacers = 4;
constexpr unsigned kThreads = 6;  // the others follow the process
constexpr unsigned kKept = 12;    // mappings of each
constexpr unsigned kPagesMax = 8;
// Where all map: what is mapped directly above a library's data is taken for that library's.
constexpr size_t kAreaPages = 512;

uint64_t rounds_wanted() {
    const char* const text = std::getenv("MPOL_PLACING_ROUNDS");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 3'000;
}

char* area() {
    static char* const start = [] {
        void* const got = map_pages(kAreaPages);
        ::munmap(got, kAreaPages * kPage);
        return static_cast<char*>(got);
    }();
    return start;
}

struct Mapping {
    char* start = nullptr;
    size_t pages = 0;
};

// A thread and what it has mapped.
class Mapper {
  public:
    Mapper(unsigned seed, uint64_t rounds)
        : random_(seed), thread_([this, rounds] { run(rounds); }) {
        there_.wait();
    }
    ~Mapper() {
        begun_.set();
        dismissed_.set();
        thread_.join();
    }

    [[nodiscard]] pid_t tid() const { return tid_; }
    [[nodiscard]] bool is_done() const { return done_.wait_ns(0); }
    void begin() { begun_.set(); }

    // Pages whose policy is another.
    [[nodiscard]] size_t not_of(Mode mode) const {
        size_t others = 0;
        for (const Mapping& mapping : kept_) {
            for (size_t page = 0; page < mapping.pages; ++page) {
                others += mode_at(mapping.start + page * kPage) != mode;
            }
        }
        return others;
    }

  private:
    size_t pages() { return 1 + random_() % kPagesMax; }

    void map(Mapping& mapping, void* at) {
        if (at == nullptr) mapping.pages = pages();
        void* got = at != nullptr ? map_pages(mapping.pages, at) : MAP_FAILED;
        while (got == MAP_FAILED) {
            got = ::mmap(area() + random_() % kAreaPages * kPage, mapping.pages * kPage,
                         PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                         -1, 0);
        }
        mapping.start = static_cast<char*>(got);
        mapping.start[0] = 1;
    }
    void unmap(Mapping& mapping, size_t from, size_t to) {
        if (::munmap(mapping.start + from * kPage, (to - from) * kPage) != 0) std::abort();
        if (from == 0) mapping.start += to * kPage;
        mapping.pages -= to - from;
        if (mapping.pages == 0) mapping = {};
    }
    void resize(Mapping& mapping, size_t to) {
        // Where something is in its way it stays as it is.
        void* const got = ::mremap(mapping.start, mapping.pages * kPage, to * kPage, 0);
        if (got != MAP_FAILED) mapping.pages = to;
    }
    void change(Mapping& mapping) {
        if (mapping.start == nullptr) return map(mapping, nullptr);
        switch (random_() % 6) {
            case 0:
                return map(mapping, mapping.start);
            case 1:
                return resize(mapping, pages());
            case 2:
                return unmap(mapping, 0, (mapping.pages + 1) / 2);
            case 3:
                return unmap(mapping, mapping.pages / 2, mapping.pages);
            default:
                return unmap(mapping, 0, mapping.pages);
        }
    }

    void run(uint64_t rounds) {
        release(allocate(1));  // Takes a slot.
        tid_ = static_cast<pid_t>(::syscall(SYS_gettid));
        there_.set();
        begun_.wait();
        for (uint64_t i = 0; i < rounds; ++i) change(kept_[random_() % kKept]);
        for (Mapping& mapping : kept_) {
            if (mapping.start == nullptr) map(mapping, nullptr);
        }
        done_.set();
        dismissed_.wait();
        for (Mapping& mapping : kept_) unmap(mapping, 0, mapping.pages);
    }

    Mapping kept_[kKept];
    std::minstd_rand random_;
    pid_t tid_ = 0;
    Latch there_;
    Latch begun_;
    Latch done_;
    Latch dismissed_;
    std::thread thread_;  // last: it uses the others
};

using Mappers = std::vector<std::unique_ptr<Mapper>>;

uint64_t rewrite_until_done(Self& self, const Mappers& mappers, std::minstd_rand& random) {
    const auto done = [](const auto& mapper) { return mapper->is_done(); };
    uint64_t rewrites = 0;
    while (!std::all_of(mappers.begin(), mappers.end(), done)) {
        const unsigned whose = random() % (kPlacers + 1);
        const Policy& policy = kPolicies[random() % kPolicyCount];
        // Every other one is waited for, so that as many are carried out.
        if (whose == kPlacers) {
            rewrites % 2 == 0 ? self.rewrite(policy) : void(self.publish(policy));
        } else {
            self.publish(mappers[whose]->tid(), policy);
        }
        ++rewrites;
    }
    return rewrites;
}

void expect_all_have_their_own(const Mappers& mappers, unsigned first, const Policy& process) {
    for (unsigned i = 0; i < kThreads; ++i) {
        const Policy& own = kPolicies[(first + i) % kPolicyCount];
        EXPECT_EQ(mappers[i]->not_of(i < kPlacers ? own.mode : process.mode), 0U) << "thread " << i;
    }
}

}  // namespace

TEST(Mappings, KeepTheirOwnersUnderRewrites) {
    Self self;
    const auto seed = static_cast<unsigned>(announced_seed());
    std::minstd_rand random(seed + 1);
    Mappers mappers;
    for (unsigned i = 0; i < kThreads; ++i) {
        mappers.push_back(std::make_unique<Mapper>(seed + 2 + i, rounds_wanted()));
    }
    for (unsigned i = 0; i < kPlacers; ++i) self.publish(mappers[i]->tid(), kPolicies[0]);
    self.rewrite(kPolicies[1]);
    for (const auto& mapper : mappers) mapper->begin();
    const uint64_t rewrites = rewrite_until_done(self, mappers, random);

    // Once the threads' own after the process's, and once before.
    self.rewrite(kPolicies[0]);
    for (unsigned i = 0; i < kPlacers; ++i) {
        self.rewrite(mappers[i]->tid(), kPolicies[i % kPolicyCount]);
    }
    expect_all_have_their_own(mappers, 0, kPolicies[0]);
    for (unsigned i = 0; i < kPlacers; ++i) {
        self.rewrite(mappers[i]->tid(), kPolicies[(i + 1) % kPolicyCount]);
    }
    self.rewrite(kPolicies[2]);
    expect_all_have_their_own(mappers, 1, kPolicies[2]);

    mappers.clear();
    self.rewrite(std::nullopt);
    expect_an_empty_table();
    std::printf("%" PRIu64 " rounds of each of %u threads, %" PRIu64 " rewrites\n", rounds_wanted(),
                kThreads, rewrites);
}

}  // namespace mpol::test
