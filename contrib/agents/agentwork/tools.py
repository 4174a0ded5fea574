"""The tools: what the executor can really do with an input, and the registry that the analyst and gatekeeper read.

A tool is a function (document, arguments, results of the sub-problems it depends on) -> outcome. An outcome has
`result` (bounded lists), `findings` ({severity, title, detail, evidence}) and `coverage` ({unit, read, total}: how
much of what concerns the tool it has read). Always holds: a tool is a pure function of its arguments; it raises
BadInput when the input cannot serve it; every finding has evidence that a reader can look up in the input.
"""
import re
from collections import Counter, namedtuple

from . import logtools, tabletools
from .outcome import count, finding, outcome
from .numeric import describe, outliers, show
from .text import BadInput, clip, terms

# What may differ between lines that say the same: a bullet or number, a time of day.
_LEAD = re.compile(r"\s*(?:[-*•·]\s+|\d{1,3}[.)]\s+)?(?:\d{1,2}:\d\d(?::\d\d)?\s+)?")
Tool = namedtuple("Tool", "title kinds minimum unit run")


def text_counts(document, _arguments, _results):
    lines, words = document.lines, document.words
    longest = max(range(len(lines)), key=lambda index: len(lines[index]))
    counts = {
        "bytes": document.bytes,
        "characters": len(document.text),
        "lines": len(lines),
        "words": len(words),
        "non_empty_lines": document.measure("lines"),
        "distinct_words": len({word.lower() for word in words}),
        "longest_line": {"line": longest + 1, "characters": len(lines[longest])},
    }
    found = [
        finding(
            "info",
            "Size of the text",
            f"{count(counts['words'], 'word')} ({counts['distinct_words']} different) in "
            f"{count(counts['non_empty_lines'], 'filled line')}, {count(counts['characters'], 'character')}, "
            f"{count(counts['bytes'], 'byte')}",
            [
                {"line": 1, "text": document.quote(lines[0], 80)},
                {"line": len(lines), "text": document.quote(lines[-1], 80)},
            ],
        )
    ]
    if len(lines[longest]) > 1000:
        found.append(
            finding(
                "notice",
                "Very long line",
                f"line {longest + 1} has {len(lines[longest])} characters",
                [{"line": longest + 1, "text": document.quote(lines[longest])}],
            )
        )
    return outcome(counts, found, "lines", len(lines), len(lines))


def _between(value, least, most, default):
    """VALUE when it is a whole number, moved into the bounds; else the default."""
    return max(least, min(value, most)) if isinstance(value, int) and not isinstance(value, bool) else default


def _hidden_terms(document):
    return {part.lower() for name in document.people for part in name.split()}


def top_terms(document, arguments, _results):
    hidden = _hidden_terms(document)
    tally, first = Counter(), {}
    for index, line in enumerate(document.lines, 1):
        for term in terms(line):
            tally[term] += 1
            first.setdefault(term, index)
    ranked = [
        (term, times)
        for term, times in sorted(tally.items(), key=lambda item: (-item[1], item[0]))
        if term not in hidden
    ]
    if not ranked:
        raise BadInput("the text has no word that carries meaning")
    top = [
        {"term": clip(term, 60), "count": times, "first_line": first[term]}
        for term, times in ranked[: _between(arguments.get("count"), 1, 50, 15)]
    ]
    found = [
        finding(
            "info",
            "Most frequent terms",
            ", ".join(f"{item['term']} ({item['count']})" for item in top[:8]),
            [
                {"line": item["first_line"], "text": document.quote(document.lines[item["first_line"] - 1])}
                for item in top[:3]
            ],
        )
    ]
    result = {
        "terms": top,
        "distinct_terms": len(tally),
        "weights": {clip(term, 60): times for term, times in ranked[:60]},
    }
    return outcome(result, found, "lines", len(document.lines), len(document.lines))


def _weights(results):
    return next((result["weights"] for result in results.values() if "weights" in result), None)


