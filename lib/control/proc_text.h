// SPDX-License-Identifier: Apache-2.0
// The texts of /proc files, without the files: what control/proc.h reads, for whoever has a text.
#pragma once

#include <optional>
#include <string_view>

#include "control/proc.h"

namespace mpol::control {

// Of the texts of /proc/PID/stat and /proc/PID/status. Empty: they are none.
[[nodiscard]] std::optional<TaskIds> parse_task_ids(std::string_view stat, std::string_view status);

// Mems_allowed_list of the text of status; empty when it has none.
[[nodiscard]] NodeMask parse_mems_allowed(std::string_view status);

}  // namespace mpol::control
