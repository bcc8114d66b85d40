// SPDX-License-Identifier: Apache-2.0
// One run of the subject program under injected faults, while this process rewrites its policies.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "injector.h"
#include "subject.h"

namespace mpol::test {

enum class Allocator { kOurs, kPlainJemalloc };

struct Outcome {
    int status = -1;    // exit code, or 128 + signal; -1: it hung and was killed
    std::string last;   // what it said at the end
    unsigned seen = 0;  // calls of the kind
    unsigned failed = 0;

    [[nodiscard]] uint64_t number(const std::string& word) const;
};

struct Plan {
    Allocator allocator = Allocator::kOurs;
    bool from_start = true;  // counts calls from the exec on; else from main() on
    // Before the program ends; it waits meanwhile.
    std::function<void(pid_t)> at_end{};
    std::function<void()> before_exec{};
    std::vector<std::string> arguments{};  // of the program
    int policies = 0;                      // rotates what is written
};

// fault.first 0: none fails, and they are counted.
[[nodiscard]] Outcome run_with(const Call& call, const Fault& fault, const Plan& plan = {});
// What `mpol doctor PID` prints.
[[nodiscard]] std::string doctor(pid_t pid);
// Without an injector.
[[nodiscard]] Outcome run_plainly(const Plan& plan);

}  // namespace mpol::test
