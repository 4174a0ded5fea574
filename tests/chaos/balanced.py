#!/usr/bin/env python3
"""balanced.py - three nodes behind HAProxy and nginx lose what they stand on, and each other, under load.

Each node, balancer and database is on a host of its own (network.py). The load of load.py goes through both balancers
over connections that are kept. All nodes are restarted one after the other: no request may fail. A node is killed, and
in the long form its network cut: only what must not be done twice may fail. Redis dies: nothing may fail. PostgreSQL's
primary dies, or its network is cut: its synchronous standby takes over, and the nodes find it. Then the ledger is held
against the standby. AGENTD names the program; see stage.py for the rest.
"""

import http.client
import re
import sys
import threading
import time

import balancer
import client
import cluster
import ledger
import load
import network
import node
import processes
import stage
import standby
import store
import tap

WANTED = {"haproxy": "haproxy", "nginx": "nginx-light"}
NODES = 3
ROLLS = 5 if stage.FULL else 1
SHARE = 400 if stage.FULL else 100
STALL_S = 60
AWAY = ["database_unavailable", "unavailable", "identity_unavailable", "unreachable"]
SAID_S = 15
TAKE_OVER_S = 30  # after a cut: a statement's time, and that of an attempt to connect, and pauses between
# What may be done twice: contrib/haproxy and contrib/nginx say the same in their ways.
FENCED = re.compile(r"/tasks/([^/]+/)?(lease|settle|heartbeat|complete|fail|release)$")


class Tally:
    """What became of each request."""

    def __init__(self):
        self.lock, self.asked, self.failed = threading.Lock(), 0, []

    def note(self, method, path, key, status, answer):
        with self.lock:
            self.asked += 1
            if not status or status >= 500:
                repeatable = method != "POST" or bool(key) or bool(FENCED.search(path))
                self.failed.append((repeatable, f"{method} {path} key={key}: {status} {answer}"))

    def since(self, mark):
        return self.failed[mark:]


class Counted(client.Client):
    def __init__(self, tally, *arguments):
        super().__init__(*arguments)
        self.tally = tally

    def ask(self, method, path, body=None, key=None):
        status, answer = super().ask(method, path, body, key)
        self.tally.note(method, path, key, status, answer if status else self.trouble)
        return status, answer


