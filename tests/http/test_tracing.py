#!/usr/bin/env python3
"""Tests of traces: traceparent in and out, sampling, spans of requests and statements, the way of a trace through a task to
its agent and back, and a collector that is away, slow, refuses, or takes only some.

Speaks TAP on standard output. AGENTD and AGENTCTL name the programs; the node has a PostgreSQL and a folder of its own.
"""

import json
import os
import socket
import subprocess
import sys
import time

import own_node
from collector import Collector
from own_node import Node, check, until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
RING = 2048
node = None
token = None
collector = None
traces = (f"00-{n:032x}-{PARENT}-01" for n in range(1, 1000000))


def ask(method, path, body=None, **headers):
    return node.ask(method, "/api/v1" + path, body, Authorization=f"Bearer {token}", **headers)


def parts(traceparent):
    return traceparent.split("-")


def spans_of(trace, least=1):
    return until(lambda: len(collector.found(traceId=trace)) >= least) and collector.found(traceId=trace)


def change(**settings):
    def seen():
        return sum(line["message"] == "run-time settings took effect" and line["process"].startswith("worker")
                   for line in node.lines())
    before = seen()
    status, _, body = ask("PATCH", "/config", settings)
    assert status == 200, body
    until(lambda: seen() > before)


def a_request():
    status, headers, body = ask("GET", "/tasks?role=hidden", traceparent=SAMPLED, X_Request_Id="mine/1")
    version, trace, span, flags = parts(headers["traceparent"])
    check("the answer names the span", (status, version, trace, flags) == (200, "00", TRACE, "01") and span != PARENT, headers)
    spans = spans_of(TRACE, 2)
    server = next(item for item in spans if item["kind"] == SERVER)
    check("the request is a span under the caller's", server["spanId"] == span and server["parentSpanId"] == PARENT, server)
    check("its name is method and route", server["name"] == "GET /api/v1/tasks", server["name"])
    expected = {"http.request.method": "GET", "http.route": "/api/v1/tasks", "http.response.status_code": "200",
                "client.address": "127.0.0.1", "agentd.request_id": "mine/1", "agentd.tenant": "default",
                "http.response.body.size": str(len(body)), "agentd.process": "worker 0"}
    check("its attributes", expected.items() <= server["attributes"].items() and "user.id" in server["attributes"], server)
    check("each stage is an event in it", [event["name"] for event in server["events"]] ==
          ["cors", "route", "authenticate", "limit", "authorize", "body", "handle", "reply"] and
          all(int(server["startTimeUnixNano"]) <= int(event["timeUnixNano"]) <= int(server["endTimeUnixNano"])
              for event in server["events"]), server["events"])
    sql = [item for item in spans if item["kind"] == CLIENT]
    check("its statement is a span under it", len(sql) == 1 and sql[0]["parentSpanId"] == span and
          sql[0]["name"] == "task_list" and sql[0]["attributes"]["db.system.name"] == "postgresql" and
          sql[0]["attributes"]["db.operation.name"] == "task_list" and
          int(sql[0]["startTimeUnixNano"]) >= int(server["startTimeUnixNano"]) and
          int(sql[0]["endTimeUnixNano"]) <= int(server["endTimeUnixNano"]), sql)
    check("no query value and no secret is in it", not [word for word in ("hidden", token) if word in json.dumps(spans)])
    resource = collector.resources[0]
    check("they are of this node", resource["service.name"] == "agentd" and resource["host.name"] == os.uname().nodename and
          resource["deployment.environment.name"] == "testing" and len(resource["service.instance.id"]) == 36, resource)
    headers = collector.requests[0][1]
    check("the collector gets the headers of the setting", headers.get("authorization") == "Basic a b,c" and
          headers.get("x-tenant") == "seven", headers)
    trace = next(traces)
    ask("GET", "/nothing-here", traceparent=trace)
    span = spans_of(parts(trace)[1])[0]
    check("what fails by the client's fault is no error", span["name"] == "GET" and span["status"] == {} and
          span["attributes"]["http.response.status_code"] == "404", span)


