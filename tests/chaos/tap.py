"""tap.py - what a chaos test says: TAP on standard output, evidence below every check that fails."""

EVIDENCE_LINES = 5

count = 0
failed = 0


def check(name, good, seen=""):
    """One line of TAP; seen is a text or a list of texts and is only shown for a failure."""
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if good:
        return
    failed += 1
    lines = [str(seen)] if not isinstance(seen, list) else [str(line) for line in seen]
    for line in lines[:EVIDENCE_LINES]:
        print(f"# saw: {line}", flush=True)
    if len(lines) > EVIDENCE_LINES:
        print(f"# and {len(lines) - EVIDENCE_LINES} more", flush=True)


def check_none(name, violations):
    """Passes if the list of violations is empty; its elements are the evidence."""
    check(name, not violations, violations)


def note(text):
    print(f"# {text}", flush=True)


def end():
    """The plan; the exit status of the test."""
    print(f"1..{count}", flush=True)
    return 1 if failed or not count else 0
