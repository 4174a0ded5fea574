#!/usr/bin/env python3
"""test_cors_browser.py - the four CORS policies, judged by a real browser (Chromium, headless).

Pages of two origins, one listed and one not, and a frame without an origin call nodes of each policy; what their scripts
could do and read comes back to the servers that the pages are from. TAP on standard output. AGENTD names the program.
"""

import http.server
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import own_node
from own_node import check

POLICIES = ("development", "production", "public", "internal")
BROWSER_S = 40

# Each call: what a script gets to see of the answer, or "blocked".
PAGE = """<!doctype html><title>calls</title><script>
const nodes = @NODES@, tokens = @TOKENS@, me = @ME@;
async function look(url, options) {
    try {
        const answer = await fetch(url, options);
        return {status: answer.status, limit: answer.headers.get('X-RateLimit-Limit') !== null,
                reset: answer.headers.get('X-RateLimit-Reset') !== null, id: answer.headers.get('X-Request-Id') !== null};
    } catch (error) {
        return 'blocked';
    }
}
async function calls(base, token) {
    const bearer = {Authorization: 'Bearer ' + token};
    const json = {...bearer, 'Content-Type': 'application/json'};
    const task = '{"role":"browser"}';
    return {
        read: await look(base + '/livez'),
        missing: await look(base + '/no-such-path'),
        credentials: await look(base + '/livez', {credentials: 'include'}),
        named: await look(base + '/api/v1/tasks', {headers: bearer}),
        again: await look(base + '/api/v1/tasks', {headers: bearer}),
        refused: await look(base + '/api/v1/tasks', {headers: {Authorization: 'Bearer nonsense'}}),
        post: await look(base + '/api/v1/tasks', {method: 'POST', headers: json, body: task}),
        remove: await look(base + '/api/v1/tasks/0', {method: 'DELETE', headers: bearer}),
        patch: await look(base + '/api/v1/tasks/0', {method: 'PATCH', headers: json, body: '{"priority":1}'}),
        own: await look(base + '/livez', {headers: {'X-Of-Mine': '1'}}),
    };
}
async function all() {
    const seen = {};
    for (const [name, base] of Object.entries(nodes))
        seen[name] = await calls(base, tokens[name]);
    return seen;
}
async function tell(who, seen) {
    await fetch('/seen', {method: 'POST', body: JSON.stringify([who, seen])});
}
const frame = 'onmessage = async e => {' + look + calls + all +
    'const nodes = e.data.nodes, tokens = e.data.tokens;' + 'parent.postMessage([origin, await all()], "*")}';
addEventListener('message', async e => {
    await tell('frame of ' + me, {origin: e.data[0], seen: e.data[1]});
    const next = @NEXT@;
    if (next)
        location = next;
});
addEventListener('load', async () => {
    await tell(me, {origin, seen: await all()});
    const box = document.createElement('iframe');
    box.sandbox = 'allow-scripts';
    box.srcdoc = '<script>' + frame + '</' + 'script>';
    box.onload = () => box.contentWindow.postMessage({nodes, tokens}, '*');
    document.body.append(box);
});
</script><body></body>"""


