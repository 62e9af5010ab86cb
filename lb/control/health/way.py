"""The way of a check to the VIP on one backend, for pools of direct return by MAC address.

All backends have the VIP, so a route cannot tell them apart. A check's socket has a mark (SO_MARK:
CAP_NET_RAW, Linux 5.17); a rule sends marked packets out of the device on the backends' link, to a
next hop that does not exist; and there, at the egress hook (Linux 5.16), a map from mark to MAC
address makes the frame the backend's. One look-up a packet, however many backends there are. The
MAC addresses are those that the core itself uses.

    mark = 0x50000000 | device's number << 16 | backend's number
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lb.control.errors import TargetError

TABLE = "popscope_checks"
BASE, DEVICE_SHIFT = 0x50000000, 16
BACKENDS_MAX = 1 << DEVICE_SHIFT
_ROUTES = 50500  # the routing table of the first device
_NOWHERE4, _NOWHERE6 = "169.254.80.83", "fe80::5053"
_NOBODY = "02:00:00:00:50:53"


@dataclass(frozen=True, slots=True)
class Way:
    """A device of the kernel on the link of backends; `number` (0 to 255) is unique here."""

    device: str
    number: int = 0
    ipv6: bool = True

    def _nowhere(self) -> list[tuple[str, str]]:
        return [("-4", _NOWHERE4), *([("-6", _NOWHERE6)] if self.ipv6 else [])]

    def mark(self, backend: int) -> int:
        """The mark of a backend's checks; `backend` is 0 to 65535."""
        if not 0 <= backend < BACKENDS_MAX:
            raise TargetError(f"{self.device}: more than {BACKENDS_MAX} backends to check")
        return BASE | self.number << DEVICE_SHIFT | backend

    def commands(self) -> list[str]:
        """Of `ip`: routes and their next hop. May be repeated."""
        table = _ROUTES + self.number
        lines = []
        for ip, via in self._nowhere():
            lines += [
                f"{ip} route replace default via {via} dev {self.device} onlink table {table}",
                f"{ip} neigh replace {via} lladdr {_NOBODY} dev {self.device} nud permanent",
            ]
        return lines

    def rules(self) -> list[str]:
        """Of `ip`, with {} for the verb: what sends marked packets to the device's table."""
        match = f"fwmark {self.mark(0):#x}/0xffff0000 lookup {_ROUTES + self.number}"
        return [f"{ip} rule {{}} {match}" for ip, _ in self._nowhere()]

    def nft(self, macs: Mapping[int, str]) -> str:
        """The whole ruleset of the device, replaced as one transaction; `macs` by mark.

        A marked packet of a backend whose MAC address is not known is dropped, not misdirected.
        """
        name = f"{TABLE}_{self.number}"
        elements = ", ".join(f"{mark:#010x} : {mac}" for mark, mac in sorted(macs.items()))
        filled = f"elements = {{ {elements} }}" if elements else ""
        mine = f"meta mark & 0xffff0000 == {self.mark(0):#x}"
        return "\n".join(
            [
                f"table netdev {name}",
                f"delete table netdev {name}",
                f"table netdev {name} {{",
                f"map backends {{ type mark : ether_addr; {filled}",
                "}",
                "chain out {",
                f'type filter hook egress device "{self.device}" priority 0; policy accept;',
                f"{mine} ether daddr {_NOBODY} ether daddr set meta mark map @backends",
                f"{mine} ether daddr {_NOBODY} drop",
                "}",
                "}",
                "",
            ]
        )

    async def open(self) -> None:
        """Make it, replacing what an earlier agent left. Raises TargetError."""
        await self._unrule()
        for rule in self.rules():
            await _run(["ip", *rule.format("add").split()])
        for line in self.commands():
            await _run(["ip", *line.split()])
        await self.update({})

    async def update(self, macs: Mapping[int, str]) -> None:
        """Send checks to these MAC addresses from now on. Raises TargetError."""
        await _run(["nft", "-f", "-"], self.nft(macs))

    async def close(self) -> None:
        """Remove it."""
        await self._unrule()
        for ip, _ in self._nowhere():
            await _run(["ip", ip, "route", "flush", "table", str(_ROUTES + self.number)])
        await _run(["nft", "delete", "table", "netdev", f"{TABLE}_{self.number}"])

    async def _unrule(self) -> None:
        for rule in self.rules():
            while await _status(["ip", *rule.format("del").split()]) == 0:
                pass


async def _status(argv: Sequence[str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def _run(argv: Sequence[str], text: str = "") -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise TargetError(f"{argv[0]}: {error.strerror}: is it installed?") from error
    _, said = await process.communicate(text.encode())
    if process.returncode:
        raise TargetError(f"`{' '.join(argv)}`: {said.decode(errors='replace').strip()[:300]}")
