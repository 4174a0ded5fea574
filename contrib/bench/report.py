#!/usr/bin/env python3
"""report.py FACTS RAW JSON - the table of a benchmark from what its runs printed.

FACTS holds name=value lines, RAW what runs.py reads. The table goes to standard output, everything to JSON. Exit code: 0;
1 if a run was not valid, or with BENCH_STRICT=1 if a target was not met. What was not run is not shown; a peer that could
not be run is shown as such, never as a figure.
"""
import json
import os
import platform
import re
import statistics
import sys
from pathlib import Path

from runs import errors_of, median, read_all
from targets import COMPARED, GROWN, LATENCIES, LIMITED, PEERS


def judge(row):
    """ok, below or above (the target), INVALID, or nothing where there is no target or no peer."""
    if row["errors"]:
        return "INVALID"
    if row["target"] is None or row["figure"] is None:
        return "-"
    if row.get("at_most"):
        return "ok" if row["figure"] <= row["target"] else "above"
    return "ok" if row["figure"] >= row["target"] else "below"


def compare(runs, missing, workers, title, series, peers, target, shared):
    ours = median(runs, series)
    best = max((name for name in peers if median(runs, name)), key=lambda name: median(runs, name), default=None)
    theirs = median(runs, best) if best else None
    if ours and shared:
        ours /= workers
    rates = [run["rate"] for run in runs if run["series"] == series and run["rate"]]
    row = {"title": title, "series": series, "agentd": ours, "low": min(rates, default=None), "high": max(rates, default=None),
           "peer_series": best or peers[0], "peer": theirs, "target": target,
           "figure": ours / theirs if ours and theirs else None,
           "missing": next((missing[name] for name in peers if name in missing), None) if not theirs else None,
           "errors": errors_of(runs, series, *peers)}
    row["verdict"] = judge(row)
    return row


def limit(runs, missing, title, series, pick, unit, sense, target):
    row = {"title": title, "series": series, "unit": unit, "at_most": sense == "<=", "target": target,
           "figure": median(runs, series, lambda run: pick(run["result"])), "missing": missing.get(series),
           "errors": errors_of(runs, series)}
    row["verdict"] = judge(row)
    return row


def grow(runs, title, series, base, target):
    """The runs of a round lie side by side: the median of their ratios has less noise than the ratio of the medians."""
    rates = {(run["series"], run["round"]): run["rate"] for run in runs if run["rate"]}
    ratios = [rates[series, number] / rates[base, number] for name, number in rates if name == series and (base, number) in rates]
    row = {"title": title, "series": series, "agentd": median(runs, series), "base": median(runs, base), "target": target,
           "figure": statistics.median(ratios) if ratios else None, "errors": errors_of(runs, series, base)}
    row["verdict"] = judge(row)
    return row


def latencies_of(runs):
    out = []
    for title, series, prefix in LATENCIES:
        p50, p99 = (median(runs, series, lambda run, p=p: run["result"][f"{prefix}{p}"]) for p in ("p50_ms", "p99_ms"))
        if p50 is not None:
            out.append({"title": title, "series": series, "p50_ms": p50, "p99_ms": p99})
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
    print("peers:    " + (facts["peers"] or f"of npm not available: {facts['peers_missing']}"))
    print(f"postgres: {', '.join(groups.get('postgres', []))}")
    print(f"agentd:   {', '.join(groups.get('setting', []))}")
    print(f"runs:     {facts['rounds']} rounds of {facts['seconds']} s, medians; the load comes from the same machine "
          f"(load average at the start {facts['load_start']}, at the end {host['load_average']:.1f})")
    if float(facts["load_start"]) > host["cores"] / 2:
        print("WARNING:  the machine was at work before: these figures show its noise, measure again on an idle one")
    if facts["task_row_bytes"]:
        print(f"rows:     a task has {facts['task_row_bytes']} bytes, the row of pgbench and Fastify {facts['peer_row_bytes']}")
    print()


def figure(value, form):
    return "-" if value is None else format(value, form)


def print_table(lines):
    if len(lines) == 1:
        return
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                        for i, (text, width) in enumerate(zip(line, widths))).rstrip())
    print()


