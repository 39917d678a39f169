"""What the same search finds where there is nothing to find: the draws of a run's null, by unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

KINDS = ("re-paired", "shifted")


@dataclass(frozen=True)
class ChanceDraws:
    """The draws for the chosen length, as columns sorted by unit, so that a unit's draws are one slice."""

    unit: Int[np.ndarray, "draw"]
    range: Int[np.ndarray, "draw"]
    shifted: Int[np.ndarray, "draw"]
    """1 where the null shifts the map within the image, 0 where it re-pairs images."""
    score: Float[np.ndarray, "draw"]
    """The searched metric on held-out images; the column is called iou_heldout."""

    @staticmethod
    def of_table(table: pa.Table) -> ChanceDraws:
        """Take the columns of chance.parquet; draws without a score are left out."""
        score = table.column("iou_heldout").to_numpy().astype(np.float64)
        shifted = np.array([kind == "shifted" for kind in table.column("kind").to_pylist()], dtype=np.int64)
        columns = {key: table.column(key).to_numpy().astype(np.int64) for key in ("unit", "range", "length")}
        # Length 0 is the route that the unit itself took: search every length, keep the chosen one.
        keep = np.isfinite(score) & (columns["length"] == 0)
        order = np.flatnonzero(keep)[np.argsort(columns["unit"][keep], kind="stable")]
        return ChanceDraws(
            unit=columns["unit"][order],
            range=columns["range"][order],
            shifted=shifted[order],
            score=score[order],
        )

    def of(self, unit: int, *, range: int, kind: str) -> Float[np.ndarray, "chosen_draw"]:
        """Held-out scores of one unit's draws, for one range and kind of null; possibly none.

        Parameters
        ----------
        unit, range:
            Which search; a unit without a formula has no draws.
        kind:
            "re-paired" or "shifted".
        """
        start, stop = np.searchsorted(self.unit, [unit, unit + 1])
        here = slice(int(start), int(stop))
        mine = (self.range[here] == range) & (self.shifted[here] == KINDS.index(kind))
        return self.score[here][mine]

    def count(self, kind: str) -> int:
        """Draws of one kind, of all units together."""
        return int((self.shifted == KINDS.index(kind)).sum())
