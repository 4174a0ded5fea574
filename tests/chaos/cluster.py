"""cluster.py - a PostgreSQL of the test's own, that may be killed and comes up again with all that it had committed.

It listens on a unix socket, and on an address only if it is given one. fsync is off: a killed process loses nothing that the kernel has, and these tests
never take the machine's power.
"""

import glob
import os
import pwd
import random
import shutil
import signal
import subprocess

import processes

START_S = 60
NOT_CONNECTED = 2  # psql's exit status


def find_programs():
    """The folder of initdb and postgres: the newest that is installed."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: -float(path.split("/")[4]))
    for folder in [*folders, os.path.dirname(shutil.which("initdb") or "")]:
        if all(os.access(f"{folder}/{name}", os.X_OK) for name in ("initdb", "postgres", "psql")):
            return folder
    raise SystemExit("no PostgreSQL under /usr/lib/postgresql/*/bin nor in PATH; install it (Debian: postgresql)")


def owner():
    """PostgreSQL does not run as root: Popen's options for another user, if need be."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Cluster:
    """host: an address whose whole network it trusts; prefix: words before the command, which bring it there."""

    def __init__(self, folder, host="", prefix=()):
        self.bin, self.folder, self.owner, self.process = find_programs(), folder, owner(), None
        self.host, self.prefix = host, list(prefix)
        os.mkdir(folder, 0o711)
        if self.owner:
            os.chown(folder, self.owner["user"], self.owner["group"])
        if self.prefix and self.owner:
            # Where these words lead only root can go, so the user changes behind them.
            ids = (f"--reuid={self.owner['user']}", f"--regid={self.owner['group']}")
            self.prefix, self.owner = [*self.prefix, "setpriv", *ids, "--clear-groups", "--pdeathsig", "QUIT"], {}
        self.log = open(f"{folder}/log", "wb")
        self.make()
        self.start()
        self.prepare()

    def make(self):
        """The data."""
        self._run(
            "initdb",
            "--no-sync",
            "--no-instructions",
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-D",
            f"{self.folder}/data",
        )
        if self.host:
            with open(f"{self.folder}/data/pg_hba.conf", "a", encoding="ascii") as file:
                file.write("host all all samenet trust\nhost replication all samenet trust\n")

    def prepare(self):
        # As in production: no superuser, so that row level security holds.
        self.order("CREATE ROLE agentd LOGIN", "ALTER DATABASE postgres OWNER TO agentd")

    def _options(self):
        return {"cwd": self.folder, "stdout": self.log, "stderr": self.log, **self.owner}

    def _run(self, name, *arguments):
        command = [*self.prefix, f"{self.bin}/{name}", *arguments]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=START_S, **self._options())

    def order(self, *statements):
        """As the superuser."""
        where = ("-Xqh", self.folder, "-U", "postgres", "-d", "postgres", "-v", "ON_ERROR_STOP=1")
        self._run("psql", *where, *(f"-c{sql}" for sql in statements))

    @property
    def url(self):
        return f"host={self.folder} user=agentd dbname=postgres"

    def start(self):
        """Until it is ready; after a kill the first attempts fail as long as old backends hold the shared memory."""

        def attempt():
            if self.process is None or self.process.poll() is not None:
                self.process = processes.start(
                    [
                        *self.prefix,
                        f"{self.bin}/postgres",
                        "-D",
                        f"{self.folder}/data",
                        "-k",
                        self.folder,
                        "-c",
                        f"listen_addresses={self.host}",
                        "-c",
                        "max_connections=200",
                        "-c",
                        "fsync=off",
                    ],
                    "QUIT",
                    **self._options(),
                )
            return (
                subprocess.run(
                    [f"{self.bin}/pg_isready", "-q", "-h", self.folder, "-U", "postgres", "-d", "postgres"],
                    check=False,
                    timeout=START_S,
                ).returncode
                == 0
            )

        if not processes.wait_until(attempt, START_S, 0.1):
            raise SystemExit(f"PostgreSQL did not start; see {self.folder}/log")

    def backends(self):
        """The processes that serve agentd's connections."""
        return [pid for pid in processes.children(self.process.pid) if " agentd " in processes.title(pid)]

    def kill_backend(self):
        """PostgreSQL then ends all the others and starts anew. Until these are gone; False: there was none."""
        backends = self.backends()
        if not backends or not processes.send(random.choice(backends), signal.SIGKILL):
            return False
        return processes.wait_until(lambda: not any(processes.title(pid) for pid in backends), START_S, 0.005)

    def kill_postmaster(self):
        """Kills the first process and makes the cluster start again, which recovers from the log."""
        self.process.kill()
        self.process.wait()
        self.start()
        return True

    def query(self, sql, user="agentd"):
        """The rows of a SELECT as lists of texts; NULL is None. The values may hold no tab, newline or backslash.

        Asked again while the cluster recovers from a kill.
        """
        command = [
            f"{self.bin}/psql",
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.folder,
            "-U",
            user,
            "-d",
            "postgres",
            "-c",
            f"COPY ({sql}) TO STDOUT",
        ]

        def attempt():
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
            )
            return done if done.returncode != NOT_CONNECTED else None

        done = processes.wait_until(attempt, START_S, 0.1)
        if not done or done.returncode:
            raise SystemExit(f"the query failed: {done.stderr if done else 'no connection'}\n{sql}")
        return [[None if field == "\\N" else field for field in line.split("\t")] for line in done.stdout.splitlines()]

    def run(self, sql):
        """A statement of the superuser."""
        self._run("psql", "-Xqh", self.folder, "-U", "postgres", "-d", "postgres", f"-c{sql}")

    def value(self, sql):
        return int(self.query(sql)[0][0])

    def stop(self):
        # Immediate shutdown: nothing of it is wanted any more.
        if self.process:
            processes.end(self.process, signal.SIGQUIT, 30)
        self.log.close()
