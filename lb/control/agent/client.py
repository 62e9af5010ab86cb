"""The client of an agent's socket."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from lb.control.agent.local import SOCKET
from lb.core_client import LineClient, connect
from lb.errors import ConfigError, ControlError


class AgentClient(LineClient):
    """An agent by its core's folder."""

    who = "agent"
    command = "popscope lb agent run"

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir / SOCKET, 10.0)

    def answers(self) -> bool:
        """Whether an agent is there."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connect(connection, self.path)
            except OSError:
                return False
        return True

    def ask(self, op: str, **more: Any) -> dict[str, Any]:
        """What the agent answers. Raises ControlError."""
        try:
            return self._ask({"op": op, **more})
        except ConfigError as error:
            raise ControlError("; ".join(p.message for p in error.problems)) from error
