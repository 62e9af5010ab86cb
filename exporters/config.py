"""The exporter's configuration: a TOML file, and environment variables that win over it.

`POPSCOPE_EXPORT_<KEY>` sets a key, `POPSCOPE_EXPORT_<TABLE>_<KEY>` one of a table; lists are
separated by colons. An unknown key, a wrong type or a bad value is a ConfigError that names it.
"""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from exporters.errors import ConfigError
from exporters.spool import Limits

ENVIRONMENT = "POPSCOPE_EXPORT_"
NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")
MIN_INTERVAL_MS = 100
MIN_BATCH_BYTES = 65536  # one frame is sent whatever its size


@dataclass(frozen=True, slots=True)
class SpoolConfig:
    """Where frames wait, and how many bytes and hours of them are kept at most."""

    directory: Path = Path("/var/lib/popscope/spool")
    max_bytes: int = 4 << 30
    max_age_hours: int = 168

    @property
    def limits(self) -> Limits:
        """For the spool: a file, and the quarantine, is an eighth of the whole at most."""
        eighth = min(64 << 20, self.max_bytes // 8)
        return Limits(
            max_bytes=self.max_bytes,
            max_age_ms=self.max_age_hours * 3_600_000,
            file_bytes=eighth,
            quarantine_bytes=eighth,
        )


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Where frames go; without a url they only gather in the spool.

    `token_file` has the token, and wins over `token`. PEM files: `ca` that the pipeline's
    certificate must be of, `certificate` and `key` of our own. `events`: the file in which an agent
    writes down what it decides, to be told too.
    """

    url: str = ""
    token: str = ""
    token_file: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    batch_frames: int = 256
    batch_bytes: int = 4 << 20
    timeout_ms: int = 30_000
    events: str = ""


@dataclass(frozen=True, slots=True)
class OtlpConfig:
    """An OTLP/HTTP endpoint for metrics, such as http://127.0.0.1:4318/v1/metrics; "" for none."""

    endpoint: str = ""
    interval_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class Config:
    """All of it. `run_root`: every folder in it is a core's; `run_dirs`: further such folders."""

    pop: str = "local"
    node: str = field(default_factory=socket.gethostname)
    run_root: Path = Path("/run/popscope")
    run_dirs: tuple[Path, ...] = ()
    listen: str = "127.0.0.1:9109"
    interval_ms: int = 1000
    spool: SpoolConfig = SpoolConfig()
    pipeline: PipelineConfig = PipelineConfig()
    otlp: OtlpConfig = OtlpConfig()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


TABLES: dict[str, type[Any]] = {
    "spool": SpoolConfig,
    "pipeline": PipelineConfig,
    "otlp": OtlpConfig,
}


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration. Raises ConfigError."""
    raw: dict[str, Any] = {}
    if path:
        try:
            raw = tomllib.loads(path.read_text())
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
    where = str(path) if path else "environment"
    _overlay(raw, environment)
    tables = {}
    for name, kind in TABLES.items():
        table = raw.pop(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: {name} must be a table")
        tables[name] = _build(kind, table, f"{where}: {name}.")
    config: Config = _build(Config, {**raw, **tables}, f"{where}: ")
    if problems := _problems(config):
        raise ConfigError("; ".join(f"{where}: {problem}" for problem in problems))
    return config


def _overlay(raw: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT):
            continue
        key = name.removeprefix(ENVIRONMENT).lower()
        table, _, rest = key.partition("_")
        if table in TABLES:
            given = raw.setdefault(table, {})
            if not isinstance(given, dict):
                raise ConfigError(f"{table} must be a table")
            given[rest] = value
        else:
            raw[key] = value


def _build(kind: type[Any], raw: dict[str, Any], where: str) -> Any:
    known = {f.name: f.type for f in dataclasses.fields(kind)}
    for key in raw:
        if key not in known:
            raise ConfigError(f"{where}{key} is not known; known are {', '.join(sorted(known))}")
    return kind(**{key: _convert(known[key], value, where + key) for key, value in raw.items()})


def _convert(kind: Any, value: Any, where: str) -> Any:
    convert = CONVERSIONS.get(kind)
    if convert is None:
        return value
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {value!r} {error}") from error


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("is not a whole number")
    if not re.fullmatch(r"\d{1,18}", str(value)):
        raise ValueError("is not a whole number of at least 0")
    return int(value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("is not a string")
    return value


def _path(value: Any) -> Path:
    if not _string(value):
        raise ValueError("is not a path: it is empty")
    return Path(value)


def _paths(value: Any) -> tuple[Path, ...]:
    parts = value.split(":") if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise TypeError("is not a list of paths")
    return tuple(Path(_string(part)) for part in parts if part)


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "int": _integer,
    "str": _string,
    "Path": _path,
    "tuple[Path, ...]": _paths,
}


def _problems(config: Config) -> list[str]:
    checks = {
        "pop must be 1 to 63 of A-Z a-z 0-9 . _ -": NAME.fullmatch(config.pop),
        "node must be 1 to 63 of A-Z a-z 0-9 . _ -": NAME.fullmatch(config.node),
        "listen must be host:port, a port from 0 to 65535": _is_address(config.listen),
        f"interval_ms must be at least {MIN_INTERVAL_MS}": config.interval_ms >= MIN_INTERVAL_MS,
        "spool.max_bytes must be at least 1 MiB": config.spool.max_bytes >= 1 << 20,
        "spool.max_age_hours must be at least 1": config.spool.max_age_hours >= 1,
        "pipeline.url must be http:// or https://": _is_url(config.pipeline.url),
        "pipeline.token must be one line": not set(config.pipeline.token) & set("\r\n\0"),
        "pipeline.batch_frames must be at least 1": config.pipeline.batch_frames >= 1,
        f"pipeline.batch_bytes must be at least {MIN_BATCH_BYTES}": (
            config.pipeline.batch_bytes >= MIN_BATCH_BYTES
        ),
        "pipeline.timeout_ms must be at least 1": config.pipeline.timeout_ms >= 1,
        "otlp.endpoint must be http:// or https://": _is_url(config.otlp.endpoint),
        "otlp.interval_ms must be at least 1000": config.otlp.interval_ms >= 1000,
    }
    return [problem for problem, holds in checks.items() if not holds]


def _is_address(text: str) -> bool:
    return bool(re.fullmatch(r".+:\d{1,5}", text)) and int(text.rpartition(":")[2]) <= 65535


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of an address in brackets, or of the port
        return False
    return not text or good
