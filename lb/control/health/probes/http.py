"""HTTP and HTTPS."""

from __future__ import annotations

from functools import lru_cache

import httptools

from lb.control.health.stream import Stream
from lb.control.health.target import Failed, Target
from lb.control.model.checker import Http

BODY_MAX = 1 << 16


@lru_cache(maxsize=1 << 16)
def request(probe: Http, address: str, port: int) -> bytes:
    """The request's bytes."""
    literal = f"[{address}]" if ":" in address else address
    default = 443 if probe.tls else 80
    host = probe.host or (literal if port == default else f"{literal}:{port}")
    return (
        f"{probe.method} {probe.path} HTTP/1.1\r\nHost: {host}\r\n"
        "User-Agent: popscope-health\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ).encode()


class _Answer:
    """What httptools calls while it parses."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.headers = False
        self.complete = False

    def on_headers_complete(self) -> None:
        self.headers = True

    def on_body(self, part: bytes) -> None:
        if len(self.body) < BODY_MAX:
            self.body += part[: BODY_MAX - len(self.body)]

    def on_message_complete(self) -> None:
        self.complete = True


async def check(probe: Http, target: Target) -> None:
    """Raises Failed or OSError when the backend does not pass."""
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    wanted = probe.body.encode()
    async with Stream(target, probe.tls) as stream:
        await stream.send(request(probe, target.address, target.port))
        while not _enough(probe, parser, answer, wanted):
            part = await stream.receive()
            if not part:
                break
            try:
                parser.feed_data(part)
            except httptools.HttpParserError as error:
                raise Failed(f"not HTTP: {part[:40]!r}") from error
    if not answer.headers:
        raise Failed("closed before an answer")
    if wanted and wanted not in answer.body:
        raise Failed(f"{probe.body!r} is not in the first {len(answer.body)} bytes of the body")


def _enough(
    probe: Http, parser: httptools.HttpResponseParser, answer: _Answer, wanted: bytes
) -> bool:
    """Whether the verdict is known. Raises Failed on a wrong status."""
    if not answer.headers:
        return False
    status = parser.get_status_code()
    if status not in probe.statuses:
        expected = ", ".join(map(str, probe.statuses))
        raise Failed(f"status {status} instead of {expected}")
    return not wanted or wanted in answer.body or answer.complete or len(answer.body) >= BODY_MAX
