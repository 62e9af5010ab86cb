"""The runbook: the second half of README.md, written from the rules."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from alerts.errors import RuleError
from alerts.model import Alert

README = Path(__file__).with_name("README.md")
BEGIN = "<!-- From here on written by `popscope alerts render`, from the rules. -->\n"
_FORMS = {(True, True): "SQL and PromQL", (True, False): "SQL", (False, True): "PromQL"}


def with_runbook(readme: str, alerts: tuple[Alert, ...]) -> str:
    """The README with a fresh runbook. Raises RuleError when it lacks the line that begins it."""
    if BEGIN not in readme:
        raise RuleError(f"alerts/README.md lacks the line {BEGIN.strip()}")
    return readme[: readme.index(BEGIN)] + BEGIN + "\n" + runbook(alerts)


def runbook(alerts: tuple[Alert, ...]) -> str:
    """A table of all alerts, and a heading for each."""
    lines = ["# Runbook", "", "| area | alerts |", "|---|---|"]
    for area, members in groupby(alerts, key=lambda a: a.area):
        links = ", ".join(f"[{a.name.removeprefix('Popscope')}](#{a.anchor})" for a in members)
        lines.append(f"| {area} | {links} |")
    return "\n".join([*lines, "", *map(entry, alerts)])


def entry(alert: Alert) -> str:
    """One alert: what it means, what to look at, what to do, when it ends, how to silence it."""
    facts = [f"*{alert.question}*", alert.severity, _FORMS[bool(alert.sql), bool(alert.promql)]]
    if alert.wait:
        facts.append(f"after {alert.wait} s")
    return f"""## {alert.name}

{" · ".join(facts)}

**It means**: {alert.means}

**Look at**: {alert.look}

**Do**: {alert.act}

**It ends** {alert.ends}

**Silence**: `{silence(alert)}`
"""


def silence(alert: Alert) -> str:
    """The command that silences it for two hours, with the labels to fill in."""
    labels = " ".join(f"{name}=..." for name in alert.labels)
    matchers = f"alertname={alert.name} {labels}".strip()
    return f'amtool silence add {matchers} --duration=2h --comment="why, who"'
