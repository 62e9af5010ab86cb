"""`popscope bench fleet`: a fleet that was made up, into a store or to an ingest."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import click
import numpy as np

from pipeline import rollup
from pipeline.errors import PipelineError
from pipeline.migrate import migrate
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from tests.bench.ingest_bench import service
from tests.bench.result import FOLDER, save
from tests.fleet.fill import SCOPES, Span, fill
from tests.fleet.send import Load, SendError, send
from tests.fleet.shape import DAY, Fleet

Command = Callable[..., None]


def _shape(command: Command) -> Command:
    """The options that say what the fleet is."""
    options = (
        click.option("--pops", default=3, show_default=True, help="Points of presence."),
        click.option("--nodes", default=2, show_default=True, help="Directors of a PoP."),
        click.option("--lcores", default=2, show_default=True, help="Workers of a director."),
        click.option("--vips", default=4, show_default=True, help="VIPs, each on every director."),
        click.option("--backends", default=4, show_default=True, help="Backends of a PoP."),
        click.option(
            "--rate",
            default=2_000_000.0,
            show_default=True,
            help="Packets/s of all on the mean of a week, at the beginning of 2026.",
        ),
        click.option("--growth", default=0.4, show_default=True, help="Of the rate, a year."),
        click.option(
            "--fault-days",
            default=30.0,
            show_default=True,
            help="A PoP has a fault every so many days; 0 for none.",
        ),
        click.option("--seed", default=1, show_default=True, help="Another one, another fleet."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_shape
@click.option("--store", type=click.Path(path_type=Path), help="Fill this store with rollups.")
@click.option(
    "--level",
    "levels",
    type=click.Choice(["1m", "1h"]),
    multiple=True,
    help="With --store: which rollups; can be given twice (default: 1h).",
)
@click.option("--days", default=365.0, show_default=True, help="With --store: up to now.")
@click.option("--url", help="Send frames of 1 s to this ingest (http://127.0.0.1:8080).")
@click.option(
    "--token",
    envvar="POPSCOPE_FLEET_TOKEN",
    default="",
    help="Bearer token for the ingest, if any.",
)
@click.option("--seconds", default=60, show_default=True, help="Without --store: so many frames.")
@click.option("--paced", is_flag=True, help="With --url: by the clock, for so many seconds.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def fleet(
    store: Path | None,
    levels: tuple[str, ...],
    days: float,
    url: str | None,
    token: str,
    seconds: int,
    paced: bool,
    as_json: bool,
    **shape: Any,
) -> None:
    """Simulate a fleet: seasons of day and week, growth, faults and restarts, the law exact.

    The same options give the same counters. With --store it writes rollups (a year in minutes, for
    capacity planning); the store must be served by nobody, and drops minutes that are older than
    90 days when it merges them. With --url it sends frames to a running
    ingest. With neither it measures an ingest of its own, and writes build/bench/fleet.json.

    \b
    Examples:
      popscope bench fleet --pops 300 --nodes 8 --lcores 1 --vips 1 --rate 2e9 --store ./fleet
      popscope bench fleet --pops 3 --level 1m --level 1h --days 60 --store ./fleet
      popscope bench fleet --pops 10 --url http://127.0.0.1:8080 --seconds 300 --paced
    """
    try:
        made = Fleet(**shape)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        if store is not None:
            result = _fill(made, store, levels or ("1h",), days)
        elif url:
            result = _send(made, url, seconds, paced, token)
        else:
            result = _measure(made, seconds)
    except (PipelineError, SendError, OSError, aiohttp.ClientError) as error:
        raise click.ClickException(str(error)) from error
    except ExceptionGroup as error:
        raise click.ClickException(str(error.exceptions[0])) from error
    for name, value in {} if as_json else result.items():
        click.echo(f"{name:20} {value:,.4g}" if isinstance(value, float) else f"{name:20} {value}")
    if as_json:
        click.echo(json.dumps(result))


def _fill(made: Fleet, folder: Path, levels: tuple[str, ...], days: float) -> dict[str, Any]:
    end = int(time.time()) // 3600 * 3600
    opened = EmbeddedStore(EmbeddedOptions(folder, durable=False))
    started, rows = time.perf_counter(), 0
    try:
        migrate(opened)
        for level in levels:
            start = end - int(days * DAY) // 3600 * 3600
            scopes = SCOPES
            with click.progressbar(length=0, label=f"rows of {level}", show_pos=True) as bar:
                rows += fill(opened, made, Span(level, start, end), scopes, bar.update)
        click.echo("computing the hours of nodes and PoPs", err=True)
        rollup.once(opened)
    finally:
        opened.close()
    took = time.perf_counter() - started
    return {"rows": rows, "seconds": took, "rows_per_s": rows / took, "store": str(folder)}


def _send(made: Fleet, url: str, seconds: int, paced: bool, token: str) -> dict[str, Any]:
    start = int(time.time()) - (0 if paced else seconds)
    load = Load(start, seconds, paced=paced, token=token)
    started = time.perf_counter()
    sent = asyncio.run(send(made, url, load))
    took = time.perf_counter() - started
    p50, p99 = np.percentile(sent.post_seconds, (50, 99))
    return {
        "frames": sent.frames,
        "frames_per_s": sent.frames / took,
        "bytes": sent.bytes,
        "retries": sent.retries,
        "post_ms_p50": 1000 * float(p50),
        "post_ms_p99": 1000 * float(p99),
    }


def _measure(made: Fleet, seconds: int) -> dict[str, Any]:
    """An ingest of its own: samples a second, with the making of the frames on the same CPUs."""
    with service() as running:
        cpu = running.cpu_seconds()
        result = _send(made, running.url, seconds, False, "")
        samples = running.metrics()["samples_total"]
        result |= {
            "name": "fleet",
            "samples": int(samples),
            "cpu_s_per_million": (running.cpu_seconds() - cpu) / samples * 1e6,
            "peak_rss_mb": running.peak_mb(),
        }
    save("fleet", [result], FOLDER)
    return result
