"""What all models of the control plane have in common: strict, frozen, and no unknown keys."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[A-Za-z0-9._-]{1,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Port = Annotated[int, Field(ge=1, le=65535)]
Asn = Annotated[int, Field(ge=1, le=4294967295)]


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _interface(text: str) -> str:
    if "/" not in text:
        raise ValueError(f"{text}: needs a prefix length, as {text}/24")
    return str(ipaddress.ip_interface(text))


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _ipv4(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def _ipv6(text: str) -> str:
    return str(ipaddress.IPv6Address(text))


IPv4 = Annotated[str, AfterValidator(_ipv4)]
IPv6 = Annotated[str, AfterValidator(_ipv6)]
Address = Annotated[str, AfterValidator(_address)]
Interface = Annotated[str, AfterValidator(_interface)]
Network = Annotated[str, AfterValidator(_network)]


@dataclass(frozen=True, slots=True)
class Ref:
    """Marks a field that names another resource, of this kind."""

    kind: str


class Spec(BaseModel):
    """A part of a document; a key that it does not know is an error that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def references(self, place: str = "") -> Iterator[tuple[str, str, str]]:
        """(place of the field, kind, name) of all resources that it names, at any depth."""
        for name, field in type(self).model_fields.items():
            value, at = getattr(self, name), f"{place}/{name}"
            ref = next((m for m in field.metadata if isinstance(m, Ref)), None)
            yield from _references(value, at, ref)


def _references(value: Any, place: str, ref: Ref | None) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, Spec):
        yield from value.references(place)
    elif isinstance(value, tuple):
        for i, element in enumerate(value):
            yield from _references(element, f"{place}/{i}", ref)
    elif ref is not None and value:
        yield place, ref.kind, value
