#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nginx with four workers under ApacheBench, compressing, with its configuration reloaded
between the loads.

Compared: what each kind of answer is, to the byte, before and after the load; how many requests
were answered and failed; the error log's crashes; how it ended. Left out: rates and latencies."""

import hashlib
import http.client
import re
import signal
import socket
import time

import harness

WORKERS = 4
CONFIGURATION = """
daemon off;
worker_processes {workers};
pid {dir}/nginx.pid;
error_log {dir}/error.log notice;
events {{ worker_connections 256; }}
http {{
    default_type text/plain;
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    keepalive_requests 100000;
    server {{
        listen 127.0.0.1:{port} backlog=512;
        root {dir}/content;
        location /again/ {{ proxy_pass http://127.0.0.1:{port}/; }}
        location /said {{ return 200 "$request_method $arg_word $http_user_agent\\n"; }}
    }}
}}
"""
COUNTED = ["Document Length", "Complete requests", "Failed requests", "HTML transferred"]
PATHS = ["/small", "/large", "/again/large", "/said?word=nginx"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(port, path, encoding="identity"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Accept-Encoding": encoding, "User-Agent": "test"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return f"{path} {encoding} {response.status} {len(body)} {hashlib.sha256(body).hexdigest()}"


def all_answers(port):
    return [answer(port, path, encoding) for path in PATHS for encoding in ("identity", "gzip")]


def listens(port):
    try:
        answer(port, "/small")
        return True
    except OSError:
        return False


def reload(stage, process):
    """Tells the master, and waits until its old workers have gone: they close what they serve."""
    log = stage.dir / "error.log"
    gone = log.read_text().count("exited with code 0")
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + harness.SERVER_START_SECONDS
    while log.read_text().count("exited with code 0") < gone + WORKERS:
        if time.monotonic() > deadline:
            raise RuntimeError("nginx did not reload")
        time.sleep(0.01)


def subject(stage):
    program = harness.require("nginx", "nginx-light")
    load = harness.require("ab", "apache2-utils")
    port = free_port()
    content = stage.dir / "content"
    content.mkdir()
    (content / "small").write_text("small\n" * 20)
    (content / "large").write_text("".join(f"line {i * 7919 % 99991}\n" for i in range(40_000)))
    (stage.dir / "nginx.conf").write_text(CONFIGURATION.format(dir=stage.dir, port=port,
                                                                    workers=WORKERS))
    for path in (stage.dir, content, content / "small", content / "large"):
        path.chmod(0o777)
    command = [program, "-p", stage.dir, "-c", stage.dir / "nginx.conf"]
    requests = 200_000 if stage.arguments.full else 6_000
    with stage.server(command, lambda: listens(port), stop=signal.SIGQUIT) as process:
        stage.say(*all_answers(port))
        for path in PATHS:
            count = requests // (20 if "large" in path else 1)
            output = stage.run([load, "-q", "-r", "-k", "-c", 16, "-n", count, "-H",
                                "Accept-Encoding: gzip", f"http://127.0.0.1:{port}{path}"])
            stage.say(*[re.search(rf"^{name}: .*", output, re.MULTILINE)[0] for name in COUNTED])
            reload(stage, process)
        stage.say(*all_answers(port))
    log = (stage.dir / "error.log").read_text()
    stage.say(*re.findall(r"\[(?:emerg|alert|crit)\].*|exited on signal.*", log))


if __name__ == "__main__":
    harness.main(subject)
