"""Each kind of check against a real server: what passes, what fails, and the reason given."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from lb.control.errors import TargetError
from lb.control.health.probe import attempt
from lb.control.health.probes import icmp
from lb.control.health.target import Target, ours
from lb.control.model.checker import Checker

LOCAL = "127.0.0.1"


def checker(timeout_s: float = 2.0, **probe: Any) -> Checker:
    return Checker.model_validate({"probe": probe, "timeout_s": timeout_s})


async def reason(port: int, address: str = LOCAL, timeout_s: float = 2.0, **probe: Any) -> str:
    """Why a check fails; "" when it passes."""
    outcome = await attempt(checker(timeout_s, **probe), Target(address, port, address))
    assert outcome.ok == (not outcome.reason)
    return outcome.reason


@contextlib.asynccontextmanager
async def answering(
    answer: bytes, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each connection's first bytes; its port, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            asked.append(await reader.read(1 << 16))
            writer.write(answer)
            await writer.drain()
        writer.transport.abort() if tls else writer.close()

    server = await asyncio.start_server(serve, LOCAL, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        await asyncio.sleep(0)


@pytest.fixture
def closed() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as bound:
        bound.bind((LOCAL, 0))
        yield bound.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts and never answers."""
    with socket.socket() as listener:
        listener.bind((LOCAL, 0))
        listener.listen()
        yield listener.getsockname()[1]


async def test_tcp(closed: int, silent: int) -> None:
    assert await reason(silent, kind="tcp") == ""
    assert await reason(closed, kind="tcp") == "connection refused"
    assert await reason(silent, kind="tcp", tls={}, timeout_s=1) == "no answer in 1 s"


def http_answer(status: str = "200 OK", body: bytes = b"", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


async def test_http() -> None:
    async with answering(http_answer(body=b"all is well")) as (port, asked):
        assert await reason(port, kind="http", path="/live?x=1", host="shop.example") == ""
        assert await reason(port, kind="http", body="is well") == ""
        why = await reason(port, kind="http", body="absent")
        assert why == "'absent' is not in the first 11 bytes of the body"
        assert await reason(port, kind="http", statuses=[204, 301]) == (
            "status 200 instead of 204, 301"
        )
    assert asked[0].startswith(b"GET /live?x=1 HTTP/1.1\r\nHost: shop.example\r\n")
    assert f"Host: {LOCAL}:{port}\r\n".encode() in asked[1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "closed before an answer"),
        (b"HTTP/1.1 20", "closed before an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP: b'SSH-2.0-OpenSSH"),
        (http_answer("503 Service Unavailable"), "status 503 instead of 200"),
        (http_answer(body=b"x" * 200_000), "'y' is not in the first 65536 bytes of the body"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\n\r\n",
            "'y' is not in the first 2 bytes of the body",
        ),
    ],
)
async def test_http_answers_that_fail(answer: bytes, expected: str) -> None:
    async with answering(answer) as (port, _):
        assert (await reason(port, kind="http", body="y")).startswith(expected)


async def test_https_asks_for_the_name_and_verifies_it(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.example").configure_cert(context)
    context.sni_callback = lambda _, name, __: names.append(name)
    right = {"sni": "shop.example", "verify": True, "ca_file": str(tmp_path / "ca.pem")}
    async with answering(http_answer(), context) as (port, _):
        assert await reason(port, kind="http", tls=right) == ""
        assert await reason(port, kind="tcp", tls={}) == ""
        wrong = await reason(port, kind="http", tls={**right, "sni": "other.example"})
        untrusted = await reason(port, kind="http", tls={"sni": "shop.example", "verify": True})
        with pytest.raises(TargetError, match="ca_file /nowhere"):
            await reason(port, kind="http", tls={**right, "ca_file": "/nowhere"})
    assert names[:3] == ["shop.example", None, "other.example"]
    assert "CERTIFICATE_VERIFY_FAILED" in wrong
    assert "CERTIFICATE_VERIFY_FAILED" in untrusted
    async with answering(http_answer()) as (port, _):
        assert (await reason(port, kind="http", tls={})).startswith("TLS: ")


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        self.transport.sendto(b"re:" + data, peer)


async def test_udp(closed: int) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, (LOCAL, 0))
    port = transport.get_extra_info("sockname")[1]
    ping = b"ping".hex()
    assert await reason(port, kind="udp", payload=ping) == ""
    assert await reason(port, kind="udp", payload=ping, expect=b"re:pi".hex()) == ""
    why = await reason(port, kind="udp", payload=ping, expect=b"no".hex())
    assert why == f"answered {b're:ping'.hex()} instead of {b'no'.hex()}"
    transport.close()
    assert await reason(closed, kind="udp", payload=ping) == "connection refused"


