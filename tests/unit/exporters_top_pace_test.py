"""Rates of `popscope top`: across looks, wraps, falls, names that change, torn rows, versions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from exporters.segment import Segment
from exporters.snapshot import SnapshotReader
from exporters.top.pace import Pace, Paced
from exporters.top.tables import drop_reasons
from lb.catalogue import Catalogue, load
from tests.unit.exporters_fakes import FakeSegment


class Watched:
    """A segment, and what is followed of one of its scopes."""

    def __init__(self, fake: FakeSegment, scope: str) -> None:
        self.fake, self.scope, self.pace = fake, scope, Pace()
        self.reader = SnapshotReader(Segment(fake.path))

    def look(self, at: float, ended: bool = False) -> Paced:
        snapshot = self.reader.read(ended)
        return self.pace.look(snapshot.scopes[self.scope], at, ended)


@pytest.fixture
def lcores(tmp_path: Path) -> Watched:
    return Watched(FakeSegment(tmp_path), "lcore")


@pytest.fixture
def vips(tmp_path: Path) -> Watched:
    return Watched(FakeSegment(tmp_path), "vip")


def test_nothing_is_known_at_the_first_look(lcores: Watched) -> None:
    lcores.fake.add("lcore", 0, rx_packets=100)
    first = lcores.look(10.0)
    assert np.isnan(first.rates).all()
    assert np.isnan(first.elapsed_s)
    assert first.value("rx_packets").tolist() == [100, 0]


def test_a_rate_is_what_was_counted_over_the_time_between(lcores: Watched) -> None:
    lcores.look(10.0)
    lcores.fake.add("lcore", 1, rx_packets=100)
    looked = lcores.look(14.0)
    assert looked.rate("rx_packets").tolist() == [0.0, 25.0]
    assert looked.elapsed_s == 4.0
    assert lcores.look(15.0).rate("rx_packets").tolist() == [0.0, 0.0]


def test_rows_of_all_lanes_are_summed(vips: Watched) -> None:
    vips.look(0.0)
    vips.fake.add("vip", 2, lane=0, rx_packets=3)
    vips.fake.add("vip", 2, lane=1, rx_packets=4)
    assert vips.look(1.0).rate("rx_packets").tolist() == [0, 0, 7, 0]


def test_a_counter_that_wraps_goes_on(lcores: Watched) -> None:
    lcores.fake.add("lcore", 0, rx_packets=2**64 - 10)
    lcores.look(0.0)
    lcores.fake.add("lcore", 0, rx_packets=30)
    looked = lcores.look(2.0)
    assert looked.rate("rx_packets")[0] == 15.0
    assert looked.fell == ()


def test_a_counter_that_falls_has_no_rate_and_is_named(lcores: Watched) -> None:
    lcores.fake.add("lcore", 0, rx_packets=1000, tx_packets=5)
    lcores.look(0.0)
    lcores.fake.add("lcore", 0, rx_packets=-900, tx_packets=5)
    fallen = lcores.look(1.0)
    assert fallen.fell == ("rx_packets",)
    assert np.isnan(fallen.rate("rx_packets")[0])
    assert fallen.rate("tx_packets")[0] == 5.0
    lcores.fake.add("lcore", 0, rx_packets=7)
    assert lcores.look(2.0).rate("rx_packets")[0] == 7.0


def test_a_gauge_may_fall(lcores: Watched) -> None:
    lcores.fake.add("lcore", 0, active_connections=9)
    lcores.look(0.0)
    lcores.fake.add("lcore", 0, active_connections=-4)
    looked = lcores.look(1.0)
    assert looked.fell == ()
    assert looked.value("active_connections")[0] == 5


def test_a_new_generation_of_a_row_begins_at_zero(vips: Watched) -> None:
    vips.fake.add("vip", 1, rx_packets=1_000_000)
    vips.look(0.0)
    vips.fake.name("vip", 1, generation=99, values="new\t198.51.100.77\t53\tudp")
    vips.fake.add("vip", 1, rx_packets=6)
    vips.fake.add("vip", 3, rx_packets=2)
    looked = vips.look(2.0)
    assert looked.rate("rx_packets").tolist() == [0, 3, 0, 1]
    assert looked.labels[0][1] == "new"
    assert looked.haystack[1] == "new 198.51.100.77 53 udp"
    assert looked.fell == ()


def test_rows_keep_their_rates_when_others_get_names(tmp_path: Path) -> None:
    few = {"lcore": 2, "port": 1, "port_queue": 2, "vip": 1, "backend": 4, "node": 1}
    vips = Watched(FakeSegment(tmp_path, named=few), "vip")
    vips.fake.add("vip", 0, rx_packets=50)
    vips.look(0.0)
    vips.fake.name("vip", 2, generation=3)
    vips.fake.add("vip", 0, rx_packets=10)
    assert vips.look(1.0).rate("rx_packets").tolist() == [10, 0]


def test_a_torn_row_shows_what_it_had_when_it_was_whole(lcores: Watched) -> None:
    lcores.fake.add("lcore", 0, rx_packets=10)
    lcores.look(0.0)
    lcores.fake.add("lcore", 0, rx_packets=10)
    lcores.look(1.0)
    words = lcores.fake.words("lcore")[0, 0]
    words[0] += np.uint64(1)  # its writer is in the middle of an update
    words[1] += np.uint64(500)
    torn = lcores.look(2.0)
    assert torn.torn.tolist() == [True, False]
    assert torn.value("rx_packets")[0] == 20
    assert torn.rate("rx_packets")[0] == 10
    assert torn.residual().tolist() == [0, 0]
    words[0] += np.uint64(1)
    assert lcores.look(3.0).rate("rx_packets")[0] == 250  # over the two seconds since


def test_of_a_dead_core_a_torn_row_is_taken_as_it_is(lcores: Watched) -> None:
    lcores.look(0.0)
    words = lcores.fake.words("lcore")[0, 0]
    words[0] += np.uint64(1)
    words[1] += np.uint64(8)
    ended = lcores.look(1.0, ended=True)
    assert ended.value("rx_packets")[0] == 8
    assert ended.residual()[0] == 8


def test_names_cannot_move_the_cursor(vips: Watched) -> None:
    vips.fake.name("vip", 0, generation=50, values="e\x1b[2Jvil\x07\t198.51.100.1\t80\ttcp")
    assert vips.look(0.0).labels[0][0] == "e?[2Jvil?"


def without(*ids: str) -> Catalogue:
    """A catalogue that lacks lcore counters, as an older core's would; slots close up."""
    counters, slot = [], 0
    for c in load().counters:
        if c.scope == "lcore":
            if c.id in ids:
                continue
            counters.append(dataclasses.replace(c, slot=slot))
            slot += c.cells
        else:
            counters.append(c)
    return Catalogue(tuple(counters))


