#!/usr/bin/env python3
"""test_containment.py - where secrets are not: in /proc, in the memory of processes that do not need them, after use.

TAP on standard output. Starts nodes of its own (embedded, testing), one with plain HTTP and one with TLS. Reads the
processes' memory as root does; run by somebody else it checks that this is impossible. AGENTD names the program.
"""

import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import time

IS_ROOT = os.geteuid() == 0
PASSWORD = "never-to-be-seen-4711-password"
WRONG = "never-to-be-seen-0815-mistyped"
NEW = "never-to-be-seen-2342-of-a-user"
WEAK = "trinity1999"
CHANGED = "never-to-be-seen-9999-changed"
SECRETS = {
    "the admin's password": PASSWORD,
    "the signing secret": "Zt5qv8Jm2Xw9Lk4Rn7Bc3Hd6Fg1Ps0Ya",
    "the signing secret before": "Qe7Wr2Ty9Ui4Op6As1Df8Gh3Jk5Lz0Xc",
    "the database's password": "never-to-be-seen-database",
}
LARGEST = 1 << 30  # a sanitizer reserves more than can be read
LANDLOCK_CREATE_RULESET = 444
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
count = 0
failed = 0


def check(name, good, seen=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        failed += 1
        print(f"# saw: {seen}", flush=True)


def environment_of(folder, with_tls):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD")}
    environment.update(
        AGENTD_ENV="testing", AGENTD_PORT="0", AGENTD_STATE_DIR=f"{folder}/state", AGENTD_WORKERS="1",
        AGENTD_TEST_BREACH="on", AGENTD_LOG_FILE=f"{folder}/log/agentd.log", AGENTD_LOG_LEVEL="info",
        AGENTD_ADMIN_PASSWORD=PASSWORD, AGENTD_SECRET=SECRETS["the signing secret"],
        AGENTD_PREVIOUS_SECRET=SECRETS["the signing secret before"],
        AGENTD_DB_PASSWORD=SECRETS["the database's password"])
    if with_tls:
        environment.update(AGENTD_JWT_ALGORITHM="ES256", AGENTD_JWT_KEY_FILE=f"{folder}/tls/jwt.pem")
        environment.update(AGENTD_TLS_CERT_FILE=f"{folder}/tls/cert.pem", AGENTD_TLS_KEY_FILE=f"{folder}/tls/key.pem")
    if IS_ROOT:
        environment["AGENTD_USER"] = "nobody"
    return environment


def start(folder, with_tls):
    os.mkdir(f"{folder}/log")
    os.chmod(f"{folder}/log", 0o777)
    if with_tls:
        os.mkdir(f"{folder}/tls")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", f"{folder}/tls/key.pem", "-out", f"{folder}/tls/cert.pem"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-out", f"{folder}/tls/jwt.pem"], check=True, stderr=subprocess.DEVNULL)
        os.chmod(f"{folder}/tls/key.pem", 0o644)
    server = subprocess.Popen([os.environ["AGENTD"], "--embedded"], env=environment_of(folder, with_tls), cwd=folder,
                              stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with open(f"{folder}/state/url", encoding="ascii") as file:
                return server, int(file.read().strip().rsplit(":", 1)[1])
        except FileNotFoundError:
            time.sleep(0.05)
    server.kill()
    raise SystemExit("the node did not start: " + server.stderr.read().decode(errors="replace"))


def processes_of(master):
    """Name to pid: master, keeper, worker 0. PostgreSQL is another program."""
    found = {"master": master}
    with open(f"/proc/{master}/task/{master}/children", encoding="ascii") as file:
        for pid in file.read().split():
            with open(f"/proc/{pid}/cmdline", "rb") as title:
                name = title.read().rstrip(b"\0").decode()
            if name.startswith("agentd: "):
                found[name[8:]] = int(pid)
    return found


def memory_of(pid):
    """All that the process could write: heap, stacks, globals, shared memory."""
    pieces = []
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            low, high, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            size = int(high, 16) - int(low, 16)
            if "w" not in rights or size > LARGEST:
                continue
            try:
                memory.seek(int(low, 16))
                pieces.append(memory.read(size))
            except OSError:
                continue
    return b"\n".join(pieces)


def holds(memory, text):
    return text.encode() in memory


def ask(port, folder, with_tls, method, path, body, token=None):
    if with_tls:
        context = ssl.create_default_context(cafile=f"{folder}/tls/cert.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    text = json.loads(answer.read() or "null")
    return connection, answer.status, text


def read(path):
    with open(path, "rb") as file:
        return file.read()


def test_closed_to_their_user(processes):
    """The user that serves may not look into the processes, so another process that is broken into cannot either."""
    as_user = ["setpriv", "--reuid", "nobody", "--clear-groups", "--regid", "nogroup"] if IS_ROOT else []
    for name, pid in processes.items():
        if IS_ROOT and name == "master":
            continue
        for what in ("environ", "mem", "maps"):
            ended = subprocess.run([*as_user, "head", "-c", "1", f"/proc/{pid}/{what}"], capture_output=True, check=False)
            check(f"{name}: its user cannot read {what}", b"Permission denied" in ended.stderr, ended)


def test_status(processes):
    for name, pid in processes.items():
        limits = read(f"/proc/{pid}/limits").decode()
        check(f"{name}: leaves no core file", re.search(r"^Max core file size +0 +0 ", limits, re.M), limits)
        if name != "master":
            status = read(f"/proc/{pid}/status").decode()
            values = re.findall(r"^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):\s+(\S+)$", status, re.M)
            good = [(key, value) for key, value in values
                    if (int(value, 16) == 0 if key.startswith("Cap") else value == {"NoNewPrivs": "1", "Seccomp": "2"}[key])]
            # The bounding set is root's to give away; without a way to exec it means nothing.
            good += [] if IS_ROOT else [item for item in values if item[0] == "CapBnd" and item not in good]
            check(f"{name}: no capability, no new privileges, a list of system calls", len(good) == 7, values)


def test_database(folder):
    """The database's superuser can run programs: he is out of reach for the user that serves."""
    def ask_as(role, statement):
        return subprocess.run(
            ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
             "psql", "-X", "-w", "-h", f"{folder}/state/run", "-U", role, "-d", "agentd", "-At", "-c", statement],
            capture_output=True, check=False, cwd="/")
    check("the user that serves cannot be the database's superuser",
          b"Peer authentication failed" in ask_as("agentd", "SELECT 1").stderr, ask_as("agentd", "SELECT 1"))
    check("he is another, who reads", ask_as("agentd_server", "SELECT 1").stdout == b"1\n",
          ask_as("agentd_server", "SELECT 1"))
    for statement in ("COPY (SELECT 1) TO PROGRAM 'true'", "COPY users TO '/tmp/never'", "SELECT pg_read_file('/etc/passwd')",
                      "SET ROLE agentd", "ALTER ROLE agentd_server SUPERUSER"):
        check(f"and may not: {statement.split('(')[0]}", b"ERROR" in ask_as("agentd_server", statement).stderr, statement)


def test_attempts(folder):
    log = [json.loads(line) for line in read(f"{folder}/log/agentd.log").splitlines()]
    attempts = {(line["process"], line["attempt"]): line["reason"] for line in log if "attempt" in line}
    done = [line for line in log if line["message"] == "breach done"]
    has_landlock = ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) > 0
    for name in ("worker 0", "keeper"):
        if has_landlock:
            check(f"{name}: the state folder, which is its user's, is closed",
                  attempts.get((name, "state folder")) == "EACCES", attempts)
            check(f"{name}: nor can it write a file", attempts.get((name, "write a file")) == "EACCES", attempts)
    if has_landlock:
        check("nothing that was tried succeeded", not done, done)
    else:
        check("without Landlock the log says so", any("Landlock" in line["message"] for line in log), log[:3])
    refused = [line for line in log if line["message"] == "system calls were refused to a process"]
    check("the master has noticed", {line["name"] for line in refused} >= {"worker 0", "keeper"}, refused)


