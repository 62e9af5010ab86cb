"""`popscope lb`: run a core, configure it, look at what it does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec

import click

from lb import check as checking
from lb.control.agent.client import AgentClient
from lb.control.plan.cli import plan
from lb.core_client import RUN_ROOT, SOCKET, Control, parse_config, with_weight
from lb.drops_cli import drops
from lb.errors import ConfigError, ControlError, LbError
from lb.lazy import LazyGroup
from lb.maglev_cli import maglev
from lb.run_cli import run
from lb.show import print_state
from lb.talkers_cli import top_talkers
from lb.trace_cli import trace

EXIT_FAILED, EXIT_CONFIG = 1, 2
P = ParamSpec("P")
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


# What needs more than a core does.
LAZY = {
    "controller": (
        "lb.control.controller.cli",
        "controller",
        "Keep what the fleet is to do, and tell the agents.",
    ),
    "agent": ("lb.control.agent.cli", "agent", "Run this node for its controller."),
}


@click.group(cls=LazyGroup, lazy=LAZY)
def lb() -> None:
    """Run and configure the load balancer's core.

    A core is one instance of the DPDK program popscope-core. Its folder, by default
    /run/popscope/INSTANCE, holds its statistics segments and its control socket. The commands that
    talk to a core choose it with --instance or --run-dir, and must run on its machine.

    \b
    Exit status of every command: 0 done; 1 failed (no core, not built, no permission);
    2 the configuration or the command line is wrong: nothing was changed.
    """


lb.add_command(run)
lb.add_command(maglev)
lb.add_command(plan)
lb.add_command(drops)
lb.add_command(trace)
lb.add_command(top_talkers)


def _fail(error: LbError, as_json: bool) -> NoReturn:
    problems = error.problems if isinstance(error, ConfigError) else []
    if as_json:
        listed = [{"path": p.path, "message": p.message} for p in problems]
        listed = listed or [{"path": "", "message": str(error)}]
        click.echo(json.dumps({"ok": False, "errors": listed}))
    for p in problems:
        click.echo(f"error: {p.path or '(document)'}: {p.message}", err=True)
    if not problems:
        click.echo(f"error: {error}", err=True)
    sys.exit(EXIT_CONFIG if problems else EXIT_FAILED)


def _command(function: Callable[P, dict[str, Any]]) -> Callable[P, None]:
    """Print the JSON of a command that has `as_json`, and turn the package's errors into exits."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        try:
            answer = function(*args, **kwargs)
        except LbError as error:
            _fail(error, as_json)
        if as_json:
            click.echo(json.dumps(answer))

    return wrapped


def _core(function: Callable[..., None]) -> Callable[..., None]:
    """Options that choose a core and the form of the answer; the command gets `control`."""

    @AS_JSON
    @click.option("--instance", default="lb", show_default=True, help="Name of the core.")
    @click.option(
        "--run-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="The core's own folder, instead of /run/popscope/INSTANCE.",
    )
    @wraps(function)
    def wrapped(*args: Any, instance: str, run_dir: Path | None, **kwargs: Any) -> None:
        control = Control((run_dir or RUN_ROOT / instance) / SOCKET)
        function(*args, control=control, **kwargs)

    return wrapped


@lb.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--next", "next_", is_flag=True, help="Set the generation to one above the one in force."
)
@_core
@_command
def apply(file: Path, next_: bool, control: Control, as_json: bool) -> dict[str, Any]:
    """Put the configuration in FILE (JSON; - for standard input) in force.

    The core validates all of it first. Either everything is in force afterwards, or nothing has
    changed and every mistake is listed with its place (a JSON pointer). The generation must be
    above the one in force. The keys are described in lb/README.md.

    \b
    Examples:
      popscope lb apply d1.json
      jq '.generation += 1' d1.json | popscope lb apply --instance d1 -
    """
    config = parse_config(sys.stdin.read(), "-") if str(file) == "-" else checking.read(file)
    if next_:
        config["generation"] = control.show()["generation"] + 1
    generation = control.apply(config)
    if not as_json:
        click.echo(f"generation {generation} is in force")
    return {"ok": True, "generation": generation}


@lb.command()
@_core
@_command
def show(control: Control, as_json: bool) -> dict[str, Any]:
    """Show what is in force: listeners, pools, neighbours, Maglev tables.

    Two cores that serve the same pool must show the same digest for it.

    \b
    Examples:
      popscope lb show --instance d1
      popscope lb show --json | jq .config >d1.json
    """
    state = control.show()
    if not as_json:
        print_state(state)
    return dict(state)


