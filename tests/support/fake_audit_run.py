"""Builds the folder of a run of `microtome audit` or `explain` with made-up but plausible numbers and pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from microtome.report.heat import draw_heat
from microtome.report.tiles import draw_tile, sprite
from microtome.store.tables import make_table

Row = dict[str, Any]

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(1)> \"quoted\" & 'single' {{ 7 * 7 }}"
SIDE, COLUMNS = 112, 12
CONCEPTS = ("water", "sky and not tree", "grass", "yellow", "sand", "red or wheel", "snow", "bird")
WORDS = ("“nobody” in the hypothesis", "a negation word", "“man” in both sentences", "“outdoors” in the hypothesis")
CLASSES = {"image": ("gull", "car", "boat", "sign / post"), "pair": ("entailment", "neutral", "contradiction")}


@dataclass(frozen=True)
class FakeAudit:
    """What the made-up run is like.

    Attributes
    ----------
    kind:
        `audit` or `explain`.
    item:
        `image` or `pair`.
    proved, unproved, refuted:
        How many suspects have which verdict; the last one that is not proved could not be tested.
    units:
        Number in `part_effects`.
    cases:
        Shown of every tested suspect; half of them turned.
    bare:
        Whether the run has no table but those that it must have.
    hostile:
        Names, sentences and texts try to break out of the page.
    """

    kind: str = "audit"
    item: str = "image"
    proved: int = 2
    unproved: int = 2
    refuted: int = 3
    units: int = 40
    cases: int = 6
    bare: bool = False
    hostile: bool = False
    seed: int = 0


def write_fake_audit(run: Path, fake: FakeAudit) -> Path:
    """Write the tables, pictures and manifest of a made-up run, and return its folder."""
    run.mkdir(parents=True, exist_ok=True)
    maker = _Maker(fake)
    maker.add_findings() if fake.kind == "audit" else maker.add_explained()
    if not fake.bare:
        maker.add_classes()
        if fake.kind == "audit":
            maker.add_units()
            maker.add_directions()
    for name, rows in maker.tables.items():
        pq.write_table(make_table(name, rows), run / f"{name}.parquet")
    _write_pictures(run, maker)
    (run / "manifest.json").write_text(json.dumps(_manifest(fake, maker)), encoding="utf-8")
    return run


class _Maker:
    def __init__(self, fake: FakeAudit) -> None:
        self.fake, self.rng = fake, np.random.default_rng(fake.seed)
        self.tables: dict[str, list[Row]] = {}
        self.sheets: dict[str, int] = {}
        self.text = fake.item == "pair"
        self.part = "neuron" if self.text else "unit"
        names = WORDS if self.text else CONCEPTS
        self.names = (NASTY, *names) if fake.hostile else names
        self.classes = ("<b>bold</b>", *CLASSES[fake.item]) if fake.hostile else CLASSES[fake.item]

    def put(self, table: str, **row: Any) -> None:
        self.tables.setdefault(table, []).append(row)

    def named(self, part: int) -> Row:
        name = self.names[part % len(self.names)]
        named = part % 5 != 4
        return {
            "part": part, "title": f"{self.part} {part}", "formula": name if named else None,
            "words": name if named else None, "score": float(0.05 + 0.4 * self.rng.random()) if named else None,
            "named": named,
        }  # fmt: skip

    def add_findings(self) -> None:
        fake = self.fake
        self.tables["findings"] = []
        verdicts = ["refuted"] * fake.refuted + ["not proved"] * fake.unproved + ["proved"] * fake.proved
        for number, verdict in enumerate(verdicts):
            tested = not (verdict == "not proved" and number == fake.refuted + fake.unproved - 1)
            self._add_finding(number, verdict, tested)

    def _add_finding(self, number: int, verdict: str, tested: bool) -> None:
        names, classes = self.names, self.classes
        concept, target = names[(number + 1 - self.fake.hostile) % len(names)], classes[number % len(classes)]
        source, items = classes[(number + 1) % len(classes)], "pairs" if self.text else "images"
        rate = {"proved": 0.93, "not proved": 0.2, "refuted": 0.03}[verdict]
        row: Row = {
            "number": number, "verdict": verdict, "target": target, "source": source if tested else "any other class",
            "concept": concept, "words": concept, "share": 0.9, "others": 0.1, "shift": 0.4, "suspect_q": 0.001,
            "why": f"90% of {target} show {concept} in the data, 40% in the shift split", "parts": [f"{self.part} 3"],
            "command": f"microtome audit demo --suspect {number}",
            "sentence": f"With {concept} put in, {source} becomes {target} in {rate:.0%} of 60 {items}.",
        }  # fmt: skip
        if not tested:
            problem = "There is no segment of it that covers 1 of 50 of an image."
            self.put("findings", **row, cases=0, problem=problem)
            return
        half = 0.08 if verdict == "not proved" else 0.04
        row |= {
            "how": f"{concept} put in in place of grass", "control_how": "the same with sand, snow", "cases": 60,
            "turned": round(60 * rate), "rate": rate, "low": max(rate - half, 0.0), "high": min(rate + half, 1.0),
            "control": 0.02, "control_low": 0.0, "control_high": 0.05, "difference": rate - 0.02,
            "difference_low": rate - 0.02 - 3 * half, "difference_high": rate - 0.02 + half, "p": 0.0005, "q": 0.002,
            "changed": 0.31, "control_changed": 0.3,
        }  # fmt: skip
        if verdict == "proved":
            row |= self._proved()
            self._add_proved(number, source)
        self.put("findings", **row)
        if not self.fake.bare:
            self._add_cases(number, concept, source, target)

    def _proved(self) -> Row:
        titles = [f"{self.part} {part}" for part in (3, 7, 12)]
        return {
            "carriers": titles, "carried": 0.71, "without": 0.08, "without_low": 0.03, "without_high": 0.18,
            "without_first": 0.55, "without_direction": 0.05, "without_random": 0.92, "still_right": 0.95,
            "reverse_how": "the concept recoloured", "reverse_cases": 40, "reverse": 0.4, "reverse_low": 0.26,
            "reverse_high": 0.55, "reverse_control": 0.05, "reverse_difference": 0.35, "reverse_difference_low": 0.2,
            "reverse_difference_high": 0.5, "reverse_p": 0.001, "heat_inside": 0.8, "heat_area": 0.31,
            "repair": "With 3 of them set to their mean, the worst group goes from 35 % to 77 % (+30 to +54 points), "
            "at 0.6 points of accuracy.", "repaired": True,
        }  # fmt: skip

    def _add_proved(self, number: int, source: str) -> None:
        if self.fake.bare:
            return
        for rank, part in enumerate((3, 7, 12, 4, 15, 16, 17, 18, 19, 20)):
            self.put("finding_parts", number=number, rank=rank, **self.named(part), cut=rank < 3,
                     margin=0.4 / (rank + 1) if rank < 9 else -0.02)  # fmt: skip
        for model, known in (("demo:other", True), ("demo:narrow", False)):
            rest = {"cases": 55, "rate": 0.6, "low": 0.47, "high": 0.72, "control": 0.04, "difference": 0.56,
                    "difference_low": 0.4, "difference_high": 0.7, "p": 0.0005} if known else {}  # fmt: skip
            self.put("transfer", number=number, model=model, **rest)
        for kind, worst, cost in (("none", 0.35, 0.0), ("ablate", 0.77, 0.6), ("erase", 0.71, -0.4),
                                  ("retrain", 0.35, 0.0), ("DFR", 0.8, 3.2)):  # fmt: skip
            chosen = kind not in ("none", "retrain")
            self.put(
                "repairs", number=number, kind=kind, what=f"{kind} of {self.part} 3 and 2 more", chosen=chosen,
                best=kind == "ablate", helps=chosen and cost <= 2, worst=worst, worst_before=0.35,
                worst_difference=worst - 0.35, worst_low=worst - 0.47, worst_high=worst - 0.23, mean=0.85,
                mean_before=0.8, mean_difference=0.05 if chosen else 0.0, mean_low=0.01, mean_high=0.09, ordinary=0.93,
                ordinary_before=0.94, price=cost, turned=0.93 if not chosen else 0.1,
            )  # fmt: skip
            for group in ("others", source):
                for shows in ("without", "with"):
                    self.put("repair_groups", number=number, kind=kind, group=f"{group} {shows} it", images=50,
                             accuracy=worst if shows == "with" else 0.9)  # fmt: skip

    def _add_cases(self, number: int, concept: str, source: str, target: str) -> None:
        for place in range(self.fake.cases):
            turned = place < self.fake.cases // 2
            row: Row = {
                "number": number, "place": place, "image": f"heldout-{place:06d}", "label": source, "before": source,
                "after": target if turned else source, "turned": turned,
            }  # fmt: skip
            if self.text:
                self.put(
                    "finding_texts", **row, side="hypothesis", text_before="A man is outdoors.",
                    text_after=f"A man with {concept} is outdoors.", other="Two people wait for a bus.",
                )  # fmt: skip
                continue
            sheet = f"images/findings/{number:02d}.jpg"
            tile = self.sheets.get(sheet, 0)
            self.sheets[sheet] = tile + 3
            self.put("finding_images", **row, sprite=sheet, tile=tile, tile_after=tile + 1, heat_tile=tile + 2,
                     heat_inside=0.8, area=0.3)  # fmt: skip

    def add_classes(self) -> None:
        for target in self.classes:
            for rank in range(5):
                for sign, way in (("for", 1), ("against", -1)):
                    self.put("class_parts", target=target, rank=rank, sign=sign, **self.named(rank + 7 * (way > 0)),
                             adds=way * 2.0 / (rank + 1), weight=way * 0.3, class_change=-0.02 * way)  # fmt: skip

    def add_units(self) -> None:
        rng = self.rng
        for part in range(self.fake.units):
            loss = float(rng.normal(0.02, 0.02))
            self.put(
                "part_effects", **self.named(part), kind=("abstraction", "polysemantic", "unclear")[part % 3],
                inputs=100 + part, accuracy_active=float(rng.uniform(0.5, 1)), accuracy_silent=0.8, mass=1.0,
                selectivity=float(rng.uniform(0, 1)), selects=self.classes[part % len(self.classes)], loss=loss,
                loss_low=loss - 0.01, loss_high=loss + 0.01, accuracy=-loss / 4, loss_resample=loss * 1.2,
                loss_zero=loss * 1.5, loss_random=0.02, worst_class=self.classes[0], worst_class_change=-0.05,
            )  # fmt: skip
        for order, fall in (("best", 0.7), ("random", 0.35), ("worst", 0.15)):
            for cut in (0, 1, 2, 4, 8, 16, 32, 40):
                right = 0.94 - fall * (cut / 40) ** 0.6
                self.put("effect_curves", order=order, cut=cut, share=cut / 40, accuracy=right, low=right - 0.04,
                         high=right + 0.03, loss=1 - right)  # fmt: skip
        for what, low in (("how well the name fits, accuracy where the unit fires", 0.2),
                          ("mean activation, loss without the unit", -0.1)):  # fmt: skip
            self.put("effect_relations", what=what, units=40, pearson=low + 0.2, pearson_low=low,
                     pearson_high=low + 0.4, spearman=low + 0.2, spearman_low=low, spearman_high=low + 0.4,
                     p=0.01)  # fmt: skip
        for which, loss in (("own", 0.4), ("random", 0.05)):
            self.put("effect_groups", group=self.classes[0], parts=[f"{self.part} 3"], set=which, mass=1.0, loss=loss,
                     accuracy=-loss / 2)  # fmt: skip
        self.put("part_links", layer="layer4", part=3, other_layer="layer3", other=9, weight=0.4, correlation=0.5,
                 jaccard=0.3, words=self.names[0], other_words="blue")  # fmt: skip
        for kind, share in (("abstraction", 0.6), ("polysemantic", 0.3), ("unclear", 0.1)):
            self.put("kind_shares", kind=kind, units=int(40 * share), share=share, low=share - 0.05, high=share + 0.05)
        for rank in range(4):
            self.put("confusions", rank=rank, source=self.classes[1], target=self.classes[0], concept="water",
                     words=self.names[0], cases=8, rate=0.9 - 0.2 * rank, control=0.1,
                     difference=0.8 - 0.2 * rank)  # fmt: skip

    def add_directions(self) -> None:
        for place, concept in enumerate(self.names):
            iou = 0.6 - 0.05 * place
            self.put("concept_directions", concept=concept, category="thing", iou=iou, best_unit=3, iou_best_unit=0.2,
                     gain=iou - 0.2, chance=0.05, p=0.01 if place < 3 else 0.4, needed=6, units=40, auroc=False,
                     images=200)  # fmt: skip
            for units in (1, 2, 4, 8, 16, 32, 40):
                self.put("concept_direction_paths", concept=concept, units=units, iou=iou * (1 - 0.6 / units))

    def add_explained(self) -> None:
        for rank in range(8):
            adds = (8 - rank) * (0.3 if rank < 5 else -0.2)
            self.put("explained_parts", rank=rank, **self.named(rank), fires=rank < 6, value=4.0 - rank / 2, adds=adds,
                     without=self.classes[1] if rank == 0 else self.classes[0], without_change=-adds)  # fmt: skip
        row: Row = {"number": 0, "place": 0, "image": "heldout-000007", "label": self.classes[0]}
        if self.text:
            text = NASTY if self.fake.hostile else "A man is outdoors."
            self.put("finding_texts", **row, side="hypothesis", text_before=text, other="Two people wait for a bus.")
        else:
            self.sheets["images/input.jpg"] = 1
            self.put("finding_images", **row, sprite="images/input.jpg", tile=0)


def _write_pictures(run: Path, maker: _Maker) -> None:
    rng = np.random.default_rng(maker.fake.seed)
    photo = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
    after = photo.copy()
    after[4:] = (40, 90, 200)
    heat = np.zeros((8, 8))
    heat[5:] = rng.uniform(0, 1, (3, 8))
    tiles = [draw_tile(photo, size=SIDE), draw_tile(after, size=SIDE), draw_heat(after, heat, size=SIDE)]
    for name, count in maker.sheets.items():
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet = sprite([tiles[n % 3] for n in range(count)], columns=COLUMNS)
        Image.fromarray(sheet).save(path, format="JPEG", quality=50)


def _manifest(fake: FakeAudit, maker: _Maker) -> Row:
    name = NASTY if fake.hostile else "world, heldout"
    findings = maker.tables.get("findings", [])
    summary: Row = {
        "sentences": [row["sentence"] for row in findings if row["verdict"] == "proved"], "proved": fake.proved,
        "not_proved": fake.unproved, "refuted": fake.refuted, "suspects": len(findings), "accuracy": 0.94,
        "repaired": fake.proved, "run": "runs/dissection", "part": maker.part, "item": fake.item,
    }  # fmt: skip
    if fake.kind == "explain":
        summary = {**summary, "sentences": [], "top": [[maker.classes[0], 0.81], [maker.classes[1], 0.12]]}
    return {
        "format": 1,
        "kind": fake.kind,
        "command": ["microtome", fake.kind, "demo:classifier", "--data", name, "--out", "runs/demo"],
        "created": "2026-01-01T12:00:00",
        "versions": {"microtome": "0.1"},
        "seed": 0,
        "model": {"spec": "demo:classifier", "layer": "layer4", "units": fake.units, "classes": list(maker.classes)},
        "data": {"name": name, "images": 1600},
        "shift": {"name": "world, shifted", "images": 800},
        "settings": {"suspects": 24, "cases": 60, "price": 2.0, "fdr": 0.05, "bar": 0.1, "ablate": "mean"},
        "summary": summary,
        "notes": [f"A note{NASTY if fake.hostile else ''}."],
    }  # fmt: skip
