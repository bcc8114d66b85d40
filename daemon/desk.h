// SPDX-License-Identifier: Apache-2.0
// What mpold answers to those who ask (api/service.h).
#pragma once

#include <functional>
#include <string>

#include "daemon/keeper.h"

namespace mpol::daemon {

class Desk : public Service {
  public:
    struct Circumstances {
        bool user = false;
        std::string events;
        std::string events_note;
    };
    // All must outlive it. reload reads the rules again, and tells everybody.
    Desk(Keeper& keeper, const RuleBook& book, AuditLog& log, Circumstances circumstances,
         std::function<control::Result<uint64_t>(const std::string& by)> reload);

    [[nodiscard]] DaemonStatus status() const override;
    [[nodiscard]] std::vector<AttachedProcess> processes(pid_t above, size_t count) const override;
    [[nodiscard]] control::Result<AttachedProcess> process(pid_t pid) const override;
    [[nodiscard]] control::Result<Account> explain(pid_t pid) const override;
    [[nodiscard]] control::Result<std::vector<Undone>> undo(pid_t pid,
                                                            const Caller& caller) override;
    [[nodiscard]] control::Result<std::vector<Applied>> apply(pid_t pid,
                                                              const Caller& caller) override;
    [[nodiscard]] control::Result<uint64_t> reload(const Caller& caller) override;
    [[nodiscard]] std::vector<LogEntry> log(uint64_t first, size_t count) const override;
    void on_log(std::function<void()> listener) override;

  private:
    Keeper& keeper_;
    const RuleBook& book_;
    AuditLog& log_;
    Circumstances circumstances_;
    std::function<control::Result<uint64_t>(const std::string&)> reload_;
};

}  // namespace mpol::daemon
