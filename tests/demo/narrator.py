"""What the demo says: events line by line, and a status that is kept up to date on a terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

PLAIN_STATUS_S = 5.0
STYLES = {"step": "bold", "good": "green", "bad": "bold red", "alert": "yellow", "plain": ""}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `at`: seconds since the traffic began."""

    at: float
    what: str
    text: str


@dataclass(slots=True)
class Narrator:
    """A context. On a terminal the status is a line that stays at the bottom."""

    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    events: list[Event] = field(default_factory=list)
    start: float = field(default_factory=time.monotonic)
    _live: Live | None = None
    _last_status: float = 0.0

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(Text(), console=self.console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end_status()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.start

    def restart_clock(self) -> None:
        """The traffic begins now."""
        self.start = time.monotonic()

    def say(self, text: str, style: str = "plain") -> None:
        """A line that is no event."""
        self.console.print(Text(text, style=STYLES[style]))

    def tell(self, what: str, text: str, style: str = "step") -> None:
        """An event: on the terminal and in the timeline."""
        self.events.append(Event(round(self.elapsed, 3), what, text))
        self.console.print(
            Text.assemble((f"{self.elapsed:6.1f} s  ", "dim"), (text, STYLES[style]))
        )

    def status(self, *parts: str) -> None:
        """How things stand: the bottom lines of a terminal, or a line every few seconds."""
        if self._live is not None:
            lines = f"\n{'':10}".join(parts)
            self._live.update(Text.assemble((f"{self.elapsed:6.1f} s  ", "dim"), (lines, "cyan")))
        elif time.monotonic() - self._last_status >= PLAIN_STATUS_S:
            self._last_status = time.monotonic()
            self.console.print(f"{self.elapsed:6.1f} s    {' | '.join(parts)}")

    def end_status(self) -> None:
        """No more status."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def table(self, title: str, rows: list[tuple[str, str]]) -> None:
        """Names and values."""
        table = Table(title=title, show_header=False, title_justify="left")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)
