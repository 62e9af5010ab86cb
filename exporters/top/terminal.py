"""The terminal itself: keys in, changed lines out, and left as it was found."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from types import FrameType, TracebackType

from rich.console import Console
from rich.text import Text

from exporters.top.views import Size

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # other screen, no cursor, no wrapping, clear
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"  # shown at once where the terminal knows that
ESCAPE_S = 0.1  # a key's further bytes come sooner, also over ssh
SIGNALS = (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCONT)
ENDING = frozenset({signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
KEYS = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[5~": "pageup",
    "\x1b[6~": "pagedown",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1bOH": "home",
    "\x1bOF": "end",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1b[Z": "backtab",
    "\t": "tab",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x0c": "redraw",
    "\x04": "q",
    "\x1b": "escape",
}


class Terminal:
    """Standard input and output, while inside of the context."""

    def __init__(self) -> None:
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._console = Console(force_terminal=True, legacy_windows=False, highlight=False)
        self._shown: list[str] = []
        self._size = Size(80, 24)
        self.ended = False

    def __enter__(self) -> Terminal:
        self._before = termios.tcgetattr(self._in)
        self._wake, self._woken = os.pipe()
        for fd in (self._wake, self._woken):
            os.set_blocking(fd, False)
        self._handlers = {number: signal.signal(number, self._signal) for number in SIGNALS}
        signal.signal(signal.SIGTSTP, self._stop)
        self._wakeup = signal.set_wakeup_fd(self._woken)
        self._enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
            self._leave()
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._wake)
        os.close(self._woken)

    @property
    def size(self) -> Size:
        """As it is now."""
        try:
            found = os.get_terminal_size(self._out)
        except OSError:  # nobody is there any more
            self.ended = True
            return self._size
        return Size(max(20, found.columns), max(8, found.lines))

    def keys(self, timeout: float) -> list[str]:
        """Keys pressed; waits for one, or for a signal, at most so long."""
        ready, _, _ = select.select([self._in, self._wake], [], [], timeout)
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 512)
        if self._in not in ready:
            return []
        try:
            data = os.read(self._in, 512)
        except OSError:
            data = b""
        self.ended |= not data
        text = data.decode("utf-8", "replace")
        while text.endswith(("\x1b", "\x1b[", "\x1bO")) and self._more():
            text += os.read(self._in, 512).decode("utf-8", "replace")
        return split_keys(text)

    def draw(self, lines: Sequence[Text]) -> None:
        """Write the lines that differ from what is shown."""
        size = self.size
        if size != self._size:
            self._shown, self._size = [], size
        self._console.width = size.width
        with self._console.capture() as capture:
            for line in lines:
                padded = line.copy()
                padded.truncate(size.width, pad=True)
                self._console.print(padded, soft_wrap=True)
        drawn = capture.get().split("\n")[: size.height]
        before = self._shown + [""] * (len(drawn) - len(self._shown))
        changed = [
            f"\x1b[{row};1H{new}"
            for row, (old, new) in enumerate(zip(before, drawn, strict=False), 1)
            if old != new and row <= len(lines)
        ]
        clear = "" if self._shown else "\x1b[2J"
        self._shown = drawn
        if changed:
            try:
                self._write(BEGIN + clear + "".join(changed) + END)
            except OSError:  # nobody is there any more
                self.ended = True

    def redraw(self) -> None:
        """Write everything next time."""
        self._shown = []

    def _more(self) -> bool:
        return bool(select.select([self._in], [], [], ESCAPE_S)[0])

    def _enter(self) -> None:
        tty.setcbreak(self._in, termios.TCSADRAIN)
        self._write(ENTER)
        self._shown = []

    def _leave(self) -> None:
        self._write(LEAVE)
        termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

    def _write(self, text: str) -> None:
        data = text.encode(self._console.encoding, "replace")
        while data:
            data = data[os.write(self._out, data) :]

    def _signal(self, number: int, _: FrameType | None) -> None:
        self.ended |= number in ENDING
        if number == signal.SIGCONT:
            try:
                self._enter()
            except (OSError, termios.error):  # it comes with a hang-up, too
                self.ended = True

    def _stop(self, _: int, __: FrameType | None) -> None:
        """Ctrl-Z: give the terminal back while stopped."""
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)


def split_keys(text: str) -> list[str]:
    """Keys by their names; sequences that mean nothing here are left out."""
    keys = list[str]()
    while text:
        known = next((k for k in sorted(KEYS, key=len, reverse=True) if text.startswith(k)), "")
        if known == "\x1b" and len(text) > 1 and text[1] in "[O":
            text = _behind(text)
            continue
        keys.append(KEYS.get(known, text[0]))
        text = text[len(known) or 1 :]
    return keys


def _behind(text: str) -> str:
    """What follows an escape sequence."""
    for place, char in enumerate(text[2:], 3):
        if "\x40" <= char <= "\x7e":
            return text[place:]
    return ""
