"""The spool, and the set of what is acknowledged, against models."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from exporters import backlog
from exporters.intervals import Intervals
from exporters.spool import Limits, Spool
from tests.unit.exporters_spool_test import reopen
from tests.unit.exporters_spooled import START, append, waiting


@settings(deadline=None)
@given(ranges=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9))))
def test_intervals_are_a_set(ranges: list[tuple[int, int]]) -> None:
    intervals, model = Intervals(), set[int]()
    for first, more in ranges:
        intervals.add(first, first + more)
        model.update(range(first, first + more + 1))
    assert {i for i in range(80) if i in intervals} == model
    pairs = list(intervals)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(pairs))
    assert intervals.count(5, 40) == len(model & set(range(5, 41)))
    assert intervals.last == max(model, default=-1)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_spool_against_a_model(data: st.DataObject) -> None:
    """Random appends, acknowledgements, restarts and kills in the middle of a write."""
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(file_ms=data.draw(st.sampled_from([3000, 7000, 600_000])))
        spool, now = Spool(Path(folder), limits), START
        model: dict[int, bytes] = {}
        acked = set[int]()
        for step in data.draw(st.lists(st.sampled_from("aaarkx"), max_size=25)):
            if step == "a":
                seq = spool.next_seq
                model[seq] = append(spool, 1, now)[0]
                now += 1000
            elif step == "r":
                spool = reopen(spool, limits)
            elif step == "k" and spool.files and spool.files[-1].size:
                with spool.files[-1].path.open("ab") as file:
                    file.write(model[max(model)][: data.draw(st.integers(1, 100))])
                spool = reopen(spool, limits)
            elif step == "x" and model:
                first = data.draw(st.integers(0, max(model)))
                last = data.draw(st.integers(first, max(model)))
                spool.acknowledge([(first, last)])
                acked.update(range(first, last + 1))
            assert waiting(spool) == [seq for seq in model if seq not in acked]
            assert spool.next_seq == len(model)
        got = {s.seq: s.data for s in backlog.batch(spool, 1000, 1 << 30)}
        assert got == {seq: frame for seq, frame in model.items() if seq not in acked}
        spool.close()
