// SPDX-License-Identifier: Apache-2.0
#include "heap/placed.h"

#include <algorithm>

namespace mpol::heap {

constinit std::atomic<bool> placed_ever{false};

namespace {

// A row's range in one word, so that it changes whole:
//
//     63        28 27         0
//     first page | pages          0: free; no pages: taken, and being filled in
constexpr unsigned kPageShift = 12;
constexpr unsigned kPagesBits = 28;
constexpr uint64_t kPagesMax = (uint64_t{1} << kPagesBits) - 1;     // 1 TiB
constexpr uint64_t kFirstPages = uint64_t{1} << (64 - kPagesBits);  // 256 TiB
constexpr uint64_t kFilling = uint64_t{1} << kPagesBits;

// And whose it is:
//
//     63    32 | 31      | 30        16 | 15       0
//     placer   | settled | generation   | mode word      the last three 0 until it is settled
constexpr uint64_t kSettled = uint64_t{1} << 31;
constexpr unsigned kGenerationShift = 16;
constexpr uint64_t kGenerationMask = 0x7fff;
constexpr uint64_t kModeMask = 0xffff;

constinit std::atomic<uint64_t> ranges[kPlacedMax];
constinit std::atomic<uint64_t> marks[kPlacedMax];
// How often each row was entered: the same thread may map the same range again.
constinit std::atomic<uint32_t> entries[kPlacedMax];
constinit std::atomic<unsigned> rows_used{0};
// How often a range has gone from one row to another, counted while both held it: who looks through
// the rows meanwhile may see neither.
constinit std::atomic<uint32_t> moves{0};
constexpr unsigned kLooksMax = 64;

struct Pages {
    uint64_t first;
    uint64_t last;  // one behind
};

Pages pages_of(uintptr_t start, uintptr_t end) {
    constexpr uint64_t kPage = uint64_t{1} << kPageShift;
    return {start >> kPageShift, (end + kPage - 1) >> kPageShift};
}
Pages pages_of(uint64_t range) {
    const uint64_t first = range >> kPagesBits;
    return {first, first + (range & kPagesMax)};
}
uint64_t range_of(const Pages& pages) {
    return pages.first << kPagesBits | (pages.last - pages.first);
}
bool is_range(uint64_t range) {
    return (range & kPagesMax) != 0;
}

uint64_t mark_of(Placer placer, int mode_word, uint64_t generation) {
    return uint64_t{placer} << 32 | kSettled | (generation & kGenerationMask) << kGenerationShift |
           (static_cast<uint32_t>(mode_word) & kModeMask);
}
uint32_t generation_of(uint64_t mark) {
    return static_cast<uint32_t>(mark >> kGenerationShift & kGenerationMask);
}
bool is_later(uint32_t generation, uint64_t than) {
    const uint64_t ahead = (generation - than) & kGenerationMask;
    return ahead != 0 && ahead <= kGenerationMask / 2;
}
Placer placer_of(uint64_t mark) {
    return static_cast<Placer>(mark >> 32);
}

// The row holds what was looked up there: it was not entered or settled anew.
bool is_unchanged(const Placed& seen) {
    const uint64_t mark = marks[seen.row].load();
    return entries[seen.row].load() == seen.entry && placer_of(mark) == seen.placer &&
           ((mark & kSettled) != 0) == seen.settled && generation_of(mark) == seen.generation &&
           static_cast<int>(mark & kModeMask) == seen.mode_word;
}

unsigned used() {
    return std::min(rows_used.load(std::memory_order_acquire), kPlacedMax);
}

void use(unsigned row) {
    unsigned rows = rows_used.load(std::memory_order_relaxed);
    while (rows <= row && !rows_used.compare_exchange_weak(rows, row + 1)) {
    }
}

constexpr unsigned kNoRow = kPlacedMax;

// A row for at most kPagesMax pages.
unsigned enter_row(const Pages& pages, uint64_t mark) {
    for (unsigned row = 0; row < kPlacedMax; ++row) {
        uint64_t free = 0;
        if (ranges[row].load(std::memory_order_relaxed) != 0 ||
            !ranges[row].compare_exchange_strong(free, kFilling)) {
            continue;
        }
        use(row);
        marks[row].store(mark);
        entries[row].fetch_add(1);
        ranges[row].store(range_of(pages));
        return row;
    }
    return kNoRow;
}

bool enter(Pages pages, uint64_t mark) {
    if (pages.last > kFirstPages) return false;
    bool entered = true;
    for (; entered && pages.first < pages.last;) {
        const uint64_t last = std::min(pages.last, pages.first + kPagesMax);
        entered = enter_row({pages.first, last}, mark) != kNoRow;
        pages.first = last;
    }
    return entered;
}

void drop_row(unsigned row) {
    uint64_t range = ranges[row].load();
    while (is_range(range) && !ranges[row].compare_exchange_weak(range, 0)) {
    }
}

// The row's range without what lies in pages; what is left above it gets a row of its own. That one
// first, so that both hold it for a moment: what no row holds while the process is rewritten is the
// process's. seen: what the row has to hold still.
void cut(unsigned row, const Pages& pages, const Placed* seen = nullptr) {
    if (pages.first >= pages.last) return;
    uint64_t range = ranges[row].load();
    for (;;) {
        const Pages held = pages_of(range);
        if (!is_range(range) || held.last <= pages.first || pages.last <= held.first) return;
        const uint64_t mark = marks[row].load();
        if (seen != nullptr && !is_unchanged(*seen)) return;
        const Pages below{held.first, std::max(held.first, pages.first)};
        const Pages above{std::min(held.last, pages.last), held.last};
        const bool has_below = below.first < below.last;
        const bool has_above = above.first < above.last;
        const uint64_t left = has_below ? range_of(below) : has_above ? range_of(above) : 0;
        const unsigned upper = has_below && has_above ? enter_row(above, mark) : kNoRow;
        if (upper != kNoRow) ++moves;
        if (ranges[row].compare_exchange_strong(range, left)) {
            // It may have been settled anew before there were two.
            uint64_t before = mark;
            const uint64_t now = marks[row].load();
            if (upper != kNoRow && now != mark) marks[upper].compare_exchange_strong(before, now);
            return;
        }
        if (upper != kNoRow) drop_row(upper);
    }
}

// The row joins a neighbour of the same mark, which may be looked at meanwhile: for a moment both
// hold the range.
void join(unsigned row, uint64_t mark) {
    uint64_t range = ranges[row].load();
    if (!is_range(range)) return;
    const Pages held = pages_of(range);
    for (unsigned other = 0; other < used(); ++other) {
        uint64_t theirs = ranges[other].load();
        if (other == row || !is_range(theirs) || marks[other].load() != mark) continue;
        const Pages next = pages_of(theirs);
        const Pages both{std::min(held.first, next.first), std::max(held.last, next.last)};
        const bool touch = held.first == next.last || next.first == held.last;
        if (!touch || both.last - both.first > kPagesMax) continue;
        // One that was extended itself meanwhile stays.
        if (ranges[other].compare_exchange_strong(theirs, range_of(both))) {
            ++moves;
            ranges[row].compare_exchange_strong(range, 0);
            return;
        }
    }
}

Placed look_through(uintptr_t start, uintptr_t end) {
    const Pages pages = pages_of(start, end);
    Placed found{end, end};
    for (unsigned row = 0; row < used(); ++row) {
        const uint64_t range = ranges[row].load();
        const Pages held = pages_of(range);
        if (!is_range(range) || held.last <= pages.first || pages.last <= held.first) continue;
        const uintptr_t from = std::max(start, uintptr_t{held.first << kPageShift});
        const uint64_t mark = marks[row].load();
        const uint32_t entry = entries[row].load();
        if (from >= found.start || ranges[row].load() != range) continue;
        found = {from,
                 std::min(end, uintptr_t{held.last << kPageShift}),
                 placer_of(mark),
                 static_cast<int>(mark & kModeMask),
                 (mark & kSettled) != 0,
                 generation_of(mark),
                 row,
                 entry};
    }
    return found;
}

template <class Drop>
void forget_rows(Drop drop) {
    for (unsigned row = 0; row < used(); ++row) {
        uint64_t range = ranges[row].load();
        if (is_range(range) && drop(marks[row].load())) {
            ranges[row].compare_exchange_strong(range, 0);
        }
    }
}

}  // namespace

bool enter_placed(uintptr_t start, uintptr_t end, Placer placer) {
    placed_ever.store(true);
    return enter(pages_of(start, end), uint64_t{placer} << 32);
}

void settle_placed(uintptr_t start, uintptr_t end, Placer placer, int mode_word,
                   uint64_t generation) {
    const Pages pages = pages_of(start, end);
    for (unsigned row = 0; row < used(); ++row) {
        const uint64_t range = ranges[row].load();
        const Pages held = pages_of(range);
        if (!is_range(range) || held.first < pages.first || pages.last < held.last) continue;
        uint64_t mark = marks[row].load();
        const uint64_t settled = mark_of(placer, mode_word, generation);
        if (placer_of(mark) != placer || mark == settled) continue;
        const bool is_new = (mark & kSettled) == 0;
        if (marks[row].compare_exchange_strong(mark, settled) && is_new) join(row, settled);
    }
}

bool settle_anew(const Placed& placed, int mode_word, uint64_t generation) {
    uint64_t mark = marks[placed.row].load();
    return is_unchanged(placed) && marks[placed.row].compare_exchange_strong(
                                       mark, mark_of(placed.placer, mode_word, generation));
}

bool is_newer(const Placed& placed, uint64_t generation) {
    return placed.settled && is_later(placed.generation, generation);
}

Placed next_placed(uintptr_t start, uintptr_t end) {
    Placed found;
    for (unsigned look = 0; look < kLooksMax; ++look) {
        const uint32_t before = moves.load();
        found = look_through(start, end);
        if (moves.load() == before) break;
    }
    return found;
}

Placed whole_row(const Placed& placed) {
    Placed whole = placed;
    const uint64_t range = ranges[placed.row].load();
    const Pages held = pages_of(range);
    if (!is_range(range) || entries[placed.row].load() != placed.entry) return placed;
    whole.start = held.first << kPageShift;
    whole.end = held.last << kPageShift;
    return whole;
}

bool split_off(Placed& piece) {
    const Placed whole = whole_row(piece);
    if (whole.start == piece.start && whole.end == piece.end) return true;
    const uint64_t mark = marks[piece.row].load();
    if (!is_unchanged(piece)) return false;
    const Pages pages = pages_of(piece.start, piece.end);
    const unsigned row = enter_row(pages, mark);
    if (row == kNoRow) return false;
    ++moves;
    cut(piece.row, pages, &piece);
    const uint64_t left = ranges[piece.row].load();
    const Pages held = pages_of(left);
    if (is_range(left) && held.first < pages.last && pages.first < held.last) {
        drop_row(row);  // It is not as it was looked up any more.
        return false;
    }
    piece.row = row;
    piece.entry = entries[row].load();
    return true;
}

bool is_as_it_was(const Placed& placed) {
    const Placed now = next_placed(placed.start, placed.end);
    if (placed.placer == 0) return now.start == placed.end;
    return now.start == placed.start && now.end == placed.end && now.row == placed.row &&
           now.entry == placed.entry;
}

void forget_placed(const Placed& placed) {
    cut(placed.row, pages_of(placed.start, placed.end), &placed);
}

void forget_placed(uintptr_t start, uintptr_t end) {
    const Pages pages = pages_of(start, end);
    for (unsigned row = 0; row < used(); ++row) cut(row, pages);
}

void forget_placed_of(Placer placer) {
    forget_rows([placer](uint64_t mark) { return placer_of(mark) == placer; });
}

void forget_placed_until(Placer placer, uint64_t generation) {
    forget_rows([=](uint64_t mark) {
        return placer_of(mark) == placer && (mark & kSettled) != 0 &&
               !is_later(generation_of(mark), generation);
    });
}

void forget_placed_but_of(Placer placer) {
    forget_rows([placer](uint64_t mark) { return placer_of(mark) != placer; });
    for (unsigned row = 0; row < used(); ++row) {
        marks[row].fetch_and(~(kGenerationMask << kGenerationShift));
    }
}

}  // namespace mpol::heap
