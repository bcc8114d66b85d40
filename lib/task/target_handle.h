// SPDX-License-Identifier: Apache-2.0
// What the C API's mpol_target is.
#pragma once

#include "control/attach.h"
#include "mpol/mpol.h"

struct mpol_target {
    mpol::control::Target target;
    bool writable;
};