@pytest.mark.skipif(os.geteuid() != 0, reason="a ping socket may not be allowed")
async def test_icmp() -> None:
    assert await reason(0, kind="icmp") == ""
    assert await reason(0, kind="icmp", address="::1") == ""
    # Of class E: nobody has it, and most kernels do not even send to it.
    assert await reason(0, kind="icmp", address="240.0.0.1", timeout_s=0.1) != ""


def test_icmp_replies_are_told_from_requests_and_strangers() -> None:
    token = b"12345678"
    reply = struct.pack("!BBHHH", 0, 0, 0, 7, 1) + token
    assert icmp.is_reply(reply, 4, raw=False, token=token)
    assert icmp.is_reply(b"\x46" + bytes(23) + reply, 4, raw=True, token=token)
    assert not icmp.is_reply(b"\x08" + reply[1:], 4, raw=False, token=token)
    assert not icmp.is_reply(reply, 4, raw=False, token=b"another.")
    assert not icmp.is_reply(b"", 4, raw=True, token=token)
    whole = icmp._request(4, token)
    assert icmp.checksum(whole) == 0


@pytest.fixture
def grpc_server() -> Iterator[tuple[int, health.HealthServicer]]:
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"{LOCAL}:0")
    server.start()
    yield port, servicer
    server.stop(None).wait()


async def test_grpc(grpc_server: tuple[int, health.HealthServicer], closed: int) -> None:
    port, servicer = grpc_server
    name = "shop." + "x" * 200
    servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    servicer.set("down", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert await reason(port, kind="grpc") == ""
    assert await reason(port, kind="grpc", service=name) == ""
    assert await reason(port, kind="grpc", service="down") == "the service 'down' is NOT_SERVING"
    assert "'none' is unknown" in await reason(port, kind="grpc", service="none")
    assert await reason(closed, kind="grpc") == "connection refused"
    async with answering(http_answer()) as (plain, _):
        assert await reason(plain, kind="grpc") == "closed before an answer"


async def test_script(tmp_path: Path) -> None:
    def write(name: str, text: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)

    async def run(name: str, *arguments: str, timeout_s: float = 5) -> str:
        asked = checker(timeout_s, kind="script", script=name, arguments=arguments)
        return (await attempt(asked, Target(LOCAL, 53, "192.0.2.7"), tmp_path)).reason

    write("good", '[ "$1 $POPSCOPE_ADDRESS $POPSCOPE_PORT" = "a 127.0.0.1 53" ]')
    write("bad", "echo first; echo the zone is stale >&2; exit 3")
    write("slow", f"sleep 60 & echo $! >{tmp_path}/pid; wait")
    assert await run("good", "a") == ""
    assert await run("good", "b") == "good ended with 1: no output"
    assert await run("bad") == "bad ended with 3: the zone is stale"
    assert await run("slow", timeout_s=1) == "no answer in 1 s"
    child = Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    assert not child.exists() or child.read_text().split()[2] == "Z"
    with pytest.raises(TargetError, match="put an executable file there"):
        await run("absent")


async def test_a_machine_that_is_too_busy_judges_nobody(silent: int) -> None:
    asked = asyncio.create_task(reason(silent, kind="http", timeout_s=0.1))
    await asyncio.sleep(0.05)
    time.sleep(0.5)  # noqa: ASYNC251 - as if something else had the CPU
    with pytest.raises(TargetError, match="too busy"):
        await asked


def test_what_this_machine_lacks_is_no_verdict() -> None:
    assert "LimitNOFILE" in str(ours(OSError(24, "")))
    assert ours(ConnectionRefusedError(111, "")) is None
