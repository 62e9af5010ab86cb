"""Where the audit reads: the SQL interface of a running pipeline, or a store that nobody serves."""

from __future__ import annotations

import base64
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Protocol

import pyarrow as pa

from pipeline.errors import LedgerError, QueryError
from pipeline.store import Store

# ClickHouse repeats the whole statement in an error.
LONGEST = 600


class Source(Protocol):
    """Something that answers SELECTs."""

    def table(self, sql: str, params: Mapping[str, str]) -> pa.Table:
        """The result. Raises LedgerError when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class StoreSource:
    """A store in this process."""

    store: Store

    def table(self, sql: str, params: Mapping[str, str]) -> pa.Table:
        try:
            return self.store.query_arrow(sql, params)
        except QueryError as error:
            raise LedgerError(str(error)[:LONGEST]) from error


@dataclass(frozen=True, slots=True)
class HttpSource:
    """The ClickHouse HTTP interface at `url`; `user` and `password` as the interface has them."""

    url: str
    user: str = ""
    password: str = ""
    seconds: float = 120.0

    def table(self, sql: str, params: Mapping[str, str]) -> pa.Table:
        data = self.ask(sql, "ArrowStream", params)
        if not data:
            raise LedgerError(f"{self.url}: the answer is empty")
        try:
            return pa.ipc.open_stream(data).read_all()
        except pa.ArrowException as error:
            raise LedgerError(f"{self.url}: the answer is not Arrow: {error}") from error

    def ask(self, sql: str, fmt: str, params: Mapping[str, str]) -> bytes:
        """The result in a format of ClickHouse. Raises LedgerError."""
        query = {f"param_{k}": v for k, v in params.items()} | {"default_format": fmt}
        address = f"{self.url.rstrip('/')}/?{urllib.parse.urlencode(query)}"
        try:
            request = urllib.request.Request(address, data=sql.encode(), method="POST")
            if self.user or self.password:  # a token comes as a password, of no user
                pair = f"{self.user or 'token'}:{self.password}"
                secret = base64.b64encode(pair.encode()).decode()
                request.add_header("Authorization", f"Basic {secret}")
            with urllib.request.urlopen(request, timeout=self.seconds) as answer:
                data: bytes = answer.read()
                return data
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace").strip()
            raise LedgerError(f"{self.url} refused: {text[:LONGEST]}") from error
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)  # of a URLError: what it stands for
            raise LedgerError(
                f"{self.url} does not answer: {reason}: is `popscope pipeline run` running there?"
            ) from error
