"""Which prefixes a node announces, and how: pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from lb.control.desired import Desired

# RFC 8326: routers that know it prefer every other way at once.
GRACEFUL_SHUTDOWN = (65535, 0)
PREPENDS = 3


@dataclass(frozen=True, slots=True)
class Announcement:
    """A prefix as it is announced; `leaving`: as the last choice, before it is withdrawn."""

    prefix: str
    origin: int | None = None
    communities: tuple[tuple[int, ...], ...] = ()
    leaving: bool = False


def prefixes(desired: Desired, healthy: Mapping[str, bool]) -> dict[str, Announcement]:
    """What would be announced if nothing stood against it.

    A VIP outside of any prefix is announced by itself, while it is healthy; a prefix while one of
    its VIPs is. `healthy` by address.
    """
    found: dict[str, Announcement] = {}
    for vip in desired.all("vip").values():
        if not healthy.get(vip.address):
            continue
        if vip.prefix is None:
            network = str(ipaddress.ip_network(vip.address))
            found[network] = Announcement(network)
        else:
            spec = desired.all("prefix")[vip.prefix]
            communities = tuple(tuple(map(int, c.split(":"))) for c in spec.communities)
            found[spec.prefix] = Announcement(spec.prefix, spec.asn, communities)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node's announcements are, and since when it has been leaving; None: it is not."""

    announced: Mapping[str, Announcement]
    leaving_since: float | None = None


def step(
    standing: Standing,
    wanted: Mapping[str, Announcement],
    *,
    leave: bool,
    dead: bool,
    now: float,
    grace_s: float,
) -> Standing:
    """What to announce next. `dead`: the data path is gone, so at once nothing.

    Who has to leave announces what it did as the last choice for `grace_s`, so that others take
    over first, and then nothing.
    """
    if dead:
        return Standing({})
    if not leave:
        return Standing(wanted)
    since = standing.leaving_since if standing.leaving_since is not None else now
    if now - since >= grace_s or not standing.announced:
        return Standing({}, since)
    still = {p: a for p, a in standing.announced.items() if p in wanted}
    return Standing({p: _leaving(a) for p, a in still.items()}, since)


def _leaving(a: Announcement) -> Announcement:
    return Announcement(a.prefix, a.origin, a.communities, leaving=True)
