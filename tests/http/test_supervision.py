#!/usr/bin/env python3
"""test_supervision.py - what the master does for those it supervises: hangs, crashes, reload, upgrade, and the way back.

While all of it goes on, clients that keep their connections ask without end, and none of them may see an error. TAP on
standard output. Starts nodes of its own (embedded, testing). AGENTD names the program.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import own_node
from own_node import check, until


class Clients:
    """Threads that ask over connections that they keep; what went wrong is in troubles."""

    def __init__(self, node, count=4):
        self.node, self.asked, self.troubles, self.running = node, 0, [], True
        self.token = node.login()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self, connection, number):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if number % 3 == 0:
            connection.request("POST", "/api/v1/tasks", json.dumps({"role": "nobody", "input_data": {"n": number}}), headers)
        else:
            connection.request("GET", "/api/v1/auth/me" if number % 3 == 1 else "/readyz", headers=headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status not in (200, 201):
            self.troubles.append(f"status {answer.status} {said[:300]}")
        if answer.headers.get("Connection") == "close":
            connection.close()
        self.asked += 1

    def run(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=20)
        while self.running:
            number += 1
            try:
                self.ask(connection, number)
            except OSError as trouble:
                self.troubles.append(repr(trouble))
                connection.close()
            except http.client.HTTPException as trouble:
                self.troubles.append(repr(trouble))
                connection.close()
        connection.close()

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join()
        return self.troubles


def status_of(node):
    done = subprocess.run([os.environ["AGENTD"], "status", "--json"], env=node.environment, capture_output=True,
                          text=True, timeout=10, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"processes": [], "error": done.stderr}


def workers(node):
    return {process["name"]: process for process in status_of(node)["processes"] if process["state"] == "ready"}


def write_settings(node, **settings):
    with open(f"{node.folder}/env", "w", encoding="utf-8") as file:
        file.write("# settings of a test\n\n")
        for name, value in settings.items():
            file.write(f'AGENTD_{name}="{value}"\n')
    os.chmod(f"{node.folder}/env", 0o644)


def wait_generation(node, least):
    return until(lambda: status_of(node).get("generation", 0) >= least, 30)


def test_status(node):
    seen = status_of(node)
    names = sorted(process["name"] for process in seen["processes"])
    check("agentd status shows every process", names == ["keeper", "worker 0", "worker 1"], seen)
    check("and where the node is", seen.get("url") == node.url and seen.get("master") == node.process.pid, seen)
    text = subprocess.run([os.environ["AGENTD"], "status"], env=node.environment, capture_output=True, text=True,
                          timeout=10, check=False).stdout
    check("and as a table where there is no terminal", "worker 1" in text and "PROCESS" in text, text)
    nobody = subprocess.run([os.environ["AGENTD"], "status"], capture_output=True, text=True, timeout=10, check=False,
                            env={**node.environment, "AGENTD_STATE_DIR": f"{node.folder}/none"})
    check("where nobody runs it says so", nobody.returncode == 1 and "no agentd runs" in nobody.stderr, nobody)


def test_hang(node):
    victim = workers(node)["worker 0"]["pid"]
    began = time.monotonic()
    os.kill(victim, signal.SIGSTOP)
    back = until(lambda: workers(node).get("worker 0", {}).get("pid", victim) != victim, 15)
    took = time.monotonic() - began
    check(f"a worker that hangs is replaced within 6 s ({took:.1f} s)", back and took <= 6.0, took)
    seen = workers(node).get("worker 0", {})
    check("and it is counted and told", seen.get("hangs") == 1 and "hung" in seen.get("last_end", ""), seen)
    check("and in the log, with what it did", node.logged("a process hangs and is ended"))


def test_crash(node):
    victim = workers(node)["worker 1"]["pid"]
    os.kill(victim, signal.SIGSEGV)
    check("a crash is told", node.logged("process ended unexpectedly", 2))
    line = [line for line in node.lines() if line["message"] == "process ended unexpectedly"][-1]
    # A sanitizer catches the signal itself.
    sanitized = "asan" in subprocess.run(["ldd", os.environ["AGENTD"]], capture_output=True, text=True, check=False).stdout
    how = "exited" if sanitized else "Segmentation fault"
    check("with signal and name", line["how"] == how and line["name"] == "worker 1", line)
    check("and with the places on its stack", sanitized or "agentd+0x" in line["at"], line)
    back = until(lambda: workers(node).get("worker 1", {}).get("restarts") == 1, 10)
    check("and the worker is back", back, status_of(node))


def test_reload(node):
    write_settings(node, RATE_LIMIT="1000000", WORKERS="3", MAX_BODY_BYTES="2048", POSTGRES_BIN_DIR="/nowhere")
    node.process.send_signal(signal.SIGHUP)
    check("SIGHUP starts another generation", wait_generation(node, 2), status_of(node))
    check("with as many workers as the settings say now", until(lambda: len(workers(node)) == 4), status_of(node))
    status = node.ask("POST", "/api/v1/auth/login", {"username": "a" * 4000, "password": "b"})[0]
    check("and with their values", status == 413, status)
    check("what needs a restart is named", node.logged("settings that need a restart keep their values"))
    before = status_of(node)["generation"]
    write_settings(node, WORKERS="many")
    node.process.send_signal(signal.SIGHUP)
    told = node.logged("the new settings are wrong; everything stays as it was")
    check("wrong settings are refused", told and any("WORKERS" in line.get("error", "") for line in node.lines()))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        write_settings(node, METRICS="on", METRICS_PORT=taken.getsockname()[1], WORKERS="2")
        node.process.send_signal(signal.SIGHUP)
        told = node.logged("the new settings are of no use; everything stays as it was")
    check("an address that is taken is refused", told)
    after = status_of(node)
    check("and nothing has changed", after["generation"] == before and len(workers(node)) == 4, after)
    write_settings(node, WORKERS="2")
    node.process.send_signal(signal.SIGHUP)
    check("right ones follow", wait_generation(node, before + 1) and until(lambda: len(workers(node)) == 3), status_of(node))


def test_rotation(node):
    """A secret is changed by a reload, and nobody has to log in again."""
    token = node.login()
    with open(f"{node.folder}/state/secret", encoding="ascii") as file:
        before = file.read().strip()
    generation = status_of(node)["generation"]
    node.secrets = {"SECRET": os.urandom(24).hex(), "PREVIOUS_SECRET": before}
    write_settings(node, WORKERS="2", **node.secrets)
    node.process.send_signal(signal.SIGHUP)
    check("a reload takes another secret", wait_generation(node, generation + 1), node.log()[-2000:])
    status = node.ask("GET", "/api/v1/auth/me", Authorization=f"Bearer {token}")[0]
    check("tokens of before are still believed", status == 200, status)
    check("and new ones are given", node.login())


def replace_program(node, script=None):
    """The program file becomes another one, or a shell script that gets PROGRAM, as a package manager does it."""
    fresh = f"{node.program}.new"
    if script:
        with open(fresh, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script.replace("PROGRAM", os.environ["AGENTD"]))
        os.chmod(fresh, 0o755)
    else:
        shutil.copy(os.environ["AGENTD"], fresh)
    os.rename(fresh, node.program)


def test_upgrade(node):
    before = status_of(node)
    replace_program(node)
    node.process.send_signal(signal.SIGUSR2)
    check("SIGUSR2 becomes the program in the file", wait_generation(node, before["generation"] + 1), status_of(node))
    check("as the same process", status_of(node).get("master") == node.process.pid and node.process.poll() is None)
    running = os.readlink(f"/proc/{node.process.pid}/exe")
    check("which runs the new file", running == node.program, running)
    url = os.path.exists(f"{node.folder}/state/url")
    check("the state folder still says where it is", url)


def test_way_back(node):
    before = status_of(node)
    replace_program(node, 'echo "the new program: no" >&2; exit 3\n')
    node.process.send_signal(signal.SIGUSR2)
    check("a program that refuses is not taken", node.logged("the new program refuses; the old one goes on"))
    # The new program finds other settings than the one that was asked, and its workers do not start with them.
    replace_program(node, 'test "$2" = --resume || exit 0\n'
                    'printf "AGENTD_TLS_CERT_FILE=/no/cert\\nAGENTD_TLS_KEY_FILE=/no/key\\n" >> "$AGENTD_ENV_FILE"\n'
                    'exec PROGRAM "$@"\n')
    node.process.send_signal(signal.SIGUSR2)
    check("one whose workers do not start is left again", node.logged("the program before goes on"), node.log()[-3000:])
    seen = until(lambda: status_of(node) if len(workers(node)) == len(status_of(node)["processes"]) == 3 else None)
    check("everyone who served serves", seen and node.process.poll() is None, status_of(node))
    generations = {process["generation"] for process in seen["processes"]} if seen else None
    check("in the generation of before", generations == {before["generation"]}, seen)
    # Settings that were right when it was asked and are wrong when it begins.
    write_settings(node, WORKERS="2", **node.secrets)
    replace_program(node, 'test "$2" = --resume && echo "AGENTD_WORKERS=many" >> "$AGENTD_ENV_FILE"\nexec PROGRAM "$@"\n')
    node.process.send_signal(signal.SIGUSR2)
    check("one whose settings have become wrong, too", node.logged("the program before goes on", 2), node.log()[-3000:])
    write_settings(node, WORKERS="2", **node.secrets)
    serves = until(lambda: node.ask("GET", "/readyz")[0] == 200 and len(workers(node)) == 3)
    check("and the node serves", serves and node.process.poll() is None, (status_of(node), node.log()[-1500:]))
    os.kill(workers(node)["worker 0"]["pid"], signal.SIGKILL)
    back = until(lambda: workers(node).get("worker 0", {}).get("restarts") == 1)
    check("with the settings of before", back, status_of(node))
    write_settings(node, WORKERS="2", **node.secrets)
    replace_program(node)
    node.process.send_signal(signal.SIGUSR2)
    check("and the next good program is taken", wait_generation(node, before["generation"] + 2), node.log()[-3000:])


def test_nobody_noticed(node):
    """All of the above under load; hangs and crashes take requests with them, these must not."""
    clients = Clients(node)
    generation = status_of(node)["generation"]
    for _ in range(3):
        node.process.send_signal(signal.SIGHUP)
        generation += 1
        check("a reload under load", wait_generation(node, generation), (status_of(node), node.log()[-2000:]))
    replace_program(node)
    node.process.send_signal(signal.SIGUSR2)
    check("an upgrade under load", wait_generation(node, generation + 1))
    until(lambda: len(status_of(node)["processes"]) == 3)
    troubles = clients.stop()
    check(f"no client saw an error ({clients.asked} requests)", not troubles and clients.asked > 100, troubles[:5])


class Manager:
    """What a service manager is to a service: a socket for notes, and one that it listens on for it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="agentd-manager-")
        os.chmod(self.folder, 0o755)
        self.notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notes.bind(f"{self.folder}/notify")
        self.notes.settimeout(20)
        self.seen = []
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)

    def hears(self, line):
        while line not in self.seen:
            try:
                self.seen += self.notes.recv(4096).decode().split("\n")
            except TimeoutError:
                return False
        self.seen = self.seen[self.seen.index(line) + 1:]
        return True

    def pass_listener(self):
        os.dup2(self.listener.fileno(), 3)
        os.set_inheritable(3, True)


