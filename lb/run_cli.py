"""`popscope lb run`: become a core."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from lb import check as checking
from lb.errors import ConfigError, LbError
from lb.run import CoreOptions, command, mistake
from lb.run import check as check_options


@click.command()
@click.option("--instance", default="lb", show_default=True, help="Name of the core on this node.")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The core's own folder. Default: /run/popscope/INSTANCE.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Configuration to start with; others come by `popscope lb apply`.",
)
@click.option(
    "--iface", "interfaces", multiple=True, metavar="NAME", help="A kernel interface (af_packet)."
)
@click.option("--pci", multiple=True, metavar="ADDRESS", help="A NIC bound to a DPDK driver.")
@click.option("--vdev", "vdevs", multiple=True, metavar="SPEC", help="A DPDK virtual device.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Worker lcores; each polls a queue of every port.",
)
@click.option(
    "--lcores",
    default="",
    metavar="MAP",
    help="As the EAL's --lcores; give --workers too. Default: a CPU each, or all on all.",
)
@click.option(
    "--hugepages",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="auto: when enough are free.",
)
@click.option(
    "--memory",
    "memory_mb",
    type=click.IntRange(64),
    default=256,
    show_default=True,
    help="MB of memory without hugepages.",
)
@click.option("--max-connections", type=click.IntRange(1), help="Connections a worker keeps.")
@click.option(
    "--idle-polls", type=click.IntRange(0), help="Empty polls before it sleeps; 0: never."
)
@click.option("--idle-sleep-us", type=click.IntRange(1, 1000), help="How long it sleeps then.")
@click.option("--eal", multiple=True, metavar="ARG", help="One more argument for the EAL.")
@click.option("--print", "print_only", is_flag=True, help="Print the command; do not run it.")
@click.option("--json", "as_json", is_flag=True, help="With --print: the command as JSON.")
def run(
    print_only: bool,
    as_json: bool,
    max_connections: int | None,
    idle_polls: int | None,
    idle_sleep_us: int | None,
    **options: Any,
) -> None:
    """Run a core until SIGTERM, SIGINT or `popscope lb stop`.

    This process becomes popscope-core. It prints "popscope-core: ready" when its workers poll. The
    first port is the first --pci, then --iface, then --vdev.

    An interface taken by --iface must carry no VIP, and the kernel must not answer for what the
    core handles: see "A kernel interface" in lb/README.md.

    \b
    Examples:
      popscope lb run --instance d1 --iface d0 --workers 2 --config d1.json
      popscope lb run --pci 0000:3b:00.0 --workers 8 --hugepages on
      popscope lb run --vdev net_null0 --hugepages off --print

    \b
    Exit status: 0 ended in order; 1 failed (not built, no permission, no such interface, ...);
    2 wrong command line or configuration.
    """
    core = {
        "--max-connections": max_connections,
        "--idle-polls": idle_polls,
        "--idle-sleep-us": idle_sleep_us,
    }
    arguments = tuple(x for k, v in core.items() if v is not None for x in (k, str(v)))
    chosen = CoreOptions(core=arguments, **options)
    if wrong := mistake(chosen):
        raise click.UsageError(wrong)
    try:
        argv = _prepare(chosen, print_only)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"error: {problem.path or '(document)'}: {problem.message}", err=True)
        sys.exit(2)
    except LbError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    if print_only:
        click.echo(json.dumps(argv) if as_json else shlex.join(argv))
        return
    sys.stdout.flush()
    os.execv(argv[0], argv)


def _prepare(options: CoreOptions, print_only: bool) -> list[str]:
    argv = command(options)
    if not print_only:
        check_options(options)
        if options.config:
            checking.check(options.config)
    return argv
