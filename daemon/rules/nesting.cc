// SPDX-License-Identifier: Apache-2.0
// Counts brackets and dots outside strings and comments, before the TOML library sees the text. It
// only has to agree with the library up to the first syntax error: nothing is built from what
// follows.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/rules/tree.h"

namespace mpol::rules {
namespace {

class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    // The first place that nests too deep.
    std::optional<Location> scan() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"' || c == '\'') {
                skip_string(c);
                continue;
            }
            if (c == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
                continue;
            }
            if (!count(c)) return Location{line_, static_cast<unsigned>(at_ - line_start_ + 1), 1};
            advance();
        }
        return std::nullopt;
    }

  private:
    bool count(char c) {
        if (c == '[' || c == '{') {
            ++depth_;
        } else if ((c == ']' || c == '}') && depth_ > 0) {
            --depth_;
        }
        if (c == '.') {
            ++dots_;
        } else if (c == '\n' || c == ',' || c == '=' || c == '{' || c == '[') {
            dots_ = 0;
        }
        return depth_ <= kNestingMax && dots_ < kKeyPartsMax;
    }

    void advance() {
        if (text_[at_] == '\n') {
            ++line_;
            line_start_ = at_ + 1;
        }
        ++at_;
    }

    void skip_string(char quote) {
        const bool many = text_.substr(at_, 3) == std::string(3, quote);
        for (unsigned i = many ? 3 : 1; i > 0; --i) ++at_;
        while (at_ < text_.size()) {
            if (quote == '"' && text_[at_] == '\\') {
                advance();
                if (at_ < text_.size()) advance();
                continue;
            }
            if (!many && (text_[at_] == quote || text_[at_] == '\n')) {
                advance();
                return;
            }
            if (many && text_.substr(at_, 3) == std::string(3, quote)) {
                at_ += 3;
                // Up to two more belong to the string.
                for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] == quote; ++i) ++at_;
                return;
            }
            advance();
        }
    }

    std::string_view text_;
    size_t at_ = 0;
    size_t line_start_ = 0;
    unsigned line_ = 1;
    unsigned depth_ = 0;
    unsigned dots_ = 0;
};

}  // namespace

bool check_nesting(const Source& source, Report& report) {
    const std::optional<Location> deep = Scanner(source.text).scan();
    if (!deep) return true;
    report.error(*deep, "this is nested too deep",
                 fmt::format("{} levels of brackets, keys of {} parts", kNestingMax, kKeyPartsMax));
    return false;
}

}  // namespace mpol::rules
