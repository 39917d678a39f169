"""A share with its interval.

    centre = (k + z^2/2) / (n + z^2),   half width = z sqrt(k (n - k) / n + z^2/4) / (n + z^2),   z = 1.96

Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
"""

from __future__ import annotations

import math

Z = 1.959963984540054


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of hits / count; (0, 1) where nothing was counted."""
    if not count:
        return 0.0, 1.0
    middle = (hits + Z * Z / 2) / (count + Z * Z)
    half = Z * math.sqrt(hits * (count - hits) / count + Z * Z / 4) / (count + Z * Z)
    # The ends that are 0 or 1 by the formula are so to the last bit.
    return 0.0 if not hits else middle - half, 1.0 if hits == count else middle + half
