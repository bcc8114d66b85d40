# SPDX-License-Identifier: Apache-2.0
"""A program that a test starts, talks with by lines, and ends."""
import os
import subprocess


class Process:
    """Says a line when it is ready, which is kept. `with Process(command) as process:`"""

    def __init__(self, command, env):
        self.process = subprocess.Popen(command, text=True, bufsize=1, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=env)
        self.pid = self.process.pid
        self.said = self.process.stdout.readline()
        assert self.said, f"{command} ended"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def segment(self):
        """The path of its control segment."""
        folder = f"/proc/{self.pid}/fd/"
        for name in os.listdir(folder):
            if os.readlink(folder + name).startswith("/memfd:mpol-control"):
                return folder + name
        raise AssertionError("no segment")
