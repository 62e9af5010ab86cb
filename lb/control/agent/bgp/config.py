"""BIRD's configuration for a node's announcements."""

from __future__ import annotations

from collections.abc import Mapping

from lb.control.agent.bgp.routes import GRACEFUL_SHUTDOWN, PREPENDS, Announcement
from lb.control.model.resources import Bgp, Neighbor


def render(bgp: Bgp, announced: Mapping[str, Announcement]) -> str:
    """The whole file. What is announced are static routes; nothing is taken in."""
    lines = [
        "log stderr { warning, error, fatal, bug };",
        f"router id {bgp.router_id};",
        "protocol device { }",
    ]
    for version, hop in ((4, bgp.next_hop), (6, bgp.next_hop6)):
        if hop is not None:
            lines += _static(bgp, version, announced)
    if any(neighbor.bfd for neighbor in bgp.neighbors):
        lines.append("protocol bfd { }")
    for i, neighbor in enumerate(bgp.neighbors):
        lines += _session(bgp, i, neighbor)
    return "\n".join(lines) + "\n"


def _static(bgp: Bgp, version: int, announced: Mapping[str, Announcement]) -> list[str]:
    mine = [a for a in announced.values() if (":" in a.prefix) == (version == 6)]
    routes = [f"  route {a.prefix} blackhole {{ {_attributes(bgp, a)} }};" for a in mine]
    head = f"protocol static vips{version} {{ ipv{version};"
    return [head, *routes, "}"]


def _attributes(bgp: Bgp, a: Announcement) -> str:
    # Of what is prepended, the last one is in front; the session prepends our own AS before all.
    own = [f"bgp_path.prepend({bgp.asn});"] * (PREPENDS if a.leaving else 0)
    origin = [f"bgp_path.prepend({a.origin});"] if a.origin not in (None, bgp.asn) else []
    graceful = [GRACEFUL_SHUTDOWN] if a.leaving else []
    communities = [
        f"{'bgp_large_community' if len(c) == 3 else 'bgp_community'}"
        f".add(({','.join(map(str, c))}));"
        for c in (*a.communities, *graceful)
    ]
    return " ".join([*origin, *own, *communities])


def _session(bgp: Bgp, number: int, neighbor: Neighbor) -> list[str]:
    channels = [
        f"  ipv{version} {{ import none; next hop address {hop}; "
        f'export where source = RTS_STATIC && proto = "vips{version}"; }};'
        for version, hop in ((4, bgp.next_hop), (6, bgp.next_hop6))
        if hop is not None
    ]
    return [
        f"protocol bgp router{number} {{",
        f"  local {bgp.source} as {bgp.asn}; strict bind on;",
        f"  neighbor {neighbor.address} as {neighbor.asn};",
        f"  hold time {neighbor.hold_s}; connect retry time 2; error wait time 1,8;",
        "  connect delay time 1; startup hold time 30;",
        "  multihop;" if neighbor.multihop else "  direct;",
        *(["  bfd on;"] if neighbor.bfd else []),
        *channels,
        "}",
    ]
