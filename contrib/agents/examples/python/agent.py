#!/usr/bin/env python3
"""agent.py - an agent with Python's standard library only: counts words.

    AGENTCTL_SERVER=http://127.0.0.1:5000 AGENTCTL_KEY_FILE=key ./agent.py ROLE

Holds one task at a time; a thread beats while work() is at it. SIGTERM hands the task back. Exit status 1: not allowed.
"""
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

SERVER = os.environ["AGENTCTL_SERVER"].rstrip("/") + "/api/v1"
with open(os.environ["AGENTCTL_KEY_FILE"], encoding="ascii") as file:
    KEY = file.read().strip()

stopping = threading.Event()


class Handback(Exception):
    """The work was stopped: nobody waits for its result, or another agent shall do it."""


class NotAllowed(Exception):
    """The key is not valid, or may not do this: trying again is of no use."""


def call(path, body, traceparent=None, timeout=30):
    """(status, answer, seconds until it may be tried again). Status 0: no answer."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    if traceparent:
        headers["traceparent"] = traceparent
    request = urllib.request.Request(SERVER + path, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, json.load(answer), 0
    except urllib.error.HTTPError as error:
        # A balancer's error may be no JSON.
        text = error.read().decode("utf-8", "replace")
        problem = json.loads(text) if "json" in error.headers.get("Content-Type", "") else {"detail": text[:200]}
        if error.code in (401, 403):
            raise NotAllowed(problem.get("detail")) from None
        return error.code, problem, float(error.headers.get("Retry-After") or 1)
    except (OSError, ValueError) as error:
        return 0, {"detail": str(error)}, 1


def may_help(status):
    """Whether the same request can have another answer later."""
    return status in (0, 429) or status >= 500


def pause(seconds):
    """Not all agents come back in the same moment."""
    stopping.wait(seconds * random.uniform(1, 1.5))


class Heart(threading.Thread):
    """Beats for one lease until it is stopped; lost is set when the task is not ours any more."""

    def __init__(self, task):
        super().__init__(daemon=True)
        self.task, self.lost, self.done = task, threading.Event(), threading.Event()

    def run(self):
        while not self.done.wait(self.task["lease_s"] / 3):
            try:
                status, answer, _ = call(f"/tasks/{self.task['id']}/heartbeat", {"epoch": self.task["epoch"]})
            except NotAllowed:
                status, answer = 409, {}
            if status in (404, 409) or answer.get("cancel"):
                self.lost.set()
                return


def work(task, heart):
    """The work itself. It looks now and then whether it is still wanted."""
    text = task["input_data"]["text"]
    until = time.monotonic() + task["input_data"].get("seconds", 0)
    while time.monotonic() < until:
        if heart.lost.is_set() or stopping.is_set():
            raise Handback
        time.sleep(0.05)
    return {"words": len(text.split())}


def settle(task, verb, body):
    """Until there is an answer. Twice does no harm: the epoch says whose word counts."""
    for _ in range(20):
        status, answer, seconds = call(f"/tasks/{task['id']}/{verb}", {"epoch": task["epoch"], **body},
                                       task.get("traceparent"))
        if not may_help(status):
            break
        time.sleep(seconds)
    said = "done" if status == 200 else answer.get("detail")
    print(f"{task['id']}: {verb}: {said}", file=sys.stderr, flush=True)
    if verb == "complete" and status in (400, 413, 422):
        settle(task, "fail", {"error_message": f"the result was refused: {answer}"[:4000], "retryable": False})


def do_task(task):
    heart = Heart(task)
    heart.start()
    try:
        settlement = "complete", {"output_data": work(task, heart)}
    except Handback:
        settlement = "release", {}
    except Exception as error:  # whatever it is, people want to see it with the task
        retryable = not isinstance(error, (KeyError, TypeError))  # bad input stays bad
        settlement = "fail", {"error_message": f"{type(error).__name__}: {error}"[:4000], "retryable": retryable}
    if heart.lost.is_set():
        print(f"{task['id']}: the lease was lost or the task cancelled; stopped", file=sys.stderr, flush=True)
    else:
        settle(task, *settlement)
    heart.done.set()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: agent.py ROLE")
    role = sys.argv[1]
    agent_id = os.environ.get("AGENT_ID", f"{role}-{socket.gethostname()}-{os.getpid()}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.is_set():
        status, answer, seconds = call("/agents", {"agent_id": agent_id, "name": agent_id, "role": role})
        if status == 201:
            break
        if not may_help(status):
            sys.exit(f"refused: {answer}")
        pause(seconds)
    while not stopping.is_set():
        status, answer, seconds = call("/tasks/lease", {"roles": [role], "agent_id": agent_id, "wait_s": 5})
        if status == 200:
            for task in answer["tasks"]:
                do_task(task)
        elif may_help(status):
            pause(seconds)
        else:
            sys.exit(f"refused: {answer}")


if __name__ == "__main__":
    try:
        main()
    except NotAllowed as error:
        sys.exit(f"not allowed: {error}")
