"""The report for people."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.ledger.model import Check, Report

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
        checks.add_row(_mark(check), check.title, f"{check.examined:,}", f"{check.failed:,}")
    console.print(checks)
    for check in report.checks:
        lines = [("red", text) for text in (*check.findings, *check.losses)]
        lines += [("yellow", text) for text in (*check.notes, check.unknown) if text]
        for colour, text in lines:
            console.print(f"[{colour}]{check.name}[/{colour}]: {escape(text)}", soft_wrap=True)
    console.print(_verdict(report), soft_wrap=True)


def _mark(check: Check) -> str:
    if check.failed:
        return "[red]no[/red]"
    if check.losses:
        return "[red]lost[/red]"
    return "[yellow]?[/yellow]" if check.unknown else "[green]yes[/green]"


def _verdict(report: Report) -> str:
    if not report.balanced:
        return "[red]not balanced[/red]"
    if not report.told:
        return "[yellow]cannot tell[/yellow]: a check had nothing to look at"
    if not report.proven:
        return (
            f"[red]lost[/red]: {report.lost:,} packets are in no increment, for a spool was lost; "
            "every other packet is accounted for, and stored once"
        )
    return "[green]proven[/green]: every packet is accounted for, and stored once"


def _time(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