def test_service_manager():
    manager = Manager()
    # LISTEN_PID names the process itself, which only a shell in between can know.
    before = ["sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"']
    node = own_node.Node(before=before, NOTIFY_SOCKET=f"{manager.folder}/notify", WATCHDOG_USEC="2000000",
                         LISTEN_FDS="1", options={"preexec_fn": manager.pass_listener, "close_fds": False})
    try:
        port = manager.listener.getsockname()[1]
        check("the manager's socket is used", node.port == port, node.url)
        check("it hears READY", manager.hears("READY=1"), manager.seen)
        check("and that the node lives", manager.hears("WATCHDOG=1"), manager.seen)
        node.process.send_signal(signal.SIGHUP)
        check("RELOADING comes before READY", manager.hears("RELOADING=1") and manager.hears("READY=1"), manager.seen)
        check("the socket is still the manager's", node.ask("GET", "/livez")[0] == 200)
        for pid in node.workers():
            os.kill(pid, signal.SIGSTOP)
        check("a node whose workers stand still is noticed as one", node.logged("a process hangs and is ended"))
    finally:
        check("a stop is clean", node.stop() == 0)
        check("and was announced", manager.hears("STOPPING=1"), manager.seen)
        shutil.rmtree(manager.folder)


def test_process_one():
    """Process 1 of a container buries what others leave, and ends when it is told to."""
    probe = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        print("# no pid namespace can be made here: process 1 is not tested")
        return
    node = own_node.Node(before=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=TERM"])
    master = int(subprocess.run(["pgrep", "-P", str(node.process.pid)], capture_output=True, text=True, check=True).stdout)
    try:
        check("process 1 serves", node.ask("GET", "/readyz")[0] == 200)
        orphan = 'sh -c "sleep 0.1 & exit"'
        subprocess.run(["nsenter", "-t", str(master), "-p", "-m", "sh", "-c", orphan], check=True, timeout=20)
        def zombies():
            listed = subprocess.run(["ps", "--ppid", str(master), "-o", "stat="], capture_output=True, text=True,
                                    check=False).stdout
            return "Z" in listed
        check("and buries orphans", until(lambda: not zombies()), zombies())
        os.kill(master, signal.SIGHUP)
        check("reloads", node.logged("a new generation serves"))
    finally:
        os.kill(master, signal.SIGTERM)
        check("and stops cleanly", node.process.wait(timeout=30) == 0)
        node.stop()


def test_drain(node):
    """A client that is in the middle of things when the node stops gets its answer, and is told to go elsewhere."""
    connection = node.connection()
    connection.request("GET", "/readyz")
    connection.getresponse().read()
    node.process.send_signal(signal.SIGTERM)
    until(lambda: all(one["state"] != "ready" for one in status_of(node)["processes"] if one["name"] != "keeper"), 0.9)
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    check("a connection that was busy a moment ago is answered", answer.status == 200)
    check("and closed by what the answer says", answer.headers.get("Connection") == "close", dict(answer.headers))


def main():
    folder = tempfile.mkdtemp(prefix="agentd-program-")
    os.chmod(folder, 0o755)
    program = f"{folder}/agentd"
    shutil.copy(os.environ["AGENTD"], program)
    env = f"{folder}/env"
    with open(env, "w", encoding="utf-8") as file:
        file.write("AGENTD_WORKERS=2\n")
    node = own_node.Node(program=program, AGENTD_ENV_FILE=env)
    node.program = program
    os.rename(env, f"{node.folder}/env")
    os.symlink(f"{node.folder}/env", env)
    try:
        for test in (test_status, test_hang, test_crash, test_reload, test_rotation, test_upgrade, test_way_back, test_nobody_noticed,
                     test_drain):
            test(node)
    finally:
        check("stops cleanly", node.stop() == 0)
        shutil.rmtree(folder)
    test_service_manager()
    test_process_one()
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
