// SPDX-License-Identifier: Apache-2.0
#include "heap/requests.h"

#include <algorithm>
#include <cerrno>

#include "control/segment.h"
#include "heap/locks.h"
#include "heap/notify.h"
#include "heap/scopes.h"
#include "sys/mutex.h"
#include "sys/sys.h"

namespace mpol::heap {

using control::load;
using control::local;
using control::SharedMemory;
using control::store;

namespace {

constinit sys::Mutex requests_mutex;  // Innermost; a forked child renews it.

NodeMask nodes_of(const mpol_ctl_request& row) {
    NodeMask nodes;
    for (unsigned i = 0; i < kNodeWords; ++i) nodes.words[i] = load(row.nodes[i]);
    return nodes;
}

int get_policy_at(mpol_ctl_request& row, void* start) {
    int mode_word = 0;
    NodeMask nodes;
    const int err =
        sys::get_mempolicy_at(start, static_cast<unsigned>(load(row.flags)), mode_word, nodes);
    if (err != 0) return err;
    store(row.mode, static_cast<uint64_t>(mode_word));
    for (unsigned i = 0; i < kNodeWords; ++i) store(row.nodes[i], nodes.words[i]);
    return 0;
}

int carry_out(mpol_ctl_request& row) {
    auto* const start = reinterpret_cast<void*>(load(row.start));
    const uint64_t size = load(row.size);
    switch (load(row.op)) {
        case MPOL_CTL_REQUEST_MBIND: {
            // The asker's kernel has read max_node and the mask; the words hold what it read.
            const NodeMask nodes = nodes_of(row);
            const Notice notice(MPOL_EVENT_POLICY, start, size);
            return sys::mbind_as_asked(start, size, load(row.mode), nodes, load(row.max_node),
                                       static_cast<unsigned>(load(row.flags)));
        }
        case MPOL_CTL_REQUEST_HOME_NODE:
            return sys::set_mempolicy_home_node(start, size, load(row.mode), load(row.flags));
        case MPOL_CTL_REQUEST_GET_MEMPOLICY:
            return get_policy_at(row, start);
        default:
            return -ENOSYS;
    }
}

}  // namespace

// False: all are held off, and whoever does that rings the doorbell afterwards.
static bool enter_or_pass_on() {
    if (request_gate.try_enter()) return true;
    apply_mutex.pass_on();
    return request_gate.try_enter();
}

bool serve_requests() {
    if (!requests_mutex.try_lock()) return false;
    if (!enter_or_pass_on()) {
        requests_mutex.unlock();
        return false;
    }
    bool any = false;
    for (mpol_ctl_request& row : local.header.requests) {
        uint64_t word = SharedMemory::load(row.word);
        if ((word & MPOL_CTL_REQUEST_STATE) != MPOL_CTL_REQUEST_ASKED) continue;
        store(row.result, carry_out(row));
        any |= SharedMemory::cas(row.word, word,
                                 (word & ~MPOL_CTL_REQUEST_STATE) | MPOL_CTL_REQUEST_DONE);
    }
    request_gate.leave();
    requests_mutex.unlock();
    return any;
}

void renew_requests() {
    requests_mutex.renew();
}

}  // namespace mpol::heap
