// SPDX-License-Identifier: Apache-2.0
// The latch: a value of several words, rewritten by one writer at a time and read by anyone
// without waiting. It is the kernel's seqcount_latch_t (include/linux/seqlock.h): of two copies one
// is always whole, and the latch word says which. Here many latches share their second copy, the
// spare, because their writers are serialised by the same lock; an idle latch reads from its home.
//
//     writer                                  word of the latch          readers use
//     fill the spare                          g                          home
//     word := g+1 | SPARE                     g+1 | SPARE                spare
//     fill the home                           g+1 | SPARE                spare
//     word := g+1                             g+1                        home
//
// A writer that dies after any of these stores leaves every latch readable; the next one first
// finishes what the spare's owner says (latch_finish), then begins.
//
// Payload words are stored with release and loaded with acquire, and there is no fence: a reader
// that sees a payload word of a later publication also sees, when it looks at the latch word again,
// that the word has changed since, and tries once more.
//
// Templated on the memory so that a model checker runs this very source. Memory supplies
//     Cell                                   one atomic uint64_t
//     load(const Cell&)                      acquire
//     store(Cell&, uint64_t)                 release
//     cas(Cell&, uint64_t& expected, uint64_t desired)   acquire-release, strong
//     clear(Cell&, uint64_t bits)            acquire-release, one step whatever the word was
//
// Whoever may write the segment may change a word without end: nothing here tries again because a
// word has changed, but latch_read, which has a bound.
//
// This file holds the protocol and nothing else. Never allocates; async-signal-safe.
#pragma once

#include <cstdint>

namespace mpol::control {

inline constexpr uint64_t kSpare = 1;      // MPOL_CTL_WORD_SPARE
inline constexpr uint64_t kHasPolicy = 2;  // MPOL_CTL_WORD_HAS_POLICY
inline constexpr uint64_t kState = 0xc;    // MPOL_CTL_WORD_STATE
inline constexpr uint64_t kFree = 0x0;
inline constexpr uint64_t kClaiming = 0x4;
inline constexpr uint64_t kLive = 0x8;
inline constexpr unsigned kGenerationShift = 8;

// A reader that met this many changes in a row keeps the last good copy. A writer publishes at
// most once per lock acquisition (microseconds) and a read takes tens of nanoseconds, so only a
// hostile writer gets a reader here.
inline constexpr unsigned kLatchTries = 64;

[[nodiscard]] constexpr uint64_t generation(uint64_t word) {
    return word >> kGenerationShift;
}

// The same word with the next generation.
[[nodiscard]] constexpr uint64_t next_generation(uint64_t word) {
    return word + (uint64_t{1} << kGenerationShift);
}

template <class Memory>
struct Latch {
    typename Memory::Cell* word;
    typename Memory::Cell* home;
    typename Memory::Cell* spare;
    unsigned words;  // of the payload
};

// Copies the payload. False when kLatchTries were not enough; payload is then garbage.
template <class Memory>
[[nodiscard]] bool latch_read(const Latch<Memory>& latch, uint64_t* payload, uint64_t& ret_word) {
    for (unsigned attempt = 0; attempt < kLatchTries; ++attempt) {
        const uint64_t word = Memory::load(*latch.word);  // Pairs with the cas in latch_publish.
        const auto* from = (word & kSpare) != 0 ? latch.spare : latch.home;
        for (unsigned i = 0; i < latch.words; ++i) payload[i] = Memory::load(from[i]);
        if (Memory::load(*latch.word) == word) {
            ret_word = word;
            return true;
        }
    }
    return false;
}

// Clears SPARE whatever else happens to the word meanwhile (its thread may release the slot).
template <class Memory>
void latch_settle(const Latch<Memory>& latch) {
    Memory::clear(*latch.word, kSpare);
}

// Ends the publication that a dead writer began. The caller holds the writers' lock; latch is the
// one named by the spare's owner.
template <class Memory>
void latch_finish(const Latch<Memory>& latch) {
    if ((Memory::load(*latch.word) & kSpare) == 0) return;
    for (unsigned i = 0; i < latch.words; ++i) {
        Memory::store(latch.home[i], Memory::load(latch.spare[i]));
    }
    latch_settle(latch);
}

// Publishes payload if the latch's word is still seen. The caller holds the writers' lock, has
// finished the spare's previous owner, and has named this latch as the spare's owner. has_policy is
// 0 or kHasPolicy. False: the slot was released meanwhile; nothing was published.
template <class Memory>
[[nodiscard]] bool latch_publish(const Latch<Memory>& latch, uint64_t seen, uint64_t has_policy,
                                 const uint64_t* payload) {
    for (unsigned i = 0; i < latch.words; ++i) Memory::store(latch.spare[i], payload[i]);
    const uint64_t word = next_generation((seen & ~kHasPolicy) | has_policy | kSpare);
    // Pairs with the first load in latch_read: who sees the word sees the spare.
    if (!Memory::cas(*latch.word, seen, word)) return false;
    for (unsigned i = 0; i < latch.words; ++i) Memory::store(latch.home[i], payload[i]);
    latch_settle(latch);
    return true;
}

// For a latch whose spare is its own and which has one writer: fills the copy that nobody is
// directed to, then directs them there.
template <class Memory>
void latch_flip(const Latch<Memory>& latch, uint64_t has_policy, const uint64_t* payload) {
    const uint64_t word = Memory::load(*latch.word);
    auto* to = (word & kSpare) != 0 ? latch.home : latch.spare;
    for (unsigned i = 0; i < latch.words; ++i) Memory::store(to[i], payload[i]);
    Memory::store(*latch.word, next_generation((word & ~kHasPolicy) | has_policy) ^ kSpare);
}

// --- The life of a thread slot: FREE -> CLAIMING -> LIVE -> FREE, each step one change of the
// word; the first two have a new generation each, so that a writer that looked at an earlier life
// fails its cas.

// A thread takes a free slot. Refused while SPARE: a writer, perhaps dead, is still filling the
// home of the slot's former life.
template <class Memory>
[[nodiscard]] bool slot_claim(typename Memory::Cell& cell) {
    uint64_t word = Memory::load(cell);
    if ((word & (kState | kSpare)) != kFree) return false;
    return Memory::cas(cell, word, next_generation((word & ~kHasPolicy) | kClaiming));
}

// The thread has filled in the slot (and, with kHasPolicy, the home): from now on writers may come.
// Returns the word that it opens with.
template <class Memory>
uint64_t slot_open(typename Memory::Cell& cell, uint64_t has_policy) {
    const uint64_t word = next_generation((Memory::load(cell) & ~kState) | kLive | has_policy);
    Memory::store(cell, word);
    return word;
}

// The thread leaves. A SPARE that a writer has set stays for that writer to clear. The generation
// stays as well: nobody publishes to what is not LIVE, and the next life has a later one.
template <class Memory>
void slot_release(typename Memory::Cell& cell) {
    Memory::clear(cell, kState | kHasPolicy);
}

}  // namespace mpol::control
