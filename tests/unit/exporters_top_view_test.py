"""The screen of `popscope top`: figures, columns that fit, sorting, filtering, keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from exporters.top import figures
from exporters.top.grid import Column, Grid, natural
from exporters.top.screen import draw
from exporters.top.state import VIEWS, State, press
from exporters.top.terminal import split_keys
from exporters.top.views import Size
from exporters.top.watch import Look, Node
from tests.unit.exporters_fakes import NO_PROCESS, FakeSegment


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """A live instance with traffic and drops, and a dead one."""
    rows = {"lcore": 12, "port": 2, "port_queue": 2, "vip": 40, "backend": 30, "node": 1}
    fake = FakeSegment(tmp_path / "a", rows=rows)
    FakeSegment(tmp_path / "b", instance="b", pid=NO_PROCESS).die()
    now = [100.0]
    node = Node(tmp_path, clock=lambda: now[0])
    node.look()
    now[0] += 2
    for row in range(12):
        fake.add("lcore", row, rx_packets=7000 * row, tx_packets=6990 * row, rx_bytes=99)
        fake.add("lcore", row, drop_no_backend=10 * row, busy_cycles=row, idle_cycles=12 - row)
    fake.name("vip", 7, 99, "a-very-long-name-of-a-service\t2001:db8:1234:5678::1\t443\ttcp")
    fake.name("vip", 8, 98, "\u8ca0\u8377\u5206\u6563\t198.51.100.8\t443\ttcp")
    fake.add("vip", 7, rx_packets=5)
    fake.beat()
    return node.look()


def shown(look: Look, state: State, width: int = 80, height: int = 24) -> list[str]:
    return [line.plain for line in draw(look, state, Size(width, height), 1.0)]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("size", [(80, 24), (20, 8), (60, 15), (120, 40), (150, 24), (200, 50)])
@pytest.mark.parametrize("units", ["packets", "bits"])
def test_every_view_fits_every_size(
    look: Look, view: str, size: tuple[int, int], units: str
) -> None:
    lines = draw(look, State(view=view, units=units), Size(*size), 1.0)
    assert len(lines) == size[1]
    assert max(line.cell_len for line in lines) <= size[0]


def test_the_help_fits_into_80_by_24(look: Look) -> None:
    lines = shown(look, State(help=True))
    assert lines[0].startswith("KEYS")
    assert "the ledger does not use them." in "\n".join(lines)
    assert not any(line[-1:] == "~" for line in lines)


def test_the_head_says_who_is_dead_and_that_the_ledger_does_not_balance(look: Look) -> None:
    text = "\n".join(shown(look, State()))
    assert re.search(r"^! b DEAD: no heartbeat for 1 min", text, re.MULTILINE)
    assert re.search(r"^\+ a live, heartbeat .* s ago, up", text, re.MULTILINE)
    assert "LEDGER DOES NOT BALANCE: 5 packets in 1 of" in text


def test_a_chosen_instance_is_alone(look: Look) -> None:
    text = "\n".join(shown(look, State(instance="a", view="lcore")))
    assert "DEAD" not in text
    assert "instance lcore" not in text


def test_bits_are_eight_a_byte(look: Look) -> None:
    lines = shown(look, State(view="lcore", units="bits"))
    assert any("rx bit/s" in line and "rx pkt/s" not in line for line in lines)
    row = next(line for line in lines if line.startswith("a "))
    assert row.split("]")[1].split()[0] == "396"  # 99 bytes in 2 s


def test_a_listener_that_is_cut_keeps_its_port(look: Look) -> None:
    lines = shown(look, State(view="vip"))
    line = next(text for text in lines if "2001:db8" in text)
    assert re.search(r"\[2001:db8\S*~\S*:443/tcp", line)


def test_the_overview_shows_the_busiest_lcores_first(look: Look) -> None:
    lines = shown(look, State(instance="a"))
    first = next(i for i, line in enumerate(lines) if line.startswith("lcore"))
    assert lines[first + 1].split()[0] == "11"


def test_a_filter_without_a_match_says_so(look: Look) -> None:
    text = "\n".join(shown(look, State(view="vip", filter="nowhere")))
    assert 'no row has "nowhere" in its names' in text


def test_scrolling_stops_at_the_end(look: Look) -> None:
    lines = shown(look, State(view="vip", instance="a", first={"vip": 1 << 30}))
    assert re.search(r"VIPs: \d+-40 of 40", "\n".join(lines))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01, "<0.1"),
        (0.25, "0.2"),
        (9.96, "10"),
        (999.4, "999"),
        (999.6, "1.00k"),
        (1234, "1.23k"),
        (99_960, "100k"),
        (999_600, "1.00M"),
        (2**64, "18.4E"),
        (-1500, "-1.50k"),
        (float("nan"), "-"),
    ],
)
def test_figures_are_short(value: float, text: str) -> None:
    assert figures.short(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0%"), (0.0001, "<0.1%"), (0.021, "2.1%"), (0.5, "50%"), (1, "100%"), (np.nan, "-")],
)
def test_shares_are_short(value: float, text: str) -> None:
    assert figures.share(value) == text


@pytest.mark.parametrize("value", [-1, 0, 0.004, 0.5, 0.999, 1, 7, float("nan")])
@pytest.mark.parametrize("width", [8, 12, 24])
def test_a_bar_is_as_wide_as_it_should_be(value: float, width: int) -> None:
    assert cell_len(figures.bar(value, width)) == width


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"),
        (34, "34 s"),
        (75, "1 min 15 s"),
        (11_520, "3 h 12 min"),
        (97_200, "1 d 3 h"),
    ],
)
def test_durations_are_in_words(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text


def grid(names: Sequence[str], counts: Sequence[float]) -> Grid:
    columns = (Column("name", "name"), Column("count", "count", "packets", "count"))
    arrays = (np.array(names, np.object_), np.array(counts))
    return Grid(columns, arrays, [n.lower() for n in names])


def test_sorting_knows_numbers_in_names_and_what_is_not_known() -> None:
    rows = grid(["w10", "w9", "w1"], [2, float("nan"), 5])
    assert rows.sorted("name", False).column("name").tolist() == ["w1", "w9", "w10"]
    assert rows.sorted("count", True).column("name").tolist() == ["w1", "w10", "w9"]
    assert rows.sorted("count", False).column("name").tolist() == ["w10", "w1", "w9"]
    large = grid(["a", "b"], [0, 1])
    large = Grid(large.columns, (large.arrays[0], np.array([3, 2**64 - 1], np.uint64)), ["a", "b"])
    assert large.sorted("count", True).column("name").tolist() == ["b", "a"]


def test_natural_order() -> None:
    names = ["b2", "a10", "a9", "", "10", "9"]
    assert sorted(names, key=natural) == ["", "9", "10", "a9", "a10", "b2"]


def test_a_filter_wants_all_words() -> None:
    rows = grid(["Web-1 tcp", "web-2 udp"], [1, 2])
    assert rows.matching(["web", "udp"]).column("count").tolist() == [2]


def typed(state: State, *keys: str) -> State:
    for key in keys:
        state = press(state, key, ["a", "b"], 10)
    return state


def test_keys_choose_view_instance_units() -> None:
    assert typed(State(), "4").view == "vip"
    assert typed(State(), "tab", "tab", "backtab").view == "lcore"
    assert typed(State(), "backtab").view == "node"
    assert typed(State(), "i").instance == "a"
    assert typed(State(), "i", "i", "i").instance == ""
    assert typed(State(), "I").instance == "b"
    assert typed(State(), "u").units == "bits"
    assert typed(State(), "p").paused
    assert not typed(State(), " ", " ").paused
    assert typed(State(), "q").quit
    assert typed(State(), "x", "up", "") == State()


def test_help_goes_with_any_key() -> None:
    assert typed(State(), "?").help
    assert typed(State(), "?", "4") == State()


def test_keys_type_a_filter() -> None:
    state = typed(State(), "/", "q", "w", "backspace", " ", "4")
    assert (state.filter, state.typing, state.quit) == ("q 4", True, False)
    assert typed(state, "enter").words == ["q", "4"]
    assert typed(state, "escape").filter == ""
    assert typed(state, "enter", "escape").filter == ""


def test_keys_sort() -> None:
    drops = State(view="drop")
    assert typed(drops, "r").sort("drop") == ("dropped_packets_per_second", False)
    assert typed(drops, "s").sort("drop") == ("dropped_packets", True)
    assert typed(drops, "<").sort("drop") == ("reason", False)
    vips = typed(State(view="vip"), "u")
    assert vips.sort("vip") == ("rx_bits_per_second", True)


def test_keys_scroll() -> None:
    state = typed(State(view="vip"), "down", "pagedown", "up")
    assert state.first["vip"] == 10
    assert typed(state, "home", "up").first["vip"] == 0
    assert typed(state, "2", "4").first["vip"] == 10


def test_key_sequences_are_told_apart() -> None:
    assert split_keys("q\x1b[A\x1bOB\x1b[6~\x1b[Z\t\r\x7f") == [
        *("q", "up", "down", "pagedown", "backtab", "tab", "enter", "backspace")
    ]
    assert split_keys("\x1b") == ["escape"]
    assert split_keys("\x1b[15~\x1b[1;5Cj") == ["j"]  # F5 and Ctrl-Right mean nothing here
