#!/usr/bin/env python3
"""Tests of contrib/profile/flamegraph: a graph of given samples has the right boxes, whatever the names are; and one of a live
worker under load has agentd's functions in it, where perf may look at processes.

Speaks TAP on standard output. AGENTD names the program, SOURCE_DIR the tree.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as xml

import own_node
from own_node import Node, check

SCRIPT = os.path.join(os.environ.get("SOURCE_DIR", "."), "contrib/profile/flamegraph")
SVG = "{http://www.w3.org/2000/svg}"
SAMPLES = """\
agentd: worker   123 1000.000001:     250000 cpu-clock:
\t    55d0 request_run+0x10 (/usr/bin/agentd)
\t    55d1 conn_continue+0x20 (/usr/bin/agentd)
\t    55d2 main+0x30 (/usr/bin/agentd)

agentd: worker   123/124 [001] 1000.000002:     250000 cpu-clock:
\t    55d0 operator<< <"a&b">(int) (/usr/lib/lib&.so)
\t    55d1 conn_continue+0x20 (/usr/bin/agentd)
\t    55d2 main+0x30 (/usr/bin/agentd)

agentd: worker   123 1000.000003:     250000 cpu-clock:
\t    7f00 [unknown] (/usr/lib/libcrypto.so.3 (deleted))
\t    55d2 main+0x30 (/usr/bin/agentd)

a line that is none of perf's
agentd: worker   123 1000.000004:     250000 cpu-clock:
\tffff8000 entry_SYSCALL_64 ([kernel.kallsyms])
\t    55d2 main+0x30 (/usr/bin/agentd)
"""


def run(*words, given=None):
    return subprocess.run([sys.executable, SCRIPT, *words], input=given, capture_output=True, text=True, timeout=60, check=False)


def boxes(path):
    """name -> (samples, width)"""
    found = {}
    for group in xml.parse(path).getroot().iter(SVG + "g"):
        name, numbers = group.find(SVG + "title").text.rsplit(": ", 1)
        found[name] = int(numbers.split()[0]), float(group.find(SVG + "rect").get("width"))
    return found


def given_samples(folder):
    ran = run("-i", "-", "-o", f"{folder}/a.svg", given=SAMPLES)
    check("a graph is drawn of what perf recorded", ran.returncode == 0 and "4 samples" in ran.stdout, ran)
    found = boxes(f"{folder}/a.svg")
    check("each function has its samples", {name: count for name, (count, _) in found.items()} ==
          {"all": 4, "main": 4, "conn_continue": 2, "request_run": 1, 'operator<< <"a&b">(int)': 1, "[libcrypto.so.3]": 1,
           "entry_SYSCALL_64": 1}, found)
    check("width is the share", abs(found["conn_continue"][1] * 2 - found["main"][1]) < 0.1, found)
    ran = run("-i", "-", "-o", f"{folder}/b.svg", given="")
    check("without samples it says so", ran.returncode == 1 and "no samples" in ran.stderr and
          not os.path.exists(f"{folder}/b.svg"), ran)
    ran = run("-o", f"{folder}/b.svg", "999999999")
    check("a process that is not there is named", ran.returncode == 1 and ("999999999" in ran.stderr), ran)


def may_sample():
    """An empty text, or why perf cannot be used here."""
    ran = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "--", "true"], capture_output=True,
                         text=True, check=False)
    return "" if ran.returncode == 0 else "perf may not sample here: " + ran.stderr.strip().split("\n")[0]


def live_worker(folder):
    reason = may_sample()
    if reason:
        own_node.count += 1
        print(f"ok {own_node.count} - a live worker # SKIP {reason}")
        return
    node = Node(AGENTD_WORKERS="1")
    ended = threading.Event()

    def load():
        connection = node.connection()
        while not ended.is_set():
            node.ask("GET", "/api/v1/nothing", connection=connection)
        connection.close()
    clients = [threading.Thread(target=load) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        ran = run("-s", "2", "-F", "999", "-o", f"{folder}/live.svg", str(node.workers()[0]))
        found = boxes(f"{folder}/live.svg") if ran.returncode == 0 else {}
        check("a live worker", ran.returncode == 0 and len(found) > 5, (ran, found))
        names = {"event_base_loop", "conn_continue", "request_run"}
        check("with agentd's functions, on what called them", names <= set(found) and
              found["event_base_loop"][0] >= found["conn_continue"][0] >= found["request_run"][0] > 0, found)
    finally:
        ended.set()
        for client in clients:
            client.join()
        check("which goes on as before", node.stop() == 0)


def main():
    if not shutil.which("perf"):
        print("Bail out! perf is missing: install the Debian package linux-perf")
        return 1
    with tempfile.TemporaryDirectory(prefix="agentd-profile-") as folder:
        given_samples(folder)
        live_worker(folder)
    return own_node.finish()


sys.exit(main())
