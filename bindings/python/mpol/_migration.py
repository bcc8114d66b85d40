# SPDX-License-Identifier: Apache-2.0
"""Pages that are moved while their program runs: following it, keeping it going, ending it."""

from __future__ import annotations

import dataclasses
import enum
import errno
import time
from typing import TYPE_CHECKING, Any, Optional

from mpol import _abi, _errors

if TYPE_CHECKING:
    from mpol._target import Target

_lib = _abi.library
# How long Ctrl-C waits for a wait: Python runs its handlers between two calls only.
_SLICE_S = 0.1


class Phase(enum.IntEnum):
    """Where a migration stands: IDLE, there was none; ASKED; RUNNING; PAUSED, its lease has run
    out; and ended: DONE, CANCELLED, REFUSED, the target may not call move_pages(2). Source: enum
    mpol_migration_phase."""
    IDLE = 0
    ASKED = 1
    RUNNING = 2
    PAUSED = 3
    DONE = 4
    CANCELLED = 5
    REFUSED = 6


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a migration has come, in bytes of heap memory. Source: struct mpol_migration.

    phase             Phase
    error             errno of REFUSED, or the last of other_bytes; 0: none
    total_bytes       of memory that a policy names nodes for
    remaining_bytes   of those, not looked at yet
    moved_bytes       of those, moved
    in_place_bytes    found where they belong
    unbound_bytes     of memory that no policy names nodes for
    busy_bytes        stayed: pinned or under I/O, tried twice
    no_memory_bytes   stayed: no room where they belong
    shared_bytes      stayed: other processes map them too, as after fork
    other_bytes       stayed, for another reason
    elapsed_ns        since it began, in nanoseconds
    batches           how many there were
    longest_batch_ns  no fault of the process has waited longer for a page that moved"""

    phase: Phase
    error: int
    total_bytes: int
    remaining_bytes: int
    moved_bytes: int
    in_place_bytes: int
    unbound_bytes: int
    busy_bytes: int
    no_memory_bytes: int
    shared_bytes: int
    other_bytes: int
    elapsed_ns: int
    batches: int
    longest_batch_ns: int

    @property
    def ended(self) -> bool:
        """It is done, cancelled or refused, and changes no more."""
        return self.phase >= Phase.DONE


_FIELDS = tuple(field.name for field in dataclasses.fields(Progress) if field.name != "phase")


class Migration:
    """One migration of a process; Target.migrate() and Target.migration() make it. There is one at
    a time, and what it has moved stays moved, whenever it ends.

    Its lease is renewed by progress(), wait() and renew(), on a target that was opened to write.
    Works as long as its target is open: ValueError after that. ESTALE: another migration has taken
    its place. Thread-safe. Source: the migrations of mpol.h."""

    def __init__(self, target: Target, generation: int) -> None:
        self._target = target
        self._generation = generation

    @property
    def generation(self) -> int:
        """Counts the migrations of the process."""
        return self._generation

    def progress(self) -> Progress:
        """How far it has come, now; its lease begins anew. Thread-safe. ESTALE: another one has
        taken its place. Source: mpol_read_migration, mpol_renew_migration."""
        read = self._read()
        found = Progress(Phase(read.phase), **{name: getattr(read, name) for name in _FIELDS})
        if self._target.writable and not found.ended:
            self.renew()
        return found

    def wait(self, timeout: Optional[float] = None) -> Progress:
        """Waits until it has ended, done or cancelled, and returns what came of it; None: without a
        limit, else for timeout seconds, after which it is TimeoutError and the migration goes on.
        Renews the lease meanwhile. Thread-safe. REFUSED is OSError with its errno; ESRCH: the
        process has exited; EBADF: the target was opened for reading. Source:
        mpol_wait_migration."""
        if timeout is not None:
            _abi.milliseconds("timeout", timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._wait(_SLICE_S if deadline is None else deadline - time.monotonic()):
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(errno.ETIMEDOUT, f"the migration of process {self._target.pid} "
                                                    f"has not ended within {timeout:g} s")
        found = self.progress()
        if found.phase is Phase.REFUSED:
            raise _errors.failure(found.error, f"move the pages of process {self._target.pid}", {
                errno.EPERM: f"process {self._target.pid} may not call move_pages(2): a seccomp "
                             "filter is in the way"})
        return found

    def cancel(self) -> None:
        """Ends it after the batch under way; wait() tells when. One that has not begun is taken
        back, one that has ended stays as it is. Thread-safe. EBADF: the target was opened for
        reading. Source: mpol_cancel_migration."""
        with self._target._held() as handle:
            err = _lib.mpol_cancel_migration(handle, self._generation)
        self._check(err, "cancel")

    def renew(self) -> None:
        """Begins its lease anew, and wakes it where it has paused. Thread-safe. EBADF: the target
        was opened for reading; ESTALE: another one has taken its place. Source:
        mpol_renew_migration."""
        self._read()
        with self._target._held() as handle:
            err = _lib.mpol_renew_migration(handle)
        self._check(err, "renew")

    def __repr__(self) -> str:
        return f"<mpol.Migration {self._generation} of process {self._target.pid}>"

    def _read(self) -> Any:
        read = _abi.Migration()
        with self._target._held() as handle:
            err = _lib.mpol_read_migration(handle, read)
        self._check(err, "read")
        if read.generation != self._generation:
            self._check(-errno.ESTALE, "read")
        return read

    def _wait(self, left: float) -> bool:
        """For a slice of the seconds that are left. True: it goes on."""
        slice_ms = _abi.milliseconds("timeout", max(0.0, min(left, _SLICE_S)))
        with self._target._held() as handle:
            err = _lib.mpol_wait_migration(handle, self._generation, slice_ms)
        if err == -errno.ETIMEDOUT:
            return True
        self._check(err, "wait for")
        return False

    def _check(self, result: int, verb: str) -> None:
        if result < 0:
            pid = self._target.pid
            raise _errors.failure(-result, f"{verb} the migration of process {pid}",
                                  _errors.of_migration(pid, 0))
