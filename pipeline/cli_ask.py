"""The commands that only read: `popscope ledger verify`, `popscope sql`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from pipeline.answer import FORMAT, MAX_ROWS, Answer
from pipeline.errors import LedgerError, PipelineError
from pipeline.ledger.audit import verify as run_audit
from pipeline.ledger.model import Range, Report
from pipeline.ledger.show import show
from pipeline.ledger.source import HttpSource, Source, StoreSource
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore
from pipeline.times import duration_ms, moment_ms

URL = "http://127.0.0.1:8123"
EXIT_WRONG, EXIT_LOST, EXIT_UNKNOWN = 1, 3, 4


class _Parsed(click.ParamType[int]):
    """A value that a function reads, or refuses with ValueError."""

    def __init__(self, name: str, read: Callable[[str], int]) -> None:
        self.name, self._read = name, read

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = _Parsed("duration", duration_ms)
MOMENT = _Parsed("time", moment_ms)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


def _server(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which pipeline to ask."""
    password = click.option(
        "--password",
        envvar="POPSCOPE_SQL_PASSWORD",
        default="",
        help="Better given as POPSCOPE_SQL_PASSWORD.",
    )
    user = click.option("--user", envvar="POPSCOPE_SQL_USER", default="", help="User, if any.")
    url = click.option(
        "--url",
        envvar="POPSCOPE_SQL_URL",
        default=URL,
        show_default=True,
        help="The pipeline's SQL port (or POPSCOPE_SQL_URL).",
    )
    return url(user(password(command)))


@click.group()
def ledger() -> None:
    """Prove what became of every packet, from what is stored."""


@ledger.command()
@click.option("--since", type=DURATION, help="The last 90s, 10m, 2h, 1d (default: 10m).")
@click.option("--from", "start", type=MOMENT, help="Begin: ISO 8601 in UTC, or unix seconds.")
@click.option("--to", "end", type=MOMENT, help="End (default: now).")
@click.option("--pop", default="", help="Only this point of presence.")
@click.option("--node", default="", help="Only this node.")
@click.option(
    "--segments",
    type=_FOLDER,
    multiple=True,
    metavar="RUN_DIR",
    help="Compare with the segments of this instance too; can be given several times.",
)
@click.option("--store", type=_FOLDER, help="Read a store that no pipeline serves.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@_server
def verify(
    since: int | None,
    start: int | None,
    end: int | None,
    pop: str,
    node: str,
    segments: tuple[Path, ...],
    store: Path | None,
    as_json: bool,
    url: str,
    user: str,
    password: str,
) -> None:
    """Prove that every packet of a time range is accounted for, and stored exactly once.

    \b
    It proves, for every node, instance, boot and row:
      frames     streams are without a gap, each frame has its rows, once
      law        rx + originated = tx + drop + consumed + held, in every row
      keyframes  increments sum to the difference of the absolute counters
      takeovers  no count was lost with an exporter's spool; if so, how many packets
      boots      increments since the boot sum to the last absolute counter
      rollups    raw = 1 min = 1 h, in every whole window
      segments   what the cores' segments say is what is stored (with --segments)

    \b
    Examples:
      popscope ledger verify --since 10m
      popscope ledger verify --from 2026-01-31T12:00:00 --to 2026-01-31T13:00:00 --pop fra1 --json
      popscope ledger verify --since 1h --segments /run/popscope/lb1
    Exits with 0 proven, 1 not balanced, 3 proven but for packets that were lost with a spool (it
    says how many, and where), 4 cannot tell (no data, no answer, or a range in which a check has
    nothing to look at).
    """
    if since is not None and start is not None:
        raise click.UsageError("give --since or --from, not both")
    end = int(time.time() * 1000) if end is None else end
    begin = end - (duration_ms("10m") if since is None else since) if start is None else start
    if begin >= end:
        raise click.UsageError("the range is empty: --from must be before --to")
    stderr = Console(stderr=True)
    try:
        with _source(store, HttpSource(url, user, password)) as source:
            report = _audit(source, Range(begin, end, pop, node), list(segments), stderr)
    except PipelineError as error:
        stderr.print("[red]cannot tell:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(EXIT_UNKNOWN)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        show(report, Console())
    sys.exit(_exit_code(report))


def _exit_code(report: Report) -> int:
    if not report.balanced:
        return EXIT_WRONG
    if not report.told:
        return EXIT_UNKNOWN
    return 0 if report.proven else EXIT_LOST


def _audit(source: Source, asked: Range, segments: list[Path], console: Console) -> Report:
    with console.status("reading") if console.is_terminal else nullcontext() as status:
        progress = (lambda name: status.update(f"checking {name}")) if status else (lambda _: None)
        return run_audit(source, asked, segments, progress)


@contextmanager
def _source(store: Path | None, server: HttpSource) -> Iterator[Source]:
    if store is None:
        yield server
        return
    if not (store / "data").is_dir():
        raise LedgerError(f"{store} is no folder of a store: there is no data in it")
    opened = EmbeddedStore(EmbeddedOptions(store))
    try:
        yield StoreSource(opened)
    finally:
        opened.close()


@click.command()
@click.argument("query")
@click.option("--format", "fmt", help="A format of ClickHouse: CSV, JSONEachRow, TSV, ...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a row.")
@_server
def sql(query: str, fmt: str | None, as_json: bool, url: str, user: str, password: str) -> None:
    """Ask the store in SQL, read-only, and print a table.

    \b
    Examples:
      popscope sql "select node, sum(rx_packets) from lcore_1s where ts > now() - 60 group by node"
      popscope sql --format CSV "select * from capacity_growth"
    \b
    QUERY is read from standard input when it is `-`. A table has at most 1,000 rows, and numbers
    that are not whole are rounded; --json and --format give everything as it is. A result that is
    wider than the terminal is printed a row a block. Times are UTC.
    Exits with 1 when the query fails.
    """
    text = sys.stdin.read() if query == "-" else query
    server = HttpSource(url, user, password)
    try:
        if fmt or as_json:
            sys.stdout.buffer.write(server.ask(text, fmt or "JSONEachRow", {}))
            return
        _print(server.ask(text, FORMAT, {}))
    except LedgerError as error:
        raise click.ClickException(str(error)) from error


def _print(data: bytes) -> None:
    answer = Answer.parse(data)
    if answer is None:  # the query names a format of its own, or has no result
        sys.stdout.buffer.write(data)
        return
    answer.show(Console())
    if (more := len(answer.rows) - MAX_ROWS) > 0:
        click.echo(f"{more:,} more rows: --json and --format give all", err=True)
