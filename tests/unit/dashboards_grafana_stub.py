"""A server that answers as Grafana's API does, as far as we use it, and refuses what it refuses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from dashboards.errors import MacroError
from dashboards.macros import TimeRange, expand
from dashboards.target import PLUGIN
from tests.unit.dashboards_grafana_alerting import Alerting, AlertingState
from tests.unit.dashboards_grafana_answers import Json, message, uid_problem

TOKEN = "glsa_test"
Routes = list[tuple[str, str, Callable[..., Any]]]


@dataclass(slots=True)
class State:
    """What the stub holds, and what is wrong with it. `calls`: method and path of each request."""

    version: str = "12.1.0"
    plugin: bool = True
    healthy: bool = True
    broken_sql: str = ""  # a query with this text fails
    empty_sql: str = "\0"  # a query with this text has no rows
    refused: str = ""  # a write of a path with this text fails with 500
    dies_after: int = -1  # connections are cut after so many writes
    folders: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, Json] = field(default_factory=dict)
    dashboards: dict[str, Json] = field(default_factory=dict)
    alerting: AlertingState = field(default_factory=AlertingState)
    calls: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [c for c in self.calls if c[0] != "GET" and c[1] != "/api/ds/query"]


class Stub:
    def __init__(self, state: State) -> None:
        self.state = state

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        routes: Routes = [
            ("GET", "/api/health", self.health),
            ("GET", f"/api/plugins/{PLUGIN}/settings", self.plugin),
            ("POST", "/api/datasources", self.create_source),
            ("GET", "/api/datasources/uid/{uid}", self.source),
            ("PUT", "/api/datasources/uid/{uid}", self.update_source),
            ("GET", "/api/datasources/uid/{uid}/health", self.source_health),
            ("POST", "/api/ds/query", self.query),
            ("GET", "/api/folders/{uid}", self.folder),
            ("PUT", "/api/folders/{uid}", self.rename_folder),
            ("POST", "/api/folders", self.create_folder),
            ("GET", "/api/search", self.search),
            ("GET", "/api/dashboards/uid/{uid}", self.dashboard),
            ("DELETE", "/api/dashboards/uid/{uid}", self.delete),
            ("POST", "/api/dashboards/db", self.save),
            *Alerting(self.state.alerting, self.state.folders).routes(),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, handler)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        state = self.state
        if len(state.writes) == state.dies_after and request.transport is not None:
            request.transport.close()
            raise asyncio.CancelledError
        state.calls.append((request.method, request.path))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return message(401, "Invalid API key")
        if state.refused and state.refused in request.path and request.method != "GET":
            return message(500, "Internal Server Error")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"database": "ok", "version": self.state.version})

    async def plugin(self, _: web.Request) -> web.Response:
        if not self.state.plugin:
            return message(404, "Plugin not found, no installed plugin with that id")
        return web.json_response({"id": PLUGIN, "info": {"version": "4.20.0"}})

    async def source(self, request: web.Request) -> web.Response:
        found = self.state.sources.get(request.match_info["uid"])
        return web.json_response(found) if found else message(404, "Data source not found")

    async def create_source(self, request: web.Request) -> web.Response:
        body = await request.json()
        if problem := uid_problem(body.get("uid", "")):
            return message(400, problem)
        if any(s["name"] == body["name"] for s in self.state.sources.values()):
            return message(409, "data source with the same name already exists")
        return self._keep_source(body, 1)

    async def update_source(self, request: web.Request) -> web.Response:
        body = await request.json()
        before = self.state.sources.get(request.match_info["uid"])
        if before is None:
            return message(404, "Data source not found")
        if before.get("readOnly"):
            return message(403, "Cannot update read-only data source")
        if body.get("version") not in (None, before["version"]):
            return message(409, "Datasource has already been updated by someone else")
        return self._keep_source(body, before["version"] + 1)

    def _keep_source(self, body: Json, version: int) -> web.Response:
        uid, secrets = body["uid"], self.state.secrets
        secrets[body["uid"]] = secrets.get(uid, {}) | body.pop("secureJsonData", {})
        told = {key: True for key in secrets[uid]}  # which there are, never what they are
        self.state.sources[uid] = {**body, "version": version, "secureJsonFields": told, "id": 3}
        return web.json_response({"datasource": self.state.sources[uid], "message": "added"})

    async def source_health(self, _: web.Request) -> web.Response:
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
        found = self.state.folders.get(request.match_info["uid"])
        return web.json_response(found) if found else message(404, "folder not found")

    async def create_folder(self, request: web.Request) -> web.Response:
        body = await request.json()
        if problem := uid_problem(body["uid"]):
            return message(400, problem)
        if body["uid"] in self.state.folders:
            return message(409, "a folder with the same UID already exists")
        self.state.folders[body["uid"]] = {**body, "id": 5, "version": 1}
        return web.json_response(self.state.folders[body["uid"]])

    async def rename_folder(self, request: web.Request) -> web.Response:
        body, folder = await request.json(), self.state.folders[request.match_info["uid"]]
        if not body.get("overwrite") and body.get("version") != folder["version"]:
            return message(412, "the folder has been changed by someone else")
        folder.update(title=body["title"], version=folder["version"] + 1)
        return web.json_response(folder)

    async def search(self, request: web.Request) -> web.Response:
        wanted = set(request.query.getall("tag", []))
        rows = [
            {
                "uid": uid,
                "title": d["dashboard"]["title"],
                "type": "dash-db",
                "folderUid": d["meta"]["folderUid"],
            }
            for uid, d in self.state.dashboards.items()
            if wanted <= set(d["dashboard"].get("tags", []))
        ]
        return web.json_response(rows)

    async def dashboard(self, request: web.Request) -> web.Response:
        found = self.state.dashboards.get(request.match_info["uid"])
        return web.json_response(found) if found else message(404, "Dashboard not found")

    async def delete(self, request: web.Request) -> web.Response:
        found = self.state.dashboards.get(request.match_info["uid"])
        if found is None:
            return message(404, "Dashboard not found")
        if found["meta"].get("provisioned"):
            return message(400, "provisioned dashboard cannot be deleted")
        del self.state.dashboards[request.match_info["uid"]]
        return web.json_response({"title": found["dashboard"]["title"]})

    async def save(self, request: web.Request) -> web.Response:
        body = await request.json()
        dashboard, kept = body["dashboard"], self.state.dashboards
        before = kept.get(dashboard.get("uid"))
        if (refusal := self._refusal(body, before)) is not None:
            return refusal
        version = before["dashboard"]["version"] + 1 if before else 1
        kept[dashboard["uid"]] = {
            "dashboard": {**dashboard, "id": 7, "version": version},
            "meta": {"folderUid": body["folderUid"]},
        }
        return web.json_response({"status": "success", "version": version})

    def _refusal(self, body: Json, before: Json | None) -> web.Response | None:
        dashboard = body["dashboard"]
        if not dashboard.get("title"):
            return message(400, "Dashboard title cannot be empty")
        if problem := uid_problem(dashboard.get("uid", "")):
            return message(400, problem)
        if body.get("folderUid") not in self.state.folders:
            return message(400, "folder not found")
        if before and before["meta"].get("provisioned"):
            return message(400, "Cannot save provisioned dashboard")
        stale = before and dashboard.get("version") != before["dashboard"]["version"]
        if stale and not body.get("overwrite"):
            return message(412, "The dashboard has been changed by someone else")
        return None


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
