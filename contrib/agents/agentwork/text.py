"""Reading a text: lines, words, terms, sentences, numbers, language and people, in English and Korean.

Always holds: a Document's text has no control characters but newline and tab, lines count from 1,
and every function here is a pure function of the text (no clock, no random, no locale).
"""
import re
from functools import cached_property, lru_cache

from . import logs, table

MAX_BYTES = 1 << 20
GLANCE_LINES = 30
CLIP = 160

ENGLISH_STOP = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being below between both
    but by can could did do does doing down during each few for from further had has have having he her here
    hers him his how i if in into is it its itself just may me might more most must my no nor not now of off on
    once one only or other our out over own per same shall she should so some such than that the their them then
    there these they this those through to too two under until up upon us very via was we were what when where
    which while who whom why will with within without would you your
""".split()
)
KOREAN_STOP = frozenset(
    """그리고 그러나 하지만 또한 또는 따라서 그래서 그런데 이후 이전 이번 다음 모든 매우 가장 다시 이미 아직 현재 경우 때문 대한
대해 위해 위한 통해 관련 있습니다 없습니다 있다 없다 있는 없는 있음 없음 합니다 했습니다 됩니다 되었습니다 한다 했다 된다 되었다 것입니다 것이다
것으로 같은 같이 우리 저희 여기 거기 이것 그것 정도 동안 각각 모두 함께 아니라 않았습니다 않는다 않습니다 입니다 하는 하고""".split()
)
# Longest first, so that "에서는" goes before "는".
PARTICLES = tuple(
    sorted(
        """
    했습니다 하였습니다 되었습니다 됐습니다 합니다 됩니다 입니다 이었습니다 였습니다 하였다 되었다 했다 한다 된다 하는 하고 하여 해서 하며 되는 되어 에서는 에서도 에게서 으로는 으로도 으로써
    에서 에게 으로 까지 부터 처럼 보다 마다 이나 이며 이라 라고 조차 밖에 에는 에도 로는 은 는 이 가 을 를 의 에 로 와 과 도 만
""".split(),
        key=lambda particle: (-len(particle), particle),
    )
)
SURNAMES = frozenset("김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진나지엄채원천방공현함변염여추도소석선설마길")

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")
_WORD = re.compile(r"\w+(?:['’.\-]\w+)*")
_TERM = re.compile(r"[a-z][a-z0-9_]*(?:['’.\-][a-z0-9_]+)*|[가-힣]{2,}|[^\W\d_a-z가-힣]{2,}")
_SENTENCE_END = re.compile(r"(?<=[.!?。])[\"'”’)]*\s+(?=[\"'“‘(]*[A-Z0-9가-힣])")
_ABBREVIATION = re.compile(r"(?:^|\W)(?:Mr|Mrs|Ms|Dr|Prof|No|vs|etc|e\.g|i\.e|approx|Fig|St)\.$")
_BULLET = re.compile(r"\s*(?:[-*•·]|\d{1,3}[.)]|#{1,6})\s+")
_NOT_A_QUANTITY = re.compile(
    r"https?://\S+|[\w.+%-]{1,64}@\S+|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:T\S*)?"
    r"|\d{4}년(?:\s?\d{1,2}월)?(?:\s?\d{1,2}일)?|\d{1,2}월\s?\d{1,2}일"
    r"|\d{1,2}:\d\d(?::\d\d)?|\d{1,2}시\s?\d{1,2}분|\d+(?:\.\d+){2,}|(?<![A-Za-z_])[A-Za-z_]{1,40}-?\d\S*"
)
_QUANTITY = re.compile(
    r"(?<![\w.])(-?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,9})?)\s{0,2}"
    r"(%|퍼센트|시간|만\s?원|억\s?원|원|건|명|개|회|분|초|일|대|배|[a-zA-Z]{1,20})?"
)
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_PHONE = re.compile(
    r"(?<![\w-])(?:\+\d{1,3}[ -]\d{1,4}[ -]\d{3,4}[ -]\d{3,4}|0\d{1,2}-\d{3,4}-\d{4}|\d{6}-[1-4]\d{6})(?![\w-])"
)
_TITLED = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof)\.? ([A-Z][a-z]+(?:[ -][A-Z][a-z]+)?)")
_KOREAN_TITLED = re.compile(r"(?<![가-힣])([가-힣]{3})\s?(?:씨|님|대리|과장|차장|부장|팀장|이사|대표|사원|선임|책임|교수|박사)")
_PEOPLE_LABEL = re.compile(
    r"^\s*[-*]?\s*(?:author|attendees|participants|present|owner|reporter|reported by|prepared by|assignee|"
    r"on call|on-call|incident commander|chair|minutes|참석자|작성자|담당자|진행|보고자)\s*[:：]\s*(.{2,400})$",
    re.IGNORECASE | re.MULTILINE,
)
_ENGLISH_NAME = re.compile(r"[A-Z][a-z]{1,20}(?:[ -][A-Z][a-z]{1,20}){1,2}")
_NOT_NAMES = frozenset(
    "Team Group Service Support Platform Operations Engineering Department Office Customer Board Desk Lead".split()
)


class BadInput(Exception):
    """The input cannot be worked on; the message says why and what to do."""


def clip(text, length=CLIP):
    """One line of at most LENGTH characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def clean(raw):
    """RAW without escape sequences and control characters; BadInput when it is not text at all."""
    text = _ANSI.sub("", raw.removeprefix("\ufeff")).replace("\r\n", "\n").replace("\r", "\n")
    strange = len(_CONTROL.findall(text))
    if strange * 50 > len(text):
        raise BadInput(
            f"the input is not text: {strange} of {len(text)} characters are control or broken characters; "
            "submit it as UTF-8 text"
        )
    return _CONTROL.sub(" ", text) if strange else text


