// SPDX-License-Identifier: Apache-2.0
// What stands in front of a policy: "large>=2M:", "stack:", "mmap:".
#pragma once

#include <optional>
#include <string>

#include "cli/error.h"
#include "cli/machine.h"
#include "control/attach.h"
#include "policy/kind_text.h"

namespace mpol::cli {

struct KindOfText {
    std::optional<control::KindName> kind;
    size_t policy_offset = 0;  // where the policy begins
};
[[nodiscard]] Result<KindOfText> read_kind(const std::string& text);

// KIND of mpol unset: a name alone. Empty text: none.
[[nodiscard]] Result<std::optional<control::KindName>> read_kind_name(const std::string& text);

// read_policy() of what follows the offset; an error shows the whole text.
[[nodiscard]] Result<Policy> read_policy_after(const std::string& text, size_t offset,
                                               const Machine& machine, const NodeMask& allowed,
                                               bool allow_absent);

}  // namespace mpol::cli
