// SPDX-License-Identifier: Apache-2.0
// What the renderers to JSON share. Names are stable; new ones may be added.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/values.h"

namespace mpol::cli {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json nodes_json(const NodeMask& nodes);
[[nodiscard]] Json policy_json(const Policy& policy);
[[nodiscard]] Json optional_policy(const std::optional<Policy>& policy);
[[nodiscard]] Json errno_json(int err);

[[nodiscard]] Json render_json(const MapsView& view);

}  // namespace mpol::cli
