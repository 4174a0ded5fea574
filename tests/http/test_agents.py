#!/usr/bin/env python3
"""Tests of the reference agents in contrib/agents: the formulas at their thresholds, each tool on input with a known
answer, the four handlers as processes in a chain, and what they do with garbage.

Speaks TAP on standard output. Always holds: no server, no network, no waiting; every file it makes is in a directory of
its own that goes away.
"""
import importlib.machinery
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
AGENTS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "contrib", "agents")
AGENTS = os.path.normpath(AGENTS)
sys.path.insert(0, AGENTS)
from agentwork import messages, plan, scoring, text, tools  # noqa: E402

HANDLERS = ("analyst", "gatekeeper", "executor", "reviewer")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def equal(found, wanted):
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def contains(found, wanted):
    assert wanted in found, f"{wanted!r} is not in {found!r}"


def load(handler):
    """A handler as a module, for what cannot be provoked from outside."""
    loader = importlib.machinery.SourceFileLoader(f"handler_{handler}", os.path.join(AGENTS, handler))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def run(handler, data, **environment):
    """Run a handler as a process; (exit code, standard output, standard error)."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AGENT")}
    clean.update(PYTHONDONTWRITEBYTECODE="1", **environment)
    done = subprocess.run([os.path.join(AGENTS, handler)], input=data, capture_output=True, env=clean, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode()


def output(handler, task, **environment):
    code, data, errors = run(handler, task, **environment)
    assert code == 0, f"{handler} ended with {code}: {errors}"
    assert len(data) < 200_000, f"{handler} printed {len(data)} bytes"
    return json.loads(data)


def task_of(name, content, dependencies=None, feedback=None, round_number=1):
    return {
        "id": "0190",
        "epoch": 1,
        "key": "x",
        "role": "x",
        "description": "",
        "attempt": 1,
        "feedback": feedback,
        "input_data": {"name": name, "text": content},
        "dependencies": dependencies or {},
        "round": round_number,
    }


def sample(name):
    with open(os.path.join(AGENTS, "samples", name), encoding="utf-8") as file:
        return file.read()


def review(name, content, **environment):
    """The whole chain as the workflow template runs it; {role: output} and the number of rounds."""
    feedback = None
    for round_number in (1, 2, 3):
        analysis = output("analyst", task_of(name, content, None, feedback, round_number), **environment)
        done = {"analyst": analysis}
        feedback = done["gatekeeper"] = output(
            "gatekeeper", task_of(name, content, dict(done), None, round_number), **environment
        )
        if feedback["verdict"] != "needs_revision":
            break
    if feedback["verdict"] == "approved":
        done["executor"] = output("executor", task_of(name, content, dict(done)), **environment)
        done["reviewer"] = output("reviewer", task_of(name, content, dict(done)), **environment)
    return done, round_number


def use(tool, content, arguments=None, results=None):
    outcome = tools.REGISTRY[tool].run(text.Document("input", content), arguments or {}, results or {})
    for finding in outcome["findings"]:
        assert finding["evidence"], f"{tool}: a finding without evidence: {finding}"
    return outcome


def details(outcome, title):
    return [finding["detail"] for finding in outcome["findings"] if finding["title"] == title]


# The formulas, at their thresholds.


@test
def decomposition_is_best_with_2_to_5_parts():
    equal([scoring.decomposition(parts) for parts in range(10)], [0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 0.8, 0.8, 0.6, 0.6])


@test
def confidence_weighs_tools_decomposition_and_domain():
    equal(scoring.confidence(5, 5, 5, 1.0), 1.0)
    equal(scoring.confidence(5, 5, 5, 0.7), 0.91)
    equal(scoring.confidence(6, 6, 6, 1.0), 0.92)
    equal(scoring.confidence(1, 1, 1, 0.7), 0.83)
    equal(scoring.confidence(2, 4, 4, 1.0), 0.85)
    equal(scoring.confidence(0, 4, 8, 0.7), 0.45)
    equal(scoring.confidence(0, 0, 0, 0.7), 0.45)


@test
def validation_score_takes_095_only_above_085():
    equal(scoring.validation_score(0.85, 4, 4), 0.885)
    equal(scoring.validation_score(0.850001, 4, 4), 0.915)
    equal(scoring.validation_score(1.0, 4, 4), 0.915)
    equal(scoring.validation_score(0.7, 4, 4), 0.84)


@test
def validation_score_counts_tools_1_to_8_and_parts_2_to_10():
    equal([scoring.validation_score(1.0, tool_count, 4) for tool_count in (0, 1, 8, 9)], [0.645, 0.915, 0.915, 0.645])
    equal([scoring.validation_score(1.0, 4, parts) for parts in (1, 2, 10, 11)], [0.555, 0.915, 0.915, 0.555])


@test
def validation_verdict_at_its_thresholds():
    cases = [
        (0.9, 0, "approved"),
        (0.9, 1, "approved"),
        (0.9, 2, "needs_revision"),
        (0.899999, 0, "approved"),
        (0.75, 1, "approved"),
        (0.75, 2, "needs_revision"),
        (0.749999, 0, "needs_revision"),
        (0.6, 9, "needs_revision"),
        (0.599999, 0, "rejected"),
    ]
    for score, risks, verdict in cases:
        equal((score, risks, scoring.validation_verdict(score, risks)), (score, risks, verdict))


@test
def a_score_that_is_06_on_paper_is_06():
    score = scoring.validation_score(0.8, 0, 4)
    equal((score, scoring.validation_verdict(score, 0)), (0.6, "needs_revision"))


@test
def final_score_and_verdict_at_their_thresholds():
    equal(scoring.final_score(1.0, 0.8, 0.6, 0.4), 0.7)
    cases = [(0.85, "final_approved"), (0.849999, "review_needed"), (0.7, "review_needed"), (0.699999, "rejected")]
    equal([(score, scoring.final_verdict(score)) for score, _ in cases], cases)


# The tools, on input with a known answer.


@test
def text_counts_counts():
    result = use("text_counts", "one two three\n\nfour five\n")["result"]
    equal([result[key] for key in ("words", "lines", "non_empty_lines", "characters", "bytes")], [5, 3, 2, 25, 25])
    result = use("text_counts", "서버가 멈췄다\n다시 시작\n")["result"]
    equal([result[key] for key in ("words", "lines", "characters", "bytes")], [4, 2, 14, 34])


@test
def top_terms_leaves_out_stop_words():
    terms = use("top_terms", "The server and the pool.\nThe server of the pool is a server.\n")["result"]["terms"]
    equal([(term["term"], term["count"], term["first_line"]) for term in terms], [("server", 3, 1), ("pool", 2, 1)])


@test
def top_terms_strips_korean_particles():
    terms = use("top_terms", "서버가 멈췄다.\n서버를 껐다. 서버에서 로그를 읽는다. 로그는 길다.\n")["result"]["terms"]
    equal([(term["term"], term["count"]) for term in terms[:2]], [("서버", 3), ("로그", 2)])


@test
def duplicates_names_both_lines():
    outcome = use(
        "duplicates", "the pool was exhausted again today\nall is well now\nthe pool was exhausted again today\n"
    )
    equal(outcome["result"]["groups"], 1)
    equal(details(outcome, "Repeated line"), ["lines 1 and 3 are the same: the pool was exhausted again today"])


@test
def duplicates_sees_through_bullets_and_times():
    outcome = use(
        "duplicates",
        "10:42 the first alert fires on the node\nother things happen\n- the first alert fires on the node\n",
    )
    contains(details(outcome, "Repeated line")[0], "lines 1 and 3 say the same")


@test
def duplicates_of_a_table_are_rows():
    outcome = use("duplicates", "id,city,n\n1,Oslo,5\n2,Rome,6\n1,Oslo,5\n3,Bern,7\n")
    equal(details(outcome, "Repeated row"), ["row 1 (line 2) and row 3 (line 4) are the same: 1 | Oslo | 5"])


@test
def an_identifier_used_twice_is_found():
    rows = "".join(f"A{index},{index % 7}\n" for index in range(1, 30))
    outcome = use("duplicates", "order_id,n\n" + rows + "A5,99\n")
    equal(
        details(outcome, "Identifier used twice"),
        ["column order_id: A5 names different rows: row 5 (line 6) and row 30 (line 31)"],
    )


@test
def numeric_statistics_of_a_column():
    content = "name_of_part;size\n" + "".join(f"p{value};{value}\n" for value in range(1, 10)) + "p;100\n"
    facts = use("numeric_statistics", content)["result"]["series"]["size"]
    equal(
        [facts[key] for key in ("count", "mean", "median", "q1", "q3", "min", "max")],
        [10, 14.5, 5.5, 3.25, 7.75, 1, 100],
    )
    equal((facts["lower_fence"], facts["upper_fence"], round(facts["stdev"], 4)), (-3.5, 14.5, 30.1524))
    equal(
        [(item["value"], item["place"], item["z"], item["by"]) for item in facts["outliers"]],
        [(100, "row 10 (line 11)", 2.84, "iqr")],
    )


@test
def an_outlier_is_named_with_row_and_distance():
    rows = [str(100 + index % 5) for index in range(99)] + ["9812"]
    outcome = use("numeric_statistics", "latency_ms,ok\n" + "".join(f"{row},yes\n" for row in rows))
    equal(
        details(outcome, "Outlier"),
        [
            "column latency_ms: value 9812 in row 100 (line 101) is 9.9 standard deviations above "
            "the mean of 199.1 and above the fence of 106"
        ],
    )


@test
def equal_values_have_no_outliers():
    facts = use("numeric_statistics", "v,w\n" + "7,x\n" * 20)["result"]["series"]["v"]
    equal((facts["stdev"], facts["outlier_count"], facts["median"]), (0, 0, 7))


@test
def numbers_of_a_text_go_by_their_unit():
    series = use("numeric_statistics", "It took 10 ms, then 1,200 ms and 30 ms on 2026-03-11 at 10:42.\n")["result"][
        "series"
    ]
    equal(
        {unit: (facts["count"], facts["median"], facts["max"]) for unit, facts in series.items()}, {"ms": (3, 30, 1200)}
    )
    series = use("numeric_statistics", "주문 12건, 문의 30건, 실패 3건이 있었다. 2026년 3월 11일.\n")["result"]["series"]
    equal({unit: (facts["count"], facts["median"]) for unit, facts in series.items()}, {"건": (3, 12)})


@test
def a_word_among_numbers_is_found():
    outcome = use("numeric_statistics", "v,w\n1,a\n2,a\n3,a\n4,a\n5,a\nfast,a\n")
    equal(details(outcome, "Not a number"), ["column v: 'fast' in row 6 (line 7) is not a number"])


@test
def sentence_statistics_counts_and_rates():
    outcome = use("sentence_statistics", "The cat sat. The dog ran far away! Did Dr. Hall see it? Yes.\n")
    equal(outcome["result"]["sentences"], 4)
    equal(outcome["result"]["words_per_sentence"]["max"], 5)
    assert outcome["result"]["reading_ease"] > 90, outcome["result"]
    outcome = use("sentence_statistics", "서버가 멈췄습니다. 원인을 찾았습니다. 다시 시작했습니다.\n")
    equal((outcome["result"]["sentences"], outcome["result"]["words_per_sentence"]["mean"]), (3, 2))


@test
def a_long_sentence_is_named_with_its_line():
    outcome = use("sentence_statistics", "Short one here.\n\n" + "word " * 40 + "end.\n")
    equal(details(outcome, "Long sentence"), ["the sentence at line 3 has 41 words (more than 35)"])


@test
def summary_takes_the_sentences_with_the_frequent_terms():
    content = (
        "The database pool was exhausted by workers.\nWe ate lunch near some green river.\n"
        "Workers exhausted the database pool twice.\nNothing else.\nA database pool needs limits for workers.\n"
    )
    weights = use("top_terms", content)["result"]
    picked = use("summary", content, {"sentences": 1}, {"s1": weights})["result"]["sentences"]
    equal([(item["line"], item["text"]) for item in picked], [(1, "The database pool was exhausted by workers.")])
    try:
        use("summary", content)
    except text.BadInput as error:
        contains(str(error), "top_terms")
    else:
        raise AssertionError("summary worked without top_terms")


@test
def co_occurrence_counts_sentences_with_both():
    content = "Cache and pool failed. Cache filled the pool. The disk was fine. Pool empty.\n"
    pairs = use("co_occurrence", content, {}, {"s1": use("top_terms", content)["result"]})["result"]["pairs"]
    equal(pairs, [{"terms": ["cache", "pool"], "sentences": 2}])


@test
def table_shape_names_rows_of_another_width_and_notes():
    outcome = use("table_shape", "Export of today\na,b,c\n1,x,2\n3,y\n4,z,5,6\n4,z,5\n6,x,7\n8,y,9\n")
    result = outcome["result"]
    equal([result[key] for key in ("rows", "columns", "ragged_rows", "note_lines", "has_header")], [4, 3, 2, 1, True])
    equal(
        details(outcome, "Row of another width"),
        [
            "line 4 has 2 cells where the header has 3; it is left out",
            "line 5 has 4 cells where the header has 3; it is left out",
        ],
    )
    equal((outcome["coverage"]["read"], outcome["coverage"]["total"]), (4, 6))


@test
def quoted_cells_keep_their_delimiters():
    outcome = use("table_shape", 'a,b,c\n1,"x, y",2\n2,"two\nlines",3\n4,z,5\n')
    equal((outcome["result"]["rows"], outcome["result"]["ragged_rows"]), (3, 0))


@test
def missing_values_are_counted_by_column():
    outcome = use("missing_values", "a,b,c\n1,,x\n2,NA,y\n3,5,z\n4,6,없음\n5,7,x\n")
    equal(
        {column: (facts["missing"], facts["rows"]) for column, facts in outcome["result"]["columns"].items()},
        {"b": (2, [1, 2]), "c": (1, [4])},
    )
    equal((outcome["result"]["cells"], outcome["result"]["rows"]), (3, 3))
    equal(details(outcome, "Missing values")[0], "column b has no value in 2 of 5 rows: row 1 (line 2), row 2 (line 3)")


@test
def category_counts_finds_spellings_and_hides_people():
    content = "region,owner,n\n" + "north,Ann Example,1\n" * 5 + "NORTH,Bob Sample,2\n" + "south,Ann Example,3\n" * 4
    outcome = use("category_counts", content)
    equal(outcome["result"]["columns"]["owner"], {"distinct": 2})
    equal(details(outcome, "One value, several spellings"), ["column region: 'north' (5), 'NORTH' (1)"])


LOG = (
    "".join(f"2026-03-11 10:{minute:02d}:00 INFO request {minute} done duration_ms={minute}\n" for minute in range(20))
    + "".join(f"2026-03-11 10:20:{second:02d} ERROR pool exhausted after {second} ms\n" for second in range(12))
    + "  at pool_take (pool.c:118)\n"
    + "".join(f"2026-03-11 10:{minute}:00 WARN slow\n" for minute in range(21, 25))
    + "2026-03-11 10:25:00 FATAL gone\n"
)


@test
def log_levels_are_counted():
    result = use("log_levels", LOG)["result"]
    equal(result["levels"], {"critical": 1, "error": 12, "warning": 4, "info": 20})
    equal((result["entries"], result["error_share"]), (37, 0.3514))


@test
def a_burst_of_errors_is_one_minute_with_its_message():
    outcome = use("log_bursts", LOG)
    equal(
        outcome["result"]["bursts"],
        [{"from": "2026-03-11 10:20", "to": "2026-03-11 10:20", "errors": 12, "first_line": 21, "last_line": 32}],
    )
    equal(
        details(outcome, "Burst of errors"),
        [
            "minute 2026-03-11 10:20: 12 errors where the median minute has 0; most often (12): pool exhausted after # ms"
        ],
    )


@test
def a_quiet_log_has_no_burst():
    quiet = "".join(f"2026-03-11 10:{minute:02d}:00 ERROR one\n" for minute in range(30))
    equal(use("log_bursts", quiet)["result"]["bursts"], [])


@test
def log_messages_are_grouped_without_their_numbers():
    top = use("log_messages", LOG)["result"]["top"]
    equal(
        [(item["pattern"], item["count"], item["first_line"]) for item in top[:2]],
        [("request # done duration_ms=#", 20, 1), ("pool exhausted after # ms", 12, 21)],
    )


@test
def other_shapes_of_log_are_read_too():
    lines = [
        '{"time":"2026-03-11T10:00:00Z","level":"error","msg":"no room"}',
        '10.0.0.1 - - [11/Mar/2026:10:00:01 +0000] "GET / HTTP/1.1" 503 12',
        "Mar 11 10:00:02 host app: error: no room",
        "2026-03-11T10:00:03Z [WARN] low",
    ]
    entries = text.Document("x", "\n".join(lines)).log.entries
    equal(
        [(entry.level, entry.minute) for entry in entries],
        [
            ("error", "2026-03-11 10:00"),
            ("error", "11/Mar/2026 10:00"),
            ("error", "Mar 11 10:00"),
            ("warning", "2026-03-11 10:00"),
        ],
    )


@test
def kinds_and_languages_are_told_apart():
    names = {
        "incident-report.txt": ("prose", "english"),
        "meeting-ko.txt": ("prose", "korean"),
        "latency.csv": ("csv", "english"),
        "service.log": ("log", "english"),
        "orders-with-notes.csv": ("csv", "english"),
    }
    for name, wanted in names.items():
        document = text.Document(name, sample(name))
        equal((name, document.kind, document.language), (name, *wanted))
    equal(text.language("배포 deploy 서버 server 로그 log"), "mixed")


@test
def every_tool_in_the_lists_exists():
    named = (
        set(tools.BUILDS_ON)
        | set(tools.BUILDS_ON.values())
        | {name for names in tools.PREFERRED.values() for name in names}
    )
    equal(named - set(tools.REGISTRY), set())
    for kind, names in tools.PREFERRED.items():
        equal([name for name in names if kind not in tools.REGISTRY[name].kinds], [])


# The handlers as processes.


@test
def an_incident_report_is_approved_with_findings():
    done, rounds = review("incident-report.txt", sample("incident-report.txt"))
    equal(
        (rounds, done["gatekeeper"]["verdict"], done["gatekeeper"]["score"], done["gatekeeper"]["risks"]),
        (1, "approved", 0.915, []),
    )
    analysis = done["analyst"]["analysis"]
    equal(
        (analysis["kind"], analysis["language"], analysis["domain"], analysis["domain_clarity"]),
        ("prose", "english", "operations", 1.0),
    )
    equal((done["analyst"]["confidence"], done["executor"]["execution_status"]), (1.0, "completed"))
    equal((done["reviewer"]["verdict"], done["reviewer"]["score"]), ("final_approved", 1.0))
    found = [finding["detail"] for finding in done["reviewer"]["findings"]]
    contains(
        found,
        "lines 29 and 32 say the same: 10:42 The first alert fires: error rate of the checkout service above 5 %.",
    )


@test
def a_korean_meeting_is_read_as_korean():
    done, _ = review("meeting-ko.txt", sample("meeting-ko.txt"))
    equal((done["analyst"]["analysis"]["language"], done["reviewer"]["verdict"]), ("korean", "final_approved"))
    terms = next(task for task in done["executor"]["sub_tasks"] if task["tool"] == "top_terms")["result"]["terms"]
    equal([term["term"] for term in terms[:3]], ["서버", "배포", "연결"])


@test
def the_anomalies_of_the_table_are_found():
    done, _ = review("latency.csv", sample("latency.csv"))
    found = [(finding["severity"], finding["title"]) for finding in done["reviewer"]["findings"]]
    for wanted in ("Row of another width", "Repeated row", "Identifier used twice", "Outlier", "Not a number"):
        contains(found, ("warning", wanted))
    equal(found.count(("warning", "Repeated row")), 2)
    assert any("value 9812 in row 37 (line 38)" in finding["detail"] for finding in done["reviewer"]["findings"])
    order = ["warning", "notice", "info"]
    equal(found, sorted(found, key=lambda pair: order.index(pair[0])))


@test
def the_burst_of_the_log_is_found():
    done, _ = review("service.log", sample("service.log"))
    burst = [finding["detail"] for finding in done["reviewer"]["findings"] if finding["title"] == "Burst of errors"]
    equal(len(burst), 1)
    contains(burst[0], "minutes 2026-03-11 10:42 to 2026-03-11 10:43: 41 errors")


@test
def a_table_under_notes_is_seen_in_the_second_round():
    done, rounds = review("orders-with-notes.csv", sample("orders-with-notes.csv"))
    first = output("analyst", task_of("orders-with-notes.csv", sample("orders-with-notes.csv")))
    equal((first["analysis"]["kind"], rounds, done["analyst"]["analysis"]["kind"]), ("prose", 2, "csv"))
    equal(
        done["analyst"]["revision"], {"asked": 1, "answered": [{"feedback": "f1", "action": "set_kind", "done": True}]}
    )
    contains(
        done["reviewer"]["scores"]["collaboration"]["reason"], "1 of 1 points of feedback were answered in round 2"
    )
    contains([finding["title"] for finding in done["reviewer"]["findings"]], "Outlier")


@test
def a_short_text_is_revised_and_a_single_word_rejected():
    done, rounds = review(
        "note.txt", "The server is down again. Nobody knows why, and the pager has been ringing since ten.\n"
    )
    equal((rounds, done["gatekeeper"]["verdict"]), (2, "approved"))
    equal(done["analyst"]["selected_tools"], ["text_counts", "top_terms", "sentence_statistics"])
    done, rounds = review("note.txt", "hi")
    equal((rounds, done["gatekeeper"]["verdict"], done["analyst"]["selected_tools"]), (2, "rejected", ["text_counts"]))
    equal(done["gatekeeper"]["score"], 0.519)


@test
def the_analyst_declines_what_cannot_be_done_and_says_why():
    content = sample("incident-report.txt")
    feedback = {
        "feedback": [
            {"id": "f1", "action": "set_kind", "value": "log"},
            {"id": "f2", "action": "add_tool", "tool": "magic"},
            {"id": "f3", "action": "add_tool", "tool": "log_levels"},
            "be better",
            {"id": "f5", "action": "drop_tool", "tool": "top_terms"},
            {"id": "f6", "action": "add_tool", "tool": "sentence_statistics"},
        ]
    }
    answer = output("analyst", task_of("x", content, None, feedback, 2))
    equal([item["done"] for item in answer["revision"]["answered"]], [False, False, False, False, True, True])
    assert all(item["why"] for item in answer["revision"]["answered"] if not item["done"])
    equal(answer["revision"]["answered"][2]["why"], "the tool does not serve prose")
    # summary builds on top_terms, so it goes with it
    equal(answer["selected_tools"], ["text_counts", "duplicates", "numeric_statistics", "sentence_statistics"])


@test
def a_second_revision_keeps_the_first():
    content = sample("incident-report.txt")
    first = output("analyst", task_of("x", content))
    kept = [part for part in first["sub_problems"] if part["tool"] != "duplicates"]
    feedback = {
        "feedback": [{"id": "f1", "action": "drop_tool", "tool": "text_counts"}],
        "checked": {"plan": {"kind": "prose", "sub_problems": kept}},
    }
    answer = output("analyst", task_of("x", content, None, feedback, 3))
    equal(answer["selected_tools"], ["top_terms", "summary", "numeric_statistics"])


def judged(**changes):
    """The gatekeeper's answer to a plan of the incident report without its numbers: risk codes, verdict, all."""
    content = "".join(character for character in sample("incident-report.txt") if not character.isdigit())
    analysis = {**output("analyst", task_of("x", content)), **changes}
    answer = output("gatekeeper", task_of("x", content, {"analyst": analysis}))
    return [risk["code"] for risk in answer["risks"]], answer["verdict"], answer


