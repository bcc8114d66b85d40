# SPDX-License-Identifier: Apache-2.0
"""What a refused call says: OSError with libmpol's errno, which Python makes ProcessLookupError,
PermissionError and TimeoutError of, and a sentence that names the object and what helps."""

from __future__ import annotations

import errno
import os
from typing import Mapping


def failure(err: int, what: str, sentences: Mapping[int, str]) -> OSError:
    """what: what was tried, for an errno that no sentence is there for."""
    return OSError(err, sentences.get(err) or f"can't {what}: {os.strerror(err)}")


def scope_name(pid: int, tid: int) -> str:
    """The process's name, or that of one of its threads."""
    return f"thread {tid} of process {pid}" if tid else f"process {pid}"


def of_open(name: str) -> Mapping[int, str]:
    """Of whatever opens a control segment. name: "process 4242"."""
    return {
        errno.ESRCH: f"there is no {name}",
        errno.EPERM: f"not permitted to open the control segment of {name}: be its user or root; "
                     "one that is not dumpable needs root",
        errno.ENODEV: f"{name} does not run under libmpol-preload: start it with mpol run",
        errno.EPROTO: f"the control segment of {name} is damaged or of another version: start it "
                      "again with this version's mpol run",
    }


def of_threads(pid: int, tid: int) -> Mapping[int, str]:
    """Of whatever looks a thread up in a target that is open."""
    if not tid:
        return {errno.ESRCH: f"process {pid} has exited"}
    return {
        errno.ESRCH: f"process {pid} has no thread {tid}",
        errno.ENODEV: f"thread {tid} of process {pid} has no slot of its own and follows the "
                      "process: write to the process",
    }


def of_read(pid: int, tid: int) -> Mapping[int, str]:
    """Of reading a policy."""
    return {**of_threads(pid, tid),
            errno.EAGAIN: f"the policy of {scope_name(pid, tid)} changed under every try: try "
                          "again"}


def of_write(pid: int, tid: int, text: str, timeout: float) -> Mapping[int, str]:
    """Of setting a policy, or of what names one. text: "unset", where there is none."""
    name = scope_name(pid, tid)
    return {
        **of_threads(pid, tid),
        **of_writers(pid),
        errno.EINVAL: f"{text} leaves {name} no node: /proc/{pid}/status names those that are "
                      "allowed, in Mems_allowed_list",
        errno.ETIMEDOUT: f"{name} has not acted on it within {timeout:g} s: {text} is published, "
                         "and comes into force at its next allocation",
    }


def of_writers(pid: int) -> Mapping[int, str]:
    """Of whatever takes the writers' lock."""
    return {
        errno.EBADF: f"process {pid} was opened for reading: open it with write=True",
        errno.EBUSY: busy(f"process {pid}"),
    }


def busy(name: str) -> str:
    """Somebody else has the writers' lock of the process of that name."""
    return (f"another writer holds the control segment of {name}: try again, or find the holder "
            "with lslocks")


def of_write_kind(pid: int, tid: int, text: str, timeout: float,
                  threshold: int) -> Mapping[int, str]:
    """Of setting a kind's policy."""
    name = scope_name(pid, tid)
    return {
        **of_write(pid, tid, text, timeout),
        errno.EINVAL: f"{text} of {name} is refused: LARGE takes a threshold of at least 65536 "
                      "bytes, the others and an unset take none, and the nodes have to be among "
                      f"Mems_allowed_list in /proc/{pid}/status",
        errno.ERANGE: f"the thread caches of process {pid} serve allocations of {threshold} "
                      "bytes: take a larger threshold",
        errno.EOPNOTSUPP: f"{text}: weights of one's own hold on the heap only",
        errno.ENODATA: f"{name} follows the process: give it a policy of its own first",
        errno.ENOMEM: f"there is no memory for the row of {name} in its control segment",
    }


def of_migration(pid: int, tid: int) -> Mapping[int, str]:
    """Of asking for a migration, and of following one."""
    return {
        **of_threads(pid, tid),
        **of_writers(pid),
        errno.EBUSY: f"process {pid} is migrating already, or another writer holds its control "
                     f"segment: mpol migrate {pid} --cancel ends a migration",
        errno.ESTALE: f"another migration of process {pid} has taken its place",
    }