def decisions():
    change(trace_sample_rate=1)
    _, headers, _ = ask("GET", "/auth/me", traceparent=UNSAMPLED)
    check("a parent that does not record is respected", headers["traceparent"].endswith("-00"), headers["traceparent"])
    _, headers, _ = ask("GET", "/auth/me", traceparent="00-" + "0" * 32 + f"-{PARENT}-01")
    fresh = parts(headers["traceparent"])
    check("what is no traceparent is not believed", fresh[1] != "0" * 32 and fresh[3] == "01", fresh)
    spans = spans_of(fresh[1])
    check("a trace that begins here has no parent", spans and "parentSpanId" not in spans[0], spans)
    change(trace_sample_rate=0)
    _, headers, _ = ask("GET", "/auth/me")
    check("rate 0: nothing is begun", "traceparent" not in headers, headers)
    trace = next(traces)
    ask("GET", "/auth/me", traceparent=trace)
    check("a parent that records is respected too", bool(spans_of(parts(trace)[1])))
    check("nothing was recorded for the one that did not", not [
        span for span in collector.found(traceId=TRACE) if span["name"] == "GET /api/v1/auth/me"])
    change(trace_sample_rate=0.1)
    seen = sum("traceparent" in ask("GET", "/auth/me")[1] for _ in range(300))
    check("rate 0.1: about a tenth", 8 <= seen <= 70, seen)
    change(trace_sample_rate=0)


def through_a_task():
    trace = next(traces)
    status, headers, body = ask("POST", "/tasks", {"role": "traced"}, traceparent=trace, tracestate="vendor=one,other=2")
    creation, task = parts(headers["traceparent"]), json.loads(body)["id"]
    _, _, body = ask("POST", "/tasks/lease", {"roles": ["traced"], "agent_id": "a", "max": 1})
    lease = json.loads(body)["tasks"][0]
    given = parts(lease["traceparent"])
    check("the lease hands the trace of the task to the agent", given[1] == parts(trace)[1] and given[3] == "01" and
          lease["tracestate"] == "vendor=one,other=2", lease)
    queued = until(lambda: collector.found(name="queued traced"))[0]
    check("how long it waited is a span", queued["spanId"] == given[2] and queued["parentSpanId"] == creation[2] and
          queued["kind"] == PRODUCER and queued["attributes"]["agentd.task.id"] == task and
          queued["attributes"]["agentd.task.attempt"] == "1", queued)
    status, _, body = ask("POST", f"/tasks/{task}/complete", {"epoch": 1, "output_data": 7},
                          traceparent=lease["traceparent"])
    assert status == 200, body
    spans = until(lambda: collector.found(name="task completed", agentd__task__id=task))
    check("how long it ran is a span under that", spans and spans[0]["parentSpanId"] == given[2] and
          spans[0]["kind"] == CONSUMER and spans[0]["traceId"] == given[1], spans)
    check("the completion is in the trace", bool(until(lambda: [
        span for span in collector.found(traceId=given[1]) if span["name"] == "POST /api/v1/tasks/{id}/complete" and
        span["parentSpanId"] == given[2]])))
    ask("POST", "/tasks", [{"role": "plain"}] * 2)
    tasks = json.loads(ask("POST", "/tasks/lease", {"roles": ["plain"], "agent_id": "a", "max": 2})[2])["tasks"]
    check("a task that nobody traces says nothing of it", len(tasks) == 2 and not [
        name for task in tasks for name in task if name.startswith("trace") or name.startswith("_")], tasks)


def attempts_differ():
    trace = next(traces)
    task = json.loads(ask("POST", "/tasks", {"role": "again", "retry": {"base_s": 0.001}}, traceparent=trace)[2])["id"]
    seen = []
    for epoch in (1, 2):
        body = until(lambda: json.loads(ask("POST", "/tasks/lease", {"roles": ["again"], "agent_id": "a", "max": 1})[2])["tasks"])
        seen.append(body[0]["traceparent"])
        ask("POST", f"/tasks/{task}/release", {"epoch": epoch})
    check("each attempt has a span of its own", len(set(seen)) == 2 and len({parts(item)[1] for item in seen}) == 1, seen)


