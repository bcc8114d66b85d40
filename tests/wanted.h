// SPDX-License-Identifier: Apache-2.0
// Which strikes of a test are wanted, as a variable says it, so that one that failed replays:
//
//     all               every one
//     WHAT:PLACE:HOW    this one alone, as its failure prints it
//     (not set)         a few
//
// Another text is told before any test, with what would be right, and ends the program with
// status 2.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace mpol::test {

struct WantedText {
    std::string what;
    std::string place;
    std::string how;
};

// "a, b, c".
template <class List, class Name>
std::string listed(const List& list, Name name) {
    std::string text;
    for (const auto& one : list) text += (text.empty() ? "" : ", ") + name(one);
    return text;
}

// Counted from 1; 0: it is none.
inline unsigned parse_place(const std::string& text) {
    unsigned place = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, place);
    return read.ec == std::errc() && read.ptr == end ? place : 0;
}

template <class One>
class Wanted {
  public:
    // parse returns what is wrong with a text, where it is none.
    using Parse = std::function<tl::expected<One, std::string>(const WantedText&)>;

    Wanted(const char* variable, const char* form, const Parse& parse) {
        const char* const text = std::getenv(variable);
        if (text == nullptr || *text == '\0') return;
        all_ = std::string(text) == "all";
        if (!all_) read(variable, form, text, parse);
    }

    [[nodiscard]] bool all() const { return all_; }
    [[nodiscard]] const std::optional<One>& one() const { return one_; }
    // Empty: the text is right.
    [[nodiscard]] const std::string& why_not() const { return why_not_; }

  private:
    void read(const char* variable, const char* form, const std::string& text, const Parse& parse) {
        const size_t first = text.find(':');
        const size_t second = first == std::string::npos ? first : text.find(':', first + 1);
        if (second == std::string::npos) {
            why_not_ = fmt::format("{}: \"{}\" is neither \"all\" nor {}", variable, text, form);
            return;
        }
        const auto parsed =
            parse({text.substr(0, first), text.substr(first + 1, second - first - 1),
                   text.substr(second + 1)});
        if (parsed) {
            one_ = *parsed;
        } else {
            why_not_ = fmt::format("{}: {}", variable, parsed.error());
        }
    }

    bool all_ = false;
    std::optional<One> one_;
    std::string why_not_;
};

class WantedCheck : public testing::Environment {
  public:
    explicit WantedCheck(std::function<std::string()> why_not) : why_not_(std::move(why_not)) {}
    void SetUp() override {
        const std::string why = why_not_();
        if (why.empty()) return;
        std::cerr << why << '\n';
        std::exit(2);
    }

  private:
    std::function<std::string()> why_not_;
};

}  // namespace mpol::test
