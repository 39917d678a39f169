"""Builds the folder of a run on texts by docs/run-format.md, with made-up but plausible numbers and sentences."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from microtome.core.concept_words import spoken
from microtome.core.formula import Formula, Leaf, conjoin, disjoin, negate
from microtome.store.tables import COLUMNS, make_table

CLASSES = ("entailment", "neutral", "contradiction")
PAIR_CONCEPTS = (
    *(("hyp:tok:nobody", "hyp:tok"), ("hyp:tok:man", "hyp:tok"), ("pre:tok:man", "pre:tok"), ("pre:tag:NN", "pre:tag")),
    *(("oth:overlap:75", "oth:overlap"), ("oth:negation:hyp", "oth:negation"), ("oth:subset", "oth:subset")),
    *(("hyp:tok:sleeping", "hyp:tok"), ("hyp:tok:and", "hyp:tok"), ("oth:length:hyp-short", "oth:length")),
)
TOKEN_CONCEPTS = (
    *(("word:once", "word"), ("tok:▁time", "tok"), ("prev:the", "prev"), ("tag:NN", "tag"), ("quotes", "quotes")),
    *(("position:first", "position"), ("mention:repeated", "mention"), ("line:60+", "line"), ("digit", "digit")),
)
PREMISES = (
    "Two men in blue shirts repair a roof while a dog watches.",
    "A woman with a red hat reads a newspaper on a bench.",
    "Children play football in the wet grass behind the school.",
)
HYPOTHESES = ("Nobody is on the roof.", "The man is sleeping.", "Some people are outside and busy.")
STORY = (
    *("Once", " upon", " a", " time", ",", " there", " was", " a", " little", " girl", " named", " Lily", ".", "\n"),
    *(" She", " said", ",", ' "', "I", " love", " the", " park", '!"', "\n", "\t", " ", "Then", " she", " ran", "."),
) * 3
NASTY = "<img src=x onerror=alert(1)>"
KINDS = (("top", 6), ("decile", 5), ("miss", 3), ("false alarm", 2))
STATUSES = ("named", "named", "not named", "skipped", "silent")


@dataclass(frozen=True)
class FakeTextRun:
    """What the made-up run is like.

    Attributes
    ----------
    kind:
        "pair", "sentence" or "token".
    units:
        Number of units; of every five one is skipped, one silent, one not named.
    hostile:
        Texts, labels and keys try to break out of the page.
    edited:
        Whether `microtome edit` was run on it.
    """

    kind: str = "pair"
    units: int = 10
    hostile: bool = False
    edited: bool = True
    seed: int = 0


def write_fake_text_run(run: Path, fake: FakeTextRun) -> Path:
    """Write the tables and the manifest of a made-up run on texts, and return its folder."""
    run.mkdir(parents=True, exist_ok=True)
    maker = _Maker(fake)
    for unit in range(fake.units):
        maker.add(unit)
    maker.add_findings()
    edits = ("edits", "edit_pairs", "adversarial", "adversarial_pairs")
    for name in COLUMNS:
        if name == "images" or (name in edits and not fake.edited):
            continue
        table = make_table(name, maker.tables.get(name, []))
        if name == "concepts":
            if "neighbours" in table.column_names:
                table = table.drop_columns(["neighbours"])
            table = table.append_column("neighbours", pa.array([maker.neighbours(c) for c, _ in maker.concepts]))
        pq.write_table(table, run / f"{name}.parquet")
    (run / "manifest.json").write_text(json.dumps(_manifest(fake)), encoding="utf-8")
    return run


class _Maker:
    def __init__(self, fake: FakeTextRun) -> None:
        self.fake, self.rng = fake, np.random.default_rng(fake.seed)
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.tokens = fake.kind == "token"
        concepts = TOKEN_CONCEPTS if self.tokens else PAIR_CONCEPTS
        if fake.kind == "sentence":
            concepts = (("tok:nobody", "tok"), ("tok:man", "tok"), ("tag:NN", "tag"), ("length:short", "length"))
        self.concepts = (*concepts, (f"tok:{NASTY}", "tok")) if fake.hostile else concepts
        for name, category in self.concepts:
            self.put("concepts", concept=name, category=category, predicted=False, elements_search=900, images=850)

    def put(self, table: str, **row: Any) -> None:
        self.tables.setdefault(table, []).append(row)

    def neighbours(self, concept: str) -> list[str]:
        return ["hyp:tok:man", "hyp:tok:woman", "hyp:tok:boy"] if concept == "hyp:tok:man" else []

    def formula(self, unit: int) -> tuple[list[Formula], str]:
        picked = [self.concepts[(unit + k) % len(self.concepts)] for k in range(3)]
        a, b, c = (Leaf(name) for name, _ in picked)
        return [a, disjoin(a, b), conjoin(disjoin(a, b), negate(c))], "+".join(dict.fromkeys(k for _, k in picked))

    def add(self, unit: int) -> None:
        status = STATUSES[unit % 5]
        shared = {"unit": unit, "site": "mlp.1", "range": 0}
        if status in ("skipped", "silent"):
            reason = "It fires on 12 pairs, fewer than 500." if status == "skipped" else "It never fires."
            self.put("units", **shared, named=False, status=status, reason=reason)
            return
        named = status == "named"
        formulas, category = self.formula(unit)
        for length, formula in enumerate(formulas, start=1):
            iou = (0.2 + 0.03 * length) if named else 0.01
            self.put(
                "explanations", **shared, method="compositional", length=length, formula=str(formula),
                words=spoken(formula), category=category, iou=iou, iou_heldout=0.9 * iou, score=iou,
                score_heldout=0.9 * iou, chance=0.02, p=0.001 if named else 0.4, fdr=0.004 if named else 0.5,
                precision=0.4, recall=0.45, precision_heldout=0.38, recall_heldout=0.44, threshold=0.0, area=0.1,
                named=named, chosen=length == 3,
            )  # fmt: skip
        best = self.tables["explanations"][-1]
        kept = ("formula", "words", "category", "length", "iou", "iou_heldout", "score", "score_heldout", "chance", "p")
        self.put(
            "units", **shared, **{key: best[key] for key in (*kept, "fdr", "named")}, low=0.0, area=0.1, active=800,
            mean=0.4, std=0.7, max=6.0, chance_kind="re-paired", status=status, accuracy_active=0.81,
            accuracy_silent=0.74, top_classes="contradiction", reason=None if named else "No better than luck.",
        )  # fmt: skip
        name, kind = self.concepts[unit % len(self.concepts)]
        place = {"unit": unit, "range": 0}
        self.put("runners_up", **place, rank=1, formula=name, words=spoken(Leaf(name)), category=kind, iou=0.2)
        self.put("overlaps", **place, rank=1, concept=name, category=kind, concept_count=90, unit_count=80, iou=0.2)
        for draw in range(8):
            score = float(self.rng.gamma(4.0, 0.004))
            self.put("chance", unit=unit, range=0, kind="re-paired", draw=draw, length=0, iou_heldout=score)
        for low in np.linspace(0, 5.5, 12):
            count = int(900 * np.exp(-low))
            self.put("histogram", unit=unit, low=float(low), high=float(low) + 0.5, count=count)
        for label, weight in zip(CLASSES, (0.31, -0.12, -0.74), strict=True):
            self.put("class_weights", unit=unit, label=label, weight=weight * (-1) ** unit)
        for kind, many in KINDS:
            for rank in range(many):
                self.add_exemplar(shared, kind, rank)
        self.add_edits(unit, str(formulas[-1]))

    def add_exemplar(self, shared: dict[str, Any], kind: str, rank: int) -> None:
        where = {**shared, "kind": kind, "rank": rank}
        del where["site"]
        key = f"pairs/{NASTY}" if self.fake.hostile else f"test/{37 * rank:04d}"
        labelled = {} if self.tokens else {"label": CLASSES[rank % 3], "predicted": CLASSES[rank % 2]}
        right = None if self.tokens else labelled["label"] == labelled["predicted"]
        self.put(
            "exemplars", **where, image=key, split="search", value=6.0 - 0.4 * rank, row=0,
            col=4 + rank if self.tokens else 0, iou=0.5 if rank % 2 else 0.0, right=right, **labelled,
        )  # fmt: skip
        if self.tokens:
            values = [6.0 * (k % 7) / 6 - 0.5 for k in range(len(STORY))]
            pieces = [NASTY, *STORY[1:]] if self.fake.hostile else list(STORY)
            marked = [piece.strip() in ("Once", "time") for piece in pieces]
            active = [value > 3.0 for value in values]
            self.put("passages", **where, side="text", pieces=pieces, values=values, marked=marked, active=active)
            return
        sides = {"premise": PREMISES[rank % 3], "hypothesis": HYPOTHESES[rank % 3]}
        if self.fake.kind == "sentence":
            sides = {"text": HYPOTHESES[rank % 3]}
        for side, text in sides.items():
            pieces = [piece for word in text.split(" ") for piece in (" ", word)][1:]
            if self.fake.hostile:
                pieces += [" ", NASTY]
            marked = [piece in ("Nobody", "man", "roof.", NASTY) for piece in pieces]
            self.put("passages", **where, side=side, pieces=pieces, values=[], marked=marked, active=[])

    def add_edits(self, unit: int, formula: str) -> None:
        if self.fake.kind != "pair":
            return
        self.put(
            "edits", unit=unit, formula=formula, edit="insert", term="hyp:tok:nobody", side="hypothesis", turns="true",
            pairs=240, unit_before=0.11, unit_after=3.42, change=3.31, change_low=3.1, change_high=3.5,
            control_change=0.05, control_low=-0.02, control_high=0.12, difference=3.26, difference_low=3.0,
            difference_high=3.5, flipped=0.64, flipped_low=0.58, flipped_high=0.7, control_flipped=0.04,
            control_flipped_low=0.02, control_flipped_high=0.07, fires_before=0.1, fires_after=0.93, p=0.0001,
        )  # fmt: skip
        for k in range(2):
            self.put(
                "edit_pairs", unit=unit, edit="insert", image=f"test/{k:04d}", side="hypothesis",
                before="The man is sleeping.", after="Nobody is sleeping.", other=PREMISES[k], unit_before=0.0,
                unit_after=3.6, predicted_before="neutral", predicted_after=CLASSES[1 + k], label="neutral",
            )  # fmt: skip

    def add_findings(self) -> None:
        if self.tokens:
            return
        for place, (name, category) in enumerate(self.concepts):
            for label, share in zip(CLASSES, (0.05, 0.1, 0.85 - 0.05 * place), strict=True):
                few = place == 3
                self.put(
                    "artefacts", concept=name, category=category, label=label, elements=12 if few else 400, share=share,
                    low=share - 0.04, high=share + 0.04, base=0.33, answered=min(share + 0.1, 1.0),
                    answered_low=share, answered_high=min(share + 0.15, 1.0),
                )  # fmt: skip
        for length, value in enumerate((0.02, -0.31), start=1):
            ends = {"pearson_low": value - 0.1, "pearson_high": value + 0.1}
            self.put(
                "correlations", length=length, units=120, pearson=value, **ends, spearman=value, p=0.01,
                spearman_low=value - 0.1, spearman_high=value + 0.1,
            )  # fmt: skip
        rules = (("cut the premise short", "neutral", 0.31), ("put nobody into the hypothesis", "entailment", 0.83))
        for rule, label, rate in rules:
            self.put(
                "adversarial", rule=rule, true_label=label, pairs=220, fooled=int(220 * rate), rate=rate,
                low=rate - 0.05, high=rate + 0.05, before=0.08, control=0.1, p=0.0001,
            )  # fmt: skip
            self.put(
                "adversarial_pairs", rule=rule, image="test/0004", premise=PREMISES[0], hypothesis=HYPOTHESES[1],
                premise_after=PREMISES[0], hypothesis_after=f"Nobody says that {HYPOTHESES[1].lower()}",
                true_label=label, predicted_before=label, predicted_after="contradiction",
            )  # fmt: skip


def _manifest(fake: FakeTextRun) -> dict[str, Any]:
    items = {"pair": "pair", "sentence": "sentence", "token": "text"}[fake.kind]
    name = NASTY if fake.hostile else "snli"
    statuses = [STATUSES[unit % 5] for unit in range(fake.units)]
    return {
        "format": 1,
        "kind": "dissect",
        "command": ["microtome", "dissect", "world:nli", "--layer", "mlp.1", "--data", name, "--out", "runs/nli"],
        "created": "2026-01-01T12:00:00",
        "versions": {"microtome": "0.1"},
        "seed": 0,
        "model": {
            "spec": "world:nli", "layer": "mlp.1", "units": fake.units, "spatial": False, "sha256": "0",
            "parameters": 700_000, "note": "A small classifier.", "classes": list(CLASSES),
        },
        "data": {
            "name": name, "reader": "jsonl", "source": name, "fingerprint": "0", "images": 2_000, "items": items,
            "notes": [], "predicted": [],
        },
        "heldout": None,
        "elements": {"kind": fake.kind, "grid": [1, 1], "search": 1_000, "heldout": 1_000, "signatures": 1_900},
        "settings": {
            "method": "compositional", "metric": "iou", "penalty": 1.0, "units": None, "max_length": 5, "beam": 10,
            "quantile": None, "ranges": 0, "permutations": 200, "fdr": 0.05, "active": "positive", "min_active": 500,
        },
        "summary": {
            "units": fake.units, "named": statuses.count("named"), "distinct_concepts": 8,
            "accuracy": None if fake.kind == "token" else 0.78,
        },
        "notes": ["The data were halved."],
    }  # fmt: skip
