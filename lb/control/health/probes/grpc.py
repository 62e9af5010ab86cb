"""`grpc.health.v1.Health/Check`, by HTTP/2.

A gRPC library opens its own connections, which could not take the way to one backend's VIP; so the
two messages of one field each are written here, and HTTP/2 is h2's.
"""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from lb.control.health.stream import Stream
from lb.control.health.target import Failed, Target
from lb.control.model.checker import Grpc

_CONFIG = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
_STREAM = 1
_SERVING = 1
_STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_NOT_FOUND = "5"


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def question(service: str) -> bytes:
    """A length-prefixed HealthCheckRequest: field 1, a string."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def serving_status(body: bytes) -> int:
    """The status of a length-prefixed HealthCheckResponse: field 1, an enum. Raises Failed."""
    message = body[5:]
    if len(body) < 5 or body[0] or len(message) != int.from_bytes(body[1:5], "big"):
        raise Failed(f"not an uncompressed gRPC message: {body[:16].hex()}")
    if not message:
        return 0
    if message[0] != 0x08 or len(message) != 2:
        raise Failed(f"not a HealthCheckResponse: {message[:16].hex()}")
    return message[1]


def _headers(probe: Grpc, target: Target) -> list[tuple[str, str]]:
    literal = f"[{target.address}]" if ":" in target.address else target.address
    return [
        (":method", "POST"),
        (":scheme", "https" if probe.tls else "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", probe.authority or f"{literal}:{target.port}"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "popscope-health"),
    ]


class _Call:
    """One unary call's answer."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.headers: dict[str, str] = {}
        self.ended = False

    def take(self, event: h2.events.Event, connection: h2.connection.H2Connection) -> None:
        """Take one event in. Raises Failed when the server gave up."""
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            self.headers.update((str(k), str(v)) for k, v in event.headers or ())
        elif isinstance(event, h2.events.DataReceived):
            self.body += event.data or b""
            connection.acknowledge_received_data(event.flow_controlled_length or 0, _STREAM)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended = True
        elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
            raise Failed(f"HTTP/2 error {event.error_code!s}")


async def check(probe: Grpc, target: Target) -> None:
    """Raises Failed or OSError when the backend does not pass."""
    call = _Call()
    connection = h2.connection.H2Connection(_CONFIG)
    async with Stream(target, probe.tls, "h2") as stream:
        connection.initiate_connection()
        connection.send_headers(_STREAM, _headers(probe, target))
        connection.send_data(_STREAM, question(probe.service), end_stream=True)
        while not call.ended:
            await stream.send(connection.data_to_send())
            part = await stream.receive()
            if not part:
                raise Failed("closed before an answer")
            try:
                for event in connection.receive_data(part):
                    call.take(event, connection)
            except h2.exceptions.ProtocolError as error:
                raise Failed(f"not HTTP/2: {error}") from error
    _judge(probe, call)


def _judge(probe: Grpc, call: _Call) -> None:
    http, status = call.headers.get(":status", ""), call.headers.get("grpc-status", "")
    if http != "200":
        raise Failed(f"HTTP status {http or 'missing'} instead of 200")
    if status == _NOT_FOUND:
        raise Failed(f"the service {probe.service!r} is unknown there")
    if status != "0":
        raise Failed(f"gRPC status {status or 'missing'}: {call.headers.get('grpc-message', '')}")
    found = serving_status(bytes(call.body))
    if found != _SERVING:
        raise Failed(f"the service {probe.service!r} is {_STATUSES.get(found, found)}")
