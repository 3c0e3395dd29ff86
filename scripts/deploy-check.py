"""Holds deploy/prometheus/alerts.yaml against PromQL's grammar and the metrics that barncat has, and docs/RUNBOOK.md against
everything that can ring: each kind of incident, each alarm of CloudFormation, each rule of Prometheus. The source is read for
their names, so that a new one without a section fails here.
"""

import re
import sys
from pathlib import Path

import promql_parser
import yaml

mistakes = []


def wrong(place, what):
    mistakes.append(f"{place}: {what}")


def read(path):
    return Path(path).read_text()


# ---- Prometheus' rules ----------------------------------------------------------------------------

RULES = "deploy/prometheus/alerts.yaml"
KEYS = {"alert", "expr", "for", "labels", "annotations"}
DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")


def metrics():
    """The names in docs/REFERENCE.md, which a test holds against the code."""
    return set(re.findall(r"^\| `(barncat_[a-z_]+)` \|", read("docs/REFERENCE.md"), re.M)) | {"up"}


def selectors(expr):
    """The names of the series that an expression reads."""
    found = []
    for member in ("expr", "lhs", "rhs"):
        inner = getattr(expr, member, None)
        if inner is not None:
            found += selectors(inner)
    for inner in getattr(expr, "args", None) or []:
        found += selectors(inner)
    vector = getattr(expr, "vector_selector", None)
    if vector is not None:
        found += selectors(vector)
    if isinstance(expr, promql_parser.VectorSelector):
        found.append(expr.name)
    return found


def rules():
    known, names = metrics(), []
    for group in yaml.safe_load(read(RULES))["groups"]:
        if set(group) - {"name", "rules", "interval"}:
            wrong(RULES, f"the group has {sorted(group)}")
        for rule in group["rules"]:
            name = rule.get("alert", "?")
            names.append(name)
            if set(rule) - KEYS or "expr" not in rule:
                wrong(RULES, f"{name} has {sorted(rule)}")
            if "for" in rule and not DURATION.fullmatch(str(rule["for"])):
                wrong(RULES, f"{name} waits for {rule['for']}")
            if rule.get("labels", {}).get("severity") not in ("page", "ticket"):
                wrong(RULES, f"{name} has no severity")
            try:
                read_series = selectors(promql_parser.parse(rule["expr"]))
            except ValueError as error:
                wrong(RULES, f"{name}: {error}")
                continue
            if not read_series:
                wrong(RULES, f"{name} reads no series")
            for series in read_series:
                if series not in known:
                    wrong(RULES, f"{name} reads {series}, which barncat does not have")
            runbook(RULES, name, rule["annotations"]["runbook"])
    for name in names:
        if names.count(name) > 1:
            wrong(RULES, f"{name} is there twice")
    return names


# ---- the runbook ----------------------------------------------------------------------------------

RUNBOOK = "docs/RUNBOOK.md"
HEADINGS = re.findall(r"^#+ (.+)$", read(RUNBOOK), re.M)


def anchor(heading):
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


ANCHORS = {anchor(heading) for heading in HEADINGS}


def runbook(place, name, link):
    """A link to the runbook must lead somewhere."""
    page, _, section = link.partition("#")
    if page != RUNBOOK or (section and section not in ANCHORS):
        wrong(place, f"{name} leads to {link}, which is not there")


def section(name):
    """A section's text, without those below it of the same level or above."""
    found = re.search(rf"^(#+) {re.escape(name)}\n(.*?)(?=^#{{1,3}} |\Z)", read(RUNBOOK), re.M | re.S)
    return found and found[2]


def must_tell(name, why):
    text = section(name)
    if text is None:
        wrong(RUNBOOK, f"has no section `{name}`: {why}")
    elif "```" not in text:
        wrong(RUNBOOK, f"the section `{name}` has no command")


def variants(path, name):
    body = re.search(rf"pub enum {name} \{{(.*?)^\}}", read(path), re.M | re.S)[1]
    return re.findall(r"^    ([A-Z]\w*)", body, re.M)


def words(name):
    """`NotNull` → `not_null`, as serde and the project's files have it."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def figures():
    """The metrics that src/serve/emf.rs writes."""
    text = Path("src/serve/emf.rs").read_text()
    return set(re.findall(r'\("([A-Z]\w+)", "(?:Count|Seconds|Bytes)"', text))


def alarms():
    told = figures()
    for path in sorted(Path("deploy/ecs").glob("*.yaml")):
        for name, text in re.findall(r"^  (\w+):\n    Type: AWS::(?:CloudWatch::Alarm|Events::Rule)\n((?:    .*\n|\n)*)",
                                     path.read_text(), re.M):
            must_tell(name, f"{path} makes this alarm")
            metric = re.search(r"Namespace: barncat\n\s+MetricName: (\w+)", text)
            if metric and metric[1] not in told:
                wrong(str(path), f"{name} looks at {metric[1]}, which barncat does not write")
            for link in re.findall(r"docs/RUNBOOK\.md#?[\w-]*", text) or [""]:
                runbook(str(path), name, link)


for figure in figures():
    if f"`{figure}`" not in read("docs/SERVICE.md"):
        wrong("docs/SERVICE.md", f"does not tell of the metric `{figure}`")
for kind in variants("src/incident/alarm.rs", "AlarmKind"):
    must_tell(words(kind).capitalize(), f"src/incident/alarm.rs has AlarmKind::{kind}")
checks = (section("Check") or "")
for kind in [*map(words, variants("src/config/checks.rs", "CheckKind")), "reconcile"]:
    if f"`{kind}`" not in checks:
        wrong(RUNBOOK, f"the section `Check` does not tell of `{kind}`")
for rule in rules():
    if rule not in ("BarncatDeadlineInDanger", "BarncatDeadlineMissed", "BarncatCriticalIncident", "BarncatIncidentStaysOpen",
                    "BarncatMemoryGrows"):
        must_tell(rule, f"{RULES} has this rule")
alarms()

for mistake in mistakes:
    print(f"error: {mistake}", file=sys.stderr)
sys.exit(1 if mistakes else 0)
