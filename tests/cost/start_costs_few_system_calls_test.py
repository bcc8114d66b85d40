#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""System calls of /bin/true from exec to exit, compared with Debian's libjemalloc.so.2."""

import subprocess
import tempfile

import cost
import expected


def system_calls(library):
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as log:
        done = subprocess.run(["strace", "-f", "-qq", "-o", log.name, "-E", f"LD_PRELOAD={library}",
                               "/bin/true"], env=cost.environment(""), check=False,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            cost.skip(f"strace can't trace here: {done.stderr.strip()}")
        return log.read().splitlines()


def main():
    cost.require("strace", "strace")
    base = system_calls(cost.require_jemalloc())
    ours = system_calls(cost.PRELOAD)
    table = cost.Table()
    table.check(f"/bin/true ({len(base)} under libjemalloc)", len(ours) - len(base),
                expected.START_ABOVE_JEMALLOC)
    if table.failed:
        print("\n".join(ours))
    table.finish()


if __name__ == "__main__":
    main()
