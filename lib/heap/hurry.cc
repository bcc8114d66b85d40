// SPDX-License-Identifier: Apache-2.0
#include "heap/hurry.h"

#include "heap/task.h"
#include "sys/sys.h"

namespace mpol::heap {

namespace {

constexpr int kLowest = -20;

thread_local constinit bool in_hurry MPOL_TLS = false;
constinit int usual = 0;  // Of the one thread that hurries.

}  // namespace

void hurry() {
    in_hurry = sys::get_nice(usual) == 0 && usual > kLowest && sys::set_nice(kLowest) == 0;
}

bool hurries() {
    return in_hurry;
}

Unhurried::Unhurried(bool wanted)
    : changed_(wanted && in_hurry && sys::set_nice(usual) == 0) {}

Unhurried::~Unhurried() {
    if (changed_) sys::set_nice(kLowest);
}

}  // namespace mpol::heap
