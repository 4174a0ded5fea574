#!/usr/bin/env python3
"""test_bad_machine.py - no descriptors, no memory, PostgreSQL and Redis that are slow or lie: each is told in words, costs
no other request, and heals by itself.

Clocks that jump: tests/scenario/files/c_clock_jumps.scn; full disks: test_disk_full.py. TAP on standard output. Starts a
PostgreSQL, a Redis and nodes of its own. AGENTD names the program.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import own_node
from bad_proxy import BadProxy
from own_node import check, until

HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = os.path.dirname(HERE)
PATIENCE_MS = 700
SLOW_START_S = 0.3
DESCRIPTORS = 96
MEMORY = 32 << 20


def server_url(folder, name):
    """A database of its own in the cluster of with-postgres, reached through the folder of a proxy."""
    url = os.environ["AGENTD_TEST_DATABASE_URL"]
    subprocess.run(["psql", "-qX", "-d", url, "-c", f"CREATE DATABASE {name}"], check=True)
    where = dict(word.split("=", 1) for word in url.split())
    return f"host={folder} user={where['user']} dbname={name}", where["host"]


def timed(node, method, path, body=None, **headers):
    began = time.monotonic()
    status, head, text = node.ask(method, path, body, **headers)
    return status, head, text, time.monotonic() - began


class Quiet:
    """Asks /livez every 20 ms while something else goes on: how long the slowest answer took."""

    def __init__(self, node):
        self.node, self.slowest, self.failed = node, 0.0, 0

    def __enter__(self):
        self.asker = subprocess.Popen([sys.executable, "-c", ASKER, str(self.node.port)], stdout=subprocess.PIPE, text=True)
        self.asker.stdout.readline()
        return self

    def __exit__(self, *_):
        self.asker.send_signal(signal.SIGTERM)
        self.slowest, self.failed = map(float, self.asker.communicate(timeout=10)[0].split())


ASKER = """
import http.client, signal, sys, time
slowest, failed, on = 0.0, 0, True
def stop(*_):
    global on
    on = False
signal.signal(signal.SIGTERM, stop)
print(flush=True)
while on:
    began = time.monotonic()
    try:
        link = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
        link.request("GET", "/livez")
        failed += link.getresponse().status != 200
        link.close()
    except OSError:
        failed += 1
    slowest = max(slowest, time.monotonic() - began)
    time.sleep(0.02)
