#!/usr/bin/env python3
"""nodes.py - whole nodes die with all their processes while holders work; those that remain finish everything.

Three nodes on one database under the load of load.py, and a limit on how many tasks run at once, whose places dead
nodes must not keep. Each round kills two of them, one after the other; the third goes
on alone, then they come back, except in the last round. Then the ledger is held against the database.

AGENTD names the program; see stage.py for the rest.
"""

import random
import sys
import time

import client
import ledger
import load
import processes
import stage
import tap

ROUNDS = 8 if stage.FULL else 2
SHARE = 400  # completions between two events
LIMIT = {"kind": "concurrency", "key": "role", "match": load.ROLE, "value": 60}
STUCK_S = 15
STALL_S = 60


class Round:
    def __init__(self, around, book):
        self.nodes, self.cluster, self.ledger, self.longest = list(around.nodes), around.cluster, book, 0.0
        self.most = 0  # tasks that were seen to run at once
        random.shuffle(self.nodes)

    def work_on(self):
        """Until the next share is done."""
        due = self.ledger.completed + SHARE

        def is_done():
            self.most = max(self.most, self.cluster.value("SELECT count(*) FROM tasks WHERE status = 'processing'"))
            return self.ledger.completed >= due

        if not processes.wait_until(is_done, STALL_S, 0.1):
            raise SystemExit(
                f"the remaining nodes stand still with {due - self.ledger.completed} of {SHARE} tasks left"
            )

    def kill_two(self):
        for victim in self.nodes[:2]:
            self.work_on()
            victim.kill_all()
            begun = time.monotonic()
            alive = [node for node in self.nodes if node.alive()]
            if not self.ledger.await_writes(alive, begun, STALL_S):
                self.ledger.violation(f"{STALL_S} s after a node died the others had not written")
            self.longest = max(self.longest, time.monotonic() - begun)
        return begun

    def bring_back(self):
        for node in self.nodes[:2]:
            node.start()
        for node in self.nodes[:2]:
            node.wait_ready()


def test():
    book, longest, most = ledger.Ledger(), 0.0, 0
    with stage.Stage(3) as around:
        work = load.Load(around.nodes, book)
        # Before the first lease: a limit that is made later counts what runs, but ends none of it.
        owner = client.Client(around.nodes, work.token)
        tap.check("the limit is set", owner.ask("PUT", "/limits/nodes", LIMIT)[0] == 201)
        owner.close()
        with work:
            for number in range(1, ROUNDS + 1):
                this = Round(around, book)
                if number == ROUNDS:
                    processes.wait_until(lambda: book.refused, STALL_S)
                last = this.kill_two()
                longest = max(longest, this.longest)
                if number < ROUNDS:
                    this.work_on()
                    this.bring_back()
                most = max(most, this.most)
            work.stop_creating()
            processes.wait_until(lambda: not ledger.unfinished(around.cluster), last + STUCK_S - time.monotonic(), 0.2)
            waited, stuck = time.monotonic() - last, ledger.show_unfinished(around.cluster)
            work.stop()
            tap.note(
                f"{2 * ROUNDS} nodes killed, {book.made} creates, {len(book.leased)} leases, "
                f"{book.completed} completions acknowledged, {len(book.refused)} settlements refused; longest recovery "
                f"of the others {longest:.2f} s, at most {most} tasks at once, everything at its end "
                f"{waited:.1f} s after the last event"
            )
            tap.check("no more tasks ran at once than the limit lets", 0 < most <= LIMIT["value"], most)
            tap.check("one node is left", sum(node.alive() for node in around.nodes) == 1)
            tap.check("settlements came too late and were refused", book.refused)
            tap.check_none(f"nothing is stuck {STUCK_S} s after the last event", stuck)
            empty = processes.wait_until(lambda: around.cluster.query("SELECT count(*) FROM task_slots") == [["0"]], STUCK_S, 0.2)
            tap.check("no place in the limit is held by what has ended", empty)
            ledger.compare(book, around.cluster)
            around.stop_nodes()


if __name__ == "__main__":
    sys.exit(stage.run(test))
