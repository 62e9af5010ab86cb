"""`popscope lb agent`: the service, and what can be asked of it on its node."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lb.control import settings
from lb.control.agent.client import AgentClient
from lb.control.agent.settings import ENVIRONMENT, Settings
from lb.control.errors import SettingsError
from lb.core_client import RUN_ROOT
from lb.errors import LbError

EXIT_FAILED, EXIT_CONFIG = 1, 2


@click.group()
def agent() -> None:
    """Run this node for its controller.

    The agent keeps what the controller wants in a cache, puts it in force on the core, checks the
    backends, and goes on with all of it when the controller is away.
    """


@agent.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file. Without it: defaults and environment variables.",
)
@click.option("--check", is_flag=True, help="Check the settings and exit.")
def run(path: Path | None, check: bool) -> None:
    """Run the agent until SIGTERM or SIGINT. The core goes on without it.

    \b
    Examples:
      popscope lb agent run --config /etc/popscope/agent.toml
      POPSCOPE_AGENT_NODE=d1 POPSCOPE_AGENT_CONTROLLER=http://c:8081 popscope lb agent run

    \b
    Exit status: 0 stopped in order, 1 failed, 2 wrong settings.
    """
    try:
        chosen = settings.load(Settings, path, ENVIRONMENT)
    except SettingsError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_CONFIG)
    if check:
        click.echo("the settings are good")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(chosen))
    except (LbError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)


async def serve(chosen: Settings) -> None:
    """Serve until a signal. Raises LbError, OSError."""
    from lb.control.agent import metrics
    from lb.control.agent.agent import Agent

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    service = Agent(chosen, importlib.metadata.version("popscope"))
    collector = metrics.Collector(service.report, lambda: dict(service.events.counts))
    served = (
        await metrics.serve(chosen.metrics_listen, collector) if chosen.metrics_listen else None
    )
    click.echo(f"agent: working for {chosen.node}")
    sys.stdout.flush()
    try:
        await service.run(stop)
    finally:
        if served is not None:
            await served.cleanup()


def _node(function: Any) -> Any:
    function = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(
        function
    )
    return click.option("--instance", default="lb", show_default=True, help="Name of the core.")(
        click.option(
            "--run-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="The core's own folder, instead of /run/popscope/INSTANCE.",
        )(function)
    )


def _ask(run_dir: Path | None, instance: str, op: str, **more: Any) -> dict[str, Any]:
    try:
        return AgentClient(run_dir or RUN_ROOT / instance).ask(op, **more)
    except LbError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)


@agent.command()
@_node
def status(run_dir: Path | None, instance: str, as_json: bool) -> None:
    """Show what is in force on this node, what is not, and why.

    \b
    Example:
      popscope lb agent status --json
    """
    found = _ask(run_dir, instance, "status")
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo("\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    link = found["controller"]
    yield f"node {found['node']}, revision {found['revision']}, agent {found['version']}"
    yield f"controller: {'connected' if link['connected'] else link['complaint']}"
    yield f"core: {found['core']}, generation {found['generation']}"
    yield from (f"  refused: {p['path']}: {p['message']}" for p in found["problems"])
    yield from (f"  not announced: {reason}" for reason in found["blocked"])
    yield from (f"  bgp {peer}: {state}" for peer, state in found["bgp"].items())
    yield from (f"  route {prefix}: {state}" for prefix, state in found["routes"].items())
    for name, member in found["health"].items():
        up = {True: "up", False: "down", None: "unjudged"}[member["up"]]
        service = "in service" if member["in_service"] else "out of service"
        yield f"  {name}: {up} ({member['reason']}), {service}"
    for override in found["overrides"]:
        yield f"  {override['pool']}/{override['member']}: {override['weight']} by hand"
    yield from (f"  complaint: {c}" for c in (*found["complaints"], *set(found["unmade"].values())))


@agent.command()
@_node
def adopt(run_dir: Path | None, instance: str, as_json: bool) -> None:
    """Follow the controller that is there now, also if its data base is another or an older one.

    \b
    Example:
      popscope lb agent adopt
    """
    _ask(run_dir, instance, "adopt")
    click.echo(json.dumps({"ok": True}) if as_json else "the next state is followed")


@agent.command()
@click.argument("pool")
@click.argument("backend")
@_node
def release(pool: str, backend: str, run_dir: Path | None, instance: str, as_json: bool) -> None:
    """End what `popscope lb drain` or `weight` set by hand for BACKEND of POOL.

    \b
    Example:
      popscope lb agent release web b2
    """
    _ask(run_dir, instance, "release", pool=pool, member=backend)
    click.echo(json.dumps({"ok": True}) if as_json else f"{pool}/{backend} is the controller's")


@agent.command()
@click.argument("to", type=click.Choice(["on", "off"]))
@_node
def maintenance(to: str, run_dir: Path | None, instance: str, as_json: bool) -> None:
    """Let others take this node's traffic, or take it again.

    Its routes are announced as the last choice for some seconds, then withdrawn; the core goes on,
    so that nothing that is still under way is lost. It outlives the agent and the machine.

    \b
    Example:
      popscope lb agent maintenance on
    """
    _ask(run_dir, instance, "maintenance", on=to == "on")
    click.echo(json.dumps({"ok": True}) if as_json else f"maintenance is {to}")
