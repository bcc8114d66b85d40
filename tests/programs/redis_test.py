#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""redis-server under redis-benchmark, with background saves and a restart from what was saved.

Compared: the tests that redis-benchmark ran, the digest of a known data set before and after the
restart, how everything ended. Left out: rates and latencies."""

import re
import subprocess

import harness

# Without those that send megabytes for each request.
CI_TESTS = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,mset,lrange_100"


def dataset(keys):
    """Known data of every type, in redis's own protocol."""
    for i in range(keys):
        yield ["SET", f"string:{i}", "x" * (i % 700)]
        yield ["HSET", f"hash:{i % 997}", f"field:{i}", f"value:{i * 7919}"]
        yield ["RPUSH", f"list:{i % 499}", str(i)]
        yield ["ZADD", f"zset:{i % 251}", str(i % 13), f"member:{i}"]
        yield ["SADD", f"set:{i % 125}", str(i * 31)]
        if i % 5 == 0:
            yield ["DEL", f"string:{i // 2}"]


def protocol(commands):
    return "".join(f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
                   for words in commands)


def subject(stage):
    server = harness.require("redis-server", "redis-server")
    benchmark = harness.require("redis-benchmark", "redis-tools")
    client = harness.require("redis-cli", "redis-tools")
    socket = stage.dir / "redis.sock"
    ask = [client, "-s", socket]
    serve = [server, "--port", 0, "--unixsocket", socket, "--dir", stage.dir, "--save", "",
             "--io-threads", 2, "--maxmemory", "1gb"]

    def ready():
        answer = subprocess.run([*ask, "ping"], capture_output=True, text=True, check=False)
        return answer.stdout == "PONG\n"

    requests, tests = (400_000, []) if stage.arguments.full else (40_000, ["-t", CI_TESTS])
    with stage.server(serve, ready):
        output = stage.run([benchmark, "-s", socket, "-n", requests, "-r", 100_000, "-d", 300,
                            "-c", 40, "-P", 8, "--threads", 2, "--csv", *tests])
        stage.say(*re.findall(r'^"([^"]+)"', output, re.MULTILINE))
        stage.say(stage.run([*ask, "flushall"]))
        stage.say(stage.run([*ask, "--pipe"], input=protocol(dataset(20_000))).splitlines()[-1])
        stage.say(stage.run([*ask, "debug", "digest"]))
        stage.run([*ask, "bgsave"])
        stage.run([benchmark, "-s", socket, "-n", requests, "-t", "get,set", "-q"])
        stage.run([*ask, "memory", "purge"])
        stage.say("mallctl answers", "Version" in stage.run([*ask, "memory", "malloc-stats"]))
        wait_for_save(stage, ask)
        stage.say(stage.run([*ask, "debug", "digest"]))
        stage.say(stage.run([*ask, "save"]))
    with stage.server(serve, ready):
        stage.say(stage.run([*ask, "debug", "digest"]))


def wait_for_save(stage, ask):
    while True:
        persistence = subprocess.run([*ask, "info", "persistence"], capture_output=True, text=True,
                                     check=True).stdout
        if "rdb_bgsave_in_progress:0" in persistence:
            stage.say(re.search(r"rdb_last_bgsave_status:\w+", persistence)[0])
            return


if __name__ == "__main__":
    harness.main(subject)
