// SPDX-License-Identifier: Apache-2.0
// Globs and regular expressions over bytes, matched in time linear in the text whatever the
// pattern: both may come from one user and be matched against another's names. std::regex and
// fnmatch(3) recurse or back up; RE2 does neither and bounds its memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "daemon/rules/source.h"
#include "policy/parse.h"

namespace mpol::rules {

class Matcher;

struct Pattern {
    // A glob covers the whole text; in a path '*' and '?' stop at '/', "**" does not. A regular
    // expression (RE2's syntax) is found anywhere in it.
    enum class Kind : uint8_t { kGlob, kPathGlob, kRegex };

    Kind kind = Kind::kGlob;
    Text text;
    std::shared_ptr<const Matcher> matcher{};  // compile() sets it

    // Precondition: compiled.
    [[nodiscard]] bool matches(std::string_view name) const;
};

// A path of a program, with room.
inline constexpr size_t kPatternBytesMax = 4096;
// Of one compiled pattern; RE2 answers slower, not wrongly, when its cache does not fit.
inline constexpr int kPatternMemoryBytesMax = 256 << 10;

// Sets pattern.matcher, or says which bytes of its text are wrong.
[[nodiscard]] tl::expected<void, ParseError> compile_pattern(Pattern& pattern);

}  // namespace mpol::rules
