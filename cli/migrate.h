// SPDX-License-Identifier: Apache-2.0
// A migration from outside: asked for, followed, shown, and ended early when a signal says so.
#pragma once

#include <optional>

#include "cli/arguments.h"
#include "cli/error.h"
#include "cli/target.h"
#include "cli/values.h"
#include "control/attach.h"

namespace mpol::cli {

// Asks and follows to the end. Shows progress: a bar on standard error when that is a terminal, or
// with --json a line a few times a second on standard output. The last state is returned, not
// shown.
[[nodiscard]] Result<Migration> run_migration(control::Target& target, const TargetName& name,
                                              std::optional<control::ThreadSlot> slot,
                                              const Arguments& arguments);

// "100M" as bytes; empty text: 0, no limit.
[[nodiscard]] Result<uint64_t> parse_rate(const std::string& text);

}  // namespace mpol::cli