def part(identity, tool, *needs):
    return {"id": identity, "title": tool, "tool": tool, "arguments": {}, "depends_on": list(needs)}


THREE = [part("a", "text_counts"), part("b", "top_terms"), part("c", "duplicates")]
THREE_TOOLS = ["text_counts", "top_terms", "duplicates"]


@test
def a_sound_plan_has_no_risk():
    codes, verdict, answer = judged(sub_problems=THREE, selected_tools=THREE_TOOLS)
    equal((codes, verdict, answer["score"]), ([], "approved", 0.915))
    equal(
        [(rule["rule"], rule["value"], rule["passed"]) for rule in answer["checked"]["rules"]],
        [("confidence", 1.0, True), ("tools", 3, True), ("sub_problems", 3, True)],
    )


@test
def an_unknown_tool_is_never_approved():
    codes, verdict, answer = judged(
        sub_problems=THREE[:2] + [part("c", "magic")],
        selected_tools=["text_counts", "top_terms", "magic"],
        confidence=0.9,
    )
    equal((codes, verdict), (["unknown_tool", "cannot_run"], "needs_revision"))
    contains([(item["action"], item.get("tool")) for item in answer["feedback"]], ("drop_tool", "magic"))


@test
def missing_and_cyclic_dependencies_are_risks():
    codes, verdict, _ = judged(sub_problems=THREE[:2] + [part("c", "duplicates", "z")], selected_tools=THREE_TOOLS)
    equal((codes, verdict), (["missing_dependency", "cannot_run"], "needs_revision"))
    cyclic = [part("a", "text_counts", "c"), part("b", "top_terms", "a"), part("c", "duplicates", "b")]
    codes, verdict, answer = judged(sub_problems=cyclic, selected_tools=THREE_TOOLS)
    equal((codes, verdict), (["cyclic_dependency"] * 3 + ["cannot_run"], "needs_revision"))
    codes, verdict, _ = judged(sub_problems=THREE[:2] + [part("c", "duplicates", "c")], selected_tools=THREE_TOOLS)
    equal((codes, verdict), (["cyclic_dependency", "cannot_run"], "needs_revision"))


