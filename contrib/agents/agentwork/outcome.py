"""What a tool hands back: one shape for every tool."""


def count(number, word):
    """1 row, 2 rows."""
    return f"{number} {word if number == 1 else 'entries' if word == 'entry' else word + 's'}"


def finding(severity, title, detail, evidence):
    """severity is info, notice or warning; evidence is a list of {line or place, text}."""
    return {"severity": severity, "title": title, "detail": detail, "evidence": evidence}


def outcome(result, findings, unit, read, total):
    return {"result": result, "findings": findings, "coverage": {"unit": unit, "read": read, "total": total}}
