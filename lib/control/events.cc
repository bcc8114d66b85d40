// SPDX-License-Identifier: Apache-2.0
#include "control/events.h"

#include <atomic>

#include "control/segment.h"
#include "sys/sys.h"

namespace mpol::control {
namespace {

enum class Rows : uint8_t { kUntouched, kBacked, kRefused };
constinit std::atomic<Rows> rows{Rows::kUntouched};

bool have_rows() {
    Rows seen = rows.load(std::memory_order_acquire);
    if (seen == Rows::kUntouched) {
        seen = back_rows(local.events, sizeof(local.events)) ? Rows::kBacked : Rows::kRefused;
        rows.store(seen, std::memory_order_release);
    }
    return seen == Rows::kBacked;
}

// A word that changes is that of a thread that is whole rounds of the ring behind, and has come and
// gone in between. More of them in a row are nobody's of ours: the event is then lost, as the
// watcher tells.
constexpr unsigned kTakeTries = 8;

// Each sequence number is drawn by one thread, and a row's word only grows.
bool take_row(mpol_ctl_event& row, uint64_t word) {
    return replace_if(row.word, word | kEventWriting, kTakeTries,
                      [word](uint64_t seen) { return seen < word && (seen & kEventWriting) == 0; });
}

void write_row(uint64_t sequence, const EventFacts& facts, uint64_t now_ns) {
    mpol_ctl_event& row = local.events[sequence % MPOL_CTL_EVENTS];
    const uint64_t word = event_word(sequence);
    if (!take_row(row, word)) return;
    store(row.time_ns, now_ns);
    store(row.start, facts.start);
    store(row.size, facts.size);
    store(row.event, facts.event);
    store(row.end, uint32_t{facts.end});
    store(row.tid, static_cast<uint32_t>(sys::thread_id()));
    SharedMemory::store(row.word, word);  // Pairs with the reader's first load of it.
}

}  // namespace

void record_event(const EventFacts& facts) {
    mpol_ctl_header& header = local.header;
    const uint64_t now_ns = sys::realtime_ns();
    const uint64_t sequence = add(header.event_head, uint64_t{1});
    if (have_rows()) write_row(sequence, facts, now_ns);
    // After the row: who looked in vain and then sleeps on the bell's old value is woken.
    add(header.event_bell, uint32_t{1});
    if (now_ns < load(header.watch_until_ns)) sys::futex_wake(&header.event_bell, INT32_MAX);
}

void forget_events() {
    rows.store(Rows::kUntouched, std::memory_order_release);
}

}  // namespace mpol::control
