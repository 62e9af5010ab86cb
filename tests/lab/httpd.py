"""A backend's HTTP server: short pages, downloads at a limited rate, uploads.

Run with `python -m`. With `--proxy` it expects the header of the PROXY protocol first of all;
with `--echo` it also answers datagrams to its port.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import time
import zlib
from typing import cast

from aiohttp import web

from tests.lab import content
from tests.lab.proxy import Clients, Proxied

NAME = web.AppKey("name", str)
CLIENTS: web.AppKey[Clients] = web.AppKey("clients")
GRACE_S = 5.0
DOWNLOAD = {"seed": 0, "bytes": 20_000_000, "rate": 1_000_000}


async def page(request: web.Request) -> web.Response:
    """`/?n=NUMBER`: a page that says who answers, and to whom."""
    name = request.app[NAME]
    return web.Response(
        text=content.page(name, int(request.query.get("n", "0"))),
        content_type="text/html",
        headers={"X-Backend": name, "X-Client": client(request)},
    )


def client(request: web.Request) -> str:
    """Address and port of the client, as the PROXY header or else the kernel says."""
    peer = request.transport.get_extra_info("peername") if request.transport else ("?", 0)
    address, port = request.app[CLIENTS].get(peer, peer[:2])
    return f"{address} {port}"


async def download(request: web.Request) -> web.StreamResponse:
    """`/download?seed=S&bytes=N&rate=BYTES_PER_SECOND`: a body that only S and N decide."""
    seed, size, rate = (int(request.query.get(key, DOWNLOAD[key])) for key in DOWNLOAD)
    response = web.StreamResponse(headers={"X-Backend": request.app[NAME]})
    response.content_type = "application/octet-stream"
    response.content_length = size
    await response.prepare(request)
    start, sent = time.monotonic(), 0
    for block in content.blocks(seed, size):
        await response.write(block)
        sent += len(block)
        await asyncio.sleep(max(0.0, start + sent / rate - time.monotonic()))
    await response.write_eof()
    return response


async def upload(request: web.Request) -> web.Response:
    """POST `/upload`: says who got how many bytes, and their CRC-32."""
    size, crc = 0, 0
    async for block in request.content.iter_chunked(content.BLOCK):
        size += len(block)
        crc = zlib.crc32(block, crc)
    return web.Response(text=f"{request.app[NAME]} {size} {crc}")


class Echo(asyncio.DatagramProtocol):
    """Answers a datagram with the backend's name in front of it."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        self.transport.sendto(self.name + b" " + data, addr)


async def serve(app: web.Application, arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT, then let what is in flight end."""
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S)
    await runner.setup()
    inner = runner.server
    assert inner is not None
    place = {"host": arguments.address, "port": arguments.port}
    if arguments.echo:
        where = (arguments.address, arguments.port)
        await loop.create_datagram_endpoint(lambda: Echo(arguments.name), local_addr=where)
    factory = (lambda: Proxied(inner, app[CLIENTS])) if arguments.proxy else inner
    server = await loop.create_server(factory, **place, backlog=512)
    print("Running on", arguments.address, arguments.port, flush=True)
    await ending.wait()
    server.close()
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--proxy", action="store_true")
    parser.add_argument("--echo", action="store_true")
    arguments = parser.parse_args()
    app = web.Application()
    app[NAME] = arguments.name
    app[CLIENTS] = {}
    app.add_routes(
        [web.get("/", page), web.get("/download", download), web.post("/upload", upload)]
    )
    asyncio.run(serve(app, arguments))


if __name__ == "__main__":
    main()
