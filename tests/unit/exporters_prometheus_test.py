"""/metrics, checked with prometheus_client's own parsers."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporters.prometheus import Renderer, Shown, negotiate
from exporters.segment import Segment
from exporters.snapshot import Snapshot, SnapshotReader
from lb.catalogue import load
from tests.unit.exporters_fakes import FakeSegment
from tests.unit.exporters_segment_test import NEW, changed

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def shown(*snapshots: Snapshot) -> list[Shown]:
    return [
        Shown(s.instance, tuple((rows, rows.values) for rows in s.scopes.values()))
        for s in snapshots
    ]


def render(openmetrics: bool, *snapshots: Snapshot) -> list[Metric]:
    text = Renderer("p", "n").render(shown(*snapshots), openmetrics).decode()
    return list(parse_openmetrics(text + "# EOF\n") if openmetrics else parse_text(text))


def samples(families: list[Metric]) -> Samples:
    found: Samples = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, "a series comes twice"
            found[key] = sample.value
    return found


def snapshot(fake: FakeSegment) -> Snapshot:
    return SnapshotReader(Segment(fake.path)).read()


def filled(folder: Path, boot: int = 1, instance: str = "a") -> FakeSegment:
    fake = FakeSegment(folder / instance, boot, instance)
    number = 0
    for scope in fake.layout:
        words = fake.words(scope)
        for row in range(words.shape[1]):
            for cell in range(1, words.shape[2]):
                number += 1
                words[0, row, cell] = number
    return fake


@pytest.mark.parametrize("openmetrics", [False, True])
def test_every_counter_of_every_row_is_there_with_its_value(
    tmp_path: Path, openmetrics: bool
) -> None:
    s = snapshot(filled(tmp_path))
    got = samples(render(openmetrics, s))
    count = 0
    for scope, rows in s.scopes.items():
        for i, labels in enumerate(rows.names.labels):
            pairs = {"pop": "p", "node": "n", "instance": "a"}
            pairs |= dict(zip(rows.names.label_keys, labels, strict=True))
            for c in load().scope(scope):
                if c.kind == "histogram":
                    continue
                name = c.family + ("_total" if c.kind == "counter" else "")
                key = (name, tuple(sorted({**pairs, **dict(c.labels)}.items())))
                assert got[key] == rows.values[i, c.slot]
                count += 1
    assert count == len([name for name, _ in got if "_burst_" not in name])


@pytest.mark.parametrize("openmetrics", [False, True])
def test_histograms_are_cumulative(tmp_path: Path, openmetrics: bool) -> None:
    fake = FakeSegment(tmp_path)
    fake.add("lcore", 0, burst_packets__0=1, burst_packets__3=2, burst_packets__7=4)
    fake.add("lcore", 0, burst_packets__8=999)
    families = render(openmetrics, snapshot(fake))
    family = next(f for f in families if f.name == "popscope_lcore_burst_packets")
    assert family.type == "histogram"
    mine = [s for s in family.samples if s.labels["lcore"] == "0"]
    buckets = {s.labels["le"]: s.value for s in mine if s.name.endswith("_bucket")}
    assert buckets == {
        **dict.fromkeys(("1.0", "2.0", "4.0"), 1),
        **dict.fromkeys(("8.0", "16.0", "32.0", "64.0"), 3),
        "+Inf": 7,
    }
    assert [s.value for s in mine if s.name.endswith("_sum")] == [999]
    assert [s.value for s in mine if s.name.endswith("_count")] == [7]


def test_openmetrics_has_types_units_and_help(tmp_path: Path) -> None:
    families = {f.name: f for f in render(True, snapshot(filled(tmp_path)))}
    for c in load().counters:
        assert families[c.family].type == c.kind
        assert families[c.family].unit == c.unit
    rx = families["popscope_lcore_rx_packets"]
    assert rx.documentation == "Packets received from all ports."


def test_several_instances_share_their_families(tmp_path: Path) -> None:
    a, b = filled(tmp_path, 1, "a"), filled(tmp_path, 2, "b")
    families = render(True, snapshot(a), snapshot(b))
    names = [f.name for f in families]
    assert len(names) == len(set(names))
    assert {s.labels["instance"] for f in families for s in f.samples} == {"a", "b"}


def test_a_counter_that_only_the_segment_knows_is_shown(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path, catalogue=changed("vip", NEW))
    fake.add("vip", 0, new_packets=9)
    family = next(f for f in render(True, snapshot(fake)) if f.name == "popscope_vip_new_packets")
    assert [s.value for s in family.samples] == [9, 0, 0, 0]


def test_odd_label_values_are_escaped(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    odd = 'a"b\\c\nd%s%d'
    fake.name("vip", 0, generation=9, values=f"{odd}\t192.0.2.1\t80\ttcp")
    for openmetrics in (False, True):
        got = samples(render(openmetrics, snapshot(fake)))
        assert odd in {dict(labels).get("vip") for _, labels in got}


def test_two_rows_of_one_name_give_one_series(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    fake.name("vip", 0, generation=9, values="web\t192.0.2.1\t80\ttcp", active=False)
    fake.name("vip", 1, generation=10, values="web\t192.0.2.1\t80\ttcp")
    fake.add("vip", 1, rx_packets=5)
    got = samples(render(True, snapshot(fake)))
    mine = [
        v
        for (n, k), v in got.items()
        if n == "popscope_vip_rx_packets_total"
        if "web" in dict(k).values()
    ]
    assert mine == [5]


def test_numbers_and_names_that_change_show(tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path)
    reader, renderer = SnapshotReader(Segment(fake.path)), Renderer("p", "n")
    for count in (1, 2):
        fake.add("lcore", 0, rx_packets=1)
        text = renderer.render(shown(reader.read()), False).decode()
        assert f'rx_packets_total{{pop="p",node="n",instance="a",lcore="0"}} {count}\n' in text
    fake.name("lcore", 0, generation=8, values="17")
    text = renderer.render(shown(reader.read()), False).decode()
    assert 'lcore="17"' in text
    assert 'lcore="0"' not in text


def test_nothing_to_show_is_an_empty_text() -> None:
    assert Renderer("p", "n").render([], True) == b""


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", True),
        ("application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.5", False),
        ("application/openmetrics-text;version=2.0.0,text/plain;q=0.5", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=much", False),
    ],
)
def test_the_format_is_negotiated(accept: str, openmetrics: bool) -> None:
    assert negotiate(accept) is openmetrics
