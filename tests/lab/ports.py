"""The TCP ports of the services, and who has them when they are taken."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from tests.lab.errors import MissingError
from tests.lab.shell import run

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the services listen, all on the loopback address."""

    pipeline: int = 8080
    sql: int = 8123
    exporters: tuple[int, ...] = (9109, 9110)
    prometheus: int = 9090
    alertmanager: int = 9093

    @classmethod
    def choose(cls, base: int | None) -> Ports:
        """The usual ports, or consecutive ones from `base` on. Raises MissingError when taken.

        Prometheus and Alertmanager go to any free port when theirs is taken.
        """
        if base is not None:
            ports = cls(base, base + 1, (base + 2, base + 3), base + 4, base + 5)
        else:
            ports = cls()
        needed = (ports.pipeline, ports.sql, *ports.exporters)
        if taken := [f"{port} ({holder(port)})" for port in needed if not free(port)]:
            raise MissingError(
                f"these ports of {HOST} are taken: {', '.join(taken)}; end what has them, "
                "or give other ports with --port-base 18080"
            )
        return cls(
            ports.pipeline,
            ports.sql,
            ports.exporters,
            ports.prometheus if free(ports.prometheus) else any_free(),
            ports.alertmanager if free(ports.alertmanager) else any_free(),
        )

    @classmethod
    def any(cls, exporters: int = 2) -> Ports:
        """Ports that are free now, for tests."""
        many = [any_free() for _ in range(exporters)]
        return cls(any_free(), any_free(), tuple(many), any_free(), any_free())


def free(port: int) -> bool:
    """Whether nobody listens on the port, here or on all addresses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def any_free() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def holder(port: int) -> str:
    """The process that listens on a port, as far as we may see it."""
    listening = run(["ss", "-Hltnp", f"sport = :{port}"])
    if found := re.search(r'\(\("([^"]+)",pid=(\d+)', listening):
        return f"by {found[1]}, pid {found[2]}"
    return "by whom is not shown to us"
