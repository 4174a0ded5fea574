#!/usr/bin/env python3
"""limits.py - two nodes admit together what one limit allows, whatever becomes of the Redis that counts for them.

200 clients of one key ask without end while Redis is not there yet, starts, counts, is flushed, stands still, goes on, is
killed and comes back empty, and is out of reach for one node. While it counts, what was admitted stays below the limit by the strategy's own rule; over all
of it, below the same rule with 5/4 of the limit. No answer waits much longer than a command's deadline for Redis.

An admission is known to have been between a request and its answer. The model takes the middle, and forgives what the
longest answer of its phase could have moved. The long form takes all three strategies.

AGENTD names the program; see stage.py for the rest.
"""

import asyncio
import os
import sys
import time

import client
import processes
import stage
import store
import tap

CLIENTS = 200
LIMIT, WINDOW_S = 600, 6
PAUSE_S = 0.05  # of a client that was refused
DEADLINE_S = 0.5  # of a command; the default is for machines that are not as busy as those of tests
MORE = 1.25  # of the limit, around a loss
STRATEGIES = ["token_bucket", "fixed_window", "sliding_window"] if stage.FULL else ["token_bucket"]
# Seconds: in the long form all of a window is seen each time.
SHORT, LONG = (WINDOW_S + 1, 2 * WINDOW_S) if stage.FULL else (3, WINDOW_S + 2)


class Crowd:
    """Clients that ask for ever with one key or another; answers of a key are (asked, answered, status), wall clock."""

    def __init__(self, nodes, key):
        self.broken, self.tasks, self.all = 0, [], {}
        self.ports = [node.port for node in nodes]
        self.use(key)

    def use(self, key):
        self.answers = self.all.setdefault(key, [])
        self.request = (
            f"GET /api/v1/auth/me HTTP/1.1\r\nHost: limits\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        )

    async def ask(self, reader, writer):
        asked, answers = time.time(), self.answers
        writer.write(self.request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(lines["content-length"]))
        status = int(head.split(" ", 2)[1])
        answers.append((asked, time.time(), status))
        if status == 429 and not ("retry-after" in lines and lines["x-ratelimit-remaining"] == "0"):
            raise SystemExit(f"a refusal without its headers: {head}")
        return status

    async def work(self, number):
        while True:
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[number % len(self.ports)])
                while True:
                    if await self.ask(reader, writer) == 429:
                        await asyncio.sleep(PAUSE_S)
            except (OSError, asyncio.IncompleteReadError):
                self.broken += 1
                await asyncio.sleep(PAUSE_S)
            finally:
                if writer:
                    writer.close()

    def __enter__(self):
        self.tasks = [asyncio.create_task(self.work(number)) for number in range(CLIENTS)]
        return self

    def __exit__(self, *_):
        for task in self.tasks:
            task.cancel()


def admitted(answers):
    return sorted((asked, answered) for asked, answered, status in answers if status == 200)


def bucket_peak(answers, part):
    """How full a bucket would have become that drains at so many times the rate."""
    level = peak = last = 0.0
    for moment in sorted((asked + answered) / 2 for asked, answered in admitted(answers)):
        level = max(0.0, level - (moment - last) * part * LIMIT / WINDOW_S) + 1
        last, peak = moment, max(peak, level)
    return peak


