"""The Maglev builder, as Python calls it, against the paper's algorithm written plainly."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import lb.maglev
from lb.errors import MaglevError
from lb.maglev import MAX_SIZE, Backend, Entry, build, build_pool, is_prime
from lb.maglev_cli import maglev

PRIMES = (2, 3, 5, 7, 13, 31, 101, 251, 509)


def plainly(size: int, entries: list[Entry]) -> tuple[int, ...]:
    """The paper's listing, with the rule for weights."""
    table = [-1] * size
    turns, following = [0] * len(entries), [e.offset for e in entries]
    largest = max(e.weight for e in entries)
    iteration = 0
    while -1 in table:
        iteration += 1
        for i, e in enumerate(entries):
            if e.weight == 0 or iteration * e.weight < turns[i] * largest or -1 not in table:
                continue
            turns[i] += 1
            while table[following[i]] >= 0:
                following[i] = (following[i] + e.skip) % size
            table[following[i]] = i
    return tuple(table)


@st.composite
def problems(draw: st.DrawFn) -> tuple[int, list[Entry]]:
    size = draw(st.sampled_from(PRIMES))
    weights = st.one_of(st.integers(0, 5), st.integers(0, 1000))
    skips = st.integers(1, size - 1)
    one = st.builds(Entry, st.integers(0, size - 1), skips, weights)
    entries = draw(st.lists(one, min_size=1, max_size=40))
    return size, entries


@given(problems())
@settings(deadline=None, max_examples=200)
def test_it_is_the_algorithm_of_the_paper(problem: tuple[int, list[Entry]]) -> None:
    size, entries = problem
    if not any(e.weight for e in entries):
        with pytest.raises(MaglevError, match="weight"):
            build(size, entries)
        return
    table = build(size, entries)
    assert table.slots == plainly(size, entries)
    owners = Counter(table.slots)
    assert list(table.counts) == [owners[i] for i in range(len(entries))]


addresses = st.integers(1 << 24, (224 << 24) - 1).map(
    lambda n: f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
)
pools = st.lists(
    st.builds(Backend, st.just("b"), addresses, st.integers(1, 1000)),
    min_size=1,
    max_size=30,
    unique_by=lambda b: b.address,
)


