"""The tools for tables: shape, missing values, repeated rows, values of text columns.

Always holds: a cell of a personal column (name, e-mail, telephone) is never quoted.
"""
from collections import Counter

from .outcome import count, finding, outcome
from .table import is_missing, is_personal, number

LISTED = 10


def _row_text(document, cells):
    table = document.table
    return document.quote(
        " | ".join(
            "[person]" if is_personal(column) and not is_missing(cell) else cell.strip()
            for column, cell in zip(table.header, cells)
        )
    )


def _types(table):
    return {
        column: "identifier"
        if column in table.identifiers
        else "number"
        if column in table.numeric
        else "personal"
        if is_personal(column)
        else "text"
        for column in table.header[:200]
    }


def table_shape(document, _arguments, _results):
    table = document.table
    types = _types(table)
    result = {
        "rows": len(table.rows),
        "columns": len(table.header),
        "delimiter": table.delimiter,
        "has_header": table.has_header,
        "ragged_rows": len(table.ragged),
        "note_lines": len(table.notes),
        "types": dict(list(types.items())[:40]),
    }
    first = [{"place": table.place(0), "text": _row_text(document, table.rows[0][1])}] if table.rows else []
    found = [
        finding(
            "info",
            "Shape of the table",
            f"{count(len(table.rows), 'row')} of {count(len(table.header), 'column')}, "
            f"{sum(1 for kind in types.values() if kind == 'number')} of them with numbers",
            first,
        )
    ]
    if table.notes:
        found.append(
            finding(
                "notice",
                "Notes above the table",
                f"{count(len(table.notes), 'line')} above the header: not rows",
                [{"line": line, "text": document.quote(document.lines[line - 1])} for line, _ in table.notes[:5]],
            )
        )
    for line, cells in table.ragged[:5]:
        found.append(
            finding(
                "warning",
                "Row of another width",
                f"line {line} has {count(len(cells), 'cell')} where the header has "
                f"{len(table.header)}; it is left out",
                [{"place": f"line {line}", "text": f"{len(cells)} cells"}],
            )
        )
    for column in table.header[:200]:
        values = set(table.cells(column))
        if len(values) == 1 and len(table.rows) >= 3:
            found.append(
                finding(
                    "notice",
                    "Column without information",
                    f"column {column} has the same value in every row",
                    [{"place": table.place(0), "text": document.quote(column)}],
                )
            )
    return outcome(result, found[:20], "rows", len(table.rows), len(table.rows) + len(table.ragged))


def missing_values(document, _arguments, _results):
    table, result, found, everywhere = document.table, {}, [], Counter()
    columns = table.header[:200]
    for column in columns:
        rows = [row for row, cell in enumerate(table.cells(column)) if is_missing(cell)]
        everywhere.update(rows)
        if rows:
            result[column] = {
                "missing": len(rows),
                "share": round(len(rows) / len(table.rows), 4),
                "rows": [row + 1 for row in rows[:LISTED]],
            }
    for column, facts in sorted(result.items(), key=lambda item: (-item[1]["missing"], item[0]))[:8]:
        places = [table.place(row - 1) for row in facts["rows"]]
        more = f" and {facts['missing'] - 5} more" if facts["missing"] > 5 else ""
        found.append(
            finding(
                "warning" if facts["share"] >= 0.2 else "notice",
                "Missing values",
                f"column {column} has no value in {facts['missing']} of {count(len(table.rows), 'row')}: "
                + ", ".join(places[:5])
                + more,
                [{"place": place, "text": f"{column} is empty"} for place in places[:5]],
            )
        )
    shown = dict(sorted(result.items(), key=lambda item: (-item[1]["missing"], item[0]))[:40])
    total = {"columns": shown, "cells": sum(facts["missing"] for facts in result.values()), "rows": len(everywhere)}
    return outcome(total, found, "columns", len(columns), len(table.header))


