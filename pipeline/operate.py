"""What operators ask the running process: `/metrics`, `/healthz`, `/status`, and backups."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from dataclasses import asdict
from typing import Any

from aiohttp import web

from pipeline.access.guard import Access
from pipeline.backup import backup
from pipeline.commit import Committer
from pipeline.errors import BackupError, StoreError
from pipeline.metrics import Metrics
from pipeline.overview import overview
from pipeline.store import Store

log = logging.getLogger(__name__)
# A page of another site can make a browser post here, but not with a header of its own.
_ASKED = "X-Popscope-Do"


class Operations:
    """The handlers. One backup is written at a time."""

    def __init__(
        self, store: Store, committer: Committer, metrics: Metrics, access: Access
    ) -> None:
        self._store, self._committer = store, committer
        self._metrics, self._access = metrics, access
        self._writing = asyncio.Lock()

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/healthz", self.health)
        app.router.add_get("/status", self.status)
        app.router.add_post("/v1/backup", self.backup)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    async def health(self, _: web.Request) -> web.Response:
        ready = self._committer.ready
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def status(self, _: web.Request) -> web.Response:
        """The counters at once; what is read from the store is left out when it does not answer."""
        answer: dict[str, Any] = {"ready": self._committer.ready, **self._metrics.summary()}
        gaps = self._committer.gaps()
        try:
            answer |= await asyncio.to_thread(overview, self._store, self._store.folder, gaps)
        except StoreError as error:
            answer["error"] = str(error)[:300]
        return web.json_response(answer)

    async def backup(self, request: web.Request) -> web.Response:
        """Answer 200 with what was written, 400, 401, 403, 409 (one is being written), 500."""
        self._access.authorize(request, "admin")
        if request.headers.get(_ASKED) != "backup" or not (
            self._access.needed("admin") or _is_near(request)
        ):
            raise web.HTTPForbidden(text="a backup is asked for by `popscope pipeline backup`")
        try:
            name = json.loads(await request.read() or b"{}").get("name", "")
            if not isinstance(name, str):
                raise ValueError("name must be a string")
        except (ValueError, AttributeError) as error:
            raise web.HTTPBadRequest(text=f"the body is no such JSON: {error}") from error
        if self._writing.locked():
            raise web.HTTPConflict(text="another backup is being written")
        folder = self._store.backup_folder
        async with self._writing:
            try:
                note = await asyncio.to_thread(backup, self._store, folder, name)
            except BackupError as error:
                log.error("no backup: %s", error)
                raise web.HTTPInternalServerError(text=str(error)) from error
        return web.json_response(asdict(note) | {"path": str(folder / note.name)})


def _is_near(request: web.Request) -> bool:
    """Whether it comes from this machine."""
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
