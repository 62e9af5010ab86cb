"""`POST /api/v1/write`: Prometheus remote write 1.0 and 2.0."""

from __future__ import annotations

import pyarrow as pa
from aiohttp import web

from pipeline.errors import BadRequest, TooLarge
from pipeline.foreign.explain import explain_all
from pipeline.foreign.intake import Intake, Refusal
from pipeline.foreign.metrics import ForeignMetrics
from pipeline.foreign.native import Format
from pipeline.foreign.options import ForeignOptions
from pipeline.foreign.recent import Outcome

PATH = "/api/v1/write"
_TYPE = "application/x-protobuf"
_MESSAGES = {
    "prometheus.WriteRequest": Format.RW1,
    "io.prometheus.write.v2.Request": Format.RW2,
}
_WRITTEN = "X-Prometheus-Remote-Write-{}-Written"


class RemoteWrite:
    """The handler."""

    def __init__(self, intake: Intake, options: ForeignOptions, metrics: ForeignMetrics) -> None:
        self._intake, self._options, self._metrics = intake, options, metrics

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post(PATH, self.post)

    async def post(self, request: web.Request) -> web.Response:
        """Answer 204, 400 (the text says what is not stored), 401, 413, 415, 429, 503."""
        form = _format(request.headers.get("Content-Type", _TYPE))
        encoding = request.headers.get("Content-Encoding", "snappy").strip().lower()
        if form is None or encoding != "snappy":
            answer = _unsupported()
        else:
            found = await self._intake.take(request, form, unpack)
            answer = _refused(found) if isinstance(found, Refusal) else self._stored(found)
        protocol = (form or Format.RW1).name.lower()
        self._metrics.requests.labels(protocol, str(answer.status)).inc()
        return answer

    def _stored(self, outcome: Outcome) -> web.Response:
        headers = _written(outcome.samples, outcome.histograms, outcome.exemplars)
        if not outcome.rejected:
            return web.Response(status=204, headers=headers)
        text = explain_all(outcome.rejected, self._options)
        return web.Response(status=400, text=text + "\n", headers=headers)


def unpack(body: bytes, limit: int) -> pa.Buffer:
    """Snappy's block format. Raises BadRequest, TooLarge."""
    size = shift = 0
    for byte in body[:5]:
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    if size > limit:
        raise TooLarge(
            f"the body is {size} bytes when unpacked, more than {limit}: send fewer samples at once"
        )
    # No byte of Snappy gives more than 64: what promises more is refused before memory is taken.
    if size // 64 > len(body):
        raise BadRequest("the body is not in Snappy's block format")
    try:
        return pa.decompress(body, decompressed_size=size, codec="snappy")
    except (OSError, pa.ArrowException) as error:
        raise BadRequest("the body is not in Snappy's block format, or is cut off") from error


def _format(content_type: str) -> Format | None:
    kind, *parameters = (part.strip() for part in content_type.split(";"))
    if kind.lower() != _TYPE:
        return None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "proto":
            return _MESSAGES.get(value.strip().strip('"'))
    return Format.RW1


def _unsupported() -> web.Response:
    names = ", ".join(f"{_TYPE};proto={name}" for name in _MESSAGES)
    return web.Response(status=415, text=f"send one of {names} with Content-Encoding: snappy\n")


def _refused(refusal: Refusal) -> web.Response:
    return web.Response(
        status=refusal.status,
        text=refusal.text + "\n",
        headers=refusal.headers | _written(0, 0, 0),
    )


def _written(samples: int, histograms: int, exemplars: int) -> dict[str, str]:
    counts = {"Samples": samples, "Histograms": histograms, "Exemplars": exemplars}
    return {_WRITTEN.format(name): str(count) for name, count in counts.items()}