def is_ready(one):
    connection = http.client.HTTPConnection(one.host, one.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Site(stage.Stage):
    def host(self, number):
        made = network.Host(number)
        self.cleanup.callback(made.stop)
        return made

    def build_around(self, with_proxy):
        network.lay()
        self.database_hosts = [self.host(10), self.host(11)]
        first, second = self.database_hosts
        self.cluster = cluster.Cluster(f"{self.folder}/cluster", first.address, first.prefix)
        self.cleanup.callback(self.cluster.stop)
        self.standby = standby.Standby(f"{self.folder}/standby", self.cluster, second.address, second.prefix)
        self.cleanup.callback(self.standby.stop)
        hosts = ",".join(f"{host.address}:5432" for host in self.database_hosts)
        self.database_url = f"postgresql://agentd@{hosts}/postgres?target_session_attrs=read-write&connect_timeout=2"
        self.redis_host = self.host(20)
        self.redis = store.Store(f"{self.folder}/redis", self.redis_host.address, self.redis_host.prefix)
        self.cleanup.callback(self.redis.stop)
        self.redis.start()
        self.node_hosts = [self.host(101 + i) for i in range(NODES)]
        self.balancers = []
        for number, kind in enumerate(balancer.KINDS):
            addresses = [host.address for host in self.node_hosts]
            made = balancer.Balancer(kind, f"{self.folder}/{kind}", self.host(30 + number), addresses)
            self.cleanup.callback(made.stop)
            self.balancers.append(made)

    def make_node(self, number, **settings):
        host = self.node_hosts[number - 1]
        return node.Node(
            number,
            f"{self.folder}/node{number}",
            self.database_url,
            host=host.address,
            prefix=host.prefix,
            AGENTD_PORT="5000",
            AGENTD_TRUSTED_PROXIES=f"{network.NET}.0/24",
            AGENTD_CACHE_BACKEND="redis",
            AGENTD_REDIS_URL=self.redis.url,
            **settings,
        )


class Trial:
    """One run of load through everything that happens to the site."""

    def __init__(self, site, work, book, tally):
        self.site, self.work, self.book, self.tally = site, work, book, tally

    def work_on(self, share=SHARE):
        due = self.book.completed + share
        if not processes.wait_until(lambda: self.book.completed >= due, STALL_S, 0.02):
            raise SystemExit(f"the load stands still with {due - self.book.completed} of {share} tasks left")

    def await_service(self, since):
        """Until both balancers bring acknowledged writes again; how long it took."""
        if not self.book.await_writes(self.site.balancers, since, STALL_S):
            self.book.violation(f"nothing was written for {STALL_S} s")
        return time.monotonic() - since

    def await_use(self, one):
        """Until both balancers have seen that a node is back: the next may only go then (docs/operations/upgrade.md)."""
        host = self.site.node_hosts[one.number - 1]

        def is_used():
            return all(host.is_connected_to(around.host) for around in self.site.balancers)

        if not processes.wait_until(is_used, STALL_S):
            raise SystemExit(f"the balancers do not use node {one.number} again")

    def roll(self):
        """All nodes restart, one after the other."""
        mark, asked, begun, ends = len(self.tally.failed), self.tally.asked, time.monotonic(), []
        for _ in range(ROLLS):
            for one in self.site.nodes:
                self.work_on()
                ends.append(one.end())
                one.start()
                one.wait_ready()
                self.await_use(one)
        self.work_on()
        tap.note(
            f"{len(ends)} restarts in {time.monotonic() - begun:.1f} s, {self.tally.asked - asked} requests meanwhile"
        )
        tap.check("every node stops cleanly and leaves no process", all(end == (0, []) for end in ends), ends)
        tap.check_none("no request fails while all nodes restart", [text for _, text in self.tally.since(mark)])

    def lose_node(self, how, lose, give_back):
        mark, victim, begun = len(self.tally.failed), self.site.nodes[0], time.monotonic()
        lose(victim)
        took = self.await_service(begun)
        self.work_on()
        give_back(victim)
        self.work_on()
        failed = self.tally.since(mark)
        tap.note(f"{how}: writes through both balancers after {took:.2f} s, {len(failed)} requests failed")
        return failed

    def kill_node(self):
        def bring_back(victim):
            victim.start()
            victim.wait_ready()

        failed = self.lose_node("a node was killed", lambda victim: victim.kill_all(), bring_back)
        doubles = [text for repeatable, text in failed if repeatable]
        tap.check_none("a killed node fails no request that may be repeated", doubles)

    def cut_node(self):
        host = self.site.node_hosts[0]

        def mend(victim):
            host.mend()
            processes.wait_until(lambda: is_ready(victim), STALL_S)

        failed = self.lose_node("a node's network was cut", lambda _: host.cut(), mend)
        tap.check("a cut network fails no more than what was under way", len(failed) <= len(self.work.threads), failed)

    def lose_redis(self):
        mark = len(self.tally.failed)
        self.site.redis.kill()
        self.work_on()
        self.site.redis.start()
        self.work_on()
        if stage.FULL:
            self.site.redis_host.cut()
            self.work_on()
            self.site.redis_host.mend()
            self.work_on()
        tap.check_none("no request fails without Redis", [text for _, text in self.tally.since(mark)])

    def says_while_away(self, around, code):
        """What a client of that balancer is told while there is no primary; it says one thing first, and another later."""
        mine = client.Client([around], self.work.token)

        def attempt():
            answer = mine.ask("GET", "/agents")[1]
            return answer if answer and answer.get("code") in code else None

        answer = processes.wait_until(attempt, SAID_S, 0.05)
        mine.close()
        return answer

    def lose_primary(self):
        begun = time.monotonic()
        if stage.FULL:
            self.site.database_hosts[0].cut()
        else:
            self.site.cluster.process.kill()
        said = [self.says_while_away(one, AWAY) for one in self.site.balancers]
        tap.check("while there is no primary every client is told so as a problem document", all(said), said)
        if stage.FULL:
            said = [self.says_while_away(one, ["unreachable"]) for one in self.site.balancers]
            tap.check("so it is by balancers that have no node left", all(said), said)
        promoted = time.monotonic()
        self.site.standby.promote()
        after = self.await_service(promoted)
        took = time.monotonic() - begun
        tap.note(f"{took:.1f} s from the loss to a write through each balancer, {after:.1f} s of them since the promotion")
        tap.check(f"the standby serves within {TAKE_OVER_S} s", took <= TAKE_OVER_S, f"{took:.1f} s")
        self.work_on()

    def finish(self):
        self.work.stop_creating()
        around = self.site.standby
        processes.wait_until(lambda: not ledger.unfinished(around), STALL_S, 0.1)
        stuck = ledger.show_unfinished(around)
        self.work.stop()
        tap.check_none("nothing is stuck at the end", stuck)
        tap.note(
            f"{self.tally.asked} requests, {self.book.made} creates, {self.book.completed} completions acknowledged, "
            f"{len(self.tally.failed)} requests failed in all"
        )
        ledger.compare(self.book, around)


def test():
    book, tally = ledger.Ledger(), Tally()
    with Site(NODES, AGENTD_DRAIN_TIMEOUT_S="10") as site:
        for one in site.balancers:
            one.wait_ready()
        with load.Load(
            site.balancers, book, creators=2, agents=4, make_client=lambda *arguments: Counted(tally, *arguments)
        ) as work:
            trial = Trial(site, work, book, tally)
            trial.work_on()
            trial.roll()
            trial.kill_node()
            if stage.FULL:
                trial.cut_node()
            trial.lose_redis()
            trial.lose_primary()
            trial.finish()
        site.stop_nodes()


if __name__ == "__main__":
    network.enter(WANTED)
    sys.exit(stage.run(test))
