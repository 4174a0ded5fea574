"""stage.py - what a chaos test needs around it: a folder, a cluster, perhaps the proxy, nodes; and an end to all of it.

CHAOS=full asks for the long form. CHAOS_SEED repeats a run's random choices. CHAOS_KEEP=1 leaves the folder with the
logs.
"""

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile

import cluster
import node
import proxy
import tap

FULL = os.environ.get("CHAOS") == "full"
LOG_TAIL = 1500
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Stage:
    def __init__(self, nodes, with_proxy=False, **settings):
        # A socket's path has at most 107 bytes, so TMPDIR is not asked.
        self.folder = tempfile.mkdtemp(prefix="agentd-chaos.", dir="/tmp")
        self.cluster = self.proxy = None
        self.nodes = []
        self.cleanup = contextlib.ExitStack()
        try:
            self._build(nodes, with_proxy, settings)
        except BaseException:
            self.close(True)
            raise

    def _build(self, nodes, with_proxy, settings):
        if os.environ.get("CHAOS_KEEP"):
            tap.note(f"the folder is {self.folder}")
        else:
            self.cleanup.callback(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        self.build_around(with_proxy)
        self.add_nodes(nodes, **settings)

    def build_around(self, with_proxy):
        """What nodes need; sets cluster and database_url."""
        self.cluster = cluster.Cluster(f"{self.folder}/cluster")
        self.cleanup.callback(self.cluster.stop)
        url = self.cluster.url
        if with_proxy:
            self.proxy = proxy.Proxy(f"{self.folder}/proxy", self.cluster)
            self.cleanup.callback(self.proxy.stop)
            url = self.proxy.url
        self.database_url = url

    def make_node(self, number, **settings):
        return node.Node(number, f"{self.folder}/node{number}", self.database_url, **settings)

    def add_nodes(self, count, **settings):
        """Starts so many more, until they serve."""
        first = len(self.nodes)
        for number in range(first + 1, first + count + 1):
            self.nodes.append(self.make_node(number, **settings))
        for one in self.nodes[first:]:
            self.cleanup.callback(one.stop)
            one.start()
        for one in self.nodes[first:]:
            one.wait_ready()

    def stop_nodes(self):
        """The regular end, which is a part of the proof."""
        for one in self.nodes:
            running = one.alive()
            status, left = one.stop()
            if running:
                tap.check(
                    f"node {one.number} stops cleanly and leaves no process", status == 0 and not left, (status, left)
                )
        tap.check_none(
            "no process ended but by SIGKILL from here", [line for one in self.nodes for line in one.own_deaths()]
        )

    def _tell_logs(self):
        for path in [f"{one.folder}/log" for one in self.nodes] + [f"{self.folder}/cluster/log"]:
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    for line in file.read()[-LOG_TAIL:].splitlines():
                        tap.note(f"{os.path.relpath(path, self.folder)}: {line}")

    def close(self, in_trouble):
        if tap.failed or in_trouble:
            self._tell_logs()
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # the end comes anyway
        self.cleanup.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(kind is not None)


def run(test):
    """Runs the test as a program: its exit status. SIGTERM and the like end it in order."""
    for number in ENDING:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    tap.note(f"CHAOS_SEED={seed}, {'full' if FULL else 'short'} form")
    test()
    return tap.end()
