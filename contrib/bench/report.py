#!/usr/bin/env python3
"""report.py FACTS RAW JSON - the table of a benchmark from what its runs printed.

FACTS holds name=value lines, RAW one NAME.ROUND.out a run (and .rows: what the database held after it). The table goes to
standard output, everything to JSON. Exit code: 0; 1 if a run was not valid, or with BENCH_STRICT=1 if a target was not met.
"""
import json
import os
import platform
import re
import statistics
import sys
from pathlib import Path

# title, series, its peer, target (a ratio; None: only measured), whether the figure is shared out among the workers
ROWS = (
    ("durable create, one a request, 64 connections", "create_64", "peer_insert", 1.5, False),
    ("durable create, one a request, 256 connections", "create_256", "peer_insert", 1.5, False),
    ("GET without database, JWT, per worker", "me_jwt", "peer_nginx", 0.5, True),
    ("GET without database, API key, per worker", "me_key", "peer_nginx", 0.5, True),
    ("lease + complete, one a request, 8 agents", "work_8", "peer_lease_8", 1.0, False),
    ("lease + complete, one a request, 64 agents", "work_64", "peer_lease_64", 1.0, False),
    ("durable create, arrays of 100, 8 connections", "create_array", None, None, False),
    ("lease 100 + settle 100, 8 agents", "work_batch", None, None, False),
    ("GET of a task, JWT, 64 connections", "get_task", None, None, False),
)
PEERS = {
    "peer_insert": "pgbench: insert + commit, prepared, 32 clients",
    "peer_nginx": "nginx: return 200, 1 worker",
    "peer_lease_8": "pgbench: lease, commit, complete, commit, prepared, 8 clients",
    "peer_lease_64": "the same, 64 clients",
}
LATENCIES = (
    ("create, 64 connections", "create_64"),
    ("create, 256 connections", "create_256"),
    ("lease + complete, 8 agents", "work_8"),
    ("POST of a task -> with a waiting agent, idle system", "handover"),
)


def read_load(line, run):
    """The line that request.lua and lease_load print."""
    result = json.loads(line)
    # wrk counts refusals among its requests.
    good = result["requests"] - result.get("error_kinds", {}).get("status", 0)
    units = result.get("done", good * result.get("units", 1))
    run.update(rate=units / result["seconds"], done=units, result=result)
    if result["errors"]:
        kinds = {name: count for name, count in result.get("error_kinds", {}).items() if count}
        run["errors"].append(f"{result['errors']} requests failed {kinds or ''}".strip())
    if result.get("ran_empty"):
        run["note"] = f"all tasks were done after {result['seconds']:.1f} s"


def read_pgbench(text, run):
    rate = re.search(r"^tps = ([0-9.]+)", text, re.M)
    failed = re.search(r"^number of failed transactions: (\d+)", text, re.M)
    if rate:
        run["rate"] = float(rate[1])
    if failed and int(failed[1]):
        run["errors"].append(f"{failed[1]} transactions failed")


def read_run(path):
    text = path.read_text(errors="replace")
    series, number = path.name.split(".")[:2]
    run = {"series": series, "round": int(number), "rate": None, "errors": []}
    line = re.search(r"^BENCH (\{.*\})$", text, re.M)
    if line:
        read_load(line[1], run)
    else:
        read_pgbench(text, run)
    if not re.search(r"^EXIT 0$", text, re.M) or not run["rate"]:
        run["errors"].append("the load generator failed: " + " / ".join(text.strip().splitlines()[-4:]))
    rows = path.with_suffix(".rows")
    if rows.exists() and "done" in run:
        run["rows"] = int(rows.read_text())
        if run["rows"] < run["done"]:
            run["errors"].append(f"{run['done']} were acknowledged, but the database holds {run['rows']}")
    return run


def median(runs, series, pick=lambda run: run["rate"]):
    values = [pick(run) for run in runs if run["series"] == series and run["rate"]]
    return statistics.median(values) if values else None


def errors_of(runs, *names):
    return [f"{run['series']}, round {run['round']}: {text}" for run in runs if run["series"] in names
            for text in run["errors"]]


def make_row(runs, workers, title, series, peer, target, shared):
    ours, theirs = median(runs, series), median(runs, peer)
    if ours and shared:
        ours /= workers
    rates = [run["rate"] for run in runs if run["series"] == series and run["rate"]]
    row = {"title": title, "series": series, "agentd": ours, "low": min(rates, default=None), "high": max(rates, default=None),
           "peer_series": peer, "peer": theirs, "target": target, "ratio": ours / theirs if ours and theirs else None,
           "errors": errors_of(runs, series, peer)}
    row["met"] = None if target is None else bool(not row["errors"] and row["ratio"] and row["ratio"] >= target)
    return row


