"""The expressions of `popscope lb trace --match`, in the manner of tcpdump's, as a core takes them.

A part is `tcp`, `udp`, `icmp`, `icmp6`, `ip`, `ip6`, `arp`, `proto N`, `[src|dst] ADDRESS[/LENGTH]`
or `[src|dst] port N`; `host` and `net` may stand before an address. All parts must hold; `and` may
stand between them. A port without a direction has that of an address right before it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from lb.errors import MatchError

Term = dict[str, int | str]
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58}
_ETHERTYPES = {"ip": 0x0800, "ip6": 0x86DD, "arp": 0x0806}
_SIDES = {"src": "source", "dst": "destination"}


def parse(expression: str) -> list[Term]:
    """The terms of a request `trace`. Raises MatchError, naming the word that is wrong."""
    return list(_Words(expression.split()).terms())


class _Words:
    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def terms(self) -> Iterator[Term]:
        side = ""
        while self._at < len(self._words):
            word = self._next("")
            if word == "and":
                side = ""
                self._end_of_and()
            elif word in _PROTOCOLS:
                yield {"protocol": _PROTOCOLS[word]}
            elif word in _ETHERTYPES:
                yield {"ethertype": _ETHERTYPES[word]}
            elif word == "proto":
                yield {"protocol": self._number("a protocol", 255)}
            else:
                side, term = self._sided(word, side)
                yield term

    def _sided(self, word: str, side: str) -> tuple[str, Term]:
        if word in _SIDES:
            side, word = _SIDES[word], self._next("an address or `port N`")
        elif word != "port":
            side = ""
        if word == "port":
            term: Term = {"port": self._number("a port", 65535)}
        else:
            if word in ("host", "net"):
                word = self._next("an address")
            term = {"network": _network(word)}
        return side, {**term, "side": side} if side else term

    def _end_of_and(self) -> None:
        if self._at in (1, len(self._words)) or self._words[self._at] == "and":
            raise MatchError("`and` must stand between two parts")

    def _next(self, wanted: str) -> str:
        if self._at == len(self._words):
            raise MatchError(f"{wanted} must follow {self._words[-1]!r}")
        self._at += 1
        return self._words[self._at - 1]

    def _number(self, what: str, most: int) -> int:
        text = self._next(f"{what} (0 to {most})")
        if not text.isascii() or not text.isdigit() or int(text) > most:
            raise MatchError(f"{text!r} is not {what} (0 to {most})")
        return int(text)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        known = ", ".join([*_PROTOCOLS, *_ETHERTYPES, "proto", *_SIDES, "host", "net", "port"])
        raise MatchError(f"{text!r} is neither a network ({error}) nor one of {known}") from error
