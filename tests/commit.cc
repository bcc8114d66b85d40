// SPDX-License-Identifier: Apache-2.0
// A library of its own: another commit links no test again.
#include "commit.h"

#include "replay.h"

namespace mpol::test {

const char* commit() {
    return MPOL_COMMIT;
}

}  // namespace mpol::test
