# SPDX-License-Identifier: Apache-2.0
"""Starts mpold in a folder of its own and programs that it keeps, for the tests of this folder. What
a process has is read off its control segment (include/mpol/control.h), and nothing waits by the
clock: mpold tells that it is ready, subjects tell that they are, and what announces itself to
nobody is looked at again and again."""
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from process import Process  # noqa: E402  pylint: disable=wrong-import-position

MPOLD = os.path.abspath(os.environ["MPOLD_BIN"])
MPOL = os.path.abspath(os.environ["MPOL_BIN"])
PRELOAD = os.path.abspath(os.environ["MPOL_PRELOAD"])
SUBJECT = os.path.abspath(os.environ["MPOL_SUBJECT"])
LOOK_S = 0.002  # a busy look would take the processor away from what is looked at
FULL = os.environ.get("MPOL_FULL") == "1"  # as much as the requirement says, not what CI has time for
SECONDS_MAX = int(os.environ.get("MPOL_PATIENCE_S", "60"))
DEFAULT, PREFER, BIND, INTERLEAVE = 0, 1, 2, 3
NONE, OUTSIDE, DAEMON = 0, 3, 5  # enum mpol_ctl_origin
POLICY_WORDS = 24
RESTS_MAX = 3
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def median(values):
    return sorted(values)[len(values) // 2]


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def wait_until(condition, what="it to become so"):
    """For states that announce themselves to nobody. what: words, or a function that finds them."""
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what() if callable(what) else what}")
        time.sleep(LOOK_S)


class Segment:
    """A process's control segment, read as it is."""

    def __init__(self, pid):
        self.pid = pid
        self.fd = -1
        folder = f"/proc/{pid}/fd/"
        for name in os.listdir(folder):
            try:
                if os.readlink(folder + name).startswith("/memfd:mpol-control"):
                    self.fd = os.open(folder + name, os.O_RDWR)
            except FileNotFoundError:
                pass
        if self.fd < 0:
            raise FileNotFoundError("no segment")

    def __del__(self):
        if self.fd >= 0:
            os.close(self.fd)

    def words(self, at, count=1):
        return struct.unpack(f"<{count}Q", os.pread(self.fd, 8 * count, at))

    def mode(self):
        """Of the process's policy; None: it has none."""
        has_policy = self.words(256)[0] & 2
        return self.words(264)[0] & 0xff if has_policy else None

    def origin(self):
        return self.words(264)[0] >> 8 & 0xff

    def generation(self):
        return self.words(256)[0] >> 8

    def policy(self):
        """All of it, as it is told apart: who set it and when included."""
        return self.words(256)[0] & 2, self.words(264, POLICY_WORDS)

    def in_force(self, mode):
        return self.mode() == mode and self.words(456)[0] >= self.generation()

    def thread_modes(self):
        """Mode of each living thread's own policy by thread, None: it has none."""
        slots = struct.unpack("<I", os.pread(self.fd, 4, 64))[0]
        found = {}
        for slot in range(min(slots, 4096)):
            word, tid = struct.unpack("<QI", os.pread(self.fd, 12, 8192 + 256 * slot))
            if word & 0xc == 0x8:
                first = self.words(8192 + 256 * slot + 64)[0]
                found[tid] = first & 0xff if word & 2 else None
        return found


def segment_of(pid):
    """Waits until it has one of its own."""
    found = []

    def there():
        try:
            segment = Segment(pid)
        except OSError:
            return False
        found.append(segment)
        return struct.unpack("<I", os.pread(segment.fd, 4, 48))[0] == pid
    wait_until(there, f"a segment of {pid}")
    return found[-1]


def segment_in_force(pid, mode):
    """Of whatever program it has by the time it is under that mode."""
    found = []

    def there():
        found[:] = [segment_of(pid)]
        return found[0].in_force(mode)
    wait_until(there, f"mode {mode} of {pid}")
    return found[0]


def task_policy(pid):
    """Its main thread's, as the kernel tells it of the stack, which has no policy of its own."""
    with open(f"/proc/{pid}/numa_maps", encoding="ascii", errors="replace") as maps:
        return next(line for line in maps if " stack " in line).split()[1]


