"""The page's addresses: `/`, its files under /live/static/, /live/history and /live/events."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from aiohttp import web

from pipeline.errors import StoreError
from pipeline.live import sql
from pipeline.live.collect import View
from pipeline.live.hub import Crowded, Hub, Page, dump
from pipeline.live.options import LiveOptions
from pipeline.store import Store

STATIC = Path(__file__).with_name("static")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_NODE = re.compile(r"([^/\s]{1,128})/([^/\s]{1,128})")
_WRITE_SECONDS = 15.0


class _Live:
    def __init__(self, store: Store, options: LiveOptions) -> None:
        self.options = options
        self.hub = Hub(store, options)

    async def page(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html", headers=_HEADERS)

    async def history(self, request: web.Request) -> web.Response:
        seconds = _seconds(request, self.options.max_seconds)
        try:
            answer = await self.hub.history(_view(request), seconds)
        except StoreError as error:
            return web.json_response({"error": str(error)}, status=503, headers=_HEADERS)
        body = dump(answer | {"reason_help": sql.reason_help(), "asked_seconds": seconds})
        response = web.Response(body=body, content_type="application/json", headers=_HEADERS)
        response.enable_compression()
        return response

    async def events(self, request: web.Request) -> web.StreamResponse:
        view = _view(request)
        try:
            page = self.hub.enter(view)
        except Crowded as error:
            headers = _HEADERS | {"Retry-After": "10"}
            return web.json_response({"error": str(error)}, status=503, headers=headers)
        try:
            return await _stream(request, page)
        finally:
            self.hub.leave(view, page)

    async def stop(self, _: web.Application) -> None:
        await self.hub.stop()

    async def close(self, _: web.Application) -> None:
        await self.hub.close()


def add_routes(app: web.Application, store: Store, options: LiveOptions | None = None) -> None:
    """Serve the live page from `app`, at `/`."""
    live = _Live(store, options or LiveOptions())
    app.router.add_get("/", live.page)
    app.router.add_get("/live/history", live.history)
    app.router.add_get("/live/events", live.events)
    app.router.add_static("/live/static/", STATIC)
    app.on_shutdown.append(live.stop)
    app.on_cleanup.append(live.close)


async def _stream(request: web.Request, page: Page) -> web.StreamResponse:
    """Pushes until the client leaves, or does not read for so long that it must be gone."""
    headers = _HEADERS | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    try:
        await response.write(b"retry: 2000\n\n")
        while data := await page.get():
            async with asyncio.timeout(_WRITE_SECONDS):
                await response.write(data)
    except (ConnectionError, TimeoutError):
        pass  # it reconnects, and reads the history again
    return response


def _view(request: web.Request) -> View:
    text = request.query.get("node", "")
    if not text:
        return View()
    found = _NODE.fullmatch(text)
    if not found:
        raise web.HTTPBadRequest(text="node must be given as <pop>/<node>\n")
    return View(found[1], found[2])


def _seconds(request: web.Request, most: int) -> int:
    text = request.query.get("seconds", "600")
    if not (text.isascii() and text.isdigit() and 10 <= int(text[:9]) <= most):
        raise web.HTTPBadRequest(text=f"seconds must be 10 to {most}\n")
    return int(text)
