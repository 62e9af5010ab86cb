"""Which cell of a segment's row is which cell of the catalogue's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporters.segment import Field
from lb.catalogue import Counter

Cells = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Cells `of` the segment go `to` cells of the catalogue; `extra` are those of `unknown`.

    A field whose kind or bounds differ from the catalogue's counts as unknown. `is_identity`: the
    segment's cells are the catalogue's, one by one.
    """

    of: Cells
    to: Cells
    extra: Cells
    known: tuple[Field, ...]
    unknown: tuple[Field, ...]
    missing: tuple[str, ...]
    is_identity: bool


def map_fields(fields: Sequence[Field], counters: Sequence[Counter]) -> FieldMap:
    """Match by id, whatever the order and the cells."""
    by_id = {c.id: c for c in counters}
    known, unknown = list[Field](), list[Field]()
    of, to, extra = list[int](), list[int](), list[int]()
    for f in fields:
        counter = by_id.get(f.id)
        if counter and (counter.kind, counter.bounds) == (f.kind, f.bounds):
            of.extend(range(f.cell, f.cell + f.cells))
            to.extend(range(counter.slot, counter.slot + f.cells))
            known.append(f)
        else:
            extra.extend(range(f.cell, f.cell + f.cells))
            unknown.append(f)
    found = {f.id for f in known}
    return FieldMap(
        of=np.array(of, np.intp),
        to=np.array(to, np.intp),
        extra=np.array(extra, np.intp),
        known=tuple(known),
        unknown=tuple(unknown),
        missing=tuple(c.id for c in counters if c.id not in found),
        is_identity=of == to == list(range(sum(c.cells for c in counters))) and not unknown,
    )
