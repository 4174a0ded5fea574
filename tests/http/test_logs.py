#!/usr/bin/env python3
"""Tests of the log: the access log and its kinds, slow queries and requests, levels of categories, rotation by logrotate and SIGUSR1, lines of two
workers in one file, and that a log which cannot be written stops nobody.

Speaks TAP on standard output. AGENTD names the program; the nodes have a PostgreSQL and a folder of their own.
"""

import grp
import os
import pwd
import shutil
import subprocess
import sys
import threading

import own_node
from own_node import Node, check, until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FIELDS = {"time", "level", "category", "process", "pid", "message", "method", "route", "path", "status", "duration_us",
          "bytes", "client", "principal", "tenant", "request_id"}
node = None
token = None


def ask(method, path, body=None, **headers):
    return node.ask(method, path, body, Authorization=f"Bearer {token}", **headers)


def change(**settings):
    """Changes settings, and waits until the worker goes by them."""
    before = sum(line["message"] == "run-time settings took effect" and line["process"].startswith("worker")
                 for line in node.lines())
    status, _, body = ask("PATCH", "/api/v1/config", settings)
    assert status == 200, body
    until(lambda: sum(line["message"] == "run-time settings took effect" and line["process"].startswith("worker")
                      for line in node.lines()) > before)


def access(request_id=None):
    return [line for line in node.lines()
            if line["category"] == "access" and request_id in (None, line["request_id"])]


def has_no_access_log_by_default():
    ask("GET", "/api/v1/tasks")
    check("no access log unless it is asked for", access() == [], access())


