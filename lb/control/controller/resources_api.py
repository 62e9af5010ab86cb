"""Resources: read, write, and a file of them as a whole."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from typing import Any

from aiohttp import web

from lb.control.controller.catalog import Catalog, Id, Resource
from lb.control.controller.changes import Staged, Wanted, from_file
from lb.control.controller.requests import (
    CONTROLLER,
    IDENTITY,
    id_of,
    json_of,
    kind_of,
    number,
    refused,
)
from lb.control.controller.service import Request
from lb.control.controller.tokens import Identity
from lb.control.model.resources import INFRASTRUCTURE

PAGE, PAGE_MAX = 100, 1000


def _visible(catalog: Catalog, identity: Identity, resource: Resource) -> bool:
    if not identity.tenant:
        return True
    if resource.kind in INFRASTRUCTURE:
        return resource.kind == "pop"
    return catalog.tenant_of(resource) in ("", identity.tenant)


def _shown(resource: Resource) -> dict[str, Any]:
    return {
        "kind": resource.kind,
        "name": resource.name,
        "version": resource.version,
        "revision": resource.revision,
        "spec": resource.document,
    }


async def list_resources(request: web.Request) -> web.Response:
    """A page of a kind, by name."""
    catalog, kind = request.app[CONTROLLER].catalog, kind_of(request)
    limit, after = number(request, "limit", PAGE, PAGE_MAX), request.query.get("after", "")
    found = heapq.nsmallest(
        limit + 1,
        (r for r in catalog.of(kind) if r.name > after and _visible(catalog, request[IDENTITY], r)),
        key=lambda r: r.name,
    )
    page = found[:limit]
    more = page[-1].name if len(found) > limit else None
    return web.json_response(
        {"revision": catalog.revision, "items": [_shown(r) for r in page], "next": more}
    )


async def get_resource(request: web.Request) -> web.Response:
    """One resource, with its version as ETag."""
    catalog, (kind, name) = request.app[CONTROLLER].catalog, id_of(request)
    found = catalog.get((kind, name))
    if found is None or not _visible(catalog, request[IDENTITY], found):
        raise refused(404, f"there is no {kind} {name!r}")
    etag = f'"{found.version}"'
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers={"ETag": etag})
    return web.json_response(_shown(found), headers={"ETag": etag})


def _expected(request: web.Request) -> int | None:
    """The version that If-Match or If-None-Match asks for."""
    if request.headers.get("If-None-Match") == "*":
        return 0
    text = request.headers.get("If-Match")
    if text is None:
        return None
    if not text.strip('"').isdigit():
        raise refused(400, 'If-Match: must be an ETag as it was given, such as "3"')
    return int(text.strip('"')[:18])


async def put_resource(request: web.Request) -> web.Response:
    """Make or replace a resource."""
    spec, expected = await json_of(request), _expected(request)
    if not isinstance(spec, dict):
        raise refused(400, "the body must be an object: the resource's spec")
    kind, name = id_of(request)
    return await _change_one(request, lambda _: Wanted(kind, name, spec, "", expected))


async def patch_resource(request: web.Request) -> web.Response:
    """Change some keys of a resource (RFC 7396: null removes one)."""
    patch, expected = await json_of(request), _expected(request)
    kind, name = id_of(request)

    def wanted(catalog: Catalog) -> Wanted:
        found = catalog.get((kind, name))
        if found is None:
            raise refused(404, f"there is no {kind} {name!r}")
        return Wanted(kind, name, merged(found.document, patch), "", expected)

    return await _change_one(request, wanted)


async def delete_resource(request: web.Request) -> web.Response:
    """Remove a resource that nothing names."""
    expected = _expected(request)
    kind, name = id_of(request)
    if request.app[CONTROLLER].catalog.get((kind, name)) is None:
        raise refused(404, f"there is no {kind} {name!r}")
    return await _change_one(request, lambda _: Wanted(kind, name, None, "", expected))


def merged(document: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


async def _change_one(request: web.Request, wanted: Callable[[Catalog], Wanted]) -> web.Response:
    made: list[Id] = []

    def one(catalog: Catalog) -> list[Wanted]:
        want = wanted(catalog)
        made.append(want.id)
        return [want]

    def answer(staged: Staged) -> tuple[int, dict[str, Any], int]:
        found = staged.catalog.get(made[-1])
        if found is None:
            return 200, {"revision": staged.catalog.revision}, 0
        created = any(edit.action == "create" for edit in staged.edits)
        return 201 if created else 200, _shown(found), found.version

    return await _change(request, one, answer)


async def apply(request: web.Request) -> web.Response:
    """Put a declarative file in force, as a whole; `prune` removes what it does not name."""
    body = await json_of(request)
    listed = from_file(body)
    prune = request.query.get("prune") == "true"
    identity = request[IDENTITY]

    def wanted(catalog: Catalog) -> list[Wanted]:
        named = {want.id for want in listed}
        others = [
            Wanted(r.kind, r.name, None, f"/{r.kind}/{r.name}")
            for r in catalog
            if prune
            and r.id not in named
            and catalog.tenant_of(r) == identity.tenant
            and not (identity.tenant and r.kind in INFRASTRUCTURE)
        ]
        return [*listed, *others]

    def answer(staged: Staged) -> tuple[int, dict[str, Any], int]:
        edits = [edit.document() for edit in staged.edits]
        return 200, {"revision": staged.catalog.revision if edits else None, "changes": edits}, 0

    return await _change(request, wanted, answer)


async def _change(
    request: web.Request,
    wanted: Callable[[Catalog], list[Wanted]],
    answer: Callable[[Staged], tuple[int, dict[str, Any], int]],
) -> web.Response:
    whole = f"{request.method} {request.path_qs}\n{request.headers.get('If-Match')}\n".encode()
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > 128:
        raise refused(400, "Idempotency-Key: at most 128 characters")
    done = await request.app[CONTROLLER].change(
        Request(
            identity=request[IDENTITY],
            wanted=wanted,
            answer=answer,
            why=request.headers.get("Popscope-Reason", "")[:1000],
            dry=request.query.get("dry_run") == "true",
            key=key,
            hash=hashlib.sha256(whole + await request.read()).digest(),
        )
    )
    headers = {"ETag": f'"{done.version}"'} if done.version else {}
    return web.json_response(done.body, status=done.status, headers=headers)
