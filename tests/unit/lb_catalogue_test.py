"""The counter catalogue: every rule refuses what breaks it, and what is generated is fresh."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lb.catalogue import SCOPES, Catalogue, load, parse
from lb.devtools import gen_counters
from lb.errors import CatalogueError

GOOD = {
    "id": '"rx_packets"',
    "scope": '"lcore"',
    "slot": "0",
    "kind": '"counter"',
    "unit": '"packets"',
    "help": '"Packets received."',
}


def entry(**changed: str) -> str:
    """An entry as TOML; a value of "" leaves its key out."""
    keys = {**GOOD, **changed}
    return "[[counter]]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items() if v)


def test_a_good_entry_is_taken() -> None:
    counter = parse(entry(), "t").counters[0]
    assert (counter.id, counter.metric, counter.cells) == ("rx_packets", "rx_packets", 1)
    assert counter.family == "popscope_lcore_rx_packets"


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"help": ""}, "lacks help"),
        ({"slot": ""}, "lacks slot"),
        ({"colour": '"red"'}, "unknown keys colour"),
        ({"scope": '"socket"'}, "scope must be one of"),
        ({"kind": '"summary"'}, "kind must be one of"),
        ({"ledger": '"lost"'}, "ledger must be one of"),
        ({"id": '"RxPackets"'}, "lower case words"),
        ({"id": '"rx__packets"'}, "lower case words"),
        ({"metric": '"2rx_packets"'}, "lower case words"),
        ({"labels": '{ "Bad" = "x" }'}, "lower case words"),
        ({"metric": '"rx"'}, "must end with its unit"),
        ({"id": '"rx_packets_total"', "unit": '""'}, "suffix that OpenMetrics reserves"),
        ({"id": '"rx_info"', "unit": '""'}, "suffix that OpenMetrics reserves"),
        ({"help": '"Packets received"'}, "must be a sentence"),
        ({"kind": '"histogram"'}, "has bounds"),
        ({"bounds": "[1, 2]"}, "has bounds"),
        ({"kind": '"histogram"', "bounds": "[2, 1]"}, "must ascend"),
        ({"kind": '"histogram"', "bounds": "[1, 1]"}, "must ascend"),
        ({"kind": '"histogram"', "bounds": str(list(range(1, 18)))}, "16 at most"),
        ({"slot": "1"}, "slot is 1, must be 0"),
        ({"slot": "="}, "t:"),
    ],
)
def test_each_rule_refuses_what_breaks_it(changed: dict[str, str], rule: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(rule)):
        parse(entry(**changed), "t")


@pytest.mark.parametrize(
    ("second", "rule"),
    [
        ({}, "slot is 0, must be 1"),
        ({"slot": "2", "id": '"tx_packets"'}, "slot is 2, must be 1"),
        ({"slot": "1"}, "the id is there twice"),
        ({"slot": "1", "id": '"tx_packets"', "metric": '"rx_packets"'}, "are taken"),
        (
            {"slot": "1", "id": '"x_packets"', "metric": '"rx_packets"', "kind": '"gauge"'},
            "differs in kind",
        ),
        (
            {"slot": "1", "id": '"x"', "metric": '"rx_packets"', "labels": '{ a = "b" }'},
            "differs in kind, unit or label keys",
        ),
    ],
)
def test_entries_fit_together(second: dict[str, str], rule: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(rule)):
        parse(entry() + entry(**second), "t")


def test_the_error_names_the_entry() -> None:
    with pytest.raises(CatalogueError, match=r"t: counter 2 \(vip\.odd\): "):
        parse(entry() + entry(scope='"vip"', id='"odd"'), "t")


def test_a_histogram_takes_a_cell_a_bucket_and_one_for_the_sum() -> None:
    text = entry(kind='"histogram"', bounds="[1, 2]") + entry(slot="4", id='"tx_packets"')
    assert parse(text, "t").cells("lcore") == 5


def test_the_hash_changes_with_what_a_reader_relies_on() -> None:
    hashes = {
        parse(entry(**changed), "t").hash
        for changed in (
            {},
            {"id": '"tx_packets"'},
            {"kind": '"gauge"'},
            {"scope": '"vip"'},
            {"id": '"rx_bytes"', "unit": '"bytes"'},
        )
    }
    assert len(hashes) == 5
    assert parse(entry(help='"Other words."'), "t").hash == parse(entry(), "t").hash


def test_what_ships_is_complete() -> None:
    catalogue = load()
    assert {c.scope for c in catalogue.counters} == set(SCOPES)
    for scope in ("lcore", "vip"):
        for term in ("rx", "tx", "drop", "held"):
            assert catalogue.ledger(term, scope), f"{scope} lacks the term {term}"
    for term in ("originated", "consumed"):
        assert catalogue.ledger(term)
    drops = catalogue.ledger("drop")
    assert {c.metric for c in drops} == {"dropped_packets"}


def test_the_committed_files_are_fresh() -> None:
    stale = [p for p, text in gen_counters.committed(load()).items() if p.read_text() != text]
    assert not stale, "run `make gen`"


def run_generator(option: str) -> subprocess.CompletedProcess[str]:
    script = Path(gen_counters.__file__)
    return subprocess.run(
        [sys.executable, str(script), option], capture_output=True, text=True, check=False
    )


def test_check_passes_and_the_header_compiles_into_slots() -> None:
    assert run_generator("--check").returncode == 0
    header = run_generator("--c-header").stdout
    catalogue = load()
    assert f"#define PS_CATALOGUE_HASH 0x{catalogue.hash:016x}ULL" in header
    for c in catalogue.counters:
        assert re.search(rf"\tPS_{c.scope.upper()}_{c.id.upper()} = {c.slot},", header)


def test_check_names_a_stale_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lb").mkdir()
    monkeypatch.setattr(gen_counters, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["gen_counters", "--check"])
    assert gen_counters.main() == 1
    assert "lb/_counters.py is stale: run `make gen`" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["gen_counters", "--write"])
    assert gen_counters.main() == 0
    monkeypatch.setattr(sys, "argv", ["gen_counters", "--check"])
    assert gen_counters.main() == 0


def test_a_catalogue_may_lack_scopes() -> None:
    assert parse("", "t") == Catalogue(())
