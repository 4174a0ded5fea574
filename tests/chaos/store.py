"""store.py - a Redis of the test's own on a unix socket, that may be flushed, stopped, killed and started again.

It writes nothing to disk: what is killed comes back with nothing.
"""

import os
import shutil
import signal
import socket

import processes

START_S = 30
PORT = 6379


class Store:
    """With a host it listens there too; prefix: words before the command, which bring it there."""

    def __init__(self, folder, host="", prefix=()):
        self.folder, self.path, self.process = folder, f"{folder}/socket", None
        self.host, self.prefix = host, list(prefix)
        # Debian's server is one program under several names; the package redis-tools has it.
        self.program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        if not self.program:
            raise SystemExit("no redis-server in PATH; install it (Debian: redis-tools)")
        os.mkdir(folder, 0o711)
        self.log = open(f"{folder}/log", "wb")

    @property
    def url(self):
        return f"redis://{self.host}:{PORT}" if self.host else f"unix://{self.path}"

    def start(self):
        """Until it answers."""
        network = ["--bind", self.host, "--port", str(PORT), "--protected-mode", "no"] if self.host else ["--port", "0"]
        arguments = [*network, "--unixsocket", self.path, "--unixsocketperm", "777", "--save", "", "--dir", self.folder]
        self.process = processes.start(
            [*self.prefix, "bash", "-c", 'exec -a redis-server "$@"', "bash", self.program, *arguments],
            "KILL",
            stdout=self.log,
            stderr=self.log,
        )
        if not processes.wait_until(lambda: self._answers(), START_S):
            raise SystemExit(f"Redis did not start; see {self.folder}/log")

    def _answers(self):
        try:
            return self.ask("PING").startswith("+PONG")
        except OSError:
            return False

    def ask(self, command):
        """The answer to one command as it comes over the wire."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.path)
            connection.sendall(f"{command}\r\nQUIT\r\n".encode())
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts).decode(errors="replace")

    def script_runs(self):
        """How many scripts it has run since it started."""
        found = [line for line in self.ask("INFO commandstats").splitlines() if line.startswith("cmdstat_eval")]
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in found)

    def stand_still(self):
        processes.send(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        processes.send(self.process.pid, signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process:
            processes.send(self.process.pid, signal.SIGCONT)
            processes.end(self.process, signal.SIGTERM, 10)
        self.log.close()
