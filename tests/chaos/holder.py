#!/usr/bin/env python3
"""holder.py - a small agent, run as a process of its own so that it can be stopped: PORT TOKEN ROLE AGENT.

Leases one task for two seconds and keeps it with heartbeats; says `beat` for each that was accepted. When a line comes
on standard input, or a heartbeat is refused, it tries everything that a holder may do, one by one and by array, and
prints all answers since its start as JSON: [what, status, code].
"""

import json
import select
import sys

import client

LEASE_S = 2
BEAT_S = 0.25


def code_of(answer):
    return (answer or {}).get("code")


def try_all(mine, task, answers):
    path, epoch = f"/tasks/{task['id']}", task["epoch"]
    tries = [
        ("heartbeat", {"progress": "stale"}),
        ("complete", {"output_data": "stale"}),
        ("fail", {"error_message": "stale"}),
        ("release", {}),
    ]
    for what, body in tries:
        status, answer = mine.ask("POST", f"{path}/{what}", {"epoch": epoch, **body})
        answers.append((what, status, code_of(answer)))
    status, answer = mine.ask(
        "POST",
        "/tasks/settle",
        [{"id": task["id"], "epoch": epoch, "outcome": what, **body} for what, body in tries[1:]],
    )
    answers += [(f"settle {what}", one["status"], code_of(one["body"])) for (what, _), one in zip(tries[1:], answer)]


def main(port, token, role, agent):
    mine, answers = client.Client([client.Place("127.0.0.1", int(port))], token), []
    status, answer = mine.ask(
        "POST", "/tasks/lease", {"roles": [role], "agent_id": agent, "wait_s": 10, "lease_s": LEASE_S}
    )
    if status != 200 or not answer["tasks"]:
        raise SystemExit(f"there was no task: {status} {answer}")
    task = answer["tasks"][0]
    while not select.select([sys.stdin], [], [], BEAT_S)[0]:
        status, answer = mine.ask("POST", f"/tasks/{task['id']}/heartbeat", {"epoch": task["epoch"]})
        answers.append(("heartbeat", status, code_of(answer)))
        if status != 200:
            break
        print("beat", flush=True)
    try_all(mine, task, answers)
    print(json.dumps({"task": task["id"], "epoch": task["epoch"], "answers": answers}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
