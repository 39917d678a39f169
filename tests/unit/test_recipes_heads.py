"""Heads named from end to end on a tiny random model: every number of the tables against plain computations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from microtome.data.base import ImageData
from microtome.data.pools.base import TextPool, pool_of
from microtome.methods.decompose.terms import decompose, expand_heads
from microtome.models.texts import text_directions
from microtome.models.towers.find import tower_of
from microtome.recipes.answering import Answering
from microtome.recipes.decompose_heads import decompose_heads
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import Opened, PassSettings, direct_pass, heldout_half, matrices_of
from microtome.recipes.head_names import against_chance, labels_of, name_heads
from microtome.recipes.head_tables import accuracies
from microtome.record.one_pass import Progress, silent
from microtome.store.tables import DECOMPOSE
from tests.reference.decompose import explained_elsewhere, literal_text_span
from tests.support.decompose_worlds import Spoilt, arrangements, labelled, small_pool, tiny_clip

SETTINGS = HeadSettings(texts=3, chance_draws=19, pairs=0, shown_texts=2, shown_images=3)
HEADS = [(layer, head) for layer in range(2) for head in range(4)]
TABLES = ("head_images", "head_texts", "heads", "properties", "terms")


def run(
    out: Path,
    *,
    data: ImageData | None = None,
    pool: TextPool | None = None,
    progress: Progress = silent,
    **changes: Any,
) -> Decomposition:
    """Heads of the tiny model on labelled pictures, with settings changed by name."""
    return decompose_heads(
        tiny_clip(), data or labelled(), texts=pool or small_pool(), out=out, settings=replace(SETTINGS, **changes),
        progress=progress,
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Decomposition:
    return run(tmp_path_factory.mktemp("heads") / "run")


class Plain:
    """Terms and outputs of all images, float64, by hand."""

    def __init__(self) -> None:
        model, data = tiny_clip(), labelled()
        tower = tower_of(model)
        self.tower, self.labels = tower, np.arange(60) % 3
        x = model.preprocess([data.read(n).pixels for n in range(60)], crop=True)
        terms = decompose(tower, x)
        self.heads = expand_heads(tower, terms.heads).double().numpy()
        self.terms = terms
        self.outputs = terms.output.double().numpy()
        self.pool = small_pool()
        self.directions = text_directions(model.texts, self.pool.texts, spec="").double().numpy()
        classes = [f"a {name} scene" for name in data.classes]
        self.classes = text_directions(model.texts, classes, spec="").double().numpy()
        self.held = heldout_half(60, 0)

    def matrix(self, layer: int, head: int) -> np.ndarray:
        return matrices_of(self.tower, layer)[head]

    def accuracy(self, outputs: np.ndarray) -> float:
        return float(((outputs @ self.classes.T).argmax(1) == self.labels[self.held]).mean())


@pytest.fixture(scope="module")
def plain() -> Plain:
    return Plain()


def heads_of(found: Decomposition) -> dict[tuple[int, int], dict]:
    return {(row["layer"], row["head"]): row for row in found.rows("heads")}


def texts_of(found: Decomposition, layer: int, head: int) -> list[dict]:
    return [row for row in found.rows("head_texts") if (row["layer"], row["head"]) == (layer, head)]


def test_tables_are_complete(found: Decomposition) -> None:
    assert found.tables == TABLES
    for name in TABLES:
        table = found.table(name)
        assert table.column_names == [column.split(":")[0] for column in DECOMPOSE[name].split()]
        assert len(table) > 0 or name == "properties"
    free = {
        "heads": {"heat_share"},
        "head_texts": {"score", "score_chance", "score_p"},
        "head_images": set(),
        "terms": {"layer"},
    }
    for name, empty in free.items():
        for column in set(found.table(name).column_names) - empty:
            assert found.table(name).column(column).null_count == 0, (name, column)
    assert sorted(heads_of(found)) == HEADS
    assert found.report.name == "index.html"
    assert not (found.path / "cache").exists()
    assert not (found.path / "plan.json").exists()


@pytest.mark.parametrize("place", HEADS)
def test_texts_are_those_of_the_literal_algorithm_on_stored_terms(
    found: Decomposition, plain: Plain, place: tuple[int, int]
) -> None:
    layer, head = place
    row, texts = heads_of(found)[place], texts_of(found, *place)
    searched, held = plain.heads[~plain.held, layer, head], plain.heads[plain.held, layer, head]
    literal = literal_text_span(searched, plain.matrix(*place), plain.directions, 3)
    assert [text["text"] for text in texts] == [plain.pool.texts[n] for n in literal.texts]
    assert [text["property"] for text in texts] == [plain.pool.properties[n] for n in literal.texts]
    assert [text["rank"] for text in texts] == list(range(len(literal.texts)))
    assert [text["explained"] for text in texts] == pytest.approx(literal.explained, abs=1e-5)
    there = explained_elsewhere(held, plain.matrix(*place), plain.directions, literal.texts)
    assert [text["explained_heldout"] for text in texts] == pytest.approx(there, abs=1e-5)
    variance = ((searched - searched.mean(0)) ** 2).sum(1).mean()
    assert row["variance"] == pytest.approx(variance, rel=1e-5)
    assert row["explained"] == texts[-1]["explained"]
    assert row["explained_heldout"] == texts[-1]["explained_heldout"]
    assert row["texts"] == len(texts)
    assert row["lead"] == min(5, len(texts))
    assert row["lead_explained"] == texts[row["lead"] - 1]["explained"]
    assert sum(text["gain"] for text in texts) == pytest.approx(row["variance"] * row["explained"], rel=1e-9)


@pytest.mark.parametrize("place", HEADS)
def test_scores_are_correlations_on_held_out_images(found: Decomposition, plain: Plain, place: tuple[int, int]) -> None:
    texts = texts_of(found, *place)
    own = plain.heads[:, place[0], place[1]]
    rest = (plain.outputs - own)[plain.held]
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    projector = plain.matrix(*place) @ np.linalg.pinv(plain.matrix(*place))
    taken: list[np.ndarray] = []
    for rank, row in enumerate(texts[:2]):
        direction = plain.directions[plain.pool.texts.index(row["text"])]
        left = projector @ direction
        for earlier in taken:
            left = left - (left @ earlier) * earlier
        taken.append(left / np.linalg.norm(left))
        along = own[plain.held] @ taken[-1]
        assert row["score"] == pytest.approx(np.corrcoef(along, rest @ direction)[0, 1], abs=1e-4), rank
        others = [np.corrcoef(along, rest @ other)[0, 1] for other in plain.directions if other is not direction]
        assert -1 <= row["score_chance"] <= 1
        assert row["score_p"] == pytest.approx((1 + sum(o >= row["score"] for o in others[:])) / 60, abs=0.04)
    assert all(row["score"] is None for row in texts[2:])
    assert heads_of(found)[place]["score"] == texts[0]["score"]


@pytest.mark.parametrize("place", HEADS)
def test_accuracy_with_a_head_rebuilt_and_with_its_mean(
    found: Decomposition, plain: Plain, place: tuple[int, int]
) -> None:
    layer, head = place
    own, mean = plain.heads[plain.held, layer, head], plain.heads[~plain.held, layer, head].mean(0)
    rest = plain.outputs[plain.held] - own
    row = heads_of(found)[place]
    assert row["accuracy_mean"] == pytest.approx(plain.accuracy(rest + mean))
    texts = [plain.pool.texts.index(text["text"]) for text in texts_of(found, *place)]
    projector = plain.matrix(*place) @ np.linalg.pinv(plain.matrix(*place))
    basis, _ = np.linalg.qr(projector @ plain.directions[texts].T)
    rebuilt = rest + mean + (own - mean) @ basis @ basis.T
    assert row["accuracy"] == pytest.approx(plain.accuracy(rebuilt))
    assert found.manifest["summary"]["accuracy"] == pytest.approx(
        ((plain.outputs @ plain.classes.T).argmax(1) == plain.labels).mean()
    )


def test_accuracy_is_that_of_the_rebuilt_head(plain: Plain, tmp_path: Path) -> None:
    """Answers along what the texts of a head leave out, so that any other reconstruction gives other answers."""
    opened = Opened(tiny_clip(), plain.tower, labelled())
    stream = direct_pass(opened, tmp_path, PassSettings())
    stream.run()
    name = name_heads(stream, plain.held, plain.tower, plain.pool, plain.directions, SETTINGS, silent)[6]
    own, mean = plain.heads[:, 1, 2], plain.heads[~plain.held, 1, 2].mean(0)
    basis = name.space.outward @ name.span.basis.T
    lost = (own - mean) - (own - mean) @ basis @ basis.T
    v = np.linalg.svd(lost)[2][0]
    v /= (lost @ v).std()
    outputs = (own - mean) @ basis @ basis.T + lost  # Nothing but the head, centred.
    rebuilt = (outputs - lost) @ v + 0.3
    labels = (rebuilt < 0).astype(np.int64)
    # A constant that decides where nothing is left: the first class.
    outputs = outputs + 0.3 * v / (v @ v)
    answers = Answering(("one", "other"), np.stack([v, -v]), cosine=False, how="")
    found = accuracies(stream, [name], answers, outputs, labels, plain.held)[1, 2]
    assert found == (1.0, 1.0)
    assert answers.accuracy(outputs[plain.held], labels[plain.held]) < 0.8


def test_shares_and_order(found: Decomposition) -> None:
    rows = found.rows("heads")
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)
    assert [row["explained_heldout"] for row in rows] == sorted(row["explained_heldout"] for row in rows)
    assert len({row["explained_heldout"] for row in rows}) > 1
    for row in rows:
        assert 1 / (1 + 8 * 19) <= row["p"] <= row["fdr"] + 1e-12
        assert row["fdr"] <= 1.0
        assert 0 <= row["chance"] <= row["chance_high"] <= 1
        assert 1 / (1 + 8 * 19) <= row["label_p"] <= 1
        assert row["label"] in (*small_pool().property_names, "mixed")
        assert (row["label"] != "mixed") == row["labelled"] == (row["label_fdr"] <= 0.05)


def test_variance_of_every_part(found: Decomposition, plain: Plain) -> None:
    def spread(x: np.ndarray) -> float:
        return float(((x - x.mean(0)) ** 2).sum(1).mean())

    expected: dict[tuple[str, int | None], float] = {
        ("embedding", None): spread(plain.terms.embedding.double().numpy())
    }
    for layer in range(2):
        expected["attention", layer] = spread(plain.heads[:, layer].sum(1))
        expected["mlp", layer] = spread(plain.terms.mlps[:, layer].double().numpy())
    rows = found.rows("terms")
    assert {(row["kind"], row["layer"]): row["variance"] for row in rows} == pytest.approx(expected, rel=1e-4)
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)


def test_pictures_are_those_at_either_end(found: Decomposition, plain: Plain) -> None:
    rows = found.rows("head_images")
    assert len(rows) == 8 * 2 * 2 * 3
    for layer, head in HEADS:
        own = plain.heads[:, layer, head] - plain.heads[~plain.held, layer, head].mean(0)
        first = texts_of(found, layer, head)[0]["text"]
        u = plain.matrix(layer, head) @ np.linalg.pinv(plain.matrix(layer, head))
        u = u @ plain.directions[plain.pool.texts.index(first)]
        along = own @ (u / np.linalg.norm(u))
        for end, order in (("high", np.argsort(-along)), ("low", np.argsort(along))):
            shown = [
                row for row in rows
                if (row["layer"], row["head"], row["text_rank"], row["end"]) == (layer, head, 0, end)
            ]  # fmt: skip
            assert [row["place"] for row in shown] == [0, 1, 2]
            assert [row["image"] for row in shown] == [f"{n:03d}" for n in order[:3]]
            assert [row["value"] for row in shown] == pytest.approx(along[order[:3]].tolist(), abs=1e-4)
            assert [row["label"] for row in shown] == [("tree", "car", "house")[n % 3] for n in order[:3]]
    for row in rows:
        assert (found.path / row["sprite"]).stat().st_size > 500
        assert row["tile"] != row["heat_tile"]


def test_the_manifest_says_what_was_done(found: Decomposition) -> None:
    manifest = found.manifest
    assert manifest["kind"] == "decompose heads"
    assert manifest["model"]["heads"] == 4
    assert manifest["model"]["layers"] == 2
    assert manifest["data"]["images"] == 60
    assert manifest["data"]["skipped"] == 0
    assert manifest["texts"]["texts"] == len(small_pool())
    assert manifest["summary"]["heads"] == 8
    assert manifest["summary"]["searched"] == 30
    assert manifest["settings"]["images"]["seed"] == 0
    json.dumps(manifest)
    assert repr(found).endswith("'decompose heads')")
    assert found.query("SELECT count(*) AS n FROM heads").to_pylist() == [{"n": 8}]


def parquets(found: Decomposition) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in found.path.glob("*.parquet")}


def test_one_seed_gives_one_run_and_another_seed_another(found: Decomposition, tmp_path: Path) -> None:
    again = run(tmp_path / "again")
    assert parquets(again) == parquets(found)
    pictures = sorted(path.relative_to(found.path) for path in found.path.rglob("*.jpg"))
    assert len(pictures) == 8
    assert all((again.path / name).read_bytes() == (found.path / name).read_bytes() for name in pictures)
    other = run(tmp_path / "other", images=PassSettings(seed=1))
    assert parquets(other)["heads.parquet"] != parquets(found)["heads.parquet"]
    assert parquets(other)["terms.parquet"] == parquets(found)["terms.parquet"], "no half, no draw"


def test_batches_of_another_size_name_the_same(found: Decomposition, tmp_path: Path) -> None:
    other = run(tmp_path / "run", images=PassSettings(batch_size=5))
    columns = ("layer", "head", "rank", "text")
    assert [[row[c] for c in columns] for row in other.rows("head_texts")] == [
        [row[c] for c in columns] for row in found.rows("head_texts")
    ]


@pytest.mark.parametrize("stage", ["reading", "naming heads", "predicting heads from their texts", "drawing heads"])
def test_a_run_that_was_killed_goes_on_and_ends_as_one_that_was_not(
    found: Decomposition, tmp_path: Path, stage: str
) -> None:
    def killed(now: str, done: int, total: int) -> None:
        if now == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", progress=killed)
    assert not (tmp_path / "run").exists()
    said: list[str] = []
    again = run(tmp_path / "run", progress=lambda now, done, total: said.append(now))
    assert parquets(again) == parquets(found)
    assert "reading" not in said, "the pass is not made again"
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_images_that_cannot_be_read_are_counted_and_named(tmp_path: Path) -> None:
    found = run(tmp_path / "run", data=Spoilt(labelled(), lambda n: n % 10 == 3))
    assert found.manifest["data"]["skipped"] == 6
    assert found.manifest["summary"]["images"] == 54
    assert any("6 images could not be read" in note and "003" in note for note in found.manifest["notes"])
    shown = {row["image"] for row in found.rows("head_images")}
    assert not any(int(name) % 10 == 3 for name in shown)


def test_data_without_classes_has_no_accuracy(tmp_path: Path) -> None:
    found = run(tmp_path / "run", data=arrangements())
    assert found.manifest["answers"] is None
    assert found.manifest["summary"]["accuracy"] is None
    assert all(row["accuracy"] is None and row["accuracy_mean"] is None for row in found.rows("heads"))


def test_a_pool_without_properties_gives_texts_and_no_label(tmp_path: Path) -> None:
    bare = pool_of("bare", [(text, "") for text in small_pool().texts])
    found = run(tmp_path / "run", pool=bare)
    assert all(row["label"] is None and not row["labelled"] for row in found.rows("heads"))
    assert all(row["property"] is None for row in found.rows("head_texts"))
    assert found.manifest["summary"]["labelled"] == 0


@pytest.mark.parametrize("count", [1, 2])
def test_pools_of_next_to_nothing(tmp_path: Path, count: int) -> None:
    found = run(tmp_path / "run", pool=small_pool().restricted(range(count)))
    assert [row["texts"] for row in found.rows("heads")] == [count] * 8
    assert all(0 < row["explained"] <= 1 for row in found.rows("heads"))


@pytest.mark.parametrize(("layers", "expected"), [((1,), [1]), ((1, 0), [0, 1]), ((0, 0), [0])])
def test_layers_that_are_asked_for(
    found: Decomposition, tmp_path: Path, layers: tuple[int, ...], expected: list[int]
) -> None:
    some = heads_of(run(tmp_path / "run", layers=layers))
    rows = Decomposition(tmp_path / "run").rows("heads")
    assert sorted((row["layer"], row["head"]) for row in rows) == [(n, head) for n in expected for head in range(4)]
    for place, row in some.items():
        for column in ("variance", "explained", "chance", "label_share", "score"):
            assert row[column] == heads_of(found)[place][column], "a head does not depend on which others are asked for"


def test_no_text_and_few_pictures_in_the_report(tmp_path: Path) -> None:
    found = run(tmp_path / "run", shown_texts=0)
    assert found.rows("head_images") == []
    assert all(row["score"] is None for row in found.rows("head_texts"))


def test_a_head_that_never_changes_has_no_text(tmp_path: Path) -> None:
    model = tiny_clip()
    attention = model.module.get_submodule("vision.blocks.1.attention")
    with torch.no_grad():
        attention.value.weight[:6] = 0.0  # type: ignore[union-attr,index]
        attention.value.bias[:6] = 0.0  # type: ignore[union-attr,index]
    found = decompose_heads(model, labelled(), texts=small_pool(), out=tmp_path / "run", settings=SETTINGS)
    row = heads_of(found)[1, 0]
    assert row["variance"] == pytest.approx(0.0, abs=1e-9)
    assert row["p"] > 0.05
    assert not row["labelled"]
    assert heads_of(found)[1, 1]["variance"] > 1e-4


def test_heads_that_say_nothing_get_no_label(tmp_path: Path) -> None:
    """Directions that have nothing to do with the model, one property of which is more varied: p stays right."""
    opened = Opened(tiny_clip(), tower_of(tiny_clip()), labelled())
    stream = direct_pass(opened, tmp_path, PassSettings())
    stream.run()
    pool = pool_of("random", [(f"text {n}", f"property {n % 6}") for n in range(180)])
    settings = replace(SETTINGS, texts=10)
    p, span_p = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        wide = np.where(np.arange(180) % 6 == 0, 2.0, 0.7)[:, None]
        directions = 1.5 * rng.standard_normal(16) + wide * rng.standard_normal((180, 16))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        named = name_heads(stream, heldout_half(60, 0), opened.tower, pool, directions, settings, silent)
        p += [label.p for label in labels_of(named, pool) if label is not None]
        span_p += against_chance(named).tolist()
    assert len(p) == 48
    assert (np.array(span_p) <= 0.05).mean() < 0.15
    assert (np.array(p) <= 0.05).mean() < 0.15
