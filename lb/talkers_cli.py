"""`popscope lb top-talkers`: who sends most to a core."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import datetime
from pathlib import Path

import click

from lb import evidence, talkers
from lb.core_client import RUN_ROOT
from lb.errors import LbError


def _print(found: talkers.Talkers) -> None:
    if not found.time_ns:
        click.echo("no window of 10 s with packets has ended yet")
        return
    at = datetime.fromtimestamp(found.time_ns // 1_000_000_000)
    click.echo(f"the 10 s up to {at:%Y-%m-%d %H:%M:%S}: {found.packets:,.0f} packets/s in all")
    rows = [("source", "to", "listener", "packets/s", "at least", "kbit/s", "share")]
    for t in found.top:
        port = f" port {t.port}" if t.port else ""
        numbers = (f"{t.packets:,.0f}", f"{t.packets_min:,.0f}", f"{t.bits / 1000:,.0f}")
        share = f"{t.packets / found.packets:.1%}"
        rows.append((t.source, f"{t.destination}{port} {t.protocol}", t.listener, *numbers, share))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:  # names to the left, numbers to the right
        cells = (
            f"{text:<{width}}" if i < 3 else f"{text:>{width}}"
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        click.echo("  ".join(cells))


@click.command("top-talkers")
@click.option("--instance", default="lb", show_default=True, help="Name of the core.")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The core's own folder, instead of /run/popscope/INSTANCE.",
)
@click.option(
    "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def top_talkers(instance: str, run_dir: Path | None, count: int, as_json: bool) -> None:
    """Show the sources that sent most packets in the last window of 10 s, and what to.

    Each worker samples one parsed packet in 256 and counts sources by the space-saving algorithm
    with 128 counters: a source is estimated too high by 1/128 of all packets at most, and "at
    least" is what it sent for certain. On top comes the deviation of a sample: 10 % for whoever
    sends 2560 packets a second, 1 % at 256,000. Kilobits are of the packets that were counted.

    \b
    Examples:
      popscope lb top-talkers --instance d1
      popscope lb top-talkers --count 100 --json
    """
    try:
        found = talkers.read(evidence.find(run_dir or RUN_ROOT / instance), count)
    except LbError as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "errors": [{"path": "", "message": str(error)}]}))
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({"ok": True, **dataclasses.asdict(found)}))
    else:
        _print(found)
