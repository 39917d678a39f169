"""Builds a run folder by docs/run-format.md with made-up but plausible numbers and pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from microtome.report.tiles import draw_tile, sprite

CONCEPTS = (
    *(("water", "surface"), ("grass", "surface"), ("sand", "surface"), ("road", "surface")),
    *(("red", "color"), ("blue", "color"), ("green", "color"), ("yellow", "color")),
    *(("car", "object"), ("wheel", "part"), ("boat", "object"), ("bird", "object"), ("tree", "object")),
    *(("striped", "material"), ("dotted", "material"), ("harbour", "scene"), ("street", "scene")),
)
HOSTILE = (
    ("</script><img src=x onerror=alert(1)>", "object"),
    ("\"quoted\" & 'single'", "object"),
    ("{{ 7 * 7 }}\u2028<!--", "<b>bold</b>"),
)
CERTIFICATES = {
    1: "900/5000; rounds 1; evaluated 17; bounded 0; beam 900/5000; left-deep 900/5000",
    2: "1000/5400; rounds 1; evaluated 561; bounded 0; beam 1000/5400; left-deep 1000/5400",
    3: "1234/5678; rounds 2; evaluated 32; bounded 43488; beam 1100/5678; left-deep 1200/5678",
}
PICTURES = (("top", 12), ("decile", 10), ("miss", 5), ("false alarm", 4))


@dataclass(frozen=True)
class FakeRun:
    """What the made-up run is like.

    Attributes
    ----------
    units:
        Number of units. Every 17th is silent; about a third is not named.
    ranges:
        0 = the top range alone; k = ranges 1..k.
    hostile:
        Names of concepts, categories, classes and files that try to break out of the page.
    predicted:
        Categories that a model predicted.
    draws:
        Draws of chance for each unit and kind.
    sprites:
        Pictures are drawn for this many units; the rest shares the sheets of these.
    metric:
        What names were searched by. With `auroc` scores lie above 0.5 and the searched half has no masks.
    image_level:
        Elements are whole images: nothing is shifted.
    """

    units: int = 24
    ranges: int = 0
    hostile: bool = False
    predicted: tuple[str, ...] = ()
    draws: int = 60
    sprites: int = 4
    metric: str = "iou"
    image_level: bool = False
    seed: int = 0
    concepts: tuple[tuple[str, str], ...] = field(default=CONCEPTS)


def write_fake_run(run: Path, fake: FakeRun) -> Path:
    """Write the tables, pictures and manifest of a made-up run, and return its folder."""
    run.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(fake.seed)
    maker = _Maker(fake, rng)
    for unit in range(fake.units):
        for number in range(1, fake.ranges + 1) if fake.ranges else (0,):
            maker.add(unit, number)
        maker.add_histogram(unit)
    for name, rows in maker.tables.items():
        pq.write_table(pa.Table.from_pylist(rows, schema=_schema(name)), run / f"{name}.parquet")
    _write_images(run, fake, rng)
    manifest = _manifest(fake, maker)
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return run


class _Maker:
    def __init__(self, fake: FakeRun, rng: np.random.Generator) -> None:
        self.fake, self.rng = fake, rng
        self.concepts = fake.concepts + (HOSTILE if fake.hostile else ())
        names = ("units", "explanations", "runners_up", "concepts", "categories", "overlaps")
        self.tables: dict[str, list[dict[str, Any]]] = {n: [] for n in (*names, "exemplars", "histogram", "chance")}
        for name, category in self.concepts:
            self.tables["concepts"].append(
                {
                    "concept": name,
                    "category": category,
                    "predicted": category in fake.predicted,
                    "elements_search": 52_000,
                    "elements_heldout": 49_000,
                    "images": 310,
                }
            )

    def add(self, unit: int, number: int) -> None:
        if unit % 17 == 11:
            self._add_silent(unit, number)
            return
        picked = [self.concepts[k] for k in self.rng.permutation(len(self.concepts))[:4]]
        if self.fake.hostile:
            picked[0] = HOSTILE[unit % len(HOSTILE)]
        named = bool(self.rng.random() < 0.66)
        base = float(self.rng.uniform(0.06, 0.3)) if named else float(self.rng.uniform(0.01, 0.035))
        lengths = self._explanations(unit, number, picked, base, named)
        best = next(row for row in lengths if row["chosen"])
        low, high = self._ends(unit, number)
        shared = {"unit": unit, "site": "layer4", "range": number}
        kept = ("formula", "words", "category", "length", "iou", "iou_heldout", "score", "score_heldout", "chance", "p")
        self.tables["units"].append(
            {
                **shared,
                **{key: best[key] for key in (*kept, "fdr", "named")},
                "low": low,
                "high": high,
                "area": 0.005,
                "active": 12_345,
                "mean": 0.4,
                "std": 0.7,
                "max": 6.1,
                "chance_kind": "re-paired" if unit % 2 or self.fake.image_level else "shifted",
                "status": "named" if named else "not named",
                "reason": None if named else "Its best formula scores no better than luck does on other images.",
                "accuracy_active": float(self.rng.uniform(0.3, 0.99)),
                "accuracy_silent": 0.81,
                "top_classes": "harbour, street" if not self.fake.hostile else HOSTILE[0][0],
            }
        )
        self._add_singles(shared, picked, base)
        self._add_pictures(shared)
        for kind in ("re-paired",) if self.fake.image_level else ("re-paired", "shifted"):
            for draw in range(self.fake.draws):
                score = self._score(float(self.rng.gamma(4.0, 0.004)))
                self.tables["chance"].append(
                    {**_key(unit, number), "kind": kind, "draw": draw, "length": 0, "iou_heldout": score}
                )

    def _score(self, iou: float) -> float:
        """A made-up score of the run's metric for a made-up IoU."""
        return {"auroc": 0.5 + iou, "lift": 100 * iou}.get(self.fake.metric, iou)

    def _add_silent(self, unit: int, number: int) -> None:
        row = dict.fromkeys(_schema("units").names)
        row |= {"unit": unit, "site": "layer4", "range": number, "named": False, "status": "silent"}
        self.tables["units"].append({**row, "reason": "It is zero at every place of every image."})

    def _ends(self, unit: int, number: int) -> tuple[float, float | None]:
        if not number:
            return 2.31 + unit / 50, None
        return 0.4 * number, None if number == self.fake.ranges else 0.4 * number + 0.4

    def _explanations(
        self, unit: int, number: int, picked: list[tuple[str, str]], base: float, named: bool
    ) -> list[dict[str, Any]]:
        (a, ca), (b, cb), (c, cc), _ = picked
        forms = (
            (1, a, a, ca),
            (2, f"{a} OR {b}", f"{a} or {b}", f"{ca}+{cb}"),
            (3, f"({a} OR {b}) AND NOT {c}", f"{a} or {b} that is not {c}", f"{ca}+{cb}+{cc}"),
        )
        rows = []
        masks = self.fake.metric != "auroc"
        for length, formula, words, category in forms:
            iou = base * (1 + 0.3 * (length - 1))
            rows.append(
                {
                    "unit": unit,
                    "site": "layer4",
                    "method": "exact" if self.fake.metric == "iou" else "compositional",
                    "range": number,
                    "length": length,
                    "formula": formula,
                    "words": words,
                    "category": category,
                    "iou": iou if masks else None,
                    "iou_heldout": iou * 0.9,
                    "chance": self._score(0.017),
                    "p": 0.0004 if named else 0.31,
                    "fdr": 0.002 if named else 0.42,
                    "precision": 0.3 if masks else None,
                    "recall": 0.5 if masks else None,
                    "precision_heldout": 0.28,
                    "recall_heldout": 0.47,
                    "score": self._score(iou),
                    "score_heldout": self._score(0.9 * iou),
                    "mann_whitney_p": None if masks else 0.00021,
                    "threshold": 2.31,
                    "area": 0.005,
                    "named": named,
                    "chosen": length == 3,
                    "certificate": CERTIFICATES[length] if self.fake.metric == "iou" else None,
                }
            )
        netdissect = {**rows[0], "method": "netdissect", "chosen": False, "certificate": None}
        self.tables["explanations"] += [*rows, netdissect]
        return rows

    def _add_singles(self, shared: dict[str, Any], picked: list[tuple[str, str]], base: float) -> None:
        for rank, (name, category) in enumerate(picked, start=1):
            iou = base / rank
            counts = {"concept_count": 52_000, "unit_count": 12_345, "both_count": int(9_000 / rank)}
            heldout = {"iou": iou, "iou_heldout": iou * 0.9}
            self.tables["runners_up"].append(
                {**shared, "rank": rank, "formula": name, "words": name, "category": category, **heldout}
            )
            extra = {"precision": 0.2, "recall": 0.6 / rank, "lift": 14.2 / rank}
            self.tables["overlaps"].append(
                {**shared, "rank": rank, "concept": name, "category": category, **counts, "iou": iou, **extra}
            )
            self.tables["categories"].append({**shared, "category": category, "concept": name, **counts, **heldout})

    def _add_pictures(self, shared: dict[str, Any]) -> None:
        tile = 0
        for kind, most in PICTURES:
            for rank in range(most):
                key = f"heldout/{HOSTILE[0][0]}-{rank}.png" if self.fake.hostile else f"heldout/{(tile * 37) % 900:05d}"
                right = bool(self.rng.random() < 0.7)
                self.tables["exemplars"].append(
                    {
                        **shared,
                        "kind": kind,
                        "rank": rank,
                        "image": key,
                        "split": "search",
                        "row": 3,
                        "col": 4,
                        "value": 6.1 - 0.2 * tile,
                        "iou": 0.41,
                        "label": "harbour",
                        "right": right,
                        "predicted": "harbour" if right else "street",
                        "sprite": f"images/units/{shared['unit'] % self.fake.sprites:05d}.jpg",
                        "tile": tile,
                    }
                )
                tile += 1

    def add_histogram(self, unit: int) -> None:
        if unit % 17 == 11:
            return
        edges = np.linspace(0, 6.2, 41)
        counts = (200_000 * np.exp(-1.7 * edges[:-1])).astype(int)
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            row = {"unit": unit, "low": float(low), "high": float(high), "count": int(count)}
            self.tables["histogram"].append(row)


