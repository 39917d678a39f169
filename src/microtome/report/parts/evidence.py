"""What each concept adds, what other methods say, and whether a better name can exist."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from microtome.report import words
from microtome.report.nouns import NOUNS, Nouns
from microtome.report.parts.common import chosen, formula_of, scale_of
from microtome.report.view import RangeView, RunView, UnitView

PROOF = re.compile(
    r"(?P<both>\d+)/(?P<union>\d+); rounds (?P<rounds>\d+); evaluated (?P<evaluated>\d+); bounded (?P<bounded>\d+); "
    r"beam (?P<beam_both>\d+)/(?P<beam_union>\d+); left-deep (?P<own_both>\d+)/(?P<own_union>\d+)"
)


def steps(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The best formula of each length of the chosen method, with what it gains over the length before."""
    best = chosen(ranged)
    method = best["method"] if best else view.manifest["settings"].get("method")
    rows = sorted((r for r in ranged.explanations if r["method"] == method), key=lambda r: r["length"])
    if not rows:
        return None
    searched = "iou" if view.measure.key == "iou" else "score"
    listed = []
    before = before_heldout = view.measure.floor
    for row in rows:
        score, heldout = row[searched], row["score_heldout"]
        listed.append(
            {
                "row": row,
                "formula": formula_of(view, row),
                "score": score,
                "gain": None if score is None else score - before,
                "gain_heldout": None if heldout is None else heldout - before_heldout,
                "chosen": bool(row["chosen"]),
            }
        )
        before = before if score is None else score
        before_heldout = before_heldout if heldout is None else heldout
    simpler = None
    if best is not None and best["score_heldout"] is not None:
        shorter = (row for row in rows if row["length"] < best["length"] and row["score_heldout"] is not None)
        simpler = next((row for row in shorter if row["score_heldout"] >= best["score_heldout"]), None)
    scale = scale_of([score for one in listed for score in (one["score"], one["row"]["score_heldout"])])
    return {
        "steps": listed,
        "scale": max(scale, view.measure.floor + 0.01),
        "method": method,
        "named": ranged.named,
        "simpler": formula_of(view, simpler) if simpler and ranged.named else None,
    }


def other_methods(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The best formula of every method other than the one the page leads with."""
    best = chosen(ranged)
    others: dict[str, Any] = {}
    for row in ranged.explanations:
        if best is not None and row["method"] != best["method"]:
            held = others.get(row["method"])
            if held is None or (row["score"] or 0.0) > (held["score"] or 0.0):
                others[row["method"]] = row
    if not others:
        return None
    return {"rows": [{"row": row, "formula": formula_of(view, row)} for _, row in sorted(others.items())]}


def certificate(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The proof that no formula does better, for each length that has one, the page's own length first."""
    if not ranged.explanations:
        return None
    best = chosen(ranged)
    rows = [row for row in ranged.explanations if row["certificate"]]
    rows.sort(key=lambda row: (not row["chosen"], row["method"], row["length"]))
    proved = [
        {
            "row": row,
            "formula": formula_of(view, row),
            "proof": read_proof(row["certificate"], nouns=view.nouns),
        }
        for row in rows
    ]
    return {
        "proved": proved,
        "chosen_proved": bool(best and best["certificate"]),
        "best": best,
        "beam": view.manifest["settings"].get("beam"),
        "named": ranged.named,
    }


@dataclass(frozen=True)
class Proof:
    """What a certificate says.

    Attributes
    ----------
    text:
        The certificate itself.
    sentences:
        The same in plain words; empty where it is written in another way than the exact search writes it.
    """

    text: str
    sentences: tuple[str, ...]


def read_proof(text: str, *, nouns: Nouns = NOUNS["pixel"]) -> Proof:
    """A certificate in plain words.

    Parameters
    ----------
    text:
        `4/9; rounds 1; evaluated 32; bounded 968; beam 4/9; left-deep 4/9`: the best IoU as intersection over union,
        rounds of the search, formulas evaluated, formulas that bounds excluded (in each round anew), the best that a
        beam found, the best that left-deep formulas can do.
    nouns:
        The words for what was counted.
    """
    match = PROOF.fullmatch(text.strip())
    if match is None:
        return Proof(text, ())
    n = {name: int(value) for name, value in match.groupdict().items()}
    considered = (n["evaluated"] + n["bounded"]) // max(n["rounds"], 1)
    best = Fraction(n["both"], max(n["union"], 1))
    beam = Fraction(n["beam_both"], max(n["beam_union"], 1))
    own = Fraction(n["own_both"], max(n["own_union"], 1))
    if not n["bounded"]:
        how = f"all {words.plural(considered, 'formula')} were evaluated"
    elif n["evaluated"]:
        how = f"{words.plural(considered, 'formula')} were considered, {n['evaluated']:,} of them evaluated"
        how += ", the others ruled out by bounds"
    else:
        how = f"{words.plural(considered, 'formula')} were considered, and bounds ruled out all but the best one known"
    both, union = f"{n['both']:,} {nouns.elements}", f"{n['union']:,} {nouns.elements}"
    reached = f"It holds and the unit fires {nouns.fires} {both}; {nouns.fires} {union} one or the other is true"
    sentences = [f"{how[0].upper()}{how[1:]}.", f"{reached}: an IoU of {float(best):.3f}."]
    if beam == best:
        sentences.append("A beam search finds the same.")
    else:
        sentences.append(f"A beam search falls short: an IoU of {float(beam):.4f} against {float(best):.4f}.")
    if own < best:
        sentences.append(
            f"No beam could find it, whatever its width: formulas built by adding one concept at a time reach "
            f"{float(own):.4f} at most."
        )
    return Proof(text, tuple(sentences))
