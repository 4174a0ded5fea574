#!/usr/bin/env python3
"""stopped.py - PostgreSQL stands still (kill -STOP) and goes on: who asks is told in time, and then all is whole again.

While every process of PostgreSQL is stopped, /livez is asked all the time and has to answer at once; writes are answered
with 503 and Retry-After within the deadline. When it goes on, a write of each client has to succeed soon, and nothing that
was acknowledged may be missing. The long form stops it for 30 s.

AGENTD names the program; see stage.py for the rest.
"""

import http.client
import signal
import sys
import threading
import time

import client
import processes
import stage
import tap

STOPPED_S = 30 if stage.FULL else 8
LIVEZ_MS = 50
TOLD_S, WHOLE_S = 5, 2
WRITERS = 4


class Livez(threading.Thread):
    """Asks /livez as a new client each time."""

    def __init__(self, node):
        super().__init__()
        self.node, self.times, self.failed, self.running = node, [], 0, True

    def run(self):
        while self.running:
            began = time.monotonic()
            link = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=10)
            try:
                link.request("GET", "/livez")
                self.failed += link.getresponse().status != 200
            except OSError:
                self.failed += 1
            link.close()
            self.times.append((time.monotonic() - began) * 1000)
            time.sleep(0.01)

    def p99(self):
        return sorted(self.times)[int(len(self.times) * 0.99)]


class Writer(threading.Thread):
    """Creates tasks without end: (began, ended, status) of each, and the ids that were acknowledged."""

    def __init__(self, node, token):
        super().__init__()
        self.client, self.answers, self.ids, self.running = client.Client([node], token), [], [], True

    def run(self):
        while self.running:
            began = time.monotonic()
            status, answer = self.client.ask("POST", "/tasks", {"role": "nobody", "input_data": {}})
            self.answers.append((began, time.monotonic(), status))
            if status == 201:
                self.ids.append(answer["id"])
            time.sleep(0.02)
        self.client.close()


def everyone(master):
    """PostgreSQL's processes, the master first."""
    return [master, *processes.children(master)]


def stop_and_go_on(cluster, seconds):
    """When it stood still and when it went on."""
    pids = everyone(cluster.process.pid)
    for pid in pids:
        processes.send(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    time.sleep(seconds)
    for pid in reversed(pids):
        processes.send(pid, signal.SIGCONT)
    return stopped, time.monotonic()


def judge(writers, livez, stopped, went_on, cluster):
    asked = [one for writer in writers for one in writer.answers if stopped <= one[0] < went_on]
    slowest = max(ended - began for began, ended, _ in asked)
    others = {status for _, _, status in asked} - {201, 503}
    tap.check("what was asked meanwhile was answered with 503, or went through after all", asked and not others, others)
    tap.check(f"within {TOLD_S} s", slowest <= TOLD_S, slowest)
    whole = [min((ended for began, ended, status in writer.answers if ended > went_on and status == 201), default=1e9)
             - went_on for writer in writers]
    tap.check(f"writes succeed again within {WHOLE_S} s", max(whole) <= WHOLE_S, whole)
    tap.note(f"/livez {livez.p99():.1f} ms (p99 of {len(livez.times)}), 503 after {slowest:.1f} s at most, "
             f"whole again after {max(whole):.2f} s")
    tap.check(f"/livez answered all the time, p99 <= {LIVEZ_MS} ms", livez.p99() <= LIVEZ_MS and not livez.failed,
              (livez.p99(), livez.failed))
    ids = [one for writer in writers for one in writer.ids]
    found = int(cluster.value("SELECT count(*) FROM tasks"))
    tap.check("what was acknowledged is there", found >= len(ids) > 0, (found, len(ids)))


def main():
    with stage.Stage(1) as here:
        node = here.nodes[0]
        token = client.login(here.nodes)
        livez, writers = Livez(node), [Writer(node, token) for _ in range(WRITERS)]
        for one in (livez, *writers):
            one.start()
        time.sleep(1)
        stopped, went_on = stop_and_go_on(here.cluster, STOPPED_S)
        time.sleep(WHOLE_S + 1)
        for one in (livez, *writers):
            one.running = False
        for one in (livez, *writers):
            one.join()
        judge(writers, livez, stopped, went_on, here.cluster)
        here.stop_nodes()


if __name__ == "__main__":
    sys.exit(stage.run(main))
