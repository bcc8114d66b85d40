// SPDX-License-Identifier: Apache-2.0
// What `mpol doctor` finds. Values only.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace mpol::cli {

enum class Health {
    kGood,
    kNote,     // works, and means something for what to expect
    kProblem,  // something asked for is not done, or can't be
};

struct Finding {
    Health health = Health::kGood;
    std::string area;    // "modes", "cpuset", …: a stable word
    std::string what;    // one sentence, printable
    std::string remedy;  // empty: there is nothing to do
};

struct Checkup {
    std::vector<Finding> machine;
    std::optional<pid_t> pid;
    std::string comm;  // not printable yet
    std::vector<Finding> process;

    [[nodiscard]] bool has_problems() const {
        const auto is_problem = [](const Finding& one) { return one.health == Health::kProblem; };
        return std::any_of(machine.begin(), machine.end(), is_problem) ||
               std::any_of(process.begin(), process.end(), is_problem);
    }
};

}  // namespace mpol::cli
