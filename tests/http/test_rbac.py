#!/usr/bin/env python3
"""test_rbac.py - who may do what, at a real server: every role and nobody, at every endpoint of /openapi.json, with things
of the own tenant, of another one, and with none.

The expected permissions are written by hand: of endpoints in tests/permissions.def, of roles in ROLES. An endpoint that
is not in the one, or has no request in rbac_requests.py, fails. Judged is the class of the answer: without a credential
401; without the permission 403; with it success on what is one's own, and 404 on what is another tenant's, in the words
for what is not there. No answer may hold a mark of another tenant, and what another tenant has stays as it was.

TAP on standard output. Starts a node of its own (embedded, testing). AGENTD names the program.
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from rbac_requests import REQUESTS, Request, dead, fresh, held, key, message, schedule, task, template, with_mark, workflow  # noqa: E402

BASE = "/api/v1"
PASSWORD = "only-for-this-test-4711"
ROLES = {
    "admin": None,  # all
    "operator": {"workflow:create", "workflow:read", "workflow:update", "agent:read", "metrics:read", "health:read"},
    "viewer": {"workflow:read", "agent:read", "metrics:read", "health:read"},
    "guest": {"metrics:read"},
    "agent": {"task:execute", "message:send", "message:read", "workflow:read", "agent:read"},
}
UNKNOWN = {"id": "01900000-0000-7000-8000-000000000000"}
count = 0
failed = 0


def check(name, good, seen=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        failed += 1
        for line in str(seen).splitlines()[:20]:
            print(f"# saw: {line[:400]}")


class Faults(list):
    """What is wrong with many requests of one kind: one line of TAP for all of them."""

    def expect(self, what, good, seen):
        if not good:
            self.append(f"{what}: {seen}")

    def tell(self, name):
        check(name, not self, "\n".join(self))


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text
        self.body = None
        if text and "json" in headers.get("Content-Type", ""):
            self.body = json.loads(text)

    def plain(self):
        """The answer without what differs from request to request."""
        body = dict(self.body) if isinstance(self.body, dict) else self.body
        if isinstance(body, dict):
            body.pop("request_id", None)
        return self.status, body


class Server:
    def __init__(self, folder):
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD")}
        environment.update(
            AGENTD_ENV="testing", AGENTD_PORT="0", AGENTD_STATE_DIR=f"{folder}/state", AGENTD_ADMIN_PASSWORD=PASSWORD,
            AGENTD_RATE_LIMIT="1000000", AGENTD_LOG_LEVEL="error")
        if os.geteuid() == 0:
            environment["AGENTD_USER"] = "nobody"
        with open(f"{folder}/log", "wb") as log:
            self.process = subprocess.Popen([os.environ["AGENTD"], "--embedded"], env=environment, cwd=folder, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with open(f"{folder}/state/url", encoding="ascii") as file:
                    self.port = int(file.read().strip().rsplit(":", 1)[1])
                    break
            except FileNotFoundError:
                time.sleep(0.05)
        else:
            self.process.kill()
            raise SystemExit(f"the node did not start; {folder}/log: " + open(f"{folder}/log").read())
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method, path, body=None, credential=None, **headers):
        if body is not None:
            headers["Content-Type"] = "application/json"
        if credential:
            headers["Authorization"] = "Bearer " + credential
        if path.endswith("/events/stream"):
            return self._begin(method, path, headers)
        for again in (True, False):
            try:
                self.connection.request(method, path, None if body is None else json.dumps(body), headers)
                answer = self.connection.getresponse()
                return Answer(answer.status, answer.headers, answer.read().decode())
            except (http.client.HTTPException, ConnectionError):
                self.connection.close()
                if not again:
                    raise

    def _begin(self, method, path, headers):
        """Of an answer that does not end, the head; of an error all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, None, headers)
        answer = connection.getresponse()
        text = answer.read().decode() if answer.status != 200 else ""
        connection.close()
        return Answer(answer.status, answer.headers, text)

    def stop(self):
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        check("the node stops cleanly", self.process.wait(timeout=20) == 0, self.process.returncode)


class Tenant:
    """A tenant with its admin, and a key of every role."""

    def __init__(self, server, name, username):
        self.server, self.name, self.username, self.password = server, name, username, PASSWORD
        self.mark = f"mark-of-{name}-mark"
        login = {"username": username, "password": PASSWORD, "tenant_name": name}
        self.token = self._want(server.ask("POST", f"{BASE}/auth/login", login))["access_token"]
        self.keys = {role: self.make("POST", "/keys", {"name": role, "role": role, "rate_limit": 1000000})["key"]
                     for role in ROLES}

    def _want(self, answer):
        if answer.status not in (200, 201, 202, 204):
            raise SystemExit(f"preparing failed: {answer.status} {answer.text}")
        return answer.body

    def make(self, method, path, body=None):
        return self._want(self.server.ask(method, BASE + path, with_mark(body, self.mark), self.token))

    def ask(self, role, method, path, body=None, **headers):
        return self.server.ask(method, path, with_mark(body, self.mark), self.keys.get(role), **headers)


