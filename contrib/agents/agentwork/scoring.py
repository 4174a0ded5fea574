"""The formulas of the review: confidence, validation score and verdict, final score and verdict.

Always holds: pure arithmetic on the arguments; scores are rounded to 6 digits before they are compared, so that
0.3 * 0.8 + 0.36 is 0.6 and not a little less.
"""
TOOLS_ALLOWED, TOOLS_GOOD = (1, 8), (2, 5)
PARTS_ALLOWED, PARTS_GOOD = (2, 10), (3, 7)
CONFIDENCE_NEEDED = 0.7
DOMAIN_KNOWN, DOMAIN_GENERAL = 1.0, 0.7


def within(count, bounds):
    return bounds[0] <= count <= bounds[1]


def decomposition(parts):
    """1.0 for 2 to 5 sub-problems, 0.8 for 1 to 7, else 0.6."""
    return 1.0 if 2 <= parts <= 5 else 0.8 if 1 <= parts <= 7 else 0.6


def confidence(known_tools, tools, parts, domain_clarity):
    """The analyst's confidence: 0.3 share of known tools + 0.4 decomposition + 0.3 domain clarity."""
    share = known_tools / tools if tools else 0.0
    return round(0.3 * share + 0.4 * decomposition(parts) + 0.3 * domain_clarity, 6)


def validation_score(analyst_confidence, tools, parts):
    """The gatekeeper's score: 0.3 confidence (0.95 when above 0.85) + 0.27 tool count + 0.36 part count in range."""
    trust = 0.95 if analyst_confidence > 0.85 else analyst_confidence
    score = 0.3 * trust
    score += 0.27 if within(tools, TOOLS_ALLOWED) else 0.0
    score += 0.36 if within(parts, PARTS_ALLOWED) else 0.0
    return round(score, 6)


def validation_verdict(score, risks):
    """approved (>= 0.9 without risk, or >= 0.75 with at most one), needs_revision (>= 0.6), rejected."""
    if (score >= 0.9 and risks == 0) or (score >= 0.75 and risks <= 1):
        return "approved"
    return "needs_revision" if score >= 0.6 else "rejected"


def final_score(transparency, collaboration, autonomy, fairness):
    return round(0.25 * (transparency + collaboration + autonomy + fairness), 6)


def final_verdict(score):
    return "final_approved" if score >= 0.85 else "review_needed" if score >= 0.70 else "rejected"


def share(part, whole):
    """PART of WHOLE as a number of 4 digits between 0 and 1; nothing asked is all done."""
    return 1.0 if part >= whole else round(part / whole, 4)
