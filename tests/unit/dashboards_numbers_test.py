"""What the panels show is what was counted: the data's every rate is known."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dashboards.macros import TimeRange
from lb._counters import Lcore
from lb.catalogue import load
from pipeline import rollup
from tests.unit.dashboards_asking import (
    EVERYTHING,
    LCORES,
    RANGES,
    ask,
    chosen_values,
    home,
    panel,
    series,
    span,
)
from tests.unit.dashboards_seed import LABELS, NODES, Seed, seeded


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    with seeded(tmp_path_factory.mktemp("store")) as found:
        yield found


@pytest.mark.parametrize("name", RANGES)
def test_rates_are_the_same_at_every_level(seed: Seed, name: str) -> None:
    """The seed adds the same every second: a level that loses or doubles rows shows it."""
    packets = ask(seed, panel(20), EVERYTHING, span(seed, name))
    assert set(packets.column("received")) == {1_000.0 * LCORES}
    assert set(packets.column("sent")) == {994.0 * LCORES}
    bits = ask(seed, panel(21), EVERYTHING, span(seed, name))
    assert set(bits.column("received")) == {512_000.0 * LCORES}
    busy = ask(seed, panel(40), EVERYTHING, span(seed, name))
    assert {round(v, 9) for v in busy.column("value")} == {0.3}
    drops = ask(seed, panel(30), EVERYTHING, span(seed, name))
    assert {(r[1], r[2]) for r in drops.rows} == {
        ("arp_not_for_us", 2.0 * LCORES),
        ("no_backend", 4.0 * LCORES),
    }
    bursts = ask(seed, panel(42), EVERYTHING, span(seed, name))
    assert {v for row in bursts.rows for v in row[1:]} == {1.0 * LCORES}
    vips = ask(seed, panel(82), EVERYTHING, span(seed, name))
    assert set(vips.column("value")) == {10.0 * len(NODES)}


@pytest.mark.parametrize("name", ["minutes", "hours"])
def test_the_fleet_is_the_sum_of_its_lcores(seed: Seed, name: str) -> None:
    """From the rollups of nodes: the same rates, shares and sums as lcore by lcore."""
    at = span(seed, name)
    packets = ask(seed, panel(210), EVERYTHING, at)
    assert set(packets.column("received")) == {1_000.0 * LCORES}
    assert set(packets.column("sent")) == {994.0 * LCORES}
    assert series(ask(seed, panel(212), EVERYTHING, at)) == {
        "arp_not_for_us": {2.0 * LCORES},
        "no_backend": {4.0 * LCORES},
    }
    by_pop = series(ask(seed, panel(213), EVERYTHING, at))
    assert by_pop == {pop: {1_000.0 * LCORES / 2} for pop in ("ams", "fra")}
    assert series(ask(seed, panel(214), EVERYTHING, at)) == {
        pop: {250.0 * LCORES / 2} for pop in ("ams", "fra")
    }
    assert {round(v, 6) for v in ask(seed, panel(215), EVERYTHING, at).column("value")} == {0.006}
    assert {round(v, 6) for v in ask(seed, panel(216), EVERYTHING, at).column("value")} == {0.3}
    table = ask(seed, panel(220), EVERYTHING, at)
    assert table.column("pop") == ["ams", "fra"]
    for column, value in {"directors": 2, "silent_directors": 0, "loss": 0.006, "busiest": 0.3,
                          "fullest": 0.25, "connections": 250 * LCORES / 2}.items():  # fmt: skip
        assert {round(float(v), 6) for v in table.column(column)} == {value}, column
    assert sum(map(float, table.column("received"))) == 1_000.0 * LCORES


def test_directors_of_a_pop_have_equal_shares(seed: Seed) -> None:
    at = span(seed, "raw")
    in_fra = {**EVERYTHING, "pop": ["fra"]}
    assert series(ask(seed, panel(304), in_fra, at)) == {"fra-d1": {0.5}, "fra-d2": {0.5}}
    assert set(ask(seed, panel(305), in_fra, at).column("skew")) == {1.0}
    table = ask(seed, panel(308), in_fra, at)
    for column, value in {"received": 2_000, "share": 0.5, "loss": 0.006, "busiest": 0.3,
                          "fullest": 0.25, "connections": 500, "lcores": 2}.items():  # fmt: skip
        assert {round(float(v), 6) for v in table.column(column)} == {value}, column
    vips = ask(seed, panel(309), in_fra, at)
    assert [set(map(float, vips.column(c))) for c in ("of_directors", "serving", "skew")] == [
        {2.0}, {2.0}, {1.0},
    ]  # fmt: skip


def test_histograms_have_their_quantiles(seed: Seed) -> None:
    """A second has one iteration in each bucket: the median is the bucket in the middle."""
    result = ask(seed, panel(49), EVERYTHING, span(seed, "raw"))
    column = Lcore.BURST_LATENCY_NANOSECONDS
    bounds = next(c.bounds for c in load().scope("lcore") if c.id == column)
    middle = bounds[(len(bounds) + 2) // 2 - 1]
    assert {tuple(map(int, row[1:])) for row in result.rows} == {(middle, bounds[-1], bounds[-1])}


def test_what_the_control_plane_said_last_is_shown(seed: Seed) -> None:
    at, in_fra = span(seed, "raw"), {**EVERYTHING, "pop": ["fra"]}
    for number, count in {800: 2, 801: 0, 802: 2, 803: 2}.items():
        assert int(ask(seed, panel(number), in_fra, at).rows[0][0]) == count, number
    wrong = ask(seed, panel(810), in_fra, at)
    assert {(r[0], r[3], r[4], r[6]) for r in wrong.rows} == {
        ("health", "web/b2", "down", "probe_timeout"),
        ("route", "198.51.100.1/32", "withdrawn", "no_backend"),
        ("drain", "web/b1", "draining", "operator"),
    }
    pools = ask(seed, panel(811), in_fra, at)
    assert {tuple(map(str, r[2:5])) for r in pools.rows} == {("web", "2", "1")}
    [route] = ask(seed, panel(812), in_fra, at).rows
    assert [str(v) for v in route[1:4]] == ["198.51.100.1/32", "2", "0"]
    assert len(ask(seed, panel(822), in_fra, at).rows) == 2 * 5


def test_frames_are_counted_and_their_delay_is_known(seed: Seed) -> None:
    at, in_fra = span(seed, "raw"), {**EVERYTHING, "pop": ["fra"]}
    assert [float(ask(seed, panel(n), in_fra, at).rows[0][0]) for n in (600, 601, 602)] == [1, 0, 0]
    rows = ask(seed, panel(620), in_fra, at)
    assert set(map(int, rows.column("frames"))) == {RANGES["raw"][0]}
    assert set(map(float, rows.column("longest_delay"))) == {1.0}


def test_the_proof_has_every_packet_of_whole_hours(seed: Seed) -> None:
    proof = ask(seed, panel(624), {**EVERYTHING, "pop": ["fra"]}, span(seed, "hours"))
    hours = set(map(int, proof.column("whole_hours")))
    assert hours <= {RANGES["hours"][0] // 3_600 - 1, RANGES["hours"][0] // 3_600}
    for row in proof.rows:
        counted, received, sent, dropped, _, unbalanced = map(int, row[2:8])
        assert received == counted * 3_600 * 1_000 * len(LABELS["lcore"])
        assert (sent, dropped) == (received * 994 // 1_000, received * 6 // 1_000)
        assert unbalanced == 0


@pytest.mark.parametrize("name", RANGES)
def test_balance_adds_up_to_the_packet(seed: Seed, name: str) -> None:
    result = ask(seed, panel(7), EVERYTHING, span(seed, name))
    assert len(result.rows) == LCORES
    assert {int(v) for v in result.column("residual")} == {0}
    for received, made, sent, dropped, consumed, held in (r[4:10] for r in result.rows):
        assert int(received) > 0
        assert int(received) + int(made) == sum(map(int, (sent, dropped, consumed, held)))


def test_a_range_that_ends_in_the_future_shows_true_ages_and_rates(seed: Seed) -> None:
    ahead = 600
    age = ask(seed, panel(2), EVERYTHING, span(seed, "raw", ahead))
    assert 0 <= age.rows[0][0] <= time.time() - seed.now
    vips = ask(seed, panel(80), EVERYTHING, span(seed, "raw", ahead))
    assert all(9 < v < 11 for v in vips.column("received"))


def test_rates_over_the_range_begin_with_the_data(seed: Seed) -> None:
    """The range is of 90 days, the data of 40: an average over the range would be too low."""
    empty_before = TimeRange((seed.now - 90 * 86_400) * 1_000, seed.now * 1_000, 3_600_000)
    for number in (80, 62):
        received = ask(seed, panel(number), EVERYTHING, empty_before).column("received")
        assert all(9.9 < v < 10.1 for v in received)


def test_a_choice_narrows_the_result(seed: Seed) -> None:
    one = chosen_values(home(41), "one")
    table = ask(seed, panel(41), one, span(seed, "raw"))
    assert [row[:4] for row in table.rows] == [["fra", "fra-d2", "core0", "2"]]


def test_a_director_that_stopped_is_silent(seed: Seed) -> None:
    """One more director, whose last minute is of a quarter of an hour ago."""
    assert ask(seed, panel(201), EVERYTHING, span(seed, "raw")).rows == [[0]]
    stopped = f"toDateTime(intDiv({seed.now}, 60) * 60 - 900)"
    seed.store.query(
        "INSERT INTO popscope.fleet_1m SELECT * REPLACE ('fra-d3' AS node) "
        f"FROM popscope.fleet_1m AS f FINAL WHERE f.node = 'fra-d2' AND f.ts = {stopped}",
        "Null",
    )
    at = span(seed, "raw")
    assert ask(seed, panel(201), EVERYTHING, at).rows == [[1]]
    pops = ask(seed, panel(220), EVERYTHING, at)
    assert [(r[0], int(r[1]), int(r[2])) for r in pops.rows] == [("fra", 3, 1), ("ams", 2, 0)]
    assert ask(seed, panel(221), EVERYTHING, at).rows[0][:3] == ["fra", "fra-d3", 1]


def test_the_pipelines_own_rollups_show_the_same_rates(seed: Seed) -> None:
    """Minutes as the pipeline computes them. The last test: it changes the store."""
    for scope in LABELS:
        seed.store.query(f"TRUNCATE TABLE popscope.{scope}_1m", "Null")
    assert rollup.once(seed.store) > 0
    last = seed.now * 1_000
    inside = TimeRange(last - int(3.5 * 3_600_000), last, 60_000)
    packets = ask(seed, panel(20), EVERYTHING, inside)
    assert len(packets.rows) > 200
    assert set(packets.column("received")) == {1_000.0 * LCORES}
    sent = ask(seed, panel(83), EVERYTHING, inside)
    assert set(sent.column("value")) == {10.0 * len(NODES)}
