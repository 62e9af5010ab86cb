"""A BIRD of our own: started, configured, asked, and gone with its agent."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lb.control.errors import BgpError

_PATIENCE_S = 5.0
_DONE = re.compile(rb"^(\d{4}) ", re.MULTILINE)
_SESSION = re.compile(
    r"^(?:1002-| )?(router\d+)\s+BGP\s+\S+\s+(\S+)\s+\S+\s*(.*?)\s*$", re.MULTILINE
)
_REFUSED = ("8", "9")


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP session as BIRD has it: "Established", or what it does instead."""

    name: str
    state: str


class Bird:
    """In a folder. The kernel kills it when the agent ends, and so its routes are withdrawn."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "bird.conf"
        self._socket = folder / "bird.ctl"
        self._log = folder / "bird.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def configure(self, text: str) -> None:
        """Start it with a configuration, or give it a new one. Raises BgpError."""
        await asyncio.to_thread(_replace, self._config, text)
        if self.running:
            await self.ask("configure")
        else:
            await self._start()

    async def sessions(self) -> list[Session]:
        """The state of each session, in the order of the node's neighbors. Raises BgpError."""
        said = await self.ask("show protocols")
        return [Session(name, info or state) for name, state, info in _SESSION.findall(said)]

    async def stop(self) -> None:
        """End it in order: neighbors are told."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def ask(self, command: str) -> str:
        """A command of birdc, and its answer. Raises BgpError."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    await _answer(reader)  # the greeting
                    writer.write(command.encode() + b"\n")
                    said = await _answer(reader)
                finally:
                    writer.close()
        except (OSError, EOFError) as error:
            raise BgpError(f"BIRD does not answer: {error or type(error).__name__}") from error
        code = said.splitlines()[-1][:1] if said else ""
        if code in _REFUSED:
            raise BgpError(f"BIRD refuses `{command}`: {said.strip()}")
        return said

    async def _start(self) -> None:
        program = shutil.which("bird", path="/usr/sbin:/usr/local/sbin:/usr/bin:/sbin")
        if program is None:
            raise BgpError("bird is not installed (Debian package bird2)")
        await asyncio.to_thread(self._socket.unlink, missing_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", program, "-f"),
                *("-c", str(self._config), "-s", str(self._socket)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        for _ in range(int(_PATIENCE_S / 0.05)):
            await asyncio.sleep(0.05)
            if not self.running:
                break
            with suppress(BgpError):  # it has its socket before it has read its configuration
                await self.ask("show status")
                return
        tail = self._log.read_text(errors="replace").strip().splitlines()[-3:]
        raise BgpError(f"bird did not start: {' | '.join(tail) or 'it says nothing'}")


async def _answer(reader: asyncio.StreamReader) -> str:
    """Lines up to the one whose code ends an answer."""
    said = []
    while line := await reader.readline():
        said.append(line.decode(errors="replace"))
        if _DONE.match(line):
            return "".join(said)
    raise EOFError("the connection ended")


def _replace(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(path)