@test
def a_part_without_tool_and_a_tool_without_part_are_risks():
    codes, verdict, _ = judged(sub_problems=THREE[:2] + [{"id": "c", "title": "think"}], selected_tools=THREE_TOOLS)
    equal((codes, verdict), (["no_tool", "unused_tool", "cannot_run"], "needs_revision"))


@test
def confidence_is_checked_against_the_rule_and_the_facts():
    codes, verdict, answer = judged(sub_problems=THREE, selected_tools=THREE_TOOLS, confidence=0.69)
    equal((codes, verdict, answer["score"]), (["low_confidence", "confidence_mismatch"], "needs_revision", 0.837))
    codes, _, _ = judged(sub_problems=THREE, selected_tools=THREE_TOOLS, confidence="high")
    equal(codes, ["low_confidence", "confidence_mismatch"])


@test
def counts_out_of_the_good_range_are_risks():
    codes, verdict, _ = judged(sub_problems=THREE[:2], selected_tools=THREE_TOOLS[:2])
    equal((codes, verdict), (["count"], "approved"))
    codes, verdict, answer = judged(sub_problems=THREE[:1], selected_tools=THREE_TOOLS[:1], confidence=0.92)
    equal((codes, verdict, answer["score"]), (["count", "count"], "rejected", 0.555))
    equal([item["action"] for item in answer["feedback"]], ["add_tool", "add_tool"])


