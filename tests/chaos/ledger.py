#!/usr/bin/env python3
"""ledger.py - nothing acknowledged is lost and nothing is done twice, while processes are killed.

Creators make tasks, agents lease and complete them, and a killer ends workers, the keeper, database backends and the
postmaster with SIGKILL. Every answer that acknowledges something goes into the ledger. Then the killing stops, the work
is finished, and the node is asked about every line of the ledger. TAP on standard output.

AGENTD names the program; CHAOS_SECONDS (default 6) is how long it kills.
"""

import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PASSWORD = "only-for-this-test-4711"
SECONDS = float(os.environ.get("CHAOS_SECONDS", "6"))
FINISH_S = 60
count = 0
failed = 0


def check(name, good, seen=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        failed += 1
        print(f"# saw: {seen}")


class Client:
    """One connection that is made again after any trouble; None stands for an answer that did not come."""

    def __init__(self, port, token=None):
        self.port, self.token, self.connection = port, token, None

    def ask(self, method, path, body=None):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            self.connection.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.connection = None
            return None, None


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def title(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


class Node:
    def __init__(self, folder):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD")}
        environment.update(
            AGENTD_ENV="testing", AGENTD_PORT="0", AGENTD_WORKERS="2", AGENTD_LEASE_S="2", AGENTD_STATE_DIR=f"{folder}/state",
            AGENTD_ADMIN_PASSWORD=PASSWORD, AGENTD_RATE_LIMIT="1000000000", AGENTD_LOG_LEVEL="error")
        if os.geteuid() == 0:
            environment["AGENTD_USER"] = "nobody"
        self.log = open(f"{folder}/log", "wb")
        self.process = subprocess.Popen([os.environ["AGENTD"], "--embedded"], env=environment, stderr=self.log, cwd=folder)
        deadline = time.monotonic() + 60
        while not os.path.exists(f"{folder}/state/url"):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("the node did not start; see " + folder)
            time.sleep(0.05)
        with open(f"{folder}/state/url", encoding="ascii") as file:
            self.port = int(file.read().strip().rsplit(":", 1)[1])

    def processes(self):
        """(what, pid) of everything that may be killed."""
        found = []
        for pid in children(self.process.pid):
            what = title(pid)
            if "postgres" in what:
                found.append(("postmaster", pid))
                found += [("backend", backend) for backend in children(pid) if "agentd" in title(backend)]
            elif what.startswith("agentd: "):
                found.append((what.split()[1], pid))
        return found

    def kill_one(self, kinds):
        victims = [pid for what, pid in self.processes() if what in kinds]
        if victims:
            os.kill(random.choice(victims), signal.SIGKILL)
        return bool(victims)


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.created, self.completed, self.stale, self.troubles = set(), [], 0, 0
        self.creating = self.working = True


def create(client, ledger):
    number = 0
    while ledger.creating:
        number += 1
        status, task = client.ask("POST", "/tasks", {"role": "ledger", "input_data": number, "max_retries": 50})
        with ledger.lock:
            if status == 201:
                ledger.created.add(task["id"])
            else:
                ledger.troubles += 1
        if status != 201:
            time.sleep(0.05)


def work(client, ledger, name):
    while ledger.working:
        status, lease = client.ask("POST", "/tasks/lease", {"roles": ["ledger"], "agent_id": name, "max": 5, "wait_s": 0.5})
        if status != 200:
            time.sleep(0.05)
            continue
        for task in lease["tasks"]:
            body = {"epoch": task["epoch"], "output_data": {"by": name}}
            status, _ = client.ask("POST", f"/tasks/{task['id']}/complete", body)
            if status is None or status == 503:
                # In doubt: the same epoch again is answered alike, whatever became of the first try.
                status, _ = client.ask("POST", f"/tasks/{task['id']}/complete", body)
            with ledger.lock:
                if status == 200:
                    ledger.completed.append(task["id"])
                elif status == 409:
                    ledger.stale += 1


def kill(node):
    plan = [("worker",), ("backend",), ("keeper",), ("worker",), ("backend",), ("postmaster",)]
    kills, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        kills += node.kill_one(plan[kills % len(plan)])
        time.sleep(random.uniform(0.1, 0.4))
    return kills


def is_settled(client, task):
    status, found = client.ask("GET", f"/tasks/{task}")
    return status == 200 and found["status"] == "completed"


def finish(client, ledger):
    """Waits until every task on the ledger is completed; returns those that are not in the end."""
    open_tasks, deadline = set(ledger.created), time.monotonic() + FINISH_S
    while open_tasks and time.monotonic() < deadline:
        open_tasks = {task for task in open_tasks if not is_settled(client, task)}
    return open_tasks


def completions(client, task):
    status, page = client.ask("GET", f"/tasks/{task}/attempts?limit=500")
    return -1 if status != 200 else sum(1 for attempt in page["items"] if attempt["outcome"] == "complete")


def test(node):
    client = Client(node.port)
    _, token = client.ask("POST", "/auth/login", {"username": "admin", "password": PASSWORD})
    client.token = token["access_token"]
    ledger = Ledger()
    threads = [threading.Thread(target=create, args=(Client(node.port, client.token), ledger)) for _ in range(3)]
    threads += [threading.Thread(target=work, args=(Client(node.port, client.token), ledger, f"a{i}")) for i in range(4)]
    for thread in threads:
        thread.start()
    kills = kill(node)
    ledger.creating = False
    left = finish(client, ledger)
    ledger.working = False
    for thread in threads:
        thread.join()
    print(f"# {kills} kills, {len(ledger.created)} creates and {len(ledger.completed)} completions acknowledged, "
          f"{ledger.troubles} creates not answered with 201, {ledger.stale} stale epochs refused")
    check("there was killing and there was work", kills >= 6 and len(ledger.created) > 100, (kills, len(ledger.created)))
    check("every acknowledged task came to its end", not left, sorted(left)[:3])
    doubled = [task for task in ledger.created if completions(client, task) != 1]
    check("each was completed exactly once", not doubled, doubled[:3])
    lost = [task for task in ledger.completed if not is_settled(client, task)]
    check("every acknowledged completion is there", not lost, lost[:3])
    check("no completion was acknowledged to two holders", len(ledger.completed) == len(set(ledger.completed)),
          len(ledger.completed) - len(set(ledger.completed)))


def main():
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    print(f"# CHAOS_SEED={seed}")
    folder = tempfile.mkdtemp(prefix="agentd-chaos-")
    os.chmod(folder, 0o755)
    node = Node(folder)
    try:
        test(node)
    finally:
        pids = [pid for _, pid in node.processes()]
        node.process.send_signal(signal.SIGTERM)
        check("the node stops cleanly", node.process.wait(timeout=30) == 0, node.process.returncode)
        check("and leaves no process behind", not [pid for pid in pids if "agentd" in title(pid)], pids)
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"# the log is {folder}/log")
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
