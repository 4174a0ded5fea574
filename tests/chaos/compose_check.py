#!/usr/bin/env python3
"""compose_check.py - docker-compose.yml for real: built, started, used by agentctl, a node killed under load, taken down.

Needs a Docker engine that this user may use, and Compose; without an engine it is skipped. AGENTD_BASE_IMAGE and the
variables of docker-compose.yml (POSTGRES_IMAGE and so on) name other images, AGENTD_BUILD_OPTIONS more options for
`docker build`. AGENTCTL names the client. Nothing stays but the layers of the build.
"""

import contextlib
import http.client
import json
import os
import pathlib
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import balanced
import client
import ledger
import load
import node
import processes
import stage
import tap

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROJECT = f"agentd-check-{os.getpid()}"
IMAGE = f"agentd:check-{os.getpid()}"
LARGEST = 64 << 20  # bytes of the image
BUILD_S, START_S, STOP_S = 900, 300, 120
SHARE = 300
USER = "65532"


def run(*command, seconds=60, check=True, **options):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL, **options
    )
    if check and done.returncode:
        raise SystemExit(f"{shlex.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout.strip()


def inspect(thing, form):
    return json.loads(run("docker", "inspect", "--format", f"{{{{json {form}}}}}", thing))


def find_compose():
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        print("1..0 # SKIP no Docker engine that this user may use (`docker info` fails)")
        sys.exit(0)
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise SystemExit("there is a Docker engine but no Compose; install it (Debian: docker-compose)")


class Stack:
    """The project while it runs; to ledger.py it is the database."""

    def __init__(self, compose, folder):
        self.folder = folder
        self.command = [*compose, "-p", PROJECT, "-f", str(SOURCE / "docker-compose.yml")]
        secrets = f"{folder}/secrets"
        os.mkdir(secrets)
        pathlib.Path(f"{secrets}/admin_password").write_text(node.PASSWORD, encoding="ascii")
        os.chmod(f"{secrets}/admin_password", 0o444)
        run(str(SOURCE / "contrib/compose/make-secrets"), secrets)
        self.environment = dict(
            os.environ,
            AGENTD_IMAGE=IMAGE,
            AGENTD_SECRETS=secrets,
            AGENTD_LISTEN="127.0.0.1:",
            PROMETHEUS_LISTEN="127.0.0.1:",
            AGENTD_NETWORK="10.207.77",
            AGENTD_RATE_LIMIT="1000000000",
            AGENTD_OPEN_FILES=str(min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1] % (1 << 31))),
        )

    def compose(self, *arguments, seconds=60, check=True):
        return run(*self.command, *arguments, seconds=seconds, check=check, env=self.environment, cwd=SOURCE)

    def up(self):
        self.compose("up", "-d", "--no-build", seconds=START_S)

    def down(self):
        self.compose("down", "-v", "--remove-orphans", seconds=STOP_S, check=False)

    def container(self, service):
        return self.compose("ps", "-q", service)

    def health(self, service):
        return inspect(self.container(service), ".State.Health.Status")

    def port(self, service, port):
        return int(self.compose("port", service, str(port)).rsplit(":", 1)[1])

    def tell_logs(self):
        for line in self.compose("logs", "--no-color", "--tail", "15", check=False).splitlines():
            tap.note(line)

    def query(self, sql):
        where = ["exec", "-T", "postgres", "psql", "-XAtq", "-h", "/var/run/postgresql", "-U", "postgres", "-d", "agentd"]
        found = self.compose(*where, "-v", "ON_ERROR_STOP=1", "-c", f"COPY ({sql}) TO STDOUT", seconds=120)
        return [[None if field == "\\N" else field for field in line.split("\t")] for line in found.splitlines()]

    def value(self, sql):
        return int(self.query(sql)[0][0])


def build():
    options = shlex.split(os.environ.get("AGENTD_BUILD_OPTIONS", ""))
    if base := os.environ.get("AGENTD_BASE_IMAGE"):
        options += ["--build-arg", f"BASE={base}"]
    begun = time.monotonic()
    run("docker", "build", *options, "--build-arg", "REVISION=check", "-t", IMAGE, str(SOURCE), seconds=BUILD_S)
    tap.note(f"the image was built in {time.monotonic() - begun:.0f} s")


