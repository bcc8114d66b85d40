#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The units themselves, under a systemd that is process 1: ready when they say so, under their seccomp
filter and with their few capabilities the daemon hears of processes by knock and by BPF, reaches
other users' processes, reloads, writes the journal, is restarted when it hangs. In the virtual
machine only, whose files are its own: tests/vm/run --systemd."""
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

import harness
from harness import BIND, INTERLEAVE, NOBODY, PREFER, PRELOAD, Subject, rule

UNITS = os.environ.get("MPOLD_UNITS", "")  # the folder that they are built in
WATCHDOG_S = 3
USER, UID = "unit-tester", 4321
CAPABILITIES = 1 << 2 | 1 << 19  # CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE
SECCOMP_FILTER = "2"
# The machine has nothing of what starts before an ordinary service.
ALONE = "[Unit]\nDefaultDependencies=no\n"
# Its own asks logind for the size of a file system; here a folder does.
RUNTIME_FOLDER = f"""{ALONE}[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/install -d -m 700 -o %i -g %i /run/user/%i
"""


def process_1():
    with open("/proc/1/comm", encoding="ascii") as file:
        return file.read().strip()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def run(*words):
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=harness.SECONDS_MAX)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.returncode}: {done.stdout}")
    return done.stdout


def install(unit, path):
    with open(os.path.join(UNITS, unit), encoding="utf-8") as file:
        text = file.read()
    program = text.split("ExecStart=")[1].split()[0]
    if not os.path.exists(program):
        os.makedirs(os.path.dirname(program), exist_ok=True)
        shutil.copy(harness.MPOLD, program)
    write(path, text)


class Unit:
    """What a Subject asks of a daemon: here it finds the daemon by itself."""

    def __init__(self, **more):
        self.more = more

    def environment(self):
        return {**os.environ, "LD_PRELOAD": PRELOAD, **self.more}


def show(name, *words):
    return run("systemctl", *words, "show", "--value", "-p", name, "mpold").strip()


@unittest.skipUnless(process_1() == "systemd" and os.path.exists("/run/vm"),
                     "no machine of its own with systemd: tests/vm/run --systemd")
class UnitTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        install("mpold.service", "/run/systemd/system/mpold.service")
        write("/run/systemd/system/mpold.service.d/test.conf",
              f"{ALONE}[Service]\nWatchdogSec={WATCHDOG_S}s\n")
        write("/etc/mpol/rules.d/test.toml", rule("bind:0"))
        run("systemctl", "daemon-reload")
        run("systemctl", "start", "mpold")

    def entries(self, *matches):
        lines = run("journalctl", "--no-pager", "-o", "json", "-u", "mpold", *matches).splitlines()
        return [json.loads(line) for line in lines]

    def test_it_is_ready_and_confined(self):
        self.assertEqual(show("ActiveState"), "active")
        self.assertEqual(show("Type"), "notify")
        self.assertEqual(show("StatusText"), "1 rules; events: bpf")
        with open(f"/proc/{show('MainPID')}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines())
        self.assertEqual(int(status["CapEff"], 16), CAPABILITIES)
        self.assertEqual(int(status["CapBnd"], 16) & ~CAPABILITIES & (1 << 21), 0)
        self.assertEqual(status["Seccomp"], SECCOMP_FILTER)
        self.assertEqual(status["NoNewPrivs"], "1")

    def test_processes_are_heard_of_by_knock_and_by_bpf(self):
        for daemon in (Unit(), Unit(MPOL_HELLO="/nowhere")):
            for prefix in ((), NOBODY):
                with self.subTest(daemon.more, prefix=prefix), \
                        Subject(daemon, "wait", prefix=prefix) as subject:
                    subject.wait_for(BIND)

    def test_a_change_is_in_the_journal(self):
        with Subject(Unit(), "wait") as subject:
            subject.wait_for(BIND)
            match = ("MPOL_EVENT=apply", f"MPOL_PID={subject.pid}")
            harness.wait_until(lambda: self.entries(*match), "the entry")
            entry = self.entries(*match)[-1]
            self.assertEqual({name: entry.get(name) for name in
                              ("MPOL_TO", "MPOL_RULE", "MPOL_RULE_AT", "_SYSTEMD_UNIT")},
                             {"MPOL_TO": "bind:0", "MPOL_RULE": "all",
                              "MPOL_RULE_AT": "/etc/mpol/rules.d/test.toml:1",
                              "_SYSTEMD_UNIT": "mpold.service"})

    def test_it_reloads(self):
        with Subject(Unit(), "wait") as subject:
            subject.wait_for(BIND)
            write("/etc/mpol/rules.d/test.toml", rule("prefer:0"))
            self.addCleanup(write, "/etc/mpol/rules.d/test.toml", rule("bind:0"))
            run("systemctl", "reload", "mpold")
            subject.wait_for(PREFER)
            harness.wait_until(
                lambda: any(entry["MPOL_BY"].startswith("SIGHUP of pid ")
                            for entry in self.entries("MPOL_EVENT=reload")), "the entry")

    def test_one_that_hangs_is_started_anew_and_nothing_is_lost(self):
        pinged = show("WatchdogTimestampMonotonic")
        harness.wait_until(lambda: show("WatchdogTimestampMonotonic") != pinged, "a ping")
        self.assertEqual(show("NRestarts"), "0")
        with Subject(Unit(), "wait") as subject:
            subject.wait_for(BIND)
            generation = subject.segment.generation()
            os.kill(int(show("MainPID")), signal.SIGSTOP)
            harness.wait_until(lambda: show("NRestarts") == "1", "a restart")
            harness.wait_until(lambda: show("ActiveState") == "active", "the next daemon")
            self.assertEqual(subject.segment.generation(), generation)
            given = harness.mpol("undo", subject.pid)
            self.assertEqual((given.returncode, given.stderr), (0, ""))
            subject.wait_for(None)

    def test_a_users_unit_keeps_his_processes(self):
        install("mpold-user.service", "/etc/systemd/user/mpold.service")
        run("useradd", "--create-home", "--uid", str(UID), USER)
        write(f"/home/{USER}/.config/mpol/rules.d/mine.toml", rule("interleave:all", 'env = { HIS = true }'))
        run("chown", "-R", f"{USER}:", f"/home/{USER}")
        write("/run/systemd/system/user@.service.d/test.conf",
              f"{ALONE}[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n")
        write("/run/systemd/system/user-runtime-dir@.service", RUNTIME_FOLDER)
        run("systemctl", "daemon-reload")
        run("systemctl", "start", f"user@{UID}")
        his = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env",
               f"XDG_RUNTIME_DIR=/run/user/{UID}", f"HOME=/home/{USER}")
        # The system's rules go first, where they say something.
        write("/etc/mpol/rules.d/test.toml", "")
        self.addCleanup(write, "/etc/mpol/rules.d/test.toml", rule("bind:0"))
        run("systemctl", "reload", "mpold")
        run(*his, "systemctl", "--user", "start", "mpold")
        status = run(*his, "systemctl", "--user", "show", "--value", "-p", "StatusText", "mpold")
        self.assertEqual(status.strip(), "1 rules; events: hello")
        with Subject(Unit(HIS="1"), "wait", prefix=his) as subject:
            subject.wait_for(INTERLEAVE)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
