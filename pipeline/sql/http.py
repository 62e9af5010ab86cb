"""ClickHouse's HTTP interface over the store, for reading: what Grafana, curl and drivers speak.

Every statement passes `filter` and runs in a session of its own that cannot write.
"""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import quote

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.errors import BadRequest, QueryError, StoreError
from pipeline.sql.filter import MAX_QUERY_BYTES, Refused
from pipeline.sql.native import NativeError
from pipeline.sql.options import SqlOptions
from pipeline.sql.request import HttpProblem, read
from pipeline.sql.run import ClientGone, Reply, Runner
from pipeline.store import Store

# Error codes of ClickHouse by the HTTP status that its own server answers with; all others are 500.
_STATUS = {
    400: {6, 26, 27, 36, 38, 41, 53, 62, 69, 70, 72, 117, 190, 427, 456, 457, 620},
    403: {164, 291, 497},
    404: {46, 47, 50, 56, 60, 63, 73, 81, 115, 152},
    408: {159},
    413: {223},
    501: {48},
    503: {202, 439},
}
_STATUS_OF = {code: status for status, codes in _STATUS.items() for code in codes}
_CONTENT_TYPES = (
    (
        "JSON",
        re.compile("JSON(Strings|Compact|CompactStrings|ColumnsWithMetadata|Columns|Object.*)?"),
    ),
    ("NDJSON", re.compile("JSON.*EachRow.*")),
    ("CSV", re.compile("CSV.*")),
    ("TSV", re.compile("(TSV|TabSeparated).*")),
    ("TEXT", re.compile("(Pretty|Vertical|Values|Markdown|SQLInsert|XML|Null).*")),
)
_MIME = {
    "JSON": "application/json; charset=UTF-8",
    "NDJSON": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TEXT": "text/plain; charset=UTF-8",
}
_CODE = "X-ClickHouse-Exception-Code"


class _Metrics:
    def __init__(self, registry: CollectorRegistry, runner: Runner) -> None:
        self.queries = Counter(
            "popscope_pipeline_sql_queries",
            "Requests to the SQL interface, by what became of them.",
            ["result"],
            registry=registry,
        )
        self.seconds = Histogram(
            "popscope_pipeline_sql_query_seconds",
            "Time from a query's arrival to its complete result.",
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self.running = Gauge(
            "popscope_pipeline_sql_running_queries",
            "Queries of the SQL interface that run now.",
            registry=registry,
        )
        self.running.set_function(lambda: runner.running)


class _Front:
    def __init__(self, store: Store, options: SqlOptions) -> None:
        self.options = options
        self.runner = Runner(store, options)
        self.metrics = _Metrics(options.registry or CollectorRegistry(), self.runner)

    async def ping(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def query(self, request: web.Request) -> web.Response:
        try:
            response, result = await self._answer(request), "ok"
        except HttpProblem as problem:
            response, result = _http_problem(problem)
        except BadRequest as error:
            text = f"Code: 33. DB::Exception: {error}. (CANNOT_READ_ALL_DATA)"
            response, result = _error(text, 33, 400), "refused"
        except NativeError as error:
            text = f"Code: 48. DB::Exception: {error}. (NOT_IMPLEMENTED)"
            response, result = _error(text, 48, 501), "failed"
        except asyncio.CancelledError:
            self.metrics.queries.labels("cancelled").inc()
            raise
        except ClientGone:
            response, result = _error("the client is gone", 394, 499), "cancelled"
        except QueryError as error:
            response = _error(str(error), error.code, _STATUS_OF.get(error.code, 500))
            result = "refused" if isinstance(error, Refused) else "failed"
        except StoreError as error:
            text = f"Code: 439. DB::Exception: {error}. (CANNOT_SCHEDULE_TASK)"
            response, result = _error(text, 439, 503), "failed"
        self.metrics.queries.labels(result).inc()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        sql = await read(request, self.options)
        if sql is None:
            if request.method == "GET":
                return web.Response(text="Ok.\n")
            raise HttpProblem(400, 62, "SYNTAX_ERROR", "Empty query.")

        def gone() -> bool:
            return request.transport is None or request.transport.is_closing()

        about = await self.runner.about()
        with self.metrics.seconds.time():
            reply = await self.runner.run(sql, gone)
        headers = {
            "X-ClickHouse-Query-Id": sql.query_id,
            "X-ClickHouse-Format": reply.format,
            "X-ClickHouse-Timezone": about.timezone,
            "X-ClickHouse-Server-Display-Name": about.name,
            "X-ClickHouse-Summary": _summary(reply),
            "Content-Type": _content_type(reply.format),
            "Vary": "Accept-Encoding",
        }
        if reply.encoding:
            headers["Content-Encoding"] = reply.encoding
        if sql.ignored:
            headers["X-Popscope-Ignored"] = ",".join(map(quote, sql.ignored))[:1000]
        return web.Response(body=reply.body, headers=headers)

    async def stop(self, _: web.Application) -> None:
        self.runner.stop()

    async def close(self, _: web.Application) -> None:
        await self.runner.close()


def sql_app(store: Store, options: SqlOptions | None = None) -> web.Application:
    """The interface as an application: `/` takes queries, `/ping` says that it is there."""
    front = _Front(store, options or SqlOptions())
    app = web.Application(client_max_size=MAX_QUERY_BYTES + (64 << 10))
    app.router.add_get("/ping", front.ping)
    app.router.add_get("/", front.query)
    app.router.add_post("/", front.query)
    app.on_shutdown.append(front.stop)
    app.on_cleanup.append(front.close)
    return app


def _http_problem(problem: HttpProblem) -> tuple[web.Response, str]:
    response = _error(str(problem), problem.code, problem.status)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="popscope"'
    if problem.status == 503:
        response.headers["Retry-After"] = "1"
    results = {401: "unauthorized", 403: "unauthorized", 503: "overloaded"}
    return response, results.get(problem.status, "refused")


def _error(text: str, code: int, status: int) -> web.Response:
    return web.Response(text=text.rstrip() + "\n", status=status, headers={_CODE: str(code)})


def _summary(reply: Reply) -> str:
    answer = reply.answer
    numbers = {
        "read_rows": answer.rows_read,
        "read_bytes": answer.bytes_read,
        "written_rows": 0,
        "written_bytes": 0,
        "total_rows_to_read": 0,
        "result_rows": 0,
        "result_bytes": len(answer.data),
        "elapsed_ns": int(answer.seconds * 1e9),
    }
    return json.dumps({name: str(number) for name, number in numbers.items()})


def _content_type(fmt: str) -> str:
    kind = next((kind for kind, pattern in _CONTENT_TYPES if pattern.fullmatch(fmt)), "")
    return _MIME.get(kind, "application/octet-stream")
