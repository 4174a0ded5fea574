#!/usr/bin/env python3
"""stale.py - a holder that comes too late changes nothing: its task is the second holder's.

First many leases in this process that run out and are leased again, then everything that the first holder may try,
before, while and after the second completes. Then real holders that keep their leases with heartbeats, until SIGSTOP
makes them too late: holder.py, and `agentctl work`.

AGENTD and AGENTCTL name the programs; see stage.py for the rest.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import client
import processes
import stage
import tap

TASKS = 1_000 if stage.FULL else 60
HOLDERS = 16 if stage.FULL else 3
ARRAY = 50
BEATS = 10  # longer than a lease of holder.py
PATIENCE_S = 30
HERE = os.path.dirname(os.path.abspath(__file__))
STALE = {"complete": {"output_data": "stale"}, "fail": {"error_message": "stale"}, "release": {}}


def create(mine, role, number):
    """Their ids."""
    ids = []
    for at in range(0, number, 500):
        body = [{"role": role, "max_retries": 100}] * min(500, number - at)
        ids += [one["body"]["id"] for one in mine.ask("POST", "/tasks", body)[1]]
    return ids


def lease(mine, role, agent, number, lease_s):
    """As many as asked for, as soon as they are there: {task: epoch}."""
    found, deadline = {}, time.monotonic() + PATIENCE_S
    while len(found) < number and time.monotonic() < deadline:
        body = {
            "roles": [role],
            "agent_id": agent,
            "max": min(100, number - len(found)),
            "wait_s": 1,
            "lease_s": lease_s,
        }
        found.update((task["id"], task["epoch"]) for task in mine.ask("POST", "/tasks/lease", body)[1]["tasks"])
    if len(found) < number:
        raise SystemExit(f"{agent} got {len(found)} of {number} tasks of {role} in {PATIENCE_S} s")
    return found


class Latecomer:
    """The first holder, too late; every answer but 409 stale_epoch is a violation."""

    def __init__(self, nodes, token, epochs):
        self.client, self.epochs, self.attempts, self.accepted = client.Client(nodes, token), epochs, 0, []

    def judge(self, what, task, status, answer):
        self.attempts += 1
        if (status, (answer or {}).get("code")) != (409, "stale_epoch"):
            self.accepted.append(f"{what} of {task} with epoch {self.epochs[task]} was answered with {status} {answer}")

    def by_array(self, tasks):
        """All outcomes, and one with an epoch that is not there yet."""
        calls = [
            {"id": task, "epoch": self.epochs[task], "outcome": what, **body}
            for task in tasks
            for what, body in STALE.items()
        ]
        calls += [
            {"id": task, "epoch": self.epochs[task] + 2, "outcome": "complete", "output_data": "early"}
            for task in tasks
        ]
        _, answer = self.client.ask("POST", "/tasks/settle", calls)
        for call, one in zip(calls, answer, strict=True):
            self.judge(call["outcome"], call["id"], one["status"], one["body"])

    def one_by_one(self, tasks):
        for task in tasks:
            for what, body in [*STALE.items(), ("heartbeat", {"progress": {"percent": 1}})]:
                self.judge(
                    what, task, *self.client.ask("POST", f"/tasks/{task}/{what}", {"epoch": self.epochs[task], **body})
                )


def complete_between(late, tasks, epochs):
    """The second holder's completion in one array between two stale ones; the ids that were not accepted."""
    calls = [
        {"id": task, "epoch": epoch, "outcome": what, **body}
        for task in tasks
        for epoch, what, body in (
            (late.epochs[task], "complete", STALE["complete"]),
            (epochs[task], "complete", {"output_data": "second"}),
            (late.epochs[task], "fail", STALE["fail"]),
        )
    ]
    _, answer = late.client.ask("POST", "/tasks/settle", calls)
    refused = []
    for call, one in zip(calls, answer, strict=True):
        if call["epoch"] != epochs[call["id"]]:
            late.judge(call["outcome"], call["id"], one["status"], one["body"])
        elif one["status"] != 200:
            refused.append(f"{call['id']}: {one}")
    return refused


def complete_beside(late, mine, tasks, epochs):
    """The second holder completes one by one while the first tries everything."""
    thread = threading.Thread(target=late.one_by_one, args=(tasks,))
    thread.start()
    answers = [
        (task, *mine.ask("POST", f"/tasks/{task}/complete", {"epoch": epochs[task], "output_data": "second"}))
        for task in tasks
    ]
    thread.join()
    return [str(answer) for answer in answers if answer[1] != 200]


def check_rows(cluster, name, tasks, second):
    """Each task: the first lease expired, the second completed, nothing else; second is the output.

    Progress is told by stale heartbeats only.
    """
    rows = {
        row[0]: row[1:]
        for row in cluster.query(
            "SELECT t.id, t.status, t.epoch, t.output_data::text, t.progress::text, "
            "(SELECT string_agg(a.epoch || a.outcome, ' ' ORDER BY a.epoch) FROM agentd_attempts a "
            "WHERE a.tenant = t.tenant AND a.task_id = t.id) FROM tasks t"
        )
    }
    wanted = ["completed", "2", json.dumps(second), None, "1expire 2complete"]
    tap.check_none(name, [f"{task}: {rows.get(task)}" for task in tasks if rows.get(task) != wanted])


