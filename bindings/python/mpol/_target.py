# SPDX-License-Identifier: Apache-2.0
"""A process's control segment, held open: reading its policies, setting them, moving its pages.

ctypes releases the GIL for the length of each call, so other threads run while one waits. The C
handle may be closed when no call is in it, and is written by one thread at a time (two that share
it share its lock on the segment too, and would publish across each other): Target sees to both."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import enum
import os
import threading
import warnings
from typing import Any, Iterator, Mapping, Optional, Type

from mpol import _abi, _errors
from mpol._migration import Migration
from mpol._policy import Policy, PolicyOrText, from_c, policy_of, to_c

_lib = _abi.library
_UNSET = "unset"


class Kind(enum.IntEnum):
    """Memory that may follow a policy of its own, whoever allocates it: LARGE, heap allocations of
    at least a threshold; STACK, stacks of all threads but the main one; MMAP, private anonymous
    mappings of the program's own. Source: enum mpol_kind."""
    LARGE = 0
    STACK = 1
    MMAP = 2


class Origin(enum.IntEnum):
    """Who set a policy: NONE, nobody; PROGRAM, the program itself; LAUNCHER, mpol run; OUTSIDE,
    another process; INHERITED, a parent's; DAEMON, mpold for its rules. Source: enum
    mpol_origin."""
    NONE = 0
    PROGRAM = 1
    LAUNCHER = 2
    OUTSIDE = 3
    INHERITED = 4
    DAEMON = 5


@dataclasses.dataclass(frozen=True)
class State:
    """A scope's policy as it was read, all of one moment. Source: struct mpol_state.

    policy      the one that was set from outside (of a thread: its own), or None
    in_force    it is on all of the scope's heap memory
    generation  counts publications
    origin      Origin of policy, by whom with origin_uid and origin_pid; NONE, 0, 0 without one
    error       errno of the last application, 0: none
    set_at_ns   when, in nanoseconds of CLOCK_REALTIME; 0 without a policy
    threshold   bytes, of Kind.LARGE with a policy; else 0"""

    policy: Optional[Policy]
    in_force: bool
    generation: int
    origin: Origin
    origin_uid: int
    origin_pid: int
    error: int
    set_at_ns: int
    threshold: int = 0


def _state(read: Any, threshold: int = 0) -> State:
    return State(from_c(read.policy) if read.set else None, bool(read.in_force),
                 read.generation, Origin(read.origin), read.origin_uid, read.origin_pid, read.error,
                 read.set_at_ns, threshold)


