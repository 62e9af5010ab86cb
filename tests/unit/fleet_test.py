"""The simulated fleet: the law in every row, sums that agree, and frames that the audit proves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.catalogue import LEDGER_TERMS, load
from pipeline import rollup
from pipeline.ledger.audit import verify
from pipeline.ledger.model import Range
from pipeline.ledger.source import StoreSource
from pipeline.store.embedded import EmbeddedStore
from tests.fleet.counts import Counts, count
from tests.fleet.fill import Span, fill
from tests.fleet.frames import frames
from tests.fleet.send import Load, send
from tests.fleet.shape import DAY, EPOCH, KINDS, Fault, Fleet, Ints
from tests.fleet.traffic import share_out, split
from tests.unit.pipeline_filled import commit, prepare
from tests.unit.pipeline_serving import serving
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import EVENING_MS

START = EVENING_MS // 1000 // 60 * 60 - 3600
SIGN = {"rx": 1, "originated": 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


def residual(counts: Counts, scope: str) -> Ints:
    entries = [(t, c.id) for t in LEDGER_TERMS for c in load().ledger(t, scope)]
    there = counts.scopes[scope]
    return np.asarray(sum(SIGN.get(t, -1) * there[name] for t, name in entries if name in there))


faults = st.builds(
    Fault,
    kind=st.sampled_from(KINDS),
    pop=st.integers(0, 1),
    start=st.integers(EPOCH, EPOCH + 4000),
    seconds=st.integers(1, 4000),
    node=st.integers(-1, 0),
    share=st.floats(0, 1),
)
fleets = st.builds(
    Fleet,
    pops=st.integers(2, 5),
    nodes=st.integers(1, 3),
    lcores=st.integers(1, 4),
    vips=st.integers(1, 6),
    backends=st.integers(1, 3),
    rate=st.sampled_from([1.0, 2_000.0, 2e6, 4e8]),
    growth=st.floats(-0.5, 3),
    seed=st.integers(0, 99),
    fault_days=st.sampled_from([0.0, 0.05, 3.0]),
    boot_days=st.sampled_from([0.02, 30.0]),
    faults=st.lists(faults, max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=30)
@given(fleets, st.integers(0, 4000), st.sampled_from([1, 60, 3600]))
def test_the_law_holds_and_the_scopes_agree(fleet: Fleet, at: int, interval: int) -> None:
    times = EPOCH + at + interval * np.arange(5, dtype=np.int64)
    counts = count(fleet, times, interval)
    assert not residual(counts, "lcore").any()
    assert not residual(counts, "vip").any()
    for columns in counts.scopes.values():
        assert all((values >= 0).all() for values in columns.values())
    lcore, vip, backend, port = (counts.scopes[s] for s in ("lcore", "vip", "backend", "port"))
    sums = {name: values.sum(axis=2) for name, values in lcore.items() if values.ndim == 3}
    stray = sums.get("drop_unknown_destination", 0)
    asked = sums["consumed_arp_request"]
    assert (vip["rx_packets"].sum(axis=2) == sums["rx_packets"] - asked - stray).all()
    assert (vip["tx_packets"].sum(axis=2) == sums["tx_packets"] - asked).all()
    assert (backend["tx_packets"].sum(axis=2) == vip["tx_packets"].sum(axis=2)).all()
    assert (port["rx_packets"][..., 0] == sums["rx_packets"]).all()
    assert (lcore["active_connections"] <= lcore["max_connections"]).all()
    histogram = lcore["burst_packets"]
    assert (histogram[..., :-1].sum(axis=-1) == lcore["rx_bursts"]).all()
    assert (histogram[..., -1] == lcore["rx_packets"]).all()
    part = count(fleet, times[2:4], interval, range(1, 2))
    here = slice(fleet.nodes, 2 * fleet.nodes)
    for scope, columns in part.scopes.items():
        for name, values in columns.items():
            whole = counts.scopes[scope][name][here, 2:4]
            assert (values == whole).all(), f"{scope}.{name} depends on what else was asked for"


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=8), st.floats(0, 1), st.floats(0.01, 9))
def test_what_is_shared_out_fits_and_sums(parts: list[int], part: float, weight: float) -> None:
    each = np.array(parts, np.int64)
    total = np.array(int(each.sum() * part), np.int64)
    shares = share_out(total, each)
    assert shares.sum() == total
    assert ((shares >= 0) & (shares <= each)).all()
    assert split(total, each + weight).sum() == total


def test_traffic_has_seasons_growth_and_neighbours_that_take_over() -> None:
    calm = Fleet(pops=8, nodes=2, growth=0.5)
    hours = EPOCH + 3600 * np.arange(0, 8760, dtype=np.int64)
    packets = count(calm, hours, 3600).scopes["lcore"]["rx_packets"].sum(axis=2)
    by_pop = packets.reshape(8, 2, -1).sum(axis=1)
    local = (hours[None, :] / 3600 + calm.hours_ahead[:, None]) % 24
    evening, night = (by_pop[(local >= low) & (local < low + 2)].mean() for low in (20, 7))
    assert 2 < evening / night < 4
    growth = by_pop[:, -28 * 24 :].sum(axis=1) / by_pop[:, : 28 * 24].sum(axis=1)
    assert growth == pytest.approx((1 + calm.pop_growth) ** (337 / 365.25), rel=0.03)
    down = Fault("pop-down", 0, int(hours[10]), 7200)
    moved = count(Fleet(pops=8, nodes=2, growth=0.5, faults=(down,)), hours[:24], 3600)
    after = moved.scopes["lcore"]["rx_packets"].sum(axis=2).reshape(8, 2, -1).sum(axis=1)
    assert calm.metros[0] == calm.metros[2]
    assert (after[0, 10:12] == 0).all()
    assert (after[2, 10:12] > by_pop[2, 10:12]).all()
    assert after[:, 10].sum() == pytest.approx(by_pop[:, 10].sum(), rel=1e-6)
    assert (after[:, 12:24] == by_pop[:, 12:24]).all()


def test_the_audit_proves_its_frames(store: EmbeddedStore) -> None:
    """Faults, a restart and a node that goes away and comes back, from frames to rollups."""
    prepare(store)
    made = (
        Fault("tx-full", 0, START + 20, 30, share=0.2),
        Fault("node-down", 1, START + 50, 15, node=0),
        Fault("syn-flood", 1, START + 60, 15, node=1, share=0.3),
    )
    fleet = Fleet(pops=2, nodes=2, rate=400_000.0, faults=made)
    ticks = list(frames(fleet, START, 80, keyframe_every=30))
    for part in (ticks[:55], ticks[55:]):
        commit(store, [frame for tick in part for frame in tick])
    rollup.once(store, now=START + 7200)
    report = verify(StoreSource(store), Range(START * 1000, (START + 3600) * 1000))
    assert report.proven, [c.findings or c.unknown for c in report.checks]
    assert report.frames == 80 * 4
    counts = count(fleet, START + np.arange(80), 1)
    for name in ("rx_packets", "drop_tx_full", "drop_half_open_limit"):
        stored = store.query(f"SELECT sum({name}) FROM lcore_1m FINAL", "CSV")
        assert int(stored) == counts.scopes["lcore"][name].sum() > 0
    boots = store.query("SELECT uniqExact(boot), countIf(final) FROM instances", "TSV").split()
    assert [int(n) for n in boots] == [5, 1]


def test_a_filled_store_has_lawful_rollups(store: EmbeddedStore) -> None:
    prepare(store)
    fleet = Fleet(pops=5, nodes=2, lcores=3, vips=3, fault_days=2.0, boot_days=9.0)
    start = START // DAY * DAY - 40 * DAY
    rows = fill(store, fleet, Span("1h", start, start + 33 * DAY))
    fill(store, fleet, Span("1m", start, start + 7200), scopes=("lcore",))
    there = [
        int(store.query(f"SELECT count() FROM {t}_1h", "CSV")) for t in ("lcore", "port", "vip")
    ]
    assert sum(there) == rows > 0.95 * 33 * 24 * 10 * 7
    for table in ("lcore_1h", "lcore_1m", "vip_1h"):
        scope = table[:-3]
        terms = {t: "+".join(["0", *(c.id for c in load().ledger(t, scope))]) for t in LEDGER_TERMS}
        wrong = "{rx} + {originated} != {tx} + {drop} + {consumed}".format(**terms)
        assert int(store.query(f"SELECT countIf({wrong}) FROM {table}", "CSV")) == 0
    for level in ("1h", "1m"):
        sums = "sum(rx_packets), sum(busy_cycles), uniqExact(ts, pop, node)"
        of_lcores = store.query(f"SELECT {sums} FROM lcore_{level} FINAL", "CSV")
        assert store.query(f"SELECT {sums} FROM fleet_{level} FINAL", "CSV") == of_lcores
    low = "countIf(rx_packets_peak * 3600 < rx_packets OR rx_packets_peak > rx_packets)"
    assert int(store.query(f"SELECT {low} FROM lcore_1h", "CSV")) == 0
    lost = "SELECT sum(drop_no_backend + drop_neighbour_unresolved + drop_tx_full) FROM lcore_1h"
    assert int(store.query(lost, "CSV")) > 0
    boots = store.query(
        "SELECT uniqExact(node, boot), uniqExact(boot) FROM lcore_1h", "TSV"
    ).split()
    assert boots[0] == boots[1]
    assert int(boots[0]) > 30


async def test_an_ingest_takes_it(store: EmbeddedStore, tmp_path: Path) -> None:
    prepare(store)
    fleet = Fleet(pops=2, nodes=1)
    async with serving(store) as client:
        sent = await send(fleet, client.url, Load(START, 12, batch=5, clients=2))
        assert sent.frames == 24
        assert client.value("frames_total", outcome="committed") == 24
    stored = store.query("SELECT sum(rx_packets) FROM lcore_1s", "CSV")
    counts = count(fleet, START + np.arange(12), 1)
    assert int(stored) == counts.scopes["lcore"]["rx_packets"].sum()