def read_permissions():
    path = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "permissions.def")
    with open(path, encoding="utf-8") as file:
        rows = re.findall(r'^PERMISSION\("(\w+)", "([^"]+)"\)$', file.read(), re.MULTILINE)
    check("permissions.def names every operation once", len(dict(rows)) == len(rows), rows)
    return dict(rows)


def read_operations(server):
    document = server.ask("GET", "/openapi.json").body
    operations = {}
    for path, methods in document["paths"].items():
        for method, row in methods.items():
            permission = row["x-permission"] + ("@default" if row.get("x-tenant") == "default" else "")
            operations[row["operationId"]] = (method.upper(), path, permission)
    return operations


def may(role, permission, tenant):
    name, _, where = permission.partition("@")
    if where and tenant.name != where:
        return False
    return name == "any" or ROLES[role] is None or name in ROLES[role]


def is_unmanaged(role, made):
    """The credentials of roles are keys here: one without key:manage has no keys of its own."""
    return made.unmanaged is not None and ROLES[role] is not None and "key:manage" not in ROLES[role]


def fill(path, values):
    return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], path)


def compare_tables(operations, permissions):
    found = {name: row[2] for name, row in operations.items()}
    check("every endpoint has the permission that was written by hand", found == permissions,
          f"only in the server: {sorted(set(found.items()) - set(permissions.items()))}\n"
          f"only in permissions.def: {sorted(set(permissions.items()) - set(found.items()))}")
    check("every endpoint has a request in rbac_requests.py, and no other", set(REQUESTS) == set(operations),
          f"without one: {sorted(set(operations) - set(REQUESTS))}\n"
          f"of no endpoint: {sorted(set(REQUESTS) - set(operations))}")


def compare_roles(tenant, permissions):
    every = {name.partition("@")[0] for name in permissions.values()} - {"open", "any"}
    shown = {role["name"]: set(role["permissions"]) for role in tenant.make("GET", "/roles")["items"]}
    for role, expected in ROLES.items():
        good = shown.get(role) == expected if expected is not None else every <= shown.get(role, set())
        check(f"the role {role} is as written", good, shown.get(role))
    check("there is no other role", set(shown) == set(ROLES), set(shown))


def try_own(operation, row, tenant):
    """Everyone at a thing of his own tenant."""
    method, path, permission = row
    faults = Faults()
    for role in [*ROLES, "nobody"]:
        made = REQUESTS[operation](tenant) if permission.find("@") < 0 or tenant.name == "default" else Request(name="x")
        answer = tenant.ask(role, method, fill(path, made.path) + made.query, made.body)
        if permission == "open":
            good = answer.status in made.ok
        elif role == "nobody":
            good = answer.status == 401 and "WWW-Authenticate" in answer.headers
        elif is_unmanaged(role, made):
            good = answer.status in made.unmanaged
        elif may(role, permission, tenant):
            good = answer.status in made.ok
        else:
            good = answer.status == 403 and answer.body["code"] == "forbidden"
        faults.expect(f"{role} {method} {path}", good, f"{answer.status} {answer.text}")
    faults.tell(f"{operation} in {tenant.name}: each role, on what is its own ({permission})")


def try_foreign(operation, row, tenant, foreign, theirs):
    """Everyone at a thing of another tenant, which is to be as unknown as one that is not there."""
    method, path, permission = row
    faults = Faults()
    nothing = {name: UNKNOWN.get(name, fresh("none")) for name in theirs.path}
    for role in [*ROLES, "nobody"]:
        answer = tenant.ask(role, method, fill(path, theirs.path) + theirs.query, theirs.body)
        unknown = tenant.ask(role, method, fill(path, nothing) + theirs.query, theirs.body)
        if role == "nobody":
            good = answer.status == 401
        elif is_unmanaged(role, theirs):
            good = answer.status in theirs.unmanaged
        elif not may(role, permission, tenant):
            good = answer.status == 403
        else:
            good = answer.status in theirs.foreign
        faults.expect(f"{role} {method} {path}", good, f"{answer.status} {answer.text}")
        faults.expect(f"{role} {method} {path}: a mark of {foreign.name}", foreign.mark not in answer.text, answer.text)
        if answer.status >= 400:
            faults.expect(f"{role} {method} {path}: told apart from what is not there", answer.plain() == unknown.plain(),
                          f"{answer.plain()} {unknown.plain()}")
        elif method == "GET":
            faults.expect(f"{role} {method} {path}: shows something", answer.body.get("items") == [], answer.text)
    faults.tell(f"{operation} from {tenant.name}: each role, on what is {foreign.name}'s")


