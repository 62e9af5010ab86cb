"""Generate from the counter catalogue: the C header, the Python names and the tables of the docs.

python -m lb.devtools.gen_counters --c-header     print counters.h (meson does)
python -m lb.devtools.gen_counters --write        write the committed files
python -m lb.devtools.gen_counters --check        exit 1 when a committed file is stale
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __package__ in (None, ""):  # run as a file by meson
    sys.path.insert(0, str(ROOT))

from lb.catalogue import ROW_LABELS, SCOPES, Catalogue, Counter, load  # noqa: E402

NOTICE = "Generated from lb/counters.toml by `make gen`; do not edit."


def c_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'


def c_field(c: Counter) -> str:
    labels = c_string("\t".join(f"{k}={v}" for k, v in c.labels))
    bounds = "PS_BOUNDS(" + ", ".join(map(str, c.bounds or (0,))) + ")"
    return (
        f"X({c_string(c.id)}, {c.slot}, PS_KIND_{c.kind.upper()}, {len(c.bounds)}, {bounds}, "
        f"{c_string(c.metric)}, {c_string(c.unit)}, {labels}, {c_string(c.ledger)}, "
        f"{c_string(c.help)})"
    )


def c_scope(catalogue: Catalogue, scope: str) -> Iterator[str]:
    counters, upper = catalogue.scope(scope), scope.upper()
    yield f"\nenum ps_{scope}_cell {{"
    for c in counters:
        yield f"\tPS_{upper}_{c.id.upper()} = {c.slot}, // {c.help}"
    yield "};"
    yield f"#define PS_{upper}_CELLS {catalogue.cells(scope)}"
    yield f"#define PS_{upper}_LABELS {c_string(chr(9).join(ROW_LABELS[scope]))}"
    for c in counters:
        if c.bounds:
            bounds = ", ".join(map(str, c.bounds))
            yield f"#define PS_{upper}_{c.id.upper()}_BOUNDS PS_BOUNDS({bounds})"
    yield f"#define PS_{upper}_FIELDS(X) \\"
    yield " \\\n".join(f"\t{c_field(c)}" for c in counters)


def c_reasons(catalogue: Catalogue, term: str) -> Iterator[str]:
    counters = catalogue.ledger(term)
    yield f"\nenum ps_{term} {{"
    for c in counters:
        yield f"\tPS_{c.id.upper()} = {c.slot},"
    yield "};"
    cells = ", ".join(str(c.slot) for c in counters)
    yield f"#define PS_{term.upper()}_CELLS PS_BOUNDS({cells})"
    yield f"#define PS_{term.upper()}_COUNT {len(counters)}"


def c_header(catalogue: Catalogue) -> Iterator[str]:
    yield f"// {NOTICE}"
    yield "#pragma once\n"
    yield f"#define PS_CATALOGUE_HASH 0x{catalogue.hash:016x}ULL"
    yield "#define PS_BOUNDS(...) { __VA_ARGS__ }"
    yield "// X(id, slot, kind, bound count, bounds, metric, unit, labels, ledger, help)"
    for scope in SCOPES:
        yield from c_scope(catalogue, scope)
    yield "\n// A reason or kind is the cell of the lcore's row that counts it."
    for term in ("drop", "consumed", "originated", "held"):
        yield from c_reasons(catalogue, term)


def python_names(catalogue: Catalogue) -> Iterator[str]:
    yield f'"""The ids of the counters, by scope. {NOTICE}"""\n'
    yield "from __future__ import annotations\n\nfrom enum import StrEnum"
    for scope in SCOPES:
        name = "".join(word.capitalize() for word in scope.split("_"))
        yield f"\n\nclass {name}(StrEnum):"
        for c in catalogue.scope(scope):
            yield f'    {c.id.upper()} = "{c.id}"'


def docs(catalogue: Catalogue) -> Iterator[str]:
    yield f"# The counters\n\n{NOTICE}\n"
    yield "Each is a column of ClickHouse (its id) and a metric of the exporter (its family)."
    for scope in SCOPES:
        labels = ", ".join(f"`{k}`" for k in ROW_LABELS[scope]) or "none"
        yield f"\n## {scope}\n\nLabels of a row: {labels}.\n"
        yield "| id | family | kind | unit | ledger | meaning |\n|---|---|---|---|---|---|"
        for c in catalogue.scope(scope):
            suffix = "_total" if c.kind == "counter" else ""
            labels = ",".join(f'{k}="{v}"' for k, v in c.labels)
            series = f"{c.family}{suffix}" + (f"{{{labels}}}" if labels else "")
            yield f"| `{c.id}` | `{series}` | {c.kind} | {c.unit} | {c.ledger} | {c.help} |"


def committed(catalogue: Catalogue) -> dict[Path, str]:
    """Path and content of every committed file that the catalogue generates here."""
    return {
        ROOT / "lb/_counters.py": "\n".join(python_names(catalogue)) + "\n",
        ROOT / "lb/COUNTERS.md": "\n".join(docs(catalogue)) + "\n",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    for option in ("--c-header", "--write", "--check"):
        what.add_argument(option, action="store_true")
    args = parser.parse_args()
    catalogue = load()
    if args.c_header:
        print("\n".join(c_header(catalogue)))
        return 0
    stale = [p for p, text in committed(catalogue).items() if not _same(p, text)]
    if args.write:
        for path in stale:
            path.write_text(committed(catalogue)[path])
        return 0
    for path in stale:
        print(f"{path.relative_to(ROOT)} is stale: run `make gen`", file=sys.stderr)
    return 1 if stale else 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
