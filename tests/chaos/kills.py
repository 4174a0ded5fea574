#!/usr/bin/env python3
"""kills.py - nothing acknowledged is lost, doubled or stuck while processes are killed and commits lose their answers.

Three nodes on one database under the load of load.py. Workers, keepers, database backends and the postmaster are ended
with SIGKILL, and connections are cut between COMMIT and its answer, each when the next share of the work is done, so
that all of it happens under load whatever the machine's speed. Then the ledger is held against the database.

AGENTD names the program; see stage.py for the rest.
"""

import random
import sys
import time

import ledger
import load
import processes
import stage
import tap

VOLUME = 202_000 if stage.FULL else 3_000
KILLS = (
    {"worker": 18, "keeper": 6, "backend": 16, "postmaster": 10}
    if stage.FULL
    else {"worker": 2, "keeper": 1, "backend": 2, "postmaster": 1}
)
CUTS = (
    {"create": 6, "lease": 6, "settle": 6, "workflow": 4}
    if stage.FULL
    else {"create": 1, "lease": 1, "settle": 1, "workflow": 1}
)
STUCK_S = 15
STALL_S = 60


class Killer:
    def __init__(self, around, book):
        self.stage, self.ledger, self.done, self.longest = around, book, {}, (0, "nothing")

    def plan(self):
        events = [("kill", what) for what, number in KILLS.items() for _ in range(number)]
        events += [("cut", what) for what, number in CUTS.items() for _ in range(number)]
        random.shuffle(events)
        return events

    def strike(self, event):
        """Until it has happened; False if there was no such moment."""
        how, what = event
        if how == "cut":
            return self.stage.proxy.cut(what, STALL_S)
        if what == "postmaster":
            return self.stage.cluster.kill_postmaster()
        kill = (
            self.stage.cluster.kill_backend
            if what == "backend"
            else lambda: random.choice(self.stage.nodes).kill_child(what)
        )
        return processes.wait_until(kill, STALL_S)

    def recover(self, event, begun):
        """Until every node has acknowledged a write that was asked for after the event."""
        struck = time.monotonic()
        if not self.ledger.await_writes(self.stage.nodes, struck, STALL_S):
            self.ledger.violation(f"no node may be silent, yet {STALL_S} s after {event} not every one had written")
        self.longest = max(self.longest, (time.monotonic() - begun, " ".join(event)))

    def await_share(self, due):
        """Until so much is done that the next event is due; the last one also waits for a stale epoch."""

        def is_due():
            return self.ledger.completed >= due and (due < VOLUME or self.ledger.refused)

        if not processes.wait_until(is_due, 10 * STALL_S):
            done, refused = self.ledger.completed, len(self.ledger.refused)
            raise SystemExit(f"{done} completions and {refused} refusals when {due} completions were due")

    def run(self):
        """When the last event was."""
        events = self.plan()
        for number, event in enumerate(events, 1):
            self.await_share(VOLUME * number // len(events))
            begun = time.monotonic()
            if not self.strike(event):
                raise SystemExit(f"there was no moment for {event} in {STALL_S} s")
            self.done[event] = self.done.get(event, 0) + 1
            if number < len(events):
                self.recover(event, begun)
        return time.monotonic()

    def count(self, how):
        return sum(number for event, number in self.done.items() if event[0] == how)


def test():
    book = ledger.Ledger()
    with stage.Stage(3, with_proxy=True) as around:
        killer, begun = Killer(around, book), time.monotonic()
        with load.Load(around.nodes, book) as work:
            last = killer.run()
            work.stop_creating()
            processes.wait_until(lambda: not ledger.unfinished(around.cluster), last + STUCK_S - time.monotonic(), 0.2)
            waited, stuck = time.monotonic() - last, ledger.show_unfinished(around.cluster)
        tap.note(
            f"{killer.count('kill')} kills, {killer.count('cut')} cuts, {book.made} creates, "
            f"{len(book.leased)} leases, {book.completed} completions acknowledged in {time.monotonic() - begun:.0f} s"
        )
        tap.note(
            f"{len(book.refused)} settlements refused; longest recovery {killer.longest[0]:.2f} s after "
            f"{killer.longest[1]}, everything at its end {waited:.1f} s after the last event"
        )
        tap.check(
            "all kills and cuts happened",
            killer.done
            == {
                **{("kill", what): number for what, number in KILLS.items()},
                **{("cut", what): number for what, number in CUTS.items()},
            },
            killer.done,
        )
        tap.check(
            f"at least {VOLUME * 99 // 100} creates, leases and completions",
            min(book.made, len(book.leased), book.completed) >= VOLUME * 99 // 100,
        )
        tap.check("settlements came too late and were refused", book.refused)
        tap.check_none(f"nothing is stuck {STUCK_S} s after the last event", stuck)
        unanswered = ledger.compare(book, around.cluster)
        tap.check("leases that were cut had been committed", unanswered.leases >= CUTS["lease"], unanswered)
        tap.check(
            "every node has its processes again",
            processes.wait_until(lambda: all(len(node.children()) == 3 for node in around.nodes), STUCK_S),
        )
        around.stop_nodes()


if __name__ == "__main__":
    sys.exit(stage.run(test))
