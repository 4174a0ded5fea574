"""Reading a log: entries with time, level and message.

Always holds: every non-empty line belongs to at most one entry (a stack trace belongs to the entry above it),
and entries keep the order of the file.
"""
import re
from functools import cached_property

LEVELS = ("trace", "debug", "info", "notice", "warning", "error", "critical")
SEVERE = frozenset(("error", "critical"))
_ALIASES = {
    "warn": "warning",
    "err": "error",
    "fatal": "critical",
    "crit": "critical",
    "alert": "critical",
    "emerg": "critical",
    "panic": "critical",
    "severe": "error",
}

_TIME = (
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d):\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|([A-Z][a-z]{2} [ \d]\d) (\d\d:\d\d):\d\d"
)
_HEAD = re.compile(rf"\[?(?:{_TIME})\]?(?=[ \]|:-])")
_ACCESS = re.compile(r"\S+ \S+ \S+ \[(\d\d/[A-Z][a-z]{2}/\d{4}):(\d\d:\d\d):\d\d[^\]]*\] \"[^\"]*\" ([1-5])\d\d ")
_JSON_LINE = re.compile(r"\{.*\"(?:level|severity|lvl)\"\s*:\s*\"([A-Za-z]+)\"")
_JSON_TIME = re.compile(r"\"(?:time|ts|timestamp|@timestamp)\"\s*:\s*\"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)")
_JSON_MESSAGE = re.compile(r"\"(?:msg|message)\"\s*:\s*\"((?:[^\"\\]|\\.){0,400})")
_LEVEL = re.compile(
    r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|SEVERE|ALERT|EMERG|PANIC)\b"
    r"|\b(trace|debug|info|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|panic)\b(?=[\]:|=])"
    r"|(?<=level=)(\w+)"
)
_PAIR = re.compile(
    r"(?<![\w.])([A-Za-z_][\w.]{0,40})=(-?\d{1,15}(?:\.\d{1,9})?)(?=(?:ms|us|s|%|MB|KB|GB|B)?(?:[\s,;)\]}\"]|$))"
)
_IDENTIFIER = re.compile(r"(?:^|[_.])(?:id|pid|tid|port|line|seq|epoch|code|status|no)$")
_VARIABLE = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-fA-F]+|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b|\d+(?:[.:]\d+)*"
)


def starts_entry(line):
    return bool(_HEAD.match(line) or _ACCESS.match(line) or _JSON_LINE.match(line))


def mask_numbers(message):
    """The message as a pattern: numbers, hexadecimal words and UUIDs become #."""
    return _VARIABLE.sub("#", message)


class Entry:
    """One entry: line number, minute ("2026-03-11 10:42" or ""), level ("" when unknown), message, lines it takes."""

    __slots__ = ("line", "minute", "level", "message", "lines")

    def __init__(self, line, minute, level, message):
        self.line, self.minute, self.level, self.message, self.lines = line, minute, level, message, 1


def _parse(index, line):
    if line.startswith("{") and (match := _JSON_LINE.match(line)):
        time, message = _JSON_TIME.search(line), _JSON_MESSAGE.search(line)
        return Entry(
            index, f"{time[1]} {time[2]}" if time else "", _level_name(match[1]), message[1] if message else line
        )
    if match := _ACCESS.match(line):
        level = {"4": "warning", "5": "error"}.get(match[3], "info")
        return Entry(index, f"{match[1]} {match[2]}", level, line[match.start(0) :].split("] ", 1)[1])
    if match := _HEAD.match(line):
        minute = f"{match[1] or match[3]} {match[2] or match[4]}"
        rest = line[match.end() :].lstrip(" ]|:-")
        level = _LEVEL.search(rest[:80])
        if not level:
            return Entry(index, minute, "", rest)
        message = rest[level.end() :].lstrip(" ]|:-") if level.start() < 12 else rest
        return Entry(index, minute, _level_name(level[1] or level[2] or level[3]), message or rest)
    return None


def _level_name(word):
    word = word.lower()
    word = _ALIASES.get(word, word)
    return word if word in LEVELS else ""


class Log:
    """All entries of a log."""

    def __init__(self, lines):
        self.entries, self.orphans, self.non_empty = [], 0, 0
        self.lines = lines
        for index, line in enumerate(lines, 1):
            if not line.strip():
                continue
            self.non_empty += 1
            entry = _parse(index, line)
            if entry:
                self.entries.append(entry)
            elif self.entries:
                self.entries[-1].lines += 1
            else:
                self.orphans += 1

    @cached_property
    def numbers(self):
        """{key: [(value, line number)]} of key=number pairs, identifiers such as pid apart; at most 50 keys."""
        found = {}
        for index, line in enumerate(self.lines, 1):
            if "=" not in line:
                continue
            for key, value in _PAIR.findall(line):
                if key not in found and (len(found) >= 50 or _IDENTIFIER.search(key.lower())):
                    continue
                found.setdefault(key, []).append((float(value), index))
        return found
