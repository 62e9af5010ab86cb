"""`popscope demo`: the whole system on this machine, with a story."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from exporters.errors import ExporterError
from lb.errors import LbError, NotBuiltError
from tests.demo import outcome
from tests.demo.narrator import Narrator
from tests.demo.story import Story, rates
from tests.demo.supervisor import Supervisor
from tests.demo.watch import Watch
from tests.lab.errors import LabError, MissingError
from tests.lab.lab import Lab
from tests.lab.ports import HOST, Ports
from tests.lab.registry import sweep
from tests.lab.shell import REPOSITORY, require_machine
from tests.lab.stack import POP, Stack
from tests.lab.traffic import url

BUILD = REPOSITORY / "build"
WORK = BUILD / "demo"
EXIT_FAILED, EXIT_MISSING, EXIT_INTERRUPTED = 1, 3, 130


@click.command()
@click.option(
    "--seconds",
    type=click.IntRange(min=0),
    default=0,
    help="End after so many seconds of traffic (30 or more for the whole story); 0: at Ctrl-C.",
)
@click.option(
    "--port-base",
    type=click.IntRange(1024, 65500),
    help="Use the ports from this one on instead of 8080, 8123, 9109, 9110.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default=WORK,
    help="Folder of logs and data, emptied first; the result goes beside it. Default: build/demo.",
)
def demo(seconds: int, port_base: int | None, work: Path) -> None:
    """Run two DPDK directors, real clients and backends, and the whole way of the data.

    In network namespaces: a client, a router with ECMP, two directors with two workers each, three
    HTTP backends. A backend is drained and stopped, malformed packets are injected, a director is
    killed and comes back; no request may fail. Needs root, and `make setup` before.

    \b
    The live page is on http://127.0.0.1:8080/, SQL on http://127.0.0.1:8123/.
    The result goes to build/demo.json, logs and data to build/demo/.

    \b
    Exit codes: 0 all is accounted for, 1 something is not, 2 usage, 3 the machine lacks something,
    130 interrupted before there was something to tell (or twice).

    \b
    Examples:
      popscope demo --seconds 60
      popscope demo --port-base 18080
    """
    stop = Interrupt()
    try:
        require_machine()
        with locked(work.with_suffix(".lock")), stop.handled():
            sweep()
            ports = Ports.choose(port_base)
            shutil.rmtree(work, ignore_errors=True)
            work.with_suffix(".json").unlink(missing_ok=True)
            good = run(work.resolve(), ports, seconds, stop)
    except (MissingError, NotBuiltError) as error:
        click.echo(f"cannot run the demo here: {error}", err=True)
        raise click.exceptions.Exit(EXIT_MISSING) from error
    except (LabError, LbError, ExporterError) as error:
        click.echo(f"the demo broke off: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from error
    except KeyboardInterrupt:
        click.echo("ended at once, without a summary; everything is removed", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    if not good:
        raise click.exceptions.Exit(EXIT_FAILED)


class Interrupt:
    """A signal breaks off while there is nothing to sum up; later only the second one does."""

    def __init__(self) -> None:
        self.asked = False
        self.patient = False  # there is something to sum up
        self._broken = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Take the signals inside of the context."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._take) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._broken:
            return  # everything is being removed
        if self.asked or not self.patient:
            self._broken = True
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let only one demo use this checkout's build folder. Raises MissingError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise MissingError("another demo runs in this checkout; end that one first") from None
    try:
        yield
    finally:
        os.close(lock)


def run(work: Path, ports: Ports, seconds: int, stop: Interrupt) -> bool:
    """Set up, play the story, end it, judge it. Whether all checks hold."""
    with Narrator() as narrator, Lab(work) as lab:
        stack = Stack(lab, ports)
        try:
            set_up(lab, stack, narrator)
            load = lab.load(rates(seconds))
            load.process.wait_ready(lambda: bool(load.poll()))
            narrator.restart_clock()
            stop.patient = True
            narrator.tell("traffic", "traffic flows: short requests and long downloads")
            story = Story(
                lab,
                stack,
                narrator,
                load,
                seconds,
                lambda: stop.asked,
                Watch(lab),
                Supervisor(lab, stack, narrator),
            )
            story.play()
            found = {"seconds": round(end(story), 1)} | outcome.figures(story)
            return judge(story, found, work.with_suffix(".json"))
        finally:
            stack.close()


def set_up(lab: Lab, stack: Stack, narrator: Narrator) -> None:
    """Start everything but the load."""
    memory = "on hugepages" if lab.options.hugepages else "without hugepages (--no-huge)"
    narrator.say(f"starting the pipeline, 2 exporters, 3 backends, 2 directors {memory}", "step")
    stack.launch()
    lab.launch_backends()
    lab.start_directors()
    lab.wait_backends()
    stack.wait()
    stack.start_alerting(narrator.say)
    narrator.say("")
    narrator.say(f"  live page   http://{HOST}:{stack.ports.pipeline}/", "good")
    narrator.say(f"  SQL         http://{HOST}:{stack.ports.sql}/")
    for name in lab.plan.directors:
        port = stack.exporter_port(name)
        narrator.say(f"  metrics     http://{HOST}:{port}/metrics   (node {name} of PoP {POP})")
    for name in lab.plan.directors:
        run_dir = lab.directors[name].run_dir
        narrator.say(
            f"  a core      popscope top --run-dir {run_dir}   (lb show, lb drain: likewise)"
        )
    client, where = lab.registry.namespace("client"), url(lab.network)
    narrator.say(f"  a client    ip netns exec {client} curl {where}/")
    narrator.say(f"              ip netns exec {client} curl -o /dev/null {where}/download")
    narrator.say("  Ctrl-C ends the demo with a summary")
    narrator.say("")


def end(story: Story) -> float:
    """Let requests end, then the cores, then the exporters; returns the seconds of traffic."""
    lab, narrator = story.lab, story.narrator
    seconds = story.narrator.elapsed
    narrator.tell("ending", "no new requests; those in flight end (Ctrl-C: at once)")
    lab.route(
        [d for d in lab.plan.directors if lab.directors[d].process.running and d in lab.routed]
    )
    story.load.process.signal(signal.SIGTERM)
    while story.load.process.running:
        story.show()
    story.load.stop()
    narrator.tell("quiet", "all requests have ended; the directors are stopped")
    for director in lab.directors.values():
        if director.process.running:
            director.stop()
    story.stack.drain()
    narrator.tell("stored", "all that they counted is in ClickHouse")
    return seconds


def judge(story: Story, found: dict[str, Any], result: Path) -> bool:
    """Print and write what came of it; whether all checks hold."""
    narrator, good = story.narrator, True
    narrator.end_status()
    narrator.table("what became of every packet", outcome.balance(found, story))
    for check in outcome.checks(story, found):
        good = good and check.holds
        mark, style = ("ok", "good") if check.holds else ("FAILED", "bad")
        narrator.say(f"  {mark:6} {check.name}: {check.found}", style)
    result.write_text(json.dumps(found | {"ok": good}, indent=1) + "\n")
    narrator.say(f"{os.path.relpath(result)} has the figures")
    return good
