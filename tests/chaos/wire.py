"""wire.py - follows PostgreSQL's frontend/backend protocol (version 3) far enough to see commits go by.

Pure: bytes in, commits out. Only for unix sockets, where neither side asks for TLS, and for the extended protocol with
an implicit transaction that ends at Sync, as agentd speaks it.
"""

import collections
import re

# What a statement writes, by its text; the first that fits.
KINDS = (
    ("workflow", re.compile(r"\bINSERT INTO workflows\b", re.I)),
    ("settle", re.compile(r"\bINSERT INTO task_attempts\b|\bUPDATE tasks t SET status = 'completed'", re.I)),
    ("create", re.compile(r"\bINSERT INTO tasks\b", re.I)),
    ("lease", re.compile(r"\bUPDATE tasks\b.*\bleased_at = ", re.I | re.S)),
)
# A settlement answers a row for every request; this is a column that says that one was accepted.
OK = b"\0\0\0\2ok"


def kind_of(sql):
    for kind, pattern in KINDS:
        if pattern.search(sql):
            return kind
    return None


class Messages:
    """Cuts a stream into messages: (type, payload)."""

    def __init__(self, untyped_first):
        self.pending, self.untyped = bytearray(), untyped_first

    def feed(self, data):
        self.pending += data
        at, found, head = 0, [], 4 if self.untyped else 5
        while len(self.pending) - at >= head:
            length = int.from_bytes(self.pending[at + head - 4 : at + head], "big")
            end = at + head - 4 + length
            if len(self.pending) < end:
                break
            found.append(
                (b"" if self.untyped else bytes(self.pending[at : at + 1]), bytes(self.pending[at + head : end]))
            )
            at, self.untyped, head = end, False, 5
        del self.pending[:at]
        return found


class Connection:
    """Both directions of one connection."""

    def __init__(self):
        self.client, self.server = Messages(True), Messages(False)
        self.kinds = {}  # prepared statement -> what it writes
        self.bound, self.executed = None, []
        # What was executed up to each Sync that has no answer yet; the first answer is that to the start.
        self.groups = collections.deque([[]])
        self.tags, self.failed, self.done = [], False, False

    def from_client(self, data):
        for kind, payload in self.client.feed(data):
            if kind == b"P":
                name, sql = payload.split(b"\0", 2)[:2]
                self.kinds[name] = kind_of(sql.decode(errors="replace"))
            elif kind == b"B":
                self.bound = self.kinds.get(payload.split(b"\0", 2)[1])
            elif kind == b"E":
                self.executed.append(self.bound)
            elif kind in (b"S", b"Q"):
                self.groups.append(self.executed)
                self.executed = []

    def from_server(self, data):
        """For every transaction whose end is in this data: the kinds of rows that it has written and committed."""
        commits = []
        for kind, payload in self.server.feed(data):
            if kind == b"C":
                self.tags.append(payload.rstrip(b"\0").decode())
            elif kind == b"D":
                self.done = self.done or OK in payload
            elif kind == b"E":
                self.failed = True
            elif kind == b"Z":
                group = self.groups.popleft() if self.groups else []
                commits.append(set() if self.failed else self._written(group))
                self.tags, self.failed, self.done = [], False, False
        return commits

    def _written(self, group):
        kinds = {kind for kind, tag in zip(group, self.tags) if kind and not tag.endswith(" 0")}
        return kinds if self.done else kinds - {"settle"}
