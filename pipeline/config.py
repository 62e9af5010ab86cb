"""The configuration of `popscope pipeline run`: a TOML file, then environment variables.

A variable is named POPSCOPE_PIPELINE_<SECTION>_<KEY>, as in POPSCOPE_PIPELINE_STORE_PATH.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipeline.access.guard import AccessOptions
from pipeline.access.tls import TlsOptions
from pipeline.commit import CommitOptions
from pipeline.errors import ConfigError
from pipeline.foreign.options import ForeignOptions
from pipeline.ingest import IngestOptions
from pipeline.limits import CapacityOptions
from pipeline.rollup import RollupOptions

PREFIX = "POPSCOPE_PIPELINE_"


@dataclass(frozen=True, slots=True)
class StoreSection:
    """Where the embedded store lies. `durable`: an acknowledged frame survives a power failure.

    `backups`: the folder of backups, "" for one in the store's.
    """

    path: str = "/var/lib/popscope/store"
    backups: str = ""
    durable: bool = True
    memory_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class HttpSection:
    """Ingest, metrics, health and live page."""

    host: str = "127.0.0.1"
    port: int = 8080


@dataclass(frozen=True, slots=True)
class SqlSection:
    """The ClickHouse HTTP interface. `users`: name to password; none: `default` from loopback."""

    host: str = "127.0.0.1"
    port: int = 8123
    users: Mapping[str, str] = field(default_factory=dict)
    execution_seconds: float = 30.0
    memory_bytes: int = 1 << 30
    result_rows: int = 1_000_000
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that `popscope pipeline run` needs."""

    store: StoreSection = field(default_factory=StoreSection)
    http: HttpSection = field(default_factory=HttpSection)
    sql: SqlSection = field(default_factory=SqlSection)
    ingest: IngestOptions = field(default_factory=IngestOptions)
    commit: CommitOptions = field(default_factory=CommitOptions)
    rollup: RollupOptions = field(default_factory=RollupOptions)
    foreign: ForeignOptions = field(default_factory=ForeignOptions)
    capacity: CapacityOptions = field(default_factory=CapacityOptions)
    access: AccessOptions = field(default_factory=AccessOptions)
    tls: TlsOptions = field(default_factory=TlsOptions)


_SECTIONS: dict[str, type[Any]] = {
    "store": StoreSection,
    "http": HttpSection,
    "sql": SqlSection,
    "ingest": IngestOptions,
    "commit": CommitOptions,
    "rollup": RollupOptions,
    "foreign": ForeignOptions,
    "capacity": CapacityOptions,
    "access": AccessOptions,
    "tls": TlsOptions,
}


_CHECKED = ("foreign", "capacity", "access", "tls")  # these know what is wrong with them


def environment() -> dict[str, str]:
    """The variables of this process that are meant for the pipeline."""
    return {k: v for k, v in os.environ.items() if k.startswith(PREFIX)}


def load(path: Path | None, variables: Mapping[str, str]) -> Config:
    """Read and check. Raises ConfigError with every problem found, each with its place."""
    raw: dict[str, Any] = {}
    if path is not None:
        try:
            raw = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError([f"{path}: {getattr(error, 'strerror', None) or error}"]) from error
    problems = _strangers(path, raw, variables)
    sections = {
        name: _section(kind, name, raw.get(name, {}), variables, problems)
        for name, kind in _SECTIONS.items()
    }
    problems += _limits(sections)
    if problems:
        raise ConfigError(problems)
    return Config(**sections)


def _strangers(
    path: Path | None, raw: Mapping[str, Any], variables: Mapping[str, str]
) -> list[str]:
    """Sections and variables that nothing here reads: a misspelt one must not be without effect."""
    known = {_variable(name, f.name) for name, kind in _SECTIONS.items() for f in fields(kind)}
    there = ", ".join(_SECTIONS)
    sections = [name for name in raw if name not in _SECTIONS]
    return [f"{path}: there is no section [{name}]; there are {there}" for name in sections] + [
        f"{name}: there is no such key; variables are {PREFIX}<SECTION>_<KEY>, sections {there}"
        for name in sorted(variables.keys() - known)
    ]


def _variable(section: str, key: str) -> str:
    return f"{PREFIX}{section}_{key}".upper()


def _section(
    kind: type[Any], name: str, raw: Any, variables: Mapping[str, str], problems: list[str]
) -> Any:
    default = kind()
    known = {f.name: getattr(default, f.name) for f in fields(kind)}
    if not isinstance(raw, dict):
        problems.append(f"[{name}] must be a section")
        return default
    given = {f"[{name}] {key}": (key, value) for key, value in raw.items()}
    for key in known:
        variable = _variable(name, key)
        if variable in variables:
            given[variable] = (key, variables[variable])
    values: dict[str, Any] = {}
    for place, (key, value) in given.items():
        if key not in known:
            problems.append(f"{place}: unknown; known are {', '.join(known)}")
            continue
        try:
            values[key] = _value(value, known[key])
        except ValueError as error:
            problems.append(f"{place}: {error}")
    return kind(**values)


_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _value(value: Any, default: Any) -> Any:
    """The value in the type of the default. Raises ValueError."""
    if isinstance(default, Mapping):
        if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
            return value
        raise ValueError("must be a table of names and strings")
    if isinstance(default, bool):
        if str(value).lower() in _WORDS:
            return _WORDS[str(value).lower()]
        raise ValueError(f"must be true or false, not {value!r}")
    if isinstance(default, int | float):
        return _number(value, default)
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {value!r}")
    return value


def _number(value: Any, default: int | float) -> int | float:
    kind = type(default)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be a number, not {value!r}")
    try:
        number = kind(value)
    except ValueError as error:
        raise ValueError(f"must be a number, not {value!r}") from error
    if number < 0 or number != float(value):
        raise ValueError(f"must be a whole number from 0 on, not {value!r}")
    return number


def _ports(http: HttpSection, sql: SqlSection) -> list[str]:
    """Port 0 lets the kernel choose, so two of them are two ports."""
    problems = [
        f"[{name}] port: {section.port} is not a port"
        for name, section in (("http", http), ("sql", sql))
        if section.port > 65535
    ]
    if http.port == sql.port != 0 and http.host == sql.host:
        problems.append(f"[sql] port: {sql.port} is the port of [http] too; each needs its own")
    return problems


def _limits(sections: Mapping[str, Any]) -> list[str]:
    problems = []
    ingest, commit = sections["ingest"], sections["commit"]
    if ingest.plain_bytes > commit.queue_bytes:
        problems.append("[ingest] plain_bytes: must not be above [commit] queue_bytes")
    if ingest.body_bytes > ingest.plain_bytes:
        problems.append("[ingest] body_bytes: must not be above [ingest] plain_bytes")
    if ingest.body_seconds <= 0:
        problems.append("[ingest] body_seconds: must be above 0")
    problems += [p for name in _CHECKED for p in sections[name].problems()]
    problems += _ports(sections["http"], sections["sql"])
    if not 1 <= ingest.decode_threads <= 64:
        problems.append("[ingest] decode_threads: must be from 1 to 64")
    if commit.group_rows < 1 or commit.group_bytes < 1:
        problems.append("[commit] group_rows, group_bytes: must be from 1 on")
    return problems
