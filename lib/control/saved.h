// SPDX-License-Identifier: Apache-2.0
// Saved rows (struct mpol_ctl_saved): what a scope had before a daemon set its policy. Which of a
// scope's policies are the daemon's is decided here, for the target's side and the writers' alike.
// Never allocates; async-signal-safe.
#pragma once

#include "control/words.h"

namespace mpol::control {

// A row, read once. Nothing in it is believed: what is given back goes through decode() first.
struct SavedRow {
    uint64_t state = MPOL_CTL_SAVED_NONE;
    bool had_policy = false;
    uint64_t ours = 0;
    uint32_t tid = 0;
    PolicyWords policy{};
};

[[nodiscard]] inline SavedRow read_saved(const mpol_ctl_saved& row) {
    SavedRow out;
    const uint64_t word = load(row.word);
    out.state = word & MPOL_CTL_SAVED_STATE;
    out.had_policy = (word & MPOL_CTL_SAVED_HAD_POLICY) != 0;
    out.ours = load(row.ours);
    out.tid = load(row.tid);
    for (unsigned i = 0; i < kPolicyWords; ++i) out.policy.words[i] = load(row.policy[i]);
    return out;
}

// word last: a row that says HELD is whole.
inline void write_saved(mpol_ctl_saved& row, const SavedRow& saved) {
    store(row.word, MPOL_CTL_SAVED_NONE);
    for (unsigned i = 0; i < kPolicyWords; ++i) store(row.policy[i], saved.policy.words[i]);
    store(row.tid, saved.tid);
    store(row.ours, saved.ours);
    store(row.word, saved.state | (saved.had_policy ? MPOL_CTL_SAVED_HAD_POLICY : 0));
}

[[nodiscard]] inline mpol_ctl_origin origin_kind(const PolicyWords& words) {
    return static_cast<mpol_ctl_origin>(static_cast<uint8_t>(words.words[0] >> 8));
}

// Whether the scope with that latch word and payload has the policy that the daemon gave it.
[[nodiscard]] inline bool is_daemons(const SavedRow& saved, uint64_t word, const PolicyWords& now) {
    const uint64_t at = generation(word);
    return saved.state == MPOL_CTL_SAVED_HELD && origin_kind(now) == MPOL_CTL_ORIGIN_DAEMON &&
           (saved.ours == at || saved.ours == at + 1);
}

// The daemon died between keeping and publishing, or between giving back and forgetting: what the
// row keeps is what there is.
[[nodiscard]] inline bool nothing_happened(const SavedRow& saved, const PolicyWords& now) {
    for (unsigned i = 0; i < kPolicyWords; ++i) {
        if (saved.policy.words[i] != now.words[i]) return false;
    }
    return true;
}

// The copy for a forked child's scope, or that of a thread that inherits, whose generation is then
// at.
[[nodiscard]] inline SavedRow inherited_row(SavedRow saved, bool daemons, uint64_t at,
                                            uint32_t tid) {
    saved.ours = daemons ? at : 0;
    saved.tid = tid;
    return saved;
}

}  // namespace mpol::control
