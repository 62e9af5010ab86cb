"""`popscope lb drops`: which packets a core dropped, and why."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from lb import evidence
from lb.capture import Pcap, PcapNg, Writer
from lb.core_client import RUN_ROOT
from lb.drops import DropReader, Follower, Sample
from lb.errors import EvidenceError, LbError
from lb.headers import describe

POLL_S = 0.2


class Output:
    """Where samples go: lines for people, JSON, or a capture file."""

    def __init__(self, as_json: bool, follow: bool, capture: Writer | None) -> None:
        self._as_json, self._follow, self._capture = as_json, follow, capture
        self._list: list[dict[str, Any]] = []
        self.count = self.missed = 0

    def put(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            self.count += 1
            self.missed += sample.missed
            if self._capture is not None:
                self._capture.write(
                    sample.time_ns, sample.data, sample.length, _interface(sample), _why(sample)
                )
            elif not self._as_json:
                click.echo(_line(sample))
            elif self._follow:
                click.echo(json.dumps(_object(sample)))
            else:
                self._list.append(_object(sample))

    def end(self, reader: DropReader) -> None:
        """What is said when all samples are there."""
        if self._as_json and not self._follow:
            of = reader.evidence
            head = {"ok": True, "instance": of.instance, "boot_id": f"{of.boot:016x}"}
            click.echo(json.dumps({**head, "samples": self._list}))
        elif not self._as_json:
            overwritten = f", {self.missed} older ones were overwritten" if self.missed else ""
            click.echo(f"{self.count} samples{overwritten}", err=True)


def _interface(sample: Sample) -> str:
    return "core" if sample.port is None else f"port {sample.port}"


def _why(sample: Sample) -> str:
    parts = [sample.reason, f"lcore {sample.lcore}", f"drop {sample.dropped} of its kind there"]
    parts += [f"listener {sample.listener}"] if sample.listener else []
    parts += [f"backend {sample.backend}"] if sample.backend else []
    return ", ".join(parts)


def _line(sample: Sample) -> str:
    at = datetime.fromtimestamp(sample.time_ns // 1_000_000_000)
    stamp = f"{at:%Y-%m-%d %H:%M:%S}.{sample.time_ns // 1000 % 1_000_000:06}"
    what = f"{describe(sample.data)}, {sample.length} bytes"
    return f"{stamp} {_interface(sample)}: {what}: {_why(sample)}"


def _object(sample: Sample) -> dict[str, Any]:
    return {
        "time_ns": sample.time_ns,
        "reason": sample.reason,
        "port": sample.port,
        "lcore": sample.lcore,
        "listener": sample.listener or None,
        "backend": sample.backend or None,
        "length": sample.length,
        "dropped": sample.dropped,
        "overwritten": sample.missed,
        "packet": describe(sample.data),
        "bytes": sample.data.hex(),
    }


def _open(target: Path) -> tuple[Writer, BinaryIO]:
    kinds = {".pcap": Pcap, ".pcapng": PcapNg}
    if str(target) == "-":
        return PcapNg(sys.stdout.buffer), sys.stdout.buffer
    if target.suffix not in kinds:
        raise click.BadParameter(f"{target} must end with .pcap or .pcapng", param_hint="-w")
    try:
        file = target.open("wb")
    except OSError as error:
        raise EvidenceError(f"{target}: {error.strerror}") from error
    return kinds[target.suffix](file), file


def _wanted(samples: Iterable[Sample], reasons: tuple[str, ...]) -> Iterator[Sample]:
    return (s for s in samples if not reasons or s.reason in reasons)


def _run(
    run_dir: Path, boot: str, reasons: tuple[str, ...], follow: bool, target: Path | None, js: bool
) -> None:
    reader = DropReader(evidence.find(run_dir, boot))
    for reason in reasons:
        if reason not in reader.reasons:
            known = ", ".join(sorted(reader.reasons))
            raise click.BadParameter(f"no reason {reason!r}: {known}", param_hint="--reason")
    writer, file = _open(target) if target else (None, None)
    output = Output(js, follow, writer)
    output.put(_wanted(reader.read(), reasons))
    follower = Follower(run_dir, reader)
    with suppress(KeyboardInterrupt):
        while follow:
            if file:
                file.flush()
            time.sleep(POLL_S)
            output.put(_wanted(follower.read(), reasons))
    if file:
        file.flush()
    if file and file is not sys.stdout.buffer:
        file.close()
    output.end(reader)


@click.command()
@click.option("--instance", default="lb", show_default=True, help="Name of the core.")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The core's own folder, instead of /run/popscope/INSTANCE.",
)
@click.option("--boot", default="", metavar="ID", help="An earlier boot: 16 hex digits.")
@click.option("--reason", "reasons", multiple=True, help="Of this reason only; may be repeated.")
@click.option("--follow", is_flag=True, help="Go on with new ones until interrupted.")
@click.option(
    "-w",
    "target",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write FILE.pcapng (the reason is a packet's comment), FILE.pcap, or - (pcapng).",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object; a line a sample with --follow."
)
def drops(
    instance: str,
    run_dir: Path | None,
    boot: str,
    reasons: tuple[str, ...],
    follow: bool,
    target: Path | None,
    as_json: bool,
) -> None:
    """Show packets that a core dropped: their first 128 bytes, when, where and why.

    The core samples dropped packets, up to 32 a second of each reason and lcore, and keeps the
    latest 32 of each. So a flood of one reason does not push out the rare ones. "drop N of its kind
    there" is the count of that reason on that lcore when the sample was taken.

    It reads the file that the core writes, not the core: it works when the core is dead, and the
    files of the last 3 boots before the present one stay (--boot).

    \b
    Examples:
      popscope lb drops --instance d1
      popscope lb drops --reason no_backend -w out.pcapng
      popscope lb drops --follow -w - | tcpdump -n -r -
    """
    if target and as_json:
        raise click.UsageError("give either -w or --json")
    if boot and follow:
        raise click.UsageError("an earlier boot has no new packets: give either --boot or --follow")
    try:
        _run(run_dir or RUN_ROOT / instance, boot, reasons, follow, target, as_json)
    except LbError as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "errors": [{"path": "", "message": str(error)}]}))
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
