#!/usr/bin/env python3
"""Tests of the documents: what README.md and docs/ tell people to type works, and the agents in contrib/agents/examples
do what docs/writing-agents.md says an agent does, however badly they are treated.

Speaks TAP on standard output. AGENTD and AGENTCTL name the programs, SOURCE_DIR the tree; the node has a PostgreSQL of
its own. DOCS=blocks or DOCS=agents runs a part. In documents:
- ```sh blocks are run, those of a document one after the other in one shell, in a folder that looks like a clone after
  ./quickstart. Each command must succeed.
- a ```json block right behind is the answer: each member that it shows must be there; "..." stands for any text or
  value.
- a ```text block right behind holds lines that must come, in this order; "..." stands for anything.
- ```bash, ```python and ```c blocks are taken word for word from contrib/agents/examples.
README.ko.md has the headings, blocks and links of README.md.
"""

import collections
import concurrent.futures
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse

import own_node
from own_node import Node, check

TREE = os.environ["SOURCE_DIR"]
EXAMPLES = f"{TREE}/contrib/agents/examples"
DOCUMENTS = ["README.md", "docs/getting-started.md", "docs/api-guide.md", "docs/writing-agents.md"]
AGENTS = ("shell", "python", "c")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
LONG_S = 60  # under the load of a whole `make check`
node = None
token = None


def read(path):
    with open(f"{TREE}/{path}", encoding="utf-8") as file:
        return file.read()


def blocks(text):
    """(language, content) of each fenced block, and None where other text stands between two."""
    found, inside = [], None
    for line in text.split("\n"):
        fence = re.match(r"```(\w*)$", line)
        if inside is not None:
            if fence:
                found.append((language, "\n".join(inside)))
                inside = None
            else:
                inside.append(line)
        elif fence:
            language, inside = fence.group(1), []
        elif line.strip() and found and found[-1]:
            found.append(None)
    return found


# --- what the documents say, without running it ---

def quotes_are_true():
    sources = [read(os.path.relpath(f"{folder}/{name}", TREE)) for folder, _, names in os.walk(EXAMPLES)
               for name in names]
    check("there are examples", len(sources) >= 4, sources)
    for document in DOCUMENTS[1:]:
        wrong = [block[1] for block in blocks(read(document)) if block and block[0] in ("bash", "python", "c") and
                 not any(block[1] + "\n" in source for source in sources)]
        check(f"{document} quotes the examples word for word", not wrong, wrong)


def prose(text):
    return re.sub(r"```.*?```", "", text, flags=re.S)


def anchors(text):
    headings = re.findall(r"^#+ (.*)$", prose(text), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text):
    return re.findall(r"\]\(([^)]+)\)", prose(text))


def links_lead_somewhere():
    operations = [f"docs/operations/{name}" for name in sorted(os.listdir(f"{TREE}/docs/operations"))]
    for document in [*DOCUMENTS, "README.ko.md", "docs/README.md", "docs/security.md", *operations]:
        wrong = []
        for link in links(read(document)):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
            if not os.path.exists(f"{TREE}/{target}") or (anchor and anchor not in anchors(read(target))):
                wrong.append(link)
        check(f"the links of {document} lead somewhere", not wrong, wrong)


def translation_is_whole():
    english, korean = read("README.md"), read("README.ko.md")
    levels = [re.findall(r"^(#+) ", prose(text), flags=re.M) for text in (english, korean)]
    check("README.ko.md has the headings of README.md", levels[0] == levels[1], levels)
    fenced = [[block for block in blocks(text) if block] for text in (english, korean)]
    check("and its blocks", fenced[0] == fenced[1], [one for one in zip(*fenced) if one[0] != one[1]])
    # Each is the first link of the other.
    both = [[link for link in links(text) if not re.fullmatch(r"README(\.ko)?\.md", link)]
            for text in (english, korean)]
    check("and its links", sorted(both[0]) == sorted(both[1]), set(both[0]) ^ set(both[1]))
    rows = [len(re.findall(r"^\|", text, flags=re.M)) for text in (english, korean)]
    check("and its tables", rows[0] == rows[1], rows)
    figures = [collections.Counter(re.findall(r"\d[\d,.]*\d", prose(text))) for text in (english, korean)]
    check("and its figures", figures[0] == figures[1], (figures[0] - figures[1], figures[1] - figures[0]))
    letters = len(re.findall(r"[가-힣]", korean))
    check("and is Korean", letters > 1000, letters)


