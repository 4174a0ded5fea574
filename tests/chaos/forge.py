"""forge.py - reads a backup that was made without a key, and writes one that anybody could have made: every tag is right.

The format is that of master/backup_file.h.
"""

import hashlib
import hmac
import json

HEADER, SIGNED, TAG = 80, 64, 16


def key_of(header):
    return hmac.new(bytes(32), header[:SIGNED] + b"key", hashlib.sha256).digest()


class Backup:
    """frames: [type, text] in order."""

    def __init__(self, data):
        self.header, self.frames, at = data[:HEADER], [], HEADER
        while at < len(data):
            length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 5].decode()
            text, tag = data[at + 5 : at + 5 + length - TAG], data[at + 5 + length - TAG : at + 5 + length]
            if tag != self._tag(len(self.frames), kind, text):
                raise ValueError(f"the tag of frame {len(self.frames)} is wrong")
            self.frames.append([kind, text])
            at += 5 + length

    def _tag(self, number, kind, text):
        return hmac.new(key_of(self.header), number.to_bytes(8, "big") + kind.encode() + text, hashlib.sha256).digest()[:TAG]

    def write(self):
        out = [self.header]
        for number, (kind, text) in enumerate(self.frames):
            out += [(len(text) + TAG).to_bytes(4, "big"), kind.encode(), text, self._tag(number, kind, text)]
        return b"".join(out)

    def head(self):
        return json.loads(self.frames[0][1])

    def _span(self, table):
        """The columns of the table, and where its data frames begin and end."""
        for at, (kind, text) in enumerate(self.frames):
            if kind == "t" and json.loads(text)["table"] == table:
                end = at + 1
                while self.frames[end][0] == "d":
                    end += 1
                return json.loads(text)["columns"], at + 1, end
        raise KeyError(table)

    def rows(self, table):
        columns, begin, end = self._span(table)
        lines = b"".join(text for _, text in self.frames[begin:end]).decode().split("\n")[:-1]
        return [dict(zip(columns, line.split("\t"))) for line in lines]

    def put_rows(self, table, rows, tell=True):
        """tell: the counts are made to fit."""
        columns, begin, end = self._span(table)
        text = "".join("\t".join(row[name] for name in columns) + "\n" for row in rows).encode()
        before = json.loads(self.frames[end][1])["rows"]
        self.frames[begin:end] = [["d", text[at : at + 100000]] for at in range(0, len(text), 100000)]
        _, _, end = self._span(table)
        if tell:
            self.frames[end][1] = json.dumps({"rows": len(rows)}).encode()
            totals = json.loads(self.frames[-1][1])
            totals["rows"] += len(rows) - before
            totals["tables"][table] = len(rows)
            self.frames[-1][1] = json.dumps(totals).encode()
