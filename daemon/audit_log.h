// SPDX-License-Identifier: Apache-2.0
// Every change that the daemon made: to the journal, with MPOL_ fields, and to a file in the
// daemon's folder, so that there is a log where there is no journal and after the daemon's end. The
// last entries are kept in memory for those who ask.
//
// Not thread-safe. An entry that can't be written somewhere is kept wherever it can be.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "daemon/api/service.h"
#include "daemon/descriptor.h"
#include "daemon/journal.h"

namespace mpol::daemon {

// A few hundred bytes each.
inline constexpr size_t kEntriesKept = 2048;
// Then the file becomes PATH.1, whose place it takes.
inline constexpr size_t kLogBytesMax = size_t{2} << 20;

class AuditLog {
  public:
    // Entries of the file that is there already are read back, as far as they are sound.
    AuditLog(sd_event* loop, std::string path);

    // Its sequence and, unless it has one, its time are filled in.
    void add(LogEntry entry);
    [[nodiscard]] std::vector<LogEntry> from(uint64_t first, size_t count) const;
    [[nodiscard]] std::vector<LogEntry> of_process(pid_t pid) const;
    [[nodiscard]] uint64_t first() const {
        return entries_.empty() ? 0 : entries_.front().sequence;
    }
    [[nodiscard]] uint64_t last() const { return entries_.empty() ? 0 : entries_.back().sequence; }
    // Entries that the journal did not take.
    [[nodiscard]] uint64_t journal_lost() const { return journal_.lost(); }
    void on_entry(std::function<void()> listener) { listener_ = std::move(listener); }

  private:
    void read_back();
    void keep(LogEntry entry);
    void open();
    void write(const LogEntry& entry);

    std::string path_;
    Descriptor file_;
    size_t file_bytes_ = 0;
    std::deque<LogEntry> entries_;
    uint64_t sequence_ = 0;
    std::function<void()> listener_;
    Journal journal_;
};

}  // namespace mpol::daemon
