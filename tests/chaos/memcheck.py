#!/usr/bin/env python3
"""memcheck.py - a node under valgrind, through a login, tasks, a workflow, a reload and the end: not one report.

A smoke test beside the sanitizers, which see more: valgrind runs the very program, and libpq, libevent and libcurl with it.
Not a part of make check, for it takes a minute: `make valgrind`.

AGENTD names the program; see stage.py for the rest.
"""

import glob
import re
import shutil
import signal
import sys

import client
import processes
import stage
import tap

# What is left at the end on purpose is "still reachable"; only what is lost counts.
OPTIONS = ["--quiet", "--vgdb=no", "--trace-children=yes", "--child-silent-after-fork=no", "--leak-check=full",
           "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]


def work(mine):
    """A bit of everything; the statuses that were not as they should be."""
    bad = []

    def ask(expected, method, path, body=None):
        status, answer = mine.ask(method, path, body)
        if status != expected:
            bad.append((method, path, status, answer))
        return answer or {}

    for number in range(20):
        ask(201, "POST", "/tasks", {"role": "r", "input_data": {"n": number}})
    ask(200, "POST", "/tasks", [{"role": "r", "input_data": {"n": number}} for number in range(50)])
    ask(201, "POST", "/workflows", {"description": "w", "tasks": [
        {"key": "a", "role": "r"}, {"key": "b", "role": "r", "depends_on": ["a"]}]})
    for _ in range(10):
        tasks = ask(200, "POST", "/tasks/lease", {"roles": ["r"], "agent_id": "a", "max": 5}).get("tasks", [])
        for task in tasks:
            ask(200, "POST", f"/tasks/{task['id']}/heartbeat", {"epoch": task["epoch"]})
            ask(200, "POST", f"/tasks/{task['id']}/complete", {"epoch": task["epoch"], "output_data": {"done": True}})
    for path in ("/tasks?limit=10", "/events?limit=50", "/health/report", "/system/status", "/metrics/system", "/alerts"):
        ask(200, "GET", path)
    ask(422, "POST", "/tasks", {"role": 7})
    ask(404, "GET", "/tasks/01890a5d-ac96-774b-bcce-b302099a8057")
    return bad


def reports(folder):
    """What valgrind wrote, process by process; with --quiet that is nothing."""
    found = []
    for path in glob.glob(f"{folder}/valgrind.*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = re.sub(r"^==\d+== ?", "", file.read(), flags=re.M).strip()
        if text:
            found.append(f"{path}: {text[:1500]}")
    return found


def main():
    if not shutil.which("valgrind"):
        raise SystemExit("valgrind is not here; install Debian's valgrind")
    with stage.Stage(0) as here:
        prefix = ["valgrind", *OPTIONS, f"--log-file={here.folder}/valgrind.%p"]
        # The sandbox knows the calls of agentd, not those of valgrind.
        here.add_nodes(1, prefix=prefix, AGENTD_SANDBOX="off", AGENTD_WORKERS="1", AGENTD_DB_STATEMENT_TIMEOUT_MS="60000")
        node = here.nodes[0]
        mine = client.Client([node], client.login([node]))
        tap.check_none("everything is answered as it should be", work(mine))
        processes.send(node.process.pid, signal.SIGHUP)
        again = processes.wait_until(lambda: node.status().get("generation") == 2, 60, 0.5)
        tap.check("a reload too", again, node.status())
        tap.check_none("and after it", work(mine))
        mine.close()
        status, left = node.stop()
        tap.check("the node ends well", status == 0 and not left, (status, left))
        tap.check_none("valgrind has nothing to report", reports(here.folder))


if __name__ == "__main__":
    sys.exit(stage.run(main))
