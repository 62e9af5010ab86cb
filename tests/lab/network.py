"""The laboratory's network: a client, a router with ECMP, a switch, directors and backends.

    client --wan-- router --+
                            | lan (switch: a bridge)
           d1, d2 (DPDK) ---+--- b1, b2, b3 (VIP on loopback)

The router sends what is for the VIP to the directors' own addresses by a hash over addresses and
ports; backends answer the client through the router, past the directors (direct server return).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.lab.shell import ip_batch, run

PORT = 80


@dataclass(frozen=True, slots=True)
class Family:
    """The addresses of one IP version."""

    vip: str
    client: str
    router_wan: str
    lan: str  # a host's last part is appended
    bits: int  # of both networks
    host_bits: int
    far: str  # of backends beyond the LAN; a last part is appended

    @property
    def router_lan(self) -> str:
        return f"{self.lan}1"


IPV4 = Family("198.51.100.1", "10.77.0.2", "10.77.0.1", "10.77.1.", 24, 32, "10.99.0.")
IPV6 = Family(
    "2001:db8:5::1",
    "2001:db8:77::2",
    "2001:db8:77::1",
    "2001:db8:77:1::",
    64,
    128,
    "2001:db8:99::",
)

# Quiet links, no source check (replies take another way than requests), and the router spreads by
# ports too. Set as default before a device is made, so that it is born with them.
_SYSCTLS = {
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
}
_NO_IPV6 = {
    "net.ipv6.conf.all.disable_ipv6": 1,
    "net.ipv6.conf.default.disable_ipv6": 1,
}
_QUIET_IPV6 = {  # addresses are ours alone, and nobody advertises
    "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.router_solicitations": 0,
}
_ROUTER_IPV6 = {
    "net.ipv6.conf.all.forwarding": 1,
    "net.ipv6.fib_multipath_hash_policy": 1,
}
_ROUTER = {
    "net.ipv4.ip_forward": 1,
    "net.ipv4.fib_multipath_hash_policy": 1,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
}
# A backend owns the VIP and must not say so on the LAN.
_BACKEND = {"net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2}


@dataclass(frozen=True, slots=True)
class Tunnel:
    """How packets reach backends beyond the LAN: the pool's mode, and the outer packets' family."""

    mode: str
    family: Family
    checksum: bool = True  # of GUE over IPv6


@dataclass(frozen=True, slots=True)
class Nat:
    """Backends without the VIP: directors translate. `client_address`: the pool's."""

    client_address: str = "none"
    port: int = 8080  # of the backends


@dataclass(frozen=True, slots=True)
class Plan:
    """Which hosts there are. Addresses on the LAN follow from the place in the tuple."""

    directors: tuple[str, ...] = ("d1", "d2")
    backends: tuple[str, ...] = ("b1", "b2", "b3")
    family: Family = IPV4
    tunnel: Tunnel | None = None
    nat: Nat | None = None

    def address(self, host: str) -> str:
        """A director's or a backend's own address."""
        if host in self.directors:
            return f"{self.family.lan}{11 + self.directors.index(host)}"
        return f"{self.family.lan}{21 + self.backends.index(host)}"

    def local(self, director: str) -> str:
        """What the backends see as the client behind a director that translates."""
        return f"{self.family.lan}{111 + self.directors.index(director)}"

    def service(self, backend: str) -> str:
        """The address that a backend's server has."""
        return self.address(backend) if self.nat else self.family.vip

    @property
    def service_port(self) -> int:
        return self.nat.port if self.nat else PORT

    def endpoint(self, backend: str) -> str:
        """Where the directors send a backend's packets to."""
        if self.tunnel is None:
            return self.address(backend)
        return f"{self.tunnel.family.far}{21 + self.backends.index(backend)}"

    def near(self, backend: str) -> str:
        """A backend's address on the LAN, of the outer packets' family."""
        family = self.tunnel.family if self.tunnel else self.family
        return f"{family.lan}{21 + self.backends.index(backend)}"

    @property
    def next_hops(self) -> set[str]:
        """Whose MAC addresses the directors need."""
        if self.tunnel is not None:
            return {self.tunnel.family.router_lan}
        return {self.address(backend) for backend in self.backends}

    @property
    def families(self) -> tuple[Family, ...]:
        """Those of the LAN: the VIP's, and the tunnel's when it is the other one."""
        outer = self.tunnel.family if self.tunnel else self.family
        return (self.family,) if outer is self.family else (self.family, outer)

    @property
    def hosts(self) -> tuple[str, ...]:
        return ("client", "router", "switch", *self.directors, *self.backends)