@given(pools, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_the_order_of_a_pool_does_not_matter(pool: list[Backend], random: object) -> None:
    shuffled = list(pool)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = build_pool(4093, pool), build_pool(4093, shuffled)
    assert one.digest == other.digest
    assert [pool[i].address for i in one.slots] == [shuffled[i].address for i in other.slots]


@given(pools)
@settings(deadline=None, max_examples=100)
def test_a_share_is_proportional_to_the_weight(pool: list[Backend]) -> None:
    size, total = 65537, sum(b.weight for b in pool)
    table = build_pool(size, pool)
    for b, count in zip(pool, table.counts, strict=True):
        fair = size * b.weight / total
        assert fair - 2 - len(pool) * b.weight / total <= count <= fair + 2


@given(pools, pools)
@settings(deadline=None, max_examples=100)
def test_digests_tell_tables_apart(one: list[Backend], other: list[Backend]) -> None:
    a, b = build_pool(251, one), build_pool(251, other)
    same = [one[i].address for i in a.slots] == [other[i].address for i in b.slots]
    assert (a.digest == b.digest) == same


def test_the_name_of_a_backend_does_not_matter() -> None:
    one = build_pool(251, [Backend("a", "10.0.0.1"), Backend("b", "10.0.0.2")])
    other = build_pool(251, [Backend("x", "10.0.0.1"), Backend("y", "10.0.0.2")])
    assert one == other


def test_losing_a_backend_moves_few_flows() -> None:
    pool = [Backend(f"b{i}", f"10.0.{i >> 8}.{i & 255}") for i in range(1000)]
    drained = [Backend(b.name, b.address, 0 if i == 500 else 100) for i, b in enumerate(pool)]
    before, after = build_pool(65537, pool), build_pool(65537, drained)
    moved = sum(a != b and a != 500 for a, b in zip(before.slots, after.slots, strict=True))
    assert moved / 65537 < 0.01


@pytest.mark.parametrize(
    ("size", "entries", "message"),
    [
        (8, [Entry(0, 1)], "prime"),
        (0, [Entry(0, 1)], "prime"),
        (-7, [Entry(0, 1)], "prime"),
        (1 << 40, [Entry(0, 1)], "prime"),
        (MAX_SIZE + 46, [Entry(0, 1)], "prime"),
        (7, [], "weight"),
        (7, [Entry(0, 1, 0)], "weight"),
        (7, [Entry(0, 1), Entry(7, 1)], "entry 1"),
        (7, [Entry(0, 0)], "entry 0"),
        (7, [Entry(0, 7)], "entry 0"),
        (7, [Entry(-1, 1)], "entry 0"),
        (7, [Entry(0, 1, 1 << 32)], "entry 0"),
    ],
)
def test_what_cannot_be_built(size: int, entries: list[Entry], message: str) -> None:
    with pytest.raises(MaglevError, match=message):
        build(size, entries)


def test_pools_that_cannot_be_built() -> None:
    with pytest.raises(MaglevError, match="same address"):
        build_pool(7, [Backend("a", "10.0.0.1"), Backend("b", "10.0.0.1")])
    with pytest.raises(MaglevError, match="address"):
        build_pool(7, [Backend("a", "10.0.0.256")])
    assert not is_prime(-7)
    assert not is_prime(1 << 32)


def run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(maglev, args)
    return result.exit_code, result.stdout, result.stderr


def test_command_with_the_example_of_the_paper() -> None:
    code, out, _ = run("--size", "7", "--pairs", "3,4", "0,2", "3,1", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["table"] == [1, 0, 1, 0, 2, 2, 0]
    assert answer["slots"] == [3, 2, 2]
    assert (answer["size"], answer["order"]) == (7, "as given")
    # However the pairs are written, they are the same pairs.
    for args in (
        ("--json", "--pairs", "3,4", "--pairs", "0,2", "3,1", "--size", "7"),
        ("--pairs", "3,4 0,2 3,1,1", "--size", "7", "--json"),
    ):
        assert json.loads(run(*args)[1]) == answer


def test_command_with_weights_and_a_table_to_read() -> None:
    code, out, _ = run("--size", "65537", "--pairs", "3,4,1", "0,2,1000", "5,5,0", "--json")
    assert code == 0
    assert json.loads(out)["slots"] == [66, 65471, 0]
    assert "digest" in run("--size", "7", "--pairs", "3,4")[1]


def test_command_with_a_configuration(config_file: Path) -> None:
    code, out, _ = run("--config", str(config_file), "--json")
    assert code == 0
    web, spare = json.loads(out)["pools"]
    pool = [Backend("b1", "10.77.1.21", 100), Backend("b2", "10.77.1.22", 50)]
    expected = build_pool(251, pool)
    assert (web["digest"], web["table"]) == (expected.digest, list(expected.slots))
    assert web["slots"] == {"b1": expected.counts[0], "b2": expected.counts[1]}
    assert (spare["digest"], spare["slots"]) == ("", {"s1": 0})
    assert (
        json.loads(run("--config", str(config_file), "--size", "509", "--json")[1])["pools"][0][
            "size"
        ]
        == 509
    )
    assert "10.77.1.22" in run("--config", str(config_file))[1]


def test_command_refuses() -> None:
    assert run()[0] == 2
    assert run("--pairs", "1,2", "--config", __file__)[0] == 2
    code, _, err = run("--pairs", "1;2")
    assert code == 2
    assert "is not OFFSET,SKIP" in err
    code, _, err = run("--size", "8", "--pairs", "1,2")
    assert code == 2
    assert "prime" in err
    code, _, err = run("--config", __file__)
    assert code == 2
    assert "line 1" in err


def test_command_says_how_to_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POPSCOPE_CORE_BUILD", str(tmp_path))
    lb.maglev._library.cache_clear()
    code, _, err = run("--size", "7", "--pairs", "1,2")
    assert code == 1
    assert "make core" in err


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "lb.json"
    path.write_text(
        json.dumps(
            {
                "generation": 1,
                "addresses": [{"port": 0, "address": "10.77.1.11/24"}],
                "maglev": {"size": 251},
                "pools": [
                    {
                        "name": "web",
                        "backends": [
                            {"name": "b1", "address": "10.77.1.21"},
                            {"name": "b2", "address": "10.77.1.22", "weight": 50},
                        ],
                    },
                    {
                        "name": "spare",
                        "backends": [{"name": "s1", "address": "10.77.1.23", "weight": 0}],
                    },
                ],
                "listeners": [],
            }
        )
    )
    return path
