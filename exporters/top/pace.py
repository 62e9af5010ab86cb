"""What a row counts a second, from one look at a segment to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporters import ledger
from exporters.names import Names
from exporters.segment import Field
from exporters.snapshot import Rows
from exporters.tables import Matrix, gauge_cells
from lb.catalogue import load

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
FALL = np.uint64(1 << 63)
ROW_BITS = np.uint64(20)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in a row: the catalogue's cells, then those that it does not know.

    `cells`: place of every counter and gauge that the segment has. `unknown`: a newer core's.
    """

    scope: str
    cells: Mapping[str, int]
    gauges: Mask
    unknown: tuple[Field, ...]

    @classmethod
    def of(cls, rows: Rows) -> Layout:
        """The layout of a scope as this segment has it."""
        counters, missing = load().scope(rows.scope), set(rows.fields.missing)
        cells = {c.id: c.slot for c in counters if c.kind != "histogram" and c.id not in missing}
        gauges, place = gauge_cells(rows.scope).tolist(), load().cells(rows.scope)
        for f in rows.fields.unknown:
            if f.kind != "histogram" and f.id not in cells:
                cells[f.id] = place
            gauges += [f.kind == "gauge"] * f.cells
            place += f.cells
        unknown = tuple(
            f for f in rows.fields.unknown if cells.get(f.id, 0) >= rows.values.shape[1]
        )
        return cls(rows.scope, cells, np.array(gauges, np.bool_), unknown)


@dataclass(frozen=True, slots=True)
class Paced:
    """The rows of a scope. `rates`: a second, NaN where not known (first look, counter fell).

    `values` of a row that could not be read whole (`torn`) are those of the last time that it
    could. `labels`: an array of strings a label key. `elapsed_s`: since the last look, or NaN.
    """

    layout: Layout
    names: Names
    labels: tuple[npt.NDArray[np.object_], ...]
    haystack: tuple[str, ...]
    values: Matrix
    rates: Floats
    torn: Mask
    fell: tuple[str, ...]
    elapsed_s: float

    def rate(self, counter: str) -> Floats:
        """Of every row; NaN when the segment lacks the counter."""
        place = self.layout.cells.get(counter)
        return np.full(len(self.values), np.nan) if place is None else self.rates[:, place]

    def value(self, counter: str) -> Matrix | Floats:
        """Of every row; NaN when the segment lacks the counter."""
        place = self.layout.cells.get(counter)
        return np.full(len(self.values), np.nan) if place is None else self.values[:, place]

    def residual(self) -> ledger.Signed:
        """Packets unaccounted for in every row; terms that only a newer core knows count too."""
        known = load().cells(self.layout.scope)
        left = ledger.residual(self.layout.scope, self.values[:, :known])
        newer = [(f.ledger, self.values[:, self.layout.cells[f.id]]) for f in self.layout.unknown]
        left = left + ledger.signed(newer, len(left))
        left[self.torn] = 0
        return left


class Pace:
    """Follows the rows of one scope of one boot."""

    def __init__(self) -> None:
        self._last: Paced | None = None
        self._at = np.empty(0)
        self._looked = np.nan

    def look(self, rows: Rows, at: float, ended: bool) -> Paced:
        """The rows as they are at instant `at` (seconds of a clock that only goes forward)."""
        layout = self._last.layout if self._last else Layout.of(rows)
        new = np.hstack((rows.values, rows.extra)) if layout.unknown else rows.values
        old, old_rates, since = self._aligned(rows.names, new.shape)
        torn = np.zeros(len(new), np.bool_)
        if not ended:
            torn[rows.torn] = True
        step = new - old  # modulo 2^64: a counter that wraps is no fall
        falls = (step >= FALL) & ~layout.gauges
        elapsed = (at - since)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = step / elapsed
        rates[falls | (elapsed <= 0)] = np.nan
        known = torn & np.isfinite(since)
        values = np.where(known[:, None], old, new) if torn.any() else new
        rates[torn] = old_rates[torn]
        falls[torn] = False
        self._at = np.where(torn, np.where(known, since, np.nan), at)
        self._last = Paced(
            layout,
            rows.names,
            *self._texts(rows.names),
            values,
            rates,
            torn,
            _fell(layout, falls),
            at - self._looked,
        )
        self._looked = at
        return self._last

    def _aligned(self, names: Names, shape: tuple[int, ...]) -> tuple[Matrix, Floats, Floats]:
        """Values, rates and instants of the last look, in the order of `names`.

        A name that came since then began at zero. Nothing is known at the first look.
        """
        last = self._last
        if last and last.names is names:
            return last.values, last.rates, self._at
        old, rates = np.zeros(shape, np.uint64), np.full(shape, np.nan)
        since = np.full(shape[0], self._looked)
        if last:
            had, have = _packed(last.names), _packed(names)
            _, i, j = np.intersect1d(have, had, assume_unique=True, return_indices=True)
            old[i], rates[i], since[i] = last.values[j], last.rates[j], self._at[j]
        return old, rates, since

    def _texts(self, names: Names) -> tuple[tuple[npt.NDArray[np.object_], ...], tuple[str, ...]]:
        """Labels by key, and all of a row in lower case to search in."""
        if self._last and self._last.names is names:
            return self._last.labels, self._last.haystack
        clean = [[_printable(label) for label in row] for row in names.labels]
        labels = tuple(
            np.array([row[i] for row in clean], np.object_) for i in range(len(names.label_keys))
        )
        return labels, tuple(" ".join(row).lower() for row in clean)


def _packed(names: Names) -> Matrix:
    packed: Matrix = (names.generations << ROW_BITS) | names.rows
    return packed


def _printable(text: str) -> str:
    """Names come from elsewhere: none may move the cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _fell(layout: Layout, falls: Mask) -> tuple[str, ...]:
    if not falls.any():
        return ()
    cells: Mask = np.any(falls, axis=0)
    return tuple(name for name, place in layout.cells.items() if cells[place])