def test_what_an_older_core_lacks_is_not_known(tmp_path: Path) -> None:
    old = Watched(FakeSegment(tmp_path, catalogue=without("tx_bytes", "drop_tx_full")), "lcore")
    old.look(0.0)
    old.fake.add("lcore", 0, rx_packets=4, tx_packets=4)
    looked = old.look(1.0)
    assert np.isnan(looked.rate("tx_bytes")).all()
    assert np.isnan(looked.value("tx_bytes")).all()
    assert looked.rate("rx_packets")[0] == 4
    assert looked.residual().tolist() == [0, 0]
    assert "drop_tx_full" not in [reason.id for reason in drop_reasons(looked)]


def test_a_drop_reason_that_only_a_newer_core_knows_counts(tmp_path: Path) -> None:
    like = next(c for c in load().scope("lcore") if c.id == "drop_stopping")
    new = dataclasses.replace(
        like,
        id="drop_gremlin",
        slot=load().cells("lcore"),
        help="A gremlin took it.",
        labels=(("reason", "gremlin"),),
    )
    newer = Watched(FakeSegment(tmp_path, catalogue=Catalogue((*load().counters, new))), "lcore")
    newer.look(0.0)
    newer.fake.add("lcore", 0, rx_packets=9, tx_packets=4, drop_gremlin=5)
    looked = newer.look(1.0)
    assert drop_reasons(looked)[-1].id == "drop_gremlin"
    assert looked.rate("drop_gremlin").tolist() == [5, 0]
    assert looked.residual().tolist() == [0, 0]