def each_request_has_a_line():
    change(access_log="on", log_level="info")
    status, headers, body = ask("GET", "/api/v1/tasks?role=top-secret-word",
                                traceparent=f"00-{TRACE}-00f067aa0ba902b7-00", X_Request_Id="my-own/1")
    lines = until(lambda: access("my-own/1"))
    check("one line for a request", len(lines) == 1 and status == 200, lines)
    line = lines[0]
    check("with all fields", set(line) == FIELDS | {"trace_id"}, line)
    check("that say what it was", (line["method"], line["route"], line["path"], line["status"], line["bytes"]) ==
          ("GET", "/api/v1/tasks", "/api/v1/tasks", 200, len(body)), line)
    check("who it was", line["client"] == "127.0.0.1" and line["principal"].startswith("user:") and
          line["tenant"] == "default", line)
    check("how long it took", 0 < line["duration_us"] < 10_000_000, line)
    check("and in which trace", line["trace_id"] == TRACE, line)
    status, headers, _ = node.ask("GET", "/api/v1/tasks/00000000-0000-7000-8000-000000000001?x=1", Authorization="Bearer zzz")
    line = until(lambda: access(headers["X-Request-Id"]))[0]
    check("the route is the template", line["route"] == "/api/v1/tasks/{id}" and line["status"] == 401 and
          line["principal"] is None, line)
    node.ask("POST", "/api/v1/auth/login", {"username": "admin", "password": "not-the-password-4711"}, X_Request_Id="login")
    until(lambda: access("login"))
    text = node.log()
    check("no secret and no query value is in the log",
          not [word for word in (token, "Bearer zzz", "not-the-password", "top-secret-word", own_node.PASSWORD) if word in text])
    node.ask("HEAD", "/livez", X_Request_Id="head")
    line = until(lambda: access("head"))[0]
    check("HEAD has its name and no bytes", (line["method"], line["bytes"]) == ("HEAD", 0), line)
    node.raw(b"FROB / HTTP/1.1\r\nHost: a\r\nX-Request-Id: odd\r\nConnection: close\r\n\r\n")
    node.raw(b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n")
    check("what was no request has a line too", until(lambda: any(
        line["status"] == 400 and line["method"] is None and line["route"] is None for line in access())), access())


def kinds_of_access_log():
    change(access_log="errors")
    before = len(access())
    for _ in range(5):
        ask("GET", "/api/v1/tasks")
    node.ask("GET", "/nothing", X_Request_Id="last")
    until(lambda: access("last"))
    check("errors: only what failed", len(access()) == before + 1, access()[before:])
    change(access_log="sampled", access_log_share=0.25)
    before = len(access())
    for _ in range(40):
        ask("GET", "/api/v1/tasks")
    node.ask("GET", "/nothing", X_Request_Id="very-last")
    until(lambda: access("very-last"))
    check("sampled: a quarter, and what failed", len(access()) - before in (11, 12), len(access()) - before)
    change(access_log="off")


def slow_things():
    change(slow_query_ms=1, slow_request_ms=1)
    tasks = [{"role": "slow-role", "description": "x" * 200}] * 1000
    status, headers, _ = ask("POST", "/api/v1/tasks", tasks)
    request = headers["X-Request-Id"]

    def found(message, **wanted):
        return [line for line in node.lines() if line["message"] == message and line["category"] == "slow" and
                all(value in str(line.get(name)) for name, value in wanted.items())]
    lines = until(lambda: found("slow query", query="task_create", request_ids=request))
    check("a slow query is logged with its request", bool(lines) and lines[0]["calls"] > 1 and lines[0]["outcome"] == "ok" and
          lines[0]["duration_ms"] >= 1, lines)
    lines = until(lambda: found("slow request", request_id=request))
    check("a slow request is logged with its stages", bool(lines) and lines[0]["route"] == "/api/v1/tasks" and
          "handle=" in lines[0]["stages_ms"] and lines[0]["duration_ms"] >= 1, lines)
    status, headers, _ = ask("POST", "/api/v1/tasks/lease",
                             {"roles": ["nothing-there"], "agent_id": "a", "max": 1, "wait_s": 0.3}, X_Request_Id="patient")
    ask("POST", "/api/v1/tasks", tasks, X_Request_Id="after")
    until(lambda: found("slow request", request_id="after"))
    check("who waits for work is not slow", status == 200 and not found("slow request", request_id="patient"))
    change(slow_query_ms=0, slow_request_ms=0)


def levels():
    status, _, body = ask("PATCH", "/api/v1/config", {"log_levels": "database=debug,frob=info"})
    check("an unknown category is refused with the list", status == 422 and "frob=info" in body and "database" in body, body)
    change(log_level="error", log_levels="settings=info")
    change(log_levels="settings=info,http=debug")
    node.raw(b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n")
    lines = until(lambda: [line for line in node.lines() if line["category"] == "http"])
    check("a category can say more than the rest", bool(lines) and lines[-1]["level"] == "debug", lines)
    before = len(node.lines())
    change(log_level="info", log_levels="settings=info")
    quiet = [line for line in node.lines()[before:] if line["process"].startswith("worker")]
    check("and the rest keeps quiet", {line["category"] for line in quiet} == {"settings"}, quiet)
    check("the master goes by them too", until(lambda: any(
        line["process"] == "master" and line["message"] == "the log levels were changed" for line in node.lines())))


def rotate(path):
    """By the example for logrotate, with the paths and the user of this node."""
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    group = grp.getgrgid(owner.pw_gid).gr_name
    os.chown(f"{node.folder}/logs", owner.pw_uid, owner.pw_gid)
    os.chmod(f"{node.folder}/logs", 0o755)
    with open(f"{os.environ['SOURCE_DIR']}/contrib/logrotate/agentd", encoding="utf-8") as file:
        text = file.read()
    for old, new in (("/var/log/agentd/agentd.log", path), ("/var/lib/agentd", f"{node.folder}/state"),
                     ("0640 agentd agentd", f"0640 {owner.pw_name} {group}")):
        assert old in text
        text = text.replace(old, new)
    with open(f"{node.folder}/rotate", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    program = shutil.which("logrotate", path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        raise SystemExit("logrotate is missing: install the Debian package logrotate")
    ran = subprocess.run([program, "--force", "--state", f"{node.folder}/rotated", file.name], capture_output=True, text=True)
    check("the example for logrotate works", ran.returncode == 0 and os.path.exists(path + ".1"), ran.stderr)


def reopens_on_signal():
    path = f"{node.folder}/logs/log"
    change(access_log="on")
    ask("GET", "/api/v1/tasks", X_Request_Id="before")
    until(lambda: access("before"))
    rotate(path)
    check("SIGUSR1: the master opens the file again", until(lambda: os.path.exists(path) and any(
        line["message"] == "the log file was opened again" for line in node.lines())))
    ask("GET", "/api/v1/tasks", X_Request_Id="after-signal")
    check("and so do the workers", bool(until(lambda: access("after-signal"))))
    with open(path + ".1", encoding="utf-8") as file:
        check("nothing goes to the old one any more", "after-signal" not in file.read())
    check("all are alive", node.process.poll() is None and len(node.workers()) == 2 and
          not [line for line in node.lines() if line["message"] == "a process ended"])


def lines_do_not_mix():
    before = len(access())
    each, clients = 100, 8

    def work():
        connection = node.connection()
        for _ in range(each):
            node.ask("GET", "/nothing/" + "x" * 300, connection=connection)
        connection.close()
    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("lines of two workers never mix", until(lambda: len(access()) - before >= each * clients),
          len(access()) - before)
    check("both workers wrote some", len({line["process"] for line in access()[before:]}) == 2)


def survives_a_log_that_cannot_be_written():
    full = Node(AGENTD_LOG_FILE="/dev/full", AGENTD_ACCESS_LOG="on")
    good = sum(full.ask("GET", "/livez")[0] == 200 for _ in range(50))
    check("a full disk stops nobody", good == 50 and full.process.poll() is None, good)
    check("and it ends as it should", full.stop() == 0)
    reader, writer = os.pipe()
    piped = Node(stderr=writer, AGENTD_LOG_FILE="", AGENTD_ACCESS_LOG="on")
    os.close(reader)
    os.close(writer)
    good = sum(piped.ask("GET", "/livez")[0] == 200 for _ in range(50))
    check("a closed pipe stops nobody", good == 50 and piped.process.poll() is None, good)
    check("and it ends as it should", piped.stop() == 0)


def main():
    global node, token
    node = Node(AGENTD_WORKERS="1")
    try:
        token = node.login()
        has_no_access_log_by_default()
        each_request_has_a_line()
        kinds_of_access_log()
        slow_things()
        levels()
        check("it ends as it should", node.stop() == 0)
        node = Node(AGENTD_WORKERS="2")
        token = node.login()
        reopens_on_signal()
        lines_do_not_mix()
        check("it ends as it should", node.stop() == 0)
        survives_a_log_that_cannot_be_written()
    finally:
        if node.process.poll() is None:
            node.stop()
    return own_node.finish()


sys.exit(main())
