"""`popscope lb maglev`: the table that a core would build."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table as RichTable

from lb.check import check
from lb.errors import ConfigError, LbError, NotBuiltError
from lb.maglev import Entry, Table, build, build_pool

DEFAULT_SIZE = 65537
_PAIR = re.compile(r"\d+,\d+(,\d+)?")


class PairsCommand(click.Command):
    """A command whose option --pairs takes all the pairs that follow it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_spread(args)))


def _spread(args: list[str]) -> Iterator[str]:
    after_pairs = False
    for arg in args:
        if arg == "--pairs":
            after_pairs = True
        elif after_pairs and not arg.startswith("-"):
            for pair in arg.split():
                yield from ("--pairs", pair)
        else:
            after_pairs = False
            yield arg


def _entry(text: str) -> Entry:
    if not _PAIR.fullmatch(text):
        raise click.BadParameter(
            f"{text!r} is not OFFSET,SKIP or OFFSET,SKIP,WEIGHT", param_hint="--pairs"
        )
    return Entry(*(int(part) for part in text.split(",")))


def _json(table: Table) -> dict[str, Any]:
    return {"size": table.size, "digest": table.digest, "table": list(table.slots)}


def _of_pairs(size: int, pairs: tuple[str, ...]) -> tuple[dict[str, Any], list[RichTable]]:
    entries = [_entry(pair) for pair in pairs]
    table = build(size, entries)
    shown = RichTable("entry", "offset", "skip", "weight", "slots", title=_title("", table))
    for i, (e, count) in enumerate(zip(entries, table.counts, strict=True)):
        shown.add_row(*(str(v) for v in (i, e.offset, e.skip, e.weight, count)))
    return {**_json(table), "order": "as given", "slots": list(table.counts)}, [shown]


def _of_config(path: Path, size: int | None) -> tuple[dict[str, Any], list[RichTable]]:
    checked = check(path)
    pools, shown = [], []
    for pool in checked.pools:
        names = [b.name for b in pool.backends]
        if not any(b.weight for b in pool.backends):  # such a pool has no table in the core either
            empty = {"size": size or checked.maglev_size, "digest": "", "table": []}
            pools.append({"pool": pool.name, **empty, "slots": dict.fromkeys(names, 0)})
            continue
        table = build_pool(size or checked.maglev_size, pool.backends)
        slots = dict(zip(names, table.counts, strict=True))
        pools.append({"pool": pool.name, **_json(table), "backends": names, "slots": slots})
        rows = RichTable("backend", "address", "weight", "slots", title=_title(pool.name, table))
        for b in pool.backends:
            rows.add_row(b.name, b.address, str(b.weight), str(slots[b.name]))
        shown.append(rows)
    return {"order": "by ascending address", "pools": pools}, shown


def _title(pool: str, table: Table) -> str:
    return f"{pool} {table.size} slots, digest {table.digest}".strip()


@click.command(cls=PairsCommand)
@click.option("--size", type=int, help=f"Slots, a prime; default {DEFAULT_SIZE} or the FILE's.")
@click.option(
    "--pairs",
    "-p",
    multiple=True,
    metavar="OFFSET,SKIP[,WEIGHT]...",
    help="Preference lists; several may follow. Default weight 1.",
)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The pools of a configuration instead.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with the table.")
def maglev(size: int | None, pairs: tuple[str, ...], path: Path | None, as_json: bool) -> None:
    """Build the Maglev table that a core would build, by the core's own code.

    With --pairs, backend i prefers the slots OFFSET, OFFSET + SKIP, OFFSET + 2*SKIP, ... modulo the
    size, and backends take turns in the order given. With --config, offset and skip are hashes of
    the backends' addresses, and turns go by ascending address, so that every director builds the
    same table. A backend's share of the slots is proportional to its weight; 0 takes none.

    In the JSON, `table` holds the index of the owner of each slot, `slots` the number of slots by
    backend, and `digest` is equal on two directors when their tables are.

    \b
    Examples:
      popscope lb maglev --size 7 --pairs 3,4 0,2 3,1 --json
      popscope lb maglev --config d1.json
    """
    if bool(pairs) == bool(path):
        raise click.UsageError("give either --pairs or --config")
    try:
        if path:
            answer, shown = _of_config(path, size)
        else:
            answer, shown = _of_pairs(DEFAULT_SIZE if size is None else size, pairs)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"error: {problem.path or '(document)'}: {problem.message}", err=True)
        sys.exit(2)
    except LbError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1 if isinstance(error, NotBuiltError) else 2)
    if as_json:
        click.echo(json.dumps(answer))
    else:
        Console().print(*shown)
