// SPDX-License-Identifier: Apache-2.0
// Of the test builds only. Raw system calls, because the preloaded library stands in front of mmap.
#include "sys/fail_point.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "sys/sys.h"

namespace mpol::sys {
namespace {

constinit FailBoard nobodys{};
constinit std::atomic<FailBoard*> known_board{nullptr};

FailBoard* find_board() {
    const char* const path = ::getenv("MPOL_FAIL_BOARD");
    const long fd =
        path == nullptr ? -1 : ::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return &nobodys;
    const long at = map(nullptr, sizeof(FailBoard), PROT_READ | PROT_WRITE, MAP_SHARED,
                        static_cast<int>(fd), 0);
    close(static_cast<int>(fd));
    return at < 0 ? &nobodys : reinterpret_cast<FailBoard*>(at);
}

FailBoard& board() {
    FailBoard* found = known_board.load(std::memory_order_acquire);
    if (found != nullptr) return *found;
    FailBoard* const mine = find_board();
    if (!known_board.compare_exchange_strong(found, mine) && mine != &nobodys) {
        unmap(mine, sizeof(*mine));
    }
    return *known_board.load(std::memory_order_acquire);
}

int strike(FailBoard& board) {
    const uint32_t deed = board.deed;
    board.struck = static_cast<uint32_t>(process_id());
    if (deed < kDie) return -static_cast<int>(deed);
    // To this thread: it does not go on before the others stop.
    send_signal(process_id(), thread_id(), deed == kDie ? SIGKILL : SIGSTOP);
    return 0;
}

}  // namespace

inline namespace with_fail_points {

int fail_point(FailPoint point) {
    const ErrnoGuard guard;
    FailBoard& on = board();
    if (&on == &nobodys) return 0;
    ++on.hits[static_cast<uint32_t>(point)];
    if (on.point != static_cast<uint32_t>(point)) return 0;
    for (uint32_t left = on.left; left > 0;) {
        if (on.left.compare_exchange_weak(left, left - 1)) return left == 1 ? strike(on) : 0;
    }
    return 0;
}

}  // namespace with_fail_points
}  // namespace mpol::sys
