"""Health checkers: what is asked of a backend, how often, and what decides."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from lb.control.model.base import Name, Port, Spec

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-fA-F]{2})*$", max_length=4096)]
Line = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=1024)]
Status = Annotated[int, Field(ge=100, le=599)]


class Tls(Spec):
    """How a check speaks TLS. `sni` is the name asked for; it is verified if `verify`."""

    sni: Line = ""
    verify: bool = False
    ca_file: str = ""

    @model_validator(mode="after")
    def _sni_is_needed(self) -> Self:
        if self.verify and not self.sni:
            raise ValueError("sni: needed to verify a certificate; give it, or verify false")
        return self


class Tcp(Spec):
    """The connection is accepted, and TLS is agreed upon if asked for."""

    kind: Literal["tcp"] = "tcp"
    tls: Tls | None = None


class Http(Spec):
    """One request; passes on one of `statuses`, with `body` somewhere in the first 64 KiB."""

    kind: Literal["http"] = "http"
    method: Literal["GET", "HEAD", "OPTIONS"] = "GET"
    path: Line = "/"
    host: Line = ""
    statuses: tuple[Status, ...] = (200,)
    body: str = Field(default="", max_length=1024)
    tls: Tls | None = None

    @model_validator(mode="after")
    def _path_is_absolute(self) -> Self:
        if not self.path.startswith("/") or " " in self.path:
            raise ValueError("path: must begin with / and have no space")
        if not self.statuses:
            raise ValueError("statuses: name at least one")
        if self.body and self.method != "GET":
            raise ValueError(f"body: an answer to {self.method} has none; use GET")
        return self


class Udp(Spec):
    """A datagram; passes on an answer that begins with `expect`. Both in hexadecimal."""

    kind: Literal["udp"] = "udp"
    payload: Hex
    expect: Hex = ""


class Icmp(Spec):
    """An echo request."""

    kind: Literal["icmp"] = "icmp"


class Grpc(Spec):
    """`grpc.health.v1.Health/Check` of `service`; passes on SERVING."""

    kind: Literal["grpc"] = "grpc"
    service: Line = ""
    authority: Line = ""
    tls: Tls | None = None


class Script(Spec):
    """A program of the node's own folder of checks; passes on exit status 0.

    It is named, not given: whoever may write checkers must not run commands on nodes.
    """

    kind: Literal["script"] = "script"
    script: Name
    arguments: tuple[Line, ...] = ()


Probe = Annotated[Tcp | Http | Udp | Icmp | Grpc | Script, Field(discriminator="kind")]


class Dampening(Spec):
    """Against flapping (as RFC 2439 has it for routes): every way down costs one point, which
    halves every `half_life_s`. From `suppress` points on, the way up is closed until they are
    below `reuse`, for `max_s` at most.
    """

    half_life_s: float = Field(default=60, ge=1, le=86400)
    suppress: float = Field(default=3, ge=1, le=100)
    reuse: float = Field(default=1, gt=0, le=100)
    max_s: float = Field(default=300, ge=1, le=86400)

    @model_validator(mode="after")
    def _reuse_is_lower(self) -> Self:
        if self.reuse >= self.suppress:
            raise ValueError("reuse: must be below suppress")
        return self


class Checker(Spec):
    """A health checker. Times in seconds; `jitter` is the part of an interval that is random.

    `port` replaces the listener's port; `to` is whether the check goes to the VIP on the backend
    or to the backend's own address.
    """

    probe: Probe
    interval_s: float = Field(default=5, ge=0.1, le=3600)
    timeout_s: float = Field(default=2, ge=0.05, le=600)
    rise: int = Field(default=2, ge=1, le=100)
    fall: int = Field(default=3, ge=1, le=100)
    jitter: float = Field(default=0.1, ge=0, le=0.5)
    port: Port | None = None
    to: Literal["vip", "address"] = "vip"
    dampening: Dampening | None = Dampening()

    @model_validator(mode="after")
    def _timeout_is_shorter(self) -> Self:
        if self.timeout_s > self.interval_s:
            raise ValueError("timeout_s: must not be above interval_s, or checks would overlap")
        return self

    @property
    def failing_interval_s(self) -> float:
        """From the start of a failed check of a backend in service to the next one's.

        Shorter by the timeout: a backend that dies in silence is then out after `interval_s` times
        `fall` all the same.
        """
        return max(self.interval_s - self.timeout_s, self.timeout_s)

    @property
    def detection_s(self) -> float:
        """After a backend dies, in silence or not, it is down within this, at the latest."""
        return self.interval_s + (self.fall - 1) * self.failing_interval_s + self.timeout_s