class Daemon:
    """mpold. `with Daemon(rules) as daemon:`"""

    def __init__(self, rules="", *options, prefix=()):
        self.folder = tempfile.TemporaryDirectory(prefix="mpold-test-")
        self.rules = os.path.join(self.folder.name, "rules")
        self.run = os.path.join(self.folder.name, "run")
        os.mkdir(self.rules, 0o755)
        self.options = options
        self.prefix = prefix
        self.process = None
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(self.folder.name, "notify"))
        self.notify.settimeout(SECONDS_MAX)
        self.write_rules(rules)

    @classmethod
    def of_nobody(cls, rules, prefix=NOBODY):
        """A user's own. Needs root."""
        daemon = cls(rules, "--user", prefix=prefix)
        for path in (daemon.folder.name, daemon.rules):
            os.chown(path, 65534, 65534)
        os.chmod(os.path.join(daemon.folder.name, "notify"), 0o777)
        return daemon

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.end(signal.SIGKILL)
        self.notify.close()
        self.folder.cleanup()

    def write_rules(self, text, name="rules.toml"):
        path = os.path.join(self.rules, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            # Another daemon's tests may run on the machine, and every daemon finds every process.
            file.write(text.replace(
                SUBJECTS, f'{SUBJECTS}, env = {{ MPOL_TEST = "{self.folder.name}" }}'))
        os.rename(path + ".new", path)

    def start(self):
        with open(os.path.join(self.folder.name, "stderr"), "a", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [*self.prefix, MPOLD, "--rules", self.rules, "--socket", self.run, *self.options],
                stderr=errors,
                env={**os.environ, "NOTIFY_SOCKET": os.path.join(self.folder.name, "notify")})
        self.hear("READY=1")

    def hear(self, word, whole=True):
        """Until it has told that word, or one that begins with it. All that it told with it."""
        while True:
            told = self.notify.recv(4096).decode().split("\n")
            if word in told or (not whole and any(one.startswith(word) for one in told)):
                return told

    def drain(self):
        self.notify.setblocking(False)
        try:
            while self.notify.recv(4096):
                pass
        except BlockingIOError:
            pass
        self.notify.settimeout(SECONDS_MAX)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(SECONDS_MAX)
        self.process = None
        self.drain()
        return status

    def errors(self):
        with open(os.path.join(self.folder.name, "stderr"), encoding="utf-8") as errors:
            return errors.read()

    def call(self, method, **parameters):
        """The reply, or the error's name."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(SECONDS_MAX)
            peer.connect(os.path.join(self.run, "io.mpol.Daemon"))
            peer.sendall(json.dumps({"method": "io.mpol.Daemon." + method,
                                     "parameters": parameters}).encode() + b"\0")
            data = b""
            while not data.endswith(b"\0"):
                got = peer.recv(65536)
                if not got:
                    raise AssertionError("mpold hung up")
                data += got
        reply = json.loads(data[:-1])
        return reply.get("error") or reply["parameters"]

    def log(self):
        with open(os.path.join(self.run, "log"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def environment(self):
        return {**os.environ, "LD_PRELOAD": PRELOAD, "MPOL_TEST": self.folder.name,
                "MPOL_HELLO": os.path.join(self.run, "hello")}

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(status.read().split("VmRSS:")[1].split()[0])

    def sleeps(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(") ", 1)[1].startswith("S")

    def processor_ns(self):
        """Time that it has used so far."""
        clock = (~self.process.pid << 3) | 2  # CPUCLOCK_SCHED of a process, as clock_getcpuclockid
        return time.clock_gettime_ns(clock)


class LogTail:
    """What the daemon adds to its log from now on, also over the file's change for another."""

    def __init__(self, daemon):
        self.path = os.path.join(daemon.run, "log")
        self.file = open(self.path, "rb")  # pylint: disable=consider-using-with
        self.file.seek(0, os.SEEK_END)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def entries(self):
        """Those that have come since it was asked last."""
        try:
            new = open(self.path, "rb")  # pylint: disable=consider-using-with
        except FileNotFoundError:  # Renamed, and not made anew yet.
            new = None
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        if new is not None and not os.path.sameopenfile(new.fileno(), self.file.fileno()):
            self.file, new = new, self.file
        if new is not None:
            new.close()
        return [json.loads(line) for line in lines]

    def wait_for(self, event, pids, rule_name="all"):
        """Until it has told that event of each of these, by that rule: of what came before, it may
        still tell when something else is so already."""
        missing = set(pids)

        def told():
            missing.difference_update(entry["pid"] for entry in self.entries()
                                      if entry["event"] == event
                                      and entry["rule"]["name"] == rule_name)
            return not missing
        wait_until(told, lambda: f"\"{event}\" of {len(missing)} processes of {len(pids)}, "
                                 f"{sorted(missing)[:10]} among them")


class Strace:
    """Traces the daemon. `with Strace(daemon) as calls:`; afterwards calls.lines has all of them."""

    def __init__(self, daemon):
        self.pid = daemon.process.pid
        self.lines = []

    def __enter__(self):
        if shutil.which("strace") is None:
            raise unittest.SkipTest("no strace")
        self.log = tempfile.NamedTemporaryFile("r", encoding="utf-8")
        self.tracer = subprocess.Popen(["strace", "-f", "-o", self.log.name, "-p", str(self.pid)],
                                       stderr=subprocess.PIPE, text=True)
        line = self.tracer.stderr.readline()
        if "attached" not in line:
            self.__exit__()
            raise unittest.SkipTest(f"strace can't trace here: {line.strip()}")
        return self

    def forget(self):
        """What has been so far."""
        self.log.read()

    def __exit__(self, *_):
        self.tracer.terminate()
        self.tracer.wait()
        self.tracer.stderr.close()
        # The call that it sleeps in is told when strace comes, and again when it goes.
        self.lines = [line for line in self.log.read().splitlines()
                      if "detached" not in line and ("epoll_wait" not in line or " = " in line)]
        self.log.close()


def calls_at_rest(daemon, seconds):
    """System calls in so many seconds. What has begun may take another second, such as the second
    look at what was there when it started: it is given the time. What happens again and again is
    not."""
    for _ in range(RESTS_MAX):
        wait_until(daemon.sleeps, "rest")
        with Strace(daemon) as calls:
            time.sleep(seconds)
        if not calls.lines:
            break
    return calls.lines


class Subject(Process):
    """A program of subject.c that the daemon hears of. `with Subject(daemon, "wait") as subject:`"""

    def __init__(self, daemon, *words, environment=None, preload=True, prefix=()):
        env = daemon.environment() if preload else dict(os.environ)
        super().__init__([*prefix, SUBJECT, *map(str, words)], {**env, **(environment or {})})
        assert self.said == "ready\n"
        self.segment = segment_of(self.pid) if preload else None

    def poke(self):
        """It allocates once more."""
        self.process.stdin.write("\n")

    def words(self):
        """Of its command, by now."""
        with open(f"/proc/{self.pid}/cmdline", encoding="utf-8") as file:
            return file.read().split("\0")[1:-1]

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def wait_for(self, mode):
        """In force: it allocates now and then, as programs do."""
        def there():
            self.poke()
            return self.segment.in_force(mode)
        wait_until(there, f"mode {mode} of {self.pid}, which has {self.segment.mode()}")


def mpol(*words):
    return subprocess.run([MPOL, *map(str, words)], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=SECONDS_MAX)


SUBJECTS = 'comm = "daemon-subject"'


def rule(policy, match=SUBJECTS, name="all", more=""):
    return f'[[rule]]\nname = "{name}"\nmatch = {{ {match} }}\npolicy = "{policy}"\n{more}\n'


def run_in_pid_namespace():
    """Starts the test over again in one of its own, with nobody else in it; goes on where that is
    not permitted, or was done already."""
    command = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    allowed = subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False)
    if os.environ.get("MPOL_ALONE") is None and allowed.returncode == 0:
        os.environ["MPOL_ALONE"] = "1"
        os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])


def main():
    if ctypes.CDLL(None).syscall(239, None, None, 0, None, 0) != 0:
        print("get_mempolicy(2) is refused here: nothing can be set")
        sys.exit(77)
    unittest.main(verbosity=2)
