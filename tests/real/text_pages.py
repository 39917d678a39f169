"""What pages of texts have: examples in words, the classifier's card, artefacts, correlations, proofs by editing."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from microtome.models.nli import CARD
from microtome.recipes.result import Dissection
from microtome.zoo.train_nli import REPORTED
from tests.real.page_parts import Sections, best_units, interval, label_of, number, percent, small, table

BEST, TEXTS = 10, 2
LEFT, RIGHT = 28, 10
"""Tokens shown before and behind the one where a unit is highest."""
LEAST_PAIRS, ARTEFACTS_A_CLASS, RULES, CASES = 200, 4, 3, 3
SHORTCUTS = ("oth:overlap:75", "oth:subset", "oth:negation:hyp")
"""Concepts that are always among the artefacts: what is known of such data."""


def text_sections(result: Dissection) -> Sections:
    """The sections of a run of texts; those whose tables the run has."""
    best = best_units(result, BEST)
    tables = set(result.tables)
    after = [_correlations(result), _table_of_best(result, best), _examples(result, best)]
    if "artefacts" in tables:
        after.append(_artefacts(result))
    if "edits" in tables:
        after += [_edits(result, best), _adversarial(result)]
    return Sections((_card(result),), tuple(after))


def _card(result: Dissection) -> str:
    file = result.path / CARD
    if not file.is_file():
        return ""
    card = json.loads(file.read_text(encoding="utf-8"))
    low, high = card["accuracy_interval"][REPORTED]
    rows = [
        ("parameters", f"{card['parameters']:,}"),
        ("trained on", f"{card['training']['pairs']:,} pairs, {card['training']['seconds'] / 60:.0f} minutes"),
        (f"accuracy on {REPORTED}", f"{percent(card['accuracy'][REPORTED])} {interval(low, high, share=True)}"),
        ("the same architecture that sees hypotheses alone", percent(card["hypothesis_only_accuracy"][REPORTED])),
        ("the most frequent class", percent(card["most_frequent_class"])),
        *((f"accuracy on {name}", percent(share)) for name, share in card["accuracy_by_class"].items()),
    ]
    return "## The classifier\n\n" + table(("", ""), rows)


def _correlations(result: Dissection) -> str:
    rows = result.table("correlations").to_pylist() if "correlations" in result.tables else []
    if not rows:
        return ""
    shown = [
        (
            row["length"], row["units"], number(row["pearson"]), interval(row["pearson_low"], row["pearson_high"]),
            number(row["spearman"]), interval(row["spearman_low"], row["spearman_high"]), small(row["p"]),
        )
        for row in rows
    ]  # fmt: skip
    heads = ("concepts, at most", "units", "Pearson", "95 %", "Spearman", "95 %", "p")
    return (
        f"## {label_of(result)} and accuracy\n\nHeld-out {label_of(result)} of a unit's formula against the accuracy "
        "of the network where the unit is active. Mu & Andreas 2020 find it negative for their classifier of such "
        f"pairs.\n\n{table(heads, shown)}"
    )


def _table_of_best(result: Dissection, best: Sequence[dict[str, Any]]) -> str:
    if not best:
        return "## The best named units\n\nNone is named."
    label = label_of(result)
    longest = result.manifest["settings"]["max_length"]
    lengths = {
        (row["unit"], row["length"]): row["score_heldout"]
        for row in result.query("select unit, length, score_heldout from explanations").to_pylist()
    }
    accuracy = {row["unit"]: row["accuracy_active"] for row in result.units.to_pylist()}
    weights = _weights(result)
    heads = ["unit", "fires on", f"{label} held out", "of 1 concept", f"of up to {longest}", "by chance", "p"]
    heads += ["accuracy when active"] * any(accuracy.values()) + ["weight to"] * bool(weights)
    rows = []
    for row in best:
        unit = row["unit"]
        last = max(length for own, length in lengths if own == unit)
        cells = [unit, cell(row["words"])]
        cells += [number(score) for score in (row["score_heldout"], lengths[unit, 1], lengths[unit, last])]
        cells += [number(row["chance"]), small(row["p"])]
        cells += [percent(accuracy[unit])] * any(accuracy.values()) + [weights.get(unit, "")] * bool(weights)
        rows.append(cells)
    return f"## The best {len(best)} named units\n\n{table(heads, rows)}" + _beyond_chance(result)


def _beyond_chance(result: Dissection) -> str:
    """A unit that is active on most pairs has a high score by chance already; these stand furthest above it."""
    if result.manifest["elements"]["kind"] == "token":
        return ""
    rows = result.query(
        "select unit, words, area, score_heldout, chance, accuracy_active from units where named "
        f"order by score_heldout - chance desc, unit limit {BEST}"
    ).to_pylist()
    told = any(row["accuracy_active"] for row in rows)
    shown = [
        (
            row["unit"], cell(row["words"]), f"{row['area']:.0%}", number(row["score_heldout"]), number(row["chance"]),
            *((percent(row["accuracy_active"]),) if told else ()),
        )
        for row in rows
    ]  # fmt: skip
    heads = ("unit", "fires on", "active", f"{label_of(result)} held out", "by chance")
    heads += ("accuracy when active",) if told else ()
    return f"\n\nFurthest above chance:\n\n{table(heads, shown)}"


def _weights(result: Dissection) -> dict[int, str]:
    rows = result.table("class_weights").to_pylist() if "class_weights" in result.tables else []
    return {
        unit: ", ".join(f"{row['label']} {row['weight']:+.2f}" for row in own)
        for unit, own in groupby(rows, key=lambda row: row["unit"])
    }


def _examples(result: Dissection, best: Sequence[dict[str, Any]]) -> str:
    """Short quotes: of tokens what stands around the place where the unit is highest, active tokens bold."""
    tokens = result.manifest["elements"]["kind"] == "token"
    lines = []
    for one in best:
        rows = result.query(
            "select p.rank, p.side, p.pieces, p.marked, p.active, e.col, e.value, e.label, e.predicted from passages p "
            "join exemplars e using (unit, range, kind, rank) "
            f"where unit = {one['unit']} and kind = 'top' and rank < {TEXTS} order by rank"
        ).to_pylist()
        lines.append(f"**Unit {one['unit']}**, {cell(one['words'])}:\n")
        for _, sides in groupby(rows, key=lambda row: row["rank"]):
            own = sorted(sides, key=lambda row: row["side"] != "premise")
            said = " / ".join(_quoted(row, tokens=tokens) for row in own)
            answer = f" ({own[0]['label']}; answered {own[0]['predicted']})" if own[0]["label"] else ""
            lines.append(f"- {said}{answer}")
        lines.append("")
    what = "bold: the unit is active" if tokens else "premise / hypothesis, bold: words that the formula names"
    return f"## Where they are highest\n\nTwo texts each; {what}.\n\n" + "\n".join(lines).rstrip()


def _quoted(row: dict[str, Any], *, tokens: bool) -> str:
    pieces, bold = row["pieces"], row["active" if tokens else "marked"]
    first, last = (max(0, row["col"] - LEFT), row["col"] + RIGHT) if tokens else (0, len(pieces))
    parts: list[str] = []
    for marked, run in groupby(range(first, min(last, len(pieces))), key=lambda at: bold[at]):
        text = "".join(pieces[at] for at in run)
        lead, body = text[: len(text) - len(text.lstrip())], text.lstrip()
        parts.append(cell(lead) + (f"<b>{cell(body)}</b>" if marked and body else cell(body)))
    said = "".join(parts).strip()
    return f"... {said} ..." if tokens else said


def _artefacts(result: Dissection) -> str:
    """For each class the concepts it follows from most surely, and the known shortcuts."""
    rows = result.query("select * from artefacts where elements >= 50 order by low - base desc, concept").to_pylist()
    chosen: list[dict[str, Any]] = []
    for label in dict.fromkeys(
        row["label"] for row in result.query("select distinct label from artefacts order by 1").to_pylist()
    ):
        chosen += [row for row in rows if row["label"] == label][:ARTEFACTS_A_CLASS]
    for name in SHORTCUTS:
        known = {row["concept"] for row in chosen}
        chosen += [row for row in rows if row["concept"] == name and name not in known][:1]
    shown = [
        (
            f"`{row['concept']}`", row["label"], f"{row['elements']:,}", percent(row["share"]),
            interval(row["low"], row["high"], share=True), percent(row["base"]), percent(row["answered"]),
            interval(row["answered_low"], row["answered_high"], share=True),
        )
        for row in chosen
    ]  # fmt: skip
    heads = ("concept", "label", "pairs", "have the label", "95 %", "of all pairs", "network answers it", "95 %")
    return (
        "## Artefacts of the data\n\nHow often a label follows from one concept alone, and how often the network "
        f"answers it there. Of concepts of at least 50 pairs: the {ARTEFACTS_A_CLASS} that lift each label most, by "
        f"the lower end of the interval; then what is known of such data.\n\n{table(heads, shown)}"
    )


def _edits(result: Dissection, best: Sequence[dict[str, Any]]) -> str:
    """For each unit and direction the edit of most pairs."""
    rows = result.query("select * from edits order by unit, turns desc, pairs desc, edit").to_pylist()
    place = {row["unit"]: at for at, row in enumerate(best)}
    shown = []
    for (unit, turns), own in groupby(rows, key=lambda row: (row["unit"], row["turns"])):
        row = next(own)
        shown.append((place.get(unit, len(place)), (
            unit, cell(row["edit"]), turns, row["pairs"], f"{row['change']:+.2f}", f"{row['control_change']:+.2f}",
            f"{row['difference']:+.2f} {interval(row['difference_low'], row['difference_high'])}",
            f"{row['fires_before']:.0%} to {row['fires_after']:.0%}",
            f"{row['flipped']:.0%} (control {row['control_flipped']:.0%})", small(row["p"]),
        )))  # fmt: skip
    heads = (
        *("unit", "edit", "makes the name", "pairs", "unit changes by", "control", "difference, 95 %"),
        *("active before, after", "answer changes", "p"),
    )
    follow = sum(
        (row["difference_low"] > 0) if row["turns"] == "true" else (row["difference_high"] < 0) for row in rows
    )
    return (
        "## Proof by editing\n\nHeld-out pairs are edited so that a unit's name becomes true or false of them; the "
        "control is an edit of the same kind that leaves the name as it was. Of the best ten units the edit of most "
        f"pairs in each direction; of all {len(rows)} edits (the table `edits`), {follow} move the unit the way its "
        "name says, beyond the control, by a 95 % interval.\n\n"
        + table(heads, [cells for _, cells in sorted(shown, key=lambda pair: pair[0])])
    )


def _adversarial(result: Dissection) -> str:
    """The rules that work best beyond their control, with the first cases of each."""
    rows = result.query(
        f"select * from adversarial where pairs >= {LEAST_PAIRS} and low > control and p < 0.05 "
        f"order by rate - control desc limit {RULES}"
    ).to_pylist()
    tried = result.query("select count(*) n from adversarial").to_pylist()[0]["n"]
    head = (
        "## Adversarial edits\n\nEdits after which the true label is known, and the network answers another one where "
        f"it was right or answered something else before. Of {tried} rules the {len(rows)} that fool it most beyond "
        f"their control (the same edit with a word that nothing is known of), on at least {LEAST_PAIRS} pairs."
    )
    if not rows:
        return head
    heads = ("edit", "true label", "pairs", "fooled", "95 %", "control", "wrong before", "p")
    shown = [
        (
            cell(row["rule"]), row["true_label"], row["pairs"], percent(row["rate"]),
            interval(row["low"], row["high"], share=True), percent(row["control"]), percent(row["before"]),
            small(row["p"]),
        )
        for row in rows
    ]  # fmt: skip
    cases = result.table("adversarial_pairs").to_pylist()
    lines = [f"{head}\n\n{table(heads, shown)}\n"]
    for row in rows:
        lines.append(f"**{cell(row['rule'])}**:\n")
        for case in [case for case in cases if case["rule"] == row["rule"]][:CASES]:
            lines.append(
                f"- {cell(case['premise_after'])} / {cell(case['hypothesis_after'])} "
                f"(true: {case['true_label']}; answered {case['predicted_after']}, before the edit "
                f"{case['predicted_before']})"
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def cell(text: str) -> str:
    """Any text as it is: no mark-up, on one line."""
    shown = html.escape(text.replace("\n", " ⏎ "), quote=False)
    for sign in "\\`*_[]~":
        shown = shown.replace(sign, f"&#{ord(sign)};")
    return shown
