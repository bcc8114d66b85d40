#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What sd_notify(3) tells a service manager: ready, reloading, stopping, a status, and that it is
alive; and what the journal gets of a change, field by field."""
import os
import re
import signal
import socket
import struct
import sys
import tempfile
import unittest

import harness
from harness import BIND, Daemon, Subject, rule

WATCHDOG_US = 200_000
LOST, UNREAD_MAX = 3, 8192
UNREAD = 15  # net.unix.max_dgram_qlen is 10 where nobody has raised it
# The journal's socket is the machine's: mpold gets another /run.
OTHER_RUN = ("unshare", "--mount", "sh", "-c", 'mount --bind "$RUN" /run && exec "$@"', "sh")


def fields_of(datagram):
    """sd_journal_sendv(3): NAME=value lines, or NAME, length and bytes."""
    fields = {}
    while datagram:
        line, datagram = datagram.split(b"\n", 1)
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, size = line, struct.unpack("<Q", datagram[:8])[0]
            value, datagram = datagram[8:8 + size], datagram[9 + size:]
        fields[name.decode()] = value.decode()
    return fields


class NotifyTest(unittest.TestCase):
    def test_it_tells_that_it_is_alive(self):
        os.environ["WATCHDOG_USEC"] = str(WATCHDOG_US)
        self.addCleanup(os.environ.pop, "WATCHDOG_USEC")
        with Daemon() as daemon:
            for _ in range(3):
                daemon.hear("WATCHDOG=1")

    def test_a_manager_that_does_not_read_does_not_hold_it_up(self):
        with Daemon(rule("bind:0")) as daemon:
            for _ in range(UNREAD):
                loaded = daemon.call("Status")["status"]["rules_loaded_ns"]
                daemon.write_rules(rule("bind:0"))
                harness.wait_until(
                    lambda: daemon.call("Status")["status"]["rules_loaded_ns"] != loaded, "a reading")

    def test_it_tells_of_a_reload_and_of_its_end(self):
        with Daemon(rule("bind:0")) as daemon:
            daemon.process.send_signal(signal.SIGHUP)
            told = daemon.hear("RELOADING=1")
            self.assertRegex("\n".join(told), r"MONOTONIC_USEC=\d+")
            daemon.hear("READY=1")
            daemon.write_rules("[[rule]]\n")
            told = daemon.hear("STATUS=", whole=False)
            while "wrong" not in "".join(told):
                told = daemon.hear("STATUS=", whole=False)
            self.assertRegex("".join(told), r"^STATUS=1 rules \(the files on disk are wrong: mpol "
                                            r"rules check\); events: (bpf|hello)$")
            daemon.process.send_signal(signal.SIGTERM)
            daemon.hear("STOPPING=1")
            self.assertEqual(daemon.process.wait(harness.SECONDS_MAX), 0)


@unittest.skipUnless(os.geteuid() == 0, "needs root for a mount namespace")
class JournalTest(unittest.TestCase):
    def setUp(self):
        self.run = self.enterContext(tempfile.TemporaryDirectory(prefix="mpold-journal-"))
        os.makedirs(os.path.join(self.run, "systemd/journal"))
        self.journal = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.journal.bind(os.path.join(self.run, "systemd/journal/socket"))
        self.journal.settimeout(harness.SECONDS_MAX)
        os.environ["RUN"] = self.run
        self.addCleanup(os.environ.pop, "RUN")

    def entry(self, event):
        while True:
            fields = fields_of(self.journal.recv(65536))
            if fields.get("MPOL_EVENT") == event:
                return fields

    def test_a_change_has_its_fields(self):
        with Daemon(rule("bind:0"), prefix=OTHER_RUN) as daemon:
            self.assertEqual(self.entry("reload")["MPOL_BY"], "start")
            with Subject(daemon, "wait") as subject:
                subject.wait_for(BIND)
                fields = self.entry("apply")
                where = os.path.join(daemon.rules, "rules.toml") + ":1"
                expected = {"MPOL_PID": str(subject.pid), "MPOL_COMM": "daemon-subject",
                            "MPOL_UID": "0", "MPOL_FROM": "", "MPOL_TO": "bind:0", "MPOL_BY": "rule",
                            "MPOL_RULE": "all", "MPOL_RULE_AT": where, "PRIORITY": "6",
                            "SYSLOG_IDENTIFIER": "mpold"}
                self.assertEqual({name: fields.get(name) for name in expected}, expected)
                self.assertTrue(re.fullmatch(r"\d+", fields["MPOL_LATENCY_US"]))
                self.assertEqual(fields["MESSAGE"], f"mpold: apply process {subject.pid}: none -> "
                                 f'bind:0, rule "all" ({where})')
                daemon.call("Undo", pid=subject.pid)
                undo = self.entry("undo")
                self.assertEqual(undo["MPOL_BY"], f"root (pid {os.getpid()})")
                self.assertEqual((undo["MPOL_FROM"], undo["MPOL_TO"]), ("bind:0", ""))

    def test_a_journal_that_does_not_read_holds_nobody_up(self):
        with Daemon(rule("bind:0"), prefix=OTHER_RUN) as daemon:
            reloads = 0
            while daemon.call("Status")["status"].get("journal_lost", 0) < LOST:
                self.assertLess(reloads, UNREAD_MAX)
                daemon.call("Reload")
                daemon.drain()
                reloads += 1
            with Subject(daemon, "wait") as subject:
                subject.wait_for(BIND)
                harness.wait_until(lambda: daemon.log()[-1]["event"] == "apply", "the log")
                lost = daemon.call("Status")["status"]["journal_lost"]
                self.assertEqual(lost, LOST + 1)
            # It reads again: what was kept comes in its order, then the number of those lost.
            fields = fields_of(self.journal.recv(65536))
            self.assertEqual(fields["MPOL_BY"], "start")
            for _ in range(reloads - LOST):
                self.assertEqual(fields_of(self.journal.recv(65536))["MPOL_EVENT"], "reload")
            fields = fields_of(self.journal.recv(65536))
            self.assertEqual((fields["MPOL_EVENT"], fields.get("MPOL_LOST")), ("journal", str(lost)))
            daemon.call("Reload")
            self.assertEqual(self.entry("reload")["MPOL_BY"], f"root (pid {os.getpid()})")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
