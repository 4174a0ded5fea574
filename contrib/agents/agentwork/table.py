"""Reading a table of separated values, with or without notes above it.

Always holds: every row kept has exactly as many cells as the header; what did not fit is in `ragged` or `notes`
with its line number; column names are unique.
"""
import csv
import re
from collections import Counter
from functools import cached_property

DELIMITERS = ",;\t|"
MAX_COLUMNS = 200
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", "없음", "미입력", "미상"))
PERSONAL_COLUMNS = frozenset(
    """name full_name first_name last_name customer customer_name employee employee_name user username user_name email
e-mail mail phone telephone mobile contact owner assignee 이름 성명 고객명 고객 담당자 직원 이메일 전화번호 연락처""".split()
)

_QUOTED = re.compile(r'"[^"]*"')
_SENTENCE = re.compile(r"[.!?。]\s*$")
_NUMBER = re.compile(r"[-+−]?[$€£₩¥]?\s?(\d{1,3}(?:,\d{3})+|\d{1,15})(\.\d{1,12})?([eE][-+]?\d{1,2})?\s?(?:%|원)?")
_IDENTIFIER = re.compile(r"(?:^|[_ .-])(?:id|no|key|code|number|uuid|번호|코드)$")
_CATEGORY = re.compile(r"(?:^|[_ .-])(?:status|code|type|class|level|grade|year|zip|postcode|port|상태|등급|연도)$")


def find_delimiter(lines):
    """(delimiter, share of lines that are rows), or ("", 0.0) for no table. Notes may stand above the first row."""
    bare = [_QUOTED.sub("", line) if '"' in line else line for line in lines]
    best = ("", 0.0)
    for delimiter in DELIMITERS:
        counts = [line.count(delimiter) for line in bare]
        usual = Counter(count for count in counts if count).most_common(1)
        if not usual:
            continue
        count, hits = usual[0]
        body = counts[counts.index(count) :]
        share = hits / len(lines)
        sentences = sum(1 for line in lines[-len(body) :] if _SENTENCE.search(line))
        needed = 0.7 if count >= 2 and len(body) >= 3 else 0.9
        if (
            len(body) >= 2
            and hits >= needed * len(body)
            and share >= 0.4
            and share > best[1]
            and sentences <= 0.3 * len(body)
        ):
            best = (delimiter, share)
    return best


def number(cell):
    """The number a table cell holds, or None. Digits with a leading zero are a code, not a number."""
    cell = cell.strip()
    match = _NUMBER.fullmatch(cell) if cell and len(cell) < 40 else None
    if not match or (len(match[1]) > 1 and match[1][0] == "0"):
        return None
    value = float(match[1].replace(",", "") + (match[2] or "") + (match[3] or ""))
    if value > 1e15:
        return None
    return -value if cell[0] in "-−" else value


def is_personal(column):
    return column.strip().lower().replace(" ", "_") in PERSONAL_COLUMNS


def is_missing(cell):
    return cell.strip().lower() in MISSING


def _records(lines, delimiter):
    """(line number, cells) of every record; a quote that is never closed is read as a plain character."""
    records, reader, last = [], csv.reader((line + "\n" for line in lines), delimiter=delimiter), 0
    try:
        for cells in reader:
            if reader.line_num - last > 20:
                raise csv.Error("unclosed quote")
            if any(cell.strip() for cell in cells):
                records.append((last + 1, cells))
            last = reader.line_num
        return records
    except csv.Error:
        return [(index, line.split(delimiter)) for index, line in enumerate(lines, 1) if line.strip()]


class Table:
    """header, rows [(line, cells)], ragged [(line, cells)] of another width, notes [(line, text)] above the table."""

    def __init__(self, lines):
        delimiter = find_delimiter([line for line in lines if line.strip()])[0] or ","
        records = _records(lines, delimiter)
        width = Counter(len(cells) for _, cells in records).most_common(1)[0][0] if records else 0
        first = next((index for index, (_, cells) in enumerate(records) if len(cells) == width), 0)
        self.delimiter = delimiter
        self.notes = [(line, delimiter.join(cells)) for line, cells in records[:first]]
        body = records[first:]
        self.records = len(body)
        self.has_header = bool(body) and _looks_like_header(body[0][1])
        names = body[0][1] if self.has_header else [f"column_{index}" for index in range(1, width + 1)]
        self.header = _unique([" ".join(name.split())[:80] or f"column_{index}" for index, name in enumerate(names, 1)])
        body = body[1:] if self.has_header else body
        self.rows = [(line, cells) for line, cells in body if len(cells) == width]
        self.ragged = [(line, cells) for line, cells in body if len(cells) != width]

    def place(self, row):
        """How a finding names a row: its number among the data rows and its line in the file."""
        return f"row {row + 1} (line {self.rows[row][0]})"

    def cells(self, column):
        index = self.header.index(column)
        return [cells[index] for _, cells in self.rows]

    def values(self, column):
        """[(value, place)] of the cells that are numbers."""
        return [
            (value, self.place(row)) for row, value in enumerate(map(number, self.cells(column))) if value is not None
        ]

    @cached_property
    def numeric(self):
        """Columns with numbers in at least 80 % of the filled cells (three or more), identifiers and codes apart."""
        return [
            column
            for column in self.header[:MAX_COLUMNS]
            if column not in self.identifiers and not _CATEGORY.search(column.lower()) and self._is_numeric(column)
        ]

    @cached_property
    def identifiers(self):
        """Columns that name the row: called so, with nearly every value different."""
        result = []
        for column in self.header[:MAX_COLUMNS]:
            filled = [cell for cell in self.cells(column) if not is_missing(cell)]
            if _IDENTIFIER.search(column.lower()) and len(filled) >= 3 and len(set(filled)) >= 0.9 * len(filled):
                result.append(column)
        return result

    def _is_numeric(self, column):
        filled = [cell for cell in self.cells(column) if not is_missing(cell)]
        numbers = sum(1 for cell in filled if number(cell) is not None)
        return numbers >= 3 and numbers >= 0.8 * len(filled)


def _looks_like_header(cells):
    return all(cell.strip() and number(cell) is None and not re.match(r"\d{4}-\d\d-\d\d", cell) for cell in cells)


def _unique(names):
    seen, result = Counter(), []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result
