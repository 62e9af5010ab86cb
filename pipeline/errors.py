"""The errors of the package.

* PipelineError
  - ConfigError
  - StoreError
    - StoreBusy
    - QueryError
    - StoreUnavailable
  - MigrationError
  - IngestError
    - Overloaded
    - BadRequest
      - TooLarge
  - LedgerError
  - BackupError
"""

from __future__ import annotations

import re

_CODE = re.compile(r"Code: (\d+)")


class PipelineError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(PipelineError):
    """The configuration of the pipeline is wrong; `problems` has one sentence for each place."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class StoreError(PipelineError):
    """The store cannot do what it was asked for."""


class StoreBusy(StoreError):
    """Another process owns the store's folder; the text names it."""


class StoreUnavailable(StoreError):
    """The store is closed, or was opened in another process (before a fork)."""


class QueryError(StoreError):
    """ClickHouse refused a statement. `code` is its error code, 0 when it gave none."""

    def __init__(self, text: str) -> None:
        found = _CODE.search(text)
        self.code = int(found.group(1)) if found else 0
        super().__init__(text)


class MigrationError(PipelineError):
    """A migration is missing, was changed after it ran, or failed; the text names it."""


class IngestError(PipelineError):
    """A request to the ingest that cannot be taken."""


class Overloaded(IngestError):
    """The queue is full: come again after `retry_after` seconds."""

    def __init__(self, text: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(text)


class BadRequest(IngestError):
    """The body is not what the interface takes; the text says what is wrong."""


class TooLarge(BadRequest):
    """The body is larger than a limit.

    `alone`: its first frame alone is, and says of itself that it is (stream, seq).
    """

    def __init__(self, text: str, alone: tuple[int, int] | None = None) -> None:
        self.alone = alone
        super().__init__(text)


class NotBuilt(PipelineError):
    """A library that is built from C is missing; the text says how to get it."""


class LedgerError(PipelineError):
    """The ledger cannot be audited: no data, or a source that does not answer."""


class BackupError(PipelineError):
    """A backup cannot be written, or is not whole; the text names it."""
