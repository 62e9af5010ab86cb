"""`popscope top`: one node in a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from exporters.errors import ExporterError

if TYPE_CHECKING:
    from exporters.top.state import State
    from exporters.top.watch import Look, Node

RUN_ROOT = Path("/run/popscope")
EXIT_FAILED = 1
FOLDER = click.Path(path_type=Path)
VIEW_NAMES = {
    "overview": "overview",
    "lcores": "lcore",
    "drops": "drop",
    "vips": "vip",
    "backends": "backend",
    "ports": "port",
    "health": "node",
}


@click.command()
@click.option(
    "--run-root",
    type=FOLDER,
    default=RUN_ROOT,
    show_default=True,
    help="Every folder in it is a core instance's.",
)
@click.option(
    "--run-dir",
    "run_dirs",
    type=FOLDER,
    multiple=True,
    help="A core instance's own folder, instead of all in the run root; may be repeated.",
)
@click.option("--instance", default="", help="Begin with this instance. Without it: all.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks; rates are averages over it.",
)
@click.option("--view", type=click.Choice(list(VIEW_NAMES)), help="Begin with this view.")
@click.option(
    "--filter", "words", default="", help="Only rows with all these words in their names."
)
@click.option(
    "--units",
    type=click.Choice(["packets", "bits"]),
    default="packets",
    show_default=True,
    help="Rates of traffic in packets/s or bits/s.",
)
@click.option("--once", is_flag=True, help="Look twice, an interval apart, print, and exit.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print JSON, units included.")
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="With --once, without --json: at most so many rows a table; 0: all.",
)
def top(
    run_root: Path,
    run_dirs: tuple[Path, ...],
    instance: str,
    interval: float,
    view: str | None,
    words: str,
    units: str,
    once: bool,
    as_json: bool,
    rows: int,
) -> None:
    """Watch the cores of this node live: lcores, drops, VIPs, backends, ports.

    It reads the statistics segments alone, needs no exporter, and writes nothing. Press ? for the
    keys. Colour is used on a terminal only, and never alone; NO_COLOR turns it off.

    \b
    Examples:
      popscope top
      popscope top --run-dir /run/popscope/a --view drops
      popscope top --once --json | jq '.drops[] | select(.dropped_packets > 0)'

    \b
    Exit status: 0 ended in order, or with --once all is well; 1 there is nothing to look at (no
    folder, no instance, no permission, no terminal); 2 usage; with --once also: 3 the ledger law
    does not hold, 4 an instance is dead, hung, lost or unreadable.
    """
    if as_json and not once:
        raise click.UsageError("--json needs --once")
    from exporters.top.state import State
    from exporters.top.watch import Node

    node = Node(run_root, run_dirs)
    state = State(view=VIEW_NAMES[view or "overview"], instance=instance, units=units, filter=words)
    try:
        first = node.check(instance)
    except ExporterError as error:
        _fail(str(error))
    if once:
        _once(node, state, interval, as_json, rows)
    _watch(node, first, state, interval)


def _watch(node: Node, first: Look, state: State, interval: float) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        _fail("this is not a terminal: use --once, or --once --json")
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        _fail("TERM says that this terminal cannot move its cursor: use --once, or set TERM")
    from exporters.top.app import run

    run(node, first, state, interval)


def _once(node: Node, state: State, interval: float, as_json: bool, rows: int) -> NoReturn:
    from exporters.top import once
    from exporters.top.screen import selected

    time.sleep(interval)
    look = selected(node.look(), state)
    if as_json:
        click.echo(json.dumps(once.to_json(look, state)))
    else:
        every = list(once.KEYS)
        once.print_text(look, state, every if state.view == "overview" else [state.view], rows)
    sys.exit(once.exit_status(look))


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(EXIT_FAILED)
