#!/usr/bin/env python3
"""slow.py - 1,000 clients that take their time, by slowhttptest: heads, bodies, ranges and reads that never end.

Meanwhile /livez answers others as before, and what the workers hold stays bounded; afterwards the connections are gone
and the node serves. TAP on standard output. SLOW=full runs each attack for a minute with the deadlines of production
and 50 ms for the 99th of 100 answers; without it they are short, as is fit for `make check`. AGENTD names the program.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import own_node
from own_node import check

FULL = os.environ.get("SLOW") == "full"
CONNECTIONS = 1000
SECONDS = 60 if FULL else 4
RATE = 200 if FULL else 500
# On a machine that does many other things at once, a short run says little about a tail.
P99_MS = 50 if FULL else 500
# What a connection may cost: its buffers, and the kernel's are not counted.
BYTES_PER_CONNECTION = 100 * 1024

ATTACKS = (
    ("slow heads (-H)", "/livez", ["-H", "-i", "10" if FULL else "1", "-x", "24", "-t", "GET"]),
    ("slow bodies (-B)", "/api/v1/auth/login",
     ["-B", "-i", "10" if FULL else "1", "-s", "8192", "-x", "10", "-t", "POST", "-f", "application/json"]),
    ("ranges (-R)", "/openapi.json", ["-R", "-t", "GET", "-a", "10", "-b", "3000"]),
    ("slow reads (-X)", "/openapi.json",
     ["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3", "-t", "GET"]),
)


class Prober(threading.Thread):
    """Asks for /livez all the time, each time as a new client."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.times_ms, self.bad, self.ended = node, [], [], threading.Event()

    def run(self):
        while not self.ended.wait(0.01):
            begun = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self.node.port), timeout=10) as link:
                    link.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    answer = link.recv(4096)
            except OSError as error:
                answer = repr(error).encode()
            self.times_ms.append((time.monotonic() - begun) * 1000)
            if not answer.startswith(b"HTTP/1.1 200"):
                self.bad.append(answer)

    def p99(self):
        return sorted(self.times_ms)[len(self.times_ms) * 99 // 100] if self.times_ms else 1e9


def memory(node):
    """Bytes that the workers hold for themselves."""
    total = 0
    for pid in node.workers():
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Private"))
    return total


def connections(node):
    """Established ones at the node's port, from the kernel's table."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file][1:]
    return sum(row[3] == "01" and int(row[1].rsplit(":", 1)[1], 16) == node.port for row in rows)


def attack(node, path, options, folder):
    """The most connections, and the most bytes that the workers held while it ran."""
    program = shutil.which("slowhttptest")
    if not program:
        raise SystemExit("this test needs slowhttptest: install the Debian package slowhttptest")
    most, highest = 0, 0
    with open(f"{folder}/slowhttptest", "wb") as output:
        running = subprocess.Popen(
            [program, *options, "-c", str(CONNECTIONS), "-r", str(RATE), "-l", str(SECONDS), "-p", "10", "-v", "0",
             "-u", f"http://127.0.0.1:{node.port}{path}"], stdout=output, stderr=output, cwd=folder)
        try:
            deadline = time.monotonic() + SECONDS + 30
            while running.poll() is None and time.monotonic() < deadline:
                most, highest = max(most, connections(node)), max(highest, memory(node))
                time.sleep(0.2)
        finally:
            running.kill()
            running.wait()
    return most, highest


def probe(node, during):
    """A prober that has run as long as during() did, and what that returned."""
    prober = Prober(node)
    prober.start()
    result = during()
    prober.ended.set()
    prober.join()
    return prober, result


def test(node, folder):
    workers, before = node.workers(), memory(node)
    prober, _ = probe(node, lambda: time.sleep(2))
    print(f"# nobody: /livez {len(prober.times_ms)} times, p99 {prober.p99():.1f} ms, longest {max(prober.times_ms):.1f} ms")
    for name, path, options in ATTACKS:
        prober, (most, highest) = probe(
            node, lambda path=path, options=options: attack(node, path, options, folder))
        grown = highest - before
        print(f"# {name}: {most} connections at once, {grown // 1024} KiB more, /livez {len(prober.times_ms)} times, "
              f"p99 {prober.p99():.1f} ms, longest {max(prober.times_ms):.1f} ms")
        check(f"{name}: others are answered", len(prober.times_ms) > 20 and not prober.bad, prober.bad[:3])
        check(f"{name}: within {P99_MS} ms, 99 of 100", prober.p99() <= P99_MS, prober.p99())
        check(f"{name}: memory is bounded", grown <= CONNECTIONS * BYTES_PER_CONNECTION, grown)
        # Ranges are not served, so those connections end by themselves.
        check(f"{name}: there were many", most >= CONNECTIONS // (2 if FULL else 4) or "-R" in options, most)
        check(f"{name}: all of them are gone", own_node.until(lambda: connections(node) == 0, 20), connections(node))
    check("no worker died", node.workers() == workers)


def main():
    settings = {} if FULL else {"AGENTD_HEADER_TIMEOUT_S": "2", "AGENTD_BODY_TIMEOUT_S": "2"}
    # A sanitizer keeps what was freed, so that it notices when it is used; that is not what is measured here.
    settings["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    node = own_node.Node(AGENTD_WORKERS="2", AGENTD_MAX_CONNECTIONS="12000", AGENTD_LOG_LEVEL="info", **settings)
    folder = tempfile.mkdtemp(prefix="agentd-slow-")
    try:
        test(node, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        check("stops cleanly", node.stop() == 0)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
