"""A controller with its API for tests: every answer is held against the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
from aiohttp.test_utils import TestClient, TestServer

from lb.control.controller import store, tokens
from lb.control.controller.api import application
from lb.control.controller.openapi import document
from lb.control.controller.service import Controller
from lb.control.controller.tokens import Identity

# A PoP with two nodes, and one load balancer of the tenant `shop` in it.
FILE: dict[str, dict[str, Any]] = {
    "pop/fra1": {},
    "vlan/fra1-lan": {"pop": "fra1"},
    "node/d1": {
        "pop": "fra1",
        "addresses": [{"vlan": "fra1-lan", "address": "10.77.1.11/24"}],
    },
    "node/d2": {
        "pop": "fra1",
        "addresses": [{"vlan": "fra1-lan", "address": "10.77.1.12/24"}],
    },
    "vip/web": {"tenant": "shop", "address": "198.51.100.1"},
    "checker/tcp": {"tenant": "shop", "probe": {"kind": "tcp"}},
    "pool/web": {"tenant": "shop", "checker": "tcp"},
    "member/b1": {"pool": "web", "address": "10.77.1.21"},
    "member/b2": {"pool": "web", "address": "10.77.1.22"},
    "instance/shop": {"tenant": "shop", "pops": ["fra1"]},
    "listener/web-80": {
        "instance": "shop",
        "vip": "web",
        "port": 80,
        "protocol": "tcp",
        "pool": "web",
    },
}


def as_file(resources: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Resources by "kind/name" as a declarative file."""
    listed = []
    for key, spec in resources.items():
        kind, _, name = key.partition("/")
        listed.append({"kind": kind, "name": name, "spec": spec})
    return {"resources": listed}


IDENTITIES = (
    Identity("ann", "operator"),
    Identity("vic", "viewer"),
    Identity("shop", "operator", tenant="shop"),
    Identity("rival", "operator", tenant="rival"),
    Identity("d1-agent", "node", node="d1"),
    Identity("d2-agent", "node", node="d2"),
)


class Api:
    """A controller that is served; `ann` may do all."""

    def __init__(self, url: str, *, check_documents: bool = False) -> None:
        self.url = url
        self.service = Controller(url, check_documents=check_documents)
        self.tokens: dict[str, str] = {}

    async def __aenter__(self) -> Api:
        await self.service.open()
        with store.transaction(self.service.db) as connection:
            for identity in IDENTITIES:
                tokens.revoke(connection, identity.name)
                self.tokens[identity.name] = tokens.create(connection, identity)
        self.client = TestClient(TestServer(application(self.service)))
        await self.client.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.service.hub.close()
        await self.client.close()
        await self.service.close()

    def headers(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"}

    async def ask(
        self, what: str, body: Any = None, status: int = 200, who: str = "ann", **headers: str
    ) -> Any:
        """`what` is "METHOD /path". The answer's body, after a check of status and schema."""
        method, _, path = what.partition(" ")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.request(
            method, "/v1" + path, json=body, headers={**self.headers(who), **sent}
        )
        found = await answer.json() if answer.status != 304 else None
        assert answer.status == status, found
        conforms(method, "/v1" + path, status, found)
        self.etag = answer.headers.get("ETag", "")
        return found

    async def errors(self, what: str, status: int, body: Any = None, **more: Any) -> list[str]:
        """The errors of a request that is refused, as "path: message"."""
        found = await self.ask(what, body, status, **more)
        return [f"{e['path']}: {e['message']}" for e in found["errors"]]


def conforms(method: str, path: str, status: int, body: Any) -> None:
    """Raises when the OpenAPI document does not have such an answer to such a request."""
    whole = document()
    for template, operations in whole["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path.partition("?")[0]) and method.lower() in operations:
            responses = operations[method.lower()]["responses"]
            assert str(status) in responses, f"{method} {template} says nothing of {status}"
            content = responses[str(status)].get("content")
            if content:
                schema = {
                    **content["application/json"]["schema"],
                    "components": whole["components"],
                }
                jsonschema.Draft202012Validator(schema).validate(body)
            return
    assert status in (404, 405), f"{method} {path} is not described"
