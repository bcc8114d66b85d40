# SPDX-License-Identifier: Apache-2.0
import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
import unittest

from mounted import MountedCase, Target, main, options, shell, wait_for, write


class EchoIntoMempolicy(MountedCase):
    def test_policy_is_in_force_when_echo_returns(self):
        target = self.target()
        path = self.mount.path(target.pid, "mempolicy")
        self.assertEqual(self.mount.read(target.pid, "mempolicy"), "default\n")
        done = shell(f"echo interleave:0 > {path}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.mount.read(target.pid, "mempolicy"), "interleave:0\n")
        self.assertEqual(target.kernel_policies(self.mount), {"interleave:0"})
        status = self.mount.status(target.pid)
        self.assertEqual(status["pending"], "no")
        self.assertEqual(status["policy"], "interleave:0")
        self.assertTrue(status["set_by"].startswith(f"outside uid={os.geteuid()} "))

    def test_line_breaks_end_the_text(self):
        target = self.target()
        path = self.mount.path(target.pid, "mempolicy")
        for text, wanted in [("bind:0", "bind:0"), ("prefer:0\n", "prefer:0"),
                             ("prefer: 0", "prefer:0"), ("interleave\n", "interleave:0"),
                             ("local\r\n", "local"), ("bind:0\nlocal\n", "bind:0"),
                             ("prefer (many)=static:0\n", "prefer (many)=static:0"),
                             ("default\n", "default")]:
            with self.subTest(text=text):
                self.assertEqual(write(path, text), len(text))
                self.assertEqual(self.mount.read(target.pid, "mempolicy"), wanted + "\n")

    def test_default_is_a_policy(self):
        target = self.target()
        path = self.mount.path(target.pid, "mempolicy")
        write(path, "interleave:0\n")
        write(path, "default\n")
        self.assertEqual(self.mount.status(target.pid)["policy"], "default")
        # On regions without a policy the kernel shows the main thread's own, which follows.
        wait_for(lambda: target.kernel_policies(self.mount) == {"default"}, "the kernel's word")

    def test_wrong_text_is_einval_and_changes_nothing(self):
        target = self.target()
        path = self.mount.path(target.pid, "mempolicy")
        write(path, "bind:0\n")
        generation = self.mount.status(target.pid)["generation"]
        for text in ["\n", "nonsense\n", "bind\n", "bind:0x1", "bind:1023", "prefer:0-1", "BIND:0",
                     "bind=balancing:0", "default:", "bind:0" + "," * 4091, b"bind:\xff"]:
            with self.subTest(text=text):
                self.assert_errno(errno.EINVAL, write, path, text)
        done = shell(f"/bin/echo interleave:9 > {path}")
        self.assertIn("Invalid argument", done.stderr)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.mount.read(target.pid, "mempolicy"), "bind:0\n")
        self.assertEqual(self.mount.status(target.pid)["generation"], generation)
        self.assertEqual(target.kernel_policies(self.mount), {"bind:0"})

    def test_one_write_is_one_policy(self):
        target = self.target()
        fd = os.open(self.mount.path(target.pid, "mempolicy"), os.O_RDWR)
        self.addCleanup(os.close, fd)
        self.assertEqual(os.pwrite(fd, b"bind:0\n", 0), 7)
        self.assert_errno(errno.EINVAL, os.pwrite, fd, b"local\n", 7)
        self.assertEqual(os.pwrite(fd, b"interleave:0\n", 0), 13)
        self.assertEqual(os.pread(fd, 5, 0) + os.pread(fd, 100, 5), b"interleave:0\n")
        self.assertEqual(os.pread(fd, 5, 13), b"")
        os.truncate(self.mount.path(target.pid, "mempolicy"), 0)
        self.assertEqual(self.mount.read(target.pid, "mempolicy"), "interleave:0\n")

    def test_threads_have_files_of_their_own(self):
        target = self.target()
        own = self.mount.path(target.pid, "task", target.worker, "mempolicy")
        write(self.mount.path(target.pid, "mempolicy"), "interleave:0\n")
        self.assertEqual(own.read_text(), "interleave:0\n")
        write(own, "bind:0\n")
        self.assertEqual(own.read_text(), "bind:0\n")
        self.assertEqual(self.mount.read(target.pid, "mempolicy"), "interleave:0\n")
        status = self.mount.status(target.pid)
        self.assertTrue(status["thread"].startswith(f"{target.worker} bind:0 "), status["thread"])
        scope = f"scope=thread:{target.worker} "
        wait_for(lambda: scope in self.mount.read(target.pid, "numa_maps"), "the thread's region")
        self.assert_errno(errno.EINVAL, write, own, "bind:1023\n")
        self.assertEqual(own.read_text(), "bind:0\n")

    def test_tree_is_that_of_proc(self):
        target = self.target()
        self.assertIn(str(target.pid), os.listdir(self.mount.dir))
        self.assertEqual(sorted(os.listdir(self.mount.path(target.pid))),
                         ["mempolicy", "numa_maps", "status", "task"])
        tids = os.listdir(self.mount.path(target.pid, "task"))
        self.assertEqual(tids, os.listdir(f"/proc/{target.pid}/task"))
        self.assertIn(str(target.worker), tids)
        for name, mode in [("mempolicy", 0o100600), ("status", 0o100400), ("task", 0o40555)]:
            found = os.stat(self.mount.path(target.pid, name))
            self.assertEqual((found.st_mode, found.st_uid), (mode, os.geteuid()), name)
        # This test has no segment; a thread leads no process; and nothing can be made.
        for wrong in [(os.getpid(),), (target.worker,), (target.pid, "task", os.getpid()),
                      (target.pid, "maps"), ("0" + str(target.pid),)]:
            self.assert_errno(errno.ENOENT, os.stat, self.mount.path(*wrong))
        self.assert_errno(errno.ENOENT, write, self.mount.path(target.pid, "new"), "x")
        self.assert_errno(errno.EACCES, write, self.mount.path(target.pid, "status"), "x")

    def test_numa_maps_lists_regions_and_pages(self):
        target = self.target()
        write(self.mount.path(target.pid, "mempolicy"), "interleave:0\n")
        lines = self.mount.read(target.pid, "numa_maps").splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r"^[0-9a-f]+ interleave:0 scope=process reserved=\d+ carved=\d+ "
                                   r"N0=\d+ kernelpagesize_kB=4$")

    def test_concurrent_writers_leave_one_whole_policy(self):
        target = self.target()
        path = self.mount.path(target.pid, "mempolicy")
        texts = ["interleave:0", "bind:0", "prefer:0", "local", "prefer (many)=static:0", "default"]
        failures = []
        before = int(self.mount.status(target.pid)["generation"])

        def writer(text):
            for _ in range(20):
                try:
                    write(path, text + "\n")
                    read = path.read_text().strip()
                    if read not in texts:
                        failures.append(read)
                except OSError as error:
                    failures.append(error)

        writers = [threading.Thread(target=writer, args=(text,)) for text in texts]
        for thread in writers:
            thread.start()
        for thread in writers:
            thread.join()
        self.assertEqual(failures, [])
        last = path.read_text().strip()
        wait_for(lambda: self.mount.status(target.pid)["pending"] == "no", "the last policy")
        wait_for(lambda: target.kernel_policies(self.mount) == {last}, "the kernel's word")
        after = int(self.mount.status(target.pid)["generation"])
        self.assertEqual(after - before, 20 * len(texts))

    def test_sleeping_target_keeps_nobody_waiting_for_long(self):
        target = self.target()
        target.stop()
        path = self.mount.path(target.pid, "mempolicy")
        self.assertEqual(write(path, "bind:0\n"), 7)
        self.assertEqual(self.mount.status(target.pid)["pending"], "yes")
        self.assertEqual(path.read_text(), "bind:0\n")
        os.kill(target.pid, signal.SIGCONT)
        wait_for(lambda: self.mount.status(target.pid)["pending"] == "no", "the policy in force")
        self.assertEqual(target.kernel_policies(self.mount), {"bind:0"})

    # More of them at once than the daemon has threads.
    def test_writers_to_a_sleeping_target_leave_room_for_others(self):
        asleep, awake = self.target("crowd"), self.target()
        asleep.stop()
        paths = list(self.mount.path(asleep.pid, "task").glob("*/mempolicy"))
        self.assertGreater(len(paths), 40)

        def writer(path):
            with contextlib.suppress(OSError):  # The library's own thread has no policy.
                write(path, "bind:0\n")

        writers = [threading.Thread(target=writer, args=(path,)) for path in paths]
        begin = time.monotonic()
        for thread in writers:
            thread.start()
        self.mount.read(awake.pid, "status")
        self.assertLess(time.monotonic() - begin, 1.5)
        for thread in writers:
            thread.join()

    def test_writers_to_one_sleeping_target_do_not_add_up(self):
        target = self.target()
        target.stop()
        path = self.mount.path(target.pid, "mempolicy")
        begin = time.monotonic()
        for _ in range(10):
            write(path, "bind:0\n")
        self.assertLess(time.monotonic() - begin, 6)
        self.assertEqual(self.mount.status(target.pid)["pending"], "yes")

    def test_process_that_ends_takes_its_files_along(self):
        target = Target()
        fd = os.open(self.mount.path(target.pid, "mempolicy"), os.O_RDWR)
        self.addCleanup(os.close, fd)
        target.end()
        self.assert_errno(errno.ESRCH, os.pread, fd, 100, 0)
        self.assert_errno(errno.ESRCH, os.pwrite, fd, b"local\n", 0)
        self.assert_errno(errno.ENOENT, os.stat, self.mount.path(target.pid))
        self.assertNotIn(str(target.pid), os.listdir(self.mount.dir))


class CommandLine(unittest.TestCase):
    def run_mpolfs(self, *words):
        return subprocess.run([options.mpolfs, *words], capture_output=True, text=True, check=False)

    def test_errors_before_mounting_are_one_sentence(self):
        done = self.run_mpolfs()
        self.assertEqual((done.returncode, done.stderr),
                         (2, "mpolfs: no mount point is named; try: mpolfs --help\n"))
        done = self.run_mpolfs("/dev/null")
        self.assertEqual((done.returncode, done.stderr),
                         (1, "mpolfs: can't mount on /dev/null: it is not a directory\n"))
        done = self.run_mpolfs("/nonexistent/directory")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_help_and_version(self):
        self.assertIn("usage: mpolfs", self.run_mpolfs("--help").stdout)
        self.assertRegex(self.run_mpolfs("-V").stdout, r"^mpolfs \d")


if __name__ == "__main__":
    main()
