"""The planners' views on a simulated fleet, against numpy; and every example of the README."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lb.catalogue import load
from pipeline import hours, limits, rollup
from pipeline.errors import ConfigError
from pipeline.limits import CapacityOptions
from pipeline.sql.filter import check
from pipeline.sql.words import load as load_words
from pipeline.store import QueryLimits
from pipeline.store.embedded import EmbeddedStore
from tests.fleet.fill import Span, fill
from tests.fleet.frames import frames
from tests.fleet.shape import DAY, Fault, Fleet
from tests.unit.pipeline_filled import commit
from tests.unit.pipeline_stores import fresh_store

NOW = int(time.time())
END = NOW // 3600 * 3600
TODAY = NOW // DAY * DAY
DAYS = 70
FLEET = Fleet(
    pops=8,
    nodes=2,
    vips=3,
    rate=14e6,
    growth=1.2,
    boot_days=1000.0,
    connections=1 << 22,
    faults=(Fault("ecmp-skew", 4, END - 3 * DAY, DAY, node=0, share=0.5),),
)
LIMITS = (
    "pop,node,packets_per_second,bits_per_second\n"
    ",,,20000000000\nJKT-3,,9000000,\nJKT-3,jkt-3-d1,9500000,10000000000\n"
)
README = Path(__file__).parents[2] / "pipeline/README.md"
Floats = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]


class Truth:
    """The lcores' hours as numpy: PoPs x nodes x lcores x hours."""

    def __init__(self, store: EmbeddedStore) -> None:
        table = store.query_arrow(
            "SELECT toUnixTimestamp(ts) AS second, rx_packets, rx_packets_peak, rx_bytes, tx_bytes,"
            " rx_bytes_peak, tx_bytes_peak, busy_cycles, idle_cycles, active_connections,"
            " max_connections FROM lcore_1h FINAL ORDER BY pop, node, lcore, ts"
        )
        shape = (FLEET.pops, FLEET.nodes, FLEET.lcores, -1)
        order = np.argsort(np.argsort(FLEET.pop_names))
        self.of = {
            name: table.column(name).to_numpy().astype(np.float64).reshape(shape)[order]
            for name in table.column_names
        }
        self.second = self.of["second"][0, 0, 0]
        self.lcore_busy = self.of["busy_cycles"] / (self.of["busy_cycles"] + self.of["idle_cycles"])
        self.node_busy = self.node("busy_cycles") / (
            self.node("busy_cycles") + self.node("idle_cycles")
        )
        self.connections = self.node("active_connections") / self.node("max_connections")

    def node(self, name: str) -> Floats:
        return np.asarray(self.of[name].sum(axis=2))

    def pop(self, name: str) -> Floats:
        return np.asarray(self.node(name).sum(axis=1))

    def since(self, days: float, now: int = NOW) -> npt.NDArray[np.bool_]:
        return np.asarray(self.second >= now - days * DAY)

    def capacity(self) -> Floats:
        """PoPs x nodes: learned from the busiest hour of 28 days, or as configured."""
        month = self.since(28)
        busiest = self.lcore_busy.max(axis=2)[..., month]
        at = busiest.argmax(axis=-1)[..., None]
        packets = np.take_along_axis(self.node("rx_packets")[..., month], at, -1)[..., 0] / 3600
        learned = np.floor(packets / busiest.max(axis=-1))
        learned[4] = 9_500_000, 9_000_000
        return np.asarray(learned)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """70 days of hours; ten minutes of frames of another PoP in the hour before, with a gap."""
    opened = fresh_store(tmp_path_factory.mktemp("store"))
    fill(opened, FLEET, Span("1h", END - DAYS * DAY, END))
    opened.query(  # the newer row is the one that counts
        "INSERT INTO lcore_1h SELECT * REPLACE (rx_packets + 7 AS rx_packets) FROM lcore_1h"
        " WHERE pop = 'JKT-1'"
    )
    path = tmp_path_factory.mktemp("limits") / "limits.csv"
    path.write_text(LIMITS)
    assert limits.keep(opened, CapacityOptions(str(path)))
    assert not limits.keep(opened, CapacityOptions(str(path)))
    rollup.once(opened, now=END + 3600)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def truth(store: EmbeddedStore) -> Truth:
    return Truth(store)


def rows(store: EmbeddedStore, sql: str) -> Rows:
    return list(store.query_arrow(sql).to_pylist())


def by_place(found: Rows, column: str) -> Floats:
    """A column of rows of nodes: PoPs x nodes."""
    values = {(row["pop"], row.get("node", row.get("lost"))): row[column] for row in found}
    return np.array([values[place] for place in FLEET.places], np.float64).reshape(FLEET.pops, -1)


