"""What the same search finds where there is nothing to find: the draws of a run's null, by unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

KINDS = ("re-paired", "shifted")


@dataclass(frozen=True)
class ChanceDraws:
    """The table chance.parquet as columns sorted by unit, so that a unit's draws are one slice."""

    unit: Int[np.ndarray, "draw"]
    range: Int[np.ndarray, "draw"]
    length: Int[np.ndarray, "draw"]
    shifted: Int[np.ndarray, "draw"]
    """1 where the null shifts the map within the image, 0 where it re-pairs images."""
    iou_heldout: Float[np.ndarray, "draw"]

    @staticmethod
    def of_table(table: pa.Table) -> ChanceDraws:
        """Take the columns of chance.parquet; draws without a score are left out."""
        score = table.column("iou_heldout").to_numpy().astype(np.float64)
        shifted = np.array([kind == "shifted" for kind in table.column("kind").to_pylist()], dtype=np.int64)
        columns = {key: table.column(key).to_numpy().astype(np.int64) for key in ("unit", "range", "length")}
        keep = np.isfinite(score)
        order = np.flatnonzero(keep)[np.argsort(columns["unit"][keep], kind="stable")]
        return ChanceDraws(
            unit=columns["unit"][order],
            range=columns["range"][order],
            length=columns["length"][order],
            shifted=shifted[order],
            iou_heldout=score[order],
        )

    def of(self, unit: int, *, range: int, length: int | None, kind: str | None) -> Float[np.ndarray, "chosen_draw"]:
        """Held-out IoUs of one unit's draws, for one range, length and kind of null; possibly none.

        Parameters
        ----------
        unit, range, length:
            Which search; a unit without a formula (length None) has no draws.
        kind:
            "re-paired" or "shifted"; None = both.
        """
        start, stop = np.searchsorted(self.unit, [unit, unit + 1])
        here = slice(int(start), int(stop))
        mine = (self.range[here] == range) & (self.length[here] == (-1 if length is None else length))
        if kind is not None:
            mine &= self.shifted[here] == KINDS.index(kind)
        return self.iou_heldout[here][mine]
