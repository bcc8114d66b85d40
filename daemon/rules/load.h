// SPDX-License-Identifier: Apache-2.0
// Rule files from the file system.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/rules/source.h"

namespace mpol::rules {

inline constexpr const char* kSystemFolder = "/etc/mpol/rules.d";
// A folder with more is not a folder of rules.
inline constexpr size_t kFilesMax = 256;

// mpol/rules.d in $XDG_CONFIG_HOME, else in ~/.config. Empty when there is no home.
[[nodiscard]] std::string user_folder();
// kSystemFolder for root, user_folder() for others.
[[nodiscard]] std::string default_folder();

struct LoadFailure {
    int err = 0;  // errno
    std::string path;
    std::string what;  // "is no regular file"
};

// A file, or the *.toml files of a folder in the order of their names' bytes; hidden ones are left
// out. With owner, what does not belong to that user or to root, or may be written by others, is
// refused (EACCES): the folder, and each file as it was opened.
[[nodiscard]] tl::expected<std::vector<Source>, LoadFailure> read_sources(
    const std::string& path, std::optional<uid_t> owner = std::nullopt);

}  // namespace mpol::rules
