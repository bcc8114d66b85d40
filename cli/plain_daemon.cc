// SPDX-License-Identifier: Apache-2.0
// What a daemon tells, for people.
#include "cli/plain.h"
#include "cli/words.h"

namespace mpol::cli {
namespace {

std::string rule_words(const daemon::RuleName& rule) {
    return fmt::format("{} ({}:{})", printable(rule.name), printable(rule.file), rule.line);
}

std::string policy_or(const std::string& policy, const char* none) {
    return policy.empty() ? none : printable(policy);
}

std::string scope_words(pid_t pid, pid_t tid, const std::string& comm) {
    return tid == 0 ? fmt::format("process {} ({})", pid, printable(comm))
                    : fmt::format("thread {}/{} ({})", pid, tid, printable(comm));
}

// "apply  process 4242 (redis): bind:0 -> interleave:0-3; why; rule db (a.toml:3); by root; 12 us"
std::string entry_words(const daemon::LogEntry& entry) {
    std::string out = fmt::format("{}  {:<8}", local_time(entry.time_ns), printable(entry.event));
    if (entry.pid != 0) add(out, " {}:", scope_words(entry.pid, entry.tid, entry.comm));
    const char* separator = " ";
    if (entry.pid == 0 && !entry.to.empty()) {
        add(out, " {}", printable(entry.to));
        separator = "; ";
    } else if (!entry.from.empty() || !entry.to.empty()) {
        add(out, " {} -> {}", policy_or(entry.from, "default"), policy_or(entry.to, "default"));
        separator = "; ";
    }
    const auto add_part = [&](const std::string& part) {
        add(out, "{}{}", separator, part);
        separator = "; ";
    };
    if (!entry.why.empty()) add_part(printable(entry.why));
    if (entry.rule) add_part("rule " + rule_words(*entry.rule));
    if (!entry.by.empty() && entry.by != "rule") add_part("by " + printable(entry.by));
    if (entry.latency_us) add_part(fmt::format("{} us", *entry.latency_us));
    return out;
}

// The end of a row, and its notes.
void add_uptake(std::string& out, const AppliedRow& row, const ApplyReport& report) {
    if (!row.published()) {
        add(out, "\n");
    } else if (row.applied) {
        add(out, "; applied in {} us\n{}", row.latency_ns / 1000, behind_note(row.behind));
    } else if (!report.waited) {
        add(out, "; published as generation {}\n", row.change.generation);
    } else {
        add(out, "; published as generation {}, not applied after {} ms\n", row.change.generation,
            report.timeout_ms);
        const auto tid = row.change.tid != 0 ? std::optional(row.change.tid) : std::nullopt;
        out += row.change.why.empty() ? pending_note(row.stopped, tid, row.helper)
                                      : fmt::format("note: {}\n", printable(row.change.why));
    }
}

}  // namespace

std::string render(const DaemonView& view) {
    const daemon::DaemonStatus& status = view.status;
    std::string out = fmt::format("mpold {}, process {}, {}\n", printable(status.version),
                                  status.pid, status.user ? "of a user" : "of the system");
    add(out, "  events:     {}{}\n", printable(status.events),
        status.events_note.empty() ? "" : fmt::format(" ({})", printable(status.events_note)));
    add(out, "  rules:      {} from {}, loaded {}\n", status.rules, printable(status.rules_from),
        local_time(status.rules_loaded_ns));
    if (!status.rules_error.empty()) {
        add(out, "  not loaded: {}\n", printable(status.rules_error));
    }
    add(out, "  attached:   {} process{}\n", status.attached, status.attached == 1 ? "" : "es");
    if (status.left_out > 0) {
        add(out,
            "  left out:   {}: {} descriptors suffice for no more (LimitNOFILE= of the unit)\n",
            fmt::format("{} process{}", status.left_out, status.left_out == 1 ? "" : "es"),
            status.descriptors);
    }
    if (status.journal_lost > 0) {
        add(out, "  journal:    did not take {}, which mpol log has\n",
            count_words(status.journal_lost, "change"));
    }
    if (!view.processes) return out;
    for (const daemon::AttachedProcess& process : *view.processes) {
        add(out, "{}: {}, {}{}\n", scope_words(process.pid, 0, process.comm),
            process.rule ? "rule " + rule_words(*process.rule) : "no rule",
            policy_or(process.policy, "no policy"),
            process.note.empty() ? "" : "; " + printable(process.note));
    }
    return out;
}

std::string render(const UndoReport& report) {
    if (report.scopes.empty()) return "nothing to give back\n";
    std::string out;
    for (const daemon::Undone& scope : report.scopes) {
        const std::string name = scope_words(scope.pid, scope.tid, scope.comm);
        if (!scope.done) {
            add(out, "{}: left alone: {}\n", name, printable(scope.why));
        } else {
            add(out, "{}: {} again\n", name,
                policy_or(scope.policy, scope.tid == 0 ? "the policy that it was started with"
                                                       : "its process's"));
        }
    }
    return out;
}

std::string render(const ApplyReport& report) {
    if (report.rows.empty()) return "nothing to change\n";
    std::string out;
    for (const AppliedRow& row : report.rows) {
        const daemon::Applied& change = row.change;
        const std::string name = scope_words(change.pid, change.tid, change.comm);
        const std::string rule = change.rule ? "rule " + rule_words(*change.rule) : "no rule";
        if (!change.done) {
            add(out, "{}: not done: {}; {}\n", name, printable(change.why), rule);
        } else {
            add(out, "{}: {} -> {}; {}", name, policy_or(change.from, "default"),
                policy_or(change.to, "default"), rule);
            add_uptake(out, row, report);
        }
    }
    return out;
}

std::string render(const LogLine& line) {
    return entry_words(line.entry) + "\n";
}

std::string render(const LogGap& gap) {
    return fmt::format("{} that the log could not keep\n",
                       gap.lost == 1 ? "1 entry" : fmt::format("{} entries", gap.lost));
}

std::string render(const LogEnd& end) {
    return end.entries == 0 && end.lost == 0 ? "no entries\n" : "";
}

std::string render(const Reloaded& reloaded) {
    return fmt::format("{} in force\n", count_words(reloaded.rules, "rule"));
}

std::string account_words(const daemon::Account& account) {
    const daemon::AttachedProcess& process = account.process;
    std::string out = fmt::format(
        "  daemon:     {}{}\n",
        process.rule ? fmt::format("gave it {} by rule {}", policy_or(process.policy, "nothing"),
                                   rule_words(*process.rule))
                     : "has no rule for it",
        process.note.empty() ? "" : "; " + printable(process.note));
    for (const daemon::LogEntry& entry : account.history) {
        add(out, "              {}\n", entry_words(entry));
    }
    return out;
}

}  // namespace mpol::cli
