"""own_node.py - one embedded agentd on loopback for a test of its own, and TAP. AGENTD names the program."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

PASSWORD = "only-for-this-test-4711"
START_S = 60

count = 0
failed = 0


def check(name, good, seen=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        failed += 1
        print(f"# saw: {str(seen)[:2000]}", flush=True)


def finish():
    print(f"1..{count}")
    return 1 if failed else 0


def until(what, seconds=10.0):
    """The first true value of what(), or the last one when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


def make_certificate(folder, name="localhost", days=2, file="", more=()):
    """A pair cert.pem, key.pem in folder, renamed into place; file goes before the names, more are extensions."""
    key, cert = f"{folder}/{file}key.pem", f"{folder}/{file}cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-days", str(days), "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
               "-keyout", key + ".new", "-out", cert + ".new"]
    command += [word for extension in more for word in ("-addext", extension)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(key + ".new", 0o644)
    os.rename(cert + ".new", cert)
    os.rename(key + ".new", key)
    return cert, key


class Node:
    """
    With tls, the folder has cert.pem and key.pem (made with what tls says), and the port speaks TLS. program is the one
    that is run instead of AGENTD's; before are words of a command that runs it; options go to subprocess.Popen; stderr is
    a file for standard error, else there is one in the folder.
    """

    def __init__(self, tls=False, program=None, before=(), options=None, stderr=None, embedded=True, **settings):
        self.folder = tempfile.mkdtemp(prefix="agentd-own-")
        os.chmod(self.folder, 0o755)
        os.mkdir(f"{self.folder}/logs")
        os.chmod(f"{self.folder}/logs", 0o777)
        self.tls = tls
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD")}
        environment.update(AGENTD_ENV="testing", AGENTD_PORT="0", AGENTD_STATE_DIR=f"{self.folder}/state",
                           AGENTD_ADMIN_PASSWORD=PASSWORD, AGENTD_LOG_LEVEL="debug", AGENTD_RATE_LIMIT="1000000",
                           AGENTD_LOG_FILE=f"{self.folder}/logs/log")
        if tls:
            make_certificate(self.folder, **(tls if isinstance(tls, dict) else {}))
            environment.update(AGENTD_TLS_CERT_FILE=f"{self.folder}/cert.pem",
                               AGENTD_TLS_KEY_FILE=f"{self.folder}/key.pem")
        if os.geteuid() == 0:
            environment["AGENTD_USER"] = "nobody"
        environment.update(settings)
        self.stderr = open(f"{self.folder}/stderr", "wb")
        self.environment = environment
        self.process = subprocess.Popen([*before, program or os.environ["AGENTD"], *(["--embedded"] * embedded)], env=environment,
                                        cwd=self.folder, stderr=stderr or self.stderr, **(options or {}))
        try:
            self.url = self.wait_for_url()
        except BaseException:
            self.process.kill()
            raise
        self.port = int(self.url.rsplit(":", 1)[1])

    def wait_for_url(self):
        file = self.environment["AGENTD_STATE_DIR"] + "/url"
        until(lambda: os.path.exists(file) or self.process.poll() is not None, START_S)
        if not os.path.exists(file):
            with open(f"{self.folder}/stderr", encoding="utf-8", errors="replace") as text:
                raise SystemExit("the node did not start: " + text.read()[-2000:])
        with open(file, encoding="ascii") as text:
            return text.read().strip()

    def log(self):
        with open(f"{self.folder}/logs/log", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def lines(self):
        """The whole lines of the log, as objects; one that is no JSON object is an error."""
        lines = [json.loads(line) for line in self.log().split("\n")[:-1]]
        assert all(isinstance(line, dict) for line in lines)
        return lines

    def logged(self, message, least=1):
        return until(lambda: sum(line["message"] == message for line in self.lines()) >= least)

    def workers(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as stat, \
                        open(f"/proc/{pid}/cmdline", encoding="utf-8") as title:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
                    if parent == self.process.pid and re.match(r"agentd: worker", title.read()):
                        found.append(int(pid))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def context(self):
        return ssl.create_default_context(cafile=f"{self.folder}/cert.pem")

    def connection(self, source=None, context=None):
        where = (source, 0) if source else None
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, source_address=where,
                                               context=context or self.context())
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=where)

    def ask(self, method, path, body=None, connection=None, **headers):
        """Status, headers, and the body as text; header names with _ for -."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        mine = connection or self.connection()
        mine.request(method, path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body), headers)
        answer = mine.getresponse()
        result = answer.status, answer.headers, answer.read().decode()
        if not connection:
            mine.close()
        return result

    def raw(self, data, source=None):
        """All that comes back until the end, or what came when it ended badly."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10,
                                      source_address=(source, 0) if source else None) as link:
            received = b""
            try:
                link.sendall(data)
                while chunk := link.recv(65536):
                    received += chunk
            except ConnectionError:
                pass
            return received

    def login(self):
        status, _, body = self.ask("POST", "/api/v1/auth/login", {"username": "admin", "password": PASSWORD})
        assert status == 200, body
        return json.loads(body)["access_token"]

    def stop(self):
        """Its exit status. The folder is gone afterwards."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None
        finally:
            self.stderr.close()
            shutil.rmtree(self.folder, ignore_errors=True)
