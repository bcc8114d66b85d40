/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets that fast_path.S can't ask the compiler for; malloc.cc holds them to the truth. */
#ifndef MPOL_PRELOAD_FAST_PATH_H
#define MPOL_PRELOAD_FAST_PATH_H

#define MPOL_AT_EPOCH 128             /* mpol_ctl::header.epoch */
#define MPOL_AT_TASK_EPOCH 0          /* heap::Task::epoch */
#define MPOL_AT_TASK_ROUTED_EPOCH 192 /* heap::Task::routed_epoch */
#define MPOL_AT_TASK_LARGE_ABOVE 200  /* heap::Task::large_above */

#endif
