# SPDX-License-Identifier: Apache-2.0
import json
import os
import signal
import subprocess

from harness import (ENVIRONMENT, MPOL, NO_SUCH_PID, NO_TARGET, NOBODY, NOT_PERMITTED, OK, USAGE,
                     CliTest, Victim, lines, main, mpol, needs_root)

# Memory that became free before does not go back to the kernel by itself meanwhile.
QUIET = {"MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1"}


class WatchTest(CliTest):
    def watch(self, victim, *words):
        """Watches a victim from before its policy is set: rebinding its regions is an event."""
        watcher = subprocess.Popen([MPOL, "watch", str(victim.pid), *words], text=True,
                                   env=ENVIRONMENT, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(watcher.stdout.close)
        self.addCleanup(watcher.stderr.close)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.kill)
        self.wait_until(lambda: self.is_watched(victim))
        mpol("set", victim.pid, "bind:0", "--no-wait")
        victim.ask("ping")
        return watcher

    def is_watched(self, victim):
        with open(victim.segment(), "rb") as segment:
            segment.seek(4032)
            return segment.read(8) != bytes(8)

    def test_an_operation_is_two_lines(self):
        with Victim(env=QUIET) as victim:
            out, err = self.watch(victim, "--count", "2").communicate()
            self.assertEqual(err, "")
            self.assertRegex(out, r"^\S+ \S+ [+-]\d{4}  policy   start  0x[0-9a-f]+ \+ 1\.0 GiB  "
                                  r"thread \d+\n.*  policy   end    .*\n"
                                  rf"process {victim.pid}: 2 events, 0 lost: that many were asked "
                                  r"for\n$")

    def test_json_is_an_object_a_line(self):
        with Victim(env=QUIET) as victim:
            out, err = self.watch(victim, "--json", "--count", "2").communicate()
            self.assertEqual(err, "")
            start, end, last = map(json.loads, out.splitlines())
            self.assertEqual((start["event"], start["phase"]), ("policy", "start"))
            self.assertEqual((end["event"], end["phase"]), ("policy", "end"))
            self.assertEqual((start["start"], start["size"]), (end["start"], end["size"]))
            self.assertEqual(start["sequence"] + 1, end["sequence"])
            self.assertIn(str(start["tid"]), os.listdir(f"/proc/{victim.pid}/task"))
            self.assertEqual(last, {"pid": victim.pid, "end": "count", "events": 2, "lost": 0})

    def test_lost_events_are_told(self):
        with Victim(env=QUIET) as victim:
            watcher = self.watch(victim, "--json")
            self.assertEqual(json.loads(watcher.stdout.readline())["event"], "policy")
            # The number of the next event leaps ahead, as if as many had come and gone.
            victim.overwrite(4040, (1_000_000).to_bytes(8, "little"))
            lost = 0
            while lost == 0:
                lost = json.loads(watcher.stdout.readline()).get("lost", 0)
            self.assertGreater(lost, 990_000)

    def test_an_interrupt_ends_it_well(self):
        with Victim(env=QUIET) as victim:
            watcher = self.watch(victim)
            watcher.stdout.readline()
            watcher.send_signal(signal.SIGINT)
            out, err = watcher.communicate()
            self.assertEqual((watcher.returncode, err), (OK, ""))
            self.assertRegex(out, r" lost: interrupted\n$")

    def test_it_ends_with_its_target(self):
        with Victim(env=QUIET) as victim:
            watcher = self.watch(victim, "--json")
            victim.process.kill()
            out, err = watcher.communicate()
            self.assertEqual((watcher.returncode, err), (OK, ""))
            self.assertEqual(json.loads(out.splitlines()[-1])["end"], "gone")

    def test_it_ends_when_the_time_is_over(self):
        with Victim(env=QUIET) as victim:
            last = self.value("watch", victim.pid, "--timeout", "0")
            self.assertEqual((last["end"], last["lost"]), ("timeout", 0))

    def test_a_thread_is_no_target(self):
        self.expect(mpol("watch", "1/2"), USAGE, "", lines(
            "mpol: a whole process is watched: name PID, not PID/TID", "hint: mpol watch 1"))

    def test_a_process_that_does_not_exist(self):
        self.expect(mpol("watch", NO_SUCH_PID), NO_TARGET, "",
                    lines(f"mpol: no process {NO_SUCH_PID}"))

    @needs_root
    def test_a_process_of_another_user(self):
        with Victim(env=QUIET) as victim:
            self.assertEqual(mpol("watch", victim.pid, prefix=NOBODY).returncode, NOT_PERMITTED)


if __name__ == "__main__":
    main()
