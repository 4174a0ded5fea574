#!/usr/bin/env python3
"""test_metrics.py - /metrics: where it is, what it says, and what a real Prometheus makes of it.

TAP on standard output. Starts a node (TLS, Redis, two workers), loads it a little, kills its workers, reloads; a
Prometheus with the configuration of contrib/prometheus scrapes it every second, and every expression of the dashboards
and alerts is evaluated. AGENTD names the program. Needs prometheus with promtool, and redis-server.
"""

import glob
import http.client
import json
import math
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request

import own_node
from own_node import check, until

TREE = os.environ.get("SOURCE_DIR", ".")
TOKEN = "only-for-this-test-0815"
LABELS = {"component", "duty", "endpoint", "event", "family", "le", "policy", "process", "reason", "role", "severity",
          "stage", "status", "verdict", "version"}
# Expressions that have nothing to show while nothing is wrong.
EMPTY = {"agentd_duty_failures_total": "no duty fails here", "agentd_backup_": "there is no backup"}
SERIES = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Scrape:
    """One look at /metrics: series by their text, and the types of the families."""

    def __init__(self, text):
        self.text = text
        self.values, self.types = {}, {}
        self.doubles = []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                self.types[line.split()[2]] = line.split()[3]
            elif not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                if series in self.values:
                    self.doubles.append(series)
                self.values[series] = float(value)

    def counters(self):
        """Everything that may never fall: counters, and what histograms are made of."""
        for series, value in self.values.items():
            name = series.split("{")[0]
            family = re.sub("_(bucket|sum|count)$", "", name)
            if self.types.get(name) == "counter" or self.types.get(family) == "histogram":
                yield series, value

    def sum(self, prefix):
        return sum(value for series, value in self.values.items() if series.startswith(prefix))


def connect(node):
    with open(f"{node.folder}/state/metrics_url", encoding="ascii") as file:
        return http.client.HTTPConnection(urllib.parse.urlsplit(file.read().strip()).netloc, timeout=10)


