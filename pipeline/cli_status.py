"""`popscope pipeline status`, for people."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

_MOST = 10


def show_status(found: Mapping[str, Any]) -> None:
    """Figures one a line; then the exporters that are furthest behind, and numbers that lack."""
    for name, value in found.items():
        if isinstance(value, Mapping):
            for key, number in value.items():
                click.echo(f"{key:25} {_told(key, number)}")
        elif not isinstance(value, list):
            click.echo(f"{name:25} {_told(name, value)}")
    late = found.get("lag", [])
    for row in late[:_MOST]:
        click.echo(f"  {row['exporter']:30} {row['lag_seconds']:,.1f} s behind")
    if len(late) > _MOST:
        click.echo(f"  and {len(late) - _MOST} that are less behind: --json has all")
    for row in found.get("missing", [])[:_MOST]:
        click.echo(
            f"  {row['exporter']:30} {row['frames']:,} frames lack, "
            f"since {row['oldest_seconds']:,.1f} s (in its spool, or never used)"
        )


def _told(name: str, value: Any) -> str:
    """A figure; a bool is a number, too."""
    if isinstance(value, str):
        return value
    if name == "ready":
        return "yes" if value else "no"
    if name == "newest_frame":
        at = datetime.fromtimestamp(value, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%SZ}, {time.time() - value:,.1f} s old" if value else "none yet"
    return f"{value:,.1f}" if name.endswith(("_seconds", "_per_second")) else f"{value:,.0f}"