def summary(document, arguments, results):
    """The sentences that hold the most of the frequent terms for their length, in the order of the text."""
    weights = _weights(results)
    if weights is None:
        raise BadInput("summary needs the result of top_terms; let it depend on that sub-problem")
    candidates = [
        (index, line, sentence, set(terms(sentence))) for index, (line, sentence) in enumerate(document.sentences)
    ]
    full = [item for item in candidates if len(item[3]) >= 4 and len(item[2]) <= 400]
    scored = [
        (sum(weights.get(term, 0) for term in present) / len(present) ** 0.5, index, line, sentence, present)
        for index, line, sentence, present in full or candidates
        if present
    ]
    scored.sort(key=lambda item: (-item[0], item[1]))
    wanted, chosen = _between(arguments.get("sentences"), 1, 10, 3), []
    for item in scored:
        if len(chosen) < wanted and all(
            len(item[4] & other[4]) <= 0.5 * min(len(item[4]), len(other[4])) for other in chosen
        ):
            chosen.append(item)
    if not chosen:
        raise BadInput("the text has no sentence with a term to choose by")
    chosen.sort(key=lambda item: item[1])
    picked = [{"line": item[2], "text": document.quote(item[3], 400)} for item in chosen]
    found = [finding("info", "Summary by the text's own sentences", " ".join(item["text"] for item in picked), picked)]
    return outcome({"sentences": picked}, found, "sentences", len(document.sentences), len(document.sentences))


def _syllables(word):
    groups, previous = 0, False
    for letter in word:
        vowel = letter in "aeiouy"
        groups += vowel and not previous
        previous = vowel
    return max(1, groups - (word.endswith("e") and not word.endswith("le") and groups > 1))


def sentence_statistics(document, _arguments, _results):
    lengths = [(len(sentence.split()), line, sentence) for line, sentence in document.sentences]
    facts = describe([float(length) for length, _, _ in lengths])
    result = {
        "sentences": len(lengths),
        "words_per_sentence": {key: facts[key] for key in ("mean", "median", "stdev", "max")},
    }
    limit = 25 if document.language == "korean" else 35
    long = sorted((item for item in lengths if item[0] > limit), key=lambda item: (-item[0], item[1]))
    detail = f"{count(len(lengths), 'sentence')} of {show(facts['mean'])} words on average, "
    detail += f"the longest has {int(facts['max'])}"
    if document.language == "english":
        words = [word.lower() for word in document.words if word[0].isalpha()]
        if words:
            cache = {word: _syllables(word) for word in set(words)}
            ease = 206.835 - 1.015 * len(words) / len(lengths) - 84.6 * sum(cache[word] for word in words) / len(words)
            result["reading_ease"] = round(ease, 1)
            detail += f"; Flesch reading ease {ease:.0f} (60 and more is plain, below 30 is hard)"
    longest = max(lengths, key=lambda item: (item[0], -item[1]))
    found = [finding("info", "Sentences", detail, [{"line": longest[1], "text": document.quote(longest[2])}])]
    for length, line, sentence in long[:3]:
        found.append(
            finding(
                "notice",
                "Long sentence",
                f"the sentence at line {line} has {length} words (more than {limit})",
                [{"line": line, "text": document.quote(sentence)}],
            )
        )
    result["long_sentences"] = len(long)
    return outcome(result, found, "sentences", len(lengths), len(lengths))


