"""rbac_requests.py - one request for every endpoint, made so that it succeeds for whoever may do it.

REQUESTS has a row for each operation of the endpoint table: a function that makes what the request is about, in the
tenant that it is given, and answers a Request. MARK in a body stands for the mark of the tenant that sends it, so that
nothing of one tenant can be in an answer to another without being seen.
"""
import itertools
import json
import time

NUMBERS = itertools.count(1)
LEASE_S = 600
REQUESTS = {}


class Request:
    """What to send. ok: statuses of success. foreign: statuses when the thing is another tenant's. unmanaged: statuses for
    an API key without key:manage, which has no keys of its own."""

    def __init__(self, body=None, query="", ok=(200,), foreign=(404,), unmanaged=None, **path):
        self.body, self.query, self.ok, self.foreign, self.path = body, query, ok, foreign, path
        self.unmanaged = unmanaged


def request(*operations):
    def note(function):
        for operation in operations:
            assert operation not in REQUESTS, operation
            REQUESTS[operation] = function
        return function
    return note


def fresh(what="n"):
    return f"{what}-{next(NUMBERS)}"


# What requests are about. t is a tenant of test_rbac.py: t.make() sends as its admin and wants success.


def task(t, **more):
    return t.make("POST", "/tasks", {"role": fresh("role"), "description": "MARK", "input_data": {"mark": "MARK"}, **more})


def lease(t, role):
    body = {"roles": [role], "agent_id": fresh("worker"), "lease_s": LEASE_S}
    return t.make("POST", "/tasks/lease", body)["tasks"][0]


def held(t, **more):
    return lease(t, task(t, **more)["role"])


def dead(t):
    one = held(t, max_retries=0)
    t.make("POST", f"/tasks/{one['id']}/fail", {"epoch": one["epoch"], "error_message": "MARK"})
    return one["id"]


def graph(*tasks):
    return {"description": "MARK", "input_data": "MARK", "tasks": list(tasks) or [{"key": "a", "role": fresh("role")}]}


def workflow(t, *tasks):
    made = t.make("POST", "/workflows", graph(*tasks))
    return t.make("GET", f"/workflows/{made['id']}")


def ended(t, how="cancel"):
    """A workflow that was cancelled, or that failed."""
    role = fresh("role")
    made = workflow(t, {"key": "a", "role": role, "max_retries": 0})
    if how == "cancel":
        t.make("POST", f"/workflows/{made['id']}/cancel")
    else:
        one = lease(t, role)
        t.make("POST", f"/tasks/{one['id']}/fail", {"epoch": one["epoch"], "error_message": "MARK"})
    return made["id"]


def gate(t):
    return workflow(t, {"key": "g", "gate": {"approval": True}})["tasks"][0]["id"]


def agent(t):
    body = {"agent_id": fresh("agent"), "name": "MARK", "role": fresh("role")}
    return t.make("POST", "/agents", body)["agent_id"]


def user_body():
    return {"username": fresh("user"), "password": "tulip anvil sonnet", "role": "viewer", "display_name": "MARK"}


def user(t):
    return t.make("POST", "/users", user_body())["id"]


def message_body(to=None):
    return {"from_agent_id": fresh("from"), "to_agent_id": to or fresh("to"), "message_type": "note",
            "content": {"mark": "MARK"}}


def message(t):
    return t.make("POST", "/messages", message_body())["id"]


def delivered(t):
    receiver = agent(t)
    t.make("POST", "/messages", message_body(receiver))
    return t.make("GET", f"/agents/{receiver}/inbox")["items"][0]["id"]


def schedule_body():
    return {"name": fresh("schedule"), "cron": "0 0 1 1 *", "description": "MARK",
            "tasks": [{"key": "a", "role": fresh("role")}]}


def schedule(t):
    return t.make("POST", "/schedules", schedule_body())["id"]


def template(t):
    name = fresh("template")
    t.make("PUT", f"/templates/{name}", {"description": "MARK", "tasks": [{"key": "a", "role": "r"}]})
    return name


def limit(t):
    name = fresh("limit")
    t.make("PUT", f"/limits/{name}", {"kind": "concurrency", "key": "role", "match": "MARK", "value": 3})
    return name