def _key(unit: int, number: int) -> dict[str, int]:
    return {"unit": unit, "range": number}


_INTS = frozenset(
    (
        *("unit", "range", "length", "rank", "active", "concept_count", "unit_count", "both_count", "row", "col"),
        *("tile", "count", "draw", "elements_search", "elements_heldout", "images"),
    )
)
_BOOLS = frozenset(("named", "chosen", "right"))
_TEXTS = frozenset(
    (
        *("site", "method", "formula", "words", "category", "certificate", "chance_kind", "status", "reason", "kind"),
        *("top_classes", "concept", "image", "split", "label", "predicted", "sprite"),
    )
)


def _schema(table: str) -> pa.Schema:
    """Column types of a table. What is neither a count, a text nor a yes/no is a number."""
    from microtome.report.view import COLUMNS

    extra = {"explanations": ("site", "area"), "runners_up": (), "overlaps": (), "categories": ()}
    fields = []
    for name in (*COLUMNS[table], *extra.get(table, ())):
        kind: pa.DataType = pa.float64()
        if name in _INTS:
            kind = pa.int64()
        elif name in _BOOLS or (table == "concepts" and name == "predicted"):
            kind = pa.bool_()
        elif name in _TEXTS:
            kind = pa.string()
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def _scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A small picture of a disc on a ground under a sky, and the disc's mask."""
    tones = rng.integers(60, 230, size=(3, 3))
    image = Image.new("RGB", (96, 96), tuple(int(v) for v in tones[0]))
    draw = ImageDraw.Draw(image)
    horizon = int(rng.integers(35, 70))
    draw.rectangle((0, horizon, 96, 96), fill=tuple(int(v) for v in tones[1]))
    x, y, r = (int(v) for v in rng.integers((20, 25, 10), (76, 80, 26)))
    draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(int(v) for v in tones[2]))
    rows, columns = np.indices((96, 96))
    return np.asarray(image), (rows - y) ** 2 + (columns - x) ** 2 < r**2


