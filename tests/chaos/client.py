"""client.py - a good client of agentd: keeps its connections, takes any node, never takes silence for an answer.

Always holds: status None means that nothing is known about what became of the request; so does 503. NOT_SENT means that
no node was reached.
"""

import collections
import http.client
import json
import random
import time

import node

TRIES_S = 60
PAUSE_S = 0.05
AVOID_S = 1  # how long a node that refuses connections is left alone
NOT_SENT = 0


def is_certain(status):
    """True if the answer says what became of the request."""
    return bool(status) and status < 500


def wrote(status, answer):
    """True if the answer acknowledges that something was written."""
    if isinstance(answer, list):
        return any(one["status"] < 300 for one in answer)
    return status < 300 and answer.get("tasks") != []


# What is enough of a node to be asked.
Place = collections.namedtuple("Place", "host port")


class Client:
    """Not for two threads at once. on_write(node, asked at), if given, hears of every write that was acknowledged."""

    def __init__(self, nodes, token=None, on_write=None):
        self.nodes, self.token, self.on_write, self.connections, self.avoided = nodes, token, on_write, {}, {}
        self.trouble = ""  # why the last request had no answer

    def ask(self, method, path, body=None, key=None):
        """(status, answer) from any node; key is sent as Idempotency-Key."""
        target = self._choose()
        place = (target.host, target.port)  # a node that was started again may listen elsewhere
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        if key:
            headers["Idempotency-Key"] = key
        asked = time.monotonic()
        try:
            connection = self.connections.get(place)
            if not connection:
                connection = http.client.HTTPConnection(*place, timeout=20)
                self.connections[place] = connection
                connection.connect()
            connection.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            found = json.loads(text) if text else None
        except ConnectionRefusedError:
            del self.connections[place]
            self.avoided[place] = asked + AVOID_S
            return NOT_SENT, None
        except (OSError, http.client.HTTPException, ValueError) as trouble:
            self.trouble = f"{target.host}: {trouble!r}"
            self.connections.pop(place).close()
            return None, None
        if self.on_write and wrote(answer.status, found):
            self.on_write(target, asked)
        return answer.status, found

    def _choose(self):
        now = time.monotonic()
        welcome = [node for node in self.nodes if self.avoided.get((node.host, node.port), 0) <= now]
        return random.choice(welcome or self.nodes)

    def insist(self, method, path, body=None, key=None):
        """Asks until there is a certain answer, at any node; only for what may be asked twice."""
        deadline = time.monotonic() + TRIES_S
        while not is_certain((answer := self.ask(method, path, body, key))[0]) and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
        return answer

    def close(self):
        for connection in self.connections.values():
            connection.close()


def login(nodes):
    """An access token of the first admin."""
    client = Client(nodes)
    status, answer = client.insist("POST", "/auth/login", {"username": "admin", "password": node.PASSWORD})
    client.close()
    if status != 200:
        raise SystemExit(f"the login failed: {status} {answer}")
    return answer["access_token"]
