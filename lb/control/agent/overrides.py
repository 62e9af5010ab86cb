"""What people decided on the node itself: it wins over the controller until it is released."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lb.control.agent.cache import read_file, write_file
from lb.control.errors import StateError

Member = tuple[str, str]  # (pool, member)


@dataclass(frozen=True, slots=True)
class Override:
    """A weight that was set by hand, and when (seconds of the epoch)."""

    pool: str
    member: str
    weight: int
    since: float


class Overrides:
    """Kept on disk at once: they outlive the agent and the machine."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "overrides.json"
        self._mark = folder / "maintenance"
        self.complaint = ""
        self._all: dict[Member, Override] = {}
        try:
            listed = read_file(self._path) or []
            self._all = {(o["pool"], o["member"]): Override(**o) for o in listed}
        except StateError as error:
            self.complaint = str(error)

    def set(self, pool: str, member: str, weight: int) -> None:
        """Set a member's weight. Raises OSError."""
        self._all[pool, member] = Override(pool, member, weight, time.time())
        self._save()

    def release(self, pool: str, member: str) -> bool:
        """Whether there was one. Raises OSError."""
        if self._all.pop((pool, member), None) is None:
            return False
        self._save()
        return True

    @property
    def maintenance(self) -> bool:
        """Whether this node was put into maintenance by hand."""
        return self._mark.exists()

    def set_maintenance(self, on: bool) -> None:
        """Begin or end it. Raises OSError."""
        if on:
            self._mark.touch()
        else:
            self._mark.unlink(missing_ok=True)

    def weights(self) -> dict[Member, int]:
        """The weights, by (pool, member)."""
        return {key: override.weight for key, override in self._all.items()}

    def document(self) -> list[dict[str, object]]:
        """As JSON."""
        return [asdict(self._all[key]) for key in sorted(self._all)]

    def _save(self) -> None:
        write_file(self._path, self.document())
