// SPDX-License-Identifier: Apache-2.0
#include "heap/notify.h"

#include <cerrno>

#include "control/events.h"
#include "heap/task.h"
#include "sys/sys.h"

namespace mpol::heap {

constinit std::atomic<unsigned> notifier_count{0};

namespace {

struct Notifier {
    mpol_notifier_ops ops;
    void* context;
    bool registered;
};
// Written with all locks held, read inside any of them.
constinit Notifier notifiers[kNotifiersMax]{};

thread_local constinit bool inside_callback MPOL_TLS = false;

bool same(const Notifier& one, const mpol_notifier_ops& ops, void* context) {
    return one.registered && one.context == context && one.ops.range_start == ops.range_start &&
           one.ops.range_end == ops.range_end;
}

}  // namespace

int add_notifier(const mpol_notifier_ops& ops, void* context) {
    for (Notifier& one : notifiers) {
        if (one.registered) continue;
        one = {ops, context, true};
        notifier_count.fetch_add(1, std::memory_order_relaxed);
        return 0;
    }
    return -ENOSPC;
}

int remove_notifier(const mpol_notifier_ops& ops, void* context) {
    for (Notifier& one : notifiers) {
        if (!same(one, ops, context)) continue;
        one = {};
        notifier_count.fetch_sub(1, std::memory_order_relaxed);
        return 0;
    }
    return -ENOENT;
}

bool in_notifier() {
    return inside_callback;
}

void Notice::tell(bool end) {
    const sys::ErrnoGuard guard;
    if (control::load(control::local.header.watch_until_ns) != 0) {
        control::record_event({event_, end, reinterpret_cast<uintptr_t>(start_), size_});
    }
    const bool nested = inside_callback;  // A handler's, that has interrupted a callback.
    inside_callback = true;
    for (const Notifier& one : notifiers) {
        const auto call = end ? one.ops.range_end : one.ops.range_start;
        // Not changed by a const_cast of ours: the program's own memory.
        if (one.registered && call != nullptr)
            call(one.context, event_, const_cast<void*>(start_), size_);
    }
    inside_callback = nested;
}

}  // namespace mpol::heap
