#!/usr/bin/env python3
"""test_tls.py - the port speaks TLS when it has a certificate: 1.2 and 1.3, nothing older, bodies larger than a record.

TAP on standard output. Starts a node of its own (embedded, testing) with a certificate made by openssl. AGENTD names
the program.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import warnings

PASSWORD = "only-for-this-test-4711"
count = 0
failed = 0


def check(name, good, seen=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        failed += 1
        print(f"# saw: {seen}")


def start(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(f"{folder}/key.pem", 0o644)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD")}
    environment.update(
        AGENTD_ENV="testing", AGENTD_PORT="0", AGENTD_STATE_DIR=f"{folder}/state", AGENTD_ADMIN_PASSWORD=PASSWORD,
        AGENTD_TLS_CERT_FILE=f"{folder}/cert.pem", AGENTD_TLS_KEY_FILE=f"{folder}/key.pem")
    if os.geteuid() == 0:
        environment["AGENTD_USER"] = "nobody"
    server = subprocess.Popen([os.environ["AGENTD"], "--embedded"], env=environment, cwd=folder, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with open(f"{folder}/state/url", encoding="ascii") as file:
                return server, file.read().strip()
        except FileNotFoundError:
            time.sleep(0.05)
    server.kill()
    raise SystemExit("the node did not start: " + server.stderr.read().decode(errors="replace"))


def connect(port, folder, lowest=None, highest=None):
    context = ssl.create_default_context(cafile=f"{folder}/cert.pem")
    if lowest:
        context.minimum_version = lowest
    if highest:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.maximum_version = highest
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)


def ask(connection, method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = "Bearer " + token
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test(folder, url):
    port = int(url.rsplit(":", 1)[1])
    check("the url says https", url.startswith("https://"), url)
    for name, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
        connection = connect(port, folder, version, version)
        check(f"TLS {name} is spoken", ask(connection, "GET", "/livez")[0] == 200)
        check(f"and kept alive ({name})", ask(connection, "GET", "/readyz")[0] == 200)
        connection.close()
    try:
        ask(connect(port, folder, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1), "GET", "/livez")
        check("TLS 1.1 is refused", False, "an answer")
    except (ssl.SSLError, ConnectionError):
        check("TLS 1.1 is refused", True)
    connection = connect(port, folder)
    status, token = ask(connection, "POST", "/api/v1/auth/login", {"username": "admin", "password": PASSWORD})
    check("login over TLS", status == 200, token)
    big = {"role": "tls", "input_data": {"text": "x" * 300000}}
    status, task = ask(connection, "POST", "/api/v1/tasks", big, token["access_token"])
    check("a body of many records arrives whole", status == 201 and task["input_data"] == big["input_data"], status)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            answer = plain.recv(100)
        except ConnectionError:
            answer = b""
        check("plain HTTP gets no answer of the API", b"200" not in answer, answer)
    check("and the server goes on", ask(connect(port, folder), "GET", "/livez")[0] == 200)


def main():
    warnings.simplefilter("ignore")  # asking for TLS 1.1 is the point
    folder = tempfile.mkdtemp(prefix="agentd-tls-")
    os.chmod(folder, 0o755)
    server, url = start(folder)
    try:
        test(folder, url)
    finally:
        server.send_signal(signal.SIGTERM)
        check("stops cleanly", server.wait(timeout=20) == 0, server.returncode)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
