// SPDX-License-Identifier: Apache-2.0
// The C interface of mpol/notifier.h, where the heap is. libmpol forwards to it.
#include "mpol/notifier.h"

#include <cerrno>

#include "heap/locks.h"
#include "heap/notify.h"
#include "preload/calls.h"
#include "preload/process.h"
#include "preload/slow_path.h"
#include "sys/sys.h"

namespace mpol::preload {
namespace {

// What the thread owes the allocator it does now: it can't while it holds everything.
void settle() {
    if (control::copied()) become_child();
    if (!heap::holds_all_locks() && !heap::in_notifier()) check();
}

int change_notifiers(int (*change)(const mpol_notifier_ops&, void*), const mpol_notifier_ops* ops,
                     void* context) {
    if (ops == nullptr) return -EINVAL;
    const bool held = heap::holds_all_locks();
    if (!held) {
        if (const int err = mpol_take_all_locks(); err != 0) return err;
    }
    const int result = change(*ops, context);
    if (!held) mpol_drop_all_locks();
    return result;
}

}  // namespace
}  // namespace mpol::preload

using namespace mpol;

extern "C" {

int mpol_take_all_locks() {
    const sys::ErrnoGuard guard;
    preload::settle();
    return heap::take_all_locks();
}

int mpol_drop_all_locks() {
    const sys::ErrnoGuard guard;
    return heap::drop_all_locks();
}

int mpol_notifier_register(const mpol_notifier_ops* ops, void* context) {
    return preload::change_notifiers(heap::add_notifier, ops, context);
}

int mpol_notifier_unregister(const mpol_notifier_ops* ops, void* context) {
    return preload::change_notifiers(heap::remove_notifier, ops, context);
}

extern const PreloadCalls mpol_preload_calls [[gnu::visibility("default")]];
const PreloadCalls mpol_preload_calls = {mpol_take_all_locks, mpol_drop_all_locks,
                                         mpol_notifier_register, mpol_notifier_unregister};
}
