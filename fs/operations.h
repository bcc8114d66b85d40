// SPDX-License-Identifier: Apache-2.0
// The FUSE half: turns libfuse's calls into those of process.h, with the caller's credentials.
#pragma once

// 3.12: with the number of threads.
#define FUSE_USE_VERSION 312
#include <fuse3/fuse.h>
#include <fuse3/fuse_lowlevel.h>

namespace mpol::fs {

// Static; all of it may be called by several threads at once.
[[nodiscard]] const fuse_operations& operations();

}  // namespace mpol::fs
