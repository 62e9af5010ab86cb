"""The backend's end of a tunnel, for kernels without one. Run with `python -m` in its namespace.

The kernel checks and reassembles the outer packets and hands them over by raw sockets (IPIP) or a
UDP socket (GUE); what was in them goes back to the kernel by a TUN device.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import selectors
import socket
import struct

from tests.lab.shell import run

READY = "decapsulating"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
UDP_NO_CHECK6_RX, SO_RCVBUFFORCE = 102, 33  # not in the module `socket`
BUFFER = 8 << 20
GUE_PORT = 6080
INNER = {4: socket.IPPROTO_IPIP, 6: socket.IPPROTO_IPV6}  # by version


def open_tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    run(["ip", "link", "set", name, "up"])
    return device


def open_sockets(mode: str, address: str, *, checksum: bool) -> list[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if mode == "ipip":
        sockets = [socket.socket(family, socket.SOCK_RAW, number) for number in INNER.values()]
        port = 0
    else:
        sockets = [socket.socket(family, socket.SOCK_DGRAM)]
        port = GUE_PORT
        if not checksum:
            sockets[0].setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        one.bind((address, port))
    return sockets


def inner(mode: str, outer_ipv4: bool, data: bytes) -> bytes:
    """The packet in what a socket received. Raises ValueError when it is none."""
    if mode == "gue":
        if data[0] != 0 or data[2:4] != b"\0\0" or data[1] != INNER[data[4] >> 4]:
            raise ValueError(f"no GUE of version 0 without flags: {data[:8].hex()}")
        return data[4:]
    # A raw socket of IPv4 gives the outer header too.
    return data[(data[0] & 15) * 4 :] if outer_ipv4 else data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=["ipip", "gue"], required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--no-checksum", action="store_true")
    arguments = parser.parse_args()
    tun = open_tun("inner")
    mode, ipv4 = arguments.mode, ":" not in arguments.address
    ready = selectors.DefaultSelector()
    for one in open_sockets(mode, arguments.address, checksum=not arguments.no_checksum):
        ready.register(one, selectors.EVENT_READ, one)
    print(READY, flush=True)
    while True:
        for key, _ in ready.select():
            os.write(tun, inner(mode, ipv4, key.data.recv(1 << 16)))


if __name__ == "__main__":
    main()
