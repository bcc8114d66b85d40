// SPDX-License-Identifier: Apache-2.0
#include "policy/kind_text.h"

#include "policy/word.h"

namespace mpol {
namespace {

using SizeResult = tl::expected<uint64_t, ParseError>;

constexpr const char* kNames[MPOL_CTL_KINDS] = {"large", "stack", "mmap"};
constexpr char kSuffixes[] = {'K', 'M', 'G', 'T'};
constexpr const char* kAcceptedSizes = "a number and K, M, G or T, as in 2M";
// No x86-64 process has more; and no product of a number below it and a suffix overflows.
constexpr uint64_t kThresholdMax = uint64_t{128} << 40;

// 0: none; 1 for K.
unsigned suffix_power(char c) {
    for (unsigned i = 0; i < sizeof(kSuffixes); ++i) {
        if (c == kSuffixes[i] || c == kSuffixes[i] - 'A' + 'a') return i + 1;
    }
    return 0;
}

SizeResult parse_size(const Word& word) {
    if (word.text.empty()) return fail(word, "the threshold is missing", kAcceptedSizes);
    const unsigned power = suffix_power(word.text.back());
    const Word digits = word.slice(0, word.text.size() - (power != 0 ? 1 : 0));
    uint64_t number = 0;
    for (const char c : digits.text) {
        if (!is_digit(c)) return fail(word, word.quoted() + " is no size", kAcceptedSizes);
        number = number * 10 + static_cast<unsigned>(c - '0');
        if (number > kThresholdMax) return fail(word, "the threshold is too large", "at most 128T");
    }
    if (digits.text.empty()) return fail(word, word.quoted() + " is no size", kAcceptedSizes);
    if (number > kThresholdMax >> (10 * power)) {
        return fail(word, "the threshold is too large", "at most 128T");
    }
    const uint64_t bytes = number << (10 * power);
    if (bytes < MPOL_CTL_THRESHOLD_MIN) {
        return fail(word, "the threshold is too small", "64K or more");
    }
    return bytes;
}

}  // namespace

std::optional<mpol_ctl_kind_id> parse_kind_name(std::string_view text) {
    for (unsigned kind = 0; kind < MPOL_CTL_KINDS; ++kind) {
        if (equals_ignoring_case(text, kNames[kind])) return static_cast<mpol_ctl_kind_id>(kind);
    }
    return std::nullopt;
}

const char* kind_name(mpol_ctl_kind_id kind) {
    return kNames[kind];
}

tl::expected<std::optional<KindText>, ParseError> parse_kind_prefix(std::string_view text) {
    const size_t colon = text.find(':');
    const Word head = Word{text}.slice(0, colon).trimmed(" \t\r\n");
    const size_t sign = head.text.find_first_of("<>=");
    const Word name = head.slice(0, sign).trimmed();
    const auto kind = parse_kind_name(name.text);
    if (!kind) return std::nullopt;
    KindText found{*kind, 0, colon == std::string_view::npos ? text.size() : colon + 1};
    const Word condition =
        sign == std::string_view::npos ? head.slice(head.text.size()) : head.slice(sign).trimmed();
    const std::string own = kNames[*kind];
    if (*kind != MPOL_CTL_KIND_LARGE && !condition.text.empty()) {
        return fail(condition, own + " has no threshold", own + ":policy");
    }
    if (*kind == MPOL_CTL_KIND_LARGE) {
        if (condition.text.substr(0, 2) != ">=") {
            return fail(condition, "large needs a threshold", "large>=size:policy");
        }
        const SizeResult size = parse_size(condition.slice(2).trimmed());
        if (!size) return tl::unexpected<ParseError>(size.error());
        found.threshold = *size;
    }
    if (colon != std::string_view::npos) return found;
    return fail(Word{text}.slice(text.size()), "the policy is missing",
                kind_text(*kind, found.threshold) + ":policy");
}

std::string size_text(uint64_t bytes) {
    unsigned power = 0;
    while (power < sizeof(kSuffixes) && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++power;
    }
    std::string text = std::to_string(bytes);
    if (power != 0) text += kSuffixes[power - 1];
    return text;
}

std::string kind_text(mpol_ctl_kind_id kind, uint64_t threshold) {
    const std::string text = kNames[kind];
    return kind == MPOL_CTL_KIND_LARGE ? text + ">=" + size_text(threshold) : text;
}

}  // namespace mpol
