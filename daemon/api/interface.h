// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace mpol::daemon {

inline constexpr std::string_view kInterface = "io.mpol.Daemon";
inline constexpr std::string_view kServiceInterface = "org.varlink.service";

// What GetInterfaceDescription answers. Empty: no such interface.
[[nodiscard]] std::string_view interface_description(std::string_view interface);

}  // namespace mpol::daemon