def through_a_workflow():
    trace = next(traces)
    graph = [{"key": "a", "role": "flow-a", "description": "x"}, {"key": "b", "role": "flow-b", "description": "x", "depends_on": ["a"]}]
    workflow = json.loads(ask("POST", "/workflows", {"description": "w", "tasks": graph}, traceparent=trace)[2])["id"]
    _, headers, _ = ask("PUT", "/templates/traced", {"tasks": [{"key": "t", "role": "flow-t", "description": "x"}]})
    ask("POST", "/workflows", {"description": "w", "template": "traced"}, traceparent=trace)
    first = json.loads(ask("POST", "/tasks/lease", {"roles": ["flow-a"], "agent_id": "a", "max": 1})[2])["tasks"][0]
    extra = next(traces)
    status, _, body = ask("POST", f"/workflows/{workflow}/tasks", {
        "task_id": first["id"], "epoch": 1, "tasks": [{"key": "c", "role": "flow-c", "description": "x"}]}, traceparent=extra)
    assert status in (200, 201), body
    ask("POST", f"/tasks/{first['id']}/complete", {"epoch": 1})
    leases = until(lambda: (lambda tasks: tasks if len(tasks) == 3 else None)(take(["flow-b", "flow-c", "flow-t"])))
    by_role = {task["role"]: parts(task["traceparent"])[1] for task in leases}
    check("the tasks of a workflow have the trace of its request, whenever they begin",
          parts(first["traceparent"])[1] == by_role["flow-b"] == by_role["flow-t"] == parts(trace)[1], by_role)
    check("what a holder adds has that of the adding", by_role["flow-c"] == parts(extra)[1], by_role)


taken = []


def take(roles):
    taken.extend(json.loads(ask("POST", "/tasks/lease", {"roles": roles, "agent_id": "a", "max": 5})[2])["tasks"])
    return taken


def through_agentctl():
    trace = next(traces)
    task = json.loads(ask("POST", "/tasks", {"role": "shell"}, traceparent=trace, tracestate="vendor=one")[2])["id"]
    key = json.loads(ask("POST", "/keys", {"name": "agent"})[2])["key"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD_")}
    environment.update(AGENTCTL_SERVER=node.url, AGENTCTL_KEY=key, HOME=node.folder, TRACEPARENT=SAMPLED)
    command = ("cat >/dev/null; \"$AGENTCTL\" task list --role nobody >/dev/null 2>&1; "
               "printf '\"%s %s\"' \"$TRACEPARENT\" \"$TRACESTATE\"")
    ran = subprocess.run([os.environ["AGENTCTL"], "work", "--role", "shell", "--exec", command, "--once"],
                         env=environment, capture_output=True, text=True, timeout=30)
    output = json.loads(ask("GET", f"/tasks/{task}")[2])["output_data"] or ""
    check("agentctl work gives the trace to its command", output.startswith(f"00-{parts(trace)[1]}-") and
          output.endswith("-01 vendor=one"), (output, ran.stderr))
    attempt = parts(output)[2]
    check("and says with the result which attempt it was", bool(until(
        lambda: collector.found(name="task completed", agentd__task__id=task, parentSpanId=attempt))))
    check("agentctl in the command joins it", bool(until(lambda: [
        span for span in collector.found(traceId=parts(trace)[1]) if span["name"] == "GET /api/v1/tasks"])))


def dropped():
    with socket.create_connection(("127.0.0.1", metrics_port()), timeout=10) as link:
        link.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: link.recv(65536), b"")).decode()
    return next(int(float(line.split()[1])) for line in text.split("\n") if line.startswith("agentd_trace_spans_dropped_total"))


def metrics_port():
    return int(next(line["metrics"] for line in node.lines() if line["message"] == "ready" and "metrics" in line).rsplit(":", 1)[1])


def exported(trace):
    ask("GET", "/auth/me", traceparent=trace)
    return bool(spans_of(parts(trace)[1]))


def a_collector_that_refuses():
    before = dropped()
    collector.answers = [(400, {}, "{}")]
    lost, kept = next(traces), next(traces)
    ask("GET", "/auth/me", traceparent=lost)
    check("a collector that refuses: said once, and counted", until(lambda: dropped() > before) and
          until(lambda: [line for line in node.lines() if line["message"] == "the collector does not take spans" and
                         line["status"] == 400]))
    check("what comes later is sent", exported(kept) and not collector.found(traceId=parts(lost)[1]))
    before = dropped()
    collector.answers = [(503, {"Retry-After": "1"}, ""), (429, {}, "")]
    trace = next(traces)
    check("one that is busy gets the batch again", exported(trace) and dropped() == before)
    check("and once", len(collector.found(traceId=parts(trace)[1])) == len({
        span["spanId"] for span in collector.found(traceId=parts(trace)[1])}))
    collector.answers = [(200, {}, '{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}')]
    ask("GET", "/auth/me", traceparent=next(traces))
    check("what it says it rejected is counted", until(lambda: dropped() == before + 1), dropped())
    collector.answers = [(200, {}, "not json")]
    check("an answer that makes no sense harms nobody", exported(next(traces)))