def duplicate_rows(document):
    table, groups = document.table, {}
    for row, (_, cells) in enumerate(table.rows):
        groups.setdefault(tuple(cell.strip() for cell in cells), []).append(row)
    repeated = sorted((rows for rows in groups.values() if len(rows) > 1), key=lambda rows: (-len(rows), rows[0]))
    found, listed = [], []
    for rows in repeated[:20]:
        text = _row_text(document, table.rows[rows[0]][1])
        listed.append({"rows": [row + 1 for row in rows[:20]], "times": len(rows), "text": text})
        if len(found) < 8:
            shown = " and ".join(table.place(row) for row in rows[:3]) + (
                f" and {len(rows) - 3} more" if len(rows) > 3 else ""
            )
            found.append(
                finding(
                    "warning",
                    "Repeated row",
                    f"{shown} are the same: {text}",
                    [{"place": table.place(row), "text": text} for row in rows[:5]],
                )
            )
    same = {row for rows in repeated for row in rows[1:]}
    for column in table.identifiers:
        found.extend(_repeated_identifiers(document, column, same))
    result = {"groups": len(repeated), "surplus": len(same), "examples": listed}
    return outcome(result, found, "rows", len(table.rows), len(table.rows) + len(table.ragged))


def _repeated_identifiers(document, column, same):
    """Rows that differ but share the value of a column that should name one row."""
    table, places = document.table, {}
    for row, cell in enumerate(table.cells(column)):
        if row not in same and not is_missing(cell):
            places.setdefault(cell.strip(), []).append(row)
    repeated = [(value, rows) for value, rows in places.items() if len(rows) > 1]
    return [
        finding(
            "warning",
            "Identifier used twice",
            f"column {column}: {document.quote(value, 40)} names different rows: "
            + " and ".join(table.place(row) for row in rows[:4]),
            [{"place": table.place(row), "text": _row_text(document, table.rows[row][1])} for row in rows[:4]],
        )
        for value, rows in repeated[:5]
    ]


def category_counts(document, _arguments, _results):
    table = document.table
    columns = [column for column, kind in _types(table).items() if kind in ("text", "personal")]
    result, found = {}, []
    for column in columns[:40]:
        filled = [(row, cell.strip()) for row, cell in enumerate(table.cells(column)) if not is_missing(cell)]
        tally = Counter(cell for _, cell in filled)
        result[column] = {"distinct": len(tally)}
        if is_personal(column):
            continue
        ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
        result[column]["values"] = [
            {"value": document.quote(value, 60), "count": times} for value, times in ranked[:LISTED]
        ]
        found.extend(_spellings(document, column, filled, tally))
        if 2 <= len(tally) <= 0.5 * len(filled):
            row = next(row for row, cell in filled if cell == ranked[0][0])
            found.append(
                finding(
                    "info",
                    "Values of a column",
                    f"column {column}: "
                    + ", ".join(f"{document.quote(value, 40)} ({times})" for value, times in ranked[:5]),
                    [{"place": table.place(row), "text": document.quote(ranked[0][0], 60)}],
                )
            )
    return outcome({"columns": result}, found[:20], "columns", len(result), len(columns))


def _spellings(document, column, filled, tally):
    """One value written in several ways."""
    table, forms = document.table, {}
    for value in tally:
        forms.setdefault(" ".join(value.replace("_", " ").replace("-", " ").split()).casefold(), []).append(value)
    result = []
    for same in forms.values():
        if len(same) > 1 and len(result) < 3:
            same = sorted(same, key=lambda value: (-tally[value], value))
            where = {value: next(row for row, cell in filled if cell == value) for value in same[:4]}
            result.append(
                finding(
                    "notice",
                    "One value, several spellings",
                    f"column {column}: "
                    + ", ".join(f"'{document.quote(value, 40)}' ({tally[value]})" for value in same[:4]),
                    [{"place": table.place(row), "text": document.quote(value, 60)} for value, row in where.items()],
                )
            )
    return result


def not_numbers(document, column):
    """Cells of a number column that are filled and no number."""
    table = document.table
    wrong = [
        (row, cell) for row, cell in enumerate(table.cells(column)) if not is_missing(cell) and number(cell) is None
    ]
    return [
        finding(
            "warning",
            "Not a number",
            f"column {column}: '{document.quote(cell, 40)}' in {table.place(row)} is not a number",
            [{"place": table.place(row), "text": document.quote(cell, 60)}],
        )
        for row, cell in wrong[:5]
    ]
