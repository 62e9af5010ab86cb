"""The configuration of the laboratory's directors, as the core takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.lab.network import IPV6, PORT, Plan

WEIGHT = 100
POOL = "web"
# Beside the web: listeners that make a director drop for reasons that its configuration decides.
UNSERVED_PORT, STRICT_PORT, SILENT_PORT = 8080, 8443, 9999
ECHO_PORT = 53  # of the backends that translation leads to
SILENT_ADDRESS = "10.77.1.99"  # on-link, and nobody answers for it


def configuration(
    plan: Plan,
    director: str,
    generation: int,
    weights: Mapping[str, int],
    *,
    traps: bool = False,
) -> dict[str, Any]:
    """One pool of all backends behind the VIP. `weights`: where they differ from 100.

    `traps` adds an own address and a VIP of IPv6, a pool without a serving backend (UDP and TCP
    UNSERVED_PORT), a listener that does not pick up connections (STRICT_PORT), and a pool whose
    backend never resolves (SILENT_PORT).
    """
    backends = [
        {"name": name, "address": plan.endpoint(name), "weight": weights.get(name, WEIGHT)}
        | ({"port": plan.service_port} if plan.nat else {})
        for name in plan.backends
    ]
    pools = [{"name": POOL, **_mode(plan, director), "backends": backends}]
    vip = plan.family.vip
    host = 11 + plan.directors.index(director)
    addresses = [{"port": 0, "address": f"{f.lan}{host}/{f.bits}"} for f in plan.families]
    listeners = [_listener(vip, "web-80", PORT, POOL)]
    if plan.nat:
        local = f"{plan.local(director)}/{plan.family.bits}"
        addresses.append({"port": 0, "address": local})
        listeners.append({**_listener(vip, "echo", ECHO_PORT, POOL), "protocol": "udp"})
    if traps:
        other = replace(plan, family=IPV6)
        addresses.append({"port": 0, "address": f"{other.address(director)}/{IPV6.bits}"})
        pools += [
            _pool("unserved", {"name": "u1", "address": plan.address("b1"), "weight": 0}),
            _pool("silent", {"name": "s1", "address": SILENT_ADDRESS, "weight": 1}),
        ]
        listeners += [
            _listener(other.family.vip, "web6-80", PORT, POOL),
            _listener(vip, "unserved", UNSERVED_PORT, "unserved"),
            {**_listener(vip, "strict", STRICT_PORT, POOL), "tcp_sloppy": False},
            {**_listener(vip, "silent", SILENT_PORT, "silent"), "protocol": "udp"},
        ]
    return {
        "generation": generation,
        "addresses": addresses,
        "routes": _routes(plan),
        "pools": pools,
        "listeners": listeners,
    }


def _mode(plan: Plan, director: str) -> dict[str, Any]:
    if plan.nat:
        local = [plan.local(director)]
        return {
            "mode": "nat",
            "local_addresses": local,
            "client_address": plan.nat.client_address,
        }
    if plan.tunnel is None:
        return {"mode": "dsr"}
    gue = {} if plan.tunnel.checksum else {"gue_checksum": False}
    return {"mode": plan.tunnel.mode, **gue}


def _routes(plan: Plan) -> list[dict[str, str]]:
    if plan.tunnel is None:
        return []
    everything = "::/0" if plan.tunnel.family is IPV6 else "0.0.0.0/0"
    return [{"prefix": everything, "via": plan.tunnel.family.router_lan}]


def _pool(name: str, backend: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "mode": "dsr", "backends": [backend]}


def _listener(vip: str, name: str, port: int, pool: str) -> dict[str, Any]:
    return {"name": name, "address": vip, "port": port, "protocol": "tcp", "pool": pool}