@test
def columns_that_do_not_fit_are_named():
    content = sample("latency.csv")
    analysis = output("analyst", task_of("x", content))
    numeric = next(item for item in analysis["sub_problems"] if item["tool"] == "numeric_statistics")
    equal(numeric["arguments"], {"columns": ["latency_ms", "size_bytes"]})
    numeric["arguments"] = {"columns": ["latency_ms", "region"]}
    answer = output("gatekeeper", task_of("x", content, {"analyst": analysis}))
    equal([risk["code"] for risk in answer["risks"]], ["not_numeric", "unread_columns"])
    revised = output("analyst", task_of("x", content, None, answer, 2))
    numeric = next(item for item in revised["sub_problems"] if item["tool"] == "numeric_statistics")
    equal(numeric["arguments"], {"columns": ["latency_ms", "size_bytes"]})


def executed(parts, content):
    gate = {"verdict": "approved", "checked": {"plan_fingerprint": plan.fingerprint(parts)}}
    return output("executor", task_of("x", content, {"analyst": {"sub_problems": parts}, "gatekeeper": gate}))


@test
def a_failed_part_fails_alone_and_stops_what_needs_it():
    parts = [part("d", "text_counts", "c"), part("a", "text_counts"), part("b", "log_bursts"), part("c", "magic")]
    answer = executed(parts, "one two three\n")
    equal(answer["execution_status"], "partial")
    equal(
        [(task["id"], task["status"], task["attempts"]) for task in answer["sub_tasks"]],
        [("d", "skipped", 0), ("a", "completed", 1), ("b", "failed", 1), ("c", "failed", 0)],
    )
    equal(executed([part("b", "log_bursts"), part("c", "magic")], "one\n")["execution_status"], "failed")


