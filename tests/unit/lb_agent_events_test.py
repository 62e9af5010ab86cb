"""The agent's events: each change once, what lasts again, nothing without its PoP."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.control.agent.events import Events
from lb.control.health.state import Health

UP, DOWN, NEW = Health(up=True, since=9), Health(up=False, since=9, reason="refused"), Health()


class Log:
    """Events in a file, and what is in it."""

    def __init__(self, path: Path, limit: int = 1 << 20, retell_s: float = 3000) -> None:
        self.path = path
        self.pop = "fra1"
        self.events = Events(path, limit, "d1", lambda: self.pop, retell_s)

    def lines(self) -> list[tuple[str, str, str]]:
        """(subject, state, reason) of all."""
        text = self.path.read_text() if self.path.exists() else ""
        rows = [json.loads(line) for line in text.splitlines()]
        assert all(row["pop"] == "fra1" and row["node"] == "d1" for row in rows)
        return [(row["subject"], row["state"], row["reason"]) for row in rows]


def test_members_are_told_when_they_change_and_when_they_go(tmp_path: Path) -> None:
    log = Log(tmp_path / "e")
    log.events.health({"web/b1": UP, "web/b2": NEW, "web/b3": DOWN}, started=5)
    log.events.health({"web/b1": UP, "web/b2": NEW, "web/b3": UP}, started=5)
    log.events.health({"web/b1": UP}, started=5)
    log.events.health({"web/b1": UP}, started=5)
    assert log.lines() == [
        ("web/b1", "up", "checks_passed"),
        ("web/b3", "down", "checks_failed"),
        ("web/b3", "up", "checks_passed"),
        ("web/b3", "removed", "configuration"),
    ]
    # An agent that starts again knows from before.
    again = Log(tmp_path / "f")
    again.events.health({"web/b1": UP}, started=50)
    assert again.lines() == [("web/b1", "up", "still")]


def test_what_lasts_is_told_again(tmp_path: Path) -> None:
    log = Log(tmp_path / "e", retell_s=0)
    log.events.tell("bgp", "10.0.0.1", "established", "session")
    log.events.tell("config", "7", "applied", "changed")
    log.events.tell("drain", "web/b1", "released", "operator")
    log.events.retell()
    log.events.retell()
    assert log.lines()[3:] == [("10.0.0.1", "established", "still")] * 2
    patient = Log(tmp_path / "f")
    patient.events.tell("bgp", "10.0.0.1", "established", "session")
    patient.events.retell()
    assert len(patient.lines()) == 1


def test_what_comes_before_the_pop_waits_for_it(tmp_path: Path) -> None:
    log = Log(tmp_path / "e")
    log.pop = ""
    log.events.tell("core", "core", "up", "seen")
    assert log.lines() == []
    log.pop = "fra1"
    log.events.tell("config", "1", "applied", "changed")
    assert [state for _, state, _ in log.lines()] == ["up", "applied"]


def test_the_file_is_bounded_and_losses_are_counted(tmp_path: Path) -> None:
    log = Log(tmp_path / "e", limit=2000)
    for i in range(50):
        log.events.tell("route", f"198.51.100.{i}/32", "advertised", "health")
    assert log.path.stat().st_size <= 2200
    assert (tmp_path / "e.1").exists()
    assert log.events.counts == {"route": 50}
    lost = Log(tmp_path / "none" / "e")
    lost.events.tell("core", "core", "up", "seen")
    assert lost.events.counts["lost"] == 1


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40
)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["p/a", "p/b", "p/c"]), st.sampled_from([UP, DOWN, NEW])),
        max_size=12,
    )
)
def test_the_last_word_is_the_state(tmp_path: Path, history: list[dict[str, Health]]) -> None:
    path = tmp_path / "events"
    path.unlink(missing_ok=True)
    log = Log(path)
    judged: dict[str, str] = {}
    for members in history:
        log.events.health(members, started=0)
        judged = {m: s if m in members else "removed" for m, s in judged.items()}
        known = {m: "up" if h.up else "down" for m, h in members.items() if h.up is not None}
        judged |= known
        last = {subject: state for subject, state, _ in log.lines()}
        assert last == judged
    told = [(subject, state) for subject, state, _ in log.lines()]
    for subject in judged:
        states = [state for s, state in told if s == subject]
        assert all(a != b for a, b in pairwise(states)), "no change twice"
