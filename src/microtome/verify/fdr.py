"""False-discovery control over units.

Source: Benjamini & Hochberg 1995, Controlling the False Discovery Rate.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def q_values(p: Float[np.ndarray, "test"]) -> Float[np.ndarray, "test"]:
    """Smallest false-discovery rate at which each test is still called: min over j >= i of p_(j) m / j.

    NaN (no test) stays NaN and does not count.
    """
    out = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if not len(tested):
        return out
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return out
