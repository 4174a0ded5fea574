"""runs.py - what the runs of a benchmark have left in its folder, read into dictionaries.

Of a run NAME.ROUND there is .out (what its load generator printed, and EXIT with its code), and there may be .rows (what
the database held after it), .extra (JSON: what was measured beside it) and .missing instead of all (why there is no run).
"""
import json
import re
import statistics


def read_load(line, run):
    """The line that request.lua, the load generators in C and the peers' programs print."""
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
    rows, extra = path.with_suffix(".rows"), path.with_suffix(".extra")
    if rows.exists() and "done" in run:
        run["rows"] = int(rows.read_text())
        if run["rows"] < run["done"]:
            run["errors"].append(f"{run['done']} were acknowledged, but the database holds {run['rows']}")
    if extra.exists() and "result" in run:
        run["result"].update(json.loads(extra.read_text()))
    return run


def read_all(folder):
    """All runs, and why series are missing."""
    runs = sorted((read_run(path) for path in folder.glob("*.out")), key=lambda run: (run["series"], run["round"]))
    missing = {path.name.split(".")[0]: path.read_text().strip() for path in folder.glob("*.missing")}
    return runs, missing


def median(runs, series, pick=lambda run: run["rate"]):
    """The median of what pick takes from the series' runs; None if no run has it."""
    values = []
    for run in runs:
        if run["series"] == series and run["rate"]:
            try:
                values.append(pick(run))
            except KeyError:
                continue
    return statistics.median(values) if values else None


def errors_of(runs, *names):
    return [f"{run['series']}, round {run['round']}: {text}" for run in runs if run["series"] in names
            for text in run["errors"]]
