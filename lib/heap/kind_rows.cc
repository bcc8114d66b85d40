// SPDX-License-Identifier: Apache-2.0
#include "heap/kind_rows.h"

#include <cerrno>

#include "control/segment.h"

namespace mpol::heap {

bool read_kind_row(const mpol_ctl_kind& row, const control::SharedLatch& latch,
                   control::PolicyWords& ret_words, KindAsked& ret_asked) {
    KindAsked asked;
    if (!control::latch_read(latch, ret_words.words, asked.word)) {
        control::count(MPOL_CTL_LATCH_GAVE_UP);
        return false;
    }
    // Two publications later the place is another one's; that one's epoch brings us here again.
    asked.threshold = control::load(row.threshold[control::generation(asked.word) % 2]);
    asked.set = (asked.word & control::kHasPolicy) != 0;
    asked.keeps_cached = control::keeps_cached(ret_words);
    ret_asked = asked;
    return true;
}

bool read_kind_asked(const mpol_ctl_kind& row, const control::SharedLatch& latch,
                     KindAsked& ret_asked) {
    control::PolicyWords words;
    control::Origin origin;
    if (!read_kind_row(row, latch, words, ret_asked)) return false;
    if (!ret_asked.set || control::decode(words, ret_asked.policy, origin)) return true;
    control::record_error(MPOL_CTL_ERROR_LATCH, EINVAL, words.words[0]);
    return false;
}

}  // namespace mpol::heap
