// SPDX-License-Identifier: Apache-2.0
// Text to policy, in two strengths. Both return a value or an error that says which characters are
// wrong; neither prints, throws (but for std::bad_alloc) or reads anything from the machine.
// Allocates: not for the preloaded library.
//
// Strict is the kernel's mpol_parse_str, bug for bug. Lenient is for people and configuration:
//
//   text    = policy | options                     blanks around the text and its parts are dropped
//   policy  = mode [ "=" flag { ("|" | ",") flag } ] [ ":" nodes ] [ ";" setting ]
//   mode    = one of the spellings in modes.h, in any case: the kernel's ("prefer (many)"),
//             numactl's ("membind"), systemd's ("preferred"), OCI's ("MPOL_PREFERRED_MANY")
//   flag    = static | relative | balancing | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES |
//             MPOL_F_NUMA_BALANCING               in any case
//   nodes   = [ "!" ] [ "+" ] item { sep item }    "!": all usable nodes but these;
//                                                  "+": numbers are ordinals among the usable nodes
//   item    = number | number "-" number [ ":" used "/" group ] | "all"
//   sep     = a run of commas and blanks, also allowed at both ends
//   setting = "home=" number | "weights=" ( number { "," number } | "auto" | "system" )
//   options = numactl's own words: exactly one of --interleave, --weighted-interleave, --preferred,
//             --preferred-many, --membind (=nodes or a following word), --localalloc, or its
//             letter (-i -w -p -P -m -l), and at most one --balancing (-b)
//
// Usable nodes are those with memory that are allowed; "all" is all of them. interleave and
// weighted interleave without nodes take all nodes with memory, as in the kernel; prefer without
// nodes is local. After =relative the numbers are ordinals in a set that is not known yet: any
// number below kMaxNodes is legal, and "all", "!" and "+" are not. prefer takes exactly one node.
// weights= goes with weighted interleave: one number from 1 to 255 for each node, in ascending
// order of the nodes; auto and system take them from the context's tables. Kernel text that is
// accepted here is what the kernel prints, not all that it reads: "N", "bind:0=static" and
// "default=static" are refused as ambiguous or misleading. Whether a target's allowed nodes leave
// any node over is contextualise()'s question.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "policy/contextualise.h"
#include "policy/placement.h"

namespace mpol {

struct ParseError {
    size_t offset = 0;     // of the first wrong byte
    size_t length = 0;     // 0: something is missing at offset
    std::string problem;   // what is wrong, for a sentence
    std::string accepted;  // what could stand there, for a sentence
    bool not_here = false;  // the text is right, and this machine lacks what it asks for
};

using ParseResult = tl::expected<Policy, ParseError>;
using NodesResult = tl::expected<NodeMask, ParseError>;

// Bound of a lenient text: above the longest text that policy_text() writes.
inline constexpr size_t kLenientTextBytesMax = 8192;

// Where ;weights=auto and ;weights=system take a node's weight from.
struct WeightTable {
    bool known = false;
    std::string lacking =
        "this machine has no such weights";  // where it isn't: why, for a sentence
    KernelWeights weights{};

    friend bool operator==(const WeightTable&, const WeightTable&) = default;
};

struct ParseContext {
    NodeMask has_memory{};
    NodeMask allowed = NodeMask::first_nodes(kMaxNodes);  // default: no restriction
    NodeMask online{};  // may be nodes without memory too; empty: not known, has_memory counts
    bool allow_absent_nodes = false;  // nodes that do not exist (yet) may be named
    KernelModes kernel{};
    WeightTable auto_weights{};
    WeightTable system_weights{};
};

// has_memory: the kernel's N_MEMORY. mode_count: 6 before Linux 6.9. max_nodes: the kernel's
// MAX_NUMNODES, the meaning of "N" and "all". A NUL ends the text.
[[nodiscard]] ParseResult parse_strict(std::string_view text, const NodeMask& has_memory,
                                       unsigned mode_count = kModeCount,
                                       unsigned max_nodes = kMaxNodes);

[[nodiscard]] ParseResult parse_lenient(std::string_view text, const ParseContext& context);

// The nodes part of the lenient grammar alone; the result is never empty.
[[nodiscard]] NodesResult parse_nodes(std::string_view text, const ParseContext& context);

// linux lib/bitmap-str.c bitmap_parselist(), bug for bug: what strict reads after ':' and what
// sysfs and cgroupfs print. max_nodes is at most kMaxNodes. A NUL ends the text; may be empty.
[[nodiscard]] NodesResult parse_kernel_list(std::string_view text, unsigned max_nodes);

// Three lines without a final newline: the text, carets under the wrong characters, the sentence.
// Bytes that are not printable ASCII are shown as '?', so that the columns agree; of a long text
// only the surroundings are shown. Meant for the text that the error came from; safe with any.
[[nodiscard]] std::string render_error(const ParseError& error, std::string_view text);

}  // namespace mpol
