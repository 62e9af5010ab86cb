"""What all handlers of the API need: who asks, what for, and errors as answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from lb.control.controller.catalog import Id
from lb.control.controller.changes import NAME_RULE, valid_name
from lb.control.controller.service import Controller
from lb.control.controller.tokens import Identity
from lb.control.errors import RefusedError, StoreError
from lb.control.model.resources import KINDS, plural
from lb.errors import LbError, Problem

log = logging.getLogger(__name__)
CONTROLLER = web.AppKey("controller", Controller)
IDENTITY = web.RequestKey("identity", Identity)
BY_PLURAL = {plural(kind): kind for kind in KINDS}
# May be asked without a token.
OPEN = frozenset({"/v1/openapi.json", "/v1/ready"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refused(status: int, text: str, path: str = "") -> RefusedError:
    """An error with one problem."""
    return RefusedError(status, [Problem(path, text)])


def _errors(status: int, problems: list[Problem]) -> web.Response:
    body = {"errors": [{"path": p.path, "message": p.message} for p in problems]}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return web.json_response(body, status=status, headers=headers)


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Identify whoever asks, and turn errors into answers."""
    try:
        if request.path not in OPEN:
            request[IDENTITY] = await _identify(request)
        return await handler(request)
    except RefusedError as error:
        return _errors(error.status, error.problems)
    except web.HTTPException as error:
        return _errors(error.status, [Problem("", error.reason)])
    except StoreError as error:
        log.error("%s", error)
        return _errors(503, [Problem("", "the data base does not answer: try again")])
    except LbError as error:
        log.error("%s", error)
        return _errors(500, [Problem("", str(error))])


async def _identify(request: web.Request) -> Identity:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise refused(401, "give a token: Authorization: Bearer TOKEN")
    found = await request.app[CONTROLLER].identify(token)
    if found is None:
        raise refused(401, "this token is not known, or was revoked")
    own = request.path == "/v1/connect" or request.path == f"/v1/nodes/{found.node}/state"
    if (found.role == "node") != own and (found.role == "node" or request.path == "/v1/connect"):
        raise refused(403, f"not with a token of the role {found.role!r}")
    if request.method not in ("GET", "HEAD") and found.role != "operator":
        raise refused(403, f"the role {found.role!r} may not change anything")
    return found


def id_of(request: web.Request) -> Id:
    kind, name = kind_of(request), request.match_info["name"]
    if not valid_name(name):
        raise refused(422, f"name: {NAME_RULE}")
    return kind, name


def kind_of(request: web.Request) -> str:
    kinds = request.match_info["kinds"]
    if kinds not in BY_PLURAL:
        raise refused(404, f"{kinds!r} is none of {', '.join(BY_PLURAL)}")
    return BY_PLURAL[kinds]


def number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:20]) <= most:
        raise refused(400, f"{name}: must be a number from 1 to {most}")
    return int(text)


async def json_of(request: web.Request) -> Any:
    try:
        return json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise refused(400, f"the body is not JSON: {error}") from error
