"""The client of a core's control socket: one JSON object there, one back."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict, cast

from lb.errors import ConfigError, ControlError, Problem

RUN_ROOT = Path("/run/popscope")
SOCKET = "control.sock"
_SOCKET_PATH_MAX = 107
_CHUNK = 1 << 16


class Neighbour(TypedDict):
    """A host on a link of the core."""

    address: str
    mac: str | None
    state: str
    port: int


class PoolTable(TypedDict):
    """The Maglev table of a pool; `slots` by backend. Equal digests are equal tables."""

    pool: str
    size: int
    digest: str
    slots: dict[str, int]


class CoreState(TypedDict):
    """What `show` answers. `config` is the document in force, None before the first."""

    config: dict[str, Any] | None
    generation: int
    instance: str
    boot_id: str
    neighbours: list[Neighbour]
    maglev: list[PoolTable]


class LineClient:
    """A unix socket that takes one JSON object and answers one. `timeout_s` bounds each wait."""

    who = "core"
    command = "popscope lb run"

    def __init__(self, path: Path, timeout_s: float = 30.0) -> None:
        self.path = path
        self.timeout_s = timeout_s

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            line = self._exchange(json.dumps(request).encode() + b"\n")
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ControlError(
                f"{self.path}: no {self.who} answers there: is it running? (`{self.command}`)"
            ) from error
        except PermissionError as error:
            raise ControlError(
                f"{self.path}: permission denied: be root, or of the socket's group"
            ) from error
        except TimeoutError as error:
            raise ControlError(f"{self.path}: no answer in {self.timeout_s:g} s") from error
        except OSError as error:
            raise ControlError(f"{self.path}: {error}") from error
        return self._understand(line)

    def _exchange(self, request: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self.timeout_s)
            connect(connection, self.path)
            with suppress(BrokenPipeError):  # refused before all was read: the answer says why
                connection.sendall(request)
            parts = []
            while part := connection.recv(_CHUNK):
                parts.append(part)
            return b"".join(parts)

    def _understand(self, line: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(line)
            if answer["ok"] is True:
                return cast(dict[str, Any], answer)
            problems = [Problem(e["path"], e["message"]) for e in answer["errors"]]
        except (ValueError, KeyError, TypeError) as error:
            said = line[:80].decode(errors="replace")
            raise ControlError(f"{self.path}: not an answer: {said!r}") from error
        raise ConfigError(problems)


class Control(LineClient):
    """A core's control socket."""

    def apply(self, config: Mapping[str, Any]) -> int:
        """Put a configuration in force; returns its generation.

        Raises ConfigError (nothing has changed then) or ControlError.
        """
        return int(self._ask({"op": "apply", "config": config})["generation"])

    def show(self) -> CoreState:
        """What is in force, and what the core makes of it. Raises ControlError."""
        try:
            return cast(CoreState, self._ask({"op": "show"}))
        except ConfigError as error:
            raise ControlError(f"{self.path}: {error}") from error

    def trace(self, match: list[dict[str, int | str]], count: int, seconds: int) -> int:
        """Arm a trace of `count` packets on each lcore; returns its number. A count of 0 ends one.

        Raises ConfigError when another is armed, or ControlError.
        """
        request = {"op": "trace", "match": match, "count": count, "seconds": seconds}
        return int(self._ask(request)["trace"])

    def stop(self) -> None:
        """Ask the core to end in order; it ends soon after the answer. Raises ControlError."""
        try:
            self._ask({"op": "stop"})
        except ConfigError as error:
            raise ControlError(f"{self.path}: {error}") from error


def connect(connection: socket.socket, path: Path) -> None:
    """Connect to a path of any length. Raises OSError."""
    # A socket address holds few bytes; a longer path is named by its folder's descriptor.
    if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
        connection.connect(str(path))
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def parse_config(text: str, source: str) -> dict[str, Any]:
    """A configuration's JSON, not yet validated: the core does that. Raises ConfigError.

    As the core does, it refuses a key that is there twice, which Python's parser would not see.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        place = f"{source}: line {error.lineno}, column {error.colno}"
        raise ConfigError([Problem("", f"{place}: {error.msg}")]) from error
    except ValueError as error:
        raise ConfigError([Problem("", f"{source}: {error}")]) from error
    if not isinstance(document, dict):
        raise ConfigError([Problem("", f"{source}: must be an object")])
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice in one object")
    return members


def with_weight(config: Mapping[str, Any], pool: str, backend: str, weight: int) -> dict[str, Any]:
    """A copy of a configuration in force, a generation on, with one backend's weight changed.

    Raises ConfigError when there is no such pool or backend.
    """
    changed: dict[str, Any] = json.loads(json.dumps(config))
    found = _named(changed["pools"], pool, "/pools", "pool")
    index = changed["pools"].index(found)
    member = _named(found["backends"], backend, f"/pools/{index}/backends", "backend")
    member["weight"] = weight
    changed["generation"] += 1
    return changed


def _named(elements: list[dict[str, Any]], name: str, path: str, what: str) -> dict[str, Any]:
    for element in elements:
        if element["name"] == name:
            return element
    known = ", ".join(element["name"] for element in elements) or "none"
    raise ConfigError([Problem(path, f"there is no {what} {name!r}; there are: {known}")])
