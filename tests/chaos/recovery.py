#!/usr/bin/env python3
"""recovery.py - the recipe of docs/operations/backup.md for a point in time: WAL archiving, a base backup, recovery to
the moment before a mistake, `agentd restore --recovered`, and nodes that go on.

AGENTD names the program; see stage.py for the rest.
"""

import os
import shutil
import signal
import subprocess
import sys

import backup
import client
import processes
import stage
import tap


def archive(cluster):
    """The cluster keeps its WAL from here on."""
    folder = f"{cluster.folder}/archive"
    os.mkdir(folder)
    if cluster.owner:
        os.chown(folder, cluster.owner["user"], cluster.owner["group"])
    configure(cluster, f"archive_mode = on\narchive_command = 'cp %p {folder}/%f'\n")
    cluster.kill_postmaster()
    return folder


def configure(cluster, lines):
    with open(f"{cluster.folder}/data/postgresql.auto.conf", "a", encoding="ascii") as file:
        file.write(lines)


def base_backup(cluster):
    subprocess.run(
        [f"{cluster.bin}/pg_basebackup", "-h", cluster.folder, "-U", "postgres", "-D", f"{cluster.folder}/base", "-X", "none",
         "-c", "fast", "--no-sync"],
        check=True, timeout=60, cwd=cluster.folder, stdout=cluster.log, stderr=cluster.log, **cluster.owner,
    )  # fmt: skip


def recover(cluster, moment, archived):
    """The data folder goes; the base backup takes its place and follows the archive up to that moment."""
    processes.end(cluster.process, signal.SIGINT, 30)
    shutil.rmtree(f"{cluster.folder}/data")
    os.rename(f"{cluster.folder}/base", f"{cluster.folder}/data")
    configure(cluster, f"archive_mode = off\nrestore_command = 'cp {archived}/%f %p'\nrecovery_target_time = '{moment}'\n"
                       "recovery_target_action = 'promote'\n")  # fmt: skip
    with open(f"{cluster.folder}/data/recovery.signal", "w", encoding="ascii"):
        pass
    cluster.start()


def check_all(stage_):
    cluster, one = stage_.cluster, stage_.nodes[0]
    admin = backup.log_in(stage_)
    _, key = backup.make_key(admin, "load")
    mine = client.Client(stage_.nodes, key)
    archived = archive(cluster)
    processes.wait_until(lambda: backup.serves(one, key), 10)
    base_backup(cluster)
    before = backup.keep_leases(mine, "early")
    _, cursor = backup.read_events(mine, None)
    moment = cluster.query("SELECT clock_timestamp()")[0][0]
    after = backup.keep_leases(mine, "late")
    _, lost = backup.read_events(mine, cursor)
    tap.check("there is work before the moment and after it", len(before) == len(after) == backup.KEPT, (before, after))
    name = cluster.query("SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
    cluster.run("SELECT pg_switch_wal()")
    tap.check("the WAL is archived", processes.wait_until(lambda: os.path.exists(f"{archived}/{name}"), 20), name)
    one.kill_all()
    recover(cluster, moment, archived)
    tap.check("the cluster comes back as of that moment", processes.wait_until(
        lambda: cluster.query("SELECT pg_is_in_recovery()") == [["f"]], 30))  # fmt: skip
    end = backup.agentd(stage_, "restore", "--recovered")
    tap.check("agentd makes it safe to go on", end.returncode == 0 and "5 leases were given back" in end.stdout, end.stdout)
    one.start()
    one.wait_ready()
    backup.check_fence(stage_, client.Client(stage_.nodes, key), before, after)
    status, _ = client.Client(stage_.nodes, admin.token).ask("GET", "/auth/me")
    tap.check("tokens of before are refused", status == 401, status)
    mine = client.Client(stage_.nodes, key)
    _, end = backup.read_events(mine, cursor)
    tap.check("a reader from before the moment goes on", isinstance(end, str), end)
    _, status = backup.read_events(mine, lost)
    tap.check("a reader from after it is told", status == 410, status)
    end = backup.agentd(stage_, "audit", "verify")
    tap.check("the audit log is whole", end.returncode == 0, end.stdout)


def test():
    with stage.Stage(1) as stage_:
        check_all(stage_)


if __name__ == "__main__":
    sys.exit(stage.run(test))