def test_many(around, token):
    mine = client.Client(around.nodes, token)
    tasks = create(mine, "many", TASKS)
    late = Latecomer(around.nodes, token, lease(mine, "many", "first", TASKS, 1))
    second = lease(mine, "many", "second", TASKS, 300)
    chunks = [tasks[at : at + ARRAY] for at in range(0, TASKS, ARRAY)]
    refused = []
    for number, chunk in enumerate(chunks):
        late.by_array(chunk)
        late.one_by_one(chunk[: ARRAY // 4])
        refused += complete_between(late, chunk, second) if number % 2 else complete_beside(late, mine, chunk, second)
        late.by_array(chunk)
        late.one_by_one(chunk[: ARRAY // 8])
    tap.note(f"{late.attempts} stale attempts, {len(late.accepted)} accepted")
    tap.check("there were enough of them", late.attempts >= 10 * TASKS, late.attempts)
    tap.check_none("every stale attempt is 409 stale_epoch", late.accepted)
    tap.check_none("the second holder's completions are accepted", refused)
    check_rows(around.cluster, "the tasks are the second holder's", tasks, "second")


def test_stopped(around, token):
    """Processes of holder.py: first they beat longer than a lease, then they stand still longer than a lease."""
    mine = client.Client(around.nodes, token)
    tasks = create(mine, "stopped", HOLDERS)
    holders = [
        processes.start(
            [sys.executable, f"{HERE}/holder.py", str(around.nodes[i % 2].port), token, "stopped", f"holder-{i}"],
            "KILL",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(HOLDERS)
    ]
    try:
        beats = [[holder.stdout.readline() for _ in range(BEATS)] for holder in holders]
        for holder in holders:
            holder.send_signal(signal.SIGSTOP)
        second = lease(mine, "stopped", "second", HOLDERS, 300)
        half = HOLDERS // 2
        for task in tasks[:half]:
            mine.ask("POST", f"/tasks/{task}/complete", {"epoch": second[task], "output_data": "second"})
        for holder in holders:
            holder.stdin.write("go\n")
            holder.stdin.flush()
            holder.send_signal(signal.SIGCONT)
        stories = [holder.communicate(timeout=PATIENCE_S)[0].splitlines()[-1] for holder in holders]
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
    for task in tasks[half:]:
        mine.ask("POST", f"/tasks/{task}/complete", {"epoch": second[task], "output_data": "second"})
    tap.check("holders that beat keep their leases", all(line == "beat\n" for lines in beats for line in lines), beats)
    tap.check_none(
        "what stopped holders try is 409 stale_epoch",
        [
            story
            for story in stories
            for answer in json.loads(story)["answers"][-7:]
            if answer[1:] != [409, "stale_epoch"]
        ],
    )
    check_rows(around.cluster, "and their tasks are the second holder's", tasks, "second")


def test_agentctl(around, token):
    """agentctl is stopped while its command works; the command ends, and its result is no longer wanted."""
    started, go = f"{around.folder}/started", f"{around.folder}/go"
    environment = {
        **os.environ,
        "AGENTCTL_SERVER": around.nodes[0].url,
        "AGENTCTL_KEY": token,
        "STARTED": started,
        "GO": go,
        "HOME": around.folder,
    }
    script = 'cat >/dev/null; touch "$STARTED"; until test -e "$GO"; do sleep 0.05; done; echo \'"first"\''
    mine = client.Client(around.nodes, token)
    tasks = create(mine, "ctl", 1)
    holder = processes.start(
        [
            os.environ["AGENTCTL"],
            "work",
            "--role",
            "ctl",
            "--agent-id",
            "ctl",
            "--lease",
            "1",
            "--max-tasks",
            "1",
            "--exec",
            script,
        ],
        "KILL",
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        seen = processes.wait_until(lambda: os.path.exists(started), PATIENCE_S)
        holder.send_signal(signal.SIGSTOP)
        second = lease(mine, "ctl", "second", 1, 300)
        with open(go, "wb"):
            pass
        holder.send_signal(signal.SIGCONT)
        told = holder.communicate(timeout=PATIENCE_S)[1]
    finally:
        holder.kill()
        holder.wait()
    mine.ask("POST", f"/tasks/{tasks[0]}/complete", {"epoch": second[tasks[0]], "output_data": "second"})
    tap.check("agentctl began the task", seen)
    tap.check("a stopped agentctl throws its result away", "its result is thrown away" in told, told)
    check_rows(around.cluster, "and its task is the second holder's", tasks, "second")


def test():
    with stage.Stage(2) as around:
        token = client.login(around.nodes)
        test_many(around, token)
        test_stopped(around, token)
        test_agentctl(around, token)
        around.stop_nodes()


if __name__ == "__main__":
    sys.exit(stage.run(test))
