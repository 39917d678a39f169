"""What an audit found as plain sentences and as rows of tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from microtome.recipes.audit.carriers import ENOUGH
from microtome.recipes.audit.nouns import ANY, Named, Parts
from microtome.recipes.audit.proving import Proof, Tried, Without
from microtome.recipes.audit.repairing import Repair, Repairs
from microtome.recipes.audit.run_parts import Audited
from microtome.verify.flips import Rate
from microtome.verify.proportions import wilson

Row = dict[str, Any]
UNHARMED = 0.9
"""Where fewer of the unchanged inputs are still right with the carriers cut, the sentence says so."""
PLURAL = {"image": "images", "pair": "pairs", "sentence": "sentences"}


def class_name(parts: Parts, number: int) -> str:
    """A class by its number; `ANY` in words."""
    return "any other class" if number == ANY else parts.classes[number]


def sentence_of(parts: Parts, proof: Proof) -> str:
    """The finding in one or two sentences."""
    suspect, test = proof.suspect, proof.test
    target = parts.classes[suspect.target]
    if proof.problem:
        return f"{_capital(suspect.words)} may speak for {target}, but nothing could be tested: {proof.problem}"
    cases = proof.cases
    assert cases is not None
    source = f"other classes (those nearest to {target})" if proof.source == ANY else parts.classes[proof.source]
    becomes = "become" if proof.source == ANY else "becomes"
    numbers = (
        f"{_percent(test.turned.rate)} of {test.turned.cases} {PLURAL.get(parts.item, parts.item)} "
        f"({100 * test.turned.low:.0f} to {100 * test.turned.high:.0f}; control {_percent(test.control.mean)})"
    )
    if proof.verdict == "proved":
        said = f"With {cases.how}, {source} {becomes} {target} in {numbers}."
        return f"{said} {carried_sentence(parts, proof)}".strip()
    if proof.verdict == "refuted":
        return f"{_capital(suspect.words)} does not turn {source} into {target}: with {cases.how} it turns {numbers}."
    return f"Whether {suspect.words} turns {source} into {target} is open: with {cases.how} it turns {numbers}."


def carried_sentence(parts: Parts, proof: Proof) -> str:
    """Who carries it, and what is left without them."""
    without = proof.without
    if without is None:
        return f"No {part_word(parts)} was found that carries it."
    names = [parts.names[n] for n in without.carriers.parts if n in parts.names]
    detect = [one for one in names if one.number in proof.suspect.parts and one.named]
    lead = next(iter([*detect, *(one for one in names if one.named), *names]), None)
    others = len(without.carriers.parts) - 1
    said = "" if lead is None else _titled(lead) + (f" and {others} more" if others else "")
    left = _percent(without.rate.rate)
    beside = "" if math.isnan(without.control.mean) else f" (without as many others {_percent(without.control.mean)})"
    better = math.isnan(without.control.mean) or without.rate.rate < without.control.mean
    harmed = ""
    if without.still_right.rate < UNHARMED:
        still = _percent(without.still_right.rate)
        harmed = f" and of the unchanged {PLURAL.get(parts.item, parts.item)} only {still} right"
    if without.rate.rate <= ENOUGH * proof.test.turned.rate and better:
        verb = "carry" if others else "carries"
        return f"{said} {verb} it; without {'them' if others else 'it'} {left}{beside}{harmed}."
    erased = ""
    if without.erased is not None and without.erased.rate < without.rate.rate:
        erased = f"; with the direction taken out along which it moves them {_percent(without.erased.rate)}"
    if not others:
        return f"Without the loudest {part_word(parts)} it is {left}{beside}{harmed}{erased}."
    count, share = others + 1, sum(without.carriers.margin)
    if parts.kind == "neurons" and share < ENOUGH:
        # One layer's neurons are not all that the answer is made of.
        return (
            f"Little of it passes through these neurons: the {count} that carry most make up {_percent(share)} of the "
            f"change, and with them cut it is {left}{beside}{harmed}{erased}."
        )
    many = f"It is spread over many {part_word(parts)}s"
    return f"{many}: with the {count} loudest cut it is {left}{beside}{harmed}{erased}."


def _titled(named: Named) -> str:
    title = _capital(named.title)
    return f"{title} ({named.words})" if named.words else title


def repair_sentence(parts: Parts, repairs: Repairs, price: float) -> str:
    """What mends it, or that nothing did."""
    best, base = repairs.best, repairs.rows[0]
    comparison = next((row for row in repairs.rows if row.kind == "DFR" and row.chosen), None)
    beside = "" if comparison is None else (
        f" Retraining the last layer on groups of equal weight reaches {_percent(comparison.worst)}."
    )  # fmt: skip
    if not best.chosen:
        return (
            f"No repair was found: nothing lifted the worst group ({_percent(base.worst)}) on the validation half for "
            f"at most {price:g} points of accuracy.{beside}"
        )
    low, high = best.difference.worst.low, best.difference.worst.high
    said = (
        f"With {best.change.what}, the worst group goes from {_percent(base.worst)} to {_percent(best.worst)} "
        f"({100 * low:+.0f} to {100 * high:+.0f} points), at {best.price:.1f} points of accuracy."
    )
    if best.helps(price):
        return said + beside
    doubts = ["it may be luck"] if low <= 0 else []
    if best.price > price:
        doubts.append(f"it costs more than the {price:g} points allowed")
    return f"{said} It is no proven repair: {' and '.join(doubts)}.{beside}"


def finding_rows(parts: Parts, audited: Audited, command: Mapping[int, str], price: float) -> list[Row]:
    """Rows of `findings`."""
    rows: list[Row] = []
    for proof in audited.proofs:
        suspect, test, made = proof.suspect, proof.test, audited.repairs.get(proof.suspect.number)
        rows.append({
            "number": suspect.number, "verdict": proof.verdict, "sentence": sentence_of(parts, proof),
            "target": parts.classes[suspect.target], "source": class_name(parts, proof.source),
            "concept": str(suspect.concept), "words": suspect.words, "why": suspect.why, "share": suspect.share,
            "others": suspect.others, "shift": suspect.shift, "suspect_q": suspect.q, "effect": suspect.effect,
            "parts": [parts.names[n].title for n in suspect.parts if n in parts.names],
            "cases": test.turned.cases, "turned": test.turned.hits, "rate": test.turned.rate,
            "low": test.turned.low, "high": test.turned.high, "control": test.control.mean,
            "control_low": test.control.low, "control_high": test.control.high, "difference": test.difference.mean,
            "difference_low": test.difference.low, "difference_high": test.difference.high, "p": test.p, "q": proof.q,
            "problem": proof.problem or None, "command": command.get(suspect.number),
            "repair": None if made is None else repair_sentence(parts, made, price),
            "repaired": None if made is None else made.best.helps(price),
            **({} if proof.cases is None else {
                "how": proof.cases.how, "control_how": proof.cases.control_how, "changed": proof.cases.changed,
                "control_changed": proof.cases.control_changed,
            }), **_without_columns(parts, proof.without), **_reverse_columns(proof),
        })  # fmt: skip
    return rows


def _without_columns(parts: Parts, without: Without | None) -> Row:
    if without is None:
        return {}
    return {
        "carriers": [parts.names[n].title if n in parts.names else str(n) for n in without.carriers.parts],
        "carried": sum(without.carriers.margin), **_share("without", without.rate),
        **_share("without_first", without.first), **_share("without_direction", without.erased),
        "without_random": without.control.mean, "without_random_low": without.control.low,
        "without_random_high": without.control.high, **_share("still_right", without.still_right),
    }  # fmt: skip


def _share(name: str, rate: Rate | None) -> Row:
    """A share and its interval as columns."""
    return {} if rate is None else {name: rate.rate, f"{name}_low": rate.low, f"{name}_high": rate.high}


def _reverse_columns(proof: Proof) -> Row:
    found = proof.reverse
    if found is None:
        return {}
    return {
        "reverse_how": proof.reverse_how, "reverse_cases": found.turned.cases, "reverse": found.turned.rate,
        "reverse_low": found.turned.low, "reverse_high": found.turned.high, "reverse_control": found.control.mean,
        "reverse_difference": found.difference.mean, "reverse_difference_low": found.difference.low,
        "reverse_difference_high": found.difference.high, "reverse_p": found.p,
    }  # fmt: skip


def path_rows(parts: Parts, audited: Audited, most: int = 12) -> list[Row]:
    """Rows of `finding_parts`: the way from class to unit to formula, first the parts that carry it."""
    rows: list[Row] = []
    for proof in audited.proofs:
        without = proof.without
        margin = {} if without is None else dict(zip(without.carriers.parts, without.carriers.margin, strict=True))
        order = list(dict.fromkeys([*margin, *proof.suspect.parts]))
        for rank, number in enumerate(order[: max(most, len(margin))]):
            named = parts.names.get(number)
            if named is not None:
                rows.append({
                    "number": proof.suspect.number, "rank": rank, **part_columns(named),
                    "margin": margin.get(number), "cut": number in margin,
                })  # fmt: skip
    return rows


def part_columns(named: Named) -> Row:
    """The columns that say which part, and its name; a direction has no number."""
    return {
        "part": named.number if named.number >= 0 else None, "title": named.title, "formula": named.formula or None,
        "words": named.words or None, "score": named.score, "named": named.named,
    }  # fmt: skip


def confusion_rows(parts: Parts, tried: Sequence[Tried]) -> list[Row]:
    """Rows of `confusions`: for each pair of classes the concept that turns one into the other most."""
    best: dict[tuple[int, int], Tried] = {}
    for one in tried:
        pair = (one.source, one.suspect.target)
        if pair not in best or one.difference > best[pair].difference:
            best[pair] = one
    ranked = sorted(best.values(), key=lambda one: (-one.difference, one.suspect.number))
    return [
        {
            "rank": rank, "source": class_name(parts, one.source), "target": parts.classes[one.suspect.target],
            "concept": str(one.suspect.concept), "words": one.suspect.words, "cases": one.cases, "rate": one.rate,
            "low": one.test.turned.low, "high": one.test.turned.high, "control": one.control,
            "control_low": one.test.control.low, "control_high": one.test.control.high, "difference": one.difference,
            "difference_low": one.test.difference.low, "difference_high": one.test.difference.high,
        }
        for rank, one in enumerate(ranked)
    ]  # fmt: skip


def transfer_rows(audited: Audited) -> list[Row]:
    """Rows of `transfer`."""
    rows: list[Row] = []
    for proof in audited.proofs:
        for model, test in (proof.transfer or {}).items():
            row: Row = {"number": proof.suspect.number, "model": model}
            if test is not None:
                row |= {
                    "cases": test.turned.cases, "rate": test.turned.rate, "low": test.turned.low,
                    "high": test.turned.high, "control": test.control.mean, "difference": test.difference.mean,
                    "difference_low": test.difference.low, "difference_high": test.difference.high, "p": test.p,
                }  # fmt: skip
            rows.append(row)
    return rows


def repair_rows(audited: Audited, price: float) -> tuple[list[Row], list[Row]]:
    """Rows of `repairs` and `repair_groups`."""
    rows: list[Row] = []
    groups: list[Row] = []
    for number, made in audited.repairs.items():
        base = made.rows[0]
        for row in made.rows:
            rows.append({"number": number, **_repair_row(row, base, made, price)})
            groups += [
                {
                    "number": number,
                    "kind": row.kind,
                    "group": name,
                    "accuracy": share,
                    "images": size,
                    **dict(zip(("low", "high"), wilson(round(share * size), size), strict=True)),
                }
                for name, share, size in zip(made.group_names, row.groups, made.group_sizes, strict=True)
            ]
    return rows, groups


def _repair_row(row: Repair, base: Repair, made: Repairs, price: float) -> Row:
    worst, mean = row.difference.worst, row.difference.mean
    return {
        "kind": row.kind, "what": row.change.what or "nothing", "chosen": row.chosen,
        "best": row is made.best and row.chosen, "helps": row.helps(price), "worst": row.worst,
        "worst_before": base.worst, "worst_difference": worst.mean, "worst_low": worst.low, "worst_high": worst.high,
        "mean": row.mean, "mean_before": base.mean, "mean_difference": mean.mean, "mean_low": mean.low,
        "mean_high": mean.high, "ordinary": row.ordinary, "ordinary_before": row.ordinary_before, "price": row.price,
        "price_low": row.paid.low, "price_high": row.paid.high, **_share("turned", row.turned),
    }  # fmt: skip


def part_word(parts: Parts) -> str:
    """The word for a part: unit, head or neuron."""
    return parts.kind.removesuffix("s")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}".replace("%", " %")
