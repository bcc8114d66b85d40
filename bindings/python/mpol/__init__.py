# SPDX-License-Identifier: Apache-2.0
"""mpol: live NUMA memory policy of other processes, and of their threads, while they run.

    with mpol.open(4242, write=True) as target:
        target.write("interleave:0-3")
        target.migrate().wait()

The process runs under libmpol-preload (mpol run); nothing else is asked of it, and no privilege of
the caller beyond what ptrace(2) would ask to read it. All of it is libmpol (libmpol.so.0, mpol.h),
called through ctypes: texts are parsed and written there, and errors are its errnos.

Thread-safe, everything. ctypes releases the GIL during each call, so waiting keeps no other thread
from running. Times are seconds and sizes bytes, unless a name ends with its unit."""

from mpol import _abi
from mpol._migration import Migration, Phase, Progress
from mpol._policy import Flag, Mode, Policy, PolicyError, Weights
from mpol._target import Kind, Origin, State, Target, open  # pylint: disable=redefined-builtin
from mpol._task import (get_task_mempolicy, get_task_mems_allowed, pidfd_get_mempolicy, pidfd_mbind,
                        pidfd_set_mempolicy, pidfd_set_mempolicy_home_node, policy,
                        set_task_mempolicy, set_task_mempolicy_home_node, set_timeout, task_mbind,
                        timeout)

__all__ = [
    "Flag", "Kind", "Migration", "Mode", "Origin", "Phase", "Policy", "PolicyError", "Progress",
    "State", "Target", "Weights", "get_task_mempolicy", "get_task_mems_allowed", "open",
    "pidfd_get_mempolicy", "pidfd_mbind", "pidfd_set_mempolicy", "pidfd_set_mempolicy_home_node",
    "policy", "set_task_mempolicy", "set_task_mempolicy_home_node", "set_timeout", "task_mbind",
    "timeout",
]

# libmpol's.
__version__: str = _abi.library.mpol_version().decode("ascii")
