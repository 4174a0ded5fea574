#!/usr/bin/env python3
"""Tests of the event stream: complete and in order while workers are killed, clients that do not read, many clients.

Speaks TAP on standard output. AGENTD names the program; the node has a PostgreSQL and a folder of its own. What a stream
said is held against GET /events, read when all is done.
"""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chaos"))
from processes import children, title  # noqa: E402

PASSWORD = "only-for-this-test-4711"
MAKERS, TASKS_EACH, ROUNDS = 4, 250, 6
ATE_MB_MAX = 40
count = 0
failed = 0


def check(name, good, seen=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        failed += 1
        print(f"# saw: {str(seen)[:500]}")


class Node:
    def __init__(self, folder):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD")}
        environment.update(
            AGENTD_ENV="testing", AGENTD_PORT="0", AGENTD_WORKERS="2", AGENTD_STATE_DIR=f"{folder}/state",
            AGENTD_ADMIN_PASSWORD=PASSWORD, AGENTD_RATE_LIMIT="1000000000", AGENTD_LOG_LEVEL="error",
            AGENTD_BODY_TIMEOUT_S="1",
            # A sanitizer keeps what was freed, which would look like memory in use.
            ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64")
        if os.geteuid() == 0:
            environment["AGENTD_USER"] = "nobody"
        else:
            environment["AGENTD_SANDBOX"] = "off"  # its descriptors are counted, and only root may look at them
        self.log = open(f"{folder}/log", "wb")
        self.process = subprocess.Popen([os.environ["AGENTD"], "--embedded"], env=environment, stderr=self.log, cwd=folder)
        deadline = time.monotonic() + 60
        while not os.path.exists(f"{folder}/state/url"):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("the node did not start; see " + folder)
            time.sleep(0.05)
        with open(f"{folder}/state/url", encoding="ascii") as file:
            self.port = int(file.read().strip().rsplit(":", 1)[1])
        self.token = None
        _, login = self.ask("POST", "/auth/login", {"username": "admin", "password": PASSWORD})
        self.token = login["access_token"]

    def ask(self, method, path, body=None):
        """(status, answer); None when no answer came."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            connection.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
            connection.close()
            return status, json.loads(text)
        except (OSError, http.client.HTTPException, ValueError):
            return None, None

    def workers(self):
        return [pid for pid in children(self.process.pid) if title(pid).startswith("agentd: worker")]

    def all_events(self, after="0-0-0", **filters):
        """Every event that is kept, page by page."""
        found = []
        query = "".join(f"&{name}={value}" for name, value in filters.items())
        while True:
            status, page = self.ask("GET", f"/events?limit=500&after={after}{query}")
            if status != 200:
                raise SystemExit(f"GET /events answers {status}: {page}")
            found += page["items"]
            after = page["next_cursor"]
            if not page["items"]:
                return found


class Stream:
    """One connection to /events/stream. Reads the framing itself, so that a torn end is seen as such."""

    def __init__(self, node, last_id=None, query="", buffer_size=None):
        self.socket = socket.socket()
        if buffer_size:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_size)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", node.port))
        last = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        self.socket.sendall(f"GET /api/v1/events/stream{query} HTTP/1.1\r\nHost: a\r\n{last}"
                            f"Authorization: Bearer {node.token}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.text = b""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.file.read(1)
            if not byte:
                raise ConnectionError("no head")
            head += byte
        self.head = head.decode()
        if " 200 " not in self.head.split("\r\n", maxsplit=1)[0]:
            raise ConnectionError(self.head)

    def chunk(self):
        """The next chunk; b"" is the last one. ConnectionError: the end came without it."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("torn")
        size = int(line, 16)
        data = self.file.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError("torn")
        return data[:-2]

    def blocks(self):
        """Events as (id, type, data); an id alone has no type. Ends with the last chunk."""
        while True:
            data = self.chunk()
            if not data:
                return
            self.text += data
            while b"\n\n" in self.text:
                block, self.text = self.text.split(b"\n\n", 1)
                fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
                if "id" in fields:
                    yield fields["id"], fields.get("event"), json.loads(fields["data"]) if "data" in fields else None

    def close(self):
        self.file.close()
        self.socket.close()


class Reader(threading.Thread):
    """Follows the events like a browser does: after any end it goes on behind the last id it has seen."""

    def __init__(self, node, query=""):
        super().__init__(daemon=True)
        self.node, self.query = node, query
        self.events, self.last_id, self.connects, self.clean_ends = [], None, 0, 0
        self.ready, self.stopping = threading.Event(), False
        self.arrival = {}
        self.stream = None

    def run(self):
        while not self.stopping:
            try:
                self.stream = Stream(self.node, self.last_id, self.query)
                self.connects += 1
                for event_id, kind, data in self.stream.blocks():
                    self.last_id = event_id
                    self.ready.set()
                    if kind:
                        self.events.append(data)
                        self.arrival[data["subject"]] = time.monotonic()
                self.clean_ends += 1
            except (ConnectionError, OSError, ValueError):
                time.sleep(0.02)

    def stop(self):
        self.stopping = True
        try:
            self.stream.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.join(15)


def wait_for(seconds, condition):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def ids(events):
    return [event["id"] for event in events]


def place(event_id):
    return tuple(int(number) for number in event_id.split("-"))


def make(node, made, killing):
    """Tasks, one by one, until there are enough and the killing is over."""
    done = 0
    while done < TASKS_EACH or killing.is_set():
        status, task = node.ask("POST", "/tasks", {"role": "chaos", "input_data": done})
        if status == 201:
            made.append(task["id"])
            done += 1
        else:
            time.sleep(0.02)


def test_delay(node):
    reader = Reader(node)
    reader.start()
    reader.ready.wait(10)
    delays = []
    for _ in range(20):
        _, task = node.ask("POST", "/tasks", {"role": "delay"})
        done = time.monotonic()
        if wait_for(5, lambda: task["id"] in reader.arrival):
            delays.append(max(reader.arrival[task["id"]] - done, 0))
        time.sleep(0.03)
    reader.stop()
    delays.sort()
    print(f"# an event arrives {delays[len(delays) // 2] * 1000:.1f} ms after the answer (median), {delays[-1] * 1000:.1f} ms at most")
    check("an event is there at once", len(delays) == 20 and delays[10] < 0.3, delays)


def test_kills(node):
    start = node.all_events()
    after = start[-1]["id"]
    reader = Reader(node)
    other = Reader(node, "?kind=task.created")
    for each in (reader, other):
        each.last_id = after
        each.start()
        each.ready.wait(10)
    made, kills, killing = [], 0, threading.Event()
    killing.set()
    makers = [threading.Thread(target=make, args=(node, made, killing)) for _ in range(MAKERS)]
    for maker in makers:
        maker.start()
    for _ in range(ROUNDS):
        # All of them: whoever has the stream is among them. Then until there is some work again.
        for pid in node.workers():
            os.kill(pid, signal.SIGKILL)
            kills += 1
        before = len(made)
        wait_for(20, lambda enough=before + random.randrange(20, 100): len(made) > enough)
    killing.clear()
    for maker in makers:
        maker.join()
    node.ask("POST", "/tasks", {"role": "chaos"})
    want = node.all_events(after=after)
    wait_for(15, lambda: len(reader.events) >= len(want) and len(other.events) >= len(want))
    print(f"# {kills} kills, {len(made)} tasks acknowledged, {len(want)} events, {reader.connects} and {other.connects} connections")
    check("workers died and streams had to be resumed", kills >= ROUNDS and min(reader.connects, other.connects) > ROUNDS // 2,
          (kills, reader.connects, other.connects))
    check("every acknowledged task has its event", set(made) <= {event["subject"] for event in want}, len(made))
    check("a stream that is resumed has every event once and in order", ids(reader.events) == ids(want),
          (len(reader.events), len(want)))
    check("so has a stream with a filter",
          ids(other.events) == [event["id"] for event in want if event["kind"] == "task.created"], len(other.events))
    check("the order is that of the ids", [place(i) for i in ids(want)] == sorted(place(i) for i in ids(want)))
    for each in (reader, other):
        each.stop()


def memory_mb(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024
    except OSError:
        return 0


def descriptors(pids):
    try:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
    except OSError:
        return 0


def test_slow(node):
    after = node.all_events()[-1]["id"]
    pids = node.workers()
    before, opened = sum(memory_mb(pid) for pid in pids), descriptors(pids)
    slow = [Stream(node, after, buffer_size=4096) for _ in range(20)]
    quick = Reader(node)
    quick.last_id = after
    quick.start()
    quick.ready.wait(10)
    for _ in range(40):
        node.ask("POST", "/tasks", [{"role": "slow", "description": "x"}] * 500)
    want = node.all_events(after=after)
    wait_for(20, lambda: len(quick.events) >= len(want))
    check("who reads is not held up by who does not", ids(quick.events) == ids(want), (len(quick.events), len(want)))
    ate = sum(memory_mb(pid) for pid in pids) - before
    print(f"# {len(want)} events, 20 clients that do not read: {ate:.1f} MB more in the workers")
    check("clients that do not read cost no memory to speak of", ate < ATE_MB_MAX, ate)
    check("the workers are the same", node.workers() == pids, (pids, node.workers()))
    quick.stop()
    check("clients that do not read are dropped", wait_for(15, lambda: descriptors(pids) <= opened), descriptors(pids))
    seen, last, torn = [], after, False
    try:
        for event_id, kind, data in slow[0].blocks():
            last = event_id
            if kind:
                seen.append(data["id"])
    except (ConnectionError, OSError, ValueError):
        torn = True
    check("what such a client has got ends before the end", torn and 0 < len(seen) < len(want), (torn, len(seen)))
    resumed = Stream(node, last)
    for _, kind, data in resumed.blocks():
        if kind:
            seen.append(data["id"])
            if len(seen) >= len(want):
                break
    check("and goes on where it was", seen == ids(want), (len(seen), len(want)))
    for each in slow + [resumed]:
        each.close()


def test_pace(node):
    """A client that is slower than the events come, but reads, is not dropped and misses nothing."""
    after = node.all_events()[-1]["id"]
    stream = Stream(node, after, buffer_size=4096)
    for _ in range(10):
        node.ask("POST", "/tasks", [{"role": "pace"}] * 500)
    want = ids(node.all_events(after=after))
    seen, read = [], 0
    for _, kind, data in stream.blocks():
        if kind:
            seen.append(data["id"])
            read += 1
            if read % 50 == 0:
                time.sleep(0.02)
            if len(seen) >= len(want):
                break
    check("a client that takes its time has every event", seen == want, (len(seen), len(want)))
    stream.close()


def test_big(node):
    """What one statement changed is more than a stream is given at a time."""
    after = node.all_events()[-1]["id"]
    stream = Stream(node, after, "?kind=task.created", buffer_size=4096)
    next(stream.blocks())
    for _ in range(5):
        node.ask("POST", "/tasks", [{"role": "big" * 20}] * 1000)
    want = ids(node.all_events(after=after))
    seen = []
    for _, kind, data in stream.blocks():
        if kind:
            seen.append(data["id"])
            if len(seen) >= len(want):
                break
    items = max(place(i)[2] for i in want) + 1
    print(f"# {items} events of one statement")
    check("many changes at once are told one by one, without a gap", items > 500 and len(want) == 5000 and seen == want,
          (items, len(seen), len(want)))
    stream.close()


def test_many(node):
    streams = [Stream(node) for _ in range(200)]
    for stream in streams:
        next(stream.blocks())
    start = time.monotonic()
    _, task = node.ask("POST", "/tasks", {"role": "many"})
    got = sum(1 for stream in streams if next(stream.blocks())[2]["subject"] == task["id"])
    print(f"# 200 streams had the event {(time.monotonic() - start) * 1000:.0f} ms after the request began")
    check("200 streams have the event", got == 200, got)
    return streams


def main():
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    print(f"# CHAOS_SEED={seed}")
    folder = tempfile.mkdtemp(prefix="agentd-events-")
    os.chmod(folder, 0o755)
    node = Node(folder)
    streams = []
    try:
        test_delay(node)
        test_kills(node)
        test_slow(node)
        test_pace(node)
        test_big(node)
        streams = test_many(node)
    finally:
        node.process.send_signal(signal.SIGTERM)
        clean = 0
        for stream in streams:
            try:
                clean += not list(stream.blocks())
            except (ConnectionError, OSError, ValueError):
                pass
        if streams:
            check("on SIGTERM every stream ends as it should", clean == len(streams), clean)
        check("the node stops cleanly", node.process.wait(timeout=30) == 0, node.process.returncode)
        node.log.close()
        with open(f"{folder}/log", encoding="utf-8", errors="replace") as log:
            text = log.read()
        check("nothing was broken", "Sanitizer" not in text and "invariant" not in text, text[-500:])
        if failed:
            print(f"# the log is {folder}/log")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