def memory(t):
    key = fresh("memory")
    t.make("PUT", f"/memory/{key}", {"value": "MARK"})
    return key


def key(t):
    return t.make("POST", "/keys", {"name": "MARK", "role": "guest", "rate_limit": 1000})


def subtask(t):
    one = held(t)
    made = t.make("POST", f"/tasks/{one['id']}/subtasks", {"epoch": one["epoch"], "description": "MARK"})
    return one, made["id"]


def tenant(t):
    return t.make("POST", "/tenants", {"name": fresh("tenant")})["name"]


def session(t):
    return t.make("POST", "/auth/login", {"username": t.username, "password": t.password, "tenant_name": t.name})


# Open to everyone.


@request("root", "livez", "readyz", "startupz", "health", "openapi", "docs", "jwks")
def _open(_):
    return Request()


@request("login")
def _login(t):
    return Request({"username": t.username, "password": t.password, "tenant_name": t.name})


@request("refresh")
def _refresh(t):
    return Request({"refresh_token": session(t)["refresh_token"]})


# About who asks.


@request("logout", "listSessions")
def _own_session(_):
    return Request(ok=(403,))  # the roles of test_rbac.py are keys, which have none


@request("endSession")
def _session(t):
    return Request(id=session(t)["session"], ok=(403,), foreign=(403,))


@request("me", "listKeys", "listRoles", "healthReport", "listHealthRecords", "listRecoveries")
def _about_me(_):
    return Request()


@request("verifyToken")
def _verify_token(t):
    return Request({"token": t.token})


@request("changePassword")
def _change_password(_):
    # Roles come with keys here, which have no password.
    return Request({"current_password": "x", "new_password": "tulip anvil sonnet"}, ok=(403,))


@request("createKey")
def _create_key(_):
    return Request({"name": "MARK", "rate_limit": 1000}, ok=(201,), unmanaged=(403,))


@request("getKey", "revokeKey")
def _key(t):
    return Request(key_id=key(t)["key_id"], unmanaged=(404,))


@request("suspendKey", "reactivateKey")
def _change_key(t):
    return Request(key_id=key(t)["key_id"], unmanaged=(403,))


@request("deleteKey")
def _delete_key(t):
    return Request(key_id=key(t)["key_id"], ok=(204,), unmanaged=(403,))


@request("rotateKey")
def _rotate_key(t):
    return Request({"overlap_s": 60}, key_id=key(t)["key_id"], ok=(201,), unmanaged=(403,))


@request("verifyKey")
def _verify_key(t):
    return Request({"key": key(t)["key"]})


# Lists, and what needs nothing.


@request("listAgents", "listWorkflows", "listTasks", "listDead", "listLimits", "listTemplates", "listSchedules",
         "listAlerts", "listAlertRules", "listAlertChannels", "listMessages", "listMemory", "systemMetrics", "agentsMetrics", "listEvents", "streamEvents", "systemStatus",
         "listTenants", "listAudit", "exportAudit", "verifyAudit", "getConfig", "listUsers")
def _list(_):
    return Request()


# Agents.


@request("registerAgent")
def _register(_):
    return Request({"agent_id": fresh("agent"), "name": "MARK", "role": "r"}, ok=(201,))


@request("getAgent", "agentStatus", "agentMetrics", "deleteAgent")
def _agent(t):
    return Request(agent_id=agent(t), ok=(200, 204))


@request("agentTasks", "inbox")
def _agent_list(t):
    return Request(agent_id=agent(t), foreign=(200, 404))


@request("patchAgent")
def _patch_agent(t):
    return Request({"name": "MARK"}, agent_id=agent(t))


@request("agentHeartbeat")
def _agent_heartbeat(t):
    return Request({"status": "error"}, agent_id=agent(t))


# Workflows.


@request("createWorkflow")
def _create_workflow(_):
    return Request(graph(), ok=(201,))


@request("getWorkflow", "workflowGraph", "cancelWorkflow")
def _workflow(t):
    return Request(id=workflow(t)["id"])


