"""What the agent knows of itself without looking."""

from __future__ import annotations

from lb.control.agent.bgp.speaker import Speaker
from lb.control.agent.force import Force
from lb.control.findings import Finding, judged


def own_findings(force: Force, speaker: Speaker, link: str, complaints: list[str]) -> list[Finding]:
    """`link`: what is wrong with the way to the controller; `complaints`: with the cache."""
    problems = "; ".join(f"{p.path}: {p.message}" for p in force.problems)
    peers = ", ".join(f"{peer}: {state}" for peer, state in speaker.sessions.items())
    established = all(state == "Established" for state in speaker.sessions.values())
    running = force.alive and force.generation > 0
    generation = f"generation {force.generation} is in force"
    return [
        judged(
            "core", running, generation if running else "none runs", "start it: `popscope lb run`"
        ),
        judged(
            "configuration",
            not problems,
            problems or "what is wanted is in force",
            "change at the controller what the core refuses",
            severity="warning",
        ),
        judged(
            "controller",
            not link,
            link or "connected, or none is set",
            "see the address, the token, and the way there",
            severity="warning",
        ),
        judged(
            "cache",
            not complaints,
            "; ".join(complaints) or "whole",
            "look at the disk; a new state replaces it",
            severity="warning",
        ),
        judged(
            "bgp",
            established and not speaker.complaint,
            speaker.complaint or peers or "no session is wanted",
            "see the router's side of the session",
            severity="warning",
        ),
    ]
