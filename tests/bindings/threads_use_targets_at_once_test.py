# SPDX-License-Identifier: Apache-2.0
"""Eight threads: on targets of their own and on one that they share, no publication is lost or
torn, and one that waits keeps no other from running."""
import sys
import threading

from harness import BindingsTest, main, mpol, wait_until

THREADS = 8
WRITES = 40
PUBLICATIONS = 1000  # that nobody waits for: they are as close together as can be
TEXTS = ["bind:0", "interleave:0", "local", "prefer:0", "bind=static:0", "prefer (many):0",
         "weighted interleave:0;weights=3", "default"]


def at_once(*bodies):
    """Runs them in threads of their own, and what they raise."""
    raised = []
    gate = threading.Barrier(len(bodies))

    def run(body):
        try:
            gate.wait()
            body()
        except BaseException as error:  # pylint: disable=broad-exception-caught
            raised.append(error)

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


class Threads(BindingsTest):
    def setUp(self):
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)

    def write_and_read(self, victim, targets):
        """Each its own text, and every one reads whole texts only; the generation counts them
        all."""
        def body(target, text, writes, timeout):
            def run():
                for _ in range(writes):
                    target.write(text, timeout=timeout)
                    self.assertIn(str(target.read().policy), TEXTS)
            return run
        for writes, timeout in ((WRITES, 60), (PUBLICATIONS, 0)):
            before = targets[0].read().generation
            raised = at_once(*(body(*pair, writes, timeout) for pair in zip(targets, TEXTS)))
            self.assertEqual(raised, [])
            self.assertEqual(targets[0].read().generation - before, THREADS * writes)
        wait_until(lambda: targets[0].read().in_force)
        self.assertEqual(victim.ask("ping"), "pong")

    def test_on_targets_of_their_own(self):
        victim = self.victim()
        targets = [mpol.open(victim.pid, write=True) for _ in range(THREADS)]
        for target in targets:
            self.addCleanup(target.close)
        self.write_and_read(victim, targets)

    def test_on_one_that_they_share(self):
        victim, target = self.opened()
        self.write_and_read(victim, [target] * THREADS)

    def test_on_processes_of_their_own(self):
        victims = [self.victim() for _ in range(THREADS)]

        def body(victim, text):
            def run():
                for _ in range(WRITES // 4):
                    with mpol.open(victim.pid, write=True) as target:
                        target.write(text, timeout=60)
                        assert str(target.read().policy) == text
            return run
        self.assertEqual(at_once(*(body(*pair) for pair in zip(victims, TEXTS))), [])

    def test_opening_and_closing_one_that_others_use(self):
        victim = self.victim()
        shared = mpol.open(victim.pid)

        def read():
            try:
                while True:
                    shared.read()
            except ValueError:
                pass
        self.assertEqual(at_once(*[read] * (THREADS - 1), shared.close), [])
        self.assertTrue(shared.closed)

    def test_who_waits_keeps_nobody_from_running(self):
        victim, target = self.opened()
        target.write("bind:0")
        victim.stop()
        with mpol.open(victim.pid, write=True) as other:
            outcome = []

            def write():
                target.write("local", timeout=60)
                outcome.append("in force")
            waiting = threading.Thread(target=write)
            waiting.start()
            wait_until(lambda: str(other.read().policy) == "local")
            self.assertFalse(other.read().in_force)
            # Neither the GIL nor a turn of another target's is held meanwhile; reading needs none.
            other.write("interleave:0", timeout=0)
            self.assertEqual(str(target.read().policy), "interleave:0")
            self.assertEqual(outcome, [])
            victim.go_on()
            waiting.join()
            self.assertEqual(outcome, ["in force"])
            self.assertTrue(target.read().in_force)


if __name__ == "__main__":
    main()