@test
def a_part_runs_after_what_it_needs_whatever_the_order():
    parts = [{**part("x", "summary", "y"), "arguments": {"sentences": 1}}, part("y", "top_terms")]
    answer = executed(parts, "The pool was empty and the pool stayed empty for hours.\n")
    equal([(task["id"], task["status"]) for task in answer["sub_tasks"]], [("x", "completed"), ("y", "completed")])


@test
def the_executor_runs_only_the_approved_plan():
    parts = [part("a", "text_counts")]
    for gate, reason in (
        ({"verdict": "needs_revision"}, "only an approved plan"),
        (
            {"verdict": "approved", "checked": {"plan_fingerprint": "0" * 16}},
            "not the one that the gatekeeper approved",
        ),
    ):
        code, data, errors = run(
            "executor", task_of("x", "one\n", {"analyst": {"sub_problems": parts}, "gatekeeper": gate})
        )
        equal((code, data), (1, b""))
        contains(errors, reason)


@test
def a_fault_is_retried_three_times_and_bad_input_never():
    executor, calls = load("executor"), []

    def flaky(document, arguments, results):
        calls.append(1)
        if len(calls) < 3:
            raise OSError("no room")
        return {"result": {}, "findings": [], "coverage": {"unit": "lines", "read": 1, "total": 1}}

    def broken(document, arguments, results):
        calls.append(1)
        raise OSError("no room")

    def unfit(document, arguments, results):
        raise text.BadInput("nothing to read")

    document, executor.messages.log = text.Document("x", "one\n"), lambda line: None
    outcome, attempts, error = executor.attempt_all(flaky, document, {}, {})
    equal((outcome is not None, attempts, error), (True, 3, ""))
    equal(executor.attempt_all(broken, document, {}, {}), (None, 4, "OSError: no room"))
    equal(len(calls), 3 + 4)
    equal(executor.attempt_all(unfit, document, {}, {}), (None, 1, "nothing to read"))