print(slowest, failed)
"""


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))


def descriptors(node, token):
    """A worker that may open no more: it says so, does not spin, lets the idle go, and takes the next."""
    worker = node.workers()[0]
    room = DESCRIPTORS - len(os.listdir(f"/proc/{worker}/fd"))
    idle = [node.connection() for _ in range(room + 20)]
    answered = []
    for link in idle:
        link.connect()
    check("short of descriptors: it is said, with what to do",
          until(lambda: any(line["message"] == "cannot accept connections" and "LimitNOFILE" in line["hint"]
                            for line in node.lines())))
    ticks, began = cpu_ticks(worker), time.monotonic()
    time.sleep(0.6)
    share = (cpu_ticks(worker) - ticks) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)
    check("the loop does not spin", share < 0.3, share)
    check("nor does the log", sum(line["message"] == "cannot accept connections" for line in node.lines()) <= 3)
    # Connections that have had an answer are idle: they make room, so everyone of the queue is served in turn.
    for link in idle:
        try:
            link.request("GET", "/livez")
            answered.append(link.getresponse().read())
        except OSError:
            pass
        else:
            link.sock and link.sock.settimeout(10)
    check(f"all {len(idle)} clients get their answers from a worker that has room for {room}", len(answered) == len(idle),
          len(answered))
    status, _, report = node.ask("GET", "/api/v1/health/report", Authorization="Bearer " + token)
    check("a further one too", status == 200, report)
    check("the health report says it",
          until(lambda: "descriptors or memory run out" in node.ask("GET", "/api/v1/health/report",
                                                                    Authorization="Bearer " + token)[2], 6))
    for link in idle:
        link.close()
    check("with descriptors again it is healthy",
          until(lambda: component(node, token, "worker 0")["status"] == "healthy", 10), component(node, token, "worker 0"))
    check("it is the same process", node.workers() == [worker])


def component(node, token, name):
    status, _, text = node.ask("GET", "/api/v1/health/report", Authorization="Bearer " + token)
    found = [part for part in json.loads(text)["components"] if part["name"] == name] if status == 200 else []
    return found[0] if found else {"status": "none", "message": text[:200]}


def address_space(node):
    with open(f"/proc/{node.workers()[0]}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def memory(node, token):
    """A worker that gets no memory ends with a word, another takes its place, and what was asked is asked again."""
    worker = node.workers()[0]
    links = [socket.create_connection(("127.0.0.1", node.port), 10) for _ in range(60)]
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000000\r\n\r\n"
    for link in links:
        try:
            link.sendall(head.encode() + b" " * 900000)
        except OSError:
            pass
    check("out of memory: another process serves", until(lambda: node.workers() and node.workers() != [worker], 10))
    with open(f"{node.folder}/stderr", encoding="utf-8", errors="replace") as text:
        check("and the one that ended said why", "agentd: out of memory" in text.read())
    check("requests are answered again",
          until(lambda: post_task(node, token) == 201, 10))
    for link in links:
        link.close()


def post_task(node, token):
    try:
        return node.ask("POST", "/api/v1/tasks", {"role": "sena"}, Authorization="Bearer " + token)[0]
    except OSError:
        return 0


def heals(node, token, what, seconds=8):
    began = time.monotonic()
    check(f"{what}: writes are taken again by themselves", until(lambda: post_task(node, token) == 201, seconds),
          node.log()[-600:])
    return time.monotonic() - began


def bad_postgres(node, token, proxy):
    headers = {"Authorization": "Bearer " + token}
    proxy.mode = "delay"
    with Quiet(node) as probe:
        status, _, text, took = timed(node, "GET", "/api/v1/tasks", **headers)
    check("a slow PostgreSQL: the answer comes, later", status == 200 and took >= proxy.seconds, (status, took, text))
    check("and /livez waits for nobody", probe.failed == 0 and probe.slowest < 0.25, (probe.failed, probe.slowest))
    proxy.mode = "pass"
    heals(node, token, "slow PostgreSQL")
    for mode in ("silent", "rubbish", "truncate"):
        proxy.mode = mode
        with Quiet(node) as probe:
            status, head, text, took = timed(node, "GET", "/api/v1/tasks", **headers)
        check(f"{mode} PostgreSQL: 503 in time, with when to come again",
              status == 503 and head["Retry-After"] and took < 3 * PATIENCE_MS / 1000, (status, took, text))
        check(f"{mode} PostgreSQL: /livez waits for nobody", probe.failed == 0 and probe.slowest < 0.25,
              (probe.failed, probe.slowest))
        proxy.mode = "pass"
        heals(node, token, f"{mode} PostgreSQL")


def bad_redis(node, token, proxy):
    headers = {"Authorization": "Bearer " + token}
    ready = lambda: json.loads(node.ask("GET", "/readyz")[2]).get("missing")  # noqa: E731
    check("with Redis nothing is missing", until(lambda: ready() == []), ready())
    for mode in ("silent", "rubbish"):
        proxy.mode = mode
        status, _, text, took = timed(node, "GET", "/api/v1/agents", **headers)
        check(f"{mode} Redis: requests are answered without it", status == 200 and took < 1, (status, took, text))
        check(f"{mode} Redis: the node says so and stays ready", until(lambda: ready() == ["redis"]), ready())
        proxy.mode = "pass"
        check(f"{mode} Redis: it is used again", until(lambda: ready() == []), ready())
    proxy.mode = "lie"
    check("lying Redis: found out",
          until(lambda: component(node, token, "redis")["message"] == "what was written is not what is read", 8),
          component(node, token, "redis"))
    status, _, text, took = timed(node, "GET", "/api/v1/agents", **headers)
    check("lying Redis: requests are answered", status == 200 and took < 1, (status, took, text))
    check("lying Redis: connected anew", until(lambda: recovery(node, token, "redis"), 8))
    proxy.mode = "pass"
    check("lying Redis: healed, on record",
          until(lambda: recovery(node, token, "redis", "recovered"), 10), node.log()[-1500:])


def slow_start(node, token, proxy):
    """A worker that PostgreSQL answers slowly takes its place; a balancer that has no other sign must get no 503 of it."""
    proxy.mode, proxy.seconds = "delay", SLOW_START_S
    killed = node.workers()
    os.kill(killed[0], signal.SIGKILL)
    status, _, text, took = timed(node, "GET", "/api/v1/tasks", Authorization="Bearer " + token)
    check("a worker that starts slowly takes connections when it can answer them",
          status == 200 and took > 1 and node.workers() != killed, (status, took, text))
    proxy.mode, proxy.seconds = "silent", 0.3
    os.kill(node.workers()[0], signal.SIGKILL)
    status, _, text, took = timed(node, "GET", "/livez")
    check("one that cannot start still says that it lives", status == 200 and took < 3, (status, took, text))
    proxy.mode = "pass"
    heals(node, token, "slow start")


def recovery(node, token, part, outcome=None):
    status, _, text = node.ask("GET", f"/api/v1/recoveries?component={part}", Authorization="Bearer " + token)
    return status == 200 and any(not outcome or item["outcome"] == outcome for item in json.loads(text)["items"])


def walk(folder, url, proxies):
    settings = dict(embedded=False, AGENTD_DATABASE_URL=url, AGENTD_WORKERS="1", AGENTD_HEALTH_INTERVAL_S="1",
                    AGENTD_DB_STATEMENT_TIMEOUT_MS=str(PATIENCE_MS), AGENTD_DB_CONNECT_TIMEOUT_MS=str(PATIENCE_MS))
    node = own_node.Node(before=("prlimit", f"--nofile={DESCRIPTORS}"), AGENTD_CACHE_BACKEND="redis",
                         AGENTD_REDIS_URL=f"unix://{folder}/redis/socket", **settings)
    try:
        space = address_space(node)
        token = node.login()
        descriptors(node, token)
        bad_redis(node, token, proxies["redis"])
        bad_postgres(node, token, proxies["postgres"])
        slow_start(node, token, proxies["postgres"])
        ended = [line for line in node.lines() if line["message"] == "process ended unexpectedly"]
        check("nothing of this ended a process, but for the two that were killed here", len(ended) == 2, ended)
    finally:
        status = node.stop()
    check("the node stops cleanly", status == 0, status)
    with open(os.environ["AGENTD"], "rb") as program:
        if b"__asan_init" in program.read():
            print("# AddressSanitizer reserves more than any limit allows: memory is left out")
            return
    node = own_node.Node(before=("prlimit", f"--as={space + MEMORY}"), **settings)
    try:
        memory(node, node.login())
    finally:
        status = node.stop()
    check("that one stops cleanly too", status == 0, status)


def main():
    if "AGENTD_TEST_DATABASE_URL" not in os.environ:
        os.execvp(f"{TESTS}/with-postgres", [f"{TESTS}/with-postgres", sys.executable, os.path.realpath(__file__)])
    with tempfile.TemporaryDirectory(prefix="agentd-bad-") as folder:
        os.chmod(folder, 0o755)
        for name in ("postgres", "redis", "server"):
            os.mkdir(f"{folder}/{name}", 0o755)
        subprocess.run([f"{TESTS}/start-redis", f"{folder}/server"], check=True,
                       env=dict(os.environ, AGENTD_TEST_REDIS_S="120"))
        url, cluster = server_url(f"{folder}/postgres", "bad_machine")
        proxies = {"postgres": BadProxy(f"{folder}/postgres/.s.PGSQL.5432", f"{cluster}/.s.PGSQL.5432"),
                   "redis": BadProxy(f"{folder}/redis/socket", f"{folder}/server/socket")}
        try:
            walk(folder, url, proxies)
        finally:
            for proxy in proxies.values():
                proxy.close()
            with open(f"{folder}/server/pid", encoding="ascii") as pid:
                os.kill(int(pid.read()), signal.SIGKILL)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
