#!/usr/bin/env python3
"""backup.py - a backup that was made under load is whole, what is done to its file is found, and it comes back into a
cluster at work: nothing acknowledged before it is lost, and nobody from before it, or from the time that is lost, is
believed.

A holder keeps leases through the restore, of before the backup and of after it: each of them must be refused, and each of
their tasks be done once. AGENTD names the program; see stage.py for the rest.
"""

import concurrent.futures
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import client
import cluster
import forge
import node
import processes
import stage
import tap

KEY = "Qp7-backups-of-these-tests-are-sealed-with-this"
MAKERS, WORKERS = (4, 4) if stage.FULL else (2, 2)
LOAD_S = 10 if stage.FULL else 0.7
KEPT = 5
ASKED = 20  # times that each node has to answer in a row before it is held to serve


def agentd(stage_, *arguments, database=None, number=1, reads=None, writes=None, **settings):
    """One command of the program, with the settings of the node: its end. reads, writes: files for input and output."""
    one = stage_.nodes[number - 1]
    environment = dict(one.environment, **settings)
    if database:
        environment["AGENTD_DATABASE_URL"] = database
    with open(reads or os.devnull, "rb") as stdin, open(writes or os.devnull, "wb") as stdout:
        end = subprocess.run(
            [os.environ["AGENTD"], *arguments], env=environment, cwd=one.folder, timeout=120, check=False,
            stdin=stdin, stdout=stdout if writes else subprocess.PIPE,
            stderr=subprocess.PIPE if writes else subprocess.STDOUT, text=True,
        )  # fmt: skip
    if writes:
        end.stdout = end.stderr
    return end


class Load:
    """Makers and workers that go on through everything; what was acknowledged, and when it was asked for and answered."""

    def __init__(self, nodes, token):
        self.nodes, self.token = nodes, token
        self.lock, self.stopping, self.threads = threading.Lock(), threading.Event(), []
        self.going = threading.Event()
        self.going.set()
        self.workflows = {}  # id -> (answered, its Idempotency-Key, body)
        self.completed = []  # (asked, answered, task, epoch)
        self.errors = []
        for number in range(MAKERS):
            self._run(self._make, number)
        for number in range(WORKERS):
            self._run(self._work, number)

    def _run(self, what, number):
        self.threads.append(threading.Thread(target=what, args=(number,), daemon=True))
        self.threads[-1].start()

    def _make(self, number):
        mine, made = client.Client(self.nodes, self.token), 0
        while not self.stopping.is_set():
            self.going.wait()
            made += 1
            body = {"description": "load", "tasks": [
                {"key": "a", "role": "load"}, {"key": "b", "role": "load", "depends_on": ["a"]}]}  # fmt: skip
            key = f"make-{number}-{made}"
            status, answer = mine.ask("POST", "/workflows", body, key)
            if status == 201:
                with self.lock:
                    self.workflows[answer["id"]] = (time.monotonic(), key, body)
            elif client.is_certain(status):
                self.errors.append((status, answer))
            time.sleep(0.005)

    def _work(self, number):
        mine = client.Client(self.nodes, self.token)
        while not self.stopping.is_set():
            status, answer = mine.ask("POST", "/tasks/lease", {
                "roles": ["load"], "agent_id": f"worker-{number}", "max": 5, "wait_s": 1, "lease_s": 5})  # fmt: skip
            for task in answer["tasks"] if status == 200 else []:
                self.complete(mine, task["id"], task["epoch"], f"by worker-{number}")
            if not client.is_certain(status):
                time.sleep(0.02)

    def complete(self, mine, task, epoch, output):
        asked = time.monotonic()
        status, answer = mine.ask("POST", f"/tasks/{task}/complete", {"epoch": epoch, "output_data": output})
        if status == 200:
            with self.lock:
                self.completed.append((asked, time.monotonic(), task, epoch))
        return status, answer

    def stop(self):
        self.going.set()
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)


def log_in(stage_):
    mine = client.Client(stage_.nodes)
    status, answer = mine.ask("POST", "/auth/login", {"username": "admin", "password": node.PASSWORD})
    if status != 200:
        raise SystemExit(f"no login: {status} {answer}")
    return client.Client(stage_.nodes, answer["access_token"])