def _tiles(rng: np.random.Generator, many: int, size: int) -> list[np.ndarray]:
    tiles = []
    for _ in range(many):
        pixels, disc = _scene(rng)
        tiles.append(draw_tile(pixels, np.roll(disc, 7, axis=1), disc, size=size))
    return tiles


def _write_images(run: Path, fake: FakeRun, rng: np.random.Generator) -> None:
    many = sum(count for _, count in PICTURES)
    for unit in range(min(fake.sprites, fake.units)):
        path = run / "images" / "units" / f"{unit:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sprite(_tiles(rng, many, 112), columns=12)).save(path, quality=88)
    thumbs = sprite(_tiles(rng, 64, 56), columns=8)
    for sheet in range(-(-fake.units // 64)):
        path = run / "images" / "thumbs" / f"{sheet:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(thumbs).save(path, quality=88)


def _manifest(fake: FakeRun, maker: _Maker) -> dict[str, Any]:
    rows = maker.tables["units"]
    named = sum(row["named"] for row in rows)
    silent = sum(row["status"] == "silent" for row in rows)
    name = HOSTILE[0][0] if fake.hostile else "world"
    data = {"name": name, "reader": "world", "source": "world", "fingerprint": "0", "images": 2_000}
    return {
        "format": 1,
        "kind": "dissect",
        "command": ["microtome", "dissect", "world:scenes", "--layer", "layer4", "--data", name, "--out", "runs/demo"],
        "created": "2026-01-01T12:00:00",
        "versions": {"microtome": "0.1"},
        "seed": 0,
        "model": {
            "spec": "world:scenes",
            "layer": "layer4",
            "units": fake.units,
            "spatial": True,
            "sha256": "0",
            "parameters": 700_000,
            "note": "A small ResNet that comes with microtome.",
        },
        "data": {**data, "notes": [f"{name} labels no textures."], "predicted": list(fake.predicted)},
        "heldout": None,
        "elements": {
            "kind": "image" if fake.image_level else "pixel",
            "grid": [96, 96],
            "search": 9_216_000,
            "heldout": 9_216_000,
            "signatures": 8_000,
        },
        "settings": {
            "method": "exact" if fake.metric == "iou" else "compositional",
            "metric": fake.metric,
            "penalty": 1.0,
            "units": None,
            "max_length": 3,
            "beam": 10,
            "quantile": 0.005,
            "ranges": fake.ranges,
            "permutations": 200,
            "fdr": 0.05,
        },
        "summary": {
            "units": fake.units,
            "named": named,
            "not_named": len(rows) - named - silent,
            "silent": silent,
            "distinct_concepts": 15,
            "mean_iou": 0.184,
            "mean_chance": 0.017,
            "accuracy": 0.913,
            "by_length": [{"length": 1, "iou": 0.14}, {"length": 2, "iou": 0.171}, {"length": 3, "iou": 0.193}],
            "beam": {"searched": fake.units, "beam_not_optimal_own": 2, "beam_not_optimal_full": 5},
        },
        "notes": ["The data were halved: names were searched on one half and scored on the other."],
    }
