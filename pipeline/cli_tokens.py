"""`popscope pipeline token`: give tokens out, list them, take them back."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pipeline.access import tokens
from pipeline.errors import ConfigError

_file_option = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/popscope/tokens.json"),
    show_default=True,
    envvar="POPSCOPE_PIPELINE_ACCESS_TOKENS",
    help="The file that `[access] tokens` names (or POPSCOPE_PIPELINE_ACCESS_TOKENS).",
)


@click.group()
def token() -> None:
    """Give out tokens, list them, take them back. A running pipeline notices within a second.

    A token is shown once, when it is made; the file has only its SHA-256.
    """


@token.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(tokens.ROLES), required=True, help="What it is for, and no more."
)
@click.option("--pop", default="", help="export: frames of this PoP only.")
@click.option("--tenant", default="", help="write: samples are this tenant's.")
@click.option("--days", default=0.0, help="It expires after so many days; 0 never.")
@click.option("--rate", default=0.0, help="Requests a second; 0: as `[access]` has it.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to this file, which only its owner can read, instead of printing it.",
)
@_file_option
def add(
    name: str,
    role: str,
    pop: str,
    tenant: str,
    days: float,
    rate: float,
    out: Path | None,
    path: Path,
) -> None:
    """Make a token, and print it.

    \b
    Roles: export (an exporter's frames), write (remote write, OTLP), read (SQL, page, /metrics),
    admin (backups).
    A second token of a name rotates it: put the new one where it is used, then revoke the old id.
    \b
    Example:
      popscope pipeline token add jkt-3 --role export --pop JKT-3 --days 365 --out token
    """
    if (pop and role != "export") or (tenant and role != "write"):
        raise click.UsageError("--pop is for the role export, --tenant for the role write")
    if days < 0 or rate < 0:
        raise click.UsageError("--days and --rate must not be negative")
    try:
        text = tokens.issue(path, name, role, pop, tenant, rate, days)
        if out is None:
            click.echo(text)
            return
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text + "\n")
    except (ConfigError, OSError) as error:
        raise click.ClickException(str(error)) from error


@token.command("list")
@_file_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_tokens(path: Path, as_json: bool) -> None:
    """Which tokens there are.

    \b
    Example:
      popscope pipeline token list
    """
    try:
        found = list(tokens.read(path).values())
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    now = time.time()
    if as_json:
        shown = [asdict(t) | {"state": t.state(now)} for t in found]
        click.echo(json.dumps([{k: v for k, v in t.items() if k != "hash"} for t in shown]))
        return
    table = Table("id", "name", "role", "of", "state", "expires")
    for one in found:
        expires = f"{datetime.fromtimestamp(one.expires, UTC):%Y-%m-%d}" if one.expires else "never"
        table.add_row(one.id, one.name, one.role, one.pop or one.tenant, one.state(now), expires)
    Console().print(table)


@token.command()
@click.argument("which")
@_file_option
def revoke(which: str, path: Path) -> None:
    """Revoke the token with this id, or all with this name.

    \b
    Example:
      popscope pipeline token revoke jkt-3
    """
    try:
        gone = tokens.revoke(path, which)
    except (ConfigError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for one in gone:
        click.echo(f"revoked {one.id} ({one.name}, {one.role})")
