// SPDX-License-Identifier: Apache-2.0
// malloc(3): "set errno to ENOMEM"; posix_memalign(3) returns it and leaves errno alone.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "subject.h"

namespace mpol::test {
namespace {

volatile size_t too_much = SIZE_MAX / 2;
volatile size_t more_than_all = SIZE_MAX;
int marker = 0;

void report(const char* name, const void* pointer) {
    say("%s %s %d", name, pointer == nullptr ? "null" : "memory", errno);
    errno = 0;
}

}  // namespace

SUBJECT(fail_to_allocate) {
    errno = 0;
    report("malloc", malloc(too_much));
    report("calloc", calloc(too_much, 3));
    report("reallocarray", reallocarray(nullptr, too_much, 4));
    report("memalign", memalign(64, too_much));
    report("valloc", valloc(too_much));
    report("pvalloc", pvalloc(too_much));
    report("pvalloc", pvalloc(more_than_all));
    report("aligned_alloc", aligned_alloc(64, too_much & ~size_t{63}));
    void* const kept = malloc(10);
    errno = 0;
    report("realloc", realloc(kept, too_much));
    free(kept);
    void* untouched = &marker;
    errno = EBADF;
    const int returned = posix_memalign(&untouched, 64, too_much);
    say("posix_memalign %d %d %d", returned, errno, untouched == &marker);
    return 0;
}

TEST(Errno, IsEnomemAfterEveryFailure) {
    Subject subject("fail_to_allocate");
    for (const char* name : {"malloc", "calloc", "reallocarray", "memalign", "valloc", "pvalloc",
                             "pvalloc", "aligned_alloc", "realloc"}) {
        EXPECT_EQ(subject.hear(name), "null 12") << name;
    }
    EXPECT_EQ(subject.hear("posix_memalign"), "12 9 1");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test
