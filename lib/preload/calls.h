// SPDX-License-Identifier: Apache-2.0
// What libmpol looks for among the libraries of its process: the preloaded library's side of
// mpol/notifier.h. A name of its own, because under the public names libmpol may find itself.
#pragma once

#include "mpol/notifier.h"

namespace mpol {

struct PreloadCalls {
    int (*take_all_locks)();
    int (*drop_all_locks)();
    int (*notifier_register)(const mpol_notifier_ops*, void*);
    int (*notifier_unregister)(const mpol_notifier_ops*, void*);
};

}  // namespace mpol