class Network:
    """The namespaces and links of a plan; `namespace` gives a host's namespace."""

    def __init__(self, plan: Plan, namespace: Callable[[str], str]) -> None:
        self.plan = plan
        self.namespace = namespace

    def build(self) -> None:
        """Make the namespaces, links, addresses and routes. Raises CommandError."""
        ip_batch(f"netns add {self.namespace(host)}" for host in self.plan.hosts)
        for host in self.plan.hosts:
            self._sysctl(host, _SYSCTLS | (_QUIET_IPV6 if self._ipv6 else _NO_IPV6))
            ip_batch(["link set lo up"], self.namespace(host))
        self._sysctl("router", _ROUTER | (_ROUTER_IPV6 if self._ipv6 else {}))
        self._link()
        self._address()
        for host in self.plan.directors:
            self._keep_kernel_out(host)
        for host in self.plan.backends:
            self._sysctl(host, _BACKEND)

    def route_vip(self, hosts: Iterable[str]) -> None:
        """Let the router spread packets for the VIP over these hosts (its ECMP group)."""
        hops = " ".join(f"nexthop via {self.plan.address(h)} dev lan" for h in hosts)
        vip = f"{self.plan.family.vip}/{self.plan.family.host_bits}"
        verb = f"replace {vip} {hops}" if hops else f"replace unreachable {vip}"
        ip_batch([f"route {verb}"], self.namespace("router"))

    def mac(self, host: str, device: str = "lan") -> str:
        """The MAC address of a host's device."""
        return run(
            ["cat", f"/sys/class/net/{device}/address"], namespace=self.namespace(host)
        ).strip()

    def established(self, host: str) -> int:
        """TCP connections to its service that a backend's kernel has open."""
        states = ["state", "connected", "exclude", "time-wait"]
        port = f"sport = :{self.plan.service_port}"
        out = run(["ss", "-Htn", *states, port], namespace=self.namespace(host))
        return len(out.splitlines())

    @property
    def _ipv6(self) -> bool:
        return IPV6 in self.plan.families

    def _sysctl(self, host: str, values: dict[str, int]) -> None:
        words = [f"{key}={value}" for key, value in values.items()]
        run(["sysctl", "-qw", *words], namespace=self.namespace(host))

    def _link(self) -> None:
        ns, plan = self.namespace, self.plan
        hosts = ("router", *plan.directors, *plan.backends)
        lines = [
            f"link add name wan netns {ns('client')} type veth peer name wan netns {ns('router')}"
        ]
        lines += [
            f"link add name lan netns {ns(h)} type veth peer name {h} netns {ns('switch')}"
            for h in hosts
        ]
        ip_batch(lines)
        bridge = ["link add name lan type bridge", "link set lan up"]
        for host in hosts:
            bridge += [f"link set {host} master lan", f"link set {host} up"]
        ip_batch(bridge, ns("switch"))
        # What a veth hands over has unfinished checksums unless its sender finishes them; the
        # directors, which check them, would drop it all.
        run(["ethtool", "-K", "lan", "tx", "off"], namespace=ns("router"))
        for host in plan.directors:
            run(["ethtool", "-K", host, "tx", "off"], namespace=ns("switch"))
        for host in plan.backends if plan.nat else ():
            run(["ethtool", "-K", "lan", "tx", "off"], namespace=ns(host))
        # The switch may send a director what is larger than the director's MTU.
        ip_batch((f"link set {host} mtu 1504" for host in plan.directors), ns("switch"))

    def _address(self) -> None:
        ns, plan, family = self.namespace, self.plan, self.plan.family
        ip_batch(
            [
                f"address add {family.client}/{family.bits} dev wan",
                "link set wan up",
                f"route add default via {family.router_wan}",
            ],
            ns("client"),
        )
        ip_batch(
            [
                f"address add {family.router_wan}/{family.bits} dev wan",
                f"address add {family.router_lan}/{family.bits} dev lan",
                "link set wan up",
                "link set lan up",
            ],
            ns("router"),
        )
        for host in plan.directors:  # the core has the address, the kernel has none
            ip_batch(["link set lan up"], ns(host))
        for host in plan.backends:
            ip_batch(
                [
                    f"address add {plan.address(host)}/{family.bits} dev lan",
                    "link set lan up",
                    f"route add default via {family.router_lan}",
                ],
                ns(host),
            )
        for host in () if plan.nat else plan.backends:
            ip_batch([f"address add {family.vip}/{family.host_bits} dev lo"], ns(host))
        if plan.tunnel is not None:
            self._address_far(plan.tunnel.family)

    def _keep_kernel_out(self, host: str) -> None:
        # An AF_PACKET socket gets a copy of each frame; the kernel must drop its own.
        rules = (
            "table netdev popscope { chain in { "
            "type filter hook ingress device lan priority 0; policy drop; }; }"
        )
        run(["nft", "-f", "-"], stdin=rules, namespace=self.namespace(host))

    def _address_far(self, outer: Family) -> None:
        """Give backends addresses that only the router knows the way to."""
        ns, plan = self.namespace, self.plan
        beside = outer is not plan.family  # the LAN has both families then
        router = [f"address add {outer.router_lan}/{outer.bits} dev lan"] if beside else []
        for host in plan.backends:
            near = plan.near(host)
            far = f"{plan.endpoint(host)}/{outer.host_bits}"
            lines = [f"address add {far} dev lo"]
            if beside:
                lines.append(f"address add {near}/{outer.bits} dev lan")
            ip_batch(lines, ns(host))
            router.append(f"route add {far} via {near}")
        ip_batch(router, ns("router"))