@request("workflowTasks", "workflowEvents")
def _workflow_list(t):
    return Request(id=workflow(t)["id"])


@request("patchWorkflow")
def _patch_workflow(t):
    return Request({"description": "MARK", "paused": True}, id=workflow(t)["id"])


@request("deleteWorkflow")
def _delete_workflow(t):
    return Request(id=ended(t), ok=(204,))


@request("retryWorkflow")
def _retry_workflow(t):
    return Request(id=ended(t, "fail"))


@request("appendTasks")
def _append(t):
    role = fresh("role")
    made = workflow(t, {"key": "a", "role": role})
    one = lease(t, role)
    body = {"task_id": one["id"], "epoch": one["epoch"], "tasks": [{"key": "b", "role": "r", "description": "MARK"}]}
    return Request(body, ok=(201,), id=made["id"])


# Tasks.


@request("createTask")
def _create_task(_):
    return Request({"role": fresh("role"), "description": "MARK"}, ok=(201,))


@request("redriveTasks")
def _redrive(t):
    return Request({"ids": [dead(t)]})


@request("getTask", "explainTask", "cancelTask")
def _task(t):
    return Request(id=task(t)["id"])


@request("listDependencies", "listSubtasks", "listAttempts")
def _task_list(t):
    return Request(id=held(t)["id"])


@request("patchTask")
def _patch_task(t):
    return Request({"priority": 9}, id=task(t)["id"])


@request("deleteTask")
def _delete_task(t):
    one = task(t)["id"]
    t.make("POST", f"/tasks/{one}/cancel")
    return Request(id=one, ok=(200, 204))


@request("retryTask")
def _retry_task(t):
    return Request(id=dead(t))


@request("approveTask", "rejectTask")
def _decide(t):
    return Request({"comment": "MARK"}, id=gate(t))


@request("addDependency")
def _depend(t):
    tasks = workflow(t, {"key": "a", "role": fresh("role")}, {"key": "b", "role": fresh("role")})["tasks"]
    return Request({"depends_on": tasks[0]["id"]}, id=tasks[1]["id"], ok=(200, 201))


@request("createSubtask")
def _create_subtask(t):
    one = held(t)
    return Request({"epoch": one["epoch"], "description": "MARK"}, id=one["id"], ok=(201,))


@request("patchSubtask")
def _patch_subtask(t):
    one, made = subtask(t)
    return Request({"epoch": one["epoch"], "status": "completed"}, id=made)


@request("leaseTasks")
def _lease(t):
    return Request({"roles": [task(t)["role"]], "agent_id": fresh("worker")})


@request("taskHeartbeat", "completeTask", "releaseTask")
def _settle_one(t):
    one = held(t)
    return Request({"epoch": one["epoch"]}, id=one["id"])


@request("failTask")
def _fail(t):
    one = held(t)
    return Request({"epoch": one["epoch"], "error_message": "MARK"}, id=one["id"])


@request("settleTasks")
def _settle(t):
    one = held(t)
    return Request([{"id": one["id"], "epoch": one["epoch"], "outcome": "complete", "output_data": "MARK"}])


# Things with a name: another tenant's name is free here, so PUT makes one's own.


@request("putLimit")
def _put_limit(t):
    return Request({"kind": "concurrency", "key": "role", "match": "MARK", "value": 7}, name=limit(t), ok=(200, 201),
                   foreign=(200, 201))


@request("getLimit", "deleteLimit")
def _limit(t):
    return Request(name=limit(t), ok=(200, 204))


@request("putTemplate")
def _put_template(t):
    return Request({"description": "MARK", "tasks": [{"key": "z", "role": "r"}]}, name=template(t), ok=(200, 201),
                   foreign=(200, 201))


@request("getTemplate", "deleteTemplate")
def _template(t):
    return Request(name=template(t), ok=(200, 204))


@request("putMemory")
def _put_memory(t):
    return Request({"value": "MARK"}, key=memory(t), ok=(200, 201), foreign=(200, 201))


@request("getMemory", "deleteMemory")
def _memory(t):
    return Request(key=memory(t))


@request("listMemoryAccesses")
def _memory_history(t):
    return Request(key=memory(t), foreign=(200, 404))


