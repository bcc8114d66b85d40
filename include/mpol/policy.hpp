// SPDX-License-Identifier: Apache-2.0
//
// libmpol for C++20: the policy value, and what its functions answer with. Over mpol.h, whose words
// on each call are its contract; here stands what differs.
//
// Needs no exceptions and no run-time type information: nothing throws but for the std::bad_alloc
// of a string. Unless a function says otherwise it is thread-safe, and not async-signal-safe.
#pragma once

#include <mpol/mpol.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

// The inline namespace makes the symbols these headers' own: mpol's programs have classes of the
// same names.
namespace mpol {
inline namespace v1 {

// A value, or the error in its place.
template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : value_(std::move(value)) {}
    Result(std::error_code error) noexcept : error_(error) {}

    [[nodiscard]] explicit operator bool() const noexcept { return value_.has_value(); }
    // No error where there is a value.
    [[nodiscard]] std::error_code error() const noexcept { return error_; }

    // Only where there is a value, as std::optional's.
    [[nodiscard]] T& operator*() & noexcept { return *value_; }
    [[nodiscard]] const T& operator*() const& noexcept { return *value_; }
    [[nodiscard]] T&& operator*() && noexcept { return *std::move(value_); }
    [[nodiscard]] T* operator->() noexcept { return &*value_; }
    [[nodiscard]] const T* operator->() const noexcept { return &*value_; }

  private:
    std::optional<T> value_;
    std::error_code error_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() noexcept = default;
    Result(std::error_code error) noexcept : error_(error) {}
    [[nodiscard]] explicit operator bool() const noexcept { return !error_; }
    [[nodiscard]] std::error_code error() const noexcept { return error_; }

  private:
    std::error_code error_;
};

namespace detail {

// Of what a C call returned.
[[nodiscard]] inline std::error_code error_of(int ret) noexcept {
    return {ret < 0 ? -ret : 0, std::generic_category()};
}

template <class T>
[[nodiscard]] Result<T> value_or_error(int ret, T&& value) {
    if (ret < 0) return error_of(ret);
    return std::forward<T>(value);
}

}  // namespace detail

// Node n is bit n.
using NodeMask = std::bitset<std::size_t{MPOL_NODE_WORDS} * 64>;

// The kernel's numbers, linux/mempolicy.h.
enum class Mode : std::int32_t {
    kDefault = 0,
    kPreferred = 1,
    kBind = 2,
    kInterleave = 3,
    kLocal = 4,
    kPreferredMany = 5,
    kWeightedInterleave = 6,
};

// What set_mempolicy(2), mbind(2) and set_mempolicy_home_node(2) take together, as the user gave
// it. Made of parts it is not checked: whatever takes it does. Reading one is thread-safe, as of an
// int; async-signal-safe, but for parse and format.
class Policy {
  public:
    // MPOL_DEFAULT
    Policy() noexcept { policy_.home_node = MPOL_NO_NODE; }
    // flags: MPOL_F_STATIC_NODES and the like, of linux/mempolicy.h or numaif.h.
    explicit Policy(Mode mode, const NodeMask& nodes = {}, std::uint32_t flags = 0) noexcept
        : Policy() {
        policy_.mode = static_cast<std::int32_t>(mode);
        policy_.flags = flags;
        for (std::size_t node = 0; node < nodes.size(); ++node) {
            policy_.nodes[node / 64] |= std::uint64_t{nodes[node]} << node % 64;
        }
    }
    explicit Policy(const mpol_policy& policy) noexcept : policy_(policy) {
        // Weights of no node mean nothing, and would tell equal policies apart.
        const std::size_t weights = has_own_weights() ? nodes().count() : 0;
        for (std::size_t i = weights; i < MPOL_WEIGHTED_NODES; ++i) policy_.weights[i] = 0;
    }

    // mpol_parse. ret_why (may be null) receives, when it fails, the line for the user, up to 1023
    // bytes of it: which characters are wrong, and what is accepted. EINVAL, ENOTSUP; ENOMEM with
    // an empty line.
    static Result<Policy> parse(const char* text, std::string* ret_why = nullptr) {
        char why[1024] = "";
        mpol_policy policy{};
        const int ret = mpol_parse(text, &policy, why, sizeof(why));
        if (ret < 0 && ret_why != nullptr) *ret_why = why;
        return detail::value_or_error(ret, Policy(policy));
    }
    // mpol_format: the kernel's text, which parse takes back. EINVAL: not a policy.
    [[nodiscard]] Result<std::string> format() const {
        const int length = mpol_format(&policy_, nullptr, 0);
        if (length < 0) return detail::error_of(length);
        std::string text(static_cast<std::size_t>(length), '\0');
        const int ret = mpol_format(&policy_, text.data(), text.size() + 1);
        return detail::value_or_error(ret, std::move(text));
    }

    [[nodiscard]] Mode mode() const noexcept { return static_cast<Mode>(policy_.mode); }
    [[nodiscard]] std::uint32_t flags() const noexcept { return policy_.flags; }
    [[nodiscard]] NodeMask nodes() const noexcept {
        NodeMask mask;
        for (std::size_t node = 0; node < mask.size(); ++node) {
            mask[node] = (policy_.nodes[node / 64] >> node % 64 & 1) != 0;
        }
        return mask;
    }
    [[nodiscard]] std::optional<unsigned> home_node() const noexcept {
        if (policy_.home_node == MPOL_NO_NODE) return std::nullopt;
        return static_cast<unsigned>(policy_.home_node);
    }
    // Of MPOL_BIND and MPOL_PREFERRED_MANY. Source: set_mempolicy_home_node(2).
    void set_home_node(std::optional<unsigned> node) noexcept {
        policy_.home_node = node ? static_cast<std::int32_t>(*node) : MPOL_NO_NODE;
    }
    // Weights that are not the kernel's table: enum mpol_weights.
    [[nodiscard]] bool has_own_weights() const noexcept {
        return policy_.weight_source != MPOL_WEIGHTS_NONE;
    }
    // For the C calls.
    [[nodiscard]] const mpol_policy& c_policy() const noexcept { return policy_; }

    // Of the same parts; two that the kernel takes as one, MPOL_LOCAL and MPOL_PREFERRED of no
    // node, are not equal.
    friend bool operator==(const Policy& left, const Policy& right) noexcept {
        static_assert(std::has_unique_object_representations_v<mpol_policy>);
        return std::memcmp(&left.policy_, &right.policy_, sizeof(mpol_policy)) == 0;
    }

  private:
    mpol_policy policy_{};
};

}  // namespace v1
}  // namespace mpol
