# SPDX-License-Identifier: Apache-2.0
"""What the drivers share: their arguments, progress with the time left, and the kept results."""

import argparse
import json
import os
import random
import sys
import time

import machine

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))


def parser(description, rounds):
    out = argparse.ArgumentParser(description=description)
    out.add_argument("--build", default=os.path.join(ROOT, "build"), metavar="DIR",
                     help="where meson has built (build)")
    out.add_argument("--rounds", type=positive, default=rounds, metavar="N",
                     help=f"how often each is run, in turn ({rounds})")
    out.add_argument("--seed", type=int, default=1, help="of the order within a round (1)")
    out.add_argument("--output", metavar="FILE", help="the raw data, as JSON")
    return out


def positive(text):
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of 1 or more")
    return value


def need(arguments, *programs):
    """Ends with one error when a program is not built."""
    for program in programs:
        if not os.path.exists(f"{arguments.build}/{program}"):
            sys.exit(f"{os.path.basename(sys.argv[0])}: {arguments.build}/{program} is not built: "
                     f"meson setup {arguments.build} && ninja -C {arguments.build}")


def chosen(kind, names, known):
    """The names that were asked for, all without; ends with one error on one that is unknown."""
    wrong = [name for name in names or () if name not in known]
    if wrong:
        sys.exit(f"{os.path.basename(sys.argv[0])}: no {kind} '{wrong[0]}': "
                 f"accepted are {', '.join(known)}")
    return list(names or known)


class Progress:
    """A line on a terminal; elsewhere nothing."""

    def __init__(self, total):
        self.begin, self.total, self.done = time.monotonic(), total, 0
        self.shown = sys.stderr.isatty()

    def step(self, what):
        self.done += 1
        if not self.shown:
            return
        passed = time.monotonic() - self.begin
        left = passed / self.done * (self.total - self.done)
        print(f"\r\033[K{self.done}/{self.total}  {left:.0f} s left  {what}", end="",
              file=sys.stderr, flush=True)

    def finish(self):
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def in_turn(rounds, seed, items):
    """Every round's items in an order of its own: no one always runs behind the same other."""
    order = random.Random(seed)
    for number in range(rounds):
        for item in order.sample(items, len(items)):
            yield number, item


def write(path, data):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rounded(data), file, indent=1, sort_keys=True)
        file.write("\n")


def rounded(data):
    """Six digits: the rest is noise, and the files are kept."""
    if isinstance(data, float):
        return float(f"{data:.6g}")
    if isinstance(data, dict):
        return {str(key): rounded(value) for key, value in data.items()}
    return [rounded(value) for value in data] if isinstance(data, (list, tuple)) else data


def result(kind, arguments, **more):
    return {"kind": kind, "machine": machine.facts(ROOT), "rounds": arguments.rounds,
            "seed": arguments.seed, **more}
