// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "cli/machine.h"
#include "cli/target.h"
#include "cli/verbs.h"
#include "control/proc.h"

namespace mpol::cli {

Result<Answer> list(const Arguments&) {
    const Machine machine = read_machine();
    Listing listing;
    for (const pid_t pid : control::all_processes()) {
        const auto target = control::Target::attach(pid, control::Access::kRead);
        if (target) {
            listing.processes.push_back(view_of(*target, machine.has_memory));
        } else if (target.error().err == EPROTO) {
            listing.unusable.push_back(target.error());
        }
    }
    return Answer{Status::kOk, std::move(listing)};
}

}  // namespace mpol::cli
