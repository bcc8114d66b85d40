// SPDX-License-Identifier: Apache-2.0
// System calls that outsiders ask this process to make on itself (struct mpol_ctl_request). Who may
// write the segment may trace the process, and could make it do the same; every argument goes to
// the kernel's own checks as it is.
#pragma once

namespace mpol::heap {

// Carries out what is asked. Any thread, usually the helper; one at a time, the others return at
// once. True when something was done: the caller acknowledges.
bool serve_requests();

// In a forked child: nobody is serving.
void renew_requests();

}  // namespace mpol::heap