def look_at_image():
    settings = inspect(IMAGE, ".Config")
    size = inspect(IMAGE, ".Size")
    labels = settings.get("Labels") or {}
    tap.note(f"the image has {size / 1e6:.1f} MB")
    tap.check("the image is small", size < LARGEST, size)
    tap.check("its user is a number, and not root", settings["User"].split(":")[0] == USER, settings["User"])
    tap.check("its health is asked by agentctl", "/usr/bin/agentctl" in settings["Healthcheck"]["Test"], settings)
    wanted = [f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses", "version", "revision")]
    tap.check("it has the labels of the OCI", all(labels.get(name) for name in wanted), labels)
    tap.check("agentd says its version", run("docker", "run", "--rm", IMAGE, "--version").startswith("agentd "))
    shell = ["docker", "run", "--rm", "--entrypoint", "/bin/sh", IMAGE, "-c", "true"]
    tap.check("it has no shell", subprocess.run(shell, capture_output=True, check=False).returncode != 0)


def look_at_containers(stack):
    secrets = [path.read_text(encoding="ascii") for path in pathlib.Path(f"{stack.folder}/secrets").iterdir()]
    states = {name: stack.health(name) for name in ("postgres", "redis", "agentd1", "agentd2", "nginx")}
    tap.check("every service with a check is healthy", set(states.values()) == {"healthy"}, states)
    migrated = stack.compose("ps", "-aq", "migrate") if "docker" == stack.command[0] else stack.container("migrate")
    tap.check("the migration job ended well", inspect(migrated, ".State.ExitCode") == 0)
    for name in ("agentd1", "agentd2"):
        container = stack.container(name)
        users = [line.split()[1] for line in run("docker", "top", container, "-eo", "pid,uid").splitlines()[1:]]
        tap.check(f"every process of {name} is of the user of the image", users and set(users) == {USER}, users)
        tap.check(f"the root of {name} is read-only", inspect(container, ".HostConfig.ReadonlyRootfs"))
        tap.check(f"{name} has no capability", inspect(container, ".HostConfig.CapDrop") == ["ALL"])
        shown = json.dumps(inspect(container, "."))
        tap.check(f"docker inspect shows no secret of {name}", not any(secret in shown for secret in secrets))


def agentctl(folder, front, *arguments):
    environment = dict(
        os.environ, AGENTCTL_SERVER=f"http://127.0.0.1:{front.port}", AGENTCTL_CONFIG=f"{folder}/agentctl.json"
    )
    return run(os.environ["AGENTCTL"], *arguments, env=environment)


def use_by_agentctl(stack, front):
    agentctl(
        stack.folder, front, "login", "--username", "admin", "--password-file", f"{stack.folder}/secrets/admin_password"
    )
    me = json.loads(agentctl(stack.folder, front, "whoami", "-o", "json"))
    tap.check("agentctl logs in through nginx", me["role"] == "admin", me)
    made = json.loads(agentctl(stack.folder, front, "api", "POST", "/messages", "--data", f"{stack.folder}/message.json"))
    tap.check("agentctl writes through nginx", made["from_agent_id"] == "a", made)
    nodes = stack.value("SELECT count(*) FROM nodes")
    tap.check("the nodes know each other", nodes == 2, nodes)


def kill_under_load(stack, front):
    book, tally = ledger.Ledger(), balanced.Tally()
    container = stack.container("agentd1")
    with load.Load(
        [front], book, creators=2, agents=4, make_client=lambda *arguments: balanced.Counted(tally, *arguments)
    ) as work:
        wait_for_share(book)
        # By the pid, as a crash would be: what Docker itself was told to kill it does not restart.
        os.kill(inspect(container, ".State.Pid"), signal.SIGKILL)
        wait_for_share(book)
        back = processes.wait_until(
            lambda: inspect(container, ".RestartCount") > 0 and stack.health("agentd1") == "healthy", START_S, 0.5
        )
        tap.check("the killed node is started again and becomes healthy", back)
        wait_for_share(book)
        mark = len(tally.failed)
        stack.compose("stop", "agentd2", seconds=STOP_S)
        stopped = stack.compose("ps", "-aq", "agentd2") if "docker" == stack.command[0] else stack.container("agentd2")
        tap.check("a node that is stopped ends well", inspect(stopped, ".State.ExitCode") == 0)
        tap.check_none("no request fails while a node is stopped", [text for _, text in tally.since(mark)])
        stack.compose("start", "agentd2", seconds=START_S)
        wait_for_share(book)
        work.stop_creating()
        processes.wait_until(lambda: not ledger.unfinished(stack), balanced.STALL_S, 0.5)
        work.stop()
        failed = [text for repeatable, text in tally.failed if repeatable]
        tap.note(f"{tally.asked} requests, {len(tally.failed)} failed, {book.completed} completions")
        tap.check_none("no request that may be repeated has failed", failed)
        ledger.compare(book, stack)


def wait_for_share(book):
    due = book.completed + SHARE
    if not processes.wait_until(lambda: book.completed >= due, balanced.STALL_S, 0.05):
        raise SystemExit("the load stands still")


def look_at_prometheus(stack):
    port = stack.port("prometheus", 9090)

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/api/v1/targets?state=active")
            found = json.loads(connection.getresponse().read())["data"]["activeTargets"]
            return {target["labels"]["instance"]: target["health"] for target in found}
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return {}
        finally:
            connection.close()

    def both_up():
        found = ask()
        return [found.get(f"agentd{number}:8000") for number in (1, 2)] == ["up", "up"]

    tap.check("Prometheus reads the metrics of both nodes", processes.wait_until(both_up, 90, 0.5), str(ask()))


def test():
    compose = find_compose()
    with contextlib.ExitStack() as cleanup:
        folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="agentd-compose.", dir="/tmp"))
        pathlib.Path(f"{folder}/message.json").write_text(
            '{"from_agent_id": "a", "to_agent_id": "b", "message_type": "note", "content": {}}', encoding="ascii"
        )
        stack = Stack(compose, folder)
        everything = stack.compose("--profile", "grafana", "config", "--services").split()
        tap.check("Grafana starts only when its profile is named", "grafana" in everything)
        build()
        cleanup.callback(run, "docker", "rmi", "-f", IMAGE, check=False)
        look_at_image()
        cleanup.callback(stack.down)
        begun = time.monotonic()
        try:
            stack.up()
            processes.wait_until(lambda: stack.health("nginx") == "healthy", START_S, 0.5)
            tap.note(f"everything was healthy after {time.monotonic() - begun:.0f} s")
            look_at_containers(stack)
            front = client.Place("127.0.0.1", stack.port("nginx", 8080))
            use_by_agentctl(stack, front)
            kill_under_load(stack, front)
            look_at_prometheus(stack)
        finally:
            if tap.failed or sys.exc_info()[0]:
                stack.tell_logs()
        stack.down()
        left = run("docker", "ps", "-aq", "--filter", f"name={PROJECT}") + run(
            "docker", "volume", "ls", "-q", "--filter", f"name={PROJECT}"
        )
        tap.check("nothing is left when it was taken down", not left, left)


if __name__ == "__main__":
    sys.exit(stage.run(test))
