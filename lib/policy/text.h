// SPDX-License-Identifier: Apache-2.0
// std::string conveniences over format.h. Allocates: not for the preloaded library.
#pragma once

#include <string>

#include "policy/policy.h"

namespace mpol {

// "0-1,3"; the empty set is "".
[[nodiscard]] std::string nodes_text(const NodeMask& nodes);

// The kernel's text with the given (normally the effective) nodes.
[[nodiscard]] std::string kernel_text(const Policy& policy, const NodeMask& nodes);

// The kernel's text with the user's nodes, and ";home=N" or ";weights=5,3,2,1" if it has them:
// parse_lenient() gives back the same policy, but for where weights came from.
[[nodiscard]] std::string policy_text(const Policy& policy);

// "5,3,2,1", of the nodes in ascending order.
[[nodiscard]] std::string weights_text(const Policy& policy);

}  // namespace mpol
