"""A backend's HTTP server: short pages, and downloads at a limited rate. Run with `python -m`."""

from __future__ import annotations

import argparse
import asyncio
import time
import zlib

from aiohttp import web

from tests.lab import content

NAME = web.AppKey("name", str)
GRACE_S = 5.0
DOWNLOAD = {"seed": 0, "bytes": 20_000_000, "rate": 1_000_000}


async def page(request: web.Request) -> web.Response:
    """`/?n=NUMBER`: a page that says who answers."""
    name = request.app[NAME]
    return web.Response(
        text=content.page(name, int(request.query.get("n", "0"))),
        content_type="text/html",
        headers={"X-Backend": name},
    )


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    app = web.Application()
    app[NAME] = arguments.name
    app.add_routes(
        [web.get("/", page), web.get("/download", download), web.post("/upload", upload)]
    )
    web.run_app(
        app,
        host=arguments.address,
        port=arguments.port,
        access_log=None,
        backlog=512,
        shutdown_timeout=GRACE_S,
    )


if __name__ == "__main__":
    main()
