"""`popscope lb controller`: the service, and its tokens."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import sys
from pathlib import Path

import click
from aiohttp import web

from lb.control import settings
from lb.control.controller import store, tokens
from lb.control.controller.api import application
from lb.control.controller.service import Controller
from lb.control.controller.tokens import ROLES, Identity
from lb.control.errors import PlaneError, SettingsError
from lb.control.model.base import Spec

ENVIRONMENT = "POPSCOPE_CONTROLLER"
EXIT_FAILED, EXIT_CONFIG = 1, 2
CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file. Without it: defaults and environment variables.",
)


class Settings(Spec):
    """Of the controller. With `client_ca`, agents need a certificate of their node's name."""

    listen: str = "127.0.0.1:8081"
    database: str = "sqlite:////var/lib/popscope/controller.db"
    certificate: Path | None = None
    private_key: Path | None = None
    client_ca: Path | None = None
    check_documents: bool = True


def _load(path: Path | None) -> Settings:
    try:
        return settings.load(Settings, path, ENVIRONMENT)
    except SettingsError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_CONFIG)


@click.group()
def controller() -> None:
    """Keep what the fleet is to do, and tell the agents.

    A REST API, described by its /v1/openapi.json, and the connections of the agents. Settings are
    keys of a TOML file, or variables such as POPSCOPE_CONTROLLER_LISTEN.
    """


@controller.command()
@CONFIG
@click.option("--check", is_flag=True, help="Check the settings and exit.")
def run(path: Path | None, check: bool) -> None:
    """Run the controller until SIGTERM or SIGINT.

    It makes or migrates its data base when it starts.

    \b
    Examples:
      popscope lb controller run --config /etc/popscope/controller.toml
      POPSCOPE_CONTROLLER_DATABASE=sqlite:///c.db popscope lb controller run

    \b
    Exit status: 0 stopped in order, 1 failed (data base, port taken), 2 wrong settings.
    """
    chosen = _load(path)
    if check:
        click.echo("the settings are good")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(chosen))
    except (PlaneError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)


async def serve(chosen: Settings) -> None:
    """Serve until a signal. Raises StoreError, OSError."""
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    service = Controller(chosen.database, check_documents=chosen.check_documents)
    await service.open()
    runner = web.AppRunner(application(service), access_log=None)
    await runner.setup()
    host, _, port = chosen.listen.rpartition(":")
    await web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=tls(chosen)).start()
    click.echo(f"controller: serving on {chosen.listen}")
    sys.stdout.flush()
    await done.wait()
    await service.hub.close()
    await runner.cleanup()
    await service.close()


def tls(chosen: Settings) -> ssl.SSLContext | None:
    """What the API is served with; None for plain HTTP. Raises OSError, ssl.SSLError."""
    if chosen.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chosen.certificate, chosen.private_key)
    if chosen.client_ca is not None:
        # People come with a token alone; that an agent has a certificate is asked for later.
        context.load_verify_locations(chosen.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


@controller.command()
@CONFIG
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it may do.")
@click.option("--tenant", default="", help="Limit it to a tenant's resources.")
@click.option("--node", default="", help="For the role node: which one.")
def token(path: Path | None, name: str, role: str, tenant: str, node: str) -> None:
    """Make a token called NAME, and print it: it cannot be read again.

    \b
    Examples:
      popscope lb controller token ann --role operator
      popscope lb controller token d1-agent --role node --node d1
      popscope lb controller token shop --role operator --tenant shop
    """
    try:
        db = store.engine(_load(path).database)
        store.migrate(db)
        with store.transaction(db) as connection:
            click.echo(tokens.create(connection, Identity(name, role, tenant, node)))
    except PlaneError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)


@controller.command()
@CONFIG
@click.argument("name")
def revoke(path: Path | None, name: str) -> None:
    """Make the token NAME worthless, within seconds.

    \b
    Example:
      popscope lb controller revoke ann
    """
    try:
        with store.transaction(store.engine(_load(path).database)) as connection:
            found = tokens.revoke(connection, name)
    except PlaneError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_FAILED)
    if not found:
        click.echo(f"error: there is no token {name!r}", err=True)
        sys.exit(EXIT_FAILED)