# Schedules.


@request("createSchedule")
def _create_schedule(_):
    return Request(schedule_body(), ok=(201,))


@request("getSchedule", "deleteSchedule", "runSchedule")
def _schedule(t):
    return Request(id=schedule(t), ok=(200, 201, 204))


@request("patchSchedule")
def _patch_schedule(t):
    return Request({"description": "MARK", "active": False}, id=schedule(t))


# Messages.


@request("sendMessage")
def _send(_):
    return Request(message_body(), ok=(201,))


@request("getMessage")
def _message(t):
    return Request(id=message(t))


@request("ackMessage")
def _ack(t):
    return Request({}, id=delivered(t))


# Health.


@request("createHealthRecord")
def _create_health_record(_):
    return Request({"component": "MARK", "status": "warning", "message": "MARK"}, ok=(201,))


# Users.


@request("createUser")
def _create_user(_):
    return Request(user_body(), ok=(201,))


@request("getUser")
def _user(t):
    return Request(id=user(t))


@request("patchUser")
def _patch_user(t):
    return Request({"role": "guest", "active": False, "display_name": "MARK"}, id=user(t))


@request("deleteUser")
def _delete_user(t):
    return Request(id=user(t), ok=(204,))


@request("setUserPassword")
def _set_user_password(t):
    return Request({"password": "harbour quilt zebra"}, id=user(t), ok=(204,))


# Tenants.


@request("createTenant")
def _create_tenant(_):
    return Request({"name": fresh("tenant"), "description": "MARK"}, ok=(201,))


@request("getTenant")
def _tenant(t):
    return Request(name=tenant(t))


@request("patchConfig")
def _patch_config(_):
    return Request({"message_ack_s": 61})


@request("patchTenant")
def _patch_tenant(t):
    return Request({"active": False}, name=tenant(t))


@request("deleteTenant")
def _delete_tenant(t):
    name = tenant(t)
    t.make("PATCH", f"/tenants/{name}", {"active": False})
    return Request(name=name, ok=(202,))


def with_mark(body, mark):
    return json.loads(json.dumps(body).replace("MARK", mark)) if body is not None else None


# Alerts.


def alert_rule(t, **more):
    return t.make("POST", "/alerts/rules", {"name": f"MARK-{fresh()}", "metric": "agents_offline", "comparison": ">=",
                                            "threshold": 100000, **more})["id"]


def alert_channel(t):
    return t.make("POST", "/alerts/channels", {"name": f"MARK-{fresh()}", "url": "https://hook.invalid/MARK"})["id"]


def alert(t):
    """One that fires: its condition always holds. Who evaluates does so once a second."""
    if not t.make("GET", "/alerts")["items"]:
        alert_rule(t, threshold=0)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        items = t.make("GET", "/alerts")["items"]
        if items:
            return items[0]["id"]
        time.sleep(0.1)
    raise SystemExit("no alert fired within 20 s")


@request("getAlert")
def _alert(t):
    return Request(id=alert(t))


@request("createAlertRule")
def _create_alert_rule(_):
    return Request({"name": f"MARK-{fresh()}", "metric": "task_ms", "comparison": ">", "threshold": 1}, ok=(201,))


@request("getAlertRule", "deleteAlertRule")
def _alert_rule(t):
    return Request(id=alert_rule(t), ok=(200, 204))


@request("patchAlertRule")
def _patch_alert_rule(t):
    return Request({"description": "MARK", "threshold": 200000}, id=alert_rule(t))


@request("createAlertChannel")
def _create_alert_channel(_):
    return Request({"name": f"MARK-{fresh()}", "url": "https://hook.invalid/MARK"}, ok=(201,))


@request("getAlertChannel", "deleteAlertChannel", "testAlertChannel")
def _alert_channel(t):
    return Request(id=alert_channel(t), ok=(200, 202, 204))


@request("listAlertDeliveries")
def _alert_deliveries(t):
    return Request(id=alert_channel(t))


@request("patchAlertChannel")
def _patch_alert_channel(t):
    return Request({"min_severity": "critical"}, id=alert_channel(t))
