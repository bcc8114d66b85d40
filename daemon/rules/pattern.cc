// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <optional>
#include <utility>

#include "policy/word.h"

namespace mpol::rules {

class Matcher {
  public:
    explicit Matcher(std::string literal) : literal_(std::move(literal)) {}
    explicit Matcher(std::unique_ptr<const re2::RE2> regex, bool whole)
        : regex_(std::move(regex)), whole_(whole) {}

    [[nodiscard]] bool matches(std::string_view text) const {
        if (regex_ == nullptr) return text == literal_;
        const re2::StringPiece piece(text.data(), text.size());
        return whole_ ? re2::RE2::FullMatch(piece, *regex_)
                      : re2::RE2::PartialMatch(piece, *regex_);
    }

  private:
    std::string literal_;
    std::unique_ptr<const re2::RE2> regex_;
    bool whole_ = true;
};

namespace {

using Failure = tl::unexpected<ParseError>;

// A glob as a regular expression, or as itself when it has nothing special in it.
class GlobTranslator {
  public:
    GlobTranslator(std::string_view glob, bool path) : glob_(glob), path_(path) {}

    tl::expected<void, ParseError> translate() {
        while (at_ < glob_.size()) {
            const char c = glob_[at_];
            if (c == '[') {
                if (auto bad = bracket()) return Failure(*bad);
            } else if (c == '\\') {
                if (at_ + 1 == glob_.size()) {
                    return Failure({at_, 1, "a backslash stands at the end", "\\\\ for itself"});
                }
                literal(glob_[at_ + 1]);
                at_ += 2;
            } else if (c == '*') {
                star();
            } else if (c == '?') {
                special(path_ ? "[^/]" : ".");
                ++at_;
            } else {
                literal(c);
                ++at_;
            }
        }
        return {};
    }

    [[nodiscard]] bool is_literal() const { return literal_only_; }
    [[nodiscard]] const std::string& literal_text() const { return literal_; }
    [[nodiscard]] const std::string& regex() const { return regex_; }

  private:
    void literal(char c) {
        literal_ += c;
        regex_ += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    void special(std::string_view regex) {
        literal_only_ = false;
        regex_ += regex;
    }

    // Any run of stars is one.
    void star() {
        const size_t end = std::min(glob_.find_first_not_of('*', at_), glob_.size());
        special(path_ && end - at_ == 1 ? "[^/]*" : ".*");
        at_ = end;
    }

    std::optional<ParseError> bracket() {
        const size_t from = at_++;
        const bool inverted = at_ < glob_.size() && (glob_[at_] == '!' || glob_[at_] == '^');
        if (inverted) ++at_;
        std::string set;
        for (bool first = true;; first = false) {
            if (at_ >= glob_.size()) {
                return ParseError{from, 1, "'[' has no ']'", "[abc], [a-z], [!a-z], or \\["};
            }
            const auto low = static_cast<unsigned char>(glob_[at_]);
            if (low == ']' && !first) break;
            ++at_;
            unsigned char high = low;
            if (at_ + 1 < glob_.size() && glob_[at_] == '-' && glob_[at_ + 1] != ']') {
                high = static_cast<unsigned char>(glob_[at_ + 1]);
                at_ += 2;
            }
            if (low > high) {
                return ParseError{at_ - 3, 3, "this range runs backwards", "a-b with a <= b"};
            }
            set += fmt::format("\\x{:02x}-\\x{:02x}", low, high);
        }
        ++at_;
        special(fmt::format("[{}{}{}]", inverted ? "^" : "", set, inverted && path_ ? "/" : ""));
        return std::nullopt;
    }

    std::string_view glob_;
    bool path_;
    size_t at_ = 0;
    bool literal_only_ = true;
    std::string literal_;
    std::string regex_;
};

re2::RE2::Options options() {
    re2::RE2::Options options;
    options.set_encoding(re2::RE2::Options::EncodingLatin1);  // names are bytes
    options.set_log_errors(false);
    options.set_dot_nl(true);
    options.set_max_mem(kPatternMemoryBytesMax);
    return options;
}

tl::expected<void, ParseError> compile_regex(const std::string& regex, bool whole,
                                             std::shared_ptr<const Matcher>& ret_matcher) {
    auto compiled = std::make_unique<const re2::RE2>(regex, options());
    if (!compiled->ok()) {
        const std::string& piece = compiled->error_arg();
        const size_t found = piece.empty() ? std::string::npos : regex.find(piece);
        const bool known = found != std::string::npos;
        return Failure({known ? found : 0, known ? piece.size() : regex.size(),
                        "this is no regular expression: " + compiled->error(),
                        "RE2's syntax (no back-references, no look-around)"});
    }
    ret_matcher = std::make_shared<const Matcher>(std::move(compiled), whole);
    return {};
}

}  // namespace

bool Pattern::matches(std::string_view name) const {
    return matcher->matches(name);
}

tl::expected<void, ParseError> compile_pattern(Pattern& pattern) {
    const std::string& text = pattern.text.text;
    if (text.size() > kPatternBytesMax) {
        return Failure({kPatternBytesMax, text.size() - kPatternBytesMax, "the pattern is too long",
                        fmt::format("at most {} bytes", kPatternBytesMax)});
    }
    if (pattern.kind == Pattern::Kind::kRegex) return compile_regex(text, false, pattern.matcher);
    GlobTranslator glob(text, pattern.kind == Pattern::Kind::kPathGlob);
    if (auto done = glob.translate(); !done) return done;
    if (!glob.is_literal()) {
        auto done = compile_regex(glob.regex(), true, pattern.matcher);
        if (done) return {};
        return Failure({0, text.size(), "this pattern is too large to compile", "a shorter one"});
    }
    pattern.matcher = std::make_shared<const Matcher>(glob.literal_text());
    return {};
}

}  // namespace mpol::rules
