#!/usr/bin/env python3
"""waiters.py - workers die while 400 agents wait for tasks; what is made at that moment reaches exactly one of them.

Each round begins when all agents wait. Then tasks are made in a burst, and in its midst a worker is ended with SIGKILL,
with the connections that it holds. A task that was leased for an agent who cannot be told any more must come to another
when its lease is over, not later. Agents whose connection ends connect again, as they would.

AGENTD names the program; see stage.py for the rest.
"""

import asyncio
import json
import random
import sys
import time

import client
import ledger
import stage
import tap

AGENTS = 400
ROUNDS = 40 if stage.FULL else 6
REQUESTS = 20  # of a burst
WORKERS = 4  # of a node; one that dies again within 10 s is started again after a longer pause
LEASE_S = 2
SLACK_S = 3  # the keeper looks every 50 ms, waiters of another node once a second; the rest is for slow machines
PATIENCE_S = 60


class Line:
    """An asynchronous client with one connection, as client.Client is a blocking one."""

    def __init__(self, nodes, token):
        self.nodes, self.token, self.streams = nodes, token, None

    async def ask(self, path, body):
        text = json.dumps(body).encode()
        head = (
            f"POST /api/v1{path} HTTP/1.1\r\nHost: agentd\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        try:
            if not self.streams:
                self.streams = await asyncio.open_connection("127.0.0.1", random.choice(self.nodes).port)
            reader, writer = self.streams
            writer.write(head.encode() + text)
            return await self._answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return None, None

    async def _answer(self, reader):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        return int(lines[0].split()[1]), json.loads(await reader.readexactly(length))

    async def insist(self, path, body):
        deadline = time.monotonic() + PATIENCE_S
        while not client.is_certain((answer := await self.ask(path, body))[0]) and time.monotonic() < deadline:
            await asyncio.sleep(client.PAUSE_S)
        return answer

    def close(self):
        if self.streams:
            self.streams[1].close()
        self.streams = None


class Crowd:
    def __init__(self, around, book, token):
        self.stage, self.ledger, self.token, self.waiting, self.number, self.kills = around, book, token, 0, 0, 0

    async def agent(self, name):
        line = Line(self.stage.nodes, self.token)
        wish = {"roles": ["crowd"], "agent_id": name, "wait_s": 30, "lease_s": LEASE_S}
        try:
            while True:
                self.waiting += 1
                status, answer = await line.ask("/tasks/lease", wish)
                self.waiting -= 1
                if status != 200:
                    await asyncio.sleep(random.uniform(0, 2 * client.PAUSE_S))
                for task in answer["tasks"] if status == 200 else ():
                    self.ledger.note_lease(task, name)
                    status, answer = await line.insist(
                        f"/tasks/{task['id']}/complete", {"epoch": task["epoch"], "output_data": name}
                    )
                    self.ledger.note_settle(task, name, "complete", name, status, answer)
        finally:
            line.close()

    async def create(self, line, number):
        first, self.number = self.number + 1, self.number + number
        numbers = range(first, self.number + 1)
        body = [{"role": "crowd", "input_data": {"n": n}, "max_retries": 100} for n in numbers]
        status, answer = await line.ask("/tasks", body)
        for n, one in zip(numbers, answer if status == 200 else [{"status": None}] * number):
            if one["status"] == 201:
                self.ledger.note_create(n, one["body"]["id"])
            elif one["status"] is None or one["status"] >= 500:
                self.ledger.note_maybe(n)
            else:
                self.ledger.violation(f"create {n} was answered with {one}")

    async def burst(self, line):
        """Makes the tasks of a round; the kill falls on one of its requests."""
        sizes = [random.choice((1, 1, 5, 20)) for _ in range(REQUESTS)]
        victim = random.randrange(REQUESTS // 2, REQUESTS)
        for number, size in enumerate(sizes):
            if number == victim:
                await asyncio.gather(self.create(line, size), self.kill())
            else:
                await self.create(line, size)

    async def kill(self):
        await asyncio.sleep(random.uniform(0, 0.005))
        self.kills += random.choice(self.stage.nodes).kill_child("worker")

    def is_complete(self):
        return all(len(node.children("worker")) == WORKERS for node in self.stage.nodes)

    async def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {PATIENCE_S} s: {what}")
            await asyncio.sleep(0.01)

    async def run(self):
        """The longest time from a burst until all of it had been done."""
        agents = [asyncio.create_task(self.agent(f"agent-{number}")) for number in range(AGENTS)]
        line, longest = Line(self.stage.nodes, self.token), 0.0
        try:
            for _ in range(ROUNDS):
                await self.until(lambda: self.waiting == AGENTS, "all agents wait")
                await self.until(self.is_complete, "the killed worker is replaced")
                begun = time.monotonic()
                await self.burst(line)
                await self.until(lambda: self.ledger.completed_known >= self.ledger.made, "the burst is done")
                longest = max(longest, time.monotonic() - begun)
            await self.until(lambda: not ledger.unfinished(self.stage.cluster), "what was made in doubt is done")
        finally:
            line.close()
            for agent in agents:
                agent.cancel()
            await asyncio.gather(*agents, return_exceptions=True)
        return longest


def test():
    book = ledger.Ledger()
    with stage.Stage(2, AGENTD_WORKERS=str(WORKERS)) as around:
        crowd = Crowd(around, book, client.login(around.nodes))
        longest = asyncio.run(crowd.run())
        undelivered = [
            row
            for row in around.cluster.query(
                "SELECT task_id, epoch, outcome, agent_id, extract(epoch FROM ended_at - started_at) FROM agentd_attempts"
            )
            if (row[0], int(row[1])) not in book.leased
        ]
        tap.note(
            f"{crowd.kills} workers killed while {AGENTS} agents waited, {book.made} creates, "
            f"{len(book.leased)} leases, {book.completed} completions acknowledged, {len(undelivered)} leases could "
            f"not be delivered; longest time from a burst to its last completion {longest:.2f} s"
        )
        tap.check("a worker was killed in every round", crowd.kills == ROUNDS, crowd.kills)
        tap.check(
            "every task came to an agent, at the latest when the lease of a lost one was over",
            longest < LEASE_S + SLACK_S,
            longest,
        )
        tap.check_none(
            "no lease that could not be delivered was longer than a lease",
            [row for row in undelivered if row[2] not in ("expire", "release") or float(row[4]) > LEASE_S + SLACK_S],
        )
        tap.check_none("nothing is left", ledger.show_unfinished(around.cluster))
        ledger.compare(book, around.cluster)
        around.stop_nodes()


if __name__ == "__main__":
    sys.exit(stage.run(test))