def by_pop(found: Rows, column: str) -> Floats:
    values = {row["pop"]: row[column] for row in found}
    return np.array([values[pop] for pop in FLEET.pop_names], np.float64)


def test_capacity_is_learned_or_said(store: EmbeddedStore, truth: Truth) -> None:
    found = rows(store, "SELECT * FROM capacity_nodes")
    assert by_place(found, "packets_per_second") == pytest.approx(truth.capacity(), abs=1)
    bits = np.full((8, 2), 20e9)
    bits[4, 0] = 10e9
    assert (by_place(found, "bits_per_second") == bits).all()


def test_headroom(store: EmbeddedStore, truth: Truth) -> None:
    week = truth.since(7)
    peak = truth.node("rx_packets_peak")[..., week].max(axis=-1)
    bits = 8 * np.maximum(truth.node("rx_bytes_peak"), truth.node("tx_bytes_peak"))[..., week]
    found = rows(store, "SELECT * FROM capacity_headroom")
    assert by_place(found, "cycles_left") == pytest.approx(
        1 - truth.node_busy[..., week].max(axis=-1)
    )
    assert by_place(found, "connections_left") == pytest.approx(
        1 - truth.connections[..., week].max(axis=-1)
    )
    assert by_place(found, "packets_left") == pytest.approx(1 - peak / truth.capacity(), rel=1e-6)
    assert by_place(found, "bits_left")[0] == pytest.approx(1 - bits[0].max(axis=-1) / 20e9)
    assert by_place(found, "busiest_lcore_left") == pytest.approx(
        1 - truth.lcore_busy.max(axis=2)[..., week].max(axis=-1)
    )
    pops = rows(store, "SELECT * FROM capacity_headroom_pops")
    assert (
        by_pop(pops, "packets_peak") == truth.pop("rx_packets_peak")[:, week].max(axis=-1)
    ).all()
    assert by_pop(pops, "packet_capacity") == pytest.approx(truth.capacity().sum(axis=1), abs=2)


def test_a_day_is_its_busiest_hour(store: EmbeddedStore, truth: Truth) -> None:
    day = truth.second // DAY
    found = rows(store, "SELECT * FROM capacity_days WHERE pop = 'SIN-2' AND node LIKE '%d1'")
    assert len(found) >= DAYS
    place = FLEET.pop_names.index("SIN-2")
    for row in found:
        mine = day == np.datetime64(row["day"]).astype(np.int64)
        packets = truth.node("rx_packets")[place, 0, mine]
        assert row["rx_packets"] == packets.sum()
        assert row["busiest_hour_packets_per_second"] == pytest.approx(packets.max() / 3600)
        assert row["busy_share"] == pytest.approx(truth.node_busy[place, 0, mine].max())


def test_hours_of_the_day(store: EmbeddedStore, truth: Truth) -> None:
    month = truth.since(28, END)
    packets, of_day = truth.pop("rx_packets")[:, month] / 3600, truth.second[month] // 3600 % 24
    found = rows(store, "SELECT * FROM capacity_hour_of_day ORDER BY pop, hour")
    assert len(found) == 8 * 24
    for row in found:
        mine = packets[FLEET.pop_names.index(row["pop"])][of_day == row["hour"]]
        assert row["packets_per_second_p95"] == pytest.approx(np.quantile(mine, 0.95))
        assert row["packets_per_second_max"] == mine.max()
    for pop, ahead in zip(FLEET.pop_names, FLEET.hours_ahead, strict=True):
        mine = [row for row in found if row["pop"] == pop]
        busiest = max(mine, key=lambda row: row["packets_per_second_p95"])
        assert 18 <= (busiest["hour"] + ahead) % 24 <= 22


def fitted(share: Floats, days: Floats) -> dict[str, float]:
    """Line and errors by numpy, and the crossings, of one PoP's daily shares."""
    mean, weekday = share.mean(), (days + 3) % 7
    level = np.array([share[weekday == d].mean() for d in weekday])
    y = share * mean / level
    (slope, offset), cov = np.polyfit(days, y, 1, cov="unscaled")
    error = math.sqrt(((y - slope * days - offset) ** 2).sum() / (len(y) - 2))
    slope_error, mean_error = error * math.sqrt(cov[0, 0]), error / math.sqrt(len(y))

    def crosses(level: float, sign: int) -> float:
        if slope * days[-1] + offset >= level:
            return 0.0
        rise = slope + sign * 2 * slope_error
        if rise <= 0:
            return math.inf
        return days.mean() + (level - y.mean() - sign * 2 * mean_error) / rise - TODAY / DAY

    return {
        "share_a_day": slope,
        "share": slope * days[-1] + offset,
        "days_to_80": max(crosses(0.8, 0), 0.0),
        "days_to_80_latest": max(crosses(0.8, -1), 0.0),
        "days_to_full": max(crosses(1.0, 0), 0.0),
        "days_to_full_earliest": max(crosses(1.0, 1), 0.0),
        "days_to_full_latest": max(crosses(1.0, -1), 0.0),
    }


