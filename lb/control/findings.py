"""Results of checks: what was looked at, how it is, what was seen, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["ok", "warning", "error"]
Level = Literal["node", "vlan", "instance"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result. `subject`: which of several things it speaks of."""

    check: str
    severity: Severity
    evidence: str
    remedy: str = ""
    level: Level = "node"
    subject: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def judged(
    check: str,
    good: bool,
    evidence: str,
    remedy: str,
    *,
    severity: Severity = "error",
    level: Level = "node",
    subject: str = "",
) -> Finding:
    """Fine if `good`; otherwise of this severity, with a remedy."""
    found: Severity = "ok" if good else severity
    return Finding(check, found, evidence, "" if good else remedy, level, subject)
