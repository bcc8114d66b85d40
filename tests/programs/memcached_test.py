#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memcached under load from several connections at once, every answer checked.

Compared: how many of each operation succeeded, the server's own counts of items and operations,
its exit status. Left out: its other statistics, and total_items, which also counts the items that
its slab rebalancer moves, when it finds the time."""

import concurrent.futures
import random
import socket

import harness

CONNECTIONS = 8
KEYS = 4_000
BATCH = 50
COUNTED = ("curr_items", "cmd_get", "cmd_set", "get_hits", "get_misses",
           "delete_hits", "evictions", "threads")


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        return self.file.readline().rstrip(b"\r\n")

    def get(self, key):
        header = self.line()
        if header == b"END":
            return None
        _, name, _, size = header.split()
        value = self.file.read(int(size) + 2)[:-2]
        if name != key or self.line() != b"END":
            raise ValueError(f"asked for {key}, got {name}")
        return value


def value_of(key, version):
    return (b"%s/%d/" % (key, version)) * (1 + version * 37 % 120)


def load(path, number, batches):
    """One connection's own keys, in pipelined batches; returns what it counted."""
    chance = random.Random(number)
    connection = Connection(path)
    versions = {}
    counts = {"stored": 0, "hits": 0, "misses": 0, "deleted": 0, "wrong": 0}
    for batch in range(batches):
        keys = [b"%d-%d" % (number, chance.randrange(KEYS)) for _ in range(BATCH)]
        for key in keys:
            versions[key] = batch
        connection.send(b"".join(
            b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value_of(key, batch)), value_of(key, batch))
            for key in keys))
        counts["stored"] += sum(connection.line() == b"STORED" for _ in keys)
        asked = [b"%d-%d" % (number, chance.randrange(KEYS)) for _ in range(BATCH)]
        connection.send(b"".join(b"get %s\r\n" % key for key in asked))
        for key in asked:
            value = connection.get(key)
            wanted = value_of(key, versions[key]) if key in versions else None
            counts["hits" if value is not None else "misses"] += 1
            counts["wrong"] += value != wanted
        gone = [key for key in set(keys) if chance.random() < 0.1]
        connection.send(b"".join(b"delete %s\r\n" % key for key in gone))
        counts["deleted"] += sum(connection.line() == b"DELETED" for _ in gone)
        for key in gone:
            del versions[key]
    connection.socket.close()
    return counts


def statistics(path):
    connection = Connection(path)
    connection.send(b"stats\r\n")
    found = {}
    while (line := connection.line()) != b"END":
        _, name, value = line.decode().split(" ", 2)
        found[name] = value
    return [f"{name} {found[name]}" for name in COUNTED]


def listens(path):
    try:
        Connection(path)
        return True
    except OSError:
        return False


def subject(stage):
    program = harness.require("memcached", "memcached")
    path = stage.dir / "memcached.sock"
    command = [program, "-s", path, "-U", 0, "-t", 4, "-m", 512, "-c", 64, "-u", "nobody"]
    batches = 20_000 if stage.arguments.full else 2_000
    with stage.server(command, lambda: listens(path)):
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            totals = list(pool.map(lambda number: load(path, number, batches), range(CONNECTIONS)))
        stage.say(*[f"connection {number}: {counts}" for number, counts in enumerate(totals)])
        stage.say(*statistics(path))
        stage.say("wrong answers", sum(counts["wrong"] for counts in totals))


if __name__ == "__main__":
    harness.main(subject)
