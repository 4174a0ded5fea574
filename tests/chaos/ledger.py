"""ledger.py - everything that a node has acknowledged, and whether the database says the same in the end.

A create is known by its number (input_data.n), so that one whose answer got lost can be found too: it is `maybe`.
Always holds: an entry is made only from an answer, after it came; entries come from many threads.
"""

import collections
import json
import threading

import processes
import tap

ENDS = "('completed', 'failed', 'cancelled', 'dead')"
Unanswered = collections.namedtuple("Unanswered", "creates leases")
Settled = collections.namedtuple("Settled", "outcome output agent")


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.created, self.maybe = {}, set()  # number -> task; numbers whose answer got lost
        self.workflows, self.maybe_workflows = {}, set()
        self.leased = {}  # (task, epoch) -> agent
        self.settled, self.refused = {}, {}  # (task, epoch) -> Settled; what was tried and got 409
        self.violations = []  # seen in the answers themselves
        self.last_write = {}  # node -> when the newest request was sent that it has acknowledged as written
        self.made = 0  # tasks, with those of workflows
        self.completed = self.completed_known = 0  # all; those whose create is not in doubt

    def ahead(self):
        """How many tasks are known to wait or to be worked on."""
        return self.made - self.completed_known

    def note_create(self, number, made, parts=0):
        """parts: how many tasks of a workflow there are to do; 0 says that it is a task by itself."""
        with self.lock:
            (self.workflows if parts else self.created)[number] = made
            self.made += parts or 1

    def note_maybe(self, number, parts=0):
        with self.lock:
            (self.maybe_workflows if parts else self.maybe).add(number)

    def note_lease(self, task, agent):
        place = (task["id"], task["epoch"])
        with self.lock:
            if place in self.leased:
                self.violations.append(f"lease {place} was given to {self.leased[place]} and to {agent}")
            self.leased[place] = agent

    def note_settle(self, task, agent, outcome, output, status, answer):
        """The certain answer to a settlement with the task's epoch."""
        place, entry = (task["id"], task["epoch"]), Settled(outcome, output, agent)
        with self.lock:
            if status == 200:
                self.settled[place] = entry
                self._count_completion(task["input_data"]["n"], outcome == "complete")
            elif status == 409 and answer.get("code") == "stale_epoch":
                self.refused[place] = entry
            else:
                self.violations.append(f"{outcome} of {place} by {agent} was answered with {status} {answer}")

    def _count_completion(self, number, is_one):
        self.completed += is_one
        self.completed_known += is_one and number not in self.maybe and number not in self.maybe_workflows

    def note_write(self, node, asked):
        with self.lock:
            self.last_write[node] = max(asked, self.last_write.get(node, 0))

    def await_writes(self, nodes, since, seconds):
        """Until each node has acknowledged a write that was asked for after that moment; False: not in time."""
        return processes.wait_until(lambda: all(self.last_write.get(node, 0) > since for node in nodes), seconds, 0.005)

    def violation(self, text):
        with self.lock:
            self.violations.append(text)


class Database:
    """What the tables say, read once."""

    def __init__(self, cluster):
        tasks = cluster.query("SELECT id, status, epoch, input_data->>'n', output_data::text FROM tasks")
        attempts = cluster.query("SELECT task_id, epoch, outcome, agent_id FROM agentd_attempts ORDER BY epoch")
        workflows = cluster.query("SELECT id, status, input_data->>'n' FROM workflows")
        self.tasks = {row[0]: row[1:] for row in tasks}
        self.workflows = {row[0]: row[1:] for row in workflows}
        self.attempts = {(task, int(epoch)): (outcome, agent) for task, epoch, outcome, agent in attempts}
        self.by_task = collections.defaultdict(list)
        for task, *row in attempts:
            self.by_task[task].append(row)

    def evidence(self, task):
        return f"task {task}: row {self.tasks.get(task)}, attempts {self.by_task.get(task)}"


def unfinished(cluster):
    return cluster.value(f"SELECT count(*) FROM tasks WHERE status NOT IN {ENDS}")


def show_unfinished(cluster):
    return cluster.query(
        "SELECT id, status, epoch, leased_by, lease_until, ready_at, run_at, parked, deps_left, workflow_id, "
        f"now() FROM tasks WHERE status NOT IN {ENDS} LIMIT 5"
    )


def _lost_creates(ledger, database):
    found = [
        f"create {number} was acknowledged as {task}; {database.evidence(task)}"
        for number, task in ledger.created.items()
        if task not in database.tasks or database.tasks[task][2] != str(number)
    ]
    return found + [
        f"workflow {number} was acknowledged as {workflow}; row {database.workflows.get(workflow)}"
        for number, workflow in ledger.workflows.items()
        if database.workflows.get(workflow, (None, None))[1] != str(number)
    ]


