#!/usr/bin/env python3
"""receiver.py - a receiver of webhooks for scenarios: it checks signatures as a user of Standard Webhooks would.

    receiver.py FOLDER

It listens on a free port of 127.0.0.1 and writes it to FOLDER/port; with TLS too, if there is a FOLDER/certificate (with its
key): FOLDER/tls-port. For each request a line to FOLDER/got:
    PATH EVENT STATE RULE SUBJECT WEBHOOK-ID VERDICT
VERDICT: good (signed with a secret in a line of FOLDER/secrets), unsigned. How it answers is in the path:
/ok 200, /fail-N 500 the first N times, /gone 410, /moved 302 to /ok, /silent nothing. It ends when FOLDER/stop is there,
and after two minutes anyway.
"""
import base64
import collections
import hashlib
import hmac
import http.server
import json
import os
import ssl
import sys
import threading
import time

FOLDER = sys.argv[1]
seen = collections.Counter()
lock = threading.Lock()


def path_of(name):
    return os.path.join(FOLDER, name)


def secrets():
    try:
        with open(path_of("secrets"), encoding="ascii") as lines:
            return [base64.b64decode(line.strip().removeprefix("whsec_")) for line in lines if line.strip()]
    except FileNotFoundError:
        return []


def verdict(headers, body):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    given = [part.split(",", 1)[1] for part in (headers["webhook-signature"] or "").split(" ") if part.startswith("v1,")]
    wanted = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in secrets()]
    if not set(given) & set(wanted):
        return "unsigned"
    return "good"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = json.loads(body)
        data = message["data"]
        with lock:
            seen[self.path] += 1
            times = seen[self.path]
            with open(path_of("got"), "a", encoding="utf-8") as out:
                print(self.path, message["type"], data.get("state"), data.get("rule"), data.get("subject"),
                      self.headers["webhook-id"], verdict(self.headers, body), file=out)
        if self.path == "/silent":
            time.sleep(30)
            return
        status = {"/gone": 410, "/moved": 302}.get(self.path, 200)
        if self.path.startswith("/fail-") and times <= int(self.path.removeprefix("/fail-")):
            status = 500
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 302:
            self.send_header("Location", "/ok")
        self.end_headers()

    def log_message(self, *args):
        pass


def serve(name, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(path_of("new"), "w", encoding="ascii") as out:
        out.write(str(server.server_address[1]))
    os.rename(path_of("new"), path_of(name))


def main():
    if os.path.exists(path_of("certificate")):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path_of("certificate"))
        serve("tls-port", context)
    serve("port")
    end = time.monotonic() + 120
    while time.monotonic() < end and not os.path.exists(path_of("stop")):
        time.sleep(0.1)


main()
