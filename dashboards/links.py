"""Names and addresses of the dashboards, as links use them."""

from __future__ import annotations

from collections.abc import Sequence

FLEET_UID = "popscope-fleet"
POP_UID = "popscope-pop"
NODE_UID = "popscope-node"
LCORE_UID = "popscope-lcore"
VIP_UID = "popscope-vip"
BACKEND_UID = "popscope-backend"
CONTROL_UID = "popscope-control"
PIPELINE_UID = "popscope-pipeline"
CAPACITY_UID = "popscope-capacity"
PROMETHEUS_UID = "popscope-prometheus"
# The way from a fleet to what is wrong in it. Each dashboard links to the one before and after it.
WAY = {
    FLEET_UID: "Fleet",
    POP_UID: "PoP",
    NODE_UID: "Node",
    LCORE_UID: "Lcores and ports",
    VIP_UID: "VIPs",
    BACKEND_UID: "Backends",
    CONTROL_UID: "Control plane",
    PIPELINE_UID: "Pipeline",
    CAPACITY_UID: "Capacity",
}


def narrowed(uid: str, keys: Sequence[str]) -> str:
    """A link from a row of a table to a dashboard, its variables set to the row's values."""
    chosen = "".join(f"&var-{key}=${{__data.fields.{key}}}" for key in keys)
    return f"/d/{uid}?${{__url_time_range}}{chosen}"


def beside(uid: str) -> list[tuple[str, str]]:
    """Uid and title of the dashboards before and after this one, if it is on the way."""
    way = list(WAY)
    if uid not in WAY:
        return []
    at = way.index(uid)
    near = [(way[i], sign) for i, sign in ((at - 1, "←"), (at + 1, "→")) if 0 <= i < len(way)]
    return [(other, f"{sign} {WAY[other]}") for other, sign in near]
