#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""meson, ninja, g++, ar and ld building this project's libraries; in full, all of it.

Compared: every object, archive and library, byte for byte."""

import hashlib
import pathlib

import harness

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CI_TARGETS = ["lib/preload/libmpol-preload.so"]
FULL_TARGETS = ["all"]


def subject(stage):
    meson = harness.require("meson", "meson")
    ninja = harness.require("ninja", "ninja-build")
    harness.require("g++", "g++")
    build = stage.dir / "build"
    stage.env["CCACHE_DISABLE"] = "1"  # Meson uses it where it is there: the second run is to compile.
    stage.run([meson, "setup", build, SOURCE])
    stage.run([ninja, "-C", build, *(FULL_TARGETS if stage.arguments.full else CI_TARGETS)],
              timeout=3600)
    for path in sorted(path for path in build.rglob("*.[oas]*") if made(path)):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        stage.say(f"{path.relative_to(build)} {digest}")


def made(path):
    return path.suffix in (".o", ".a", ".so") and path.is_file() and not path.is_symlink()


if __name__ == "__main__":
    harness.main(subject)
