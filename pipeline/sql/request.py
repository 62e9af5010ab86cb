"""One HTTP request of the ClickHouse interface, read into what it asks for."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from pipeline.errors import PipelineError
from pipeline.sql.filter import MAX_QUERY_BYTES
from pipeline.sql.options import SqlOptions, lowered
from pipeline.sql.wire import accepted, decode_lz4
from pipeline.sql.words import word_set
from pipeline.store import DATABASE, QueryLimits

# Parameters of the interface that steer it, and are no settings of the engine.
_CONTROL = word_set(
    "buffer_size cancel_http_readonly_queries_on_client_close client_protocol_version compress "
    "database decompress default_format enable_http_compression http_headers_progress_interval_ms "
    "http_zlib_compression_level password query query_id quota_key role "
    "send_progress_in_http_headers session_check session_id session_timeout user wait_end_of_query"
)
_QUERY_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_FORMAT = re.compile(r"\w{1,64}", re.ASCII)
_MAX_BODY = MAX_QUERY_BYTES + (64 << 10)


class HttpProblem(PipelineError):
    """A request that is answered with an HTTP status and a code of ClickHouse, before any query."""

    def __init__(self, status: int, code: int, name: str, text: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"Code: {code}. DB::Exception: {text} ({name})")


@dataclass(frozen=True, slots=True)
class SqlRequest:
    """A query and how its result shall look. `format` is used when the SQL names none."""

    text: str
    format: str
    parameters: Mapping[str, str]
    limits: QueryLimits
    ignored: list[str]
    query_id: str
    protocol: int
    blocks: bool
    encoding: str


async def read(request: web.Request, options: SqlOptions) -> SqlRequest | None:
    """What the request asks for; None when it holds no query. Raises HttpProblem, BadRequest."""
    _admit(request, options)
    asked = dict(request.query)
    body = await _body(request, asked)
    text = "\n".join(part for part in (asked.get("query", ""), body) if part.strip())
    if not text:
        return None
    _check_database(asked.get("database") or request.headers.get("X-ClickHouse-Database") or "")
    if _flag(asked, "decompress"):
        raise HttpProblem(501, 48, "NOT_IMPLEMENTED", "decompress=1 is not served: send it plain.")
    settings = {k: v for k, v in asked.items() if k not in _CONTROL and not k.startswith("param_")}
    limits, ignored = lowered(options.limits, settings)
    wanted = asked.get("query_id", "")
    return SqlRequest(
        text=text,
        format=_format(asked.get("default_format") or request.headers.get("X-ClickHouse-Format")),
        parameters={k[6:]: v for k, v in asked.items() if k.startswith("param_")},
        limits=limits,
        ignored=ignored,
        query_id=wanted if _QUERY_ID.fullmatch(wanted) else str(uuid.uuid4()),
        protocol=_number(asked.get("client_protocol_version", "0")),
        blocks=_flag(asked, "compress"),
        encoding=_encoding(request, asked),
    )


def _encoding(request: web.Request, asked: Mapping[str, str]) -> str:
    if _flag(asked, "compress") or asked.get("enable_http_compression", "1") == "0":
        return ""
    return accepted(request.headers.get("Accept-Encoding", ""))


def _format(name: str | None) -> str:
    name = name or "TabSeparated"
    if not _FORMAT.fullmatch(name):
        raise HttpProblem(404, 73, "UNKNOWN_FORMAT", f"Unknown format {name!r}.")
    return name


def _flag(asked: Mapping[str, str], name: str) -> bool:
    return asked.get(name, "0") in ("1", "true")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _check_database(name: str) -> None:
    # `default` is what clients send when nobody chose a database.
    if name not in ("", "default", DATABASE):
        raise HttpProblem(
            404, 81, "UNKNOWN_DATABASE", f"There is one database here, {DATABASE}, not {name!r}."
        )


async def _body(request: web.Request, asked: dict[str, str]) -> str:
    """The text of the body; the fields of a form go into `asked`."""
    if request.content_type == "multipart/form-data":
        for name, value in (await request.post()).items():
            if not isinstance(value, str):
                raise HttpProblem(501, 48, "NOT_IMPLEMENTED", "External tables are not served.")
            asked[name] = value
        return ""
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise HttpProblem(413, 223, "QUERY_IS_TOO_LARGE", "The body is too long.") from None
    if request.headers.get("Content-Encoding", "").lower() == "lz4":
        raw = decode_lz4(raw, _MAX_BODY)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise HttpProblem(400, 62, "SYNTAX_ERROR", "The query is not UTF-8.") from None


def _admit(request: web.Request, options: SqlOptions) -> None:
    name, password = _credentials(request)
    users, access = options.users, options.access
    if access is not None and access.needed("read") and name not in users:
        try:
            access.admit(password, "read")
        except web.HTTPException as error:
            raise _refused(error) from error
        return
    if users:
        known = hmac.compare_digest(users.get(name, "").encode(), password.encode())
        if name not in users or not known:
            raise HttpProblem(
                401,
                516,
                "AUTHENTICATION_FAILED",
                f"{name}: password is incorrect, or no such user.",
            )
        return
    if password or name != "default":
        raise HttpProblem(
            401,
            516,
            "AUTHENTICATION_FAILED",
            "No users are configured: come as default, no password.",
        )
    # A page in a browser must not get here under a name of its own (DNS rebinding).
    if not (_is_loopback(request.remote or "") and _is_loopback(_host(request))):
        raise HttpProblem(
            403, 516, "AUTHENTICATION_FAILED", "Without a configured user, only loopback is let in."
        )


def _refused(error: web.HTTPException) -> HttpProblem:
    """What a token was refused for, as ClickHouse would say it."""
    if error.status == 429:
        return HttpProblem(503, 202, "TOO_MANY_SIMULTANEOUS_QUERIES", f"{error.text}.")
    return HttpProblem(error.status, 516, "AUTHENTICATION_FAILED", f"{error.text}.")


def _credentials(request: web.Request) -> tuple[str, str]:
    if header := request.headers.get("Authorization", ""):
        return _basic(header)
    asked = request.query
    user = request.headers.get("X-ClickHouse-User") or asked.get("user") or "default"
    return user, request.headers.get("X-ClickHouse-Key") or asked.get("password") or ""


def _basic(header: str) -> tuple[str, str]:
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        return "default", token.strip()
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        name, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise HttpProblem(
            401, 516, "AUTHENTICATION_FAILED", "The header Authorization is not of the kind Basic."
        ) from None
    return name or "default", password


def _host(request: web.Request) -> str:
    host = request.host
    return host[1 : host.index("]")] if host.startswith("[") and "]" in host else host.split(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