def a_collector_that_hangs():
    before = dropped()
    collector.answers = ["hang"]
    ask("GET", "/auth/me", traceparent=next(traces))
    until(lambda: not collector.answers)
    connection, worst, trace = node.connection(), 0.0, next(traces)
    for _ in range(RING + 200):
        began = time.monotonic()
        status = ask("GET", "/auth/me", connection=connection, traceparent=trace)[0]
        worst = max(worst, time.monotonic() - began)
        assert status == 200
    connection.close()
    check("a collector that hangs slows no request", worst < 1, worst)
    check("what does not fit is dropped and counted", until(lambda: dropped() >= before + 200), (before, dropped()))
    collector.released.set()
    check("and the rest is sent when it is back", until(lambda: len(collector.found(traceId=parts(trace)[1])) >= RING - 1))
    check("and what comes then", exported(next(traces)))


def a_collector_that_is_away():
    global collector
    port, old = collector.port, collector
    collector.stop()
    trace = next(traces)
    status = ask("GET", "/auth/me", traceparent=trace)[0]
    check("a collector that is away: requests are served", status == 200 and until(lambda: [
        line for line in node.lines() if line["message"] == "the collector does not take spans" and line["status"] == 0]))
    collector = Collector(port)
    check("when it is there again, it gets them", bool(spans_of(parts(trace)[1])) and until(lambda: [
        line for line in node.lines() if line["message"] == "the collector takes spans again"]))
    collector.wrong += old.wrong


def the_end():
    trace = next(traces)
    ask("GET", "/auth/me", traceparent=trace)
    check("it ends as it should", node.stop() == 0)
    check("the last spans are sent at the end", bool(collector.found(traceId=parts(trace)[1])))


def without_tracing():
    plain = Node(AGENTD_TRACE_ENDPOINT=f"http://127.0.0.1:{collector.port}/v1/traces")
    token = plain.login()
    headers = {"Authorization": f"Bearer {token}"}
    before = len(collector.requests)
    answer = plain.ask("GET", "/api/v1/auth/me", **headers)
    check("off: no trace begins", "traceparent" not in answer[1])
    answer = plain.ask("POST", "/api/v1/tasks", {"role": "r"}, traceparent=SAMPLED, **headers)
    check("off: the caller's goes on as it came", answer[1]["traceparent"] == SAMPLED, answer[1])
    lease = json.loads(plain.ask("POST", "/api/v1/tasks/lease", {"roles": ["r"], "agent_id": "a", "max": 1}, **headers)[2])
    check("off: to the agent too", lease["tasks"][0]["traceparent"] == SAMPLED, lease)
    check("off: it ends as it should", plain.stop() == 0)
    check("off: nothing is exported", len(collector.requests) == before)


def main():
    global node, token, collector
    collector = Collector()
    node = Node(AGENTD_WORKERS="1", AGENTD_TRACING="on", AGENTD_TRACE_SAMPLE_RATE="0", AGENTD_LOG_LEVEL="info",
                AGENTD_METRICS="on", AGENTD_METRICS_PORT="0",
                AGENTD_TRACE_ENDPOINT=f"http://127.0.0.1:{collector.port}/v1/traces",
                AGENTD_TRACE_HEADERS="authorization=Basic%20a%20b%2Cc,x-tenant=seven")
    try:
        token = node.login()
        for test in (a_request, decisions, through_a_task, attempts_differ, through_a_workflow, through_agentctl,
                     a_collector_that_refuses, a_collector_that_hangs, a_collector_that_is_away, the_end, without_tracing):
            test()
        check("every request held to the protocol", not collector.wrong, collector.wrong[:2])
    finally:
        if node.process.poll() is None:
            node.stop()
    return own_node.finish()


sys.exit(main())