def co_occurrence(document, _arguments, results):
    """Pairs of frequent terms that stand in the same sentence."""
    weights = _weights(results)
    if weights is None:
        raise BadInput("co_occurrence needs the result of top_terms; let it depend on that sub-problem")
    chosen, pairs, where = set(list(weights)[:30]), Counter(), {}
    for line, sentence in document.sentences:
        present = sorted(chosen.intersection(terms(sentence)))
        for index, left in enumerate(present):
            for right in present[index + 1 :]:
                pairs[left, right] += 1
                where.setdefault((left, right), (line, sentence))
    ranked = sorted(
        ((pair, times) for pair, times in pairs.items() if times >= 2), key=lambda item: (-item[1], item[0])
    )[:15]
    found = []
    if ranked:
        found.append(
            finding(
                "info",
                "Terms that occur together",
                ", ".join(f"{left} + {right} ({count(times, 'sentence')})" for (left, right), times in ranked[:5]),
                [{"line": where[pair][0], "text": document.quote(where[pair][1])} for pair, _ in ranked[:3]],
            )
        )
    result = {"pairs": [{"terms": list(pair), "sentences": times} for pair, times in ranked]}
    return outcome(result, found, "sentences", len(document.sentences), len(document.sentences))


def duplicates(document, _arguments, _results):
    """Equal lines, or equal rows of a table."""
    if document.kind == "csv":
        return tabletools.duplicate_rows(document)
    groups, considered = {}, 0
    for index, line in enumerate(document.lines, 1):
        if line.strip():
            considered += 1
            key = " ".join(_LEAD.sub("", line).split()).casefold()
            if len(key) >= 8 and any(character.isalpha() for character in key):
                groups.setdefault(key, []).append(index)
    repeated = sorted(
        (places for places in groups.values() if len(places) > 1), key=lambda places: (-len(places), places[0])
    )
    found, listed = [], []
    for places in repeated[:20]:
        line = document.quote(document.lines[places[0] - 1])
        exact = len({document.lines[place - 1].strip() for place in places}) == 1
        listed.append({"lines": places[:20], "times": len(places), "text": line})
        if len(found) < 8:
            shown = " and ".join(filter(None, [", ".join(map(str, places[:8][:-1])), str(places[:8][-1])]))
            more = f" and {len(places) - 8} more" if len(places) > 8 else ""
            found.append(
                finding(
                    "notice" if len(line) >= 30 else "info",
                    "Repeated line",
                    f"lines {shown}{more} {'are the same' if exact else 'say the same'}: {line}",
                    [{"line": place, "text": document.quote(document.lines[place - 1])} for place in places[:5]],
                )
            )
    result = {"groups": len(repeated), "surplus": sum(len(places) - 1 for places in repeated), "examples": listed}
    return outcome(result, found, "lines", considered, considered)


def numeric_statistics(document, arguments, _results):
    """Statistics and outliers of each series: a column, a key of a log, or the numbers of one unit in a text."""
    series = document.series()
    wanted = arguments.get("columns") if document.kind == "csv" and isinstance(arguments.get("columns"), list) else None
    names = [name for name in series if name in wanted] if wanted else list(series)
    if not names:
        raise BadInput("the input has no series of three or more numbers")
    word = {"csv": "column", "log": "key"}.get(document.kind, "numbers with the unit")
    names = sorted(names, key=lambda name: -len(series[name]))[:40] if document.kind != "csv" else names[:40]
    result, found = {}, []
    for name in names:
        facts = describe([value for value, _ in series[name]])
        out = outliers(series[name], facts) if len(series[name]) >= 8 else []
        facts["outliers"] = [
            {"value": value, "place": place, "z": round(z, 2), "by": how} for value, place, z, how in out[:10]
        ]
        facts["outlier_count"] = len(out)
        result[name] = facts
        found.extend(_outlier_findings(f"{word} {name}", facts, out))
        if document.kind == "csv":
            found.extend(tabletools.not_numbers(document, name))
    shown = "; ".join(
        f"{name}: median {show(result[name]['median'])}, {show(result[name]['min'])} to {show(result[name]['max'])}"
        for name in names[:5]
    )
    found.append(
        finding(
            "info",
            "Numbers",
            shown,
            [
                {"place": place, "text": f"{name} = {show(value)}"}
                for name in names[:3]
                for value, place in series[name][:1]
            ],
        )
    )
    return outcome({"series": result}, found, "series", len(names), len(series))