class Target:
    """A process's control segment; mpol.open() makes one. A context manager that closes at its end.

    tid is a thread's id as the caller's pid namespace knows it, 0 the process. Times are seconds; a
    policy may be given as text.

    Thread-safe: any number of threads may use one target, and close it. Signals are handled when a
    call returns. A forked child may read and close; to write it opens its own.

    Errors are OSError with libmpol's errno (ProcessLookupError, PermissionError, TimeoutError) and
    a sentence that names the object; nothing has changed then, but after TimeoutError. ValueError:
    the target is closed, or a policy's text or a time is wrong. OverflowError: a number has no room
    in C. Source: mpol_open and what follows it in mpol.h."""

    def __init__(self, pid: int, write: bool = False) -> None:
        self._closed = True
        self._pid = _abi.task_id(pid, "pid")
        self._writable = bool(write)
        # Protects _closed and _users. Held for no call into the library but the closing one.
        # Reentrant because a signal handler may use the target that it interrupted.
        self._lock = threading.RLock()
        self._users = 0
        self._opener = os.getpid()
        self._handle = _abi.Handle()
        err = _lib.mpol_open(self._pid, _abi.WRITE if write else _abi.READ,
                             ctypes.byref(self._handle))
        self._check(err, "open", _errors.of_open(f"process {self._pid}"))
        self._closed = False

    @property
    def pid(self) -> int:
        """The process's id, as it was given."""
        return self._pid

    @property
    def writable(self) -> bool:
        """It was opened with write=True."""
        return self._writable

    @property
    def closed(self) -> bool:
        """close() was called."""
        return self._closed

    def close(self) -> None:
        """Lets go of the segment, when the last call of another thread has come back. Twice is
        fine. What was set stays set. Thread-safe. Source: mpol_close."""
        with self._lock:
            last = not self._closed and self._users == 0
            self._closed = True
            if last:
                _lib.mpol_close(self._handle)

    def read(self, tid: int = 0) -> State:
        """The policy of the process (tid 0), without a system call, or a thread's own. Thread-safe.
        ESRCH: no such thread; ENODEV: it has no slot and follows the process; EAGAIN: the policy
        changed under every try. Source: mpol_read."""
        read = _abi.State()
        with self._held() as handle:
            err = _lib.mpol_read(handle, _abi.task_id(tid), read)
        self._check(err, "read", _errors.of_read(self._pid, tid))
        return _state(read)

    def write(self, policy: PolicyOrText, tid: int = 0, timeout: float = 2.0,
              keep_cached: bool = False) -> None:
        """Sets the policy of the process (tid 0), which threads without their own follow, or a
        thread's own, and waits up to timeout until it is in force; 0 does not wait. Free memory
        that the process has cached is given back, and faulted anew under the policy; with
        keep_cached it keeps the pages it has. Thread-safe. EINVAL: no node of the policy is
        allowed to the process; EBUSY: another writer is in the way; ETIMEDOUT: it comes into force
        at the next allocation. Source: mpol_write_flags."""
        self._write(policy_of(policy), tid, timeout, keep_cached)

    def unset(self, tid: int = 0, timeout: float = 2.0, keep_cached: bool = False) -> None:
        """Takes back what was set from outside: the process (tid 0) has its program's own policy
        again, a thread follows the process. timeout, keep_cached and errors as for write().
        Thread-safe. Source: mpol_write_flags."""
        self._write(None, tid, timeout, keep_cached)

    def read_kind(self, kind: Kind, tid: int = 0) -> State:
        """The policy of a kind of memory, of the process (tid 0) or of a thread's own, with its
        threshold. Thread-safe. ESRCH, ENODEV, EAGAIN as for read(). Source: mpol_read_kind,
        mpol_read_thread_kind."""
        read, threshold = _abi.State(), ctypes.c_uint64()
        kind = Kind(kind)
        with self._held() as handle:
            if tid == 0:
                err = _lib.mpol_read_kind(handle, kind, ctypes.byref(threshold), read)
            else:
                err = _lib.mpol_read_thread_kind(handle, _abi.task_id(tid), kind,
                                                 ctypes.byref(threshold), read)
        self._check(err, "read", _errors.of_read(self._pid, tid))
        return _state(read, threshold.value)

    def write_kind(self, kind: Kind, policy: PolicyOrText, threshold: int = 0, tid: int = 0,
                   timeout: float = 2.0) -> None:
        """Sets the policy of a kind of memory, of the process (tid 0) or of a thread's own;
        threshold is bytes, at least 65536, of Kind.LARGE, and 0 of the others. Waits up to
        timeout, and fails, as write(); and ERANGE: the target's thread caches serve the threshold;
        EOPNOTSUPP: weights of one's own, of another kind than LARGE; ENODATA: LARGE of a thread
        without a policy of its own; ENOMEM: no memory for a thread's row. Thread-safe. Source:
        mpol_write_kind, mpol_write_thread_kind."""
        self._write_kind(kind, policy_of(policy), threshold, tid, timeout)

    def unset_kind(self, kind: Kind, tid: int = 0, timeout: float = 2.0) -> None:
        """Takes the policy of a kind back, of the process (tid 0) or of a thread: large allocations
        then follow the process, stacks and mappings their threads' task policy. timeout and errors
        as for write_kind(). Thread-safe. Source: mpol_write_kind, mpol_write_thread_kind."""
        self._write_kind(kind, None, 0, tid, timeout)

    def migrate(self, tid: int = 0, rate: int = 0, lease: float = 10.0) -> Migration:
        """Has the process move the pages of its heap to where its policies want them (tid 0), or
        those that a thread has allocated under a policy of its own, and returns at once. rate:
        bytes a second, 0: as fast as it goes. lease: seconds, at most 60, after which it pauses
        when nobody asked for its progress() or waits for it; 0: it goes on to its end, whoever
        lives. Thread-safe. EBUSY: one is under way, or another writer is in the way; EBADF: opened
        for reading. Source: mpol_start_migration."""
        generation = ctypes.c_uint64()
        lease_ms = _abi.milliseconds("lease", lease, 32)
        rate = _abi.unsigned("rate", rate)
        with self._writing() as handle:
            err = _lib.mpol_start_migration(handle, _abi.task_id(tid), rate, lease_ms,
                                            ctypes.byref(generation))
        self._check(err, "migrate", _errors.of_migration(self._pid, tid))
        return Migration(self, generation.value)

    def migration(self) -> Optional[Migration]:
        """The latest migration that anybody asked for, to follow or cancel it; None: there was
        none. Thread-safe. No system call. Source: mpol_read_migration."""
        read = _abi.Migration()
        with self._held() as handle:
            _lib.mpol_read_migration(handle, read)
        return Migration(self, read.generation) if read.generation else None

    def __enter__(self) -> Target:
        with self._held():
            return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, trace: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._closed:
            warnings.warn(f"unclosed target {self!r}", ResourceWarning, source=self)
            self.close()

    def __repr__(self) -> str:
        how = "closed" if self._closed else "for writing" if self._writable else "for reading"
        return f"<mpol.Target of process {self._pid}, {how}>"

    @contextlib.contextmanager
    def _held(self) -> Iterator[Any]:
        """The handle, which stays open until the block ends."""
        with self._lock:
            if self._closed:
                raise ValueError(f"the target of process {self._pid} is closed")
            self._users += 1
        try:
            yield self._handle
        finally:
            with self._lock:
                self._users -= 1
                if self._closed and self._users == 0:
                    _lib.mpol_close(self._handle)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Any]:
        """The handle, for the process that may write through it: a forked child shares the parent's
        lock on the segment."""
        with self._held() as handle:
            if os.getpid() != self._opener:
                raise ValueError(f"the target of process {self._pid} was opened before a fork: "
                                 "open it again to write")
            yield handle

    def _write(self, policy: Optional[Policy], tid: int, timeout: float, keep: bool) -> None:
        flags = _abi.KEEP_CACHED if keep else 0
        timeout_ms = _abi.milliseconds("timeout", timeout)
        with self._writing() as handle:
            err = _lib.mpol_write_flags(handle, _abi.task_id(tid), policy and to_c(policy), flags,
                                        timeout_ms)
        self._check(err, "write",
                    _errors.of_write(self._pid, tid, str(policy or _UNSET), timeout))

    def _write_kind(self, kind: Kind, policy: Optional[Policy], threshold: int, tid: int,
                    timeout: float) -> None:
        timeout_ms = _abi.milliseconds("timeout", timeout)
        kind = Kind(kind)
        wanted = (_abi.unsigned("threshold", threshold), policy and to_c(policy), timeout_ms)
        with self._writing() as handle:
            if tid == 0:
                err = _lib.mpol_write_kind(handle, kind, *wanted)
            else:
                err = _lib.mpol_write_thread_kind(handle, _abi.task_id(tid), kind, *wanted)
        text = f"{policy or _UNSET} for {kind.name}"
        self._check(err, "write",
                    _errors.of_write_kind(self._pid, tid, text, timeout, threshold))

    def _check(self, result: int, verb: str, sentences: Mapping[int, str]) -> None:
        if result < 0:
            raise _errors.failure(-result, f"{verb} process {self._pid}", sentences)


def open(pid: int, write: bool = False) -> Target:  # noqa: A001  as the standard library's modules
    """Opens the control segment of the process pid, to read its policies, with write to set them.
    Close it, or use it in a with statement. Thread-safe. ESRCH: no such process; EPERM: the kernel
    refuses the caller; ENODEV: it does not run under libmpol-preload; EPROTO: its segment is
    damaged or of another version. Source: mpol_open."""
    return Target(pid, write)
