"""One check, of any kind: made within its time, and never an exception."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from lb.control.errors import TargetError
from lb.control.health.probes import grpc, http, icmp, script, udp
from lb.control.health.state import Outcome
from lb.control.health.stream import Stream
from lb.control.health.target import Failed, Target, ours
from lb.control.model.checker import Checker, Grpc, Http, Icmp, Probe, Tcp, Udp

SCRIPTS = Path("/etc/popscope/checks")
# A timeout that is noticed so much later says more of us than of the backend.
_LATE_S = 0.25


async def _ask(probe: Probe, target: Target, scripts: Path) -> None:
    if isinstance(probe, Tcp):
        async with Stream(target, probe.tls):
            return
    if isinstance(probe, Http):
        return await http.check(probe, target)
    if isinstance(probe, Udp):
        return await udp.check(probe, target)
    if isinstance(probe, Icmp):
        return await icmp.check(target)
    if isinstance(probe, Grpc):
        return await grpc.check(probe, target)
    return await script.check(probe, target, scripts)


async def attempt(checker: Checker, target: Target, scripts: Path = SCRIPTS) -> Outcome:
    """Check a target once. Raises TargetError when this machine cannot: that judges nobody."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        async with asyncio.timeout(checker.timeout_s):
            await _ask(checker.probe, target, scripts)
        return Outcome(True, "", loop.time() - started)
    except TimeoutError:
        if loop.time() - started > checker.timeout_s + max(_LATE_S, checker.timeout_s / 2):
            raise TargetError(
                "this machine is too busy: the check's end was noticed late"
            ) from None
        reason = f"no answer in {checker.timeout_s:g} s"
    except Failed as failed:
        reason = str(failed)
    except OSError as error:
        if (own := ours(error)) is not None:
            raise own from error
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return Outcome(False, reason, loop.time() - started)