def test_the_forecast_is_a_fit_without_the_week(store: EmbeddedStore, truth: Truth) -> None:
    whole = (truth.second < TODAY) & (truth.second >= TODAY - 90 * DAY)
    day = truth.second[whole] // DAY
    days = np.unique(day)
    found = rows(store, "SELECT * FROM capacity_forecast")
    for resource, fullest in (
        ("cycles", truth.node_busy.max(axis=1)),
        ("connections", truth.connections.max(axis=1)),
        ("packets", truth.pop("rx_packets") / 3600 / 18_500_000),
    ):
        mine = {row["pop"]: row for row in found if row["resource"] == resource}
        assert set(mine) == ({"JKT-3"} if resource == "packets" else set(FLEET.pop_names))
        for pop, row in mine.items():
            hourly = fullest[FLEET.pop_names.index(pop)][whole]
            daily = np.array([hourly[day == d].max() for d in days])
            for name, value in fitted(daily, days).items():
                got = math.inf if row[name] is None else row[name]
                assert got == pytest.approx(value, rel=1e-3), f"{pop} {resource} {name}"
    growth = {row["pop"]: row for row in rows(store, "SELECT * FROM capacity_growth")}
    for pop, row in growth.items():
        ends = {r["resource"]: r["days_to_full"] for r in found if r["pop"] == pop}
        known = {name: end for name, end in ends.items() if end is not None}
        assert row["full_by"] == min(known, key=lambda name: known[name])
        assert row["days_to_full"] == pytest.approx(min(known.values()))
    # What grows by 60 to 180 % a year is seen to do so.
    assert all(row["packets_per_second_a_day"] > 0 for row in growth.values())


def test_a_day_that_has_just_begun_does_not_bend_the_line(store: EmbeddedStore) -> None:
    growth = "SELECT * EXCEPT pop FROM capacity_growth WHERE pop = 'JKT-1'"
    (before,) = rows(store, growth)
    began = f"toDateTime({TODAY + 1800}, 'UTC')"
    store.query(
        "INSERT INTO pop_hours (ts, pop, rx_packets, fullest_busy_share)"
        f" SELECT {began}, 'JKT-1', 1, 0.9999"
    )
    (after,) = rows(store, growth)
    assert after.pop("full_by") == before.pop("full_by")
    assert after == pytest.approx(before)
    store.query(f"DELETE FROM pop_hours WHERE ts = {began}")


def test_what_if_a_node_or_a_pop_goes(store: EmbeddedStore, truth: Truth) -> None:
    capacity, week = truth.capacity(), truth.since(7)
    busiest = truth.pop("rx_packets")[:, week].max(axis=-1)[:, None] / 3600
    left = capacity.sum(axis=1, keepdims=True) - capacity
    found = rows(store, "SELECT * FROM capacity_loss_of_node")
    assert by_place(found, "share") == pytest.approx(busiest / left, rel=1e-6)
    assert (by_place(found, "carries") == (busiest <= left)).all()
    week = truth.since(7, END)
    jakarta = [i for i, metro in enumerate(FLEET.metros) if metro == "JKT"]
    assert len(jakarta) == 4
    packets = truth.pop("rx_packets")[jakarta][:, week].sum(axis=0) / 3600
    of_day = truth.second[week] // 3600 % 24
    lost = FLEET.pop_names.index("JKT-3")
    rest = sum(capacity[i].sum() for i in jakarta if i != lost)
    found = rows(store, "SELECT * FROM capacity_loss_of_pop WHERE lost = 'JKT-3' ORDER BY hour")
    assert [row["hour"] for row in found] == list(range(24))
    for row in found:
        most = packets[of_day == row["hour"]].max()
        assert row["packets_per_second"] == pytest.approx(most)
        assert row["share"] == pytest.approx(most / rest, rel=1e-6)
        assert row["carries"] == (most <= rest)