@lru_cache(maxsize=65536)
def stem(token):
    """The term behind a token: Korean without its particle, English without the possessive."""
    if "가" <= token[0] <= "힣":
        for particle in PARTICLES:
            if token.endswith(particle) and len(token) - len(particle) >= 2:
                return token[: -len(particle)]
        return token
    return token[:-2] if token.endswith(("'s", "’s")) else token


def terms(text):
    """The words that carry meaning, in order, lower case."""
    result = []
    text = _EMAIL.sub(" ", text) if "@" in text else text
    for token in _TERM.findall(text.lower()):
        if token in ENGLISH_STOP or token in KOREAN_STOP or len(token) < 2:
            continue
        term = stem(token)
        if term not in ENGLISH_STOP and term not in KOREAN_STOP:
            result.append(term)
    return result


def language(text):
    """korean, english, mixed or other. A Hangul syllable weighs as two Latin letters."""
    hangul = 2 * len(re.findall("[가-힣]", text))
    latin = len(re.findall("[A-Za-z]", text))
    letters = len(re.findall(r"[^\W\d_]", text)) + hangul // 2
    if not letters or (hangul + latin) * 2 < letters:
        return "other"
    share = hangul / (hangul + latin)
    return "korean" if share >= 0.7 else "english" if share <= 0.1 else "mixed"


def kind_of(lines):
    """log, csv or prose, by the lines given: a glance at the head or all of them."""
    lines = [line for line in lines if line.strip()]
    if lines and sum(1 for line in lines if logs.starts_entry(line)) >= 0.4 * len(lines):
        return "log"
    return "csv" if table.find_delimiter(lines)[0] else "prose"


def _name_parts(full):
    return [full] + [part for part in re.split("[ -]", full) if len(part) >= 3]


def find_people(text):
    """Names that the text itself marks as names: after a title, in a list of people, or a Korean name with a rank."""
    names = {}
    for match in _TITLED.finditer(text):
        names.update(dict.fromkeys(_name_parts(match[1])))
    for match in _KOREAN_TITLED.finditer(text):
        if match[1][0] in SURNAMES:
            names[match[1]] = None
    for match in _PEOPLE_LABEL.finditer(text):
        for item in re.split(r",|;|·|/| and |\(.*?\)", match[1].rstrip(". ")):
            item = item.strip()
            if _ENGLISH_NAME.fullmatch(item) and not _NOT_NAMES.intersection(item.split()):
                names.update(dict.fromkeys(_name_parts(item)))
            elif re.match("[가-힣]{2,4}(?:$|\\s)", item) and item[0] in SURNAMES:
                names[item.split()[0]] = None
    return list(names)[:200]