# --- what the documents say, run ---

def ask(method, path, body=None, **headers):
    status, _, text = node.ask(method, "/api/v1" + path, body, Authorization=f"Bearer {token}", **headers)
    return status, json.loads(text) if text else None


def make_key(name):
    status, key = ask("POST", "/keys", {"name": name, "role": "agent"})
    assert status == 201, key
    path = f"{node.folder}/{name}.key"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(key["key"] + "\n")
    return path, key["key_id"]


def environment(**more):
    """Of a person who has set nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENT", "DOCS"))}
    return {**kept, "HOME": node.folder, "no_proxy": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1", **more}


def make_clone(name):
    """A folder with what a clone has after ./quickstart."""
    clone = f"{node.folder}/{name}"
    os.makedirs(f"{clone}/.agentd/agents")
    os.makedirs(f"{clone}/build")
    for path, target in (("contrib", f"{TREE}/contrib"), ("build/agentctl", os.environ["AGENTCTL"]),
                         ("build/agentd", os.environ["AGENTD"]), (".agentd/state", f"{node.folder}/state")):
        os.symlink(os.path.abspath(target), f"{clone}/{path}")
    with open(f"{clone}/.agentd/admin-password", "w", encoding="ascii") as file:
        file.write(own_node.PASSWORD + "\n")
    shutil.copy(make_key(name)[0], f"{clone}/.agentd/agent-key")
    subprocess.run([os.environ["AGENTCTL"], "login", "--quiet", "--server", node.url, "--username", "admin",
                    "--password-file", f"{clone}/.agentd/admin-password"], check=True, timeout=LONG_S,
                   env=environment(AGENTCTL_CONFIG=f"{clone}/.agentd/agentctl.json"))
    return clone


def is_like(wanted, seen):
    if wanted == "..." or wanted == {"...": "..."}:
        return True
    if isinstance(wanted, dict):
        return isinstance(seen, dict) and all(name == "..." or (name in seen and is_like(value, seen[name]))
                                              for name, value in wanted.items())
    if isinstance(wanted, list):
        if wanted and wanted[-1] == "...":
            return isinstance(seen, list) and all(map(is_like, wanted[:-1], seen[:len(wanted) - 1]))
        return isinstance(seen, list) and len(wanted) == len(seen) and all(map(is_like, wanted, seen))
    if isinstance(wanted, str) and "..." in wanted:
        return isinstance(seen, str) and fits(wanted, seen)
    return type(wanted) is type(seen) and wanted == seen


def fits(pattern, line):
    pattern, line = " ".join(pattern.split()), " ".join(line.split())
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("...")), line, flags=re.S) is not None


def comes(language, wanted, output):
    """Whether a block shows what came."""
    if language == "json":
        at = output.find("{") if "[" not in output or "{" in output[:output.find("[") + 1] else output.find("[")
        try:
            return is_like(json.loads(wanted), json.loads(output[at:]))
        except ValueError:
            return False
    lines = iter(output.split("\n"))
    return all(any(fits(line, seen) for seen in lines) for line in wanted.split("\n") if line.strip())


def run_document(document):
    found = blocks(read(document))
    clone = make_clone("clone-" + re.sub(r"\W", "-", document))
    folder = f"{clone}-out"
    os.mkdir(folder)
    script = "set -euo pipefail\n"
    for number, block in enumerate(found):
        if block and block[0] == "sh":
            script += f'exec >"{folder}/{number}"\n{block[1]}\n'
    script += f'exec >"{folder}/end"\n'
    with open(f"{folder}/errors", "wb") as errors:
        shell = subprocess.Popen(["bash", "-c", script], cwd=clone, env=environment(), stdin=subprocess.DEVNULL,
                                 stdout=errors, stderr=errors, start_new_session=True)
        try:
            status = shell.wait(timeout=LONG_S)
        except subprocess.TimeoutExpired:
            status = "did not end"
        finally:
            # What was started in the background too.
            try:
                os.killpg(shell.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
    with open(f"{folder}/errors", encoding="utf-8") as file:
        errors = file.read()
    results = []
    for number, block in enumerate(found):
        if not block or block[0] != "sh":
            continue
        reached = os.path.exists(f"{folder}/{number}")
        ended = any(os.path.exists(f"{folder}/{later}") for later in [*range(number + 1, len(found)), "end"])
        name = f"{document}: {block[1].strip().splitlines()[-1][:70]}"
        results.append((name, reached and ended, "not reached" if not reached else f"{status}: {errors[-1500:]}"))
        shown = found[number + 1] if number + 1 < len(found) else None
        if reached and shown and shown[0] in ("json", "text"):
            with open(f"{folder}/{number}", encoding="utf-8") as file:
                output = file.read()
            results.append((f"{name}: says what is shown", comes(*shown, output), f"{output}\nwanted:\n{shown[1]}"))
    assert results, document
    return results


# --- the example agents ---

def build_agent():
    """By the command in the head of agent.c."""
    command = re.search(r"^ \*     (cc .*)$", read("contrib/agents/examples/c/agent.c"), flags=re.M).group(1)
    words = ["-Werror" if word == "-Wall" else word for word in command.split()] + ["-Wall", "-Wconversion"]
    words[words.index("-o") + 1] = f"{node.folder}/agent"
    words[words.index("agent.c")] = f"{EXAMPLES}/c/agent.c"
    done = subprocess.run(words, capture_output=True, text=True, timeout=LONG_S)
    check("the agent in C builds as its head says", done.returncode == 0, done.stderr)


class Agent:
    def __init__(self, kind, role, key, server=None):
        command = {"shell": [f"{EXAMPLES}/shell/agent.sh", role, f"{EXAMPLES}/shell/count-words"],
                   "python": [f"{EXAMPLES}/python/agent.py", role], "c": [f"{node.folder}/agent", role]}[kind]
        self.id = f"{kind}-{role}-{os.urandom(2).hex()}"
        self.log = f"{node.folder}/{self.id}.log"
        with open(self.log, "wb") as errors:
            self.process = subprocess.Popen(
                command, stderr=errors, stdout=errors, stdin=subprocess.DEVNULL, start_new_session=True,
                env=environment(AGENTCTL_SERVER=server or node.url, AGENTCTL_KEY_FILE=key, AGENT_ID=self.id))

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            return self.process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "killed"


def make_task(role, seconds=0.0, lease_s=None, text="one two  three\n", **headers):
    body = {"role": role, "input_data": {"text": text, "seconds": seconds}, **({"lease_s": lease_s} if lease_s else {})}
    status, task = ask("POST", "/tasks", body, **headers)
    assert status == 201, task
    return task["id"]


def task_of(task_id):
    return ask("GET", f"/tasks/{task_id}")[1]


def patiently(what):
    """The first true value of what(), or the last one; does not ask as often as until()."""
    deadline = time.monotonic() + LONG_S
    while not (value := what()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return value


def wait_for(task_id, *states):
    return patiently(lambda: task if (task := task_of(task_id))["status"] in states else None) or task_of(task_id)


def outcomes(task_id):
    return [attempt["outcome"] for attempt in ask("GET", f"/tasks/{task_id}/attempts")[1]["items"]]


def times_completed(task_id):
    return len(ask("GET", f"/events?subject={task_id}&kind=task.completed")[1]["items"])


def works_and_fails(kind, key):
    agent = Agent(kind, role := f"{kind}-works", key)
    good, bad = make_task(role), ask("POST", "/tasks", {"role": role, "input_data": {}})[1]["id"]
    task = wait_for(good, "completed", "failed", "dead")
    yield f"{kind}: does a task", task["status"] == "completed" and task["output_data"] == {"words": 3}, task
    yield f"{kind}: is registered", ask("GET", f"/agents/{agent.id}")[1].get("role") == role, agent.said()
    task = wait_for(bad, "completed", "failed", "dead")
    yield (f"{kind}: says why one fails, once", task["status"] == "failed" and "text" in task["error_message"] and
           task["attempt"] == 1, task)
    yield f"{kind}: ends when asked to", (status := agent.end()) == 0, (status, agent.said())


def beats(kind, key):
    agent = Agent(kind, role := f"{kind}-beats", key)
    task = wait_for(make_task(role, 6.0, 3), "completed", "failed", "dead", "retrying")
    yield (f"{kind}: a task of 6 s with a lease of 3 s is done in one attempt", task["status"] == "completed" and
           task["attempt"] == 1, (task, agent.said()))
    agent.end()


def killed(kind, key):
    agent = Agent(kind, role := f"{kind}-killed", key)
    task_id = make_task(role, 2.0, 2)
    wait_for(task_id, "processing")
    os.killpg(agent.process.pid, signal.SIGKILL)
    agent.process.wait()
    other = Agent(AGENTS[(AGENTS.index(kind) + 1) % 3], role, key)
    task = wait_for(task_id, "completed", "failed", "dead")
    yield (f"{kind}: killed with -9, its task is done by another, once", task["status"] == "completed" and
           task["leased_by"] == other.id and outcomes(task_id) == ["complete", "expire"] and
           times_completed(task_id) == 1, (task, outcomes(task_id), other.said()))
    other.end()


def stopped(kind, key):
    agent = Agent(kind, role := f"{kind}-stopped", key)
    task_id = make_task(role, 1.0, 1)
    wait_for(task_id, "processing")
    os.killpg(agent.process.pid, signal.SIGSTOP)
    # Its word does not count any more when it wakes up: it is told 409.
    patiently(lambda: "expire" in outcomes(task_id))
    other = ask("POST", "/tasks/lease", {"roles": [role], "agent_id": "other", "wait_s": 10})[1]["tasks"][0]
    status, _ = ask("POST", f"/tasks/{task_id}/complete", {"epoch": other["epoch"], "output_data": "of the other"})
    os.killpg(agent.process.pid, signal.SIGCONT)
    lost = patiently(lambda: re.search("lease|409", agent.said()))
    task = task_of(task_id)
    yield (f"{kind}: stopped past its lease, it is refused and changes nothing", status == 200 and lost and
           task["output_data"] == "of the other" and times_completed(task_id) == 1, (status, agent.said(), task))
    task = wait_for(make_task(role), "completed", "failed", "dead")
    yield f"{kind}: and goes on", task["leased_by"] == agent.id and task["status"] == "completed", task
    agent.end()


def cancelled(kind, key):
    agent = Agent(kind, role := f"{kind}-cancelled", key)
    task_id = make_task(role, 300.0, 2)
    wait_for(task_id, "processing")
    ask("POST", f"/tasks/{task_id}/cancel")
    task = wait_for(make_task(role), "completed", "failed", "dead")
    yield (f"{kind}: a cancelled task is dropped at the next beat", task["status"] == "completed" and
           "stopped" in agent.said() and task_of(task_id)["status"] == "cancelled", (task, agent.said()))
    task_id = make_task(role, 300.0, 4)
    wait_for(task_id, "processing")
    status = agent.end()
    task = task_of(task_id)
    yield (f"{kind}: SIGTERM hands the task back, no attempt is burnt", status == 0 and task["status"] == "pending" and
           task["retry_count"] == 0 and outcomes(task_id) == ["release"], (status, task, agent.said()))
    ask("POST", f"/tasks/{task_id}/cancel")


class Bad(http.server.BaseHTTPRequestHandler):
    """Between agent and node: the first of each kind of request goes wrong, each in its way."""
    protocol_version = "HTTP/1.1"
    troubles = {"agents": 503, "lease": 429, "heartbeat": 500, "complete": "lost"}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = urllib.parse.urlsplit(self.path).path.rsplit("/", 1)[1]
        trouble = self.troubles[kind] if kind not in self.server.seen else None
        self.server.seen.append(kind)
        self.server.traces[kind] = self.headers["traceparent"]
        if isinstance(trouble, int):
            self.give(trouble, b"<html>not from agentd</html>", "text/html")
            return
        status, headers, text = node.ask("POST", self.path, body, Authorization=self.headers["Authorization"])
        if trouble == "lost":
            self.close_connection = True
        else:
            self.give(status, text.encode(), headers["Content-Type"])

    def give(self, status, body, content_type):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if status in (429, 503):
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def trouble(kind, key):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bad)
    server.daemon_threads = True
    server.seen, server.traces = [], {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    agent = Agent(kind, role := f"{kind}-trouble", key, f"http://127.0.0.1:{server.server_address[1]}")
    task_id = make_task(role, 3.0, 4, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    task = wait_for(task_id, "completed", "failed", "dead")
    patiently(lambda: server.seen.count("complete") == 2)
    yield (f"{kind}: 503, 429, 500 and a lost answer: asked again, done once", task["status"] == "completed" and
           task["attempt"] == 1 and times_completed(task_id) == 1 and server.seen.count("complete") == 2 and
           server.seen.count("agents") == 2, (task, server.seen, agent.said()))
    yield (f"{kind}: the result is sent in the trace of who made the task", TRACE in (server.traces.get("complete") or ""),
           server.traces)
    agent.end()
    server.shutdown()
    server.server_close()


def revoked(kind, _):
    key, key_id = make_key(f"revoked-{kind}")
    agent = Agent(kind, f"{kind}-revoked", key)
    patiently(lambda: ask("GET", f"/agents/{agent.id}")[0] == 200)
    ask("POST", f"/keys/{key_id}/revoke")
    try:
        status = agent.process.wait(LONG_S)
    except subprocess.TimeoutExpired:
        status = agent.end()
    yield (f"{kind}: with a key that was revoked it ends and says so", status == 1 and "not allowed" in agent.said(),
           (status, agent.said()))


def without_exception(job):
    try:
        return job()
    except Exception:
        return [("a case could not go on", False, traceback.format_exc())]


def main():
    global node, token
    part = os.environ.get("DOCS", "all")
    for program in ("curl", "jq", "cc"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: ./quickstart check installs it (as root: apt-get install curl jq gcc)")
    quotes_are_true()
    links_lead_somewhere()
    translation_is_whole()
    node = Node()
    try:
        token = node.login()
        jobs = []
        if part in ("all", "blocks"):
            jobs += [lambda document=document: run_document(document) for document in DOCUMENTS]
        if part in ("all", "agents"):
            build_agent()
            key, _ = make_key("examples")
            jobs += [lambda case=case, kind=kind: list(case(kind, key)) for kind in AGENTS
                     for case in (beats, trouble, killed, stopped, cancelled, works_and_fails, revoked)]
        # All at once: each waits most of the time.
        with concurrent.futures.ThreadPoolExecutor(max_workers=len(jobs)) as pool:
            for results in pool.map(without_exception, jobs):
                for result in results:
                    check(*result)
    finally:
        check("the node ends well", node.stop() == 0)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
