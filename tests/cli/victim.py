# SPDX-License-Identifier: Apache-2.0
"""A program to be controlled: does what its standard input says, one line at a time, and answers
each line with one line. In between it is blocked in read(2)."""
import json
import os
import queue
import signal
import sys
import threading
import zlib

import syscalls

workers = {}


def work(orders, answers):
    answers.put(threading.get_native_id())
    while True:
        answers.put(orders.get()())


def start_thread():
    orders, answers = queue.SimpleQueue(), queue.SimpleQueue()
    thread = threading.Thread(target=work, args=(orders, answers), daemon=True)
    thread.start()
    tid = answers.get()
    workers[tid] = (orders, answers, thread)
    return tid


def run_in(tid, order):
    orders, answers, _ = workers[tid]
    orders.put(order)
    return answers.get()


def touch(address, size, step=None):
    """Writes all of it, or a megabyte in each step."""
    for at in range(address, address + size, step or size):
        syscalls.libc.memset(at, 1, min(step and 1 << 20 or size, address + size - at))
    return "touched"


def end_thread(tid):
    orders, _, thread = workers.pop(tid)
    orders.put(sys.exit)
    thread.join()
    return "ended"


def rename(name):
    with open("/proc/self/comm", "wb") as comm:
        comm.write(bytes.fromhex(name))
    return "renamed"


held = bytearray()


def fill(size):
    """Memory whose pages all differ, kept until the end."""
    global held
    held = bytearray(size)
    for at in range(0, size, 4096):
        held[at:at + 8] = at.to_bytes(8, "little")
    return zlib.crc32(held)


def fork():
    """A child that shares every page and does nothing, until it is killed."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    return child


VERBS = {
    "fork": fork,
    "fill": lambda size: fill(int(size)),
    "nodes": lambda: json.dumps(syscalls.nodes_of(held)),
    "sum": lambda: zlib.crc32(held),
    "ping": lambda: "pong",
    "thread": start_thread,
    "allocate": lambda tid: run_in(int(tid), lambda: len(bytearray(1 << 16))),
    "end": lambda tid: end_thread(int(tid)),
    "hold": lambda size: syscalls.malloc(int(size)),
    "hold_in": lambda tid, size: run_in(int(tid), lambda: syscalls.malloc(int(size))),
    "touch": lambda *numbers: touch(*map(int, numbers)),
    "huge": lambda address, size: syscalls.madvise_huge(int(address), int(size)),
    "rename": rename,
    "mempolicy": lambda mode, nodes: syscalls.set_mempolicy(int(mode), int(nodes)),
    "environment": lambda name: os.environ.get(name, "(unset)"),
}

print("ready", flush=True)
for line in sys.stdin:
    verb, *words = line.split()
    print(VERBS[verb](*words), flush=True)
