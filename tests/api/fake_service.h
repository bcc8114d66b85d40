// SPDX-License-Identifier: Apache-2.0
// A daemon's answers without a daemon: processes by pid, and a log that keeps its newest entries.
#pragma once

#include <cerrno>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/service.h"

namespace mpol::daemon {

class FakeService : public Service {
  public:
    std::map<pid_t, AttachedProcess> attached;
    std::set<pid_t> undone;
    size_t log_max = 1000;
    int reloads = 0;

    void attach(pid_t pid, uid_t uid, std::string comm = "victim") {
        attached[pid] = {pid, std::move(comm), uid, RuleName{"rest", "/etc/a.toml", 3}, "bind:0",
                         {}};
    }
    void write(pid_t pid, uid_t uid, std::string event = "apply") {
        LogEntry entry;
        entry.sequence = ++sequence_;
        entry.event = std::move(event);
        entry.pid = pid;
        entry.uid = uid;
        log_.push_back(std::move(entry));
        if (log_.size() > log_max) log_.pop_front();
        if (listener_) listener_();
    }

    [[nodiscard]] DaemonStatus status() const override {
        DaemonStatus status;
        status.version = "1.2.3";
        status.attached = attached.size();
        if (!log_.empty()) {
            status.log_first = log_.front().sequence;
            status.log_last = log_.back().sequence;
        }
        return status;
    }
    [[nodiscard]] std::vector<AttachedProcess> processes(pid_t above, size_t count) const override {
        std::vector<AttachedProcess> out;
        for (auto at = attached.upper_bound(above); at != attached.end() && out.size() < count;
             ++at) {
            out.push_back(at->second);
        }
        return out;
    }
    [[nodiscard]] control::Result<AttachedProcess> process(pid_t pid) const override {
        const auto at = attached.find(pid);
        if (at == attached.end()) return tl::unexpected(control::fail(ESRCH, "not attached"));
        return at->second;
    }
    [[nodiscard]] control::Result<Account> explain(pid_t pid) const override {
        auto found = process(pid);
        if (!found) return tl::unexpected(found.error());
        Account account{*found, {}};
        for (const LogEntry& entry : log_) {
            if (entry.pid == pid) account.history.push_back(entry);
        }
        return account;
    }
    [[nodiscard]] control::Result<std::vector<Undone>> undo(pid_t pid,
                                                            const Caller& caller) override {
        if (!attached.contains(pid)) return tl::unexpected(control::fail(ESRCH, "not attached"));
        undone.insert(pid);
        write(pid, caller.uid, "undo");
        return std::vector<Undone>{{pid, 0, attached[pid].comm, true, "local", {}}};
    }
    [[nodiscard]] control::Result<std::vector<Applied>> apply(pid_t pid,
                                                              const Caller& caller) override {
        if (!attached.contains(pid)) return tl::unexpected(control::fail(ESRCH, "not attached"));
        undone.erase(pid);
        write(pid, caller.uid);
        const AttachedProcess& one = attached[pid];
        return std::vector<Applied>{{pid, 0, one.comm, one.rule, true, "", one.policy, {}}};
    }
    [[nodiscard]] control::Result<uint64_t> reload(const Caller&) override {
        ++reloads;
        return uint64_t{7};
    }
    [[nodiscard]] std::vector<LogEntry> log(uint64_t first, size_t count) const override {
        std::vector<LogEntry> out;
        for (const LogEntry& entry : log_) {
            if (entry.sequence >= first && out.size() < count) out.push_back(entry);
        }
        return out;
    }
    void on_log(std::function<void()> listener) override { listener_ = std::move(listener); }

  private:
    std::deque<LogEntry> log_;
    uint64_t sequence_ = 0;
    std::function<void()> listener_;
};

}  // namespace mpol::daemon
