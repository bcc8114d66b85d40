// SPDX-License-Identifier: Apache-2.0
// What the kernel says of the test's own memory; and kernels that refuse, for children of a test.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <mpol/policy.hpp>
#include <optional>
#include <system_error>

namespace mpol::test {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
inline constexpr bool kThreadSanitizer = false;
#endif

// Two that the kernel takes wherever there is a node 0.
inline const Policy kBind0(Mode::kBind, NodeMask(1));
inline const Policy kPrefer0(Mode::kPreferred, NodeMask(1));

[[nodiscard]] inline std::error_code code(int err) {
    return {err, std::generic_category()};
}

// The policy of the mapping that holds address, get_mempolicy(2), without its home node, which that
// does not tell.
[[nodiscard]] Policy policy_at(const void* address);
[[nodiscard]] bool is_mapped(const void* address);
// Of the whole process.
[[nodiscard]] size_t mapped_bytes();

// Writes to every page, reads it back, and says whether that is what it has written.
[[nodiscard]] bool is_usable(void* memory, size_t size);

// Skips where this process may not call mbind(2).
class OwnMemory : public ::testing::Test {
  protected:
    void SetUp() override;
};

// From now on a system call fails with that errno: each, or those with that argument. For good: in
// a child only, which ends when the filter can't be had.
struct Argument {
    unsigned number;
    std::uint32_t low_half;  // the other half of an int is anybody's
};
void refuse(int system_call, int err, std::optional<Argument> only = std::nullopt);

// In a child (EXPECT_EXIT): says on standard error what was not so, and ends with 1.
void require(bool condition, const char* what);
#define REQUIRE(condition) ::mpol::test::require(static_cast<bool>(condition), #condition)

}  // namespace mpol::test