def print_compared(rows):
    lines = [("a second", "agentd", "low", "high", "peer", "its figure", "ratio", "target", "")]
    for row in rows:
        peer = "not available" if row["missing"] else figure(row["peer"], ",.0f")
        lines.append((row["title"], figure(row["agentd"], ",.0f"), figure(row["low"], ",.0f"), figure(row["high"], ",.0f"),
                      row["peer_series"], peer, figure(row["figure"], ".2f"), figure(row["target"], ".2f"), row["verdict"]))
    print_table(lines)


def print_limited(rows):
    lines = [("at most or at least", "agentd", "target", "")]
    for row in rows:
        sense = "<= " if row["at_most"] else ">= "
        target = "-" if row["target"] is None else sense + format(row["target"], ",.0f")
        value = "not available" if row["missing"] else f"{figure(row['figure'], ',.1f')} {row['unit']}".strip()
        lines.append((row["title"], value, target, row["verdict"]))
    print_table(lines)


def print_grown(rows):
    lines = [("held against itself (a second)", "agentd", "base", "ratio", "target", "")]
    for row in rows:
        lines.append((row["title"], figure(row["agentd"], ",.0f"), figure(row["base"], ",.0f"), figure(row["figure"], ".2f"),
                      figure(row["target"], ".2f"), row["verdict"]))
    print_table(lines)


def print_latencies(rows):
    print_table([("latency (ms, medians of the rounds)", "p50", "p99")]
                + [(row["title"], f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}") for row in rows])


def print_waiters(facts, runs):
    results = [run["result"] for run in runs if run["series"] == "waiters" and "statement_source" in run.get("result", {})]
    if results:
        result = results[0]
        each = (result["rss_mib"] - result["rss_before_mib"]) * 1024 / result["waiters"]
        print(f"waiting agents: {result['waiters']} of {result['roles']} roles, {each:.1f} KiB each; statements counted by "
              f"{result['statement_source']}, waits that end and begin again included")


def print_rest(facts, runs, missing):
    if facts["worker_rss_end_kb"]:
        print(f"memory of a worker: {int(facts['worker_rss_start_kb'] or 0) / 1024:.1f} MiB after the first login, "
              f"{int(facts['worker_rss_end_kb']) / 1024:.1f} MiB after the rows that have a peer")
    print_waiters(facts, runs)
    for series in dict.fromkeys(run["series"] for run in runs if run["series"] in PEERS):
        print(f"peer {series}: {PEERS[series]}: {median(runs, series) or 0:,.0f}/s")
    for series, reason in sorted(missing.items()):
        what = PEERS.get(series)
        print(f"peer not available: {series} ({what}): {reason}" if what else f"not measured: {series}: {reason}")
    for run in runs:
        if "note" in run:
            print(f"note: {run['series']}, round {run['round']}: {run['note']}")
        for text in run["errors"]:
            print(f"INVALID: {run['series']}, round {run['round']}: {text}")


def main():
    facts_path, raw, json_path = map(Path, sys.argv[1:4])
    facts = dict(line.split("=", 1) for line in facts_path.read_text().splitlines())
    runs, missing = read_all(raw)
    known = {run["series"] for run in runs} | set(missing)
    compared = [compare(runs, missing, int(facts["workers"]), *row) for row in COMPARED if row[1] in known]
    limited = [limit(runs, missing, *row) for row in LIMITED if row[1] in known]
    grown = [grow(runs, *row) for row in GROWN if row[1] in known]
    latencies, host = latencies_of(runs), machine()
    print_head(facts, host)
    print_compared(compared)
    print_limited(limited)
    print_grown(grown)
    print_latencies(latencies)
    print_rest(facts, runs, missing)
    rows = compared + limited + grown
    report = {"machine": host, "facts": facts, "compared": compared, "limited": limited, "against_itself": grown,
              "latencies": latencies, "missing": missing, "runs": runs}
    json_path.write_text(json.dumps(report, indent=1) + "\n")
    unmet = any(row["verdict"] in ("below", "above") for row in rows)
    return 1 if any(run["errors"] for run in runs) or (os.environ.get("BENCH_STRICT") == "1" and unmet) else 0


if __name__ == "__main__":
    sys.exit(main())
