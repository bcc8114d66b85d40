// SPDX-License-Identifier: Apache-2.0
// [new.delete.single]: the new-handler is called until it gives up; then bad_alloc, or null.
#include <gtest/gtest.h>

#include <cstdint>
#include <new>

#include "subject.h"

namespace mpol::test {
namespace {

volatile size_t too_much = SIZE_MAX / 2;
int handler_calls = 0;

void give_up_at_third_call() {
    if (++handler_calls == 3) std::set_new_handler(nullptr);
}

struct NoMemoryHere {};
void throw_from_handler() {
    throw NoMemoryHere{};
}

template <class Try>
const char* outcome(Try attempt) {
    handler_calls = 0;
    std::set_new_handler(give_up_at_third_call);
    try {
        return attempt() == nullptr ? "null" : "memory";
    } catch (const std::bad_alloc&) {
        return "bad_alloc";
    }
}

template <class Try>
void report(const char* name, Try attempt) {
    const char* const result = outcome(attempt);
    say("%s %s %d", name, result, handler_calls);
}

}  // namespace

SUBJECT(fail_in_operator_new) {
    constexpr std::align_val_t kAlign{64};
    report("new", [] { return ::operator new(too_much); });
    report("new[]", [] { return ::operator new[](too_much); });
    report("aligned", [] { return ::operator new(too_much, kAlign); });
    report("aligned[]", [] { return ::operator new[](too_much, kAlign); });
    report("nothrow", [] { return ::operator new(too_much, std::nothrow); });
    report("nothrow[]", [] { return ::operator new[](too_much, std::nothrow); });
    report("aligned-nothrow", [] { return ::operator new(too_much, kAlign, std::nothrow); });
    report("aligned-nothrow[]", [] { return ::operator new[](too_much, kAlign, std::nothrow); });
    std::set_new_handler(throw_from_handler);
    try {
        ::operator delete(::operator new(too_much));
    } catch (const NoMemoryHere&) {
        say("handler-threw");
    }
    return 0;
}

TEST(OperatorNew, CallsHandlerThenThrowsOrReturnsNull) {
    Subject subject("fail_in_operator_new");
    for (const char* name : {"new", "new[]", "aligned", "aligned[]"}) {
        EXPECT_EQ(subject.hear(name), "bad_alloc 3") << name;
    }
    for (const char* name : {"nothrow", "nothrow[]", "aligned-nothrow", "aligned-nothrow[]"}) {
        EXPECT_EQ(subject.hear(name), "null 3") << name;
    }
    subject.hear("handler-threw");
    EXPECT_EQ(subject.finish(), 0);
}

}  // namespace mpol::test
