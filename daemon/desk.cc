// SPDX-License-Identifier: Apache-2.0
#include "daemon/desk.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace mpol::daemon {
namespace {

std::string words(const Caller& caller) {
    const passwd* const entry = ::getpwuid(caller.uid);
    return fmt::format("{} (pid {})",
                       entry != nullptr ? entry->pw_name : fmt::format("uid {}", caller.uid),
                       caller.pid);
}

AttachedProcess facts_of(const Kept& kept) {
    AttachedProcess process;
    process.pid = kept.pid;
    process.comm = kept.comm;
    process.uid = kept.uid;
    if (kept.rule) process.rule = *kept.rule;
    process.policy = kept.policy;
    process.note = kept.note;
    return process;
}

tl::unexpected<control::Failure> unknown(pid_t pid) {
    return tl::unexpected(control::fail(ESRCH, fmt::format("process {} is not attached", pid),
                                        "mpol ls lists what can be"));
}

}  // namespace

Desk::Desk(Keeper& keeper, const RuleBook& book, AuditLog& log, Circumstances circumstances,
           std::function<control::Result<uint64_t>(const std::string&)> reload)
    : keeper_(keeper),
      book_(book),
      log_(log),
      circumstances_(std::move(circumstances)),
      reload_(std::move(reload)) {}

DaemonStatus Desk::status() const {
    DaemonStatus status;
    status.version = MPOL_VERSION;
    status.pid = ::getpid();
    status.user = circumstances_.user;
    status.events = circumstances_.events;
    status.events_note = circumstances_.events_note;
    status.rules_from = book_.from();
    status.rules = book_.rules()->compiled.rules.size();
    status.rules_loaded_ns = book_.loaded_ns();
    status.rules_error = book_.error();
    status.attached = keeper_.kept().size();
    status.left_out = keeper_.left_out();
    status.descriptors = keeper_.descriptors();
    status.log_first = log_.first();
    status.log_last = log_.last();
    status.journal_lost = log_.journal_lost();
    return status;
}

std::vector<AttachedProcess> Desk::processes(pid_t above, size_t count) const {
    std::vector<AttachedProcess> found;
    const auto& kept = keeper_.kept();
    for (auto at = kept.upper_bound(above); at != kept.end() && found.size() < count; ++at) {
        found.push_back(facts_of(*at->second));
    }
    return found;
}

control::Result<AttachedProcess> Desk::process(pid_t pid) const {
    const Kept* const kept = keeper_.find(pid);
    if (kept == nullptr) return unknown(pid);
    return facts_of(*kept);
}

control::Result<Account> Desk::explain(pid_t pid) const {
    const Kept* const kept = keeper_.find(pid);
    if (kept == nullptr) return unknown(pid);
    return Account{facts_of(*kept), log_.of_process(pid)};
}

control::Result<std::vector<Undone>> Desk::undo(pid_t pid, const Caller& caller) {
    if (keeper_.find(pid) == nullptr) return unknown(pid);
    return keeper_.undo(pid, words(caller));
}

control::Result<std::vector<Applied>> Desk::apply(pid_t pid, const Caller& caller) {
    if (keeper_.find(pid) == nullptr) return unknown(pid);
    return keeper_.apply(pid, words(caller));
}

control::Result<uint64_t> Desk::reload(const Caller& caller) {
    return reload_(words(caller));
}

std::vector<LogEntry> Desk::log(uint64_t first, size_t count) const {
    return log_.from(first, count);
}

void Desk::on_log(std::function<void()> listener) {
    log_.on_entry(std::move(listener));
}

}  // namespace mpol::daemon
