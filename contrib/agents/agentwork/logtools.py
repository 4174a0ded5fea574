"""The tools for logs: levels, bursts of errors, frequent messages.

Always holds: a minute is the text of its time stamp, never a date of this machine.
"""
from collections import Counter

from .logs import LEVELS, SEVERE, mask_numbers
from .numeric import quantile, show
from .outcome import count, finding, outcome
from .text import BadInput

BURST_LEAST, BURST_FACTOR = 5, 4


def _evidence(document, entries):
    return [{"line": entry.line, "text": document.quote(document.lines[entry.line - 1])} for entry in entries]


def log_levels(document, _arguments, _results):
    log = document.log
    tally = Counter(entry.level or "unknown" for entry in log.entries)
    severe = [entry for entry in log.entries if entry.level in SEVERE]
    total = len(log.entries)
    order = [level for level in reversed(LEVELS) if tally[level]] + (["unknown"] if tally["unknown"] else [])
    result = {
        "entries": total,
        "levels": {level: tally[level] for level in order},
        "error_share": round(len(severe) / total, 4),
    }
    severity = "warning" if result["error_share"] >= 0.1 else "notice" if severe else "info"
    found = [
        finding(
            severity,
            "Levels",
            ", ".join(f"{level} {tally[level]}" for level in order)
            + f"; {100 * result['error_share']:.1f} % of {count(total, 'entry')} are errors",
            _evidence(document, (severe or log.entries)[:3]),
        )
    ]
    critical = [entry for entry in severe if entry.level == "critical"]
    for entry in critical[:3]:
        found.append(
            finding(
                "warning",
                "Critical entry",
                f"line {entry.line}: {document.quote(entry.message)}",
                _evidence(document, [entry]),
            )
        )
    return outcome(result, found, "lines", sum(entry.lines for entry in log.entries), log.non_empty)


def log_bursts(document, _arguments, _results):
    """Minutes with at least 5 errors and more than 4 times (the median of the other minutes + 1)."""
    timed = [entry for entry in document.log.entries if entry.minute]
    if not timed:
        raise BadInput("no entry of the log has a time")
    minutes = dict.fromkeys(entry.minute for entry in timed)
    errors = {minute: [] for minute in minutes}
    for entry in timed:
        if entry.level in SEVERE:
            errors[entry.minute].append(entry)
    counts = sorted(len(entries) for entries in errors.values())
    usual = quantile(counts, 0.5)
    bursts, previous = [], False
    for minute, entries in errors.items():
        high = len(entries) >= BURST_LEAST and len(entries) > BURST_FACTOR * (usual + 1)
        if high and previous:
            bursts[-1].append(minute)
        elif high:
            bursts.append([minute])
        previous = high
    result, found = [], []
    for burst in bursts[:50]:
        entries = [entry for minute in burst for entry in errors[minute]]
        result.append(
            {
                "from": burst[0],
                "to": burst[-1],
                "errors": len(entries),
                "first_line": entries[0].line,
                "last_line": entries[-1].line,
            }
        )
        found.append((len(entries), _burst_finding(document, burst, entries, usual)))
    found = [item for _, item in sorted(found, key=lambda pair: -pair[0])[:5]]
    if not bursts:
        found.append(
            finding(
                "info",
                "No burst of errors",
                f"no minute of {len(minutes)} has more than {count(counts[-1], 'error')}",
                _evidence(document, timed[:1] + timed[-1:]),
            )
        )
    facts = {"minutes": len(minutes), "median_errors": usual, "most_errors": counts[-1], "bursts": result}
    return outcome(facts, found, "entries", len(timed), len(document.log.entries))


def _burst_finding(document, burst, entries, usual):
    ((pattern, times),) = Counter(mask_numbers(entry.message) for entry in entries).most_common(1)
    when = f"minute {burst[0]}" if len(burst) == 1 else f"minutes {burst[0]} to {burst[-1]}"
    return finding(
        "warning",
        "Burst of errors",
        f"{when}: {count(len(entries), 'error')} where the median minute has {show(usual)}; "
        f"most often ({times}): {document.quote(pattern, 100)}",
        _evidence(document, [entries[0], entries[-1]]),
    )


def log_messages(document, _arguments, _results):
    """Messages with their numbers masked, the most frequent first; and errors that occur once."""
    groups = {}
    for entry in document.log.entries:
        groups.setdefault(mask_numbers(entry.message)[:300], []).append(entry)
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[1][0].line))
    top = [
        {
            "pattern": document.quote(pattern),
            "count": len(entries),
            "level": entries[0].level or "unknown",
            "first_line": entries[0].line,
            "last_line": entries[-1].line,
        }
        for pattern, entries in ranked[:15]
    ]
    found = [
        finding(
            "info",
            "Most frequent message",
            f"{len(entries)} times, lines {entries[0].line} to {entries[-1].line}: {document.quote(pattern)}",
            _evidence(document, entries[:3]),
        )
        for pattern, entries in ranked[:1]
        if len(entries) > 1
    ]
    errors = [(pattern, entries) for pattern, entries in ranked if entries[0].level in SEVERE]
    for pattern, entries in errors[:2]:
        if len(entries) > 1:
            found.append(
                finding(
                    "notice",
                    "Most frequent error",
                    f"{len(entries)} times, lines {entries[0].line} to "
                    f"{entries[-1].line}: {document.quote(pattern)}",
                    _evidence(document, entries[:3]),
                )
            )
    for pattern, entries in [item for item in errors if len(item[1]) == 1][:3]:
        found.append(
            finding(
                "notice",
                "Error that occurs once",
                f"line {entries[0].line}: {document.quote(entries[0].message)}",
                _evidence(document, entries),
            )
        )
    log = document.log
    return outcome(
        {"patterns": len(groups), "top": top}, found, "lines", sum(entry.lines for entry in log.entries), log.non_empty
    )
