"""standby.py - a second PostgreSQL that follows the first, synchronously, and can take its place.

Always holds: what the first has told a client to be committed, the second has too.
"""

import cluster
import processes

NAME = "standby"
START_S = 30


class Standby(cluster.Cluster):
    def __init__(self, folder, primary, host, prefix):
        self.primary = primary
        super().__init__(folder, host, prefix)

    def make(self):
        source = f"host={self.primary.host} user=postgres application_name={NAME}"
        self._run(
            "pg_basebackup", "-D", f"{self.folder}/data", "-d", source, "-R", "-c", "fast", "-X", "stream", "--no-sync"
        )

    def prepare(self):
        """From now on the primary waits for this one."""
        self.primary.order(f"ALTER SYSTEM SET synchronous_standby_names TO '{NAME}'", "SELECT pg_reload_conf()")
        found = "SELECT 1 FROM pg_stat_get_wal_senders() WHERE sync_state = 'sync'"
        if not processes.wait_until(lambda: self.primary.query(found, "postgres"), START_S, 0.05):
            raise SystemExit(f"the standby does not follow; see {self.folder}/log")

    def promote(self):
        self._run("pg_ctl", "promote", "-s", "-w", "-D", f"{self.folder}/data")