def test_vips_that_grow_and_nodes_that_have_more(store: EmbeddedStore, truth: Truth) -> None:
    table = store.query_arrow(
        "SELECT vip, toUnixTimestamp(ts) AS second, rx_packets FROM vip_1h FINAL"
    )
    vips, second = np.array(table.column("vip").to_pylist()), table.column("second").to_numpy()
    packets = table.column("rx_packets").to_numpy()
    for row in rows(store, "SELECT * FROM capacity_vip_growth"):
        mine = vips == row["vip"]
        after = mine & (second >= TODAY - 28 * DAY) & (second < TODAY)
        before = mine & (second >= TODAY - 56 * DAY) & (second < TODAY - 28 * DAY)
        assert row["packets_per_second"] == pytest.approx(packets[after].sum() / 28 / DAY)
        grown = packets[after].sum() / packets[before].sum() - 1
        assert row["growth"] == pytest.approx(grown)
    nodes = truth.node("rx_packets")
    skew = nodes.max(axis=1) / nodes.mean(axis=1) - 1
    for row in rows(store, "SELECT toUnixTimestamp(ts) AS s, pop, skew FROM ecmp_imbalance"):
        place = FLEET.pop_names.index(row["pop"]), int(np.searchsorted(truth.second, row["s"]))
        assert row["skew"] == pytest.approx(skew[place])
    worst = rows(store, "SELECT pop FROM ecmp_imbalance ORDER BY skew DESC LIMIT 20")
    assert {row["pop"] for row in worst} == {"JKT-3"}


def test_every_example_of_the_readme_answers(store: EmbeddedStore) -> None:
    text = README.read_text()
    text = text[text.index("## Capacity planning") : text.index("## Configuration")]
    statements = [
        s for block in re.findall(r"```sql\n(.*?)```", text, re.S) for s in block.split(";")
    ]
    asked = [s.strip() for s in statements if s.strip()]
    views = set(re.findall(r"`((?:capacity|ecmp|packet)_[a-z_]+)`", text))
    words = load_words(store)
    for statement in asked:
        with store.read_only(QueryLimits()) as session:
            answer = session.query(check(session, words, statement).sql, "TSV")
        assert answer, statement
    assert not {view for view in views if not any(view in statement for statement in asked)}


def test_nothing_lost_is_one_query(store: EmbeddedStore) -> None:
    """A fleet's frames of an hour: proven; then a frame never comes, and a row breaks the law."""
    prove = (
        "SELECT sum(received) AS packets, sum(lost) AS lost, sum(unbalanced_keyframes) AS wrong,"
        " sum(missing_frames) AS missing, sum(keyframes) AS keyframes FROM packet_ledger"
        " WHERE pop = 'FRA-1'"
    )
    start = END - 2 * DAY - 70
    fleet = Fleet(pops=12, nodes=2, rate=500_000.0)
    ticks = frames(fleet, start, 140, keyframe_every=20, pops=range(2, 3))
    sent = [f for tick in ticks for f in tick if f.header.seq not in (30, 95)]
    for first in range(0, len(sent), 400):
        commit(store, sent[first : first + 400])
    rollup.once(store, now=END)
    (found,) = rows(store, prove)
    stored = rows(store, "SELECT sum(rx_packets) AS n FROM lcore_1s WHERE pop = 'FRA-1'")
    assert found["packets"] == stored[0]["n"] > 100_000
    assert (found["lost"], found["wrong"], found["missing"]) == (0, 0, 4)
    assert found["keyframes"] == 2 * 2 * 7
    store.query(
        "ALTER TABLE lcore_abs UPDATE drop_tx_full = drop_tx_full + 1 WHERE pop = 'FRA-1' "
        "AND seq = 40 AND lcore = '1' SETTINGS mutations_sync = 2"
    )
    hour = start // 3600 * 3600
    store.query(hours.insert(load(), hours.NODES, [hour, hour + 3600], 9), "Null")
    (found,) = rows(store, prove)
    assert found["wrong"] == 2


def test_hours_are_what_the_lcores_sum_to(store: EmbeddedStore) -> None:
    sums = "sum(rx_packets), sum(rx_bytes), sum(busy_cycles), sum(max_connections)"
    lcores = store.query(f"SELECT {sums} FROM lcore_1h FINAL", "TSV")
    for table in (hours.NODES, hours.POPS):
        assert store.query(f"SELECT {sums} FROM {table} FINAL", "TSV") == lcores


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pop,node\n", "the first line must be"),
        ("pop,node,packets_per_second,bits_per_second\n,lb1,1,\n", ":2: node lb1: a node needs"),
        ("pop,node,packets_per_second,bits_per_second\na,,-1,\n", ":2: '-1' must be a whole"),
        ("pop,node,packets_per_second,bits_per_second\na,,1,\na,,2,\n", ":3: this PoP and node"),
        ("pop,node,packets_per_second,bits_per_second\na,1\n", ":2: must have 4 columns"),
    ],
)
def test_a_wrong_file_is_told_line_by_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "limits.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(problem)):
        limits.read(CapacityOptions(str(path)))
    assert CapacityOptions(str(path)).problems()
    assert CapacityOptions(str(tmp_path / "none.csv")).problems()
