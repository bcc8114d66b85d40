# SPDX-License-Identifier: Apache-2.0
"""The four calls of the kernel RFC on a task, by thread id and by pidfd, with node lists for node
masks; and a policy of the calling thread for the length of a block.

tid is a thread's id as the caller's pid namespace knows it; 0 is the calling thread, and the call
is then exactly the kernel's own. A pidfd (os.pidfd_open) means the main thread of its process, and
no other process that its id may belong to later. All are thread-safe, and wait for the other
process at most for timeout(). Errors are OSError with the kernel's errno for the arguments; then
ESRCH, EPERM, ENODEV, EPROTO as for mpol.open(), EBUSY and ETIMEDOUT as for Target.write()."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import threading
from typing import Any, Iterable, Iterator, Optional, Tuple

from mpol import _abi, _errors
from mpol._policy import Flag, Mode, Policy, PolicyOrText, policy_of

_lib = _abi.library


def set_timeout(seconds: float) -> None:
    """How long a call on a task waits for the other process, and every write for another writer:
    seconds, 2 unless set. For the whole process. Thread-safe. Source: mpol_set_timeout_ms."""
    _lib.mpol_set_timeout_ms(_abi.milliseconds("timeout", seconds))


def timeout() -> float:
    """What set_timeout() has set, in seconds. Thread-safe. Source: mpol_timeout_ms."""
    return int(_lib.mpol_timeout_ms()) / 1000


def set_task_mempolicy(tid: int, mode: Mode, nodes: Iterable[int] = (),
                       flags: Flag = Flag(0)) -> None:
    """set_mempolicy(2) on the thread tid: mode, flags and nodes of what it allocates from now on,
    and of its stack and direct mappings from its next allocation on. Thread-safe. Source:
    mpol_set_task_mempolicy."""
    _set("mpol_set_task_mempolicy", tid, mode | flags, nodes)


def pidfd_set_mempolicy(pidfd: int, mode: Mode, nodes: Iterable[int] = (),
                        flags: Flag = Flag(0)) -> None:
    """set_task_mempolicy() on the process of a pidfd: mode, nodes, flags as there. Thread-safe.
    EBADF: not a pidfd. Source: mpol_pidfd_set_mempolicy."""
    _set("mpol_pidfd_set_mempolicy", pidfd, mode | flags, nodes)


def get_task_mempolicy(tid: int = 0, addr: Optional[int] = None) -> Policy:
    """get_mempolicy(2) on the thread tid: its policy, or that of the mapping at the address addr of
    its process, which looks at its own address space; DEFAULT where the mapping has none. Nodes are
    those that are in effect, unless a flag has the kernel keep the user's. Thread-safe. EFAULT:
    nothing is mapped at addr. Source: mpol_get_task_mempolicy."""
    return _get("mpol_get_task_mempolicy", tid, addr)


def pidfd_get_mempolicy(pidfd: int, addr: Optional[int] = None) -> Policy:
    """get_task_mempolicy() on the process of a pidfd: addr as there. Thread-safe. EBADF: not a
    pidfd. Source: mpol_pidfd_get_mempolicy."""
    return _get("mpol_pidfd_get_mempolicy", pidfd, addr)


def get_task_mems_allowed(tid: int = 0) -> Tuple[int, ...]:
    """The nodes that the cpuset of the thread tid allows it, ascending: get_mempolicy(2) with
    MPOL_F_MEMS_ALLOWED. Thread-safe. Source: mpol_get_task_mempolicy."""
    return _get_raw("mpol_get_task_mempolicy", tid, None, _abi.F_MEMS_ALLOWED)[1]


def set_task_mempolicy_home_node(tid: int, start: int, length: int, home_node: int) -> None:
    """set_mempolicy_home_node(2): home_node for the length bytes from start on, of the address
    space of the thread tid, where a policy of MPOL_BIND or MPOL_PREFERRED_MANY is. Thread-safe.
    Source: mpol_set_task_mempolicy_home_node."""
    _home_node("mpol_set_task_mempolicy_home_node", tid, start, length, home_node)


def pidfd_set_mempolicy_home_node(pidfd: int, start: int, length: int, home_node: int) -> None:
    """set_task_mempolicy_home_node() on the process of a pidfd: start, length, home_node as there.
    Thread-safe. EBADF: not a pidfd. Source: mpol_pidfd_set_mempolicy_home_node."""
    _home_node("mpol_pidfd_set_mempolicy_home_node", pidfd, start, length, home_node)


def task_mbind(tid: int, start: int, length: int, mode: Mode, nodes: Iterable[int] = (),
               flags: Flag = Flag(0), move_flags: int = 0) -> None:
    """mbind(2) on the length bytes from the page-aligned address start on, of the address space of
    the thread tid: mode, nodes and flags of the policy; move_flags: 1 MPOL_MF_STRICT, 2
    MPOL_MF_MOVE, 4 MPOL_MF_MOVE_ALL, which needs CAP_SYS_NICE of the caller and of the target.
    Thread-safe. Source: mpol_task_mbind."""
    args = _mbind_args(tid, start, length, mode | flags, nodes, move_flags)
    _check(_lib.mpol_task_mbind(args, ctypes.sizeof(args)), "mpol_task_mbind", tid)


def pidfd_mbind(pidfd: int, start: int, length: int, mode: Mode, nodes: Iterable[int] = (),
                flags: Flag = Flag(0), move_flags: int = 0) -> None:
    """task_mbind() on the process of a pidfd: start, length, mode, nodes, flags, move_flags as
    there. Thread-safe. EBADF: not a pidfd. Source: mpol_pidfd_mbind."""
    args = _mbind_args(0, start, length, mode | flags, nodes, move_flags)
    call = "mpol_pidfd_mbind"
    _check(_lib.mpol_pidfd_mbind(_task_id(call, pidfd), args, ctypes.sizeof(args)), call, pidfd)


@contextlib.contextmanager
def policy(wanted: PolicyOrText) -> Iterator[None]:
    """The calling thread's task policy, wanted, for the length of a with statement or, as a
    decorator, of a function: of memory that the thread touches first in it, and that has no policy
    of its own. At its end the thread has the very policy of before again, mode, flags and nodes;
    where an interleave of before stood, the kernel does not tell, so it starts anew. A policy that
    was set in between, in the block or from outside, and is still there at its end, stays.

    Threads are apart: of other threads' policies nothing changes. RuntimeError: the block ends on
    another thread than it began on. ValueError: a task has no home node and no weights of its own.
    OSError as set_mempolicy(2) at both ends. Source: set_mempolicy(2), get_mempolicy(2)."""
    asked = policy_of(wanted)
    if asked.home_node is not None or asked.weights:
        raise ValueError(f"{asked}: a task has no home node and no weights of its own")
    thread, allowed = threading.get_native_id(), get_task_mems_allowed()
    former = _get_own()
    set_task_mempolicy(0, asked.mode, asked.nodes, asked.flags)
    placed = _get_own()
    try:
        yield
    finally:
        if threading.get_native_id() != thread:
            raise RuntimeError("a policy's block ended on another thread than it began on")
        # A change of the cpuset rebinds what the block has set, which is then no other policy.
        if _get_own() == placed or get_task_mems_allowed() != allowed:
            _set("mpol_set_task_mempolicy", 0, *former)


def _get_own() -> Tuple[int, Tuple[int, ...]]:
    return _get_raw("mpol_get_task_mempolicy", 0, None, 0)


def _set(call: str, task: int, mode_word: int, nodes: Iterable[int]) -> None:
    mask, maxnode = _mask(nodes)
    result = getattr(_lib, call)(_task_id(call, task), _mode_word(mode_word), mask, maxnode)
    _check(result, call, task)


def _get_raw(call: str, task: int, addr: Optional[int],
             flags: int) -> Tuple[int, Tuple[int, ...]]:
    """The mode word and the nodes, as the kernel has them."""
    mode, mask = ctypes.c_int(), _abi.NodeMask()
    where = None if addr is None else _abi.unsigned("addr", addr)
    result = getattr(_lib, call)(_task_id(call, task), ctypes.byref(mode), mask, _abi.MAXNODE,
                                 where, flags)
    _check(result, call, task)
    return mode.value, _abi.mask_to_nodes(mask)


def _get(call: str, task: int, addr: Optional[int]) -> Policy:
    word, nodes = _get_raw(call, task, addr, 0 if addr is None else _abi.F_ADDR)
    return Policy(Mode(word & ~_abi.MODE_FLAGS), nodes, Flag(word & _abi.MODE_FLAGS))


def _home_node(call: str, task: int, start: int, length: int, home_node: int) -> None:
    result = getattr(_lib, call)(_task_id(call, task), _abi.unsigned("start", start),
                                 _abi.unsigned("length", length),
                                 _abi.unsigned("home_node", home_node), 0)
    _check(result, call, task)


def _mbind_args(tid: int, start: int, length: int, mode_word: int, nodes: Iterable[int],
                move_flags: int) -> Any:
    mask, maxnode = _mask(nodes)
    return _abi.MbindArgs(_abi.task_id(tid), _abi.unsigned("start", start),
                          _abi.unsigned("length", length), _mode_word(mode_word), mask, maxnode,
                          _abi.unsigned("move_flags", move_flags, 32))


def _task_id(call: str, task: int) -> int:
    return _abi.task_id(task, "pidfd" if "pidfd" in call else "tid")


def _mode_word(mode_word: int) -> int:
    return _abi.bounded("mode and flags", mode_word, 0, (1 << 31) - 1)


def _mask(nodes: Iterable[int]) -> Tuple[Any, int]:
    """A node mask and its maxnode; no nodes are a null pointer, as the kernel's users write it."""
    kept = tuple(nodes)
    if not kept:
        return None, 0
    mask = _abi.nodes_to_mask(kept, _abi.NodeMask)
    return ctypes.cast(mask, ctypes.POINTER(ctypes.c_ulong)), _abi.MAXNODE


def _check(result: int, call: str, task: int) -> None:
    if result >= 0:
        return
    other = bool(task) or "pidfd" in call
    name = ("the calling thread" if not other else
            f"the process of pidfd {task}" if "pidfd" in call else f"thread {task}")
    sentences = {} if not other else {
        **_errors.of_open(name),
        errno.EBUSY: _errors.busy(name),
        errno.ETIMEDOUT: f"{name} has not acted on it within {timeout():g} s: it will at its next "
                         "allocation",
    }
    if "mbind" in call:
        # The kernel's, for MPOL_MF_MOVE_ALL, looks the same as that of its open.
        sentences[errno.EPERM] = (f"not permitted to change {name}: be its user or root; "
                                  "MPOL_MF_MOVE_ALL needs CAP_SYS_NICE of both")
    raise _errors.failure(-result, f"{call.replace('mpol_', '')} on {name}", sentences)