@test
def an_attempt_out_of_time_is_repeated_on_half_and_says_so():
    executor = load("executor")
    executor.messages.log = lambda line: None

    def slow(document, arguments, results):
        while len(document.lines) > 50:
            pass
        return {
            "result": {},
            "findings": [],
            "coverage": {"unit": "lines", "read": len(document.lines), "total": len(document.lines)},
        }

    outcome, attempts, _ = executor.attempt_all(slow, text.Document("x", "word\n" * 200), {}, {}, 0.02)
    equal((attempts, outcome["coverage"]), (3, {"unit": "lines", "read": 50, "total": 200}))


def reviewed(change):
    """The reviewer's answer when CHANGE has worked on the outputs of the others."""
    content = sample("incident-report.txt")
    done = {"analyst": output("analyst", task_of("x", content))}
    done["gatekeeper"] = output("gatekeeper", task_of("x", content, done))
    done["executor"] = output("executor", task_of("x", content, done))
    change(done)
    return output("reviewer", task_of("x", content, done))


@test
def a_failed_part_costs_autonomy_and_fairness():
    def fail_two(done):
        for task in done["executor"]["sub_tasks"][:2]:
            task.update(status="failed", error="no room")

    answer = reviewed(fail_two)
    scores = {name: facts["score"] for name, facts in answer["scores"].items()}
    equal(scores, {"transparency": 1.0, "collaboration": 1.0, "autonomy": 0.6, "fairness": 0.84})
    equal((answer["score"], answer["verdict"]), (0.86, "final_approved"))


@test
def a_retry_costs_autonomy_only():
    def retry_all(done):
        for task in done["executor"]["sub_tasks"]:
            task["attempts"] = 2

    answer = reviewed(retry_all)
    scores = {name: facts["score"] for name, facts in answer["scores"].items()}
    equal(scores, {"transparency": 1.0, "collaboration": 1.0, "autonomy": 0.0, "fairness": 1.0})
    equal((answer["score"], answer["verdict"]), (0.75, "review_needed"))


@test
def an_execution_without_record_is_rejected():
    def lose(done):
        done["executor"].update(sub_tasks=[], findings=[], execution_status="failed")

    answer = reviewed(lose)
    equal(
        (answer["verdict"], answer["scores"]["autonomy"]["score"], answer["scores"]["transparency"]["score"]),
        ("rejected", 0.0, 0.5),
    )


