"""A program of the node's own folder."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from lb.control.errors import TargetError
from lb.control.health.target import Failed, Target
from lb.control.model.checker import Script

_OUTPUT_MAX = 1 << 12


def _environment(target: Target) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "POPSCOPE_ADDRESS": target.address,
        "POPSCOPE_PORT": str(target.port),
        "POPSCOPE_BACKEND": target.backend,
        "POPSCOPE_MARK": str(target.mark),
    }


async def check(probe: Script, target: Target, folder: Path) -> None:
    """Run it; whatever it started is killed with it. Raises Failed, or TargetError if not there."""
    path = folder / probe.script
    try:
        process = await asyncio.create_subprocess_exec(
            str(path),
            *probe.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(target),
            process_group=0,
        )
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}: put an executable file there") from error
    try:
        said = await _output(process)
        code = await process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if code:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise Failed(f"{probe.script} ended with {code}: {(last or ['no output'])[0][:200]}")


async def _output(process: asyncio.subprocess.Process) -> bytes:
    """The last bytes that it writes."""
    said = b""
    while process.stdout and (part := await process.stdout.read(_OUTPUT_MAX)):
        said = (said + part)[-_OUTPUT_MAX:]
    return said
