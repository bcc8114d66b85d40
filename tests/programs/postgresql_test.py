#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL under pgbench for 30 s: a new cluster, the load, its own consistency checks.

Compared: how everything ended, failed transactions, that balances and history agree, checksums of
all pages, crashes in the server's log. Left out: rates, latencies and the number of transactions."""

import glob
import re
import subprocess

import harness

# What TPC-B promises: every change of an account is in the history, in its teller and its branch.
AGREE = """SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM h)
  AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM h)
  AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM h)"""
# Enough memory for sorts and hashes to make the heap of a backend large.
SORT = """SET work_mem = '200MB'; SELECT count(*), md5(string_agg(aid::text, ',' ORDER BY filler, aid
  DESC)) FROM pgbench_accounts; SELECT count(*) FROM pgbench_accounts a JOIN pgbench_accounts b
  ON a.aid = b.aid + 1"""


def programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if not found:
        raise harness.Skip("postgres is not installed (Debian package postgresql)")
    directory = found[-1].rpartition("/")[0]
    return {name: harness.require(f"{directory}/{name}", "postgresql")
            for name in ("initdb", "postgres", "psql", "pgbench", "pg_isready", "pg_checksums")}


def subject(stage):
    program = programs()
    user = {"user": harness.user_or_self("postgres")}
    data = stage.dir / "data"
    where = ["-h", stage.dir, "-p", 5432]
    stage.run([program["initdb"], "-D", data, "-A", "trust", "-N", "-k", "-U", "postgres"], **user)
    serve = [program["postgres"], "-D", data, "-k", stage.dir, "-h", "", "-p", 5432,
             "-c", "max_connections=30", "-c", "fsync=off", "-c", "dynamic_shared_memory_type=posix",
             "-c", "max_parallel_workers_per_gather=2", "-c", "min_parallel_table_scan_size=0"]

    def ready():
        return subprocess.run([program["pg_isready"], "-q", "-U", "postgres", *map(str, where)],
                              check=False).returncode == 0

    def ask(sql):
        command = [program["psql"], *where, "-U", "postgres", "-AtX", "-v", "ON_ERROR_STOP=1"]
        stage.say(*stage.run([*command, "-c", sql], **user).splitlines())

    seconds = 120 if stage.arguments.full else 30
    bench = [program["pgbench"], *where, "-U", "postgres"]
    with stage.server(serve, ready, log="postgres.log", **user) as server:
        stage.run([*bench, "-i", "-s", 5, "-q"], **user)
        ask(SORT)
        output = stage.run([*bench, "-c", 6, "-j", 2, "-T", seconds, "-C", "--max-tries=3"], **user)
        stage.say(*[line for line in output.splitlines() if "failed" in line])
        processed = re.search(r"actually processed: (\d+)", output)
        stage.say("transactions were processed", processed is not None and int(processed[1]) > 0)
        ask(AGREE.replace("FROM h)", "FROM pgbench_history)"))
        ask(SORT.split(";")[0] + "; CREATE EXTENSION amcheck; SELECT bt_index_check(oid) FROM "
            "pg_class WHERE relname LIKE 'pgbench%pkey'")
        server.send_signal(2)
        server.wait(60)
    stage.run([program["pg_checksums"], "--check", "-D", data], **user)
    log = (stage.dir / "postgres.log").read_text()
    stage.say(*re.findall(r".*(?:terminated by signal|PANIC|ERROR).*", log))


if __name__ == "__main__":
    harness.main(subject)