@test
def a_quotation_that_is_not_in_the_input_costs_transparency():
    def invent(done):
        done["executor"]["findings"] = [
            {
                "severity": "warning",
                "title": "t",
                "detail": "d",
                "evidence": [{"line": 3, "text": "the reactor melted down"}],
            },
            {"severity": "info", "title": "t", "detail": "d", "evidence": []},
            {"severity": "info", "title": "t", "detail": "d", "evidence": [{"place": "line 4000", "text": "value 3"}]},
            {"severity": "info", "title": "t", "detail": "d", "evidence": [{"line": 6, "text": "Severity: 1"}]},
        ]

    answer = reviewed(invent)
    equal(answer["scores"]["transparency"]["score"], 0.625)
    contains(answer["scores"]["transparency"]["reason"], "1 of 4 findings")


@test
def another_plan_than_the_approved_costs_collaboration():
    def swap(done):
        done["executor"]["plan_fingerprint"] = "0" * 16

    equal(reviewed(swap)["scores"]["collaboration"]["score"], 0.7)

    def unanswered(done):
        done["analyst"]["analysis"]["round"] = 2
        done["analyst"]["revision"] = {"asked": 2, "answered": [{"feedback": "f1", "done": True}]}

    equal(reviewed(unanswered)["scores"]["collaboration"]["score"], 0.85)


@test
def a_finding_that_names_a_person_costs_fairness_and_is_masked():
    def gossip(done):
        done["executor"]["findings"] = [
            {
                "severity": "warning",
                "title": "Guilty",
                "evidence": [{"line": 6, "text": "Severity: 1"}],
                "detail": "Tomas Okafor (tomas@example.com) did it",
            }
        ]

    answer = reviewed(gossip)
    equal(answer["scores"]["fairness"]["score"], 0.7)
    equal(answer["findings"][0]["detail"], "[person] ([e-mail]) did it")


@test
def no_output_names_a_person_of_the_samples():
    hidden = {
        "incident-report.txt": ("Whitfield", "Okafor", "Raman", "Priya", "dana.whitfield"),
        "meeting-ko.txt": ("김민준", "이서연", "박도윤", "seoyeon", "1234-5678"),
        "latency.csv": ("user1@", "user5@"),
    }
    for name, people in hidden.items():
        done, _ = review(name, sample(name))
        for role in ("executor", "reviewer"):
            shown = json.dumps(done[role], ensure_ascii=False)
            equal([person for person in people if person in shown], [])


@test
def the_same_input_gives_the_same_output():
    for name in ("incident-report.txt", "meeting-ko.txt", "latency.csv", "service.log"):
        runs = []
        for seed in ("1", "2"):
            done, _ = review(name, sample(name), PYTHONHASHSEED=seed)
            for task in done["executor"]["sub_tasks"]:
                task.pop("duration_ms")
            runs.append(json.dumps(done))
        assert runs[0] == runs[1], f"{name}: two runs differ"


# Garbage, emptiness, size.


def refuses(handler, data, reason):
    code, out, errors = run(handler, data)
    equal((handler, code, out), (handler, 1, b""))
    assert "Traceback" not in errors and "fault in the handler" not in errors, errors
    assert errors.count("\n") == 1, f"{handler}: not one line: {errors}"
    contains(errors, reason)


@test
def every_handler_refuses_garbage_with_one_clear_line():
    cases = [
        (b"", "standard input is empty"),
        (b"  \n", "standard input is empty"),
        (b"\x00\xff\xfe\x80", "not UTF-8"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"a": NaN}', "NaN"),
        (b"{}", "input_data.text is missing"),
        (b'{"input_data": {"text": 5}}', "input_data.text is missing"),
        (task_of("x", ""), "empty"),
        (task_of("x", " \n\t\n"), "empty"),
        (task_of("x", "\x00\x01PNG\ufffd\ufffd" * 20), "not text"),
        (task_of("x", "a" * 1_100_000), "at most 1048576"),
    ]
    for handler in HANDLERS:
        for data, reason in cases:
            refuses(handler, data, reason)


@test
def a_missing_dependency_is_named():
    refuses("gatekeeper", task_of("x", "one\n"), "dependencies.analyst is missing")
    refuses(
        "gatekeeper",
        task_of("x", "one\n", {"analyst": {"analysis": {}, "selected_tools": "all"}}),
        "dependencies.analyst.selected_tools",
    )
    refuses("executor", task_of("x", "one\n", {"analyst": {"sub_problems": []}}), "dependencies.gatekeeper is missing")
    refuses(
        "reviewer",
        task_of("x", "one\n", {"analyst": {"sub_problems": []}, "gatekeeper": {"verdict": "approved"}}),
        "dependencies.executor is missing",
    )


@test
def malformed_plans_and_records_never_break_a_handler():
    odd = [
        None,
        5,
        "x",
        [],
        {},
        {"id": 7, "tool": ["a"], "depends_on": "b", "arguments": 3},
        {"id": "a", "depends_on": ["a", None]},
    ]
    analysis = {
        "analysis": {"kind": [], "domain": 5},
        "selected_tools": [None, "x", 5],
        "sub_problems": odd,
        "confidence": 10**400,
    }
    gate = output("gatekeeper", task_of("x", "one two\n", {"analyst": analysis}))
    equal(gate["verdict"], "rejected" if gate["score"] < 0.6 else "needs_revision")
    output("analyst", task_of("x", "one two\n", None, gate, 2))
    done = {"analyst": analysis, "gatekeeper": {"verdict": "approved"}}
    done["executor"] = output("executor", task_of("x", "one two\n", done))
    equal(done["executor"]["execution_status"], "failed")
    done["executor"].update(findings=[None, {"severity": [], "evidence": [5, {"line": "x"}]}], sub_tasks=odd)
    equal(output("reviewer", task_of("x", "one two\n", done))["verdict"], "rejected")


