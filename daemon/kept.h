// SPDX-License-Identifier: Apache-2.0
// One process that the daemon keeps: its segment (folded while nothing is done with it), what tells
// of its end, and what the rules made of it last.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "control/attach.h"
#include "daemon/api/service.h"
#include "daemon/descriptor.h"
#include "daemon/event_loop.h"
#include "daemon/handed_on.h"
#include "daemon/share.h"

namespace mpol::daemon {

class Keeper;

struct Kept {
    Keeper* keeper = nullptr;
    pid_t pid = 0;
    uid_t uid = 0;  // its owner
    Descriptor pidfd;
    EventSource exit_source;
    std::optional<control::Target>
        target;  // empty: it has another program now, without a segment yet
    std::optional<HandedOn> hands_on;  // to programs and processes that it starts
    std::optional<Policy> inherited;   // what it would have begun with, had nothing been handed on
    std::string comm;
    std::shared_ptr<const RuleName> rule;  // nullptr: none matches
    std::string policy;                    // that the rule gives the process; empty: none
    std::string note;                      // why it is not as the rule says; or empty
    bool changes_by_itself = false;
    bool queued = false;
    bool keeps_descriptor = false;  // of its segment, between two looks
    bool renewed = false;           // it has knocked again: its program may be another
    unsigned busy = 0;              // times in a row that another writer was at it

    Share share;
    uint64_t later_at_ns = 0;  // when it is looked at again by itself; 0: it is not
};

}  // namespace mpol::daemon
