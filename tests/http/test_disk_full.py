#!/usr/bin/env python3
"""test_disk_full.py - the disk of the embedded database fills up: writes are refused in time, PostgreSQL lives, reads go on,
work in hand is settled, and all heals by itself when there is room.

As root the disk is a small one of the test's own (tmpfs), which is really filled; others move the reserve
(AGENTD_DISK_RESERVE_MB) instead, as may root where nothing can be mounted. What PostgreSQL says when it has no room:
tests/scenario/files/c_disk_full.scn. TAP on standard output. AGENTD names the program.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile

import own_node
from own_node import check, until

DISK_MB, RESERVE_MB = 256, 32


class Disk:
    """fill() leaves a part of the reserve; drain() gives it back."""

    def __init__(self, folder, node, ask):
        self.folder, self.node, self.ask = folder, node, ask
        self.filler = f"{folder}/filler"

    def free(self):
        stat = os.statvfs(self.folder)
        return stat.f_bavail * stat.f_frsize

    def fill(self):
        with open(self.filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free() - (RESERVE_MB << 19))

    def drain(self):
        os.unlink(self.filler)


class Setting(Disk):
    def fill(self):
        assert self.ask("PATCH", "/config", {"disk_reserve_mb": 1048576})[0] == 200

    def drain(self):
        assert self.ask("PATCH", "/config", {"disk_reserve_mb": 0})[0] == 200


@contextlib.contextmanager
def place():
    """A folder, and whether it is a disk of its own."""
    with tempfile.TemporaryDirectory(prefix="agentd-disk-") as folder:
        os.chmod(folder, 0o755)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "tmpfs", folder]
        own = os.geteuid() == 0 and subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode == 0
        if not own:
            print("# no disk can be mounted here: the reserve is moved instead")
        try:
            yield folder, own
        finally:
            if own:
                subprocess.run(["umount", "-l", folder], check=True)


def main():
    with place() as (folder, own):
        node = own_node.Node(AGENTD_STATE_DIR=f"{folder}/state", AGENTD_WORKERS="1", AGENTD_HEALTH_INTERVAL_S="1",
                             AGENTD_DISK_RESERVE_MB=str(RESERVE_MB if own else 0))
        try:
            token = node.login()

            def ask(method, path, body=None):
                status, head, text = node.ask(method, "/api/v1" + path, body, Authorization="Bearer " + token)
                return status, head, json.loads(text) if text else None

            disk = (Disk if own else Setting)(folder, node, ask)
            walk(node, ask, disk)
        finally:
            status = node.stop()
        check("the node stops cleanly", status == 0, status)
    return own_node.finish()


def walk(node, ask, disk):
    _, _, one = ask("POST", "/tasks", {"role": "sena"})
    _, _, lease = ask("POST", "/tasks/lease", {"roles": ["sena"], "agent_id": "a", "lease_s": 300})
    epoch = lease["tasks"][0]["epoch"]
    disk.fill()
    refused = until(lambda: (answer := ask("POST", "/tasks", {"role": "sena"}))[0] != 201 and answer)
    check("a write is refused with what to do", refused and refused[0] == 507 and refused[2]["code"] == "storage_full" and
          "make room" in refused[2]["detail"] and refused[1]["Retry-After"], refused)
    check("reads go on", ask("GET", f"/tasks/{one['id']}")[0] == 200)
    check("work in hand is settled",
          ask("POST", f"/tasks/{one['id']}/complete", {"epoch": epoch, "output_data": {}})[0] == 200)
    check("people come in", bool(node.login()))
    check("the probe says that writes are missing", json.loads(node.ask("GET", "/readyz")[2])["missing"] == ["writes"])
    report = until(lambda: (text := ask("GET", "/health/report")[2])["status"] == "critical" and text, 8)
    check("so does the report", report and not report["writes"], ask("GET", "/health/report"))
    disk.drain()
    check("with room again writes are taken by themselves", until(lambda: ask("POST", "/tasks", {"role": "sena"})[0] == 201))
    items = until(lambda: [item for item in ask("GET", "/recoveries?component=disk")[2]["items"]
                           if item["outcome"] == "recovered"])
    check("on record", items and items[0]["action"] == "shed_writes", items)
    log = node.log()
    check("PostgreSQL and all processes lived through it", "ended unexpectedly" not in log and "PANIC" not in log, log[-1000:])


if __name__ == "__main__":
    sys.exit(main())
