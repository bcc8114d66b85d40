// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "cli/machine.h"
#include "cli/numa_maps.h"
#include "cli/target.h"
#include "cli/verbs.h"

namespace mpol::cli {
namespace {

Result<Answer> get_uncontrolled(const TargetName& name) {
    const Result<NumaMaps> maps = read_numa_maps(name.pid, name.tid);
    if (!maps) return tl::unexpected(maps.error());
    return Answer{Status::kOk,
                  UncontrolledView{name.pid, name.tid, comm_of(name.pid, name.tid), *maps}};
}

}  // namespace

Result<Answer> get(const Arguments& arguments) {
    const Result<TargetName> name = parse_target(arguments.target);
    if (!name) return tl::unexpected(name.error());
    const auto target = control::Target::attach(name->pid, control::Access::kRead);
    if (!target && target.error().err == ENODEV) return get_uncontrolled(*name);
    if (!target) return failed(target.error());
    if (name->tid) {
        // A thread without a slot exists all the same: it follows the process.
        const auto slot = target->slot_of(*name->tid);
        if (!slot && slot.error().err != ENODEV) return failed(slot.error());
    }
    const Machine machine = read_machine();
    return Answer{Status::kOk,
                  GetView{view_of(*target, machine.has_memory), arguments.all_threads, name->tid}};
}

}  // namespace mpol::cli
