// SPDX-License-Identifier: Apache-2.0
// Brings a process to what the rules want of it. What is so already is not written again; what
// somebody else has set since the daemon did is left alone; what the rules want no longer is given
// back. Never waits: neither for the process nor for another writer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/wanted.h"

namespace mpol::daemon {

// More scopes than that in one go would keep other processes waiting.
inline constexpr size_t kScopesAtOnce = 256;

enum class Deed : uint8_t { kSet, kGivenBack };

struct Change {
    Deed deed{};
    control::ScopeName scope{};
    pid_t tid = 0;     // 0: the process
    std::string from;  // policies as text; empty: none
    std::string to;
    uint64_t generation = 0;
};

struct Enforced {
    std::vector<Change> changes;
    bool again = false;       // more is to do, or another writer was at it
    unsigned left_alone = 0;  // scopes that somebody else has set since
    unsigned of_system = 0;   // scopes that the system's daemon has set, and this one is a user's
    std::string problem;      // what the kernel refused; or empty
};

// inherited: what the process would have begun with, where a daemon's policy was handed on to it.
[[nodiscard]] Enforced enforce(control::Target& target, const Wanted& wanted,
                               const std::optional<Policy>& inherited = std::nullopt);

// What the target answers when the kernel refused what it was to apply.
[[nodiscard]] std::string refusal_words(int err);

// Why the process is not as the rules want it; empty: it is. One sentence.
[[nodiscard]] std::string shortfall(const Wanted& wanted, const Enforced& done);

// For whoever asked for it: a row for each change, and one for the shortfall.
[[nodiscard]] std::vector<Applied> rows_of(pid_t pid, const Wanted& wanted, const Enforced& done);

}  // namespace mpol::daemon
