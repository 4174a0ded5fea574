#!/usr/bin/env python3
"""Plays agentd's part for tests/http/test_agentctl.sh: canned answers, errors, absences, and a record of all requests.

  stub_server.py serve                      prints "API-PORT CONTROL-PORT", then serves until standard input ends
  stub_server.py ask PORT METHOD PATH [JSON|-]  one request to the control port; prints the answer; exit 1 unless 200
  stub_server.py pty FILE [PROMPT=ANSWER]... -- COMMAND...   runs a command on a terminal, answers its prompts,
                                            writes all that it showed to FILE; exits as the command does

Control: POST /reset; POST /set (merges into the state); POST /down and /up (the API's socket closes and comes back on the
same port); GET /wait?method=&path=REGEX&count=N waits until N such requests have come and prints the bodies of all of them,
one a line; GET /count?method=&path=REGEX; GET /headers?method=&path=REGEX&name= prints the
header of each such request, one a line. Nothing here sleeps: all waiting is on conditions.
"""
import json
import os
import pty
import re
import select
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "token-of-kim"
KEY = "agd_sk_0123456789abcdef.good"
WAIT_S = 30


class Stub:
    """The state that API and control share. `changed` guards all of it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.reset()

    def reset(self):
        self.records = []
        # answers: [{method, path (regex), status, body, times, headers, hold, drop}] go before the canned ones.
        self.state = {"answers": [], "tasks": [], "steps": [], "lists": {}, "raw": {}}

    def record(self, method, path, body, headers):
        with self.changed:
            self.records.append((method, path, body, headers))
            self.changed.notify_all()

    def matching(self, method, path):
        return [r for r in self.records if r[0] == method and re.search(path, r[1])]

    def wait_for(self, method, path, count):
        with self.changed:
            self.changed.wait_for(lambda: len(self.matching(method, path)) >= count, WAIT_S)
            return self.matching(method, path)

    def override(self, method, path):
        """The scripted answer for a request, used up if it has `times`."""
        for answer in self.state["answers"]:
            if answer.get("times", 1) > 0 and method == answer["method"] and re.search(answer["path"], path):
                if "times" in answer:
                    answer["times"] -= 1
                return answer
        return None

    def lease(self, roles, most, wait_s):
        """Takes up to `most` tasks of these roles; waits for the first as a long poll does."""
        def fitting():
            return [t for t in self.state["tasks"] if t["role"] in roles]
        with self.changed:
            generation = self.state
            self.changed.wait_for(lambda: fitting() or self.state is not generation, min(wait_s, WAIT_S))
            taken = fitting()[:most]
            for task in taken:
                self.state["tasks"].remove(task)
            return taken

    def step(self):
        """The workflow as it is now; every look moves it one step on."""
        with self.changed:
            steps = self.state["steps"]
            return steps.pop(0) if len(steps) > 1 else steps[0]


STUB = Stub()


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return raw.decode()

    def answer(self, status, body, kind="application/json", headers=()):
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def problem(self, status, code, detail, headers=(), **more):
        self.answer(status, {"type": "about:blank", "title": code.replace("_", " "), "status": status, "detail": detail,
                             "code": code, "request_id": "r-1", **more}, "application/problem+json", headers)


class Api(Quiet):
    def setup(self):
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self):
        self.server.connections.discard(self.connection)
        super().finish()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True

    def do(self):
        path = self.path.removeprefix("/api/v1")
        body = self.body()
        STUB.record(self.command, path, body, self.headers)
        with STUB.changed:
            scripted = STUB.override(self.command, path)
        if scripted:
            self.play(scripted)
        elif path == "/auth/login":
            self.login(json.loads(body))
        elif self.headers.get("Authorization") not in (f"Bearer {TOKEN}", f"Bearer {KEY}"):
            self.problem(401, "unauthorized", "no valid identity")
        else:
            self.serve(path, json.loads(body) if body else None)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do

    def play(self, scripted):
        if "hold" in scripted:
            # Silent until the state changes or the client leaves.
            with STUB.changed:
                STUB.changed.wait_for(lambda: STUB.state.get("released"), scripted["hold"])
        if "drop" in scripted:
            # The request has come; its answer is lost.
            self.close_connection = True
        elif "raw" in scripted:
            self.answer(scripted["status"], scripted["raw"].encode(), scripted.get("kind", "application/json"))
        elif scripted["status"] >= 400:
            self.problem(scripted["status"], scripted.get("code", "scripted"), scripted.get("detail", "as the test wants"),
                         scripted.get("headers", {}), **scripted.get("more", {}))
        else:
            self.answer(scripted["status"], scripted.get("body", {}), headers=scripted.get("headers", {}))

    def login(self, given):
        if given == {"username": "kim", "password": "s3cret pass"}:
            self.answer(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 900,
                              "user": {"id": 1, "username": "kim", "role": "operator", "display_name": "Kim", "tenant": "default"}})
        else:
            self.problem(401, "bad_credentials", "user name or password is wrong")

    def serve(self, path, body):
        route = path.partition("?")[0]
        if route in STUB.state["lists"]:
            self.listing(STUB.state["lists"][route])
        elif route == "/auth/me":
            self.answer(200, {"kind": "user", "id": 1, "name": "kim", "role": "operator", "tenant": "default",
                              "permissions": ["workflow:read"]})
        elif route == "/health":
            self.answer(200, {"status": "healthy", "score": 0.85})
        elif route == "/system/status":
            self.answer(200, {"version": "0.1.0", "workers": [{"slot": 0, "state": "ready"}, {"slot": 1, "state": "ready"}],
                              "tasks": {"pending": 3, "processing": 1}})
        elif route == "/agents" and self.command == "POST":
            self.answer(201, {**body, "status": "online"})
        elif route == "/workflows" and self.command == "POST":
            self.answer(201, {"id": "w-1", "status": "pending", **body})
        elif route == "/workflows/w-1":
            self.answer(200, STUB.step())
        elif route == "/workflows/w-1/cancel":
            self.answer(200, {"id": "w-1", "status": "cancelled"})
        elif route == "/tasks/lease":
            self.answer(200, {"tasks": STUB.lease(body["roles"], body["max"], body["wait_s"])})
        elif re.fullmatch("/tasks/[^/]+/heartbeat", route):
            self.answer(200, {"status": "processing", "lease_until": "2030-01-01T00:00:00Z", "cancel": False})
        elif re.fullmatch("/tasks/[^/]+/(complete|fail|release)", route):
            self.answer(200, {"id": route.split("/")[2], "status": "settled", "epoch": body["epoch"]})
        elif re.fullmatch("/(auth/logout|agents/[^/]+/heartbeat)", route):
            self.answer(200, {})
        else:
            self.problem(404, "not_found", f"there is no {route}")

    def listing(self, items):
        query = urllib.parse.parse_qs(self.path.partition("?")[2])
        begin = int(query.get("cursor", ["0"])[0])
        # Pages of two at most, so that lists of three have two pages.
        end = begin + min(int(query.get("limit", ["50"])[0]), 2)
        self.answer(200, {"items": items[begin:end], "next_cursor": str(end) if end < len(items) else None})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, port, handler):
        self.connections = set()
        super().__init__(("127.0.0.1", port), handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *_):
        pass

    def leave(self):
        """Closes everything, as a server that was killed."""
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Control(Quiet):
    def do_POST(self):
        body = self.body()
        with STUB.changed:
            if self.path == "/reset":
                STUB.reset()
            elif self.path == "/set":
                STUB.state.update(json.loads(body))
            STUB.changed.notify_all()
        if self.path == "/down":
            Control.api.leave()
        elif self.path == "/up":
            Control.api = Server(Control.api_port, Api)
        self.answer(200, b"", "text/plain")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        count = int(query.get("count", "0"))
        found = STUB.wait_for(query["method"], query["path"], count)
        if url.path == "/count":
            self.answer(200, f"{len(found)}\n".encode(), "text/plain")
        elif url.path == "/headers":
            self.answer(200, "".join(f"{r[3].get(query['name'])}\n" for r in found).encode(), "text/plain")
        else:
            self.answer(200 if len(found) >= count else 504, "".join(r[2] + "\n" for r in found).encode(), "text/plain")


def serve():
    api = Server(0, Api)
    Control.api, Control.api_port = api, api.server_address[1]
    control = Server(0, Control)
    print(Control.api_port, control.server_address[1], flush=True)
    sys.stdin.read()


def ask(port, method, path, body=""):
    body = sys.stdin.read() if body == "-" else body
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body.encode() or None, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=WAIT_S + 10) as answer:
            sys.stdout.write(answer.read().decode())
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_on_terminal(args):
    split = args.index("--")
    answers = [pair.split("=", 1) for pair in args[1:split]]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp(args[split + 1], args[split + 1:])
    shown, seen, end = b"", 0, time.monotonic() + WAIT_S
    while time.monotonic() < end and select.select([terminal], [], [], WAIT_S)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
        while answers and (at := shown.find(answers[0][0].encode(), seen)) >= 0:
            seen = at + len(answers[0][0])
            os.write(terminal, answers.pop(0)[1].encode().decode("unicode_escape").encode())
    with open(args[0], "wb") as file:
        file.write(shown)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main():
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb == "serve":
        serve()
    elif verb == "ask":
        return ask(*sys.argv[2:])
    elif verb == "pty":
        return run_on_terminal(sys.argv[2:])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
