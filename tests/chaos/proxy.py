#!/usr/bin/env python3
"""proxy.py - stands between agentd and PostgreSQL and cuts a connection between COMMIT and its answer.

The answer to a write has come from PostgreSQL, so it is committed; it is not passed on, and both sides are closed. Run
as a program (LISTEN-SOCKET TARGET-SOCKET) it takes `arm KIND` on standard input, cuts the next connection on which a
commit of that kind goes by, and says `cut KIND`. End of input ends it. Class Proxy runs that program.
"""

import os
import selectors
import signal
import socket
import subprocess
import sys
import threading

import processes
import wire

CHUNK = 1 << 18


class Side:
    """One socket of a pair, with what could not be sent yet."""

    def __init__(self, relay, sock, is_client):
        self.relay, self.sock, self.is_client, self.pair, self.unsent = relay, sock, is_client, None, bytearray()
        sock.setblocking(False)
        relay.selector.register(sock, selectors.EVENT_READ, self.on_event)

    def send(self, data):
        self.unsent += data
        self.flush()

    def flush(self):
        try:
            if self.unsent:
                del self.unsent[: self.sock.send(self.unsent)]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0)
        self.relay.selector.modify(self.sock, events, self.on_event)

    def on_event(self, events):
        try:
            if events & selectors.EVENT_WRITE:
                self.flush()
            if events & selectors.EVENT_READ:
                data = self.sock.recv(CHUNK)
                if not data:
                    raise ConnectionError
                self.pair.pass_on(self, data)
        except BlockingIOError:
            pass
        except OSError:
            self.pair.close()

    def close(self):
        self.relay.selector.unregister(self.sock)
        self.sock.close()


class Pair:
    def __init__(self, relay, client, server):
        self.relay, self.client, self.server, self.is_open = relay, client, server, True
        self.wire = wire.Connection()
        client.pair = server.pair = self

    def pass_on(self, side, data):
        if side.is_client:
            self.wire.from_client(data)
            self.server.send(data)
        elif any(self.relay.armed in commit for commit in self.wire.from_server(data)):
            self.close()
            self.relay.tell_cut()
        else:
            self.client.send(data)

    def close(self):
        if self.is_open:
            self.is_open = False
            self.client.close()
            self.server.close()


class Relay:
    def __init__(self, listen, target):
        self.target, self.armed, self.selector = target, None, selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(listen)
        os.chmod(listen, 0o777)  # agentd's workers run as another user when root tests
        self.listener.listen(128)
        self.selector.register(self.listener, selectors.EVENT_READ, self.on_connection)
        self.selector.register(sys.stdin.buffer, selectors.EVENT_READ, self.on_command)
        self.commands = bytearray()

    def on_connection(self, _):
        client, _ = self.listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.target)
        except OSError:
            client.close()
            server.close()
            return
        Pair(self, Side(self, client, True), Side(self, server, False))

    def on_command(self, _):
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            sys.exit(0)
        self.commands += data
        while b"\n" in self.commands:
            line, self.commands = self.commands.split(b"\n", 1)
            self.armed = line.decode().split()[1]

    def tell_cut(self):
        print(f"cut {self.armed}", flush=True)
        self.armed = None

    def run(self):
        while True:
            for key, events in self.selector.select():
                # A socket that an earlier event of this round closed has no events any more.
                if key.fileobj.fileno() >= 0:
                    key.data(events)


class Proxy:
    """The program, run beside the test; url is what agentd is given instead of the cluster's."""

    def __init__(self, folder, cluster):
        os.mkdir(folder, 0o755)
        self.url = f"host={folder} user=agentd dbname=postgres"
        self.cuts, self.news = [], threading.Condition()
        listen = f"{folder}/.s.PGSQL.5432"
        self.process = processes.start(
            [sys.executable, os.path.abspath(__file__), listen, f"{cluster.folder}/.s.PGSQL.5432"],
            "KILL",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        if not processes.wait_until(lambda: os.path.exists(listen) or self.process.poll() is not None, 20):
            raise SystemExit("the proxy did not start")

    def _listen(self):
        for line in self.process.stdout:
            with self.news:
                self.cuts.append(line.split()[1])
                self.news.notify_all()

    def cut(self, kind, seconds):
        """Cuts at the next commit of that kind. False: none went by in that time."""
        with self.news:
            before = len(self.cuts)
            self.process.stdin.write(f"arm {kind}\n")
            self.process.stdin.flush()
            return self.news.wait_for(lambda: len(self.cuts) > before, seconds)

    def stop(self):
        self.process.stdin.close()
        processes.end(self.process, signal.SIGTERM, 5)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Relay(*sys.argv[1:]).run()
