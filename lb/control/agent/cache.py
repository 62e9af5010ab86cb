"""What the agent must know after a reboot without its controller, on disk."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lb.control.desired import State, digest
from lb.control.errors import StateError

FORMAT = 1


def write_file(path: Path, document: Any) -> None:
    """Replace a file as a whole; it has its checksum in its first line. Raises OSError."""
    body = json.dumps(document, separators=(",", ":")).encode()
    whole = hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    with draft.open("wb") as out:
        out.write(whole)
        out.flush()
        os.fsync(out.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_file(path: Path) -> Any:
    """A file's document, None without a file. Raises StateError when it is damaged."""
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    checksum, _, body = whole.partition(b"\n")
    if hashlib.sha256(body.removesuffix(b"\n")).hexdigest().encode() != checksum:
        raise StateError(f"{path}: the checksum is wrong: the file is damaged")
    return json.loads(body)


@dataclass(frozen=True, slots=True)
class Kept:
    """A state as it was received; `fleet` is the identity of the controllers' data base."""

    fleet: str
    revision: int
    state: State

    @property
    def digest(self) -> str:
        return digest(self.state)


def must_follow(old: Kept, new: Kept) -> None:
    """Raises StateError when a state is not a later one of the same data base."""
    if new.fleet != old.fleet:
        raise StateError(
            "this controller has another data base than the one that was followed: "
            "`popscope lb agent adopt` follows it"
        )
    if new.revision < old.revision:
        raise StateError(
            f"revision {new.revision} is older than {old.revision}, which is here: is its "
            "data base a restored one? `popscope lb agent adopt` follows it"
        )


class Cache:
    """The last state, and the one before, in a folder. `complaints`: what was wrong with them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "desired.json"
        self._previous = folder / "desired.previous.json"
        self.complaints: list[str] = []

    def load(self) -> Kept | None:
        """The last state that can be read; a damaged file is set aside. Raises OSError."""
        for path in (self._path, self._previous):
            try:
                document = read_file(path)
                if document is not None:
                    return _kept(path, document)
            except StateError as error:
                self.complaints.append(str(error))
                path.rename(path.with_suffix(".damaged"))
        return None

    def save(self, kept: Kept) -> None:
        """Keep a state. Raises OSError."""
        if self._path.exists():
            self._path.replace(self._previous)
        document = {
            "format": FORMAT,
            "fleet": kept.fleet,
            "revision": kept.revision,
            "state": kept.state,
        }
        write_file(self._path, document)


def _kept(path: Path, document: Any) -> Kept:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StateError(f"{path}: not of the format {FORMAT}: another version wrote it")
    return Kept(document["fleet"], document["revision"], document["state"])
