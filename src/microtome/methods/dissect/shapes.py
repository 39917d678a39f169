"""The ten shapes of three leaves that are false where no concept is present, as sums of intersections.

With x_S the weight of the elements that hold all concepts of S (inclusion and exclusion):

    0  a & b & c       x_abc                               5  (a | b) & ~c    x_a + x_b - x_ab - x_ac - x_bc + x_abc
    1  a & b & ~c      x_ab - x_abc                        6  c & (a | ~b)    x_c - x_bc + x_abc
    2  a & ~b & ~c     x_a - x_ab - x_ac + x_abc           7  c & (~a | ~b)   x_c - x_abc
    3  a | b | c       x_a + x_b + x_c - x_ab - ...        8  (a & b) | c     x_ab + x_c - x_abc
    4  (a | b) & c     x_ac + x_bc - x_abc                 9  (a & ~b) | c    x_a - x_ab + x_c - x_ac + x_abc

and of two leaves: 10  a & b,  11  a & ~b,  12  a | b; of one: 13  a. Six need no triple to share a row; 0, 1, 6, 7
without one are shorter formulas.
"""

from __future__ import annotations

from numba import njit

from microtome.methods.dissect import steps
from microtome.methods.dissect.steps import Step

SHAPE_ORDERS = (1, 3, 3, 1, 3, 3, 6, 3, 3, 6)
"""How many different formulas three distinct concepts give in each shape; 32 together."""

LEFT_DEEP = (0, 1, 2, 3, 4, 5, 8, 9)
"""Shapes that a beam of {OR c, AND c, AND NOT c} can write."""


@njit(cache=True, nogil=True, inline="always")
def shape_sum(shape, xa, xb, xc, xab, xac, xbc, xabc):
    """Weight of a formula of the given shape from the seven intersections."""
    if shape == 0:
        return xabc
    if shape == 1:
        return xab - xabc
    if shape == 2:
        return xa - xab - xac + xabc
    if shape == 3:
        return xa + xb + xc - xab - xac - xbc + xabc
    if shape == 4:
        return xac + xbc - xabc
    if shape == 5:
        return xa + xb - xab - xac - xbc + xabc
    if shape == 6:
        return xc - xbc + xabc
    if shape == 7:
        return xc - xabc
    if shape == 8:
        return xab + xc - xabc
    if shape == 9:
        return xa - xab + xc - xac + xabc
    if shape == 10:
        return xab
    if shape == 11:
        return xa - xab
    if shape == 12:
        return xa + xb - xab
    return xa


def shape_steps(shape: int, a: int, b: int, c: int) -> tuple[Step, ...]:
    """The formula of a shape as the steps of `steps`."""
    low, high = min(a, b), max(a, b)
    seed = steps.SEED
    table: dict[int, tuple[Step, ...]] = {
        0: ((seed, a, -1), (steps.AND, b, -1), (steps.AND, c, -1)),
        1: ((seed, a, -1), (steps.AND, b, -1), (steps.AND_NOT, c, -1)),
        2: ((seed, a, -1), (steps.AND_NOT, b, -1), (steps.AND_NOT, c, -1)),
        3: ((seed, a, -1), (steps.OR, b, -1), (steps.OR, c, -1)),
        4: ((seed, c, -1), (steps.AND_EITHER, low, high)),
        5: ((seed, low, -1), (steps.OR, high, -1), (steps.AND_NOT, c, -1)),
        6: ((seed, c, -1), (steps.AND_EITHER_NOT, a, b)),
        7: ((seed, c, -1), (steps.AND_NOT_BOTH, low, high)),
        8: ((seed, low, -1), (steps.AND, high, -1), (steps.OR, c, -1)),
        9: ((seed, a, -1), (steps.AND_NOT, b, -1), (steps.OR, c, -1)),
        10: ((seed, low, -1), (steps.AND, high, -1)),
        11: ((seed, a, -1), (steps.AND_NOT, b, -1)),
        12: ((seed, low, -1), (steps.OR, high, -1)),
        13: ((seed, a, -1),),
    }
    return table[shape]
