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
[[nodiscard]] Json origin_json(const control::Origin& origin);
[[nodiscard]] Json errno_json(int err);

[[nodiscard]] Json render_json(const MapsView& view);
[[nodiscard]] Json render_json(const RulesCheck& check);
[[nodiscard]] Json render_json(const RulesList& list);
[[nodiscard]] Json render_json(const Explanation& explanation);
[[nodiscard]] Json render_json(const Plan& plan);
[[nodiscard]] Json render_json(const Checkup& checkup);
[[nodiscard]] Json render_json(const DaemonView& view);
[[nodiscard]] Json render_json(const UndoReport& report);
[[nodiscard]] Json render_json(const ApplyReport& report);
[[nodiscard]] Json render_json(const LogLine& line);
[[nodiscard]] Json render_json(const LogGap& gap);
[[nodiscard]] Json render_json(const LogEnd& end);
[[nodiscard]] Json render_json(const Reloaded& reloaded);
[[nodiscard]] Json render_json(const daemon::Account& account);
[[nodiscard]] Json render_json(const std::vector<rules::Diagnostic>& diagnostics);

}  // namespace mpol::cli
