# SPDX-License-Identifier: Apache-2.0
"""include/mpol/mpol.h in ctypes, and nothing else: its structs, its constants, its functions.

A test compares all of it with the header and with what a compiler makes of it. ctypes cuts a number
that is too large for its C type down without a word, so every number of a caller's goes through
bounded(), nodes_to_mask() or milliseconds() first."""

from __future__ import annotations

import ctypes
import math
import operator
from typing import Any, Dict, Iterable, List, Tuple

LIBRARY = "libmpol.so.0"

NODE_WORDS = 16
NO_NODE = -1
WEIGHTED_NODES = 40
READ = 0
WRITE = 1
KEEP_CACHED = 1
NODES_MAX = NODE_WORDS * 64
# One more than the number of bits, as the kernel's calls have it.
MAXNODE = NODES_MAX + 1

# linux/mempolicy.h, which mpol.h refers to.
F_ADDR = 1 << 1
F_MEMS_ALLOWED = 1 << 2
MODE_FLAGS = 1 << 15 | 1 << 14 | 1 << 13

NodeMask = ctypes.c_ulong * NODE_WORDS


class Policy(ctypes.Structure):
    """struct mpol_policy."""
    _fields_ = [
        ("mode", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
        ("home_node", ctypes.c_int32),
        ("weight_source", ctypes.c_uint32),
        ("nodes", ctypes.c_uint64 * NODE_WORDS),
        ("weights", ctypes.c_uint8 * WEIGHTED_NODES),
    ]


class State(ctypes.Structure):
    """struct mpol_state."""
    _fields_ = [
        ("set", ctypes.c_int32),
        ("in_force", ctypes.c_int32),
        ("generation", ctypes.c_uint64),
        ("origin", ctypes.c_uint32),
        ("origin_uid", ctypes.c_uint32),
        ("origin_pid", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("set_at_ns", ctypes.c_uint64),
        ("policy", Policy),
    ]


class Migration(ctypes.Structure):
    """struct mpol_migration."""
    _fields_ = [
        ("generation", ctypes.c_uint64),
        ("phase", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("total_bytes", ctypes.c_uint64),
        ("remaining_bytes", ctypes.c_uint64),
        ("moved_bytes", ctypes.c_uint64),
        ("in_place_bytes", ctypes.c_uint64),
        ("unbound_bytes", ctypes.c_uint64),
        ("busy_bytes", ctypes.c_uint64),
        ("no_memory_bytes", ctypes.c_uint64),
        ("shared_bytes", ctypes.c_uint64),
        ("other_bytes", ctypes.c_uint64),
        ("elapsed_ns", ctypes.c_uint64),
        ("batches", ctypes.c_uint64),
        ("longest_batch_ns", ctypes.c_uint64),
        ("reserved", ctypes.c_uint64 * 8),
    ]


class MbindArgs(ctypes.Structure):
    """struct mpol_mbind_args."""
    _fields_ = [
        ("pid", ctypes.c_int),
        ("start", ctypes.c_ulong),
        ("len", ctypes.c_ulong),
        ("mode", ctypes.c_ulong),
        ("nodemask", ctypes.POINTER(ctypes.c_ulong)),
        ("maxnode", ctypes.c_ulong),
        ("flags", ctypes.c_uint),
    ]


# By value, a target is an address that only the library looks behind.
Handle = ctypes.c_void_p
_pid, _int, _unsigned, _ulong = ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_ulong
_mask, _address = ctypes.POINTER(ctypes.c_ulong), ctypes.c_void_p
_int_out, _u64_out = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_uint64)
_policy, _state = ctypes.POINTER(Policy), ctypes.POINTER(State)
_set_mempolicy = (_int, [_int, _int, _mask, _ulong])
_get_mempolicy = (_int, [_int, _int_out, _mask, _ulong, _address, _ulong])
_home_node = (_int, [_int, _ulong, _ulong, _ulong, _ulong])

FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "mpol_set_task_mempolicy": _set_mempolicy,
    "mpol_get_task_mempolicy": _get_mempolicy,
    "mpol_set_task_mempolicy_home_node": _home_node,
    "mpol_task_mbind": (_int, [ctypes.POINTER(MbindArgs), ctypes.c_size_t]),
    "mpol_pidfd_set_mempolicy": _set_mempolicy,
    "mpol_pidfd_get_mempolicy": _get_mempolicy,
    "mpol_pidfd_set_mempolicy_home_node": _home_node,
    "mpol_pidfd_mbind": (_int, [_int, ctypes.POINTER(MbindArgs), ctypes.c_size_t]),
    "mpol_set_timeout_ms": (None, [_int]),
    "mpol_timeout_ms": (_int, []),
    "mpol_open": (_int, [_pid, _unsigned, ctypes.POINTER(Handle)]),
    "mpol_close": (None, [Handle]),
    "mpol_read": (_int, [Handle, _pid, _state]),
    "mpol_write_flags": (_int, [Handle, _pid, _policy, _unsigned, _int]),
    "mpol_read_kind": (_int, [Handle, _unsigned, _u64_out, _state]),
    "mpol_write_kind": (_int, [Handle, _unsigned, ctypes.c_uint64, _policy, _int]),
    "mpol_read_thread_kind": (_int, [Handle, _pid, _unsigned, _u64_out, _state]),
    "mpol_write_thread_kind": (_int, [Handle, _pid, _unsigned, ctypes.c_uint64, _policy, _int]),
    "mpol_start_migration": (_int, [Handle, _pid, ctypes.c_uint64, ctypes.c_uint32, _u64_out]),
    "mpol_read_migration": (_int, [Handle, ctypes.POINTER(Migration)]),
    "mpol_renew_migration": (_int, [Handle]),
    "mpol_wait_migration": (_int, [Handle, ctypes.c_uint64, _int]),
    "mpol_cancel_migration": (_int, [Handle, ctypes.c_uint64]),
    "mpol_parse": (_int, [ctypes.c_char_p, _policy, ctypes.c_char_p, ctypes.c_size_t]),
    "mpol_format": (_int, [_policy, ctypes.c_char_p, ctypes.c_size_t]),
    "mpol_version": (ctypes.c_char_p, []),
}


def _load() -> ctypes.CDLL:
    try:
        loaded = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise ImportError(f"mpol needs {LIBRARY}: {error}; where it was installed just now, run "
                          "ldconfig") from error
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


library = _load()


def bounded(what: str, value: int, low: int, high: int) -> int:
    """The number, where it lies within both; OverflowError elsewhere, TypeError: it is none."""
    number = operator.index(value)
    if not low <= number <= high:
        raise OverflowError(f"{what} is out of range: {number}")
    return number


def task_id(value: int, what: str = "tid") -> int:
    """A pid, a tid or a descriptor, as far as C can tell."""
    return bounded(what, value, -1 << 31, (1 << 31) - 1)


def unsigned(what: str, value: int, bits: int = 64) -> int:
    """Of so many bits."""
    return bounded(what, value, 0, (1 << bits) - 1)


def milliseconds(what: str, seconds: float, bits: int = 31) -> int:
    """Rounded up, so that no wait that was asked for becomes none."""
    if not seconds >= 0:
        raise ValueError(f"{what} is not a number of seconds: {seconds}")
    return min(math.ceil(min(seconds, 1 << bits) * 1000), (1 << bits) - 1)


def nodes_to_mask(nodes: Iterable[int], words: Any) -> Any:
    """words is the array type of the mask; all have room for NODES_MAX nodes."""
    mask = words()
    for node in nodes:
        bounded("node", node, 0, NODES_MAX - 1)
        mask[node // 64] |= 1 << node % 64
    return mask


def mask_to_nodes(mask: Any) -> Tuple[int, ...]:
    """Ascending."""
    return tuple(64 * index + bit for index, word in enumerate(mask) if word
                 for bit in range(64) if word >> bit & 1)
