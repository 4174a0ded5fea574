#!/usr/bin/env python3
"""generations.py - a reload each second and binary upgrades under load, and not one request in error.

Clients keep their connections, as balancers and libraries do, and close them only when an answer says so. In the long form
there are 200,000 requests at least, and 5 upgrades; the short one takes some seconds. The program is a copy of AGENTD that
is replaced for each upgrade, as a package manager does it.

AGENTD names the program; see stage.py for the rest.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import time

import client
import processes
import stage
import tap

CLIENTS = 16
REQUESTS = 200_000 if stage.FULL else 3_000
SECONDS = 60 if stage.FULL else 5  # at least
UPGRADES = 5 if stage.FULL else 1
DEADLINE_S = 600


class Crowd:
    """Clients that ask for ever over connections that they keep."""

    def __init__(self, port, token):
        self.port, self.asked, self.errors, self.running = port, 0, [], True
        body = json.dumps({"role": "nobody", "input_data": {"n": 1}})
        head = f"Host: generations\r\nAuthorization: Bearer {token}\r\n"
        self.requests = [
            f"GET /api/v1/auth/me HTTP/1.1\r\n{head}\r\n".encode(),
            f"GET /readyz HTTP/1.1\r\n{head}\r\n".encode(),
            f"GET /api/v1/tasks?limit=1 HTTP/1.1\r\n{head}\r\n".encode(),
            f"POST /api/v1/tasks HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"\r\n{body}".encode(),
        ]

    async def ask(self, reader, writer, request):
        """True if the connection can be used again."""
        writer.write(request)
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode()
        lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(lines["content-length"]))
        status = int(head.split(" ", 2)[1])
        self.asked += 1
        if status not in (200, 201):
            self.errors.append(f"{status} for {request[:40]}: {body[:300]}")
        return lines.get("connection") != "close"

    async def one(self, number):
        writer = None
        while self.running:
            number += 1
            try:
                if not writer:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                keep = await self.ask(reader, writer, self.requests[number % len(self.requests)])
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                self.errors.append(f"{error!r} after {self.asked} requests")
                keep = False
            if not keep:
                if writer:
                    writer.close()
                writer = None
        if writer:
            writer.close()


def generation(node):
    return node.status().get("generation", 0)


async def reached(node, least):
    deadline = time.monotonic() + 30
    while generation(node) < least:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def renew(program):
    shutil.copy(os.environ["AGENTD"], program + ".new")
    os.rename(program + ".new", program)


async def turn(node, crowd, program):
    """A reload each second, and the upgrades evenly between them, until enough was asked."""
    began, reloads, upgrades, missed = time.monotonic(), 0, 0, []
    while time.monotonic() - began < DEADLINE_S:
        spent = time.monotonic() - began
        if spent >= SECONDS and crowd.asked >= REQUESTS and upgrades >= UPGRADES:
            break
        before, second = generation(node), time.monotonic()
        if upgrades < UPGRADES and spent >= SECONDS * (upgrades + 1) / (UPGRADES + 1):
            renew(program)
            processes.send(node.process.pid, signal.SIGUSR2)
            upgrades += 1
        else:
            processes.send(node.process.pid, signal.SIGHUP)
            reloads += 1
        if not await reached(node, before + 1):
            missed.append(f"no new generation after {before}: {node.status()}")
        await asyncio.sleep(max(0, 1 - (time.monotonic() - second)))
    return reloads, upgrades, missed


async def run(node, program):
    crowd = Crowd(node.port, client.login([node]))
    tasks = [asyncio.create_task(crowd.one(number)) for number in range(CLIENTS)]
    reloads, upgrades, missed = await turn(node, crowd, program)
    crowd.running = False
    await asyncio.gather(*tasks)
    tap.note(f"{crowd.asked} requests, {reloads} reloads, {upgrades} upgrades")
    tap.check_none("every reload and upgrade made a new generation", missed)
    tap.check(f"there were {REQUESTS} requests at least", crowd.asked >= REQUESTS, crowd.asked)
    tap.check(f"and {UPGRADES} upgrades", upgrades >= UPGRADES, upgrades)
    tap.check_none("no request saw an error", crowd.errors)


def main():
    with stage.Stage(0) as here:
        program = f"{here.folder}/agentd"
        shutil.copy(os.environ["AGENTD"], program)
        here.add_nodes(1, program=program)
        node = here.nodes[0]
        asyncio.run(run(node, program))
        alive = node.alive() and not node.own_deaths()
        tap.check("the master is the same process all the time, and nothing crashed", alive, node.own_deaths())
        left = processes.wait_until(lambda: len(node.children()) == 3, 40)
        tap.check("one generation is left", left, node.status())


if __name__ == "__main__":
    sys.exit(stage.run(main))
