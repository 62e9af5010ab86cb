"""`popscope pipeline backup`, `popscope pipeline restore`."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from http.client import HTTPException
from pathlib import Path
from typing import Any

import click

from pipeline.backup import backup as write_backup
from pipeline.backup import read_note
from pipeline.backup import restore as read_backup
from pipeline.errors import PipelineError
from pipeline.ledger.audit import verify
from pipeline.ledger.model import RAW_LIFE_MS, Range, Report
from pipeline.ledger.source import StoreSource
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--name", default="", help="Of the backup (default: the time).")
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="The pipeline's HTTP port."
)
@click.option("--token", envvar="POPSCOPE_TOKEN", default="", help="Of the role admin.")
@click.option("--store", type=_FOLDER, help="Of a store that no pipeline serves, instead.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def backup(name: str, url: str, token: str, store: Path | None, as_json: bool) -> None:
    """Back the store up, while it is written: it is as of the last commit before.

    The running pipeline writes it into `[store] backups`, by default the folder `backups` of the
    store; copy it from there to another machine (both NAME and NAME.json).

    \b
    Examples:
      popscope pipeline backup
      popscope pipeline backup --store /var/lib/popscope/store --name before-upgrade
    """
    found = _asked(url, name, token) if store is None else _written(store, name)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(
        f"{found['path']}: as of commit {found['commit']}, {found['rows']['frames']:,} frames, "
        f"{found['bytes']:,} bytes, {found['seconds']:.1f} s"
    )


def _asked(url: str, name: str, token: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "X-Popscope-Do": "backup"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps({"name": name}).encode()
    request = urllib.request.Request(f"{url.rstrip('/')}/v1/backup", data, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode(errors="replace").strip()
        raise click.ClickException(f"{url} refused ({error.code}): {text[:600]}") from error
    except (OSError, ValueError, HTTPException) as error:
        raise click.ClickException(
            f"{url} does not answer: {error}: is `popscope pipeline run` running there? "
            "Without it give --store"
        ) from error


def _written(folder: Path, name: str) -> dict[str, Any]:
    options = EmbeddedOptions(folder)
    try:
        opened = EmbeddedStore(options)
        try:
            note = write_backup(opened, options.backup_folder, name)
        finally:
            opened.close()
    except PipelineError as error:
        raise click.ClickException(str(error)) from error
    return asdict(note) | {"path": str(options.backup_folder / note.name)}


@click.command()
@click.argument("target", type=_FOLDER, metavar="BACKUP")
@click.option("--store", type=_FOLDER, required=True, help="A new folder, for the store.")
def restore(target: Path, store: Path) -> None:
    """Make a store of a backup, and prove it by the ledger.

    \b
    Example:
      popscope pipeline restore /var/lib/popscope/store/backups/20260131T120000Z --store ./restored
    Exits with 0 restored, 1 failed, damaged, or not balanced.
    """
    try:
        read_note(target)
        opened = EmbeddedStore(EmbeddedOptions(store, backups=str(target.resolve().parent)))
        try:
            note = read_backup(opened, target, lambda text: click.echo(text, err=True))
            report = _proof(opened)
        finally:
            opened.close()
    except PipelineError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{store}: as of commit {note.commit}, {note.rows['frames']:,} frames")
    if report is None:
        click.echo("there are no raw rows of the last days to prove it by")
        return
    for check in report.checks:
        state = "does not hold" if check.failed else check.unknown or "holds"
        click.echo(f"  {check.title}: {state} ({check.examined:,})")
        for finding in check.findings:
            click.echo(f"    {finding}")
    if not report.balanced:
        raise click.exceptions.Exit(1)


def _proof(opened: EmbeddedStore) -> Report | None:
    """The audit of the raw rows that are young enough."""
    oldest = int(time.time() * 1000) - RAW_LIFE_MS + 60_000
    row = opened.query_arrow(
        "SELECT toUnixTimestamp64Milli(min(ts)) AS low, toUnixTimestamp64Milli(max(ts)) AS high, "
        f"count() AS n FROM frames WHERE ts >= fromUnixTimestamp64Milli({oldest}, 'UTC')"
    ).to_pylist()[0]
    if not row["n"]:
        return None
    return verify(StoreSource(opened), Range(row["low"], row["high"] + 1))
