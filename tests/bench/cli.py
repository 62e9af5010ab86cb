"""`popscope bench`: run the benchmarks and write each one's result to build/bench/NAME.json."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tests.bench.core_bench import METHOD, capture_cases
from tests.bench.result import FOLDER, Case, save
from tests.chaos.cli import chaos
from tests.fleet.cli import fleet

ROOT = Path(__file__).resolve().parents[2]


def _program(name: str) -> Callable[[], list[Case]]:
    """Cases of a C program that prints {"cases": [...]}."""

    def cases() -> list[Case]:
        path = ROOT / "build/core" / name
        if not path.exists():
            raise click.ClickException(f"{path} is not built: run `make core`")
        run = subprocess.run([path], stdout=subprocess.PIPE, text=True, check=False)
        if run.returncode:
            raise click.ClickException(f"{name} ended with exit code {run.returncode}")
        result: list[Case] = json.loads(run.stdout)["cases"]
        return result

    return cases


def _module(name: str) -> Callable[[], list[Case]]:
    """Cases of a module beside this file; imported when it runs, since some load a store."""

    def cases() -> list[Case]:
        result: list[Case] = importlib.import_module(f"tests.bench.{name}").cases()
        return result

    return cases


_ABOUT: dict[str, tuple[Callable[[], list[Case]], str]] = {
    "core": (_module("core_bench"), ""),
    "maglev": (_program("popscope-bench-maglev"), "Building tables, and what a change moves."),
    "apply": (_program("popscope-bench-apply"), "Applying configurations."),
    "exporter": (_module("exporters_bench"), "Snapshots, /metrics, frames."),
    "ingest": (_module("ingest_bench"), "From the body of a request to committed rows; peers."),
    "health": (_module("health_bench"), "Probing many backends by many VIPs."),
    "controller": (
        _module("controller_bench"),
        "A change in a fleet of 300 PoPs; agents simulated.",
    ),
    "changes": (_module("changes_bench"), "From the API to the core, in the laboratory."),
}
BENCHMARKS = {name: cases for name, (cases, _) in _ABOUT.items()}


def show(name: str, cases: list[Case]) -> None:
    keys = [k for k in cases[0] if not isinstance(cases[0][k], dict | list)]
    table = Table(*keys, title=name, title_justify="left")
    table.columns[0].no_wrap = True
    for case in cases:
        cells = (case.get(k, "") for k in keys)
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in cells))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def keep(name: str, cases: list[Case], out: Path, as_json: bool) -> None:
    """Write a result and show it."""
    result = save(name, cases, out, METHOD if name.startswith("core") else "")
    if as_json:
        click.echo(json.dumps({name: result}))
    else:
        show(name, result["cases"])


def run(names: Iterable[str], out: Path, as_json: bool) -> None:
    """Run benchmarks one after the other, and show each."""
    for name in names:
        click.echo(f"running {name}", err=True)
        keep(name, BENCHMARKS[name](), out, as_json)


@click.group()
def bench() -> None:
    """Run benchmarks: each writes {"machine": ..., "cases": [...]} to build/bench/NAME.json.

    The machine is part of the result: compare figures of one run with each other.
    """


_OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default="build/bench",
    help="Folder of the results.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, not tables.")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _command(name: str, names: Iterable[str], text: str) -> click.Command:
    @_OUT
    @_JSON
    def command(out: Path, as_json: bool) -> None:
        run(names, out, as_json)

    example = f"\n\n\b\nExample:\n  popscope bench {name} --json"
    return click.command(name, help=text + example)(command)


@click.command()
@_OUT
@_JSON
@click.option("--pcap", type=_FILE, help="Packets of this capture (pcap or pcapng), one worker.")
@click.option("--config", type=_FILE, help="With --pcap: the core's configuration.")
def core(out: Path, as_json: bool, pcap: Path | None, config: Path | None) -> None:
    """Nanoseconds a packet of the core, driver's floor apart.

    With --pcap each destination in the capture is a listener with 100 backends, unless --config
    says otherwise, and the result is OUT/core-pcap.json.

    \b
    Examples:
      popscope bench core --json
      popscope bench core --pcap traffic.pcapng
    """
    if config and not pcap:
        raise click.UsageError("--config goes with --pcap")
    if pcap:
        keep("core-pcap", capture_cases(pcap, config), out, as_json)
    else:
        run(["core"], out, as_json)


bench.add_command(core)
for _name, (_, _text) in _ABOUT.items():
    if _name != "core":
        bench.add_command(_command(_name, (_name,), _text))
bench.add_command(_command("all", tuple(_ABOUT), "All of them, but for `fleet` and `chaos`."))
for _other in (fleet, chaos):
    bench.add_command(_other)