@lb.command()
@_core
@_command
def stop(control: Control, as_json: bool) -> dict[str, Any]:
    """End a core in order: its segment stays, complete, for the exporter.

    It forwards nothing from then on, so take the routes to it away before. Other directors with
    the same configuration pick its connections up.

    \b
    Example:
      popscope lb stop --instance d1
    """
    control.stop()
    if not as_json:
        click.echo("the core is ending")
    return {"ok": True}


@lb.command()
@click.argument("file", type=FILE, required=False)
@click.option("--generation", default=0, show_default=True, help="The generation in force.")
@click.option(
    "--ports", default=0, help="Ports of the core; without it a port of any number is accepted."
)
@click.option(
    "--level",
    "levels",
    type=click.Choice(["node", "vlan", "instance"]),
    multiple=True,
    help="Check this node instead of a file; may be given several times.",
)
@_core
@_command
def check(
    file: Path | None,
    generation: int,
    ports: int,
    levels: tuple[str, ...],
    control: Control,
    as_json: bool,
) -> dict[str, Any]:
    """Validate the configuration in FILE without a core, or check this node.

    A file is validated by the core's own code. With --level, the node's agent runs the checks that
    it also runs before it announces anything, and each is shown with what was seen and what to do.

    \b
    Examples:
      popscope lb check d1.json && popscope lb apply d1.json
      popscope lb check --level node --level vlan

    \b
    Exit status: as every command; 1 also when a check of the node found an error.
    """
    if levels:
        return _check_node(control, levels, as_json)
    if file is None:
        raise click.UsageError("give a FILE, or --level")
    checked = checking.check(file, generation, ports)
    backends = sum(len(pool.backends) for pool in checked.pools)
    if not as_json:
        click.echo(
            f"{file} is valid: generation {checked.generation}, pools: {len(checked.pools)}, "
            f"backends: {backends}"
        )
    return {"ok": True, "generation": checked.generation}


def _check_node(control: Control, levels: tuple[str, ...], as_json: bool) -> dict[str, Any]:
    found = AgentClient(control.path.parent).ask("check", levels=levels)["checks"]
    if not as_json:
        for finding in found:
            click.echo(f"{finding['severity']:<8} {finding['check']}: {finding['evidence']}")
            if finding["remedy"]:
                click.echo(f"         {finding['remedy']}")
    good = all(finding["severity"] != "error" for finding in found)
    if not good:
        click.echo(json.dumps({"ok": False, "checks": found}) if as_json else "", nl=as_json)
        sys.exit(EXIT_FAILED)
    return {"ok": True, "checks": found}


def _set_weight(control: Control, pool: str, backend: str, weight: int) -> dict[str, Any]:
    agent = AgentClient(control.path.parent)
    if agent.answers():  # it would undo what is done behind its back
        return agent.ask("override", pool=pool, member=backend, weight=weight)
    config = control.show()["config"]
    if config is None:
        raise ControlError(f"{control.path}: the core has no configuration yet (`apply` one)")
    generation = control.apply(with_weight(config, pool, backend, weight))
    return {"ok": True, "generation": generation}


@lb.command()
@click.argument("pool")
@click.argument("backend")
@_core
@_command
def drain(pool: str, backend: str, control: Control, as_json: bool) -> dict[str, Any]:
    """Give BACKEND of POOL no new connections; those that it has stay.

    It sets the weight to 0 in the configuration in force and applies that as the next generation.
    `popscope lb weight` undoes it. Where an agent runs, it keeps the weight, whatever its
    controller says, until `popscope lb agent release`. Do the same on every director that serves
    the pool: until then they choose backends by different tables. `popscope top --view backends`
    shows how many connections the backend still has (conn).

    \b
    Example:
      popscope lb drain web b2
    """
    answer = _set_weight(control, pool, backend, 0)
    if not as_json:
        click.echo(f"{pool}/{backend} drains as of generation {answer['generation']}")
    return answer


@lb.command()
@click.argument("pool")
@click.argument("backend")
@click.argument("weight", type=int)
@_core
@_command
def weight(pool: str, backend: str, weight: int, control: Control, as_json: bool) -> dict[str, Any]:
    """Set the WEIGHT (0 to 1000) of BACKEND in POOL, as the next generation.

    It decides the share of new connections. Do the same on every director that serves the pool.

    \b
    Example:
      popscope lb weight web b2 100
    """
    answer = _set_weight(control, pool, backend, weight)
    if not as_json:
        click.echo(f"{pool}/{backend} has weight {weight} as of generation {answer['generation']}")
    return answer
