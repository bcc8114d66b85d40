# SPDX-License-Identifier: Apache-2.0
"""What a test says that depends on chance or on a place, so that its failure replays."""
import functools
import os
import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def commit():
    """Which commit is tested, `-dirty` behind it where files differ from it."""
    try:
        told = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12",
                               "--exclude=*"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return told.stdout.strip() or "unknown"


@functools.cache
def announced_seed():
    """MPOL_TEST_SEED, or another each time; of the whole program, and said once, with the commit."""
    given = os.environ.get("MPOL_TEST_SEED")
    try:
        seed = random.SystemRandom().randrange(1 << 32) if given is None else int(given, 0)
    except ValueError:
        sys.exit(f'MPOL_TEST_SEED: a number is wanted, and not "{given}"')
    print(f"\nMPOL_TEST_SEED={seed} at commit {commit()}", file=sys.stderr)
    return seed
