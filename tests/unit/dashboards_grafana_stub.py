"""A server that answers as Grafana's API does, as far as we use it, and refuses what it refuses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from alerts.grafana import problems
from dashboards.errors import MacroError
from dashboards.macros import TimeRange, expand
from dashboards.target import PLUGIN

TOKEN = "glsa_test"
Json = dict[str, Any]


@dataclass(slots=True)
class State:
    """What the stub holds, and what is wrong with it. `calls`: method and path of each request."""

    version: str = "12.1.0"
    plugin: bool = True
    healthy: bool = True
    broken_sql: str = ""  # a query with this text fails
    empty_sql: str = "\0"  # a query with this text has no rows
    folders: set[str] = field(default_factory=set)
    dashboards: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [c for c in self.calls if c[0] != "GET" and c[1] != "/api/ds/query"]


def _message(status: int, text: str) -> web.Response:
    return web.json_response({"message": text}, status=status)


class Stub:
    def __init__(self, state: State) -> None:
        self.state = state

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        routes: list[tuple[str, str, Callable[..., Any]]] = [
            ("GET", "/api/health", self.health),
            ("GET", f"/api/plugins/{PLUGIN}/settings", self.plugin),
            ("GET", "/api/datasources/uid/{uid}", self.datasource),
            ("GET", "/api/datasources/uid/{uid}/health", self.datasource_health),
            ("POST", "/api/ds/query", self.query),
            ("GET", "/api/folders/{uid}", self.folder),
            ("POST", "/api/folders", self.create_folder),
            ("GET", "/api/dashboards/uid/{uid}", self.dashboard),
            ("POST", "/api/dashboards/db", self.save),
            ("GET", "/api/v1/provisioning/folder/{folder}/rule-groups/{group}", self.group),
            ("PUT", "/api/v1/provisioning/folder/{folder}/rule-groups/{group}", self.put_group),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, handler)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.state.calls.append((request.method, request.path))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _message(401, "Invalid API key")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"database": "ok", "version": self.state.version})

    async def plugin(self, _: web.Request) -> web.Response:
        if not self.state.plugin:
            return _message(404, "Plugin not found, no installed plugin with that id")
        return web.json_response({"id": PLUGIN, "info": {"version": "4.20.0"}})

    async def datasource(self, request: web.Request) -> web.Response:
        if request.match_info["uid"] != "popscope-clickhouse":
            return _message(404, "Data source not found")
        return web.json_response({"uid": "popscope-clickhouse", "type": PLUGIN})

    async def datasource_health(self, _: web.Request) -> web.Response:
        if not self.state.healthy:
            return web.json_response({"status": "ERROR", "message": "connection refused"})
        return web.json_response({"status": "OK", "message": "Data source is working"})

    async def query(self, request: web.Request) -> web.Response:
        body = await request.json()
        query = body["queries"][0]
        span = TimeRange(int(body["from"]), int(body["to"]), query["intervalMs"])
        try:
            sql = expand(query["rawSql"], span)
        except MacroError as error:
            return web.json_response({"results": {query["refId"]: {"error": str(error)}}})
        if self.state.broken_sql and self.state.broken_sql in sql:
            return web.json_response({"results": {query["refId"]: {"error": "code: 47"}}})
        rows = [] if self.state.empty_sql in sql else [[1], [2.5]]
        frames = [{"schema": {"fields": []}, "data": {"values": rows}}]
        return web.json_response({"results": {query["refId"]: {"status": 200, "frames": frames}}})

    async def folder(self, request: web.Request) -> web.Response:
        if request.match_info["uid"] not in self.state.folders:
            return _message(404, "folder not found")
        return web.json_response({"uid": request.match_info["uid"]})

    async def create_folder(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.state.folders.add(body["uid"])
        return web.json_response(body)

    async def dashboard(self, request: web.Request) -> web.Response:
        found = self.state.dashboards.get(request.match_info["uid"])
        return web.json_response(found) if found else _message(404, "Dashboard not found")

    async def save(self, request: web.Request) -> web.Response:
        body = await request.json()
        dashboard = body["dashboard"]
        if not dashboard.get("title"):
            return _message(400, "Dashboard title cannot be empty")
        if len(dashboard.get("uid", "")) > 40:
            return _message(400, "uid too long, max 40 characters")
        if body.get("folderUid") not in self.state.folders:
            return _message(400, "folder not found")
        before = self.state.dashboards.get(dashboard["uid"])
        if before and not body.get("overwrite"):
            return _message(412, "The dashboard has been changed by someone else")
        version = before["dashboard"]["version"] + 1 if before else 1
        self.state.dashboards[dashboard["uid"]] = {
            "dashboard": {**dashboard, "id": 7, "version": version},
            "meta": {"folderUid": body["folderUid"]},
        }
        return web.json_response({"status": "success", "version": version})

    async def group(self, request: web.Request) -> web.Response:
        found = self.state.groups.get(request.match_info["group"])
        return web.json_response(found) if found else _message(404, "rule group does not exist")

    async def put_group(self, request: web.Request) -> web.Response:
        body, name = await request.json(), request.match_info["group"]
        if request.match_info["folder"] not in self.state.folders:
            return _message(400, "folder does not exist")
        if found := problems(body):
            return _message(400, "; ".join(found))
        before = self.state.groups.get(name)
        if before and any(r["provenance"] != "api" for r in before["rules"]):
            return _message(409, "cannot change provenance from 'file' to 'api'")
        added = {"id": 1, "orgID": 1, "provenance": "api", "updated": "2026-01-01T00:00:00Z"}
        rules = [{**r, **added, "for": _go(r["for"])} for r in body["rules"]]
        self.state.groups[name] = {**body, "rules": rules}
        return web.json_response(self.state.groups[name])


def _go(duration: str) -> str:
    """A duration as Grafana writes it: 60s is 1m."""
    seconds = int(duration.removesuffix("s"))
    return f"{seconds // 60}m" if seconds and seconds % 60 == 0 else duration


@contextmanager
def running(state: State | None = None) -> Iterator[State]:
    """The stub on a free port of the loopback, in a thread; gone with the context."""
    state = state or State()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(Stub(state).app())

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        state.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield state
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
