"""What the audit is asked, and what it finds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

# Keyframes come at least once a minute: the audit looks back this far for one to start from.
LOOK_BACK_MS = 120_000
MAX_FINDINGS = 20
# Raw rows are kept for 7 days: what began longer ago cannot be summed from them.
RAW_LIFE_MS = 6 * 86_400_000


@dataclass(frozen=True, slots=True)
class Range:
    """from <= ts < to, in unix ms; "" is every PoP, every node.

    `commit`: the last one to look at, so that what comes in meanwhile does not blur the picture.
    """

    from_ms: int
    to_ms: int
    pop: str = ""
    node: str = ""
    commit: int = (1 << 63) - 1

    @property
    def params(self) -> dict[str, str]:
        """Values of the parameters in `where`."""
        return {
            "lo": str(self.from_ms),
            "hi": str(self.to_ms),
            "back": str(self.from_ms - LOOK_BACK_MS),
            "pop": self.pop,
            "node": self.node,
            "commit": str(self.commit),
            "oldest": str(int(time.time() * 1000) - RAW_LIFE_MS),
        }

    def where(self, lower: str = "lo", table: str = "") -> str:
        """The condition on a table; `lower`: lo, or back for the look back too."""
        return f"{f'{table}.' if table else ''}ts >= {moment(lower)} AND {self.before(table)}"

    def before(self, table: str = "") -> str:
        """The condition without a lower end."""
        p = f"{table}." if table else ""
        parts = [f"{p}ts < {moment('hi')}", f"{p}commit <= {{commit:UInt64}}"]
        parts += [f"{p}pop = {{pop:String}}"] if self.pop else []
        parts += [f"{p}node = {{node:String}}"] if self.node else []
        return " AND ".join(parts)


def moment(name: str) -> str:
    """A parameter in unix ms as a point in time."""
    return f"fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')"


@dataclass(slots=True)
class Check:
    """One thing to prove: how much was looked at, what does not hold, what cannot be said yet.

    `unknown`: why nothing can be said, "" when something can. `lost`: packets of which it is known
    that no increment has them; `losses`: where.
    """

    name: str
    title: str
    unknown: str = ""
    examined: int = 0
    failed: int = 0
    lost: int = 0
    losses: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fail(self, where: str, count: int = 1) -> None:
        """Note something that does not hold."""
        self.failed += count
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(where)

    def lose(self, where: str, packets: int) -> None:
        """Note packets that are known to be missing: the books hold but for them."""
        self.lost += packets
        self.losses.append(where)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "unknown": self.unknown,
            "examined": self.examined,
            "failed": self.failed,
            "lost": self.lost,
            "losses": self.losses,
            "findings": self.findings,
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the balance: a term of the law, what of it, packets."""

    term: str
    what: str
    packets: int


@dataclass(slots=True)
class Report:
    """The result. `proven`: every check had something to look at, and holds; nothing is lost."""

    range: Range
    frames: int
    nodes: list[str]
    balance: list[Line]
    checks: list[Check]

    @property
    def balanced(self) -> bool:
        """Whether nothing was found that does not hold."""
        return all(check.failed == 0 for check in self.checks)

    @property
    def told(self) -> bool:
        """Whether all holds but for what is known to be lost."""
        return self.balanced and not any(check.unknown for check in self.checks)

    @property
    def proven(self) -> bool:
        return self.told and not any(check.losses for check in self.checks)

    @property
    def lost(self) -> int:
        """Packets that are known to be in no increment."""
        return sum(check.lost for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        return {
            "from_ms": self.range.from_ms,
            "to_ms": self.range.to_ms,
            "frames": self.frames,
            "nodes": self.nodes,
            "proven": self.proven,
            "balanced": self.balanced,
            "lost": self.lost,
            "balance": [
                {"term": x.term, "what": x.what, "packets": x.packets} for x in self.balance
            ],
            "checks": [check.as_json() for check in self.checks],
        }