@test
def stray_control_characters_are_cleaned():
    content = sample("incident-report.txt").replace("Summary", "\x1b[31mSum\x00mary\x1b[0m\ud800", 1)
    done, _ = review("re\x00port\ud800", content)
    equal(done["reviewer"]["verdict"], "final_approved")
    shown = json.dumps(done, ensure_ascii=False)
    equal([character for character in ("\x00", "\x1b", "\ud800") if character in shown], [])


@test
def a_text_of_900_kb_takes_less_than_3_seconds_of_processor_time():
    header, rows = sample("latency.csv").split("\n", 1)
    cases = {
        "prose": sample("incident-report.txt") * 180,
        "korean": sample("meeting-ko.txt") * 360,
        "csv": header + "\n" + rows * 100,
        "log": sample("service.log") * 56,
        "one word": "a" * 900_000,
        "one line": "a@b.c 12:34 1,000 ms. " * 40_000,
        "marks": "12:34:" * 150_000,
    }
    for name, content in cases.items():
        content = content.encode()[:900_000].decode("utf-8", "ignore")
        assert len(content.encode()) > 850_000, name
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done, rounds = review(name, content)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        runs = 2 * rounds + len(done) - 2
        assert used < 3 * runs, f"{name}: {used:.1f} s for {runs} runs"


@test
def the_output_stays_below_200_kb():
    wide = ",".join(f"a column with quite a long name number {index}" for index in range(3000)) + "\n"
    wide += "".join(",".join(str((index * row) % 97) for index in range(3000)) + "\n" for row in range(1, 40))
    done, _ = review("wide.csv", wide)  # output() checks the size of each
    coverage = {task["tool"]: task["coverage"] for task in done["executor"]["sub_tasks"] if "coverage" in task}
    equal(coverage["missing_values"], {"unit": "columns", "read": 200, "total": 3000})


# Messages.

RECORDER = """#!/bin/sh
printf '%s\\n' "$*" >> "$RECORD.args"
cat >> "$RECORD.body"
echo >> "$RECORD.body"
"""


def program(folder, content):
    path = os.path.join(folder, "agentctl")
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    os.chmod(path, 0o755)
    return path


@test
def each_handler_sends_its_typed_message():
    with tempfile.TemporaryDirectory() as folder:
        record = os.path.join(folder, "record")
        surroundings = {"AGENTCTL": program(folder, RECORDER), "AGENTD_AGENT_ID": "agent-7", "RECORD": record}
        review("orders-with-notes.csv", sample("orders-with-notes.csv"), **surroundings)
        review("word.txt", "hi", **surroundings)
        with open(record + ".args", encoding="utf-8") as file:
            equal(set(file.read().splitlines()), {"api POST /messages --data -"})
        with open(record + ".body", encoding="utf-8") as file:
            sent = [json.loads(line) for line in file.read().splitlines() if line]
    equal(
        [(message["to_role"], message["message_type"]) for message in sent],
        [
            ("lubit", "analysis_submission"),
            ("sena", "revision_request"),
            ("lubit", "analysis_submission"),
            ("gitcode", "validation_result"),
            ("rune", "execution_result"),
            ("sena", "final_verdict"),
            ("lubit", "analysis_submission"),
            ("sena", "revision_request"),
            ("lubit", "analysis_submission"),
            ("sena", "validation_result"),
        ],
    )
    equal({(message["from_agent_id"], message["task_id"]) for message in sent}, {("agent-7", "0190")})
    shapes = {
        "analysis_submission": {"analysis": dict, "selected_tools": list, "sub_problems": list, "confidence": float},
        "validation_result": {"verdict": str},
        "revision_request": {"feedback": list},
        "execution_result": {"execution_status": str, "sub_tasks": list},
        "final_verdict": {"verdict": str},
    }
    for message in sent:
        for field, kind in shapes[message["message_type"]].items():
            assert isinstance(message["content"][field], kind), f"{message['message_type']}.{field}"


@test
def a_message_that_fails_never_fails_the_task():
    with tempfile.TemporaryDirectory() as folder:
        failing = program(folder, "#!/bin/sh\necho first >&2\necho 'cannot reach the server' >&2\nexit 6\n")
        for path, reason in (
            (failing, "ended with 6: cannot reach the server"),
            (os.path.join(folder, "none"), "No such file"),
        ):
            code, data, errors = run("analyst", task_of("x", "one two three\n"), AGENTCTL=path, AGENTD_AGENT_ID="a")
            equal(code, 0)
            contains(errors, "analysis_submission to lubit was not sent")
            contains(errors, reason)
            contains(json.loads(data), "sub_problems")


@test
def a_message_that_hangs_is_given_up():
    equal(messages.SEND_TIMEOUT_S, 5)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(os.path.join(folder, "never"))
        hanging = program(folder, f"#!/bin/sh\nread line < '{folder}/never'\n")
        saved = messages.SEND_TIMEOUT_S, messages.log, dict(os.environ)
        messages.SEND_TIMEOUT_S, messages.log = 0.2, lines.append
        os.environ.update(AGENTCTL=hanging, AGENTD_AGENT_ID="a")
        begin = time.monotonic()
        try:
            messages.send({"id": "0190"}, "lubit", "analysis_submission", {"filler": "x" * 1000})
        finally:
            messages.SEND_TIMEOUT_S, messages.log = saved[:2]
            os.environ.clear()
            os.environ.update(saved[2])
    assert time.monotonic() - begin < 4, "it took longer than its limit"
    contains(lines[0], "timed out")


def main():
    failed = 0
    for index, function in enumerate(TESTS, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {index} - {name}", flush=True)
        except Exception as error:
            failed += 1
            print(f"not ok {index} - {name}", flush=True)
            for line in f"{type(error).__name__}: {error}".splitlines()[:20]:
                print(f"# {line[:1000]}", flush=True)
    print(f"1..{len(TESTS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