def make_key(admin, name):
    status, answer = admin.ask("POST", "/keys", {"name": name, "type": "secret", "role": "admin", "rate_limit": 1000000000})
    if status != 201:
        raise SystemExit(f"no key: {status} {answer}")
    return answer["key_id"], answer["key"]


def keep_leases(mine, agent):
    """Leases that this one will not give back: {task: epoch}."""
    mine.ask("POST", "/tasks", [{"role": f"kept-{agent}", "description": "kept"} for _ in range(KEPT)])
    status, answer = mine.ask("POST", "/tasks/lease", {
        "roles": [f"kept-{agent}"], "agent_id": agent, "max": KEPT, "lease_s": 600})  # fmt: skip
    return {task["id"]: task["epoch"] for task in answer["tasks"]} if status == 200 else {}


def place(cursor):
    """Where in the order an event, or the end of what could be read, stands."""
    return tuple(int(part) for part in cursor.split("-")[:2])


def read_events(mine, after):
    """All events from there up to now: their ids, and the cursor behind the last."""
    status, answer = mine.ask("GET", "/events?after=latest")
    if status != 200:
        return [], status
    ids, cursor, end = [], after, place(answer["next_cursor"])
    while True:
        status, answer = mine.ask("GET", f"/events?limit=500&after={cursor}" if cursor else "/events?limit=500")
        if status != 200:
            return ids, status
        ids += [item["id"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if not answer["items"] or place(cursor) >= end:
            return ids, cursor


def open_stream(one, token):
    link = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)
    link.request("GET", "/api/v1/events/stream", headers={"Authorization": f"Bearer {token}"})
    return link, link.getresponse()


def serves(one, token):
    """A new connection, so that every worker is asked in the end."""
    mine = client.Client([one], token)
    status, _ = mine.ask("GET", "/workflows?limit=1")
    mine.close()
    return status == 200


def check_proof(stage_, folder):
    """Both files, in a server of their own and beside the one in use."""
    plain, sealed = f"{folder}/plain", f"{folder}/sealed"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        proofs = (
            ("a backup that was made under load is proven", pool.submit(agentd, stage_, "restore", plain, "--verify")),
            ("so is one that is sealed, from standard input",
             pool.submit(agentd, stage_, "restore", "-", "--verify", reads=sealed, AGENTD_BACKUP_KEY=KEY)),
            ("beside the database in use too", pool.submit(agentd, stage_, "restore", plain, "--verify", "--beside")),
        )
    for name, proof in proofs:
        end = proof.result()
        tap.check(name, end.returncode == 0 and "every check passed" in end.stdout, end.stdout)
    rows = stage_.cluster.query("SELECT verified_at IS NOT NULL, verify_ms > 0 FROM backups WHERE status = 'done' AND NOT scheduled")
    tap.check("what was proven is on record", rows == [["t", "t"], ["t", "t"]], rows)
    left = stage_.cluster.query("SELECT datname FROM pg_database WHERE datname LIKE 'agentd_verify%'")
    tap.check("no scratch database is left", not left, left)
    with open(sealed, "rb") as file:
        tap.check("a sealed backup shows nothing", b"worker-0" not in file.read())


def forgeries(data):
    """What is done to the file, the file, and all that has to be said of it."""
    yield "cut off", data[: len(data) * 2 // 3], "it ends in the middle"
    at = len(data) // 2
    yield "one bit flipped", data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :], "was changed or damaged"
    backup = forge.Backup(data)
    backup.put_rows("tasks", backup.rows("tasks")[1:], tell=False)
    yield "a row taken out", backup.write(), "rows are missing"
    backup = forge.Backup(data)
    backup.put_rows("workflows", backup.rows("workflows")[:-1])
    rows = backup.rows("tasks")
    next(row for row in rows if row["status"] == "processing")["lease_until"] = r"\N"
    backup.put_rows("tasks", rows)
    rows = backup.rows("audit_log")
    rows[3]["actor"] = "nobody"
    backup.put_rows("audit_log", rows)
    yield (
        "a workflow taken out, a lease without an end, a row of the audit log changed, and all counts and tags made to fit",
        backup.write(), "workflows that are not there", "state and lease contradict", "The audit log was touched",
    )  # fmt: skip


def check_tampering(stage_, folder):
    with open(f"{folder}/plain", "rb") as file:
        data = file.read()
    tried = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for number, (what, forged, *said) in enumerate(forgeries(data)):
            with open(f"{folder}/forged{number}", "wb") as file:
                file.write(forged)
            tried.append((what, said, pool.submit(agentd, stage_, "restore", f"{folder}/forged{number}", "--verify")))
    for what, said, trial in tried:
        end = trial.result()
        tap.check(f"found: {what}", end.returncode == 1 and all(one in end.stdout for one in said), end.stdout)
    for what, said, settings in (
        ("another key", "is not the key", {"AGENTD_BACKUP_KEY": KEY[::-1]}),
        ("no key", "it is encrypted", {}),
    ):
        end = agentd(stage_, "restore", f"{folder}/sealed", "--verify", **settings)
        tap.check(f"found: {what}", end.returncode == 1 and said in end.stdout, end.stdout)
    end = agentd(stage_, "restore", f"{folder}/plain")
    tap.check("a database that is not empty is left alone",
              end.returncode == 1 and "is not empty" in end.stdout and "--replace" in end.stdout, end.stdout)  # fmt: skip


def check_fence(stage_, mine, before, after):
    """Holders of before the restore, and of a time that is lost."""
    believed = []
    for task, epoch in {**before, **after}.items():
        for what, body in (("heartbeat", {}), ("complete", {"output_data": "late"}), ("fail", {"error_message": "late"})):
            status, answer = mine.ask("POST", f"/tasks/{task}/{what}", {"epoch": epoch, **body})
            if status != (409 if task in before else 404):
                believed.append((what, task, status, answer))
    tap.check_none("every lease from before is refused", believed)
    status, answer = mine.ask("POST", "/tasks/lease", {
        "roles": ["kept-early", "kept-late"], "agent_id": "heir", "max": 100, "wait_s": 5, "lease_s": 600})  # fmt: skip
    tasks = {task["id"]: task["epoch"] for task in answer["tasks"]} if status == 200 else {}
    tap.check("what they held is leased again, once, with higher numbers",
              set(tasks) == set(before) and all(tasks[one] > before[one] for one in tasks), answer)  # fmt: skip
    believed = [one for one in before if mine.ask("POST", f"/tasks/{one}/complete", {"epoch": before[one]})[0] != 409]
    tap.check_none("and still refused to those who had them", believed)
    for task, epoch in tasks.items():
        mine.ask("POST", f"/tasks/{task}/complete", {"epoch": epoch, "output_data": "right"})


def check_ledger(stage_, load, began, restored):
    """Every acknowledgement of before the backup, and how often each task was done since."""
    found = {row[0] for row in stage_.cluster.query("SELECT id FROM workflows UNION ALL SELECT id FROM workflows_done")}
    lost = [one for one, (answered, _, _) in load.workflows.items() if answered < began and one not in found]
    tap.check_none("no workflow acknowledged before the backup is lost", lost)
    done = {row[0] for row in stage_.cluster.query("SELECT id FROM tasks WHERE status = 'completed'")}
    lost = [task for _, answered, task, _ in load.completed if answered < began and task not in done]
    tap.check_none("no completion acknowledged before the backup is lost", lost)
    early = {task for _, answered, task, _ in load.completed if answered < began}
    late = [task for asked, _, task, _ in load.completed if asked > restored]
    twice = [task for task in late if task in early] + [task for task in set(late) if late.count(task) > 1]
    tap.check_none("nothing is done again that was done, and nothing twice", twice)
    tap.note(f"{len(load.workflows)} workflows, {len(early)} tasks done before the backup, {len(late)} since the restore")


def check_identities(stage_, admin, revoked, load, began):
    for what, mine in (
        ("tokens of before the restore are refused", admin),
        ("a key that was revoked after the backup stays revoked", client.Client(stage_.nodes, revoked)),
    ):
        refused = [mine.ask("GET", "/auth/me")[0] for _ in range(ASKED)]
        tap.check(what, set(refused) == {401}, refused)
    one, (_, key, body) = next((one, known) for one, known in load.workflows.items() if known[0] < began)
    # Keys belong to who used them.
    status, answer = client.Client(stage_.nodes, load.token).ask("POST", "/workflows", body, key)
    tap.check("an Idempotency-Key of before the backup is answered as then", status == 201 and answer["id"] == one, (status, one))


def check_restore(stage_, load, folder, began, kept, seen, admin, revoked):
    cursor, ids, last = seen
    mine = client.Client(stage_.nodes, load.token)
    link, stream = open_stream(stage_.nodes[0], load.token)
    after = keep_leases(mine, "late")
    end = agentd(stage_, "restore", f"{folder}/plain", "--replace")
    restored = time.monotonic()
    tap.check("it is restored while the nodes work", end.returncode == 0, end.stdout)
    back = processes.wait_until(lambda: all(serves(one, load.token) for one in stage_.nodes * ASKED), 10)
    tap.check("the nodes serve again", back)
    check_fence(stage_, mine, kept, after)
    check_identities(stage_, admin, revoked, load, began)
    horizon = int(forge.Backup(open(f"{folder}/plain", "rb").read()).head()["horizon"])
    expected = [one for one in ids if int(one.split("-")[0]) < horizon]
    now, _ = read_events(mine, cursor)
    tap.check("a reader from before the backup goes on without a gap and sees nothing twice",
              now[: len(expected)] == expected and len(set(now)) == len(now) and len(now) > len(expected),
              (len(now), len(expected)))  # fmt: skip
    _, status = read_events(mine, last)
    tap.check("a reader from the time that is lost is told so", status == 410, status)
    try:
        while stream.read(65536):
            pass
        ended = True
    except OSError as error:
        ended = error
    tap.check("a stream ends, so that its reader comes again", ended is True, ended)
    link.close()
    return restored


def check_elsewhere(stage_, folder, load, seen):
    """Into an empty database of another server, which counts its transactions from the beginning; nodes start afterwards."""
    cursor, _, last = seen
    other = cluster.Cluster(f"{stage_.folder}/other")
    stage_.cleanup.callback(other.stop)
    end = agentd(stage_, "restore", f"{folder}/sealed", database=other.url, AGENTD_BACKUP_KEY=KEY)
    tap.check("a sealed backup is restored into an empty database", end.returncode == 0, end.stdout)
    end = agentd(stage_, "audit", "verify", database=other.url)
    tap.check("its audit log is whole, with the restore in it", end.returncode == 0, end.stdout)
    one = node.Node(len(stage_.nodes) + 1, f"{stage_.folder}/elsewhere", other.url)
    stage_.cleanup.callback(one.stop)
    one.start()
    one.wait_ready()
    mine = client.Client([one], load.token)
    mine.ask("POST", "/tasks", {"role": "new", "description": "made after the restore"})

    def newest():
        ids, _ = read_events(mine, cursor)
        return ids and int(ids[-1].split("-")[0]) > int(last.split("-")[0])

    tap.check("a reader goes on there, though the server's numbers are lower", processes.wait_until(newest, 10),
              read_events(mine, cursor)[0][-2:])  # fmt: skip
    _, status = read_events(mine, last)
    tap.check("and from the time that is lost he is told so", status == 410, status)


def scheduled(stage_, status):
    return stage_.cluster.value(f"SELECT count(*) FROM backups WHERE scheduled AND status = '{status}'")


def is_due_again(stage_):
    """As if a day had passed."""
    stage_.cluster.run("UPDATE backups SET started_at = started_at - interval '2 days'")


def said(stage_, token):
    """What every node says of backups."""
    parts = []
    for one in stage_.nodes:
        _, answer = client.Client([one], token).ask("GET", "/health/report")
        parts += [part for part in (answer or {}).get("components", []) if part["name"] == "backup"]
    return [(part["status"], part["message"]) for part in parts]


def check_schedule(stage_, folder):
    """The nodes make one at their start, and another one each time that a day has passed; two are kept."""
    token = log_in(stage_).token
    for round_ in range(1, 4):
        made = processes.wait_until(lambda: scheduled(stage_, "done") >= round_, 30)  # pylint: disable=cell-var-from-loop
        tap.check(f"backup {round_} by schedule is made", made, said(stage_, token))
        if round_ < 3:
            is_due_again(stage_)
    processes.wait_until(lambda: len(os.listdir(folder)) <= 2, 10)
    kept = sorted(os.listdir(folder))
    rows = stage_.cluster.query(
        "SELECT file, verified_at IS NOT NULL FROM backups WHERE scheduled ORDER BY started_at DESC LIMIT 2")
    tap.check("each by one node only, two are kept, and each is proven", scheduled(stage_, "done") == 3 and
              [[f"{folder}/{name}", "t"] for name in reversed(kept)] == rows, (kept, rows))  # fmt: skip
    os.rename(folder, folder + ".gone")
    is_due_again(stage_)
    failed = processes.wait_until(lambda: scheduled(stage_, "failed") == 1, 30)
    error = stage_.cluster.query("SELECT error FROM backups WHERE status = 'failed'")
    tap.check("one that fails is on record", failed and "cannot be written" in error[0][0], error)
    seen = processes.wait_until(lambda: len(warned := [one for one in said(stage_, token) if one[0] == "warning" and
                                "cannot be written" in one[1]]) == 2 and warned, 10)  # fmt: skip
    tap.check("every node says so in its health", seen, said(stage_, token))
    os.rename(folder + ".gone", folder)
    stage_.cluster.run("UPDATE backups SET started_at = started_at - interval '11 minutes'")
    made = processes.wait_until(lambda: scheduled(stage_, "done") == 4, 30)
    tap.check("it is tried again after ten minutes", made, said(stage_, token))
    healthy = processes.wait_until(lambda: [one[0] for one in said(stage_, token)] == ["healthy"] * 2, 10)
    tap.check("and then all is well", healthy, said(stage_, token))


def check_all(stage_):
    folder = f"{stage_.folder}/backups"
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    admin = log_in(stage_)
    load = Load(stage_.nodes, make_key(admin, "load")[1])
    revoked_id, revoked = make_key(admin, "to be revoked")
    mine = client.Client(stage_.nodes, load.token)
    kept = keep_leases(mine, "early")
    _, cursor = read_events(mine, None)
    time.sleep(LOAD_S)
    began = time.monotonic()
    end = agentd(stage_, "backup", f"{folder}/plain")
    tap.check("a plain backup is made under load", end.returncode == 0, end.stdout)
    end = agentd(stage_, "backup", "-", writes=f"{folder}/sealed", AGENTD_BACKUP_KEY=KEY)
    tap.check("a sealed backup is made under load, to standard output", end.returncode == 0, end.stdout)
    admin.ask("POST", f"/keys/{revoked_id}/revoke")
    time.sleep(LOAD_S)
    load.going.clear()  # what is looked at now lies still
    check_proof(stage_, folder)
    check_tampering(stage_, folder)
    load.going.set()
    time.sleep(LOAD_S)
    ids, last = read_events(mine, cursor)
    restored = check_restore(stage_, load, folder, began, kept, (cursor, ids, last), admin, revoked)
    time.sleep(LOAD_S)
    load.stop()
    check_ledger(stage_, load, began, restored)
    tap.check_none("no request was refused wrongly", load.errors)
    check_elsewhere(stage_, folder, load, (cursor, ids, last))


def test():
    with tempfile.TemporaryDirectory(prefix="agentd-backups.", dir="/tmp") as top:
        folder = f"{top}/here"
        os.mkdir(folder)
        for one in top, folder:
            os.chmod(one, 0o777)
        settings = {"DIR": folder, "SCHEDULE": "1d", "KEEP": "2", "VERIFY": "on"}
        with stage.Stage(2, **{f"AGENTD_BACKUP_{name}": value for name, value in settings.items()}) as stage_:
            run(stage_, folder)


def run(stage_, folder):
    stage_.cluster.run("ALTER ROLE agentd CREATEDB")
    check_schedule(stage_, folder)
    check_all(stage_)
    stage_.stop_nodes()


if __name__ == "__main__":
    sys.exit(stage.run(test))
