// SPDX-License-Identifier: Apache-2.0
// The rules in force. Read again on demand and whenever their folder changes; all of them at once,
// or, when anything is wrong with them, none: the old ones stay.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "control/attach.h"
#include "daemon/descriptor.h"
#include "daemon/event_loop.h"
#include "daemon/rule_set.h"
#include "daemon/timer.h"

namespace mpol::daemon {

class RuleBook {
  public:
    // from: a folder or a file, which may not exist yet. owner: who may have written the files,
    // beside root. changed is called on the loop, after a reading that the folder's change caused;
    // with why it failed, or empty.
    RuleBook(sd_event* loop, std::string from, uid_t owner,
             std::function<void(const std::string& error)> changed);

    // The number of rules in force. Failure: all that is wrong, several lines; nothing has changed.
    [[nodiscard]] control::Result<uint64_t> read();

    [[nodiscard]] std::shared_ptr<const RuleSet> rules() const { return rules_; }
    [[nodiscard]] const std::string& from() const { return from_; }
    [[nodiscard]] uint64_t loaded_ns() const { return loaded_ns_; }  // CLOCK_REALTIME
    // What the last reading failed with; empty: it did not.
    [[nodiscard]] const std::string& error() const { return error_; }

  private:
    static int on_change(sd_event_source* source, int fd, uint32_t events, void* opaque);
    void watch();
    [[nodiscard]] bool concerns(uint32_t mask, std::string_view name) const;
    [[nodiscard]] control::Result<uint64_t> failed(int err, std::string what);

    std::string from_;
    uid_t owner_;
    std::function<void(const std::string&)> changed_;
    std::shared_ptr<const RuleSet> rules_ = std::make_shared<RuleSet>();
    uint64_t loaded_ns_ = 0;
    std::string error_;
    Descriptor inotify_;
    int watched_ = -1;
    // The entry of the watched folder that counts; empty: every rule file.
    std::string entry_;
    EventSource source_;
    Timer settled_;
};

}  // namespace mpol::daemon
