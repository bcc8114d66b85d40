# SPDX-License-Identifier: Apache-2.0
"""The allocators that are put side by side. All come by LD_PRELOAD, so that the program is the same
one; glibc's too, because some programs (Debian's redis-server) link another."""

import glob
import json
import os
import subprocess
from typing import NamedTuple

import machine


class Peer(NamedTuple):
    name: str
    library: str        # a path, or a pattern of one
    package: str
    settings: dict = {}
    policies: int = 0   # of mpol's: 0, 1, or 2 for many

    @property
    def label(self):
        return LABELS.get(self.name, self.name)


# As tables and pictures show them.
ORDER = ("glibc", "jemalloc", "mimalloc", "tcmalloc", "memkind", "memkind-regular", "memtier", "mpol",
         "mpol-one", "mpol-many", "mpol-trimmed")
LABELS = {
    "memkind": "memkind (default kind)",
    "memkind-regular": "memkind (regular kind)",
    "memtier": "memkind (libmemtier)",
    "mpol": "mpol, no policy",
    "mpol-one": "mpol, one policy",
    "mpol-many": "mpol, many policies",
    "mpol-trimmed": "mpol, no policy, jemalloc's trimming",
}
BASE = "jemalloc"
# What mpol trims caches by once there is a policy (bench/README.md).
_TRIMMED = {"MALLOC_CONF": "tcache_gc_incr_bytes:65536"}
_LIBRARIES = "/usr/lib/*-linux-gnu/"
# The one shape of libmemtier's setting for a single tier.
_ONE_TIER = {"MEMKIND_MEM_TIERS": "KIND:DRAM,RATIO:1;POLICY:STATIC_RATIO"}


def every(build):
    shim, preload = f"{build}/bench/libmemkind-shim.so", f"{build}/lib/preload/libmpol-preload.so"
    return [
        Peer("glibc", _LIBRARIES + "libc.so.6", "libc6"),
        Peer(BASE, _LIBRARIES + "libjemalloc.so.2", "libjemalloc2"),
        Peer("mimalloc", _LIBRARIES + "libmimalloc.so.2.0", "libmimalloc2.0"),
        Peer("tcmalloc", _LIBRARIES + "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
        Peer("memkind", shim, "libmemkind0"),
        Peer("memkind-regular", shim, "libmemkind0", {"MEMKIND_SHIM_KIND": "regular"}),
        Peer("memtier", _LIBRARIES + "libmemtier.so.0", "libmemkind0", _ONE_TIER),
        Peer("mpol", preload, "mpol"),
        Peer("mpol-one", preload, "mpol", policies=1),
        Peer("mpol-many", preload, "mpol", policies=2),
        Peer("mpol-trimmed", preload, "mpol", _TRIMMED),
    ]


def find(build, names=None):
    """Those that are there, by name, and why the others are not."""
    present, missing = {}, {}
    for peer in every(build):
        if names and peer.name not in names:
            continue
        paths = sorted(glob.glob(peer.library))
        if paths:
            present[peer.name] = peer._replace(library=paths[0])
        else:
            missing[peer.name] = (f"{os.path.basename(peer.library)} is not there "
                                  f"(Debian package {peer.package})" if peer.package != "mpol"
                                  else f"{peer.library} is not built")
    return present, missing


def versions(present):
    return {peer.name: machine.package_version(peer.package) for peer in present.values()
            if peer.package != "mpol"}


def _mpol(build, *words):
    done = subprocess.run([f"{build}/cli/mpol", *map(str, words)], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError(f"mpol {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def set_policies(build, peer, pid, node=0):
    """Publishes the peer's policies to a program that runs. All of them place as no policy would on
    a machine of one node: what is compared is the allocator's work, not the memory's speed."""
    if peer.policies >= 1:
        _mpol(build, "set", pid, f"bind:{node}", "--no-wait")
    if peer.policies >= 2:
        # The main thread's own; each thread that it starts has a copy, and memory of its own.
        _mpol(build, "set", f"{pid}/{pid}", f"bind=static:{node}", "--no-wait")


def check_policies(build, peer, pid):
    """What was measured was under the policies that it is said to have been under."""
    if not peer.policies:
        return
    found = json.loads(_mpol(build, "get", pid, "--threads", "--json"))
    main = next((each for each in found["threads"] if each["tid"] == pid), {})
    in_force = found["applied"] and found["asked"] is not None
    if peer.policies >= 2:
        in_force = in_force and main.get("applied") and main.get("asked") is not None
    if not in_force:
        raise RuntimeError(f"{peer.label}: not in force: {found}")
