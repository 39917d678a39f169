"""Builds the folder of a run of `microtome decompose` with made-up but plausible numbers and pictures."""

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

TEXTS = (
    *(("a red thing", "color"), ("a blue thing", "color"), ("a green thing", "color"), ("a yellow thing", "color")),
    *(("on grass", "surface"), ("on sand", "surface"), ("on water", "surface"), ("two birds", "count")),
    *(("three cars", "count"), ("a picture of a boat", "object"), ("a cactus", "object"), ("on soil", "surface")),
)  # fmt: skip
NASTY = "</script><img src=x onerror=alert(1)> \"quoted\" & 'single' {{ 7 * 7 }}"
SIDE = 112
COLUMNS = 12
ENDS = ("high", "low")
LEAD = 3


@dataclass(frozen=True)
class FakeDecompose:
    """What the made-up run is like.

    Attributes
    ----------
    kind:
        `heads`, `neurons`, `ablate`, or any other.
    layers, heads:
        Size of the grid. Head 0 of layer 0 is no better than chance; the last head of the last layer is labelled.
    texts:
        For each head or neuron.
    properties:
        Whether texts have properties, so that heads have labels.
    judged:
        Whether the data have classes, so that accuracies are known.
    hostile:
        Texts, properties, images and classes try to break out of the page.
    neurons:
        Number listed.
    pictures:
        At either end; 0: none.
    """

    kind: str = "heads"
    layers: int = 4
    heads: int = 6
    texts: int = 8
    properties: bool = True
    judged: bool = True
    hostile: bool = False
    neurons: int = 30
    pictures: int = 3
    seed: int = 0


def write_fake_decompose(run: Path, fake: FakeDecompose) -> Path:
    """Write the tables, pictures and manifest of a made-up run, and return its folder."""
    run.mkdir(parents=True, exist_ok=True)
    maker = _Maker(fake)
    {"heads": maker.add_heads, "neurons": maker.add_neurons}.get(fake.kind, maker.add_others)()
    for name, rows in maker.tables.items():
        pq.write_table(make_table(name, rows), run / f"{name}.parquet")
    _write_pictures(run, maker)
    (run / "manifest.json").write_text(json.dumps(_manifest(fake, maker)), encoding="utf-8")
    return run


