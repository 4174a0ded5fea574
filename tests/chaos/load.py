"""load.py - creators and agents that work as fast as they can and write every answer into the ledger.

Most of it goes in arrays, a share one by one, a share as workflows: diamonds with two ends, which become ready and
complete at about the same time; one end has a condition that holds, and beside them is a task whose condition does not.
The creators keep only so much ahead of the agents, so that at the end little is left to do and what is stuck is seen.
"""

import itertools
import random
import threading
import time

import client

ROLE = "ledger"
LEASE_S = 4
AHEAD = 1000
ARRAY = 100
RETRY = {"backoff": "fixed", "base_s": 0.2, "jitter": False}
DIAMOND = {
    "top": [],
    "left": ["top"],
    "right": ["top"],
    "bottom": ["left", "right"],
    "twin": ["left", "right"],
    "never": ["left", "right"],
}
CONDITIONS = {
    key: {"task": "left", "path": "/key", "op": op, "value": "left"} for key, op in (("twin", "eq"), ("never", "ne"))
}


def is_final(status, answer):
    """False if it may be asked again with its key: nothing is known, or the first of two is still at work."""
    return client.is_certain(status) and not (status == 409 and answer.get("code") == "idempotency_in_flight")


class Load:
    """with Load(...): it runs. stop_creating() and stop() end it in two steps."""

    def __init__(self, nodes, ledger, creators=3, agents=6, make_client=client.Client):
        self.nodes, self.ledger, self.make_client = nodes, ledger, make_client
        self.token = client.login(nodes)
        self.numbers = itertools.count(1)
        self.creating, self.working, self.troubles = True, True, []
        self.threads = [self._thread(self._create, i) for i in range(creators)]
        self.threads += [self._thread(self._work, i) for i in range(agents)]
        self.threads.append(self._thread(self._oversleep, "late"))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop_creating(self):
        self.creating = False

    def stop(self):
        self.creating = self.working = False
        for thread in self.threads:
            thread.join()

    def _thread(self, loop, number):
        def run():
            mine = self.make_client(self.nodes, self.token, self.ledger.note_write)
            try:
                loop(mine, f"agent-{number}")
            except Exception as trouble:  # a thread that dies in silence would prove nothing
                self.ledger.violation(f"a client stopped: {trouble!r}")
                raise
            finally:
                mine.close()

        return threading.Thread(target=run)

    # Creating.

    def _create(self, mine, _):
        ways = [self._create_array] * 6 + [self._create_one] * 20 + [self._create_workflow] * 12
        while self.creating:
            if self.ledger.ahead() > AHEAD:
                time.sleep(0.01)
            else:
                random.choice(ways)(mine)

    def _task(self, number):
        return {
            "role": ROLE,
            "input_data": {"n": number},
            "max_retries": 100,
            "retry": RETRY,
            "priority": random.randint(1, 10),
        }

    def _post(self, mine, path, body, number):
        """One half with an Idempotency-Key: asked until it is certain. For the others a lost answer means doubt."""
        if random.random() < 0.5:
            return self._post_keyed(mine, path, body, f"ledger-{number}")
        status, answer = mine.ask("POST", path, body)
        if not client.is_certain(status):
            time.sleep(client.PAUSE_S)
        return status, answer

    def _parts(self, status, answer):
        return [(one["status"], one["body"]) for one in answer] if isinstance(answer, list) else [(status, answer)]

    def _post_keyed(self, mine, path, body, key):
        deadline = time.monotonic() + client.TRIES_S
        while time.monotonic() < deadline:
            status, answer = mine.insist("POST", path, body, key)
            if all(is_final(*one) for one in self._parts(status, answer)):
                return status, answer
            time.sleep(client.PAUSE_S)
        self.ledger.violation(f"POST {path} with the key {key} is in doubt after {client.TRIES_S} s")
        return status, answer

    def _note(self, number, status, answer, parts=0):
        if status == 201:
            self.ledger.note_create(number, answer["id"], parts)
        elif status is None or status >= 500:
            self.ledger.note_maybe(number, parts)
        elif status != client.NOT_SENT:
            self.ledger.violation(f"create {number} was answered with {status} {answer}")

    def _create_array(self, mine):
        numbers = [next(self.numbers) for _ in range(ARRAY)]
        status, answer = self._post(mine, "/tasks", [self._task(number) for number in numbers], numbers[0])
        for number, one in zip(numbers, answer if status == 200 else [{"status": status, "body": answer}] * ARRAY):
            self._note(number, one["status"], one["body"])

    def _create_one(self, mine):
        number = next(self.numbers)
        self._note(number, *self._post(mine, "/tasks", self._task(number), number))

    def _create_workflow(self, mine):
        number = next(self.numbers)
        tasks = [
            {"key": key, "role": ROLE, "depends_on": needs, "max_retries": 100, "retry": RETRY}
            | ({"condition": CONDITIONS[key]} if key in CONDITIONS else {})
            for key, needs in DIAMOND.items()
        ]
        body = {"description": "a diamond", "input_data": {"n": number}, "tasks": tasks}
        self._note(number, *self._post(mine, "/workflows", body, number), len(DIAMOND) - 1)

    # Working.

    def _lease(self, mine, agent, most, lease_s):
        body = {"roles": [ROLE], "agent_id": agent, "max": most, "wait_s": 0.5, "lease_s": lease_s}
        status, answer = mine.ask("POST", "/tasks/lease", body)
        if status != 200:
            time.sleep(client.PAUSE_S)
            return []
        for task in answer["tasks"]:
            self.ledger.note_lease(task, agent)
            self._look_at(task)
        return answer["tasks"]

    def _work(self, mine, agent):
        while self.working:
            if random.random() < 0.5:
                self._settle_many(mine, self._lease(mine, agent, 20, LEASE_S), agent)
            else:
                for task in self._lease(mine, agent, 1, LEASE_S):
                    self._settle_one(mine, task, agent)

    def _oversleep(self, mine, agent):
        """An agent whose settlements come too late; one that comes before the keeper has looked is accepted."""
        while self.creating:
            tasks = self._lease(mine, agent, 20, 1)
            time.sleep(1.5)
            self._settle_many(mine, tasks, agent)

    def _look_at(self, task):
        """A task of a diamond comes with the outputs of what it depends on, never before."""
        if task["key"] == "never":
            self.ledger.violation(f"task {task['id']} was leased although its condition does not hold")
        needs = DIAMOND.get(task["key"], [])
        outputs = {key: (output or {}).get("key") for key, output in task["dependencies"].items()}
        if outputs != {key: key for key in needs}:
            self.ledger.violation(f"task {task['id']} came with the dependencies {task['dependencies']}")

    def _outcome(self, task, agent):
        """The settlement's body, and what is said by it."""
        chance = random.random()
        if chance < 0.01:
            return {"outcome": "fail", "error_message": "as it happens", "retryable": True}
        if chance < 0.02:
            return {"outcome": "release"}
        return {"outcome": "complete", "output_data": {"by": agent, "epoch": task["epoch"], "key": task["key"]}}

    def _settle_one(self, mine, task, agent):
        said = self._outcome(task, agent)
        body = {name: value for name, value in said.items() if name != "outcome"} | {"epoch": task["epoch"]}
        status, answer = mine.insist("POST", f"/tasks/{task['id']}/{said['outcome']}", body)
        self._note_settle(task, agent, said, status, answer)

    def _settle_many(self, mine, tasks, agent):
        """Those whose answer is uncertain are asked again with the same epoch, until every one is certain."""
        left = {task["id"]: (task, self._outcome(task, agent)) for task in tasks}
        deadline = time.monotonic() + client.TRIES_S
        while left and time.monotonic() < deadline:
            body = [{"id": task["id"], "epoch": task["epoch"], **said} for task, said in left.values()]
            status, answer = mine.insist("POST", "/tasks/settle", body)
            if status != 200:
                self.ledger.violation(f"POST /tasks/settle was answered with {status} {answer}")
                return
            for (task, said), one in zip(list(left.values()), answer):
                if client.is_certain(one["status"]):
                    del left[task["id"]]
                    self._note_settle(task, agent, said, one["status"], one["body"])

    def _note_settle(self, task, agent, said, status, answer):
        self.ledger.note_settle(task, agent, said["outcome"], said.get("output_data"), status, answer)
