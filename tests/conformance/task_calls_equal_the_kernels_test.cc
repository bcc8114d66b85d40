// SPDX-License-Identifier: Apache-2.0
// Every row of the table, carried out four ways: through the kernel by a process on itself, which
// is the measure; through mpol on the caller; through mpol on another process, by thread id and by
// pidfd. Results, errno, out-parameters, and the kernel's word from within must be the same, but
// for the differences that rows.h lists, which must be exactly those.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "rows.h"
#include "sides.h"

namespace mpol::test {
namespace {

const Difference* find_difference(const Row& row, size_t op) {
    for (const Difference& one : differences()) {
        if (row.name == one.row && op == one.op) return &one;
    }
    return nullptr;
}

bool needs_ground(const Row& row) {
    return std::any_of(row.ops.begin(), row.ops.end(), [](const Op& op) { return op.start != 0; });
}

struct Played {
    std::vector<std::string> answers;
    std::string view;
};

Played play(Side& side, size_t row, bool new_ground) {
    side.reset(new_ground);
    Played played;
    for (size_t op = 0; op < rows()[row].ops.size(); ++op) {
        played.answers.push_back(side.perform(row, op));
    }
    played.view = side.view();
    return played;
}

enum class On { kSelf, kAnother };

void compare(const Row& row, const Played& kernel, const Played& mpol, On on) {
    SCOPED_TRACE("row: " + row.name);
    for (size_t op = 0; op < row.ops.size(); ++op) {
        const Difference* const difference = find_difference(row, op);
        if (difference == nullptr) {
            EXPECT_EQ(mpol.answers[op], kernel.answers[op]) << "call " << op;
        } else if (on == On::kAnother) {
            EXPECT_EQ(mpol.answers[op], difference->answer)
                << "call " << op << ": " << difference->reason;
        } else if (difference->repeatable) {
            EXPECT_EQ(mpol.answers[op], kernel.answers[op]) << "call " << op << ", on the caller";
        }
    }
    EXPECT_EQ(mpol.view, kernel.view);
}

}  // namespace

TEST(TaskCalls, EqualTheKernels) {
    const auto kernel = kernel_side();
    const auto self = self_side();
    const auto tid = tid_side();
    const auto pidfd = pidfd_side();
    bool used = true;
    for (size_t i = 0; i < rows().size(); ++i) {
        const Row& row = rows()[i];
        const Played expected = play(*kernel, i, used);
        compare(row, expected, play(*self, i, used), On::kSelf);
        compare(row, expected, play(*tid, i, used), On::kAnother);
        compare(row, expected, play(*pidfd, i, used), On::kAnother);
        used = needs_ground(row);
    }
    RecordProperty("rows", static_cast<int>(rows().size()));
    std::printf("%zu rows, 4 ways each, %zu documented differences\n", rows().size(),
                differences().size());
}

TEST(TaskCalls, TableHasNoRowTwice) {
    EXPECT_GE(rows().size(), 150U);
    for (const Row& row : rows()) {
        EXPECT_EQ(std::count_if(rows().begin(), rows().end(),
                                [&](const Row& other) { return other.name == row.name; }),
                  1)
            << row.name;
    }
    for (const Difference& one : differences()) {
        EXPECT_EQ(std::count_if(rows().begin(), rows().end(),
                                [&](const Row& row) { return row.name == one.row; }),
                  1)
            << one.row;
    }
}

}  // namespace mpol::test
