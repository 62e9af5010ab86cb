"""The file of tokens: what each may do, and the SHA-256 of it. The tokens themselves are nowhere.

A token is `pops_<id>_<secret>`; the secret has 256 random bits, so that a plain hash of it cannot
be guessed back. The file is written as a whole and renamed, and read again by a running pipeline
when it changed: tokens come and go without a restart.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from pipeline.errors import ConfigError

# What a token is for: frames of an exporter; remote write and OTLP; SQL, the live page, /metrics;
# backups.
ROLES = ("export", "write", "read", "admin")
PREFIX = "pops"


@dataclass(frozen=True, slots=True)
class Token:
    """`pop`: the only PoP that it may send frames of, "" for any. `tenant`: of foreign metrics,
    "" for the one that the request names. `rate`: requests a second, 0 for the general limit.
    Times are Unix seconds; `expires` and `revoked` 0 for never.
    """

    id: str
    name: str
    hash: str
    role: str
    pop: str = ""
    tenant: str = ""
    rate: float = 0.0
    created: float = 0.0
    expires: float = 0.0
    revoked: float = 0.0

    def state(self, now: float) -> str:
        """valid, expired or revoked."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and now >= self.expires else "valid"


def digest(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def id_of(text: str) -> str:
    """The id inside of a token, "" when it is none."""
    parts = text.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == PREFIX else ""


def read(path: Path) -> dict[str, Token]:
    """The tokens by id. Raises ConfigError, also when others than the owner may read the file."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: {getattr(error, 'strerror', None) or error}"]) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError([f"{path}: others may read or write it: chmod 600 {path}"])
    names = {field.name for field in fields(Token)}
    try:
        tokens = [Token(**entry) for entry in json.loads(text)["tokens"] if entry.keys() <= names]
        whole = len(tokens) == len(json.loads(text)["tokens"])
        if not whole or any(token.role not in ROLES for token in tokens):
            raise ValueError("an entry has unknown keys, or an unknown role")
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ConfigError([f"{path}: is no file of tokens: {error}"]) from error
    return {token.id: token for token in tokens}


def issue(
    path: Path,
    name: str,
    role: str,
    pop: str = "",
    tenant: str = "",
    rate: float = 0.0,
    days: float = 0.0,
) -> str:
    """Add a token, and return it: it is not shown again. Raises ConfigError."""
    now = time.time()
    identity = secrets.token_hex(6)
    text = f"{PREFIX}_{identity}_{secrets.token_urlsafe(32)}"
    expires = now + days * 86400 if days else 0.0
    with _changing(path) as tokens:
        if any(
            t.name == name and t.state(now) == "valid" and t.role != role for t in tokens.values()
        ):
            raise ConfigError([f"{name}: there is a token of this name with another role"])
        tokens[identity] = Token(
            identity, name, digest(text), role, pop, tenant, rate, now, expires
        )
    return text


def revoke(path: Path, which: str) -> list[Token]:
    """Revoke the token of this id, or all of this name; returns them. Raises ConfigError."""
    now = time.time()
    with _changing(path) as tokens:
        found = [t for t in tokens.values() if which in (t.id, t.name) and not t.revoked]
        if not found:
            raise ConfigError([f"{path}: no token in use has the id or name {which!r}"])
        tokens |= {t.id: replace(t, revoked=now) for t in found}
    return found


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, Token]]:
    """The tokens, to be changed; written back as a whole. One at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tokens = read(path) if path.exists() else {}
        yield tokens
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"tokens": [asdict(token) for token in tokens.values()]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