def window_peak(answers):
    """The most that is certain to have been admitted in one window."""
    counts = {}
    for asked, answered in admitted(answers):
        if asked // WINDOW_S == answered // WINDOW_S:
            counts[asked // WINDOW_S] = counts.get(asked // WINDOW_S, 0) + 1
    return max(counts.values(), default=0)


class Phases:
    def __init__(self, strategy, crowd):
        self.strategy, self.crowd, self.begun = strategy, crowd, 0

    def peak(self, answers, part):
        if self.strategy == "token_bucket":
            return bucket_peak(answers, part)
        return window_peak(answers)

    async def run(self, name, seconds, least, most=None):
        """Lets the crowd work; least: what must have been admitted, most: how much of the limit may have been."""
        first = len(self.crowd.answers)
        await asyncio.sleep(seconds)
        answers = self.crowd.answers[first:]
        good = sum(status == 200 for _, _, status in answers)
        slowest = max((answered - asked for asked, answered, _ in answers), default=0)
        peak = self.peak(answers, most or 1.0)
        tap.note(
            f"{self.strategy}, {name}: {len(answers)} asked, {good} admitted in {seconds} s, peak {peak / LIMIT:.3f} of the "
            f"limit, slowest answer {slowest * 1000:.0f} ms"
        )
        others = {status for _, _, status in answers} - {200, 429}
        tap.check(f"{self.strategy}, {name}: every answer is 200 or 429", not others, others)
        tap.check(f"{self.strategy}, {name}: at least {least} were admitted", good >= least, good)
        if most:
            forgiven = slowest * LIMIT / WINDOW_S + 1 if self.strategy == "token_bucket" else 0
            tap.check(f"{self.strategy}, {name}: no more than {most} of the limit", peak <= most * LIMIT + forgiven, peak)
        return slowest


async def events(strategy, around, redis, keys, cut_off):
    rate = LIMIT / WINDOW_S
    with Crowd(around.nodes, keys[0]) as crowd:
        phases = Phases(strategy, crowd)
        await phases.run("without Redis", SHORT, LIMIT * 0.8, MORE)
        redis.start()
        # Nodes that counted alone are counted on from an eighth.
        await phases.run("Redis has come", LONG, rate)
        before, runs = len(crowd.answers), redis.script_runs()
        await phases.run("Redis counts", LONG, LONG * rate * 0.8, 1.0)
        share = (redis.script_runs() - runs) / (len(crowd.answers) - before)
        tap.note(f"{strategy}: {100 * share:.1f} % of the requests needed a round trip")
        tap.check(f"{strategy}: most requests needed no round trip", share < 0.5, share)
        redis.ask("FLUSHALL")
        await phases.run("flushed", SHORT, rate / 2)
        redis.stand_still()
        slowest = await phases.run("Redis stands still", SHORT, rate / 4)
        tap.check(f"{strategy}: nobody waits long for a Redis that stands still", slowest < DEADLINE_S + 1, slowest)
        redis.go_on()
        await phases.run("Redis goes on", SHORT, rate / 4)
        redis.kill()
        await phases.run("killed", 2, 1)
        redis.start()
        await phases.run("Redis has come back empty", LONG, rate)
        await phases.run("Redis counts again", LONG, LONG * rate * 0.8, 1.0)
        slowest = max(answered - asked for asked, answered, _ in crowd.answers)
        forgiven = slowest * rate + 1 if strategy == "token_bucket" else 0
        peak = phases.peak(crowd.answers, MORE)
        tap.check(
            f"{strategy}: over all of it no more than {MORE} of the limit ({peak / LIMIT:.3f})",
            peak <= MORE * LIMIT + forgiven,
            peak,
        )
        # Nobody has used the other key: all of its limit is there, and not a request more.
        crowd.use(keys[1])
        await phases.run("a key that is new", LONG, LIMIT * 0.95 + (LONG - WINDOW_S) * rate * 0.8, 1.0)
        crowd.use(keys[0])
        cut_off()
        await phases.run("one node is cut off", LONG, LONG * rate * 0.8, MORE)
        tap.check(f"{strategy}: no connection was broken", crowd.broken == 0, crowd.broken)


def run(strategy):
    settings = {
        "AGENTD_CACHE_BACKEND": "redis",
        "AGENTD_RATE_LIMIT_STRATEGY": strategy,
        "AGENTD_RATE_LIMIT_WINDOW_S": str(WINDOW_S),
        "AGENTD_REDIS_TIMEOUT_MS": str(int(DEADLINE_S * 1000)),
        "AGENTD_WORKERS": "2",
    }
    with stage.Stage(0) as around:
        redis = store.Store(f"{around.folder}/redis")
        around.cleanup.callback(redis.stop)
        around.add_nodes(1, AGENTD_REDIS_URL=redis.url, **settings)
        # The other node's way to it is one that can be taken away.
        way = f"{around.folder}/way"
        os.symlink(redis.path, way)
        around.add_nodes(1, AGENTD_REDIS_URL=f"unix://{way}", **settings)

        def cut_off():
            os.unlink(way)
            redis.ask("CLIENT KILL TYPE normal")

        owner = client.Client(around.nodes, client.login(around.nodes))
        made = [
            owner.ask("POST", "/keys", {"name": name, "role": "viewer", "rate_limit": LIMIT}) for name in ("one", "two")
        ]
        owner.close()
        tap.check(f"{strategy}: there are keys", all(status == 201 for status, _ in made), made)
        # Both keepers have said that they are there, and have heard of one another since.
        processes.wait_until(lambda: around.cluster.value("SELECT count(*) FROM nodes") == 2, 10)
        heard = "SELECT count(*) FROM nodes WHERE seen_at > (SELECT max(started_at) FROM nodes) + interval '1 second'"
        tap.check(f"{strategy}: two nodes know of one another", processes.wait_until(lambda: around.cluster.value(heard) == 2, 10))
        asyncio.run(events(strategy, around, redis, [answer["key"] for _, answer in made], cut_off))
        around.stop_nodes()


def test():
    for strategy in STRATEGIES:
        run(strategy)


if __name__ == "__main__":
    sys.exit(stage.run(test))
