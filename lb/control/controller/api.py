"""The REST API, under /v1. `openapi.py` describes it; a test holds the two together."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from lb.control.controller import resources_api as resources
from lb.control.controller.hub import HEARTBEAT_S, MESSAGE_MAX
from lb.control.controller.openapi import document
from lb.control.controller.requests import CONTROLLER, IDENTITY, middleware, number, refused
from lb.control.controller.service import Controller
from lb.control.controller.tokens import Identity
from lb.control.desired import digest

BODY_MAX = 64 << 20


async def get_audit(request: web.Request) -> web.Response:
    """Who changed what, and why; latest first."""
    limit = number(request, "limit", resources.PAGE, resources.PAGE_MAX)
    before = number(request, "before", 1 << 62, 1 << 62)
    entries = await request.app[CONTROLLER].audit(before, limit, request[IDENTITY].tenant)
    more = entries[-1]["id"] if len(entries) == limit else None
    return web.json_response({"items": entries, "next": more})


async def get_state(request: web.Request) -> web.Response:
    """What a node is to do."""
    catalog, node = request.app[CONTROLLER].catalog, request.match_info["name"]
    if request[IDENTITY].tenant:
        raise refused(403, "not with a tenant's token")
    state = catalog.state_of(node)
    if not state:
        raise refused(404, f"there is no node {node!r}")
    return web.json_response(
        {"revision": catalog.revision, "digest": digest(state), "state": state}
    )


async def get_fleet(request: web.Request) -> web.Response:
    """Each node: whether its agent is connected, and what it last reported."""
    controller = request.app[CONTROLLER]
    if request[IDENTITY].tenant:
        raise refused(403, "not with a tenant's token")
    nodes = {}
    for resource in sorted(controller.catalog.of("node"), key=lambda r: r.name):
        report = controller.hub.reports.get(resource.name)
        nodes[resource.name] = {
            "pop": resource.spec.pop,
            "connected": resource.name in controller.hub.sessions,
            "report": report.body if report else None,
            "report_age_s": round(time.time() - report.at, 1) if report else None,
        }
    return web.json_response(
        {
            "revision": controller.catalog.revision,
            "nodes": nodes,
            "disagreements": disagreements(nodes),
        }
    )


def disagreements(nodes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Pools for which the directors of a PoP have different Maglev tables, and who has which.

    For a moment that is so after every change of weights: nodes see backends die one by one.
    """
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for name, node in nodes.items():
        tables = (node["report"] or {}).get("tables", {}) if node["connected"] else {}
        for pool, table in tables.items():
            found.setdefault((node["pop"], pool), {}).setdefault(table, []).append(name)
    return [
        {"pop": pop, "pool": pool, "tables": tables}
        for (pop, pool), tables in sorted(found.items())
        if len(tables) > 1
    ]


async def connect(request: web.Request) -> web.WebSocketResponse:
    """The agents' connection."""
    identity = request[IDENTITY]
    _check_certificate(request, identity)
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_MAX, compress=True)
    await socket.prepare(request)
    await request.app[CONTROLLER].hub.serve(identity.node, socket)
    return socket


def _check_certificate(request: web.Request, identity: Identity) -> None:
    """With mutual TLS, an agent's certificate must be its node's."""
    transport = request.transport
    context = transport.get_extra_info("sslcontext") if transport else None
    if context is None or context.verify_mode.name == "CERT_NONE":
        return
    certificate = (transport.get_extra_info("peercert") if transport else None) or {}
    names = {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
    if identity.node not in names:
        raise refused(403, f"the certificate is for {sorted(names)}, not for {identity.node!r}")


async def get_openapi(request: web.Request) -> web.Response:
    """This API's description."""
    return web.json_response(document())


async def get_ready(request: web.Request) -> web.Response:
    """Whether it serves."""
    return web.json_response({"revision": request.app[CONTROLLER].catalog.revision})


def application(controller: Controller) -> web.Application:
    """The API of a controller that was opened."""
    app = web.Application(middlewares=[middleware], client_max_size=BODY_MAX)
    app[CONTROLLER] = controller
    one = "/v1/{kinds}/{name}"
    app.add_routes(
        [
            web.get("/v1/openapi.json", get_openapi),
            web.get("/v1/ready", get_ready),
            web.get("/v1/connect", connect),
            web.get("/v1/audit", get_audit),
            web.get("/v1/fleet", get_fleet),
            web.post("/v1/apply", resources.apply),
            web.get("/v1/nodes/{name}/state", get_state),
            web.get("/v1/{kinds}", resources.list_resources),
            web.get(one, resources.get_resource),
            web.put(one, resources.put_resource),
            web.patch(one, resources.patch_resource),
            web.delete(one, resources.delete_resource),
        ]
    )
    return app
