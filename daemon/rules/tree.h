// SPDX-License-Identifier: Apache-2.0
// First stage: TOML text to an untyped tree in which everything knows its place. Pure; the only
// part that knows the TOML library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/rules/source.h"

namespace mpol::rules {

// A thousand rules fit; what is larger is not a rule file.
inline constexpr size_t kFileBytesMax = 256 << 10;
// Of brackets and braces within each other, and of the parts of a dotted key: more than any rule
// needs. The library's own trees are built and freed by recursion, once for each level.
inline constexpr unsigned kNestingMax = 32;
inline constexpr unsigned kKeyPartsMax = 8;

struct Value;
struct Member;
using Array = std::vector<Value>;
using Table = std::vector<Member>;  // in the order of the text

// TOML's dates and times, which no key takes.
struct DateOrTime {};

struct Value {
    using Is = std::variant<bool, int64_t, double, Text, DateOrTime, Array, Table>;

    // Defined below, where Member is complete: clang wants it so.
    Value(Location at_in, Is is_in);
    Value(const Value& other);
    Value(Value&& other) noexcept;
    Value& operator=(const Value& other);
    Value& operator=(Value&& other) noexcept;
    ~Value();

    template <class T>
    [[nodiscard]] const T* as() const {
        return std::get_if<T>(&is);
    }

    Location at{};
    Is is;
};

struct Member {
    std::string key;
    Location key_at{};
    Value value;
};

inline Value::Value(Location at_in, Is is_in) : at(at_in), is(std::move(is_in)) {}
inline Value::Value(const Value& other) = default;
inline Value::Value(Value&& other) noexcept = default;
inline Value& Value::operator=(const Value& other) = default;
inline Value& Value::operator=(Value&& other) noexcept = default;
inline Value::~Value() = default;

// "a string", "an integer", ...
[[nodiscard]] std::string_view kind_name(const Value& value);

// Empty when the text is no TOML; the report then has one error.
[[nodiscard]] std::optional<Table> parse(const Source& source, Report& report);

// Part of parse(): false, and an error, when the text nests deeper than the bounds above.
[[nodiscard]] bool check_nesting(const Source& source, Report& report);

}  // namespace mpol::rules
