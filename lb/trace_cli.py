"""`popscope lb trace`: what a core decides about the next packets that match."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from lb import evidence
from lb.core_client import RUN_ROOT, SOCKET, Control
from lb.errors import ConfigError, LbError, MatchError
from lb.match import Term, parse
from lb.trace import Traced, TraceReader

POLL_S = 0.05
MOST = 256


def _collect(run_dir: Path, trace: int, count: int, seconds: int) -> Iterator[Traced]:
    reader = TraceReader(evidence.find(run_dir), trace)
    end, found = time.monotonic() + seconds, 0
    while found < count:
        over = time.monotonic() >= end
        for packet in reader.read()[: count - found]:
            found += 1
            yield packet
        if over:
            return
        time.sleep(POLL_S if found < count else 0)


def _print(packet: Traced) -> None:
    at = datetime.fromtimestamp(packet.time_ns // 1_000_000_000)
    stamp = f"{at:%H:%M:%S}.{packet.time_ns // 1000 % 1_000_000:06}"
    click.echo(f"{stamp} lcore {packet.lcore}, port {packet.port}, {packet.length} bytes")
    for decision in packet.decisions:
        click.echo(f"  {decision.stage:9} {decision}")


def _object(packet: Traced) -> dict[str, Any]:
    return {
        "time_ns": packet.time_ns,
        "lcore": packet.lcore,
        "port": packet.port,
        "length": packet.length,
        "decisions": [
            {"stage": d.stage, "decision": d.what, "value": d.value} for d in packet.decisions
        ],
        "counters": [{"stage": stage, "id": name} for stage, name in packet.counters],
        "bytes": packet.data.hex(),
    }


def _run(run_dir: Path, terms: list[Term], count: int, seconds: int, as_json: bool) -> None:
    packets = []
    control = Control(run_dir / SOCKET)
    trace = control.trace(terms, count, seconds)
    try:
        for packet in _collect(run_dir, trace, count, seconds):
            packets.append(packet)
            if not as_json:
                _print(packet)
    except KeyboardInterrupt:
        pass  # what was found is shown
    finally:
        control.trace([], 0, 1)
    if as_json:
        click.echo(json.dumps({"ok": True, "trace": trace, "packets": [*map(_object, packets)]}))
    else:
        click.echo(f"{len(packets)} packets", err=True)


@click.command()
@click.option("--instance", default="lb", show_default=True, help="Name of the core.")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The core's own folder, instead of /run/popscope/INSTANCE.",
)
@click.option("--match", default="", metavar="EXPRESSION", help="Which packets; default: all.")
@click.option(
    "--count", type=click.IntRange(1, MOST), default=1, show_default=True, help="How many."
)
@click.option(
    "--seconds",
    type=click.IntRange(1, 3600),
    default=60,
    show_default=True,
    help="How long to wait for them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def trace(
    instance: str, run_dir: Path | None, match: str, count: int, seconds: int, as_json: bool
) -> None:
    """Show what a core decides about the next COUNT packets that match.

    For each packet: how it was parsed, its listener, whether its connection was found, created,
    picked up, closed, expired or orphaned, the backend and which table chose it, the neighbour, and
    the port that it was sent on; or why it was dropped. Malformed packets match too, by what can be
    read of them.

    An EXPRESSION has parts that must all hold, with or without `and` between them: tcp, udp, icmp,
    icmp6, ip, ip6, arp, proto N, [src|dst] ADDRESS[/LENGTH], [src|dst] port N. A port without a
    direction has that of the address right before it. One trace at a time is armed in a core; it
    ends with this command.

    \b
    Examples:
      popscope lb trace --match "tcp dst 198.51.100.1 port 80 and src 192.0.2.0/24" --count 5
      popscope lb trace --instance d1 --match "arp" --seconds 10 --json
    """
    try:
        _run(run_dir or RUN_ROOT / instance, parse(match), count, seconds, as_json)
    except MatchError as error:
        raise click.BadParameter(str(error), param_hint="--match") from error
    except LbError as error:
        text = (
            "; ".join(p.message for p in error.problems) if isinstance(error, ConfigError) else ""
        )
        if as_json:
            problem = {"path": "", "message": text or str(error)}
            click.echo(json.dumps({"ok": False, "errors": [problem]}))
        click.echo(f"error: {text or error}", err=True)
        sys.exit(1)
