# SPDX-License-Identifier: Apache-2.0
"""Runs a program as it is, then under the preloaded library while another process rewrites the
policy of everything it starts, and compares what the two runs say.

A subject is a function of a Stage. It starts programs through the stage and says, line by line,
what must not differ; times, process ids and rates are its own to leave out. main() runs it once as
it is, and under the library once or, in full, until that has lasted for some minutes. It exits 0 when
all runs said the same and something was rewritten in each, 1 when not, 77 when the machine lacks the
program."""

import argparse
import contextlib
import ctypes
import difflib
import glob
import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIP = 77
RUN_SECONDS, FULL_RUN_SECONDS = 600, 3600
FULL_LIVE_SECONDS = 240
SERVER_START_SECONDS = 60
SERVER_STOP_SECONDS = 60
# What is still leaving when its parent has ended: helpers of multiprocessing, for one.
ORPHAN_GRACE_SECONDS = 5
# How far the clock of the kernel's log may be from CLOCK_MONOTONIC.
LOG_CLOCK_S = 5
# Errors that a valid policy must never leave in a segment: mbind, set_mempolicy, home node, latch.
UNEXPECTED_ERRORS = re.compile(r": error (1|2|3|11) ")


class Skip(Exception):
    """The machine lacks something; the text says what."""


def require(program, package):
    """The program's path. Debian keeps some in directories that a user's PATH lacks."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Skip(f"{program} is not installed (Debian package {package})")
    return path


def user_or_self(name):
    """name, for a program that refuses to run as root, when this process may become it."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(name)
    except KeyError:
        raise Skip(f"there is no user {name} on this machine") from None
    return name


class Stage:
    """One run of the subject, plain or live."""

    def __init__(self, directory, arguments, preload):
        self.dir = pathlib.Path(directory)
        self.arguments = arguments
        self.live = preload is not None
        self.said = []
        self.seconds = 0
        self.env = dict(os.environ, LC_ALL="C", TMPDIR=str(self.dir))
        if preload is not None:
            self.env["LD_PRELOAD"] = str(preload)

    def say(self, *lines):
        self.said += [str(line) for line in lines]

    def start(self, argv, user=None, **options):
        options.setdefault("env", self.env)
        options.setdefault("cwd", self.dir)
        if user is not None:
            options.update(user=user, group=user, extra_groups=[])
        return subprocess.Popen([str(arg) for arg in argv], **options)

    def run(self, argv, input=None, timeout=None, **options):
        """Runs to the end and says how it ended; returns its output, both streams as one text."""
        timeout = timeout or (FULL_RUN_SECONDS if self.arguments.full else RUN_SECONDS)
        options.setdefault("stdin", subprocess.DEVNULL if input is None else subprocess.PIPE)
        process = self.start(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="backslashreplace", **options)
        try:
            output, _ = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
        self.say(f"{pathlib.Path(str(argv[0])).name} ends with {process.returncode}")
        if process.returncode != 0:
            print(f"--- {' '.join(map(str, argv))}: {process.returncode}\n{output[-8000:]}",
                  file=sys.stderr)
        return output

    @contextlib.contextmanager
    def server(self, argv, ready, stop=signal.SIGTERM, log=None, **options):
        """A server while the body runs; says how it ended after the signal stop."""
        log_path = self.dir / (log or f"{pathlib.Path(str(argv[0])).name}.log")
        with open(log_path, "wb") as log_file:
            process = self.start(argv, stdin=subprocess.DEVNULL, stdout=log_file,
                                 stderr=subprocess.STDOUT, **options)
        try:
            deadline = time.monotonic() + SERVER_START_SECONDS
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{argv[0]} did not start: {log_path.read_text()[-4000:]}")
                time.sleep(0.05)
            yield process
            if process.poll() is None and stop is not None:
                process.send_signal(stop)
            process.wait(SERVER_STOP_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.returncode != 0:
                print(f"--- {argv[0]}\n{log_path.read_text(errors='replace')[-8000:]}",
                      file=sys.stderr)
        self.say(f"{pathlib.Path(str(argv[0])).name} ends with {process.returncode}")


def wait_for_orphans():
    """Ends what the subject left behind (this process is its reaper) and returns how many."""
    deadline = time.monotonic() + ORPHAN_GRACE_SECONDS
    ended = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return len(ended)
        if pid != 0:
            continue
        if time.monotonic() > deadline:
            for child in own_children():
                ended.add(child)
                os.kill(child, signal.SIGKILL)
        time.sleep(0.02)


def own_children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def kernel_log():
    """Its lines; none where the kernel won't tell."""
    log = subprocess.run(["dmesg"], capture_output=True, text=True, errors="replace", check=False)
    return log.stdout.splitlines()


def crashes(lives, before):
    """The kernel's new lines about fatal traps of these processes, while they lived: pids recycle."""
    found = []
    for line in set(kernel_log()).difference(before):
        match = re.search(r"\b\S+\[(\d+)\]:? .*(segfault|general protection|trap )", line)
        time_s = re.match(r"\[ *(\d+\.\d+)\]", line)
        for life in lives if match else []:
            begin, end = life["first_s"] - LOG_CLOCK_S, life["last_s"] + LOG_CLOCK_S
            if life["pid"] == int(match[1]) and (not time_s or begin <= float(time_s[1]) <= end):
                found.append(line)
                break
    return found


def backtraces(directory):
    """Of the core files below directory, where gdb is installed."""
    if shutil.which("gdb") is None:
        return
    for core in glob.glob(f"{directory}/**/core*", recursive=True):
        command = ["gdb", "-batch", "-ex", "thread apply all bt 25", "-ex", "info proc", "-c", core]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL)


