// SPDX-License-Identifier: Apache-2.0
// Tells the daemons, the system's and the user's, that this process can be rewritten from now on. A
// knock without a word: who it is, they learn from the kernel. Nothing waits for them, and nothing
// depends on them.
//
// A stream, not a datagram: the kernel keeps as many knocks as the listener's backlog has room for
// (4,096), and of datagrams ten (net.unix.max_dgram_qlen).
#include <sys/auxv.h>

#include <cstdio>
#include <cstdlib>

#include "preload/process.h"
#include "sys/sys.h"

namespace mpol::preload {
namespace {

constexpr size_t kPathMax = 108;  // sockaddr_un

}  // namespace

void say_hello() {
    // For tests; of no use to who may not be trusted with it.
    if (const char* const only = ::secure_getenv("MPOL_HELLO"); only != nullptr) {
        sys::knock(only);
        return;
    }
    sys::knock("/run/mpol/hello");
    const auto uid = static_cast<unsigned>(::getauxval(AT_EUID));
    const char* const folder = ::secure_getenv("XDG_RUNTIME_DIR");
    if (folder == nullptr && uid == 0) return;
    char path[kPathMax];
    const int length = folder != nullptr
                           ? std::snprintf(path, sizeof(path), "%s/mpol/hello", folder)
                           : std::snprintf(path, sizeof(path), "/run/user/%u/mpol/hello", uid);
    if (length > 0 && static_cast<size_t>(length) < sizeof(path)) sys::knock(path);
}

}  // namespace mpol::preload
