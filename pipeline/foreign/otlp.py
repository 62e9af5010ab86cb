"""`POST /v1/metrics`: OTLP over HTTP, Protobuf and JSON."""

from __future__ import annotations

import json
from functools import partial

import pyarrow as pa
from aiohttp import web

from pipeline.errors import BadRequest, TooLarge
from pipeline.foreign.explain import explain_all
from pipeline.foreign.intake import Intake, Refusal
from pipeline.foreign.metrics import ForeignMetrics
from pipeline.foreign.native import Format
from pipeline.foreign.options import ForeignOptions
from pipeline.foreign.recent import Outcome

PATH = "/v1/metrics"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_FORMATS = {_PROTOBUF: Format.OTLP, _JSON: Format.OTLP_JSON}
_ENCODINGS = ("", "identity", "gzip", "zstd")
# google.rpc.Code of an answer; 13 is INTERNAL.
_CODES = {400: 3, 401: 16, 413: 3, 415: 3, 429: 8, 503: 14}


class Otlp:
    """The handler."""

    def __init__(self, intake: Intake, options: ForeignOptions, metrics: ForeignMetrics) -> None:
        self._intake, self._options, self._metrics = intake, options, metrics

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post(PATH, self.post)

    async def post(self, request: web.Request) -> web.Response:
        """Answer 200 (its body says what is not stored), 400, 401, 413, 415, 429, 503."""
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        form = _FORMATS.get(kind)
        found: Outcome | Refusal
        if form is None or encoding not in _ENCODINGS:
            text = f"send {_PROTOBUF} or {_JSON}, as it is or with gzip or zstd"
            found = Refusal(415, text)
        else:
            found = await self._intake.take(request, form, partial(unpack, encoding))
        form = form or Format.OTLP
        answer = _refused(found, form) if isinstance(found, Refusal) else self._stored(found, form)
        self._metrics.requests.labels(form.name.lower(), str(answer.status)).inc()
        return answer

    def _stored(self, outcome: Outcome, form: Format) -> web.Response:
        text = explain_all(outcome.rejected, self._options) if outcome.rejected else ""
        if form is Format.OTLP_JSON:
            # int64 is a string in the JSON of Protobuf
            partial_success = {"rejectedDataPoints": str(outcome.lost), "errorMessage": text}
            return web.json_response({"partialSuccess": partial_success} if text else {})
        body = b""
        if text:
            body = _text(1, _number(1, outcome.lost) + _text(2, text.encode()))
        return web.Response(body=body, content_type=_PROTOBUF)


def unpack(encoding: str, body: bytes, limit: int) -> bytes | pa.Buffer:
    """The plain body. Raises BadRequest, TooLarge."""
    if encoding in ("", "identity"):
        return body
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), encoding) as stream:
            plain: pa.Buffer = stream.read_buffer(limit + 1)
    except (OSError, pa.ArrowException) as error:
        raise BadRequest(f"the body is not {encoding}, or is cut off: {error}") from error
    if plain.size > limit:
        raise TooLarge(f"the body is more than {limit} bytes when unpacked: send fewer at once")
    return plain


def _refused(refusal: Refusal, form: Format) -> web.Response:
    """A google.rpc.Status."""
    code = _CODES.get(refusal.status, 13)
    if form is Format.OTLP_JSON:
        body = json.dumps({"code": code, "message": refusal.text}).encode()
    else:
        body = _number(1, code) + _text(2, refusal.text.encode())
    return web.Response(
        status=refusal.status,
        body=body,
        content_type=_JSON if form is Format.OTLP_JSON else _PROTOBUF,
        headers=refusal.headers,
    )


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data
