"""`popscope bench`: run the benchmarks and write each one's result to build/bench/NAME.json."""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
Case = dict[str, Any]


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


BENCHMARKS: dict[str, Callable[[], list[Case]]] = {
    "core": _module("core_bench"),
    "maglev": _program("popscope-bench-maglev"),
    "apply": _program("popscope-bench-apply"),
    "exporter": _module("exporters_bench"),
    "ingest": _module("ingest_bench"),
    "health": _module("health_bench"),
}


def machine() -> dict[str, Any]:
    """What the figures were made on: they compare within one run, not between machines."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ", 1)[1] for line in cpuinfo if line.startswith("model name")), "?")
    huge = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "hugepages_2mb": int(huge.read_text()) if huge.exists() else 0,
        "load_1m": os.getloadavg()[0],
    }


def show(name: str, cases: list[Case]) -> None:
    keys = [k for k in cases[0] if not isinstance(cases[0][k], dict | list)]
    table = Table(*keys, title=name, title_justify="left")
    table.columns[0].no_wrap = True
    for case in cases:
        cells = (case.get(k, "") for k in keys)
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in cells))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*BENCHMARKS, "all"]), required=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "build/bench",
    show_default="build/bench",
    help="Folder of the results.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, not as tables.")
def bench(names: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Run benchmarks; NAMES are theirs, or `all`.

    Each writes {"machine": ..., "cases": [...]} to OUT/NAME.json (default build/bench). The machine
    is part of the result: compare figures of one run with each other.

    \b
    Example:
      popscope bench core maglev
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in BENCHMARKS if "all" in names else names:
        click.echo(f"running {name}", err=True)
        cases = BENCHMARKS[name]()
        result = {"machine": machine(), "cases": cases}
        (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        if as_json:
            click.echo(json.dumps({name: result}))
        else:
            show(name, cases)