def is_sanitized():
    """AddressSanitizer keeps a copy of the environment in memory of its own."""
    return b"__asan_init" in read(os.environ["AGENTD"])


def test_proc(processes):
    for name, pid in processes.items():
        for what in ("environ", "cmdline"):
            found = [secret for secret, text in SECRETS.items() if holds(read(f"/proc/{pid}/{what}"), text)]
            check(f"{name}: no secret in {what}", not found, found)


def test_memory(processes, port, folder, with_tls):
    memory = {name: memory_of(pid) for name, pid in processes.items()}
    check("a secret can be found where it is needed", holds(memory["master"], SECRETS["the signing secret"]))
    for secret in ("the admin's password", "the database's password"):
        check(f"{secret} is gone once it was used", not [name for name in memory if holds(memory[name], SECRETS[secret])],
              [name for name in memory if holds(memory[name], SECRETS[secret])])
    for secret in ("the signing secret", "the signing secret before"):
        check(f"the keeper does not have {secret}", not holds(memory["keeper"], SECRETS[secret]))
    if with_tls:
        key = read(f"{folder}/tls/jwt.pem").decode().splitlines()[1]
        check("nor the key that signs tokens", not holds(memory["keeper"], key) and holds(memory["master"], key))

    kept, status, answer = ask(port, folder, with_tls, "POST", "/api/v1/auth/login",
                               {"username": "admin", "password": PASSWORD})
    check("login", status == 200, answer)
    _, status, _ = ask(port, folder, with_tls, "POST", "/api/v1/auth/login", {"username": "admin", "password": WRONG})
    check("a wrong password", status == 401, status)
    token = answer["access_token"]
    user = {"username": "trinity", "role": "viewer"}
    for wanted, words in ((201, NEW), (422, WEAK)):
        _, status, answer = ask(port, folder, with_tls, "POST", "/api/v1/users", {**user, "password": words}, token)
        check(f"a user with a password, {wanted}", status == wanted, (status, answer))
    _, status, answer = ask(port, folder, with_tls, "POST", "/api/v1/auth/password",
                            {"current_password": PASSWORD, "new_password": CHANGED}, token)
    check("the own password is changed", status == 204, (status, answer))
    worker = memory_of(processes["worker 0"])
    for name, words in (("right", PASSWORD), ("wrong", WRONG), ("new", NEW), ("refused", WEAK), ("changed", CHANGED)):
        check(f"the {name} password is not left in the worker", not holds(worker, words))
    kept.close()


