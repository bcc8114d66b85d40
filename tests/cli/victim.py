# SPDX-License-Identifier: Apache-2.0
"""A program to be controlled: does what its standard input says, one line at a time, and answers
each line with one line. In between it is blocked in read(2)."""
import os
import queue
import sys
import threading

import syscalls

workers = {}


def work(orders, answers):
    answers.put(threading.get_native_id())
    while True:
        orders.get()
        answers.put(len(bytearray(1 << 16)))


def start_thread():
    orders, answers = queue.SimpleQueue(), queue.SimpleQueue()
    threading.Thread(target=work, args=(orders, answers), daemon=True).start()
    tid = answers.get()
    workers[tid] = (orders, answers)
    return tid


def allocate_in(tid):
    orders, answers = workers[tid]
    orders.put(None)
    return answers.get()


def rename(name):
    with open("/proc/self/comm", "wb") as comm:
        comm.write(bytes.fromhex(name))
    return "renamed"


VERBS = {
    "ping": lambda: "pong",
    "thread": start_thread,
    "allocate": lambda tid: allocate_in(int(tid)),
    "rename": rename,
    "mempolicy": lambda mode, nodes: syscalls.set_mempolicy(int(mode), int(nodes)),
    "environment": lambda name: os.environ.get(name, "(unset)"),
}

print("ready", flush=True)
for line in sys.stdin:
    verb, *words = line.split()
    print(VERBS[verb](*words), flush=True)
