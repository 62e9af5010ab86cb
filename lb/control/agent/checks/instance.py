"""Whether load balancers do what they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from lb.control.desired import Desired
from lb.control.findings import Finding, judged
from lb.control.health.probe import attempt
from lb.control.health.state import Health
from lb.control.health.target import Target
from lb.control.model.checker import Checker, Tcp

_PROBED_MAX = 256
_TRIES = 3
_ONCE = Checker(probe=Tcp(kind="tcp"), interval_s=1, timeout_s=0.5)


def members(desired: Desired, health: Mapping[tuple[str, str], Health]) -> list[Finding]:
    """Whether every member of every pool is up."""
    found = []
    for pool, spec in desired.all("pool").items():
        names = list(desired.members(pool))
        if spec.checker is None:
            found.append(
                Finding(
                    "members",
                    "warning",
                    f"{pool}: nobody checks its {len(names)} members",
                    "give the pool a checker",
                    "instance",
                    pool,
                )
            )
            continue
        down = [name for name in names if not (health.get((pool, name)) or Health()).up]
        why = {f"{n}: {health[pool, n].reason}" for n in down if (pool, n) in health}
        found.append(
            judged(
                "members",
                not down and bool(names),
                f"{pool}: {len(names) - len(down)} of {len(names)} up"
                + (f" ({'; '.join(sorted(why)[:4])})" if why else ""),
                "repair or remove what is down" if names else "give the pool members",
                severity="warning" if len(down) < len(names) else "error",
                level="instance",
                subject=pool,
            )
        )
    return found


def limits(desired: Desired) -> list[Finding]:
    """Whether limits and lists let anybody through."""
    found = []
    for name, spec in desired.all("limits").items():
        packets, opened = spec.packets_per_s, spec.new_connections_per_s
        good = packets is None or opened is None or packets >= opened
        found.append(
            judged(
                "limits",
                good,
                f"{name}: {opened} new connections a second, in {packets} packets",
                "a connection takes several packets: raise packets_per_s",
                severity="warning",
                level="instance",
                subject=name,
            )
        )
    for name, spec in desired.all("list").items():
        good = spec.default == "allow" or bool(spec.allow)
        text = f"{name}: {len(spec.allow)} allowed, {len(spec.deny)} denied, else {spec.default}"
        remedy = "nobody is let in: allow a prefix, or set default to allow"
        found.append(
            judged("list", good, text, remedy, severity="warning", level="instance", subject=name)
        )
    return found


async def service(desired: Desired, mark: int) -> list[Finding]:
    """Whether TCP listeners accept a connection that goes through the core; `mark` leads there."""
    vips = desired.all("vip")
    asked = [
        (name, vips[listener.vip].address, listener.port)
        for name, listener in desired.all("listener").items()
        if listener.protocol == "tcp"
    ][:_PROBED_MAX]
    answers = await asyncio.gather(*(_connect(vip, port, mark) for _, vip, port in asked))
    return [
        judged(
            "service",
            not reason,
            f"{name} ({vip} port {port}): {reason or 'accepts connections through the core'}",
            "`popscope lb trace` shows what the core does with them, `popscope lb drops` why not",
            level="instance",
            subject=vip,
        )
        for (name, vip, port), reason in zip(asked, answers, strict=True)
    ]


async def _connect(vip: str, port: int, mark: int) -> str:
    reason = ""
    for _ in range(_TRIES):  # the scheduler may choose a member that has just died
        outcome = await attempt(_ONCE, Target(vip, port, vip, mark))
        if outcome.ok:
            return ""
        reason = outcome.reason
    return reason
