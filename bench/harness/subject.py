# SPDX-License-Identifier: Apache-2.0
"""Programs that are measured, or counted: started under a library, held until a policy is set, and
looked at before they end. They say "ready", work after a line, say "done", and end with their
input."""

import os
import re
import subprocess
import threading
import time

SECONDS_MAX = 600
CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
             # The preloaded malloc must be counted, not replaced by valgrind's.
             "--soname-synonyms=somalloc=nouserintercepts"]
# The helper thread's own instructions would count; without it threads act for themselves.
ALONE = {"MPOL_HELPER": "0"}


def environment(library, settings=None):
    """As now, but for what would change the subject's course."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("LD_PRELOAD", "MALLOC_CONF") and not name.startswith("MPOL_")}
    return {**kept, "LD_PRELOAD": library, **(settings or {})}


class Subject:
    """A running subject, from its "ready" on. `with Subject(...) as subject:`"""

    def __init__(self, command, library, settings=None, begin=""):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1,
                                        env=environment(library, settings))
        self.watchdog = threading.Timer(SECONDS_MAX, self.process.kill)
        self.watchdog.start()
        self.pid = self.process.pid
        self.said = []
        try:
            self.process.stdin.write(begin)
            self.process.stdin.flush()
            self.hear("ready")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.process.kill()
        self.process.communicate()

    def hear(self, wanted):
        """All lines before that one."""
        heard = []
        for line in self.process.stdout:
            if line.strip() == wanted:
                self.said += [each.split() for each in heard]
                return "".join(heard)
            heard.append(line)
        raise RuntimeError(f"the subject ended: {self.process.stderr.read()[-4000:]}")

    def values(self, name):
        return [int(words[1]) for words in self.said if len(words) == 2 and words[0] == name]

    def work(self, text="\n"):
        """What it says before "done"."""
        self.process.stdin.write(text)
        self.process.stdin.flush()
        return self.hear("done")

    def status(self, name):
        """A figure of /proc/PID/status, in bytes where it is memory."""
        return status(self.pid, name)

    def finish(self):
        """Its standard error."""
        _, errors = self.process.communicate(timeout=SECONDS_MAX)
        if self.process.returncode != 0:
            raise RuntimeError(f"the subject ended with {self.process.returncode}: "
                               f"{errors[-4000:]}")
        return errors


def status(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        found = re.search(rf"^{name}:\s+(\d+)( kB)?$", file.read(), re.MULTILINE)
    return int(found[1]) * (1024 if found[2] else 1)


def processor_ns(pid):
    """Of all threads that it has and had, by the process's own clock."""
    return time.clock_gettime_ns((~pid << 3) | 2)  # CPUCLOCK_SCHED, include/linux/posix-timers.h


def collected(errors):
    """The number of instructions in callgrind's standard error."""
    return int(re.search(r"Collected : (\d+)", errors)[1])