def rewrite_during(arguments, run):
    """Calls run with the rewriter at work; returns its result and the rewriter's report."""
    command = [arguments.rewriter, str(os.getpid()), str(arguments.interval_ms)]
    command += ["kinds"] if arguments.kinds else []
    rewriter = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        result = run()
        output, _ = rewriter.communicate(timeout=60)
    except BaseException:
        rewriter.kill()
        rewriter.wait()
        raise
    if rewriter.returncode != 0:
        raise RuntimeError(f"the rewriter ended with {rewriter.returncode}")
    return result, json.loads(output)


def run_once(subject, arguments, preload):
    # The same path in all runs: programs print and record where they work.
    directory = os.path.join(arguments.work, "run")
    name = "plain" if preload is None else "live"
    os.mkdir(directory)
    os.chmod(directory, 0o777)  # Some subjects run as another user.
    stage = Stage(directory, arguments, preload)
    began = time.monotonic()
    subject(stage)
    stage.seconds = time.monotonic() - began
    print(f"{name}: {stage.seconds:.1f} s", flush=True)
    kept = os.path.join(arguments.work, name)
    shutil.rmtree(kept, ignore_errors=True)  # Of the run before.
    os.rename(directory, kept)
    return stage


def compare(plain, live, report, log_before):
    """Everything that is wrong, as lines."""
    wrong = list(difflib.unified_diff(plain.said, live.said, "plain", "live", lineterm=""))
    if report["acknowledged"] == 0:
        wrong.append("nothing was rewritten")
    wrong += [f"a valid policy was refused: {key}, {count} times"
              for key, count in report["refused"].items()]
    wrong += [f"recorded in a segment: {key}" for key in report["recorded"]
              if UNEXPECTED_ERRORS.search(key)]
    wrong += crashes(report["processes"], log_before)
    return wrong


def live_run(subject, arguments, preload, plain):
    """Says what was rewritten; returns the stage, and everything that is wrong, as lines."""
    log_before = kernel_log()
    live, report = rewrite_during(arguments,
                                  lambda: run_once(subject, arguments, preload))
    live.say(f"{wait_for_orphans()} processes left behind")
    wrong = compare(plain, live, report, log_before)
    shown = dict(report, processes=len(report["processes"]))
    print("rewritten:", json.dumps(shown), flush=True)
    if wrong:
        print("\n".join(wrong))
        backtraces(arguments.work)
    return live, wrong


def all_runs(subject, arguments):
    shutil.copy(arguments.preload, arguments.work)
    preload = pathlib.Path(arguments.work, os.path.basename(arguments.preload))
    preload.chmod(0o755)
    plain = run_once(subject, arguments, None)
    plain.say(f"{wait_for_orphans()} processes left behind")

    live_seconds, lines = 0, 0
    while True:
        live, wrong = live_run(subject, arguments, preload, plain)
        live_seconds += live.seconds
        lines += len(live.said)
        if wrong or not arguments.full or live_seconds >= FULL_LIVE_SECONDS:
            break
    print(f"{lines} lines compared, {len(wrong)} complaints in {live_seconds:.0f} s")
    return 1 if wrong else 0


def become_reaper():
    """Descendants whose parent ends become children of this process, for the rewriter to find."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def parse_arguments(parser):
    parser.add_argument("--preload", required=True, help="libmpol-preload.so")
    parser.add_argument("--rewriter", required=True, help="the program of rewriter.cc")
    parser.add_argument("--full", action="store_true", default=os.environ.get("MPOL_FULL") == "1",
                        help="longer than in continuous integration")
    parser.add_argument("--interval-ms", type=int, default=500, help="between two rewrites")
    parser.add_argument("--kinds", action="store_true",
                        help="rewrite its large allocations, stacks and own mappings too")
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    return parser.parse_args()


def main(subject, parser=None):
    """subject: a function of a Stage. parser: knows its further arguments."""
    arguments = parse_arguments(parser or argparse.ArgumentParser())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2 if arguments.keep
                       else (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    become_reaper()
    arguments.work = tempfile.mkdtemp(prefix="mpol-programs-")
    os.chmod(arguments.work, 0o755)
    status = 1
    try:
        status = all_runs(subject, arguments)
    except Skip as reason:
        print(f"skip: {reason}")
        status = SKIP
    finally:
        wait_for_orphans()
        if arguments.keep:
            print(f"kept: {arguments.work}")
        else:
            shutil.rmtree(arguments.work, ignore_errors=True)
    sys.exit(status)