def test(with_tls):
    folder = tempfile.mkdtemp(prefix="agentd-containment-")
    os.chmod(folder, 0o755)
    server, port = start(folder, with_tls)
    try:
        processes = processes_of(server.pid)
        check("master, keeper and worker run", sorted(processes) == ["keeper", "master", "worker 0"], processes)
        test_closed_to_their_user(processes)
        test_status(processes)
        test_attempts(folder)
        if IS_ROOT:
            test_proc(processes)
            test_database(folder)
            if not is_sanitized():
                test_memory(processes, port, folder, with_tls)
    finally:
        server.send_signal(signal.SIGTERM)
        check("stops cleanly", server.wait(timeout=20) == 0, server.returncode)
        shutil.rmtree(folder, ignore_errors=True)


def without_seccomp():
    """Between fork and exec: what a container does that refuses the system call seccomp."""
    number = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    load, if_equal, answer = 0x20, 0x15, 0x06
    refuse, allow = 0x00050000 | 1, 0x7FFF0000
    code = b"".join(struct.pack("HBBI", *line) for line in (
        (load, 0, 0, 0), (if_equal, 0, 1, number), (answer, 0, 0, refuse), (answer, 0, 0, allow)))
    text = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(text))
    libc = ctypes.CDLL(None)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, 2, program, 0, 0):
        raise OSError("the filter of the test is refused")


def test_refused():
    folder = tempfile.mkdtemp(prefix="agentd-containment-")
    os.chmod(folder, 0o755)
    os.mkdir(f"{folder}/log")
    os.chmod(f"{folder}/log", 0o777)
    environment = environment_of(folder, False)
    ended = subprocess.run([os.environ["AGENTD"], "--embedded"], env=environment, cwd=folder, capture_output=True,
                           check=False, timeout=60, preexec_fn=without_seccomp)
    check("without seccomp the node does not start, and says what to do",
          ended.returncode == 1 and b"AGENTD_SANDBOX=off" in ended.stderr, ended)
    shutil.rmtree(folder, ignore_errors=True)


def main():
    test_refused()
    for with_tls in (False, True):
        print(f"# {'TLS' if with_tls else 'plain HTTP'}", flush=True)
        test(with_tls)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