class _Maker:
    def __init__(self, fake: FakeDecompose) -> None:
        self.fake, self.rng = fake, np.random.default_rng(fake.seed)
        self.tables: dict[str, list[Row]] = {}
        self.sheets: dict[str, int] = {}
        self.texts = ((NASTY, "<b>bold</b>"), *TEXTS) if fake.hostile else TEXTS

    def put(self, table: str, **row: Any) -> None:
        self.tables.setdefault(table, []).append(row)

    def picked(self) -> list[tuple[str, str | None]]:
        """Some texts, the nasty one first where there is one."""
        order = [*range(int(self.fake.hostile)), *(self.rng.permutation(len(TEXTS)) + int(self.fake.hostile)).tolist()]
        texts = [self.texts[n] for n in order][: self.fake.texts]
        return [(text, name if self.fake.properties else None) for text, name in texts]

    def add_heads(self) -> None:
        fake = self.fake
        for layer in range(fake.layers):
            for head in range(fake.heads):
                self._add_head(layer, head)
        for name in ("heads", "head_texts", "head_images"):
            self.tables.setdefault(name, [])
        for layer in (None, *range(fake.layers)):
            for kind in ("embedding",) if layer is None else ("attention", "mlp"):
                self.put("terms", kind=kind, layer=layer, variance=1.0, share=1.0 / (2 * fake.layers + 1))
        self._add_properties()
        self._add_curves()

    def _add_properties(self) -> None:
        for name, ratio in (("color", 5.5), ("surface", 2.0)):
            shown = NASTY if self.fake.hostile else name
            self.put(
                "properties", property=shown, heads=["3.5", "2.1"], told=0.8, weight=1.0, named=True, text_share=0.7,
                text_expected=0.2, text_p=0.002, texts=["a red thing", shown], pairs=100, change_share=0.1 * ratio,
                change_low=0.4, change_high=0.6, median_share=0.1, ratio=ratio, ratio_low=ratio - 1,
                ratio_high=ratio + 1,
            )  # fmt: skip

    def _add_head(self, layer: int, head: int) -> None:
        fake, rng = self.fake, self.rng
        place = {"layer": layer, "head": head}
        first, last = (layer, head) == (0, 0), (layer, head) == (fake.layers - 1, fake.heads - 1)
        gains = np.sort(rng.uniform(0.02, 0.2, fake.texts))[::-1]
        explained = np.cumsum(gains) / (gains.sum() * 1.05)
        held, chance = explained * (0.3 if first else rng.uniform(0.7, 0.95)), explained * 0.55
        for rank, (text, name) in enumerate(self.picked()):
            scored = {"score": 0.4, "score_chance": 0.25, "score_p": 0.01} if rank < 2 else {}
            self.put(
                "head_texts", **place, rank=rank, text=text, property=name, gain=float(gains[rank]),
                explained=float(explained[rank]), explained_heldout=float(held[rank]), chance=float(chance[rank]),
                chance_high=float(chance[rank] * 1.2), **scored,
            )  # fmt: skip
        label = None if not fake.properties else ("<b>bold</b>" if fake.hostile else "color") if last else "mixed"
        judged = {"accuracy": 0.81, "accuracy_mean": 0.62} if fake.judged else {}
        self.put(
            "heads", **place, variance=1.0 + layer, share=0.3 if last else 0.7 / (fake.layers * fake.heads),
            texts=fake.texts, explained=float(explained[-1]), explained_heldout=float(held[-1]), lead=LEAD,
            lead_explained=float(explained[LEAD - 1]), chance=float(chance[LEAD - 1]),
            chance_high=float(chance[LEAD - 1] * 1.2), p=0.6 if first else 0.024, fdr=0.6 if first else 0.03,
            label=label, label_share=0.8 if last else 0.3, label_expected=0.2, label_p=0.001 if last else 0.4,
            label_fdr=0.01 if last else 0.5, labelled=last and fake.properties, score=0.1 if first else 0.45,
            score_chance=0.25, score_p=0.5 if first else 0.01, **judged,
        )  # fmt: skip
        for rank in range(2):
            self._add_images("head_images", f"images/heads/{layer:02d}-{head:02d}.jpg", {**place, "text_rank": rank})

    def _add_images(self, table: str, sheet: str, place: Row) -> None:
        for end in ENDS:
            for number in range(self.fake.pictures):
                tile = self.sheets.get(sheet, 0)
                self.sheets[sheet] = tile + 2
                image = f"<i>{number}</i>.png" if self.fake.hostile else f"heldout-{number:06d}"
                value = (2.0 - number) * (1 if end == "high" else -1)
                self.put(
                    table, **place, end=end, place=number, image=image, value=value,
                    label=NASTY if self.fake.hostile else "bird", sprite=sheet, tile=tile, heat_tile=tile + 1,
                )  # fmt: skip

    def _add_curves(self) -> None:
        if not self.fake.judged:
            return
        for curve in ("mlps", "attention"):
            for probe in ("zero-shot", "linear probe"):
                for kind in ("direct", "total"):
                    for step in range(self.fake.layers):
                        right = 0.86 - (0.08 if kind == "direct" else 0.15) * (step + 1)
                        self.put("curves", curve=curve, step=step, terms=f"{curve} of layers 0 to {step}", kind=kind,
                                 probe=probe, accuracy=right, low=right - 0.04, high=right + 0.03, base=0.86,
                                 images=400 if kind == "direct" else 128)  # fmt: skip
        for step, terms in enumerate(("heads 3.1, 3.5", "head 3.1", "head 3.5")):
            self.put("curves", curve="heads", step=step, terms=terms, kind="direct", probe="zero-shot", accuracy=0.5,
                     low=0.45, high=0.55, base=0.86, images=400)  # fmt: skip

    def add_neurons(self) -> None:
        fake, rng = self.fake, self.rng
        for name in ("neurons", "neuron_texts", "neuron_images"):
            self.tables.setdefault(name, [])
        for number in range(fake.neurons):
            place = {"layer": fake.layers - 1, "neuron": 7 * number + 1}
            self.put(
                "neurons", **place, variance=float(rng.uniform(0.1, 1)), first_share=0.8, heldout_share=0.7, cosine=0.6,
                score=0.1 if number == 0 else float(rng.uniform(0.3, 0.7)), score_chance=0.25, score_p=0.03,
            )  # fmt: skip
            for rank, (text, name) in enumerate(self.picked()):
                weight = (0.9 - 0.1 * rank) * (-1 if rank == 1 else 1)
                self.put(
                    "neuron_texts", **place, rank=rank, text=text, property=name, coefficient=weight, cosine=weight
                )
            self._add_images("neuron_images", f"images/neurons/{place['neuron']:05d}.jpg", place)
        for method in ("omp", "lasso"):
            for texts in (4, 8, 16, 32, 64, 128):
                cosine = 1 - 0.8 / texts**0.5
                self.put("codes", method=method, texts=texts, cosine=cosine, cosine_chance=cosine - 0.15)
        self._add_effects()

    def _add_effects(self) -> None:
        sets = (("the 5 of largest effect", 5, 0.6), ("5 at random", 5, 0.85)) if self.fake.judged else ()
        for what, neurons, right in sets:
            self.put("effects", what=what, neurons=neurons, kind="second-order", probe="zero-shot", accuracy=right,
                     low=right - 0.03, high=right + 0.03, base=0.86, images=400)  # fmt: skip
        for image in range(2):
            for rank, (text, _) in enumerate(self.picked()[:3]):
                self.put("image_concepts", image=f"heldout-{image:06d}", rank=rank, text=text, weight=3.0 - rank,
                         sprite="images/concepts.jpg", tile=image)  # fmt: skip
        self.sheets["images/concepts.jpg"] = 2

    def add_others(self) -> None:
        self._add_curves()
        self._add_effects()