def _doubled_creates(ledger, database):
    """Every row goes back to one create: an acknowledged one, or at most once to one in doubt: how many."""
    known = set(ledger.created.values()) | set(ledger.workflows.values())
    rows = [(task, row[2], ledger.maybe) for task, row in database.tasks.items() if row[2] and task not in known]
    rows += [(task, row[1], ledger.maybe_workflows) for task, row in database.workflows.items() if task not in known]
    seen, found = set(), []
    for task, number, maybe in rows:
        if int(number) not in maybe or (int(number), id(maybe)) in seen:
            found.append(f"nobody was told of create {number} as {task}, or it is there twice")
        seen.add((int(number), id(maybe)))
    return found, len(seen)


def _lost_leases(ledger, database):
    return [
        f"{place} was leased to {agent}; {database.evidence(place[0])}"
        for place, agent in ledger.leased.items()
        if database.attempts.get(place, (None, None))[1] != agent
    ]


def _lost_settlements(ledger, database):
    found = []
    for place, entry in ledger.settled.items():
        row = database.tasks.get(place[0], (None, None, None, "null"))
        kept = database.attempts.get(place) == (entry.outcome, entry.agent)
        if kept and entry.outcome == "complete":
            kept = row[0] == "completed" and row[1] == str(place[1]) and json.loads(row[3] or "null") == entry.output
        if not kept:
            found.append(f"{place} was settled as {entry}; {database.evidence(place[0])}")
    return found


def _wrong_refusals(ledger, database):
    return [
        f"{place} was refused as {entry}; {database.evidence(place[0])}"
        for place, entry in ledger.refused.items()
        if database.attempts.get(place, (None, None))[0] == entry.outcome
    ]


def _doubled_completions(database):
    completions = collections.Counter(task for (task, _), row in database.attempts.items() if row[0] == "complete")
    return [
        database.evidence(task) for task, row in database.tasks.items() if completions[task] != (row[0] == "completed")
    ]


def _missing_attempts(database):
    """Every epoch ended exactly once, so every one has its row."""
    return [
        database.evidence(task) for task, row in database.tasks.items() if len(database.by_task[task]) != int(row[1])
    ]


def _wrong_counters(cluster):
    return cluster.query(
        "SELECT w.id, w.status, w.tasks_total, w.tasks_completed, w.tasks_failed, w.tasks_cancelled, w.tasks_skipped, "
        "n.* FROM workflows w CROSS JOIN LATERAL (SELECT count(*) AS total, "
        "count(*) FILTER (WHERE status = 'completed') AS completed, "
        "count(*) FILTER (WHERE status IN ('failed', 'dead')) AS failed, "
        "count(*) FILTER (WHERE status = 'cancelled' AND NOT skipped) AS cancelled, "
        "count(*) FILTER (WHERE skipped) AS skipped FROM tasks t "
        "WHERE t.tenant = w.tenant AND t.workflow_id = w.id) n "
        "WHERE (w.tasks_total, w.tasks_completed, w.tasks_failed, w.tasks_cancelled, w.tasks_skipped) "
        "IS DISTINCT FROM (n.total, n.completed, n.failed, n.cancelled, n.skipped) "
        "OR (w.status = 'completed') IS DISTINCT FROM (n.completed + n.skipped = n.total)"
    )


def _wrong_events(cluster):
    """Events are committed with what they tell of: as many starts as epochs, as many completions as there were."""
    return cluster.query(
        "SELECT t.id, t.status, t.epoch, e.started, e.completed FROM tasks t LEFT JOIN ("
        "SELECT (item ->> 'subject')::uuid AS id, count(*) FILTER (WHERE item ->> 'kind' = 'task.started') AS started, "
        "count(*) FILTER (WHERE item ->> 'kind' = 'task.completed') AS completed "
        "FROM events CROSS JOIN agentd_events(items) AS x(n, item) GROUP BY 1) e ON e.id = t.id "
        "WHERE (t.epoch, (t.status = 'completed')::int) "
        "IS DISTINCT FROM (coalesce(e.started, 0), coalesce(e.completed, 0))"
    )


def compare(ledger, cluster):
    """The final comparison: every line of the ledger against the rows. What is there that nobody was told."""
    database = Database(cluster)
    doubled, creates = _doubled_creates(ledger, database)
    unanswered = Unanswered(creates, len(set(database.attempts) - set(ledger.leased)))
    tap.note(
        f"{len(ledger.maybe)} creates and {len(ledger.maybe_workflows)} workflows are in doubt; committed without "
        f"an answer: {unanswered.creates} creates and workflows, {unanswered.leases} leases"
    )
    tap.check_none("no answer was wrong by itself", ledger.violations)
    tap.check_none("every acknowledged create is there", _lost_creates(ledger, database))
    tap.check_none("no create is there twice or out of nothing", doubled)
    tap.check_none("every acknowledged lease is on record under its holder", _lost_leases(ledger, database))
    tap.check_none("every acknowledged settlement is there, as it was", _lost_settlements(ledger, database))
    tap.check_none("no refused epoch took effect", _wrong_refusals(ledger, database))
    tap.check_none("every completed task was completed exactly once", _doubled_completions(database))
    tap.check_none("every epoch ended exactly once", _missing_attempts(database))
    tap.check_none("the counters of every workflow equal a count over its tasks", _wrong_counters(cluster))
    tap.check_none("the events tell of every lease and completion, once", _wrong_events(cluster))
    return unanswered