class Document:
    """One input and what can be measured in it; every measure is made once, when it is first asked for."""

    def __init__(self, name, raw):
        self.name = clip(_CONTROL.sub(" ", name)) or "input"
        self.bytes = len(raw.encode("utf-8", "replace"))
        if self.bytes > MAX_BYTES:
            raise BadInput(
                f"the input has {self.bytes} bytes, at most {MAX_BYTES} are read; split it and submit the parts"
            )
        self.text = clean(raw)
        if not self.text.strip():
            raise BadInput("the input text is empty; submit a file with text in it")
        self.lines = self.text.rstrip("\n").split("\n")

    def head(self, share):
        """The first SHARE of the lines as a document of its own, for a second try that must be faster."""
        return Document(self.name, "\n".join(self.lines[: max(1, int(len(self.lines) * share))]))

    @cached_property
    def glance(self):
        """The first filled lines as a document of their own: all that a first look reads."""
        filled = [line for line in self.lines if line.strip()]
        return self if len(filled) <= GLANCE_LINES else Document(self.name, "\n".join(filled[:GLANCE_LINES]))

    @cached_property
    def kind(self):
        return kind_of(self.lines)

    @cached_property
    def language(self):
        return language(self.text)

    @cached_property
    def words(self):
        return _WORD.findall(self.text)

    @cached_property
    def sentences(self):
        """(line number, sentence) pairs; a blank line, a bullet or a heading ends a sentence too."""
        result, block, start = [], [], 1
        for index, line in enumerate(self.lines + [""], 1):
            if not line.strip() or _BULLET.match(line):
                result.extend(_split_block(start, block))
                block = []
            if line.strip():
                start = start if block else index
                block.append(_BULLET.sub("", line, count=1) if _BULLET.match(line) else line)
        return result

    @cached_property
    def quantities(self):
        """{unit: [(value, line number)]} of the text's numbers; dates, times and names with digits do not count."""
        found = {}
        for index, line in enumerate(self.lines, 1):
            if not any(character.isdigit() for character in line):
                continue
            for match in _QUANTITY.finditer(_NOT_A_QUANTITY.sub(" ", _BULLET.sub(" ", line, count=1))):
                unit = (match[2] or "").replace(" ", "")
                unit = "" if unit.lower() in ENGLISH_STOP else unit.lower() if len(unit) > 3 else unit
                found.setdefault(unit, []).append((float(match[1].replace(",", "")), index))
        return found

    @cached_property
    def table(self):
        return table.Table(self.lines)

    @cached_property
    def log(self):
        return logs.Log(self.lines)

    @cached_property
    def people(self):
        names = dict.fromkeys(find_people(self.text))
        if self.kind == "csv":
            for index, column in enumerate(self.table.header):
                if table.is_personal(column):
                    names.update(
                        (cells[index].strip(), None)
                        for _, cells in self.table.rows
                        if re.search(r"[^\W\d_]{2}", cells[index]) and "@" not in cells[index]
                    )
        return list(names)[:200]

    @cached_property
    def mask(self):
        """A function that hides people in a string: names, e-mail addresses, telephone numbers."""
        by_length = sorted(self.people, key=lambda name: (-len(name), name))
        # A Korean name may be followed by a particle, so it has no right-hand boundary.
        shapes = [rf"(?<!\w){re.escape(name)}" + ("" if "가" <= name[-1] <= "힣" else r"(?!\w)") for name in by_length]
        names = re.compile("|".join(shapes)) if shapes else None

        def hide(text):
            text = _PHONE.sub("[phone]", _EMAIL.sub("[e-mail]", text))
            return names.sub("[person]", text) if names else text

        return hide

    def quote(self, text, length=CLIP):
        """One line of TEXT for a finding: people are hidden before it is cut, so that no half of a name is left."""
        return clip(self.mask(text[:2000]), length)

    def measure(self, unit):
        """How much of UNIT the input has; the units are those of the tools' minimums."""
        if unit in ("rows", "columns"):
            return len(self.table.rows) if unit == "rows" else len(self.table.header)
        if unit == "words":
            return len(self.words)
        if unit == "terms":
            return len(terms(self.text))
        if unit == "lines":
            return sum(1 for line in self.lines if line.strip())
        if unit == "sentences":
            return len(self.sentences)
        if unit == "entries":
            return len(self.log.entries)
        if unit == "timed entries":
            return sum(1 for entry in self.log.entries if entry.minute)
        if unit == "numbers":
            return sum(len(values) for values in self.series().values())
        raise KeyError(unit)

    def series(self):
        """{name: [(value, place)]} of every series of numbers, by the kind of the input."""
        if self.kind == "csv":
            return {column: self.table.values(column) for column in self.table.numeric}
        if self.kind == "log":
            return {
                key: [(value, f"line {line}") for value, line in values]
                for key, values in self.log.numbers.items()
                if len(values) >= 3
            }
        return {
            unit: [(value, f"line {line}") for value, line in values]
            for unit, values in self.quantities.items()
            if unit and len(values) >= 3
        }


def _split_block(start, block):
    """Sentences of one paragraph with the line each begins on."""
    if not block:
        return []
    block, offsets, length = [line.strip() + " " for line in block], [], 0
    for line in block:
        offsets.append(length)
        length += len(line)
    joined = "".join(block)
    result, begin, line = [], 0, 0
    cuts = [
        match.end()
        for match in _SENTENCE_END.finditer(joined)
        if not _ABBREVIATION.search(joined[max(0, match.start() - 8) : match.start()])
    ]
    for end in cuts + [len(joined)]:
        sentence = joined[begin:end].strip()
        while line + 1 < len(offsets) and offsets[line + 1] <= begin:
            line += 1
        if _WORD.search(sentence):
            result.append((start + line, sentence))
        begin = end
    return result
