"""`popscope pipeline`, `popscope ledger`, `popscope sql`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import urllib.request
from http.client import HTTPException
from pathlib import Path

import click

from pipeline import app, config, migrate
from pipeline.cli_ask import ledger, sql
from pipeline.cli_backup import backup, restore
from pipeline.cli_status import show_status
from pipeline.cli_tokens import token
from pipeline.errors import ConfigError, PipelineError
from pipeline.store.embedded import EmbeddedOptions, EmbeddedStore

EXIT_CONFIG = 2
__all__ = ["ledger", "pipeline", "sql"]


@click.group()
def pipeline() -> None:
    """Take frames in, keep them, answer SQL.

    One process owns the store's folder. Others ask it over HTTP: `popscope sql`.
    """


for _command in (token, backup, restore):
    pipeline.add_command(_command)
_config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file; each key can be overridden by POPSCOPE_PIPELINE_<SECTION>_<KEY>.",
)


@pipeline.command()
@_config_option
@click.option("--check", is_flag=True, help="Validate the configuration and exit.")
@click.option("--store", type=click.Path(path_type=Path), help="Folder of the store.")
@click.option("--http", "http_port", type=int, help="Port of ingest, metrics and live page.")
@click.option("--sql", "sql_port", type=int, help="Port of the SQL interface.")
@click.option("--verbose", is_flag=True, help="Log what is done, not only what goes wrong.")
def run(
    path: Path | None,
    check: bool,
    store: Path | None,
    http_port: int | None,
    sql_port: int | None,
    verbose: bool,
) -> None:
    """Serve the ingest, the rollups, the live page and SQL, until SIGTERM.

    \b
    Example:
      popscope pipeline run --store ./store
      curl -s http://127.0.0.1:8080/metrics | grep popscope_pipeline_frames
    Prints one line of JSON with the ports when it takes requests.
    Exits with 0 after SIGTERM, 1 on a failure, 2 on a wrong configuration.
    """
    loaded = _load(path, store, http_port, sql_port)
    if check:
        click.echo("the configuration is right")
        return
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        opened = EmbeddedStore(_options(loaded))
        try:
            asyncio.run(app.run(opened, loaded, _announce))
        finally:
            opened.close()
    except PipelineError as error:
        raise click.ClickException(str(error)) from error


@pipeline.command("check")
@_config_option
def check_config(path: Path | None) -> None:
    """Validate the configuration and exit: 0 right, 2 wrong.

    \b
    Example:
      popscope pipeline check --config pipeline.toml
    """
    _load(path, None, None, None)
    click.echo("the configuration is right")


@pipeline.command("migrate")
@_config_option
@click.option("--store", type=click.Path(path_type=Path), help="Folder of the store.")
def migrate_store(path: Path | None, store: Path | None) -> None:
    """Bring a store to this version's schema. `run` does it too, at its start.

    \b
    Example:
      popscope pipeline migrate --store /var/lib/popscope/store
    """
    loaded = _load(path, store, None, None)
    try:
        opened = EmbeddedStore(_options(loaded))
        try:
            done = migrate.migrate(opened, report=click.echo)
        finally:
            opened.close()
    except PipelineError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(done)} migrations applied")


@pipeline.command()
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="The pipeline's HTTP port."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(url: str, as_json: bool) -> None:
    """What a running pipeline takes in: rates, lag of exporters, numbers that lack, parts, disk.

    Exits with 1 when none answers, or it is not ready. A token for reading is taken from
    POPSCOPE_TOKEN.

    \b
    Example:
      popscope pipeline status --json
    """
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/status")
        if secret := os.environ.get("POPSCOPE_TOKEN"):
            request.add_header("Authorization", f"Bearer {secret}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)  # of a URLError: what it stands for
        raise click.ClickException(
            f"{url} does not answer: {reason}: is `popscope pipeline run` running there?"
        ) from error
    if as_json:
        click.echo(json.dumps(found))
    else:
        show_status(found)
    if not found["ready"]:
        raise click.exceptions.Exit(1)


def _load(
    path: Path | None, store: Path | None, http_port: int | None, sql_port: int | None
) -> config.Config:
    options = {"STORE_PATH": store, "HTTP_PORT": http_port, "SQL_PORT": sql_port}
    given = {config.PREFIX + k: str(v) for k, v in options.items() if v is not None}
    try:
        return config.load(path, config.environment() | given)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"error: {problem}", err=True)
        raise click.exceptions.Exit(EXIT_CONFIG) from error


def _options(loaded: config.Config) -> EmbeddedOptions:
    store = loaded.store
    return EmbeddedOptions(Path(store.path), store.durable, store.memory_bytes, store.backups)


def _announce(running: app.Running) -> None:
    ports = {"ready": True, "http": running.http_port, "sql": running.sql_port}
    click.echo(json.dumps(ports))
