// SPDX-License-Identifier: Apache-2.0
// The table: what is asked of the kernel by a process about itself, and of mpol by another process.
// A row is a few calls in order; result, errno and out-parameters of each are compared, and then
// what the kernel says from within (Ground's view). Rows that read back end in get_mempolicy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mpol::test {

enum class Call {
    kSet,  // set_mempolicy
    kGet,  // get_mempolicy
    kMbind,
    kHomeNode,  // set_mempolicy_home_node
    kTouch,     // the task writes to every page of the range
    kSpend,     // the task has the kernel allocate for it outside of any mapping
};

// What stands where a pointer is expected.
enum class Pointer {
    kGood,
    kNull,
    kBad,   // address 8
    kEdge,  // the last word before a page that isn't there
    kReadOnly,
};

using Nodes = std::vector<unsigned>;

inline constexpr unsigned long kWholeMask = 1025;

struct Mask {
    Nodes nodes{};
    unsigned long maxnode = kWholeMask;
    Pointer pointer = Pointer::kGood;
};

struct Op {
    Call call{};
    unsigned long mode = 0;  // mode word; of kHomeNode: the node
    Mask mask{};             // of kGet: where the mask goes
    uint64_t start = 0;      // of kGet: addr
    uint64_t size = 0;
    unsigned long flags = 0;
    Pointer ret_mode = Pointer::kGood;
    bool nice = true;  // with CAP_SYS_NICE, if the caller has it at all
};

struct Row {
    std::string name;
    std::vector<Op> ops;
};

[[nodiscard]] const std::vector<Row>& rows();

// Where mpol on another task answers otherwise, on purpose: it must give exactly this answer. (On
// the caller itself it is the kernel that answers.)
struct Difference {
    const char* row;
    size_t op;
    const char* answer;
    const char* reason;
    bool repeatable = true;  // false: nor does the kernel answer twice the same
};
[[nodiscard]] const std::vector<Difference>& differences();

}  // namespace mpol::test
