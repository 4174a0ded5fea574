"""The gatekeeper's check of a plan: what is wrong with it (risks) and what the analyst should do (feedback).

Always holds: a risk names what shows it; an item of feedback is one of the analyst's actions; nothing in the plan is
trusted to be well formed.
"""
from . import plan, scoring
from .plan import field
from .text import clip
from .tools import BUILDS_ON, PREFERRED, REGISTRY, shortfall


# A plan beyond any allowed size is judged by its count and its first parts.
LOOKED_AT = 100


class Check:
    """One validation: the plan, the input, and the risks and feedback found so far."""

    def __init__(self, document, submission):
        self.document = document
        self.kind = document.kind
        self.analysis = submission["analysis"]
        self.tools = [tool for tool in submission["selected_tools"] if isinstance(tool, str)][:LOOKED_AT]
        self.parts = submission["sub_problems"][:LOOKED_AT]
        self.count = len(submission["sub_problems"])
        value = submission.get("confidence")
        usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
        self.confidence = float(value) if usable else 0.0
        self.risks, self.feedback, self.dropped, self.broken = [], [], set(), set()

    def risk(self, code, detail, **where):
        self.risks.append({"code": code, "detail": clip(detail, 300), **where})

    def ask(self, action, reason, **what):
        item = {"action": action, **what}
        if all(
            item != {key: value for key, value in other.items() if key not in ("id", "reason")}
            for other in self.feedback
        ):
            self.feedback.append({"id": f"f{len(self.feedback) + 1}", **item, "reason": clip(reason, 300)})

    def drop(self, tool, reason):
        self.dropped.add(tool)
        self.ask("drop_tool", reason, tool=tool)

    def run(self):
        self.check_kind()
        self.check_parts()
        self.check_dependencies()
        self.check_unread()
        self.check_counts()
        self.check_confidence()

    def check_kind(self):
        claimed = self.analysis.get("kind")
        if claimed != self.kind:
            detail = f"the analysis says {claimed}, all {len(self.document.lines)} lines together say {self.kind}"
            self.risk("kind_mismatch", detail)
            self.ask("set_kind", detail, value=self.kind)

    def check_parts(self):
        seen, used = set(), set()
        for index, part in enumerate(self.parts):
            identity = plan.part_id(part, index)
            if identity in seen:
                self.risk("duplicate_id", f"two sub-problems are called {identity}", sub_problem=identity)
                self.ask("relink", "give every sub-problem an id of its own")
            seen.add(identity)
            tool = field(part, "tool", str)
            if not tool:
                self.risk("no_tool", f"sub-problem {identity} names no tool", sub_problem=identity)
                self.broken.add(identity)
                self.ask("relink", f"give {identity} a tool or leave it out")
                continue
            used.add(tool)
            self.check_tool(identity, tool, part)
        for tool in self.tools:
            if tool not in used:
                self.risk("unused_tool", f"{tool} is selected and no sub-problem uses it")
                self.drop(tool, "it is selected and not used")

    def check_tool(self, identity, tool, part):
        if tool not in REGISTRY:
            self.risk(
                "unknown_tool", f"{tool} does not exist; the tools are {', '.join(REGISTRY)}", sub_problem=identity
            )
            self.broken.add(identity)
            self.drop(tool, "there is no such tool")
        elif self.kind not in REGISTRY[tool].kinds:
            self.risk(
                "unfit_tool",
                f"{tool} serves {' and '.join(REGISTRY[tool].kinds)}, the input is {self.kind}",
                sub_problem=identity,
            )
            if self.analysis.get("kind") == self.kind:
                self.drop(tool, f"it does not serve {self.kind}")
        elif short := shortfall(tool, self.document):
            self.risk("input_too_small", short, sub_problem=identity)
            self.broken.add(identity)
            self.drop(tool, short)
        elif tool == "numeric_statistics" and self.kind == "csv":
            self.check_columns(identity, part)
        if tool not in self.tools:
            self.risk(
                "unselected_tool",
                f"{identity} uses {tool}, which is not among the selected tools",
                sub_problem=identity,
            )
            self.ask("add_tool", "a sub-problem uses it", tool=tool)

    def check_columns(self, identity, part):
        numeric = self.document.table.numeric
        asked = [column for column in field(field(part, "arguments", dict), "columns", list) if isinstance(column, str)]
        wrong = [column for column in asked if column not in numeric]
        unread = [column for column in numeric[:40] if asked and column not in asked]
        if wrong:
            self.risk("not_numeric", f"no column of numbers: {', '.join(wrong[:5])}", sub_problem=identity)
            self.ask("drop_columns", "they hold no numbers in most rows", columns=wrong)
        if unread:
            self.risk(
                "unread_columns",
                f"columns of numbers that no sub-problem reads: {', '.join(unread[:5])}",
                sub_problem=identity,
            )
            self.ask("read_columns", "they hold numbers in most rows", columns=unread)

    def check_dependencies(self):
        for identity, fault, what in plan.dependency_faults(self.parts):
            words = {
                "missing": f"{identity} depends on {what}, which is not in the plan",
                "cyclic": f"{identity} depends on itself by way of {what}",
            }
            self.risk(f"{fault}_dependency", words[fault], sub_problem=identity)
            self.ask("relink", words[fault])
        _, stuck = plan.order(self.parts)
        cannot = sorted({plan.part_id(self.parts[index], index) for index in stuck} | self.broken)
        if cannot:
            # A plan with a part that cannot run has this second risk, so that it is never approved on one.
            self.risk(
                "cannot_run", f"sub-problems that cannot run or cannot give a sound result: {', '.join(cannot[:10])}"
            )
        for index, part in enumerate(self.parts):
            tool = field(part, "tool", str)
            if BUILDS_ON.get(tool) == "top_terms" and not plan.needs(part):
                identity = plan.part_id(part, index)
                self.risk(
                    "missing_dependency",
                    f"{identity} uses {tool}, which builds on top_terms, and depends on nothing",
                    sub_problem=identity,
                )
                self.ask("relink", f"{tool} builds on top_terms")

    def check_unread(self):
        """Numbers in series that no sub-problem looks at."""
        planned = {field(part, "tool", str) for part in self.parts}
        if (
            self.analysis.get("kind") == self.kind
            and "numeric_statistics" not in planned
            and self.document.measure("numbers") >= 10
        ):
            detail = f"{self.document.measure('numbers')} numbers stand in series and no sub-problem reads them"
            self.risk("unread_numbers", detail)
            self.ask("add_tool", detail, tool="numeric_statistics")
            last = [tool for tool in PREFERRED[self.kind] if tool in planned][-1:]
            if last and len(planned) >= scoring.TOOLS_GOOD[1]:
                self.drop(last[0], "one tool less, so that numeric_statistics has its place")

    def check_counts(self):
        for what, count, good in (
            ("tools", len(set(self.tools)), scoring.TOOLS_GOOD),
            ("sub-problems", self.count, scoring.PARTS_GOOD),
        ):
            if not scoring.within(count, good):
                self.risk("count", f"number of {what}: {count}; {good[0]} to {good[1]} are good")
        surplus = self.tools[scoring.TOOLS_GOOD[1] :]
        for tool in surplus:
            self.drop(tool, f"more than {scoring.TOOLS_GOOD[1]} tools")
        self.suggest()

    def suggest(self):
        """Tools that would fill the plan again where it is thin or must lose some."""
        if self.analysis.get("kind") != self.kind:
            return
        planned = {field(part, "tool", str) for part in self.parts}
        kept = {tool for tool in planned - self.dropped if tool in REGISTRY}
        kept |= {item["tool"] for item in self.feedback if item["action"] == "add_tool"}
        for tool in PREFERRED[self.kind]:
            if len(kept) >= scoring.PARTS_GOOD[0]:
                break
            if tool not in planned and tool not in kept and not shortfall(tool, self.document):
                kept.add(tool)
                self.ask(
                    "add_tool",
                    f"fewer than {scoring.PARTS_GOOD[0]} sub-problems would be left, and the input is enough for it",
                    tool=tool,
                )

    def check_confidence(self):
        known = sum(1 for tool in self.tools if tool in REGISTRY)
        clarity = scoring.DOMAIN_GENERAL if self.analysis.get("domain") in (None, "general") else scoring.DOMAIN_KNOWN
        computed = scoring.confidence(known, len(self.tools), self.count, clarity)
        if self.confidence < scoring.CONFIDENCE_NEEDED:
            self.risk("low_confidence", f"confidence {self.confidence:g} is below {scoring.CONFIDENCE_NEEDED}")
        if abs(computed - self.confidence) > 0.005:
            self.risk(
                "confidence_mismatch", f"the analysis claims {self.confidence:g}, its own facts give {computed:g}"
            )
