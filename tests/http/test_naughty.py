#!/usr/bin/env python3
"""test_naughty.py - whatever is sent, and wherever: each line of the log stays one JSON object, and no secret is in it.

Strings that broke other programs go into every place of a request that may reach a log, at level debug; in a second
pass secrets of all kinds go where they belong and where they do not. TAP on standard output. AGENTD names the program.
NAUGHTY=FILE adds the strings of a JSON array of strings, such as blns.json of the Big List of Naughty Strings.
"""

import http.client
import json
import os
import re
import secrets
import sys
import urllib.parse

import own_node
from own_node import check

FORGED = '{"time":"2020-01-01T00:00:00.000000Z","level":"info","message":"forged"}'
STRINGS = [
    # Ends of lines, and lines that would be believed.
    "a\r\n" + FORGED, "a\n" + FORGED + "\n", "a\r" + FORGED, "a\u0085" + FORGED, "a\u2028" + FORGED, "a\u2029" + FORGED,
    '","message":"forged","x":"', '"}\n{"message":"forged"}', "\\", "\\\"", '"', "'", "\\n\\r\\u000a", "\\u0000",
    # What terminals obey.
    "\x1b[2J\x1b[1;1H", "\x1b]0;title\x07", "\x1b[31mred", "\x9b31m", "\x90q", "\x08\x08\x08", "\x7f", "\x00", "a\x00b",
    "".join(map(chr, range(1, 32))), "".join(map(chr, range(0x7f, 0xa0))),
    # What people misread.
    "\u202etxt.exe", "\u2066a\u2069", "\u200b\u200d\ufeff", "\ufffe\uffff", "\U0001f468\u200d\U0001f469", "\u0430dmin",
    "Z\u0351\u036b\u0343a\u0363l\u0363g\u0362o" * 30, "\ufdfd", "\U0010ffff",
    # What other programs run.
    "%s%s%s%n%n", "%x%x%x%x", "${jndi:ldap://127.0.0.1/a}", "{{7*7}}", "$(touch /tmp/x)", "`id`", "; rm -rf /",
    "' OR 1=1 --", "'; DROP TABLE users; --", "<script>alert(1)</script>", "]]>", "../../../../etc/passwd",
    "..\\..\\", "=cmd|' /C calc'!A0", "{\"$ne\": null}", "null", "undefined", "NaN", "-0", "1e999", "true", "[]", "{}",
    # Sizes.
    "", " ", "\t", "x" * 300, "x" * 9000, "\u20ac" * 4000, '"' * 5000, "\\" * 5000, "\x01" * 3000,
]
# Bytes that are no text.
BYTES = [b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xe2\x80", bytes(range(128, 256)),
         b"\x9b31m"]
LOGGED_HEADERS = ("X-Request-Id", "User-Agent", "Authorization", "X-API-Key", "Idempotency-Key", "Origin", "Referer",
                  "X-Forwarded-For", "X-Forwarded-Proto", "traceparent", "Accept", "Content-Type", "If-None-Match", "Cookie",
                  "Host", "Access-Control-Request-Headers")


def strings():
    found = list(STRINGS)
    if os.environ.get("NAUGHTY"):
        with open(os.environ["NAUGHTY"], encoding="utf-8") as file:
            found += json.load(file)
    return found


class Sender:
    def __init__(self, node, token):
        self.node, self.token, self.link = node, token, None
        self.statuses, self.refused_logins = {}, 0

    def note(self, where, status):
        self.statuses.setdefault(status, where)

    def send(self, method, path, body, **headers):
        """One request on a connection that is kept; the status."""
        for attempt in (0, 1):
            if not self.link:
                self.link = self.node.connection()
            try:
                status, _, text = self.node.ask(method, path, body, self.link, **headers)
                break
            except (http.client.HTTPException, ConnectionError):
                # It was closed after the answer before; a second time is a fault.
                self.link.close()
                self.link = None
                if attempt:
                    raise
        self.note(f"{method} {path[:60]} {str(body)[:60]}", status)
        return status, text

    def named(self, method, path, body, **headers):
        return self.send(method, path, body, Authorization="Bearer " + self.token, **headers)

    def raw(self, data):
        answer = self.node.raw(data)
        # Nothing at all is an answer to bytes that are no request; anything else has a status.
        status = re.match(rb"HTTP/1\.1 (\d{3})", answer)
        self.note(repr(data[:80]), int(status.group(1)) if status else 0 if not answer else -1)