def ask(node, path, method="GET", token=TOKEN):
    connection = connect(node)
    connection.request(method, path, headers={"Authorization": "Bearer " + token} if token else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def scrape(node):
    return Scrape(ask(node, "/metrics")[2])


def test_port(node):
    status, headers, body = ask(node, "/metrics")
    check("the metrics port answers in plain HTTP though the API speaks TLS",
          (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8"),
          (status, str(headers)))
    check("it is what a node is", 'agentd_build_info{version="' in body and "agentd_start_time_seconds " in body,
          body[:500])
    seen = [ask(node, "/metrics", token=token)[0] for token in (None, "", TOKEN[:-1], TOKEN + "x")]
    check("without the token nobody reads it", seen == [401] * 4, seen)
    seen = [ask(node, path, token=None)[0] for path in ("/livez", "/readyz", "/startupz")]
    check("probes need none", seen == [200] * 3, seen)
    paths = ("/", "/health", "/openapi.json", "/api/v1/tasks", "/metrics/", "/metrics/x")
    seen = [ask(node, path)[0] for path in paths]
    check("nothing else is there", seen == [404] * 6, seen)
    seen = [ask(node, "/metrics", method)[0] for method in ("POST", "PUT", "DELETE", "OPTIONS")]
    check("metrics are only read", seen == [404] * 4, seen)
    seen = [node.ask("GET", path, Authorization="Bearer " + TOKEN)[0] for path in ("/metrics", "/metrics/system")]
    check("and on the port of the API there are none", seen == [404] * 2, seen)


def test_text(node, openapi):
    text = ask(node, "/metrics")[2]
    result = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    check("promtool check metrics is clean", result.returncode == 0 and not result.stdout + result.stderr,
          result.stdout + result.stderr)
    labels, endpoints = set(), set()
    for line in text.splitlines():
        match = None if line.startswith("#") else SERIES.match(line)
        for name, value in LABEL.findall(match[2] or "") if match else ():
            labels.add(name)
            if name == "endpoint":
                endpoints.add(value)
    check("labels are those that are bounded", labels <= LABELS, labels - LABELS)
    known = {operation["operationId"] for path in openapi["paths"].values() for operation in path.values()}
    check("an endpoint is an operationId", endpoints and endpoints <= known | {"other", "metrics"}, endpoints - known)
    check("no series is there twice", not Scrape(text).doubles, Scrape(text).doubles)


def test_counts(node):
    before = scrape(node)
    for path, times in (("/livez", 40), ("/nothing/here", 10)):
        connection = node.connection()
        for _ in range(times):
            node.ask("GET", path, connection=connection)
        connection.close()
    after = scrape(node)
    for name, prefix, times in (
            ("requests are counted, each once", 'agentd_http_requests_total{endpoint="livez",status="2xx"}', 40),
            ("and timed", 'agentd_http_request_duration_seconds_count{endpoint="livez"}', 40),
            ("what no endpoint is for is `other`", 'agentd_http_requests_total{endpoint="other",status="4xx"}', 10),
            ("the stage that refused is known", 'agentd_http_stage_errors_total{stage="route"}', 10)):
        check(name, after.sum(prefix) - before.sum(prefix) == times, (before.sum(prefix), after.sum(prefix)))


class Load(threading.Thread):
    """Agents, people and strangers, a little of each, until told to stop."""

    def __init__(self, node, token):
        super().__init__()
        self.node, self.token, self.over, self.failure = node, token, threading.Event(), None
        self.connection = node.connection()

    def api(self, method, path, body=None, token=None):
        status, _, text = self.node.ask(method, "/api/v1" + path, body, self.connection,
                                        Authorization="Bearer " + (token or self.token))
        return status, json.loads(text) if text else None

    def turn(self):
        self.api("POST", "/tasks", [{"role": "sena", "description": "d"} for _ in range(12)])
        self.api("POST", "/tasks", {"role": "nobody's \"role\"\\", "description": "d"})
        self.api("POST", "/tasks", {"role": "가" * 40, "description": "d"})
        self.api("POST", "/workflows", {"description": "d",
                                        "tasks": [{"key": "a", "role": "sena", "description": "d"}]})
        self.api("POST", "/messages", {"from_agent_id": "a", "to_agent_id": "b", "message_type": "m", "content": {}})
        _, leased = self.api("POST", "/tasks/lease", {"roles": ["sena"], "agent_id": "a", "max": 4})
        for at, task in enumerate(leased["tasks"]):
            self.api("POST", f"/tasks/{task['id']}/heartbeat", {"epoch": task["epoch"]})
            self.api("POST", f"/tasks/{task['id']}/complete", {"epoch": task["epoch"] + (at == 0), "output_data": {}})
        self.api("POST", "/tasks/lease", {"roles": ["rune"], "agent_id": "a", "wait_s": 0.1})
        self.api("GET", "/tasks", token="ak_wrong")

    def run(self):
        stream = self.node.connection()
        stream.request("GET", "/api/v1/events/stream", headers={"Authorization": "Bearer " + self.token})
        while not self.over.is_set():
            try:
                self.turn()
            except (OSError, http.client.HTTPException):  # its worker was killed
                self.connection.close()
            except Exception as error:  # pylint: disable=broad-except
                self.failure = repr(error)
                return
        stream.close()
        self.connection.close()


class Watch(threading.Thread):
    """Scrapes all the time, and remembers every counter that fell."""

    def __init__(self, node):
        super().__init__()
        self.node, self.over, self.looks = node, threading.Event(), 0
        self.highest, self.fallen, self.doubles = {}, [], []

    def run(self):
        while not self.over.is_set():
            try:
                seen = scrape(self.node)
            except (OSError, http.client.HTTPException):
                continue
            self.looks += 1
            self.doubles += seen.doubles
            for series, value in seen.counters():
                if value < self.highest.get(series, 0):
                    self.fallen.append((series, self.highest[series], value))
                self.highest[series] = value
            self.over.wait(0.05)


def test_kill(node, watch):
    """kill -9, a reload, an upgrade (to the same program): nothing that was counted is lost."""
    before = scrape(node)
    for pid in node.workers():
        os.kill(pid, signal.SIGKILL)
        until(lambda gone=pid: len(node.workers()) == 2 and gone not in node.workers())
    restarts = until(lambda: scrape(node).sum("agentd_process_restarts_total") >= 2)
    check("restarts are counted by process", restarts, scrape(node).text[-1500:])
    node.process.send_signal(signal.SIGHUP)
    check("a new generation serves after a reload", node.logged("a new generation serves"), node.log()[-1000:])
    node.process.send_signal(signal.SIGUSR2)
    check("and after an upgrade", node.logged("a new generation serves", 2), node.log()[-1000:])
    after = scrape(node)
    lost = [series for series, value in before.counters() if after.values.get(series, 0) < value]
    check("what killed and replaced workers counted is still there", not lost, lost[:5])
    workers = [series for series in after.values if series.startswith("agentd_http_connections{")]
    check("places of processes stay two workers", len(workers) == 2, workers)
    check("no counter fell between two looks, and none was there twice",
          watch.looks > 5 and not watch.fallen and not watch.doubles,
          (watch.looks, watch.fallen[:5], watch.doubles[:5]))


# --- Prometheus ---

def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Prometheus:
    """contrib/prometheus as it is, but for whom it asks and how often."""

    def __init__(self, node):
        self.folder = tempfile.mkdtemp(prefix="agentd-prometheus-")
        for name in ("prometheus.yml", "alerts.yml"):
            shutil.copy(f"{TREE}/contrib/prometheus/{name}", self.folder)
        with open(f"{self.folder}/agentd.token", "w", encoding="ascii") as file:
            file.write(TOKEN)
        config = f"{self.folder}/prometheus.yml"
        with open(config, encoding="utf-8") as file:
            text = file.read()
        target = urllib.parse.urlsplit(self.url_of(node)).netloc
        text = re.sub(r"(_interval): 15s", r"\1: 1s", text).replace('"agentd1:8000", "agentd2:8000"', f'"{target}"')
        text = text.replace("  - job_name: agentd\n", "  - job_name: agentd\n    authorization: "
                            f"{{credentials_file: {self.folder}/agentd.token}}\n")
        assert target in text and "1s" in text and "agentd.token}" in text
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        self.port = free_port()
        self.log = open(f"{self.folder}/log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)

    @staticmethod
    def url_of(node):
        with open(f"{node.folder}/state/metrics_url", encoding="ascii") as file:
            return file.read().strip()

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            return {"result": [], "error": error.read().decode()}
        except OSError:
            return {"result": [], "error": "does not answer"}

    def has(self, expression):
        """True if it gives a number that is one."""
        found = self.get("query", query=expression)
        return any(not math.isnan(float(sample["value"][1])) for sample in found["result"])

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def expressions():
    """(where, expression) of the dashboards, with what Grafana puts in for its variables."""
    for path in sorted(glob.glob(f"{TREE}/contrib/grafana/dashboards/*.json")):
        with open(path, encoding="utf-8") as file:
            dashboard = json.load(file)
        places = [(panel["title"], target["expr"]) for panel in dashboard["panels"]
                  for target in panel.get("targets", ())]
        places += [(note["name"], note["expr"]) for note in dashboard["annotations"]["list"]]
        for title, expression in places:
            yield title, expression.replace("$__rate_interval", "10s").replace("$instance", ".*")


def test_expressions(prometheus):
    left = {expression: title for title, expression in expressions()}
    total = len(left)

    def evaluate():
        for expression in [*left]:
            if prometheus.has(expression):
                del left[expression]
        return not [expression for expression in left if not excused(expression)]

    def excused(expression):
        return any(name in expression for name in EMPTY)

    until(evaluate, 10)
    missing = {title: expression for expression, title in left.items() if not excused(expression)}
    check(f"every expression of the dashboards ({total}) has data, or is excused ({len(left)})",
          total > 50 and not missing, json.dumps(missing, indent=1))
    excuses = {name for name in EMPTY if any(name in expression for expression in left)}
    check("what is excused is really empty", excuses == set(EMPTY), excuses)


def test_rules(prometheus):
    def rules():
        groups = prometheus.get("rules").get("groups", ())
        return [rule for group in groups for rule in group["rules"] if rule["health"] != "unknown"]
    until(lambda: len(rules()) >= 15)
    bad = [rule for rule in rules() if rule["health"] != "ok"]
    check("Prometheus evaluates every alert", len(rules()) >= 15 and not bad, bad or rules())
    unknown = set()
    for rule in rules():
        for name in re.findall(r"agentd_[a-z_]+", rule["query"]):
            if not name.startswith(tuple(EMPTY)) and not prometheus.get("query", query=f"count({name})")["result"]:
                unknown.add(name)
    check("and every metric that they name is there", not unknown, unknown)
    # Others than those that a test of kills and stale leases has to raise.
    firing = {rule["name"] for rule in rules() if rule["state"] == "firing"}
    check("nothing is wrong with this node", firing <= {"AgentdProcessRestarts"}, firing)


def test_files():
    for name, command in (
            ("the alerts fire when they should (promtool test rules)", "test rules alerts_test.yml"),
            ("the configuration is one (promtool check config)", "check config prometheus.yml")):
        result = subprocess.run(["promtool", *command.split()], cwd=f"{TREE}/contrib/prometheus", text=True,
                                capture_output=True, check=False)
        check(name, result.returncode == 0, result.stdout + result.stderr)
    with open(f"{TREE}/contrib/prometheus/alerts.yml", encoding="utf-8") as rules, \
            open(f"{TREE}/contrib/prometheus/alerts_test.yml", encoding="utf-8") as tests:
        names, tested = set(re.findall(r"alert: (\w+)", rules.read())), tests.read()
    fired = set(re.findall(r"alertname: (\w+)\n +exp_alerts:", tested))
    quiet = set(re.findall(r"alertname: (\w+)\}", tested))
    check("each alert is tested firing and quiet", fired == names == quiet, (names - fired, names - quiet))


def test_full(node, token):
    """When there is no room for clients, there is for Prometheus; and that room is small."""
    status, _, body = node.ask("PATCH", "/api/v1/config", {"max_connections": 2}, Authorization="Bearer " + token)
    check("two connections a worker from here on", status == 200, body)
    idle = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(12)]

    def is_full():
        return scrape(node).sum("agentd_http_connections{") >= 4
    check("all are taken, and /metrics is answered", until(is_full), scrape(node).sum("agentd_http_connections{"))
    target = urllib.parse.urlsplit(Prometheus.url_of(node))
    many = [socket.create_connection((target.hostname, target.port)) for _ in range(120)]

    def closed():
        return sum(select.select([link], [], [], 0)[0] != [] for link in many)
    check("more than 32 a worker are closed there", until(lambda: closed() >= 120 - 2 * 32), closed())
    for link in many + idle:
        link.close()


def try_start(until_line, **settings):
    """What a node that finds no database says, up to that line; and its exit status, None if it was ended then."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD_")}
        environment.update(AGENTD_PORT="0", AGENTD_STATE_DIR=f"{folder}/state", AGENTD_METRICS="on",
                           AGENTD_DATABASE_URL="host=/nonexistent dbname=none", **settings)
        if os.geteuid() == 0:
            environment["AGENTD_USER"] = "nobody"
        with subprocess.Popen([os.environ["AGENTD"]], env=environment, cwd=folder, text=True,
                              stderr=subprocess.PIPE) as process:
            timer = threading.Timer(20, process.kill)
            timer.start()
            said = ""
            for line in process.stderr:
                said += line
                if until_line in line:
                    process.kill()
                    break
            timer.cancel()
        return said, None if process.returncode < 0 else process.returncode


def test_taken_port():
    """What was asked for is had or nothing starts; the default of development gives way."""
    with socket.socket() as taken, socket.socket() as usual:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said, status = try_start("goes on", AGENTD_ENV="testing", AGENTD_METRICS_PORT=str(taken.getsockname()[1]))
        check("a metrics port that is taken is said, and how to go on",
              status == 1 and "AGENTD_METRICS_PORT to another" in said, said)
        usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            usual.bind(("127.0.0.1", 8000))
            usual.listen()
        except OSError:
            pass  # somebody has it, which will do
        said, status = try_start("goes on", AGENTD_ENV="development")
        check("but the default of development gives way", "goes on without metrics" in said and status is None, said)


def start_redis():
    folder = tempfile.mkdtemp(prefix="agentd-redis-", dir="/tmp")
    os.chmod(folder, 0o711)
    subprocess.run([f"{TREE}/tests/start-redis", folder], check=True)
    with open(f"{folder}/pid", encoding="ascii") as file:
        return folder, int(file.read())


def run(node):
    token = node.login()
    openapi = json.loads(node.ask("GET", "/openapi.json")[2])
    prometheus = Prometheus(node)
    load, watch = Load(node, token), Watch(node)
    load.start()
    watch.start()
    try:
        test_port(node)
        test_counts(node)
        until(lambda: prometheus.has("agentd_process_restarts_total"))
        test_kill(node, watch)
        watch.over.set()
        test_expressions(prometheus)
        test_rules(prometheus)
        test_text(node, openapi)
        load.over.set()
        load.join()
        test_full(node, token)
    finally:
        load.over.set()
        watch.over.set()
        load.join()
        watch.join()
        prometheus.stop()
    check("the load went on", load.failure is None, load.failure)


def main():
    for program in ("prometheus", "promtool"):
        if not shutil.which(program):
            check(f"{program} is installed (Debian: apt-get install prometheus)", False)
            return own_node.finish()
    test_files()
    test_taken_port()
    folder, redis = start_redis()
    node = own_node.Node(tls={"days": 90}, AGENTD_METRICS="on", AGENTD_METRICS_PORT="0", AGENTD_METRICS_TOKEN=TOKEN,
                         AGENTD_WORKERS="2", AGENTD_CACHE_BACKEND="redis", AGENTD_REDIS_URL=f"unix://{folder}/socket",
                         AGENTD_LOG_LEVEL="info", AGENTD_RATE_LIMIT="20000")
    try:
        run(node)
    finally:
        node.stop()
        os.kill(redis, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
