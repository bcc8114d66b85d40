// SPDX-License-Identifier: Apache-2.0
// Shared by the files of the second stage: one value of the tree as one typed value. Each reports
// what is wrong and then returns nothing.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/rules/tree.h"

namespace mpol::rules {

// "'comm' wants a string, and this is an integer"
void wrong_kind(const Value& value, std::string_view key, std::string_view wanted, Report& report);

[[nodiscard]] const Text* want_text(const Value& value, std::string_view key, Report& report);
[[nodiscard]] std::optional<bool> want_bool(const Value& value, std::string_view key,
                                            Report& report);
[[nodiscard]] const Table* want_table(const Value& value, std::string_view key, Report& report);
// A value alone, or the items of an array that is not empty.
[[nodiscard]] std::span<const Value> one_or_many(const Value& value, std::string_view key,
                                                 Report& report);

// Reports keys that are not known, with the one that was probably meant. what: "a rule".
void check_keys(const Table& table, std::span<const std::string_view> known, std::string_view what,
                Report& report);
[[nodiscard]] const Member* find(const Table& table, std::string_view key);

// The known word that is at most two slips away; empty: none.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> known);

// "a, b, c"
[[nodiscard]] std::string joined(std::span<const std::string_view> words);

}  // namespace mpol::rules
