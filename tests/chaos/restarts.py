#!/usr/bin/env python3
"""restarts.py - what the loss of a worker costs: time until it is ready again, and connections that wait in the queue.

A worker is killed again and again, and the time is taken until its successor is ready. Then one of two workers hangs while
400 clients connect and ask at once, and is killed: what it had not accepted yet, the other takes. Then, under full load,
nobody may be taken for hung who is not, for CHAOS_LOAD_S seconds.

AGENTD names the program; see stage.py for the rest.
"""

import os
import signal
import socket
import statistics
import sys
import threading
import time

import client
import processes
import stage
import tap

KILLS = 10 if stage.FULL else 2
READY_MS = 250 if stage.FULL else 1000  # the figure is for a machine that does nothing else
QUEUED, LOST = 400, 1
REPLACED_S = 6
LOAD_S = int(os.environ.get("CHAOS_LOAD_S", 120 if stage.FULL else 4))
STEADY_S = 11  # the master has forgotten earlier ends by then


def ready(node, name):
    """The process of that name, if it is ready."""
    found = [one for one in node.status()["processes"] if one["name"] == name and one["state"] == "ready"]
    return found[-1] if found else None


def kill_and_wait(node, name):
    """Milliseconds until another worker of that name is ready."""
    victim = ready(node, name)["pid"]
    began = time.monotonic()
    processes.send(victim, signal.SIGKILL)
    back = processes.wait_until(lambda: (one := ready(node, name)) and one["pid"] != victim, 20, 0.005)
    return (time.monotonic() - began) * 1000 if back else 20_000


def test_ready_again(node):
    """As a process that was steady for a while is killed: one that dies again and again waits longer each time."""
    times, killed = [], {}
    for number in range(KILLS):
        name = f"worker {number % 2}"
        processes.wait_until(lambda: time.monotonic() - killed.get(name, -STEADY_S) >= STEADY_S, 2 * STEADY_S)
        times.append(kill_and_wait(node, name))
        killed[name] = time.monotonic()
    middle = statistics.median(times)
    tap.note(f"ready again after {middle:.0f} ms (median), {max(times):.0f} ms at most")
    tap.check(f"a killed worker is ready again within {READY_MS} ms (median of {KILLS})", middle <= READY_MS, times)


class Queued(threading.Thread):
    def __init__(self, port):
        super().__init__()
        self.link, self.answered = socket.create_connection(("127.0.0.1", port), timeout=20), False
        self.link.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    def run(self):
        try:
            self.answered = self.link.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            pass
        self.link.close()


def test_queued(node):
    victim = ready(node, "worker 0")["pid"]
    processes.send(victim, signal.SIGSTOP)
    began = time.monotonic()
    queued = [Queued(node.port) for _ in range(QUEUED)]
    for one in queued:
        one.start()
    back = processes.wait_until(lambda: (one := ready(node, "worker 0")) and one["pid"] != victim, 20)
    took = time.monotonic() - began
    for one in queued:
        one.join()
    lost = sum(not one.answered for one in queued)
    tap.note(f"the hung worker was replaced after {took:.1f} s; {lost} of {QUEUED} connections were lost")
    tap.check(f"of {QUEUED} queued connections at most {LOST} is lost with a worker that hangs", lost <= LOST, lost)
    tap.check(f"a hung worker is replaced within {REPLACED_S} s", back and took <= REPLACED_S, took)


def test_no_false_kill(node):
    hangs = sum(one["hangs"] for one in node.status()["processes"])
    stop, asked, token = threading.Event(), [], client.login([node])

    def work():
        mine = client.Client([node], token)
        while not stop.is_set():
            body = [{"role": "nobody", "input_data": {"n": number}} for number in range(100)]
            asked.append(mine.ask("POST", "/tasks", body)[0])
        mine.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(LOAD_S)
    stop.set()
    for thread in threads:
        thread.join()
    after = sum(one["hangs"] for one in node.status()["processes"])
    tap.check(f"nobody was taken for hung in {LOAD_S} s of full load ({len(asked)} requests)", after == hangs, node.status())


def main():
    with stage.Stage(1) as here:
        node = here.nodes[0]
        test_ready_again(node)
        test_queued(node)
        test_no_false_kill(node)


if __name__ == "__main__":
    sys.exit(stage.run(main))
