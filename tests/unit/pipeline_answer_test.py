"""`popscope sql`: what people see of a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from pipeline.answer import FORMAT, MAX_ROWS, Answer, cell
from pipeline.cli import sql
from pipeline.errors import LedgerError, QueryError
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_stores import fresh_store

ROW = (
    "SELECT toDateTime('2026-01-31 12:00:00', 'UTC') AS hour, 'fra1' AS pop, 7 AS packets, "
    "0.123456789 AS share, 377.50944 AS rate, NULL AS full, [1, 2] AS cells"
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


@pytest.fixture
def ask(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> type[CliRunner]:
    class Source:
        def __init__(self, *_: object) -> None: ...

        def ask(self, text: str, fmt: str, params: Mapping[str, str]) -> bytes:
            try:
                return store.query(text, fmt, params)
            except QueryError as error:
                raise LedgerError(str(error)) from error

    monkeypatch.setattr("pipeline.cli_ask.HttpSource", Source)
    return CliRunner


def _run(*argv: str) -> Result:
    return CliRunner().invoke(sql, list(argv))


@pytest.mark.usefixtures("ask")
def test_values_are_shown_as_people_write_them() -> None:
    result = _run(ROW)
    assert result.exit_code == 0, result.output
    for text in ("hour", "2026-01-31 12:00:00", "fra1", "0.1235", "377.509", "NULL", "[1, 2]"):
        assert text in result.output, result.output


@pytest.mark.usefixtures("ask")
def test_a_wide_result_keeps_its_width_where_there_is_no_terminal() -> None:
    columns = ", ".join(f"'value-{i}' AS column_{i}" for i in range(40))
    result = _run(f"SELECT {columns}")
    line = next(line for line in result.output.splitlines() if "value-0" in line)
    assert "value-39" in line


@pytest.mark.usefixtures("ask")
def test_a_long_result_is_cut_and_says_so() -> None:
    result = _run(f"SELECT number + 100000 AS n FROM numbers({MAX_ROWS + 5})")
    assert str(100000 + MAX_ROWS - 1) in result.stdout
    assert str(100000 + MAX_ROWS) not in result.stdout
    assert "5 more rows" in result.stderr


@pytest.mark.usefixtures("ask")
def test_a_format_of_the_querys_own_is_left_alone() -> None:
    assert _run("SELECT 1 AS a, 'b' AS b FORMAT CSV").output == '1,"b"\n'
    assert _run("--json", "SELECT 1 AS a").output == '{"a":1}\n'
    assert _run("--format", "CSV", ROW).output.startswith('"2026-01-31 12:00:00"')


@pytest.mark.usefixtures("ask")
def test_a_wrong_query_fails() -> None:
    result = _run("SELECT nonsense")
    assert result.exit_code == 1
    assert "nonsense" in result.stderr


def test_on_a_narrow_terminal_a_row_is_a_block(store: EmbeddedStore) -> None:
    answer = Answer.parse(store.query(ROW, FORMAT))
    assert answer is not None
    out = StringIO()
    answer.show(Console(file=out, force_terminal=True, color_system=None, width=40))
    assert out.getvalue().splitlines()[:3] == [
        "row 1",
        "  hour     2026-01-31 12:00:00",
        "  pop      fra1",
    ]
    out = StringIO()
    answer.show(Console(file=out, force_terminal=True, color_system=None, width=200))
    assert "row 1" not in out.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12.000"),
        (0.0, "0"),
        (1e-9, "1e-09"),
        (1 << 63, "9223372036854775808"),
        (None, "NULL"),
    ],
)
def test_a_cell(value: object, text: str) -> None:
    assert cell(value) == text