def send_in_bodies(sender, text):
    status, _ = sender.send("POST", "/api/v1/auth/login", {"username": text, "password": text})
    sender.refused_logins += status == 401
    for body in ({"role": text}, {"role": "a", "description": text, "input_data": {text: text}, "labels": {text: text}},
                 {"role": "a", text: 1}, {"role": "a", "unique_key": text, "concurrency_key": text}):
        sender.named("POST", "/api/v1/tasks", body)
    sender.named("POST", "/api/v1/agents", {"agent_id": text, "name": text, "role": text, "description": text})
    sender.named("POST", "/api/v1/schedules", {"name": text, "cron": text, "template": text, "time_zone": text})
    sender.named("POST", "/api/v1/messages", {"from_agent_id": text, "to_agent_id": text, "message_type": text,
                                              "content": {text: text}})
    sender.named("POST", "/api/v1/workflows", {"description": text, "template": text, "input_data": {"a": text}})
    sender.named("POST", "/api/v1/keys", {"name": text, "type": text, "scopes": [text]})


def send_in_paths(sender, text):
    quoted = urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="")[:4000]
    for path in (f"/{quoted}", f"/api/v1/tasks/{quoted}", f"/api/v1/agents/{quoted}/status", f"/api/v1/memory/{quoted}",
                 f"/api/v1/tasks?status={quoted}", f"/api/v1/tasks?{quoted}=1", f"/api/v1/tasks?cursor={quoted}"):
        sender.named("GET", path, None)
    sender.named("PUT", f"/api/v1/limits/{quoted}", {"kind": "rate", "key": "role", "value": 1, "window_s": 1})


