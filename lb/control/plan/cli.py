"""`popscope lb plan`: CPUs and memory of a director."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from lb.control.errors import TopologyError
from lb.control.findings import Finding
from lb.control.plan.layout import Layout, Wish, choose
from lb.control.plan.render import Node, files, run_arguments
from lb.control.plan.topology import Topology, ranges, read
from lb.control.plan.verify import verify

EXIT_FAILED = 1


@click.command()
@click.option("--pci", multiple=True, metavar="ADDRESS", help="A NIC of the core.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Forwarding cores.")
@click.option("--control", type=click.IntRange(1, 8), default=1, help="Cores of the main lcore.")
@click.option(
    "--exception",
    type=click.IntRange(0, 8),
    default=1,
    help="Cores for the agent and the BGP daemon.",
)
@click.option(
    "--max-connections", type=click.IntRange(1), default=1 << 20, help="Connections a worker."
)
@click.option("--instance", default="lb", show_default=True, help="Name of the core.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="ROOT",
    help="Write the files below ROOT (/ for this machine).",
)
@click.option("--check", "checking", is_flag=True, help="Compare the running system with the plan.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("/"),
    help="Where /sys and /proc are, for a copy of another machine's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(
    pci: tuple[str, ...],
    workers: int,
    control: int,
    exception: int,
    max_connections: int,
    instance: str,
    write: Path | None,
    checking: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Choose CPUs and memory of a core, and write the units that hold everything else off them.

    Cores next to the NICs are taken; their hyper-threads stay idle; all else runs on the rest, by
    AllowedCPUs of systemd's slices. Nothing is written without --write.

    \b
    Examples:
      popscope lb plan --pci 0000:3b:00.0 --workers 8
      popscope lb plan --pci 0000:3b:00.0 --workers 8 --write /
      popscope lb plan --pci 0000:3b:00.0 --workers 8 --check

    \b
    Exit status: 0 done, all checks passed; 1 not enough cores, or a check failed.
    """
    wish = Wish(workers, control, exception, max_connections)
    try:
        topology = read(root, pci)
        layout = choose(topology, wish)
    except TopologyError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)
    node = Node(pci, instance)
    made = files(topology, layout, wish, node)
    if write is not None:
        _write(write, made)
    findings = verify(topology, layout, root) if checking else []
    if as_json:
        click.echo(json.dumps(_document(topology, layout, wish, node, made, findings)))
    else:
        _show(topology, layout, wish, node, made, findings)
    sys.exit(EXIT_FAILED if any(f.severity == "error" for f in findings) else 0)


def _document(
    topology: Topology,
    layout: Layout,
    wish: Wish,
    node: Node,
    made: dict[str, str],
    findings: list[Finding],
) -> dict[str, Any]:
    return {
        "node": layout.node,
        "control": list(layout.control),
        "forwarding": list(layout.forwarding),
        "exception": list(layout.exception),
        "idle": sorted(layout.idle),
        "system": topology.ranges(layout.system),
        "gigabyte_pages": layout.gigabyte_pages,
        "run": run_arguments(layout, wish, node),
        "reasons": list(layout.reasons),
        "files": made,
        "checks": [finding.document() for finding in findings],
    }


def _show(
    topology: Topology,
    layout: Layout,
    wish: Wish,
    node: Node,
    made: dict[str, str],
    findings: list[Finding],
) -> None:
    uses = {
        "control": frozenset(layout.control),
        "forwarding": frozenset(layout.forwarding),
        "exception path": frozenset(layout.exception),
        "idle": layout.idle,
    }
    for use, cpus in uses.items():
        click.echo(f"{use:<15} {ranges(cpus) or 'none'}")
    click.echo(f"{'system':<15} {topology.ranges(layout.system)}")
    for reason in layout.reasons:
        click.echo(f"  {reason}")
    click.echo(f"popscope lb run {shlex.join(run_arguments(layout, wish, node))}")
    click.echo(f"files: {', '.join(made)}")
    for finding in findings:
        click.echo(f"{finding.severity:<8} {finding.check}: {finding.evidence}")
        if finding.remedy:
            click.echo(f"         {finding.remedy}")


def _write(root: Path, made: dict[str, str]) -> None:
    for path, text in made.items():
        file = root / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        except OSError as error:
            click.echo(f"error: {file}: {error.strerror}", err=True)
            sys.exit(EXIT_FAILED)
