// SPDX-License-Identifier: Apache-2.0
// mpol/notifier.h for programs that link libmpol. Under the preloaded library the dynamic linker
// finds that one's functions first, and these are reached only through a handle of libmpol's
// (dlopen, language bindings); without it there is nothing to hold off.
#include "mpol/notifier.h"

#include <dlfcn.h>

#include <cerrno>

#include "preload/calls.h"
#include "sys/sys.h"

namespace {

const mpol::PreloadCalls* preload() {
    static const auto* const calls = [] {
        const mpol::sys::ErrnoGuard guard;
        return static_cast<const mpol::PreloadCalls*>(dlsym(RTLD_DEFAULT, "mpol_preload_calls"));
    }();
    return calls;
}

}  // namespace

extern "C" {

int mpol_take_all_locks() {
    return preload() == nullptr ? -ENOSYS : preload()->take_all_locks();
}

int mpol_drop_all_locks() {
    return preload() == nullptr ? -ENOSYS : preload()->drop_all_locks();
}

int mpol_notifier_register(const mpol_notifier_ops* ops, void* context) {
    return preload() == nullptr ? -ENOSYS : preload()->notifier_register(ops, context);
}

int mpol_notifier_unregister(const mpol_notifier_ops* ops, void* context) {
    return preload() == nullptr ? -ENOSYS : preload()->notifier_unregister(ops, context);
}
}
