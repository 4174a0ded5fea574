#!/usr/bin/env python3
"""test_tls.py - the port speaks TLS when it has a certificate: 1.2 and 1.3, nothing older, forward secrecy only, and
new certificates without a restart.

TAP on standard output. Starts a node of its own (embedded, testing) with certificates made by openssl. AGENTD names
the program.
"""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import warnings

import own_node
from own_node import check


def connect(node, lowest=None, highest=None):
    context = node.context()
    if lowest:
        context.minimum_version = lowest
    if highest:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.maximum_version = highest
    return node.connection(context=context)


def ask(connection, method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = "Bearer " + token
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def s_client(node, *arguments):
    """What openssl says of a handshake; True first if there was one."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{node.port}", *arguments], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    agreed = re.search(r"New, (TLSv[\d.]+), Cipher is (\S+)", done.stdout)
    return agreed is not None, done.stdout + done.stderr


def test_versions(node):
    check("the url says https", node.url.startswith("https://"), node.url)
    for name, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
        connection = connect(node, version, version)
        check(f"TLS {name} is spoken", ask(connection, "GET", "/livez")[0] == 200)
        check(f"and kept alive ({name})", ask(connection, "GET", "/readyz")[0] == 200)
        connection.close()
    end = own_node.until(lambda: json.loads(node.ask("GET", "/health")[2])["components"].get("certificate"))
    check("health knows that the certificate ends in less than two days", end in ("warning", "critical"), end)
    told = node.ask("GET", "/livez")[1]["Strict-Transport-Security"]
    check("browsers are told to come by TLS only", told == "max-age=600", told)
    try:
        ask(connect(node, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1), "GET", "/livez")
        check("TLS 1.1 is refused", False, "an answer")
    except (ssl.SSLError, ConnectionError):
        check("TLS 1.1 is refused", True)
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            answer = plain.recv(100)
        except ConnectionError:
            answer = b""
        check("plain HTTP gets no answer of the API", b"200" not in answer, answer)


def test_bodies(node):
    connection = connect(node)
    status, token = ask(connection, "POST", "/api/v1/auth/login",
                        {"username": "admin", "password": own_node.PASSWORD})
    check("login over TLS", status == 200, token)
    big = {"role": "tls", "input_data": {"text": "x" * 300000}}
    status, task = ask(connection, "POST", "/api/v1/tasks", big, token["access_token"])
    check("a body of many records arrives whole", status == 201 and task["input_data"] == big["input_data"], status)
    status, state = ask(connection, "GET", "/api/v1/system/status", token=token["access_token"])
    ends = [worker.get("certificate_expires_at", "") for worker in state["workers"] if "worker" in worker["name"]]
    check("the status says when the certificate ends", ends and all(end.startswith("20") for end in ends), ends)
    connection.request("GET", "/livez", headers={"Connection": "close"})
    answer = connection.sock
    reply = b""
    answer.suppress_ragged_eofs = False
    try:
        while chunk := answer.recv(65536):
            reply += chunk
        check("the end of a connection is said, not cut off", b"200 OK" in reply, reply)
    except ssl.SSLError as error:
        check("the end of a connection is said, not cut off", False, error)


def test_weak_things_are_refused(node):
    for name, arguments in (
            ("TLS 1.0", ["-tls1", "-cipher", "ALL:@SECLEVEL=0"]),
            ("TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]),
            ("key exchange without forward secrecy", ["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"]),
            ("finite field key exchange", ["-tls1_2", "-cipher", "kDHE:@SECLEVEL=0"]),
            ("CBC", ["-tls1_2", "-cipher", "ECDHE+AES+SHA1:ECDHE+SHA256:ECDHE+SHA384:!AESGCM:@SECLEVEL=0"]),
            ("ciphers of the past", ["-tls1_2", "-cipher", "CAMELLIA:ARIA:AESCCM8:@SECLEVEL=0"]),
            ("anonymous servers", ["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"]),
            ("no encryption", ["-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"]),
            ("a small curve", ["-tls1_2", "-cipher", "DEFAULT:@SECLEVEL=0", "-curves", "prime192v1"]),
            ("another protocol", ["-alpn", "h2"])):
        agreed, text = s_client(node, *arguments)
        # The alert is the server's: openssl did ask.
        check(f"{name}: refused", not agreed and "alert" in text, text)
    agreed, text = s_client(node, "-tls1_2")
    check("TLS 1.2 with forward secrecy and AEAD",
          re.search(r"Cipher is ECDHE-ECDSA-(AES(128|256)-GCM-SHA\d+|CHACHA20-POLY1305)", text), text)
    check("no compression, no renegotiation, no ticket",
          "Compression: NONE" in text and "Secure Renegotiation IS supported" in text and "session ticket" not in text,
          text)
    agreed, text = s_client(node, "-alpn", "h2,http/1.1")
    check("ALPN chooses http/1.1", "ALPN protocol: http/1.1" in text, text)


def test_handshakes_that_do_not_end(node):
    """The deadline of a head counts from the connection on, and nothing that trickles moves it."""
    for name, beginning in (("nothing", b""), ("half of a hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")):
        with socket.create_connection(("127.0.0.1", node.port), timeout=20) as link:
            begun = time.monotonic()
            link.sendall(beginning)
            try:
                ended = link.recv(100) == b""
            except ConnectionError:
                ended = True
            took = time.monotonic() - begun
        check(f"a handshake of {name} is closed at the deadline", ended and 1 < took < 10, took)


def subject(node):
    _, text = s_client(node)
    found = re.search(r"subject=CN ?= ?(\S+)", text)
    return found.group(1) if found else text


def test_reload(node):
    before = connect(node)
    check("one that ends within two weeks is warned of", node.logged("the certificate ends soon", 2))
    check("a connection of the first certificate", ask(before, "GET", "/livez")[0] == 200)
    workers = node.workers()
    own_node.make_certificate(node.folder, "second", 60)
    check("a new certificate is shown without a restart", own_node.until(lambda: subject(node) == "second", 20))
    check("by each worker", own_node.until(
        lambda: {line["process"] for line in node.lines() if line["message"] == "new certificate loaded"} ==
        {"worker 0", "worker 1"}, 20))
    check("the connection of the first lives on", ask(before, "GET", "/readyz")[0] == 200)
    broken = "the new certificate or key is of no use; the old one stays"
    for number, (name, spoil) in enumerate((("nonsense", spoil_with_nonsense), ("the key of another", spoil_with_key),
                                            ("no file", spoil_by_removing), ("one that has ended", spoil_with_old))):
        spoil(node)
        check(f"{name}: said in the log", own_node.until(
            lambda least=2 * number + 2: sum(line["message"] == broken for line in node.lines()) >= least, 20))
        check(f"{name}: changes nothing", subject(node) == "second", subject(node))
    check("the old connection still lives", ask(before, "GET", "/readyz")[0] == 200)
    own_node.make_certificate(node.folder, "third")
    check("a good one is taken again", own_node.until(lambda: subject(node) == "third", 20), subject(node))
    check("by the workers that there were", node.workers() == workers)
    before.close()


def replace(folder, name, text):
    with open(f"{folder}/{name}.new", "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(f"{folder}/{name}.new", 0o644)
    os.rename(f"{folder}/{name}.new", f"{folder}/{name}")


def spoil_with_nonsense(node):
    replace(node.folder, "cert.pem", "this is no certificate\n")


def spoil_with_key(node):
    own_node.make_certificate(node.folder, "stranger", file="stranger-")
    shutil.copy(f"{node.folder}/stranger-cert.pem", f"{node.folder}/copy.pem")
    os.rename(f"{node.folder}/copy.pem", f"{node.folder}/cert.pem")


def spoil_by_removing(node):
    os.unlink(f"{node.folder}/key.pem")


def spoil_with_old(node):
    """openssl makes none that has ended; a small authority does."""
    folder = f"{node.folder}/authority"
    os.makedirs(folder)
    for name, text in (("index", ""), ("serial", "01\n"), ("configuration", AUTHORITY)):
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)
    run = lambda *words: subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ended",
        "-keyout", "key.pem", "-out", "request.pem")
    run("ca", "-batch", "-config", "configuration", "-selfsign", "-keyfile", "key.pem", "-in", "request.pem",
        "-out", "cert.pem", "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-notext")
    for name in ("cert", "key"):
        os.chmod(f"{folder}/{name}.pem", 0o644)
        os.rename(f"{folder}/{name}.pem", f"{node.folder}/{name}.pem")


AUTHORITY = """[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def main():
    warnings.simplefilter("ignore")  # asking for TLS 1.1 is the point
    node = own_node.Node(tls=True, AGENTD_WORKERS="2", AGENTD_HSTS_S="600", AGENTD_HEADER_TIMEOUT_S="2")
    try:
        for test in (test_versions, test_bodies, test_weak_things_are_refused,
                     test_handshakes_that_do_not_end, test_reload):
            test(node)
    finally:
        check("stops cleanly", node.stop() == 0)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
