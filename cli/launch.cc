// SPDX-License-Identifier: Apache-2.0
// mpol run: makes itself the program that it was asked to start. The kernel keeps the task policy
// over exec; the preloaded library learns from MPOL_LAUNCHED who set it.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cli/machine.h"
#include "cli/program.h"
#include "cli/verbs.h"
#include "cli/words.h"
#include "control/proc.h"
#include "policy/weights.h"
#include "sys/sys.h"

namespace mpol::cli {
namespace {

constexpr const char* kLibrary = "libmpol-preload.so";

std::string real_path(const std::string& path) {
    char buf[PATH_MAX];
    return ::realpath(path.c_str(), buf) != nullptr ? buf : std::string{};
}

// Where the library may be, seen from the program: installed, relocated, or in the build tree.
std::vector<std::string> candidates() {
    const std::string self = real_path("/proc/self/exe");
    const std::string here = self.substr(0, self.rfind('/'));
    return {here + "/../" MPOL_LIBDIR "/", here + "/../lib/", here + "/../lib64/",
            here + "/../lib/preload/", MPOL_LIBDIR_ABSOLUTE "/"};
}

}  // namespace

Result<std::string> find_library() {
    std::string found;
    if (const char* named = std::getenv("MPOL_PRELOAD")) {
        found = real_path(named);
        if (found.empty()) {
            return failed(ENOENT, fmt::format("MPOL_PRELOAD names {}, which can't be found",
                                              in_quotes(named)));
        }
    } else {
        for (const std::string& folder : candidates()) {
            found = real_path(folder + kLibrary);
            if (!found.empty()) break;
        }
        if (found.empty()) {
            return failed(ENOENT, fmt::format("can't find {}", kLibrary),
                          "set MPOL_PRELOAD to its path");
        }
    }
    if (found.find_first_of(" :") == std::string::npos) return found;
    return failed(EINVAL, fmt::format("LD_PRELOAD can't name {}: it has a blank or a colon in it",
                                      in_quotes(found)));
}

namespace {

void preload(const std::string& library) {
    const char* const before = std::getenv("LD_PRELOAD");
    const std::string rest = before != nullptr ? before : "";
    if (rest == library || rest.starts_with(library + ":")) return;
    ::setenv("LD_PRELOAD", (rest.empty() ? library : library + ":" + rest).c_str(), 1);
}

Result<void> take_policy(const Arguments& arguments) {
    const Machine machine = read_machine();
    const NodeMask own = control::mems_allowed(::getpid()).value_or(machine.has_memory);
    const NodeMask allowed = own & machine.has_memory;
    const auto policy = read_policy(arguments.policy, machine, allowed, arguments.allow_absent);
    if (!policy) return tl::unexpected(policy.error());
    if (policy->home_node != kNoNode) {
        return misused("a program can't be started with a home node",
                       "set it once it runs: mpol set PID " + in_quotes(arguments.policy));
    }
    if (has_own_weights(*policy)) {
        return misused("a program can't be started with weights of its own",
                       "set them once it runs: mpol set PID " + in_quotes(arguments.policy));
    }
    const auto effective = effective_nodes(*policy, allowed, "this process");
    if (!effective) return tl::unexpected(effective.error());
    int err = sys::set_mempolicy(policy->mode_word(), policy->nodes);
    if (err == -EINVAL && policy->mode == Mode::kWeightedInterleave) {
        // A kernel before 6.9, whose weights would all be 1.
        err =
            sys::set_mempolicy(static_cast<int>(Mode::kInterleave) | policy->flags, policy->nodes);
    }
    if (err != 0) {
        return failed(-err, fmt::format("can't set the policy: {}", errno_text(-err)));
    }
    // The policy belongs to the process that has this pid, not to what inherits the environment.
    ::setenv("MPOL_LAUNCHED", std::to_string(::getpid()).c_str(), 1);
    return {};
}

void tell_coverage(const std::string& name) {
    const std::string note = coverage_note(find_program(name));
    if (!note.empty()) fmt::print(stderr, "mpol: note: {} {}\n", in_quotes(name), note);
}

}  // namespace

Result<Answer> launch(const Arguments& arguments) {
    const Result<std::string> library = find_library();
    if (!library) return tl::unexpected(library.error());
    if (!arguments.policy.empty()) {
        const Result<void> taken = take_policy(arguments);
        if (!taken) return tl::unexpected(taken.error());
    }
    preload(*library);
    tell_coverage(arguments.command.front());
    std::vector<char*> words;
    for (const std::string& word : arguments.command)
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    const int err = errno;
    const Status status = err == ENOENT ? Status::kCommandNotFound : Status::kCannotExecute;
    return tl::unexpected(Error{
        status, err, fmt::format("can't run {}: {}", in_quotes(words[0]), std::strerror(err)), {}});
}

}  // namespace mpol::cli
