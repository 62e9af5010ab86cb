"""The ledger law: rx + originated = tx + drop + consumed + held, in every row, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt

from exporters.snapshot import Rows
from exporters.tables import Matrix
from lb.catalogue import LEDGER_TERMS, load

IN = frozenset({"rx", "originated"})
Signed = npt.NDArray[np.int64]
SCOPES = ("lcore", "vip")


@cache
def term_cells(scope: str) -> dict[str, npt.NDArray[np.intp]]:
    """The cells that each term of the law sums."""
    return {
        term: np.array([c.slot for c in load().ledger(term, scope)], np.intp)
        for term in LEDGER_TERMS
    }


def terms(scope: str, values: Matrix) -> dict[str, Matrix]:
    """Each term's sum for every row of `values` (rows x catalogue cells)."""
    return {
        term: values[:, cells].sum(axis=1, dtype=np.uint64)
        for term, cells in term_cells(scope).items()
    }


def residual_of(rows: Rows) -> Signed:
    """The residual of rows of a segment."""
    return residual(rows.scope, rows.values) + newer(rows)


def newer(rows: Rows) -> Signed:
    """What the terms that only a newer core knows add to the residual of every row."""
    fields = rows.fields.unknown
    places = np.cumsum([0, *(field.cells for field in fields)])
    cells = [(f.ledger, rows.extra[:, place]) for f, place in zip(fields, places, strict=False)]
    return signed(cells, len(rows.values))


def signed(cells: Iterable[tuple[str, Matrix]], rows: int) -> Signed:
    """In less out, of cells that count for a term; those of no term ("") are left out."""
    total = np.zeros(rows, np.uint64)
    for term, packets in cells:
        if term:
            total = total + packets if term in IN else total - packets
    return total.view(np.int64)


def residual(scope: str, values: Matrix) -> Signed:
    """Packets unaccounted for in every row: in less out; 0 when the law holds."""
    return signed(terms(scope, values).items(), len(values))
