"""Which frames are taken: against a model that keeps every number."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.frames import Header
from exporters.intervals import Intervals
from pipeline.admission import Admission, Verdict
from pipeline.errors import StoreError


def _header(first: int, last: int, stream: int = 1) -> Header:
    return Header("p", "n", stream, last, 0, 1000, False, first)


steps = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(1, 12),
        st.integers(0, 3),
        st.sampled_from(["offer", "commit", "fail"]),
    ),
    max_size=60,
)


@given(steps)
@settings(max_examples=200, deadline=None)
async def test_no_number_is_ever_stored_twice(steps: list[tuple[int, int, int, str]]) -> None:
    admission = Admission()
    stored: set[tuple[int, int]] = set()
    pending: list[Header] = []
    for stream, first, length, action in steps:
        header = _header(first, first + length, stream)
        numbers = {(stream, n) for n in range(first, first + length + 1)}
        if action == "offer":
            verdict, _ = admission.judge(header)
            waiting = {(p.stream, n) for p in pending for n in range(p.first, p.seq + 1)}
            if header in pending:
                assert verdict is Verdict.PENDING
            elif numbers <= stored:
                assert verdict is Verdict.STORED
            elif numbers & (stored | waiting):
                assert verdict is (Verdict.OVERLAP if numbers & stored else Verdict.UNDECIDED)
            else:
                assert verdict is Verdict.NEW
                admission.enter(header)
                pending.append(header)
        elif pending:
            done = pending.pop(first % len(pending))
            failed = action == "fail"
            admission.leave([done], StoreError("no") if failed else None)
            if not failed:
                fresh = {(done.stream, n) for n in range(done.first, done.seq + 1)}
                assert not fresh & stored
                stored |= fresh


async def test_a_merged_frame_over_torn_rows_is_an_overlap() -> None:
    admission = Admission(torn={1: Intervals([(3, 3)])})
    assert admission.judge(_header(2, 4))[0] is Verdict.OVERLAP
    assert admission.judge(_header(2, 3))[0] is Verdict.NEW, "the torn frame itself, come again"
    assert admission.judge(_header(3, 3))[0] is Verdict.NEW
    assert admission.judge(_header(4, 5))[0] is Verdict.NEW


async def test_whoever_waits_learns_of_success_and_of_failure() -> None:
    admission = Admission()
    good, bad = admission.enter(_header(1, 1)), admission.enter(_header(2, 2))
    again = admission.judge(_header(1, 1))[1]
    assert again is good
    admission.leave([_header(1, 1)], None)
    admission.leave([_header(2, 2)], StoreError("disk full"))
    assert good.result() is None
    assert isinstance(bad.exception(), StoreError)
    assert admission.judge(_header(2, 2))[0] is Verdict.NEW
