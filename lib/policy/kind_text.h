// SPDX-License-Identifier: Apache-2.0
// A policy for a kind of memory, as people write it:
//
//   text      = kind ":" policy                     blanks around the parts are dropped
//   kind      = "large>=" size | "stack" | "mmap"   in any case
//   size      = number [ "K" | "M" | "G" | "T" ]    bytes, or powers of 1024 of them
//
// "large>=2M:bind:3" is bind:3 for allocations of 2 MiB and more. Allocates: not for the preloaded
// library.
#pragma once

#include <optional>

#include "mpol/control.h"
#include "policy/parse.h"

namespace mpol {

struct KindText {
    mpol_ctl_kind_id kind = MPOL_CTL_KIND_LARGE;
    uint64_t threshold = 0;    // bytes; of large
    size_t policy_offset = 0;  // where the policy begins in the text
};

// nullopt: the text does not begin with a kind; it may be a policy.
[[nodiscard]] tl::expected<std::optional<KindText>, ParseError> parse_kind_prefix(
    std::string_view text);

// "large", "stack" or "mmap" alone; nullopt: none of them.
[[nodiscard]] std::optional<mpol_ctl_kind_id> parse_kind_name(std::string_view text);
[[nodiscard]] const char* kind_name(mpol_ctl_kind_id kind);

// "2M", "96K", "100000": parse_kind_prefix() reads the same number.
[[nodiscard]] std::string size_text(uint64_t bytes);
// "large>=2M", "stack"
[[nodiscard]] std::string kind_text(mpol_ctl_kind_id kind, uint64_t threshold);

}  // namespace mpol