def _write_pictures(run: Path, maker: _Maker) -> None:
    rng = np.random.default_rng(maker.fake.seed)
    photo = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
    plain, heat = draw_tile(photo, size=SIDE), draw_heat(photo, rng.normal(size=(4, 4)), size=SIDE)
    for name, tiles in maker.sheets.items():
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet = sprite([heat if n % 2 else plain for n in range(tiles)], columns=COLUMNS)
        Image.fromarray(sheet).save(path, format="JPEG", quality=50)


def _manifest(fake: FakeDecompose, maker: _Maker) -> Row:
    name = NASTY if fake.hostile else "arrangements, heldout"
    summary: Row = {"accuracy": 0.86 if fake.judged else None, "images": 400}
    if fake.kind == "neurons":
        summary |= {"neurons": 640, "mean_first_share": 0.82, "mean_cosine": 0.6}
    if fake.kind != "heads":
        summary["sentences"] = [
            f"Without {'<b>all</b> ' if fake.hostile else ''}MLPs accuracy falls from 86 % to 54 %."
        ]
    return {
        "format": 1,
        "kind": f"decompose {fake.kind}",
        "command": ["microtome", "decompose", fake.kind, "world:clip", "--data", name, "--out", "runs/demo"],
        "created": "2026-01-01T12:00:00",
        "versions": {"microtome": "0.1"},
        "seed": 0,
        "model": {
            "spec": "world:clip", "family": "CLIP", "layers": fake.layers, "heads": fake.heads, "d_head": 20,
            "d_model": 120, "d_out": 64, "grid": [8, 8], "sha256": "0", "parameters": 2_000_000, "note": "",
            "tail": None, "relative_error_allowed": 1e-5,
        },
        "data": {"name": name, "reader": "arranged", "source": "made up", "images": 400, "skipped": 0,
                 "classes": ["bird"] if fake.judged else []},
        "texts": {"name": "world", "texts": len(maker.texts), "properties": ["color", "surface"]},
        "answers": {"classes": ["bird", "car"], "how": "a photo of a {}."} if fake.judged else None,
        "settings": {"texts": fake.texts, "chance_draws": 40, "label_draws": 999, "fdr": 0.05,
                     "images": {"batch_size": 16, "strict": False, "seed": 0}},
        "summary": summary,
        "notes": [f"A note{NASTY if fake.hostile else ''}."],
    }  # fmt: skip
