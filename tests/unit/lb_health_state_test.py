"""The laws of the state machine of health checks, and of the floor."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lb.control.health.floor import in_service
from lb.control.health.state import Health, Outcome, judge, next_start
from lb.control.model.checker import Checker, Dampening, Http, Tcp

times = st.floats(0.01, 30)
results = st.lists(st.tuples(st.booleans(), times), max_size=60)
dampenings = st.one_of(
    st.none(),
    st.builds(
        Dampening,
        half_life_s=st.floats(1, 100),
        suppress=st.floats(2, 5),
        reuse=st.floats(0.1, 1.9),
        max_s=st.floats(1, 300),
    ),
)
checkers = st.builds(
    Checker,
    probe=st.just(Tcp()),
    rise=st.integers(1, 5),
    fall=st.integers(1, 5),
    dampening=dampenings,
)


def run(checker: Checker, history: list[tuple[bool, float]]) -> list[tuple[float, bool, Health]]:
    """(time, result, state after it) of each result."""
    health, now, states = Health(), 0.0, []
    for ok, pause in history:
        now += pause
        health = judge(health, Outcome(ok, "" if ok else "refused"), now, checker)
        states.append((now, ok, health))
    return states


@settings(deadline=None)
@given(checkers, results)
def test_verdicts_follow_the_last_results(
    checker: Checker, history: list[tuple[bool, float]]
) -> None:
    states = run(checker, history)
    before = Health()
    for i, (now, ok, health) in enumerate(states):
        recent = [past for _, past, _ in states[: i + 1]]
        if before.up is True and health.up is False:
            assert recent[-checker.fall :] == [False] * checker.fall
            assert health.reason == "refused"
            assert health.since == now
        if before.up is False and health.up is True:
            assert recent[-checker.rise :] == [True] * checker.rise
            assert not health.held
        if recent[-checker.fall :] == [False] * checker.fall:
            assert health.up is False, "down is never delayed"
        if checker.dampening is None and recent[-checker.rise :] == [True] * checker.rise:
            assert health.up is True
        if before.up is None and ok:
            assert health.up is True, "the first pass is enough"
        assert health.streak < (checker.fall if health.up in (True, None) else 10**9)
        before = health


@settings(deadline=None)
@given(checkers.filter(lambda c: c.dampening is not None), results)
def test_what_flaps_is_held_and_let_go(checker: Checker, history: list[tuple[bool, float]]) -> None:
    dampening = checker.dampening
    assert dampening is not None
    states = run(checker, history)
    for now, _, health in states:
        assert not (health.held and health.up)
        if health.held:
            # However much it flapped, it is let go in bounded time.
            later = health.penalised_at + dampening.max_s + 1
            for i in range(checker.rise):
                health = judge(health, Outcome(True), max(now, later) + i, checker)
            assert health.up is True
        assert (
            health.penalty_at(now, dampening)
            <= dampening.reuse * math.exp2(dampening.max_s / dampening.half_life_s) + 1e-9
        )


def test_flapping_costs_and_stability_pays() -> None:
    quick = Dampening(half_life_s=10, suppress=2.5, reuse=1, max_s=60)
    checker = Checker(probe=Tcp(), rise=1, fall=1, dampening=quick)
    downs = run(checker, [(True, 1), (False, 1)] * 3)
    assert [h.held for _, ok, h in downs if not ok] == [False, False, True]
    held = downs[-1][2]
    assert judge(held, Outcome(True), 7, checker).up is False
    assert judge(held, Outcome(True), 26, checker).up is True


@settings(deadline=None)
@given(
    st.floats(0.1, 100),
    st.floats(0.05, 1),
    st.integers(1, 10),
    st.floats(0, 0.5),
    st.floats(0, 1, exclude_max=True),
)
def test_a_silent_death_is_known_in_time(
    interval: float, part: float, fall: int, jitter: float, random: float
) -> None:
    timeout = max(0.05, interval * part)
    checker = Checker(probe=Tcp(), interval_s=interval, timeout_s=timeout, fall=fall, jitter=jitter)
    health, started, verdict = Health(up=True), 0.0, 0.0
    while health.up:  # it died just after a check had passed at once
        started = next_start(health, started, checker, random)
        if health.streak:
            started = max(started, verdict)
        verdict = started + timeout
        health = judge(health, Outcome(False), verdict, checker)
    assert verdict <= checker.detection_s + 1e-6
    if fall >= 2 and timeout <= interval / 2:
        assert checker.detection_s <= interval * fall + 1e-6


pools = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=2),
    st.builds(Health, up=st.sampled_from([None, True, False]), since=st.integers(0, 5).map(float)),
    max_size=12,
)


@settings(deadline=None)
@given(pools, st.floats(0, 1))
def test_the_floor_holds_and_removes_no_more_than_it_must(
    pool: dict[str, Health], floor: float
) -> None:
    serving = in_service(pool, floor)
    up = {name for name, health in pool.items() if health.up}
    assert up <= serving <= pool.keys()
    assert len(serving) == max(len(up), math.ceil(floor * len(pool)))
    # Another failure removes nobody else, and below the floor it removes not even its own.
    for name in up:
        worse = in_service({**pool, name: replace(pool[name], up=False, since=10.0)}, floor)
        assert serving - worse <= {name}
        if len(up) <= math.ceil(floor * len(pool)):
            assert name in worse


def test_the_floor_keeps_those_that_went_down_last() -> None:
    pool = {"a": Health(up=False, since=1), "b": Health(up=False, since=2), "c": Health(up=True)}
    assert in_service(pool, 0.0) == {"c"}
    assert in_service(pool, 0.5) == {"b", "c"}
    assert in_service({**pool, "c": Health(up=False, since=3)}, 0.5) == {"b", "c"}


@pytest.mark.parametrize(
    ("document", "place", "text"),
    [
        ({"probe": {"kind": "tcp"}, "timeout_s": 6}, (), "must not be above interval_s"),
        ({"probe": {"kind": "pop3"}}, ("probe",), "'tcp', 'http'"),
        ({"probe": {"kind": "tcp", "prot": 1}}, ("probe", "tcp", "prot"), "not permitted"),
        ({"probe": {"kind": "http", "path": "x"}}, ("probe", "http"), "must begin with /"),
        ({"probe": {"kind": "http", "body": "x", "method": "HEAD"}}, ("probe", "http"), "use GET"),
        ({"probe": {"kind": "udp", "payload": "abc"}}, ("probe", "udp", "payload"), "pattern"),
        ({"probe": {"kind": "script", "script": "../x"}}, ("probe", "script", "script"), "pattern"),
        ({"probe": {"kind": "tcp", "tls": {"verify": True}}}, ("probe", "tcp", "tls"), "sni"),
        (
            {"probe": {"kind": "tcp"}, "dampening": {"reuse": 5}},
            ("dampening",),
            "below suppress",
        ),
    ],
)
def test_a_bad_checker_is_refused_by_place(
    document: dict[str, object], place: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Checker.model_validate(document)
    (problem,) = refused.value.errors()
    assert problem["loc"] == place
    assert text in problem["msg"]


def test_a_checker_survives_json() -> None:
    checker = Checker(probe=Http(host="a.example", statuses=(200, 204)), interval_s=1, timeout_s=1)
    assert Checker.model_validate_json(checker.model_dump_json()) == checker
    assert hash(checker) == hash(Checker.model_validate_json(checker.model_dump_json()))