SNAPSHOT = ["/workflows", "/tasks", "/tasks/dead", "/schedules", "/templates", "/limits", "/messages", "/memory", "/keys",
            "/agents", "/users"]


def try_lists(operations, tenant, foreign):
    """Every GET without a name in its path, as the admin who may see all: nothing of the other tenant is in it."""
    faults = Faults()
    seen = 0
    for operation, (method, path, permission) in operations.items():
        if method != "GET" or "{" in path or permission == "open" or operation == "streamEvents":
            continue
        answer = tenant.ask("admin", method, path)
        faults.expect(f"{path}: a mark of {foreign.name}", foreign.mark not in answer.text, answer.text[:300])
        seen += tenant.mark in answer.text
    faults.tell(f"no list of {tenant.name} holds anything of {foreign.name}")
    check(f"and the lists of {tenant.name} show what is its own", seen >= 8, seen)


VOLATILE = {"last_used", "usage_count", "failed_attempts", "last_activity", "status", "load", "last_login", "last_address"}


def snapshot(tenant):
    """All that a tenant has, as its admin sees it."""
    everything = {}
    for path in SNAPSHOT:
        items, cursor = [], None
        while True:
            page = tenant.make("GET", f"{path}?limit=500" + (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                break
        drop = VOLATILE if path in ("/keys", "/agents", "/users") else set()
        everything[path] = [{name: value for name, value in item.items() if name not in drop} for item in items]
    return everything


def things_for_bodies(foreign):
    return {"task": held(foreign), "dead": dead(foreign), "queue": task(foreign)["role"], "message": message(foreign),
            "template": template(foreign), "key": key(foreign)["key"], "token": foreign.token,
            "workflow": workflow(foreign)["id"], "schedule": schedule(foreign),
            "agents": [one["agent_id"] for one in foreign.make("GET", "/agents")["items"][:20]]}


def try_batches(tenant, theirs):
    """Arrays and lists of ids that name what is another tenant's among what is one's own."""
    none = UNKNOWN["id"]
    mine = held(tenant)
    ids = [(theirs["task"]["id"], theirs["task"]["epoch"]), (mine["id"], mine["epoch"]), (none, 1), (theirs["dead"], 1)]
    batch = [{"id": one, "epoch": epoch, "outcome": "complete"} for one, epoch in ids]
    answer = tenant.ask("agent", "POST", f"{BASE}/tasks/settle", batch)
    check(f"a batch of {tenant.name} settles what is its own, and nothing of another tenant",
          [one["status"] for one in answer.body] == [404, 200, 404, 404], answer.text)
    answer = tenant.ask("operator", "POST", f"{BASE}/tasks/dead/redrive", {"ids": [theirs["dead"], none]})
    check("redriving foreign dead letters redrives none", answer.body.get("redriven") == 0, answer.text)
    answer = tenant.ask("agent", "POST", f"{BASE}/tasks/lease", {"roles": [theirs["queue"]], "agent_id": "x"})
    check("a lease finds nothing in another tenant's queue", answer.body == {"tasks": []}, answer.text)
    agents = [{"agent_id": one, "name": "MARK", "role": "r"} for one in theirs["agents"]]
    answers = tenant.ask("agent", "POST", f"{BASE}/agents", agents)
    check("agents of the same ids are made anew", {one["status"] for one in answers.body} == {201}, answers.text)
    messages = [{"from_agent_id": "a", "to_agent_id": one, "message_type": "note", "content": {}} for one in theirs["agents"]]
    answers = tenant.ask("agent", "POST", f"{BASE}/messages", messages)
    check("and messages to them are for one's own", {one["status"] for one in answers.body} == {201}, answers.text)


def try_bodies(tenant, theirs):
    """Ids of another tenant inside a body: as if they were not there."""
    none = UNKNOWN["id"]
    note = {"from_agent_id": "a", "to_agent_id": "b", "message_type": "note", "content": {}}
    own = workflow(tenant, {"key": "a", "role": fresh("role")}, {"key": "b", "role": fresh("role")})
    known = {**theirs, "task": theirs["task"]["id"]}
    unknown = {"task": none, "message": none, "template": fresh("none"), "key": "agd_sk_none", "token": "none"}
    bodies = {
        f"/tasks/{own['tasks'][0]['id']}/dependencies": lambda one: {"depends_on": one["task"]},
        f"/workflows/{own['id']}/tasks": lambda one: {"task_id": one["task"], "epoch": 1,
                                                      "tasks": [{"key": "q", "role": "r"}]},
        "/messages?": lambda one: {**note, "task_id": one["task"], "epoch": 1},
        "/messages": lambda one: {**note, "reply_to": one["message"]},
        "/workflows": lambda one: {"description": "d", "template": one["template"]},
        "/schedules": lambda one: {"name": "never", "cron": "0 0 1 1 *", "template": one["template"]},
    }
    for path, body in bodies.items():
        first = tenant.ask("admin", "POST", BASE + path, body(known))
        second = tenant.ask("admin", "POST", BASE + path, body(unknown))
        told = {json.dumps(answer.plain()).replace(one["template"], "TEMPLATE").replace(one["task"], "TASK")
                .replace(one["message"], "MESSAGE") for answer, one in ((first, known), (second, unknown))}
        check(f"POST {path.strip('?')}: refused as what is not there is refused", first.status >= 400 and len(told) == 1, told)
    for path, body in (("/keys/verify", {"key": theirs["key"]}), ("/auth/verify", {"token": theirs["token"]})):
        answer = tenant.ask("admin", "POST", BASE + path, body)
        check(f"POST {path}: another tenant's is not valid", answer.body.get("valid") is False, answer.text)


def try_filters(tenant, foreign, theirs):
    for path in (f"/tasks?workflow_id={theirs['workflow']}", f"/workflows?schedule_id={theirs['schedule']}",
                 f"/messages?thread_id={theirs['message']}", f"/tasks?role={theirs['queue']}"):
        answer = tenant.ask("admin", "GET", BASE + path)
        check(f"{path.partition('=')[0]}= finds nothing foreign", answer.body.get("items") == [], answer.text)
    headers = {"Idempotency-Key": fresh("once")}
    body = {"role": "r", "description": "MARK"}
    first, second = (one.ask("admin", "POST", f"{BASE}/tasks", body, **headers) for one in (foreign, tenant))
    check("an Idempotency-Key is its tenant's own",
          first.status == second.status == 201 and first.body["id"] != second.body["id"], second.text)


def try_inactive(root, server):
    """A tenant without use: nobody of it gets in, and back again."""
    name = fresh("resting")
    body = {"name": name, "admin_username": "kim", "admin_password": PASSWORD}
    root.make("POST", "/tenants", body)
    tenant = Tenant(server, name, "kim")
    root.make("PATCH", f"/tenants/{name}", {"active": False})

    def until(what, wanted):
        deadline = time.monotonic() + 3
        while True:
            statuses = {role: tenant.ask(role, "GET", f"{BASE}/auth/me").status for role in ROLES}
            statuses["token"] = server.ask("GET", f"{BASE}/auth/me", credential=tenant.token).status
            if set(statuses.values()) == {wanted} or time.monotonic() > deadline:
                check(what, set(statuses.values()) == {wanted}, statuses)
                return
            time.sleep(0.02)
    until("keys and tokens of a tenant that was deactivated are refused", 401)
    login = {"username": "kim", "password": PASSWORD, "tenant_name": name}
    answer = server.ask("POST", f"{BASE}/auth/login", login)
    check("and so are logins, as if nobody were there", (answer.status, answer.body["code"]) == (401, "bad_credentials"),
          answer.text)
    root.make("PATCH", f"/tenants/{name}", {"active": True})
    until("and they are good again when it is active again", 200)


def test(server):
    permissions = read_permissions()
    operations = read_operations(server)
    compare_tables(operations, permissions)
    if failed:
        return
    root = Tenant(server, "default", "admin")
    for name in ("acme", "globex"):
        root.make("POST", "/tenants", {"name": name, "admin_username": name, "admin_password": PASSWORD})
    acme, globex = Tenant(server, "acme", "acme"), Tenant(server, "globex", "globex")
    compare_roles(acme, permissions)
    for tenant in (acme, root):
        for operation, row in operations.items():
            try_own(operation, row, tenant)
    named = {name: row for name, row in operations.items() if "{" in row[1] and "@" not in row[2]}
    theirs = {name: REQUESTS[name](globex) for name in named}
    bodies = things_for_bodies(globex)
    before = snapshot(globex)
    check("the other tenant has something to lose", all(before.values()), {path: len(all_) for path, all_ in before.items()})
    for tenant in (acme, root):
        for operation, row in named.items():
            try_foreign(operation, row, tenant, globex, theirs[operation])
        try_batches(tenant, bodies)
        try_bodies(tenant, bodies)
    after = snapshot(globex)
    check("and it is all as it was", before == after, [(path, one) for path in before for one in after[path]
                                                        if one not in before[path]][:3])
    for tenant in (acme, root):
        try_lists(operations, tenant, globex)
        try_filters(tenant, globex, bodies)
    try_inactive(root, server)


def main():
    folder = tempfile.mkdtemp(prefix="agentd-rbac-")
    os.chmod(folder, 0o755)
    server = Server(folder)
    try:
        test(server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
