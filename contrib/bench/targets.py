"""targets.py - what the table shows: each row, whom it is held against and which figure is asked for.

COMPARED: title, agentd's series, the peer's (of several, the best one counts), the ratio that is asked for (None: only
shown), whether agentd's figure is shared out among its workers.
LIMITED: title, series, the value of a run, its unit, `<=` or `>=`, the limit (None: only shown).
GROWN: title, two series of which the rounds lie side by side, the ratio of the first to the second that is asked for.
LATENCIES: title, series.
"""

LEASES = ("peer_lease_8", "peer_lease_16", "peer_lease_32", "peer_lease_64")

COMPARED = (
    ("durable create, one a request, 64 connections", "create_64", ("peer_insert",), 1.5, False),
    ("durable create, one a request, 64 connections", "create_64", ("fastify_insert",), 4.0, False),
    ("durable create, one a request, 64 connections", "create_64", ("graphile_add",), None, False),
    ("durable create, one a request, 64 connections", "create_64", ("pgboss_send",), None, False),
    ("durable create, one a request, 256 connections", "create_256", ("peer_insert",), 1.5, False),
    ("durable create, one a request, 256 connections", "create_256", ("fastify_insert",), 4.0, False),
    ("durable create, arrays of 100, 16 connections", "create_array", ("graphile_add_batch",), 1.5, False),
    ("durable create, arrays of 100, 16 connections", "create_array", ("pgboss_insert_batch",), None, False),
    ("lease + complete, one a request, 8 agents", "work_8", LEASES, 1.5, False),
    ("lease + complete, one a request, 64 agents", "work_64", LEASES, 1.5, False),
    ("lease + complete, one a request, 256 agents", "work_256", LEASES, 1.5, False),
    ("lease + complete, one a request, 64 agents", "work_64", ("graphile_work",), None, False),
    ("lease + complete, one a request, 64 agents", "work_64", ("pgboss_work",), None, False),
    ("lease 100 + settle 100, 24 agents", "work_batch", ("graphile_work_batch",), 1.0, False),
    ("lease 100 + settle 100, 24 agents", "work_batch", ("pgboss_work_batch",), None, False),
    ("GET without database, JWT, per worker", "me_jwt", ("peer_nginx",), 0.5, True),
    ("GET without database, API key, per worker", "me_key", ("peer_nginx",), 0.5, True),
    ("GET without database, JWT, per worker", "me_jwt", ("fastify_me",), None, True),
    ("GET of a task, JWT, 64 connections", "get_task", ("fastify_get",), 3.0, False),
)

PEERS = {
    "peer_insert": "pgbench: insert + commit, prepared, 32 clients",
    "peer_lease_8": "pgbench: lease, commit, complete, commit, prepared, 8 clients",
    "peer_lease_16": "the same, 16 clients",
    "peer_lease_32": "the same, 32 clients",
    "peer_lease_64": "the same, 64 clients",
    "peer_nginx": "nginx: return 200, 1 worker",
    "fastify_insert": "Fastify + JWT + rate limit + pg: POST, one insert + commit, 64 connections",
    "fastify_get": "Fastify + JWT + rate limit + pg: GET of a row, 64 connections",
    "fastify_me": "Fastify + JWT + rate limit: GET without database, 64 connections",
    "graphile_add": "graphile-worker: addJob, in process, 24 at a time",
    "graphile_add_batch": "graphile-worker: addJobs of 1000, in process, 8 at a time",
    "graphile_work": "graphile-worker: jobs that do nothing, in process, 24 at a time",
    "graphile_work_batch": "graphile-worker: the same with a local queue of 500 and completions in batches",
    "pgboss_send": "pg-boss: send, in process, 24 at a time",
    "pgboss_insert_batch": "pg-boss: insert of 1000, in process, 4 at a time",
    "pgboss_work": "pg-boss: fetch 1 + complete, in process, 8 at a time, of 5,000 jobs",
    "pgboss_work_batch": "pg-boss: fetch 100 + complete 100, in process, 4 at a time, of 25,000 jobs",
}


def cpu_us(result):
    return result["cpu_ms"] * 1000 / result["requests"]


def member(name):
    return lambda result: result[name]


LIMITED = (
    ("authenticated GET, JWT, whole: processor time in the worker", "me_jwt", cpu_us, "us", "<=", 10),
    ("authenticated GET, API key, whole: processor time in the worker", "me_key", cpu_us, "us", "<=", 10),
    ("created -> with a waiting agent, same node, p99", "handover", member("p99_ms"), "ms", "<=", 10),
    ("created -> with a waiting agent, other node, p99", "handover_other", member("p99_ms"), "ms", "<=", 50),
    ("waiting agents: resident memory of all processes of agentd", "waiters", member("rss_mib"), "MiB", "<=", 300e6 / 2**20),
    ("waiting agents: of that, before they came", "waiters", member("rss_before_mib"), "MiB", "<=", None),
    ("waiting agents: proportional memory of all processes of agentd", "waiters", member("pss_mib"), "MiB", "<=", None),
    ("waiting agents, idle: statements", "waiters", member("statements_s"), "/s", "<=", 50),
    ("waiting agents, idle: processor time of the workers", "waiters", member("idle_cpu_percent"), "%", "<=", None),
    ("waiting agents: created -> leased, p99", "waiters", member("p99_ms"), "ms", "<=", 50),
    ("claims with a pinned snapshot: lease, p99", "pinned", member("lease_p99_ms"), "ms", "<=", 20),
    ("claims with a pinned snapshot: dead rows in the table", "pinned", member("dead_rows"), "", ">=", 400000),
)

# What noise a ratio of two runs of the same server has: less than this is not called flat.
FLAT = 0.85

GROWN = (
    ("2 workers : 1, create, 256 connections", "workers_create_2", "workers_create_1", 1.0),
    ("2 workers : 1, lease + complete, 64 agents", "workers_work_2", "workers_work_1", 1.0),
    ("2 workers : 1, GET without database", "workers_me_2", "workers_me_1", 1.0),
) + tuple(
    (f"{text} beside {size:,} finished tasks : 1,000", f"growth_{name}_{size}", f"growth_{name}_1000", FLAT)
    for name, text in (("create", "create"), ("work", "lease + complete"), ("get", "GET of a task"))
    for size in (100000, 1000000, 10000000)
)

LATENCIES = (
    ("create, 64 connections", "create_64", ""),
    ("create, 256 connections", "create_256", ""),
    ("lease + complete, 8 agents", "work_8", ""),
    ("lease + complete, 64 agents", "work_64", ""),
    ("lease alone, 8 agents", "work_8", "lease_"),
    ("lease alone, pinned snapshot, 8 agents", "pinned", "lease_"),
    ("POST -> with a waiting agent, same node, idle", "handover", ""),
    ("POST -> with a waiting agent, other node, idle", "handover_other", ""),
    ("due -> with one of the waiting agents", "waiters", ""),
)