def send_as_headers(sender, data):
    """Raw: no client would. A line end inside makes it a request that is refused."""
    for name in LOGGED_HEADERS:
        host = b"" if name == "Host" else b"Host: a\r\n"
        sender.raw(b"POST /api/v1/tasks HTTP/1.1\r\n" + host + name.encode() + b": " + data[:9000] +
                   b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    sender.raw(b"GET /" + data[:4000] + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    sender.raw(data[:4000] + b" / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    body = b'{"username":"' + data[:4000] + b'","password":"a"}'
    sender.raw(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n"
               b"Content-Length: %d\r\n\r\n" % len(body) + body)


def send_through_a_task(sender, text):
    """What an agent says of its failure, and what a settlement names."""
    status, task = sender.named("POST", "/api/v1/tasks", {"role": "naughty", "max_retries": 0})
    assert status == 201, task
    _, leased = sender.named("POST", "/api/v1/tasks/lease", {"roles": ["naughty"], "agent_id": "n", "max": 1})
    for task in json.loads(leased)["tasks"]:
        status, _ = sender.named("POST", f"/api/v1/tasks/{task['id']}/fail",
                                 {"epoch": task["epoch"], "error_message": text, "retryable": False})
        if status != 200:
            sender.named("POST", f"/api/v1/tasks/{task['id']}/fail", {"epoch": task["epoch"], "error_message": "x"})


def test_strings(node):
    sender = Sender(node, node.login())
    for text in strings():
        send_in_bodies(sender, text)
        send_in_paths(sender, text)
        send_as_headers(sender, text.encode("utf-8", "surrogatepass"))
        send_through_a_task(sender, text)
    for data in BYTES:
        send_as_headers(sender, data)
    bad = {status: where for status, where in sender.statuses.items() if status < 200 and status or status >= 500
           and status != 501 and status != 505}
    check("each request is answered, and none is a fault of the server", not bad, bad)
    check("the server still answers", node.ask("GET", "/livez")[0] == 200)
    return sender.refused_logins


def scan(node, refused_logins):
    text = node.log()
    lines = text.split("\n")
    check("the log ends with a line end", lines.pop() == "")
    objects, broken = [], []
    for line in lines:
        try:
            value = json.loads(line, object_pairs_hook=one_of_each)
            (objects if isinstance(value, dict) else broken).append(value)
        except ValueError:
            broken.append(line)
    check("each line is one JSON object, without a name twice", objects and not broken, broken[:3])
    lacking = [value for value in objects if not {"time", "level", "category", "process", "pid", "message"} <= set(value)]
    check("each says when, how bad, who and what", not lacking, lacking[:3])
    unsafe = re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\udc80-\udcff]", text)
    check("no control character and no broken text is in it", not unsafe, [hex(ord(c)) for c in unsafe[:9]])
    check("none was forged", not [value for value in objects if "forged" in (value["message"], value.get("x"))])
    said = sum(value["message"] == "login refused" and value.get("request_id", "").count("-") == 4 for value in objects)
    check("as many logins were refused as the log says", said >= refused_logins, (said, refused_logins))
    died = [value for value in objects if value["message"] == "process ended unexpectedly"]
    check("no process died", not died, died)


def one_of_each(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def make_key(node, token):
    status, _, body = node.ask("POST", "/api/v1/keys", {"name": "secret", "type": "secret"},
                               Authorization="Bearer " + token)
    assert status == 201, body
    return json.loads(body)["key"]


def send_secrets(node):
    """Sends them where they belong, where they are wrong, and where they do not belong; returns what must not be seen."""
    sender = Sender(node, node.login())
    key = make_key(node, sender.token)
    _, session = sender.send("POST", "/api/v1/auth/login", {"username": "admin", "password": own_node.PASSWORD})
    session = json.loads(session)
    password, wrong = "Pw-" + secrets.token_hex(12), "Wrong-" + secrets.token_hex(12)
    cut, forged = key[:-1] + ("0" if key[-1] != "0" else "1"), sender.token[:-8] + "AAAAAAAA"
    sender.named("POST", "/api/v1/users", {"username": "somebody", "password": password, "role": "viewer"})
    for name, value in (("admin", wrong), ("nobody", wrong), ("somebody", password)):
        sender.send("POST", "/api/v1/auth/login", {"username": name, "password": value})
    for value in (key, cut, forged, sender.token, session["access_token"], wrong):
        sender.send("GET", "/api/v1/auth/me", None, Authorization="Bearer " + value)
        sender.send("GET", "/api/v1/auth/me", None, X_API_Key=value)
        sender.send("GET", "/api/v1/auth/me", None, Authorization="Basic " + value)
        sender.named("POST", "/api/v1/auth/verify", {"token": value})
        sender.named("POST", "/api/v1/keys/verify", {"key": value})
        sender.send("POST", "/api/v1/auth/refresh", {"refresh_token": value})
        sender.send("GET", f"/api/v1/tasks?token={value}", None)
        sender.send("POST", "/api/v1/auth/login", '{"username":"admin","password":"' + value)
        sender.send("POST", "/api/v1/auth/login", {"username": "admin", "password": [value], "passwort": value})
    sender.named("POST", "/api/v1/auth/password", {"current_password": wrong, "new_password": password + "x"})
    sender.named("POST", "/api/v1/users", {"username": "another", "password": "short" + wrong, "role": "no such role"})
    return {"a password": password, "a wrong password": wrong, "the admin's": own_node.PASSWORD,
            "a key's secret part": key.split(".", 1)[1], "a mistyped key's": cut.split(".", 1)[1][:40],
            "a token's signature": sender.token.rsplit(".", 1)[1], "a token": session["access_token"],
            "a forged token": forged, "a refresh token": session.get("refresh_token") or session["access_token"],
            "the secret of the node": node.secret}


def all_logs(node):
    """The log, standard error, and that of the embedded PostgreSQL."""
    texts = {}
    for folder, name in (("logs", "log"), ("", "stderr"), ("state", "postgres.log")):
        with open(os.path.join(node.folder, folder, name), encoding="utf-8", errors="surrogateescape") as file:
            texts[name] = file.read()
    return texts


def main():
    secret = secrets.token_urlsafe(40)
    node = own_node.Node(AGENTD_SECRET=secret, AGENTD_TRUSTED_PROXIES="127.0.0.1", AGENTD_LOG_MAX_BYTES="0",
                         AGENTD_CORS_POLICY="development", AGENTD_WORKERS="1", AGENTD_ACCESS_LOG="on")
    node.secret = secret
    try:
        refused_logins = test_strings(node)
        hidden = send_secrets(node)
        scan(node, refused_logins)
        texts = all_logs(node)
        for name, value in hidden.items():
            seen = [log for log, text in texts.items() if value in text]
            check(f"{name} is in no log", not seen, seen)
    finally:
        check("stops cleanly", node.stop() == 0)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
