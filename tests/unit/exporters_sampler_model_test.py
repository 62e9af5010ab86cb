"""Random histories of core and exporter: increments sum to what was counted."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_sampling import sampler
from tests.unit.exporters_spooled import read_frames, state_tally, sums

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 1), st.integers(0, 3), st.integers(0, 1 << 40)),
        st.tuples(st.just("sample")),
        st.tuples(st.just("exporter restarts")),
        st.tuples(st.just("core restarts")),
        st.tuples(st.just("rename"), st.integers(0, 3)),
    ),
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_increments_sum_to_what_was_counted_whatever_happens(
    steps: list[tuple[object, ...]],
) -> None:
    """Random counting, sampling, restarts of exporter and core, and renames, against a tally."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        want = _play(folder, steps)
        frames = read_frames(folder / "spool")
        assert sums(frames, "lcore") == {k: v for k, v in want["lcore"].items() if any(v)}
        assert {k: v[0] for k, v in sums(frames, "vip").items()} == want["vip"]
        assert state_tally(frames)["stopped"] >= 1
        assert [f.header.seq for f in frames] == list(range(len(frames)))


def _play(
    folder: Path, steps: list[tuple[object, ...]]
) -> dict[str, dict[tuple[str, ...], object]]:
    want: dict[str, dict[tuple[str, ...], object]] = {"lcore": {}, "vip": {}}
    boot, generation = 1, 100
    fake = FakeSegment(folder / "run" / "a", boot)
    names = {row: f"web-{row}" for row in range(4)}

    def end() -> None:
        values = fake.words("lcore")[0, :, 1:].tolist()
        want["lcore"].update({("a", str(boot), str(row)): values[row] for row in range(2)})
        fake.stop()

    context = sampler(folder)
    s = context.__enter__()
    try:
        for step, *arguments in [*steps, ("end",)]:
            if step == "add":
                lcore, vip, count = (int(str(a)) for a in arguments)
                fake.add("lcore", lcore, rx_packets=count, burst_cycles__3=count // 2)
                fake.add("vip", vip, lcore, rx_packets=count)
                address = f"198.51.100.{vip}"
                key = ("a", str(boot), names[vip], address, "80", "tcp")
                if count:
                    want["vip"][key] = int(str(want["vip"].get(key, 0))) + count
            elif step == "exporter restarts":
                context.__exit__(None, None, None)
                context = sampler(folder)
                s = context.__enter__()
            elif step == "core restarts":
                end()
                boot += 1
                fake = FakeSegment(folder / "run" / "a", boot)
                names = {row: f"web-{row}" for row in range(4)}
            elif step == "rename":
                row, generation = int(str(arguments[0])), generation + 1
                s.sample()
                names[row] = f"name-{generation}"
                value = f"{names[row]}\t198.51.100.{row}\t80\ttcp"
                fake.name("vip", row, generation, value)
            else:
                s.sample()
        end()
        s.sample()
    finally:
        context.__exit__(None, None, None)
    return want