def _outlier_findings(label, facts, out):
    result, named = [], out
    if len(out) > max(5, 0.05 * facts["count"]):
        detail = (
            f"{label}: {len(out)} of {facts['count']} values lie outside {show(facts['lower_fence'])} to "
            f"{show(facts['upper_fence'])}: the values are skewed, so only the extreme ones are named"
        )
        result.append(
            finding(
                "notice",
                "Many values far out",
                detail,
                [{"place": place, "text": f"value {show(value)}"} for value, place, _, _ in out[:5]],
            )
        )
        named = [item for item in out if item[3] == "iqr+z"]
    for value, place, z, how in named[:5]:
        side, fence = ("above", facts["upper_fence"]) if z > 0 else ("below", facts["lower_fence"])
        detail = f"{label}: value {show(value)} in {place} is {abs(z):.1f} standard deviations {side} the mean"
        detail += f" of {show(facts['mean'])}"
        if "iqr" in how:
            detail += f" and {side} the fence of {show(fence)}"
        result.append(
            finding(
                "warning" if how == "iqr+z" else "notice",
                "Outlier",
                detail,
                [{"place": place, "text": f"value {show(value)}"}],
            )
        )
    return result


REGISTRY = {
    "text_counts": Tool("Count words, lines and characters", ("prose", "log"), 1, "words", text_counts),
    "top_terms": Tool("Find the terms the text is about", ("prose",), 5, "terms", top_terms),
    "summary": Tool("Choose the sentences that summarise it", ("prose",), 4, "sentences", summary),
    "duplicates": Tool("Find repeated lines or rows", ("prose", "csv", "log"), 2, "lines", duplicates),
    "numeric_statistics": Tool(
        "Describe the numbers and find outliers", ("prose", "csv", "log"), 3, "numbers", numeric_statistics
    ),
    "sentence_statistics": Tool("Measure sentences and readability", ("prose",), 5, "words", sentence_statistics),
    "co_occurrence": Tool("Find terms that occur together", ("prose",), 40, "words", co_occurrence),
    "table_shape": Tool("Check the shape of the table", ("csv",), 1, "rows", tabletools.table_shape),
    "missing_values": Tool("Find missing values", ("csv",), 2, "rows", tabletools.missing_values),
    "category_counts": Tool("Count the values of text columns", ("csv",), 3, "rows", tabletools.category_counts),
    "log_levels": Tool("Count entries by level", ("log",), 2, "entries", logtools.log_levels),
    "log_bursts": Tool("Find minutes with bursts of errors", ("log",), 5, "timed entries", logtools.log_bursts),
    "log_messages": Tool("Find the most frequent messages", ("log",), 2, "entries", logtools.log_messages),
}
# Which tools a kind of input calls for, the most useful first, and what a tool builds on.
PREFERRED = {
    "prose": (
        "text_counts",
        "top_terms",
        "summary",
        "duplicates",
        "numeric_statistics",
        "sentence_statistics",
        "co_occurrence",
    ),
    "csv": ("table_shape", "missing_values", "duplicates", "numeric_statistics", "category_counts"),
    "log": ("log_levels", "log_bursts", "log_messages", "numeric_statistics", "text_counts", "duplicates"),
}
BUILDS_ON = {
    "summary": "top_terms",
    "co_occurrence": "top_terms",
    "missing_values": "table_shape",
    "numeric_statistics": "table_shape",
    "category_counts": "table_shape",
    "log_bursts": "log_levels",
}


def shortfall(name, document):
    """ "" when the input has enough for the tool and for what it builds on, else what it has and what is needed."""
    tool, base = REGISTRY[name], BUILDS_ON.get(name)
    if base and document.kind in REGISTRY[base].kinds and (short := shortfall(base, document)):
        return f"{name} builds on {base}: {short}"
    have = document.measure(tool.unit)
    return "" if have >= tool.minimum else f"{name} needs {tool.minimum} {tool.unit}, the input has {have}"
