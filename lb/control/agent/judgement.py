"""From a desired state to checks, and from their results to weights: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lb.control.desired import Desired
from lb.control.health.engine import Job
from lb.control.health.floor import in_service
from lb.control.health.state import Health
from lb.control.health.target import Target
from lb.control.health.way import Way
from lb.control.model.checker import Checker

Member = tuple[str, str]  # (pool, member)


@dataclass(frozen=True, slots=True)
class Checks:
    """What is to be checked: jobs, the member that each speaks of, and marks by address."""

    jobs: tuple[Job, ...]
    members: dict[str, Member]
    marks: dict[str, int]


def checks(desired: Desired, way: Way | None) -> Checks:
    """One job a member and listener of its pool; a checker's own port makes it one a VIP.

    With a `way`, members of pools of direct return are asked for the VIP, unless their checker
    says otherwise.
    """
    jobs: dict[str, Job] = {}
    members: dict[str, Member] = {}
    marks: dict[str, int] = {}
    vips = desired.all("vip")
    for listener in desired.all("listener").values():
        pool = desired.all("pool")[listener.pool]
        if pool.checker is None:
            continue
        checker: Checker = desired.all("checker")[pool.checker]
        port = checker.port or listener.port
        vip = vips[listener.vip].address
        for name, member in desired.members(listener.pool).items():
            target = Target(member.address, port, member.address)
            if way is not None and pool.mode == "dsr" and checker.to == "vip":
                number = marks.setdefault(member.address, way.mark(len(marks)))
                target = Target(vip, port, member.address, number)
            key = f"{listener.pool}/{name}/{vip}/{port}"
            jobs[key] = Job(key, checker, target)
            members[key] = (listener.pool, name)
    return Checks(tuple(jobs.values()), members, marks)


def worst(healths: list[Health]) -> Health:
    """The state of a member from those of its checks: down if one is, unjudged if one is."""
    rank = {False: 0, None: 1, True: 2}
    return min(healths, key=lambda health: (rank[health.up], -health.since))


def by_member(states: Mapping[str, Health], members: Mapping[str, Member]) -> dict[Member, Health]:
    """States of jobs as states of members."""
    found: dict[Member, list[Health]] = {}
    for key, health in states.items():
        found.setdefault(members[key], []).append(health)
    return {member: worst(healths) for member, healths in found.items()}


def weights(
    desired: Desired, health: Mapping[Member, Health], overrides: Mapping[Member, int]
) -> dict[Member, int]:
    """The weights that are not the members' own: 0 for who is out of service, and overrides.

    Members with weight 0 count for the floor as they are checked, and stay at 0.
    """
    found: dict[Member, int] = {}
    for pool, spec in desired.all("pool").items():
        known = {
            name: health[pool, name] for name in desired.members(pool) if (pool, name) in health
        }
        serving = in_service(known, spec.floor)
        found |= {(pool, name): 0 for name in known.keys() - serving}
    known_members = {(p, m) for p in desired.all("pool") for m in desired.members(p)}
    return found | {key: w for key, w in overrides.items() if key in known_members}


def healthy_vips(desired: Desired, health: Mapping[Member, Health]) -> dict[str, bool]:
    """Whether a VIP has what it takes to be announced: behind each listener a member in service.

    A pool without a checker is believed to serve, if it has a member with a weight.
    """
    found: dict[str, bool] = {}
    for listener in desired.all("listener").values():
        pool = desired.all("pool")[listener.pool]
        members = desired.members(listener.pool)
        serving = [
            m.weight > 0 and (pool.checker is None or _up(health, (listener.pool, name)))
            for name, m in members.items()
        ]
        address = desired.all("vip")[listener.vip].address
        found[address] = found.get(address, True) and any(serving)
    return found


def _up(health: Mapping[Member, Health], member: Member) -> bool:
    known = health.get(member)
    return known is not None and known.up is True


def shown(health: Mapping[Member, Health], weights: Mapping[Member, int]) -> dict[str, Any]:
    """For reports: by "pool/member"."""
    return {
        f"{pool}/{name}": {
            "up": state.up,
            "reason": state.reason,
            "held": state.held,
            "in_service": weights.get((pool, name)) != 0,
        }
        for (pool, name), state in sorted(health.items())
    }
