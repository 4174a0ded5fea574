"""node.py - one agentd on loopback, whose processes may be killed one by one or all at once."""

import json
import os
import random
import re
import signal
import subprocess

import processes

START_S = 60
PASSWORD = "only-for-this-test-4711"
SECRET = "a-secret-of-these-tests-that-all-nodes-share"


class Node:
    """
    prefix: words before the command, which bring it to the place where it can listen on host; program: what is run
    instead of AGENTD's.
    """

    def __init__(self, number, folder, database_url, host="127.0.0.1", prefix=(), program=None, **settings):
        self.number, self.folder, self.process, self.port = number, folder, None, None
        self.program = program or os.environ["AGENTD"]
        self.host, self.prefix = host, list(prefix)
        os.mkdir(folder, 0o755)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD")}
        self.environment.update(
            AGENTD_ENV="testing",
            AGENTD_HOST=host,
            AGENTD_PORT="0",
            AGENTD_WORKERS="2",
            AGENTD_STATE_DIR=f"{folder}/state",
            AGENTD_DATABASE_URL=database_url,
            AGENTD_SECRET=SECRET,
            AGENTD_ADMIN_PASSWORD=PASSWORD,
            AGENTD_RATE_LIMIT="1000000000",
            AGENTD_LOG_LEVEL="error",
            AGENTD_METRICS="off",
        )
        if os.geteuid() == 0:
            self.environment["AGENTD_USER"] = "nobody"
        self.environment.update(settings)
        self.log = open(f"{folder}/log", "wb")

    def start(self):
        """Starts it; wait_ready() says when it serves."""
        if os.path.exists(f"{self.folder}/state/url"):
            os.unlink(f"{self.folder}/state/url")
        self.process = processes.start(
            [*self.prefix, self.program], "TERM", env=self.environment, stderr=self.log, cwd=self.folder
        )

    def wait_ready(self):
        url = f"{self.folder}/state/url"
        processes.wait_until(lambda: os.path.exists(url) or self.process.poll() is not None, START_S)
        if not os.path.exists(url):
            with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as file:
                raise SystemExit(f"node {self.number} did not start: {file.read()[-2000:]}")
        with open(url, encoding="ascii") as file:
            self.port = int(file.read().strip().rsplit(":", 1)[1])

    def status(self):
        """What `agentd status` says of the processes."""
        asked = subprocess.run(
            [self.program, "status", "--json"], env=self.environment, cwd=self.folder, capture_output=True, check=False
        )
        return json.loads(asked.stdout) if asked.returncode == 0 else {"processes": [], "error": asked.stderr.decode()}

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def children(self, kind=""):
        """The processes of that kind: worker, keeper; all without one."""
        return [
            pid for pid in processes.children(self.process.pid) if processes.title(pid).startswith(f"agentd: {kind}")
        ]

    def kill_child(self, kind):
        victims = self.children(kind)
        return bool(victims) and processes.send(random.choice(victims), signal.SIGKILL)

    def kill_all(self):
        """The whole node at one blow: a stopped master starts nothing anew while its children die."""
        processes.send(self.process.pid, signal.SIGSTOP)
        for pid in [*processes.children(self.process.pid), self.process.pid]:
            processes.send(pid, signal.SIGKILL)
        self.process.wait()

    def end(self):
        """The exit status, and the processes that are left; None if it had to be killed or was not running."""
        if not self.alive():
            return None, []
        known = self.children()
        status = processes.end(self.process, signal.SIGTERM, 30)
        return status, [pid for pid in known if processes.title(pid).startswith("agentd: ")]

    def stop(self):
        """The same, for good."""
        found = self.end()
        self.log.close()
        return found

    def own_deaths(self):
        """What the log tells of processes that ended by anything but our SIGKILL."""
        with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as file:
            return [
                line.strip()
                for line in file
                if "ended unexpectedly" in line
                and not re.search(r'"how": ?"Killed"', line)
                or "INVARIANT" in line
                or "Sanitizer" in line
            ]
