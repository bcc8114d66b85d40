// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <cerrno>

#include "cli/target.h"
#include "cli/verbs.h"

namespace mpol::cli {

Result<Answer> doctor(const Arguments& arguments) {
    const Machine machine = read_machine();
    Checkup checkup;
    examine_machine(machine, checkup.machine);
    if (!arguments.target.empty()) {
        const Result<TargetName> name = parse_target(arguments.target);
        if (!name) return tl::unexpected(name.error());
        const auto target = control::Target::attach(name->pid, control::Access::kRead);
        if (!target && target.error().err != ENODEV) return failed(target.error());
        checkup.pid = name->pid;
        checkup.comm = comm_of(name->pid);
        examine_surroundings(name->pid, machine, checkup.process);
        if (target) {
            examine_controlled(view_of(*target, machine.has_memory), machine, checkup.process);
        } else {
            examine_uncontrolled(name->pid, checkup.process);
        }
    }
    const Status status = checkup.has_problems() ? Status::kFailed : Status::kOk;
    return Answer{status, std::move(checkup)};
}

}  // namespace mpol::cli
