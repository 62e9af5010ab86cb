"""The report for people."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.ledger.model import Report

_KEPT = ("rx", "originated", "tx", "held", "residual")


def show(report: Report, console: Console) -> None:
    """The balance by reason, the checks, and what does not hold, with its place."""
    first, last = (_time(ms) for ms in (report.range.from_ms, report.range.to_ms))
    console.print(f"{first} .. {last}: {report.frames} frames of {', '.join(report.nodes)}")
    balance = Table(title="balance of all lcores", title_justify="left")
    balance.add_column("term")
    balance.add_column("of what")
    balance.add_column("packets", justify="right")
    for line in report.balance:
        if line.packets or line.term in _KEPT:
            balance.add_row(line.term, line.what, f"{line.packets:,}")
    console.print(balance)
    checks = Table(title="checks", title_justify="left")
    for name in ("", "what", "looked at", "wrong"):
        checks.add_column(name, justify="right" if name in ("looked at", "wrong") else "left")
    for check in report.checks:
        mark = "[red]no[/red]" if check.failed else "[green]yes[/green]"
        checks.add_row(mark, check.title, f"{check.examined:,}", f"{check.failed:,}")
    console.print(checks)
    for check in report.checks:
        for text in check.findings:
            console.print(f"[red]{check.name}[/red]: {escape(text)}", soft_wrap=True)
        for text in check.notes:
            console.print(f"[yellow]{check.name}[/yellow]: {escape(text)}", soft_wrap=True)
    proven = "[green]proven[/green]: every packet is accounted for, and stored once"
    console.print(proven if report.proven else "[red]not balanced[/red]", soft_wrap=True)


def _time(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
