// SPDX-License-Identifier: Apache-2.0
#include "daemon/audit_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "daemon/api/json.h"
#include "sys/sys.h"

namespace mpol::daemon {
namespace {

constexpr size_t kLineBytesMax = 16 << 10;

std::string sentence(const LogEntry& entry) {
    const auto or_none = [](const std::string& text) { return text.empty() ? "none" : text; };
    std::string text = entry.event;
    if (entry.pid != 0) text += fmt::format(" process {}", entry.pid);
    if (entry.tid != 0) text += fmt::format(" thread {}", entry.tid);
    if (!entry.from.empty() || !entry.to.empty()) {
        text += fmt::format(": {} -> {}", or_none(entry.from), or_none(entry.to));
    }
    if (entry.rule) {
        text += fmt::format(", rule \"{}\" ({}:{})", entry.rule->name, entry.rule->file,
                            entry.rule->line);
    }
    if (!entry.why.empty()) text += fmt::format(", {}", entry.why);
    return text;
}

Journal::Fields fields_of(const LogEntry& entry) {
    Journal::Fields fields = {
        {"MESSAGE", "mpold: " + sentence(entry)},
        {"PRIORITY", std::to_string(LOG_INFO)},
        {"SYSLOG_IDENTIFIER", "mpold"},
        {"MPOL_EVENT", entry.event},
        {"MPOL_PID", std::to_string(entry.pid)},
        {"MPOL_COMM", entry.comm},
        {"MPOL_UID", std::to_string(entry.uid)},
        {"MPOL_FROM", entry.from},
        {"MPOL_TO", entry.to},
        {"MPOL_WHY", entry.why},
        {"MPOL_BY", entry.by},
    };
    const auto add = [&](const char* name, std::string value) {
        fields.emplace_back(name, std::move(value));
    };
    if (entry.tid != 0) add("MPOL_TID", std::to_string(entry.tid));
    if (entry.rule) {
        add("MPOL_RULE", entry.rule->name);
        add("MPOL_RULE_AT", fmt::format("{}:{}", entry.rule->file, entry.rule->line));
    }
    if (entry.latency_us) add("MPOL_LATENCY_US", std::to_string(*entry.latency_us));
    return fields;
}

}  // namespace

AuditLog::AuditLog(sd_event* loop, std::string path) : path_(std::move(path)), journal_(loop) {
    read_back();
    open();
}

void AuditLog::read_back() {
    for (const std::string& path : {path_ + ".1", path_}) {
        std::ifstream file(path);
        std::string line;
        while (std::getline(file, line)) {
            if (line.size() > kLineBytesMax) continue;
            const Json json = Json::parse(line, nullptr, false);
            LogEntry entry;
            // The last line may have been cut off by the daemon's end.
            if (json.is_discarded() || !from_wire(json, entry)) continue;
            sequence_ = std::max(sequence_, entry.sequence);
            keep(std::move(entry));
        }
    }
}

void AuditLog::keep(LogEntry entry) {
    entries_.push_back(std::move(entry));
    if (entries_.size() > kEntriesKept) entries_.pop_front();
}

void AuditLog::open() {
    file_ = Descriptor(
        ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    struct stat facts {};
    file_bytes_ =
        file_ && ::fstat(file_.get(), &facts) == 0 ? static_cast<size_t>(facts.st_size) : 0;
}

void AuditLog::write(const LogEntry& entry) {
    const std::string line =
        to_wire(entry).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (file_bytes_ + line.size() > kLogBytesMax) {
        ::rename(path_.c_str(), (path_ + ".1").c_str());
        open();
    }
    if (file_ && ::write(file_.get(), line.data(), line.size()) > 0) file_bytes_ += line.size();
}

void AuditLog::add(LogEntry entry) {
    entry.sequence = ++sequence_;
    if (entry.time_ns == 0) entry.time_ns = sys::realtime_ns();
    write(entry);
    journal_.say(fields_of(entry));
    keep(std::move(entry));
    if (listener_) listener_();
}

std::vector<LogEntry> AuditLog::from(uint64_t first, size_t count) const {
    std::vector<LogEntry> found;
    for (const LogEntry& entry : entries_) {
        if (entry.sequence < first) continue;
        if (found.size() >= count) break;
        found.push_back(entry);
    }
    return found;
}

std::vector<LogEntry> AuditLog::of_process(pid_t pid) const {
    std::vector<LogEntry> found;
    std::copy_if(entries_.begin(), entries_.end(), std::back_inserter(found),
                 [&](const LogEntry& entry) { return entry.pid == pid; });
    return found;
}

}  // namespace mpol::daemon