class Pages(http.server.ThreadingHTTPServer):
    """An origin: serves its page, and takes what the page has seen."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.page, self.seen = "", queue.Queue()
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(self.server.page.encode() if self.path == "/" else b"")

    def do_POST(self):
        self.server.seen.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.reply(b"")

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Tap:
    """Between a browser and a node: remembers method and path of each request, by its origin."""

    def __init__(self, port):
        self.node, self.lines = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            node = socket.create_connection(("127.0.0.1", self.node))
            for source, target, watch in ((client, node, True), (node, client, False)):
                threading.Thread(target=self.carry, args=(source, target, watch), daemon=True).start()

    def carry(self, source, target, watch):
        try:
            while data := source.recv(65536):
                if watch and (line := re.match(rb"([A-Z]+ \S+) HTTP/1\.1\r\n", data)):
                    origin = re.search(rb"\r\nOrigin: (\S+)", data)
                    self.lines.append((origin.group(1).decode() if origin else "", line.group(1).decode()))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def browse(url, folder):
    program = shutil.which("chromium")
    if not program:
        raise SystemExit("this test needs a browser: install the Debian package chromium")
    # No sandbox of its own: it refuses to make one for root, and loads nothing but the pages of this test.
    return subprocess.Popen(
        [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder}",
         url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def status(seen):
    return seen["status"] if isinstance(seen, dict) else seen


def expect(who, seen, policy, wanted):
    statuses = {name: status(value) for name, value in seen[policy].items()}
    check(f"{who} and the policy {policy}", statuses == wanted, {"saw": statuses, "wanted": wanted})


BLOCKED = dict.fromkeys(("read", "missing", "credentials", "named", "again", "refused", "post", "remove", "patch", "own"),
                        "blocked")
SIMPLE = {**BLOCKED, "read": 200, "missing": 404}
# Bearer tokens, POST and DELETE reach the API; 404 and 422 are its own words, which the script could read.
CALLS = {**SIMPLE, "named": 200, "again": 200, "refused": 401, "post": 201, "remove": 404}
EVERYTHING = {**CALLS, "patch": 404, "own": 200}


def judge(listed, other, frame):
    expect("a listed origin", listed, "development", EVERYTHING)
    expect("a listed origin", listed, "production", {**CALLS, "credentials": 200})
    expect("a listed origin", listed, "public", SIMPLE)
    expect("a listed origin", listed, "internal", {**EVERYTHING, "credentials": 200})
    expect("another origin", other, "development", EVERYTHING)
    expect("another origin", other, "production", BLOCKED)
    expect("another origin", other, "public", SIMPLE)
    expect("another origin", other, "internal", BLOCKED)
    for policy in POLICIES:
        expect("a frame without an origin", frame, policy, BLOCKED)
    for policy, reset in (("development", False), ("production", True), ("internal", False)):
        named = listed[policy]["named"]
        check(f"headers that the policy {policy} exposes can be read, others not",
              isinstance(named, dict) and (named["limit"], named["reset"], named["id"]) == (True, reset, False), named)


def watch(listed, other, nodes, taps):
    tokens = {name: node.login() for name, node in nodes.items()}
    for server, following in ((listed, other.origin + "/"), (other, None)):
        values = {"@NODES@": {name: tap.url for name, tap in taps.items()}, "@TOKENS@": tokens, "@ME@": server.origin,
                  "@NEXT@": following}
        server.page = PAGE
        for name, value in values.items():
            server.page = server.page.replace(name, json.dumps(value))
    folder = tempfile.mkdtemp(prefix="agentd-browser-")
    browser = browse(listed.origin + "/", folder)
    try:
        results = dict(server.seen.get(timeout=BROWSER_S) for server in (listed, listed, other, other))
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return results


def main():
    listed, other, nodes = Pages(), Pages(), {}
    try:
        for policy in POLICIES:
            nodes[policy] = own_node.Node(AGENTD_CORS_POLICY=policy, AGENTD_CORS_ORIGINS=listed.origin,
                                          AGENTD_CORS_INTERNAL_ORIGINS=listed.origin)
        taps = {name: Tap(node.port) for name, node in nodes.items()}
        results = watch(listed, other, nodes, taps)
        check("the browser says where its pages are from",
              [results[server.origin]["origin"] for server in (listed, other)] == [listed.origin, other.origin]
              and results["frame of " + listed.origin]["origin"] == "null", results)
        judge(results[listed.origin]["seen"], results[other.origin]["seen"],
              results["frame of " + listed.origin]["seen"])
        asked = [line for origin, line in taps["production"].lines if origin == listed.origin]
        check("what was allowed is remembered: one preflight for all calls of one path",
              asked.count("GET /api/v1/tasks") == 3 and asked.count("OPTIONS /api/v1/tasks") == 1, asked)
        came = [line for policy in ("production", "internal") for origin, line in taps[policy].lines
                if origin != listed.origin and not line.startswith("OPTIONS")]
        check("what a preflight refused never came", came and {line.split()[1] for line in came} ==
              {"/livez", "/no-such-path"}, came)
    finally:
        for node in nodes.values():
            check("stops cleanly", node.stop() == 0)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
