"""Mutual TLS between agent and controller: a token and a certificate, both of the same node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from lb.control.agent.cache import Kept
from lb.control.agent.link import Link
from lb.control.agent.settings import Settings
from lb.control.controller.api import application
from lb.control.controller.cli import Settings as ControllerSettings
from lb.control.controller.cli import tls
from tests.unit.lb_agent_tools import until
from tests.unit.lb_controller_tools import FILE, Api, as_file


class Certificates:
    """An authority, and certificates that it gave."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def give(self, name: str) -> tuple[Path, Path]:
        """Certificate and key."""
        made = self._authority.issue_cert(name)
        paths = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        made.cert_chain_pems[0].write_to_path(paths[0])
        made.private_key_pem.write_to_path(paths[1])
        return paths


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with Api(f"sqlite:///{tmp_path}/c.db") as api:
        await api.ask("POST /apply", as_file(FILE))
        yield api


async def complaint_of(settings: Settings) -> str:
    """Why an agent does not come to a state; "" when it does."""
    taken: list[Kept] = []

    async def take(kept: Kept) -> None:
        taken.append(kept)

    link = Link(settings, "1", lambda: None, take, dict)
    task = asyncio.create_task(link.run())
    first = link.complaint
    await until(lambda: taken or link.complaint != first, "a state, or a complaint")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if taken:
        assert "node/d1" in taken[0].state
    return "" if taken else link.complaint


async def test_an_agent_needs_its_own_certificate(api: Api, tmp_path: Path) -> None:
    given = Certificates(tmp_path)
    server, key = given.give("localhost")
    chosen = ControllerSettings(certificate=server, private_key=key, client_ca=given.ca)
    runner = web.AppRunner(application(api.service))
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=tls(chosen))
    await site.start()
    port = runner.addresses[0][1]
    (tmp_path / "token").write_text(api.tokens["d1-agent"])
    base = Settings(
        node="d1",
        controller=f"https://localhost:{port}",
        token_file=tmp_path / "token",
        ca_file=given.ca,
    )

    async def complaint(certificate: str = "", **more: object) -> str:
        if certificate:
            made = given.give(certificate)
            more = {**more, "certificate": made[0], "private_key": made[1]}
        return await complaint_of(base.model_copy(update=more))

    assert await complaint("d1") == ""
    assert "403" in await complaint("d2")
    assert "403" in await complaint()
    assert "CERTIFICATE_VERIFY_FAILED" in await complaint("d1", ca_file=None)
    (tmp_path / "token").write_text("wrong")
    assert "401" in await complaint("d1")
    (tmp_path / "token").write_text(api.tokens["ann"])
    assert "403" in await complaint("d1")
    await runner.cleanup()