def make_latencies(runs):
    out = []
    for title, series in LATENCIES:
        p50, p99 = (median(runs, series, lambda run, p=p: run.get("result", {}).get(p, 0.0)) for p in ("p50_ms", "p99_ms"))
        if p50 is not None:
            out.append({"title": title, "series": series, "p50_ms": p50, "p99_ms": p99, "errors": errors_of(runs, series)})
    return out


def processor():
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"^model name\s*:\s*(.*)$", text, re.M)
    return name[1] if name else platform.machine()


def machine():
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return {"processor": processor(), "cores": os.cpu_count(), "memory_mib": memory, "system": system,
            "kernel": platform.release(), "load_average": os.getloadavg()[0]}


def print_head(facts, host):
    groups = {}
    for name, value in facts.items():
        group, _, rest = name.partition(".")
        if rest:
            groups.setdefault(group, []).append(f"{rest}={value}")
    print(f"machine:  {host['cores']} cores of {host['processor']}, {host['memory_mib']} MiB, {host['system']}, "
          f"kernel {host['kernel']}, {facts['file_system']}")
    print(f"versions: {facts['agentd']}, PostgreSQL {facts['postgresql']}, {facts['nginx']}, wrk {facts['wrk']}")
    print(f"postgres: {', '.join(groups.get('postgres', []))}")
    print(f"agentd:   {', '.join(groups.get('setting', []))}")
    print(f"runs:     {facts['rounds']} rounds of {facts['seconds']} s, medians; the load comes from the same machine "
          f"(load average at the end {host['load_average']:.1f})")
    if facts["task_row_bytes"]:
        print(f"rows:     a task has {facts['task_row_bytes']} bytes, the peer's row {facts['peer_row_bytes']}")
    print()


def figure(value, form):
    return "-" if value is None else format(value, form)


def print_table(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                        for i, (text, width) in enumerate(zip(line, widths))).rstrip())
    print()


def print_rows(rows):
    lines = [("row (a second)", "agentd", "low", "high", "peer", "ratio", "target", "met")]
    for row in rows:
        met = "INVALID" if row["errors"] else {True: "yes", False: "no", None: "-"}[row["met"]]
        lines.append((row["title"], figure(row["agentd"], ",.0f"), figure(row["low"], ",.0f"), figure(row["high"], ",.0f"),
                      figure(row["peer"], ",.0f"), figure(row["ratio"], ".2f"), figure(row["target"], ".2f"), met))
    print_table(lines)


def print_rest(facts, runs, latencies):
    if latencies:
        print_table([("latency (ms, medians of the rounds)", "p50", "p99")]
                    + [(row["title"], f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}") for row in latencies])
    print(f"memory of a worker: {int(facts['worker_rss_start_kb'] or 0) / 1024:.1f} MiB when ready, "
          f"{int(facts['worker_rss_end_kb'] or 0) / 1024:.1f} MiB after all runs")
    for series in dict.fromkeys(run["series"] for run in runs if run["series"] in PEERS):
        print(f"peer {series}: {PEERS[series]}")
    for run in runs:
        if "note" in run:
            print(f"note: {run['series']}, round {run['round']}: {run['note']}")
        for text in run["errors"]:
            print(f"INVALID: {run['series']}, round {run['round']}: {text}")


def main():
    facts_path, raw, json_path = map(Path, sys.argv[1:4])
    facts = dict(line.split("=", 1) for line in facts_path.read_text().splitlines())
    runs = sorted((read_run(path) for path in raw.glob("*.out")), key=lambda run: (run["series"], run["round"]))
    known = {run["series"] for run in runs}
    rows = [make_row(runs, int(facts["workers"]), *row) for row in ROWS if row[1] in known]
    latencies, host = make_latencies(runs), machine()
    print_head(facts, host)
    print_rows(rows)
    print_rest(facts, runs, latencies)
    report = {"machine": host, "facts": facts, "rows": rows, "latencies": latencies, "runs": runs}
    json_path.write_text(json.dumps(report, indent=1) + "\n")
    strict = os.environ.get("BENCH_STRICT") == "1"
    invalid = any(run["errors"] for run in runs)
    return 1 if invalid or (strict and any(row["met"] is False for row in rows)) else 0


if __name__ == "__main__":
    sys.exit(main())
