"""Heat of texts, classes, vectors and heads: what it adds up to, what is subtracted, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from microtome.core.errors import DataError, MicrotomeError, ModelError, OptionError
from microtome.data.pictures import Pictures
from microtome.methods.decompose.terms import expand_heads, head_sum, places_of, take_apart
from microtome.methods.decompose.token_heat import head_norms, token_heat
from microtome.models.load import load
from microtome.models.model import Model, wrap
from microtome.models.texts import text_directions
from microtome.models.towers.find import tower_of
from microtome.models.towers.streams import run_tower
from microtome.recipes.direct_pass import PassSettings
from microtome.recipes.heat_settings import HeatSettings
from microtome.recipes.heat_targets import MOST_TARGETS, Asked, targets_of
from microtome.recipes.heat_views import upsampled, view_of
from microtome.recipes.heatmap_run import heatmap_images
from tests.support.commands import microtome
from tests.support.pictures import photo, write_broken_picture, write_picture
from tests.support.towers import SMALL, images, shaken

TEXTS = ("a gull", "a house", "a tree")


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("world:clip", device="cpu")


def small(name: str, *, classes: tuple[str, ...] = ()) -> Model:
    made, size = SMALL[name]
    return wrap(shaken(made()), size=size, mean=(0.5, 0.5, 0.5), std=(0.3, 0.3, 0.3), classes=classes, device="cpu")


@pytest.mark.parametrize("name", ["CLIP", "SigLIP", "DINOv2 with registers", "timm norm, then mean"])
def test_heat_of_all_tokens_adds_up_to_the_heads_part_of_the_output(name: str) -> None:
    made, size = SMALL[name]
    model = wrap(shaken(made()).double(), size=size, device="cpu")
    tower, x = tower_of(model), images(size)
    with torch.no_grad():
        terms = take_apart(tower, run_tower(tower, x, places_of(tower)))
    directions = torch.randn(3, tower.d_out, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    heat = token_heat(tower, x, directions)
    torch.testing.assert_close(heat.tokens.sum(2), head_sum(tower, terms.heads) @ directions.T)
    torch.testing.assert_close(heat.output, terms.output @ directions.T)
    one = token_heat(tower, x, directions, layers=[1], head=2).tokens.sum(2)
    torch.testing.assert_close(one, expand_heads(tower, terms.heads)[:, 1, 2] @ directions.T)
    # What a head writes from each token has as many numbers as the output: one direction a number gives the length.
    each = token_heat(tower, x, torch.eye(tower.d_out, dtype=torch.float64), layers=[1], head=2).tokens
    torch.testing.assert_close(head_norms(tower, x, layer=1, head=2), each.norm(dim=1))


def test_tables_arrays_and_pictures(clip: Model, tmp_path: Path) -> None:
    asked = Asked(texts=TEXTS[:2], heads=())
    found = heatmap_images(
        clip, "arranged@3", asked=asked, out=tmp_path / "run", settings=HeatSettings(minus=("none",))
    )
    rows, arrays = found.rows("heatmaps"), load_file(tmp_path / "run" / "heat.safetensors")
    assert [row["text"] for row in rows] == [*TEXTS[:2]] * 3
    assert set(arrays) == {*TEXTS[:2]}
    for number, row in enumerate(rows):
        heat = arrays[row["text"]][number // 2]
        assert heat.shape == (8, 8)
        assert row["patches"] == pytest.approx(float(heat.sum()), abs=1e-4)
        assert row["total"] == pytest.approx(row["patches"] + row["class_token"], abs=1e-4)
        assert row["minus"] is None
        assert (found.path / row["sprite"]).is_file()
    assert {row["tile"] for row in rows} == {0, 3, 6}
    assert sorted(row["heat_tile"] for row in rows) == [1, 2, 4, 5, 7, 8]
    assert any("add up" in sentence for sentence in found.manifest["summary"]["sentences"])


def test_two_texts_against_one_another_mirror_each_other(clip: Model, tmp_path: Path) -> None:
    found = heatmap_images(clip, "arranged@2", asked=Asked(texts=TEXTS[:2]), out=tmp_path / "run")
    arrays = load_file(tmp_path / "run" / "heat.safetensors")
    np.testing.assert_allclose(arrays["a gull"], -arrays["a house"], atol=1e-5)
    assert np.abs(arrays["a gull"]).max() > 1e-3
    assert {row["minus"] for row in found.rows("heatmaps")} == {"the others"}


def test_what_is_subtracted(clip: Model) -> None:
    tower = tower_of(clip)
    plain = text_directions(clip.texts, list(TEXTS), spec="clip")

    def made(*minus: str, texts: tuple[str, ...] = TEXTS) -> torch.Tensor:
        targets = targets_of(clip, tower, Asked(texts=texts), minus=minus, neutral="", template="")
        return torch.stack([target.direction for target in targets if target.direction is not None])

    torch.testing.assert_close(made("none"), plain)
    torch.testing.assert_close(made("a red car"), plain - text_directions(clip.texts, ["a red car"], spec="clip"))
    torch.testing.assert_close(made()[0], plain[0] - plain[1:].mean(0))
    torch.testing.assert_close(made("others"), made())
    alone = made(texts=TEXTS[:1])
    torch.testing.assert_close(alone, made("neutral", texts=TEXTS[:1]))
    assert float((alone - plain[:1]).norm()) > 0.1
    with pytest.raises(OptionError, match="no other texts"):
        made("others", texts=TEXTS[:1])


def test_classes_of_a_classifier_without_texts(tmp_path: Path) -> None:
    model = small("ViT", classes=("tench, Tinca", "hen", "wall", "sea", "sky"))
    tower = tower_of(model)

    def direction(name: str, *minus: str) -> list[float]:
        (target,) = targets_of(model, tower, Asked(classes=(name,)), minus=minus, neutral="", template="")
        assert target.direction is not None
        return target.direction.tolist()

    assert direction("Tinca", "none") == [1, 0, 0, 0, 0]
    assert direction("HEN", "sea") == [0, 1, 0, -1, 0]
    assert direction("hen", "neutral") == pytest.approx([-0.2, 0.8, -0.2, -0.2, -0.2])
    with pytest.raises(ModelError, match=r"no class 'hens'[\s\S]*'hen'"):
        direction("hens", "none")
    with pytest.raises(ModelError, match="no text side"):
        targets_of(model, tower, Asked(texts=("a hen",)), minus=("none",), neutral="", template="")
    found = heatmap_images(
        model, "arranged@2", asked=Asked(classes=("hen", "sea")), out=tmp_path / "run",
        settings=HeatSettings(method="gradient_rollout"),
    )  # fmt: skip
    (first, *_) = found.rows("heatmaps")
    assert first["method"] == "gradient-rollout"
    assert first["total"] is None
    assert first["patches"] > 0


def test_vectors_and_heads(clip: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "way.npy", np.eye(128)[:2])
    targets = targets_of(
        clip, tower_of(clip), Asked(vectors=tmp_path / "way.npy", heads=((5, 3), (0, 0))), minus=(), neutral="",
        template="",
    )  # fmt: skip
    assert [target.name for target in targets] == [
        "head 5.3: way 0", "head 0.0: way 0", "head 5.3: way 1", "head 0.0: way 1",
    ]  # fmt: skip
    found = heatmap_images(clip, "arranged@2", asked=Asked(heads=((5, 3),)), out=tmp_path / "run")
    rows = found.rows("heatmaps")
    assert [row["text"] for row in rows] == ["head 5.3"] * 2
    assert all(row["total"] is None and row["output"] is None and row["patches"] > 0 for row in rows)
    assert float(load_file(tmp_path / "run" / "heat.safetensors")["head 5.3"].min()) >= 0


@pytest.mark.parametrize(
    ("asked", "settings", "match"),
    [
        (Asked(), HeatSettings(), "Nothing says what"),
        (Asked(texts=("a gull", "a gull")), HeatSettings(), "asked for twice"),
        (Asked(texts=tuple(f"a {'red ' * n}gull" for n in range(MOST_TARGETS + 1))), HeatSettings(), "at most 24"),
        (Asked(heads=((6, 0),)), HeatSettings(), r"no head 6\.0"),
        (Asked(texts=("a gull",)), HeatSettings(layers=(6,)), "no layer 6"),
        (Asked(texts=("a gull",)), HeatSettings(method="rollout", layers=(5,)), "cannot be held to some layers"),
        (Asked(texts=("a gull",), heads=((5, 0),)), HeatSettings(method="lrp"), "nothing of single heads"),
        (Asked(texts=("a gull",)), HeatSettings(method="cam"), r"no heatmap method 'cam'[\s\S]*gradcam"),
        (Asked(texts=("a gull",)), HeatSettings(minus=("none", "a tree")), "cannot be subtracted together"),
        (Asked(classes=("gull",)), HeatSettings(template="a bird"), "no place for the class"),
        (Asked(texts=("a gull " * 60,)), HeatSettings(), "too many for"),
        (Asked(vectors=Path("missing.npy")), HeatSettings(), r"as a \.npy file"),
    ],
)  # fmt: skip
def test_bad_requests_leave_nothing(
    clip: Model, tmp_path: Path, asked: Asked, settings: HeatSettings, match: str
) -> None:
    with pytest.raises(MicrotomeError, match=match):
        heatmap_images(clip, "arranged@2", asked=asked, out=tmp_path / "run", settings=settings)
    assert not list(tmp_path.iterdir())


def test_vectors_that_do_not_fit(clip: Model, tmp_path: Path) -> None:
    for value in (np.zeros(7), np.full(128, np.nan), np.array(["a"]), np.zeros((0, 128))):
        np.save(tmp_path / "way.npy", value)
        with pytest.raises(DataError, match=r"way\.npy"):
            targets_of(
                clip, tower_of(clip), Asked(vectors=tmp_path / "way.npy"), minus=(), neutral="", template=""
            )  # fmt: skip


def test_a_broken_picture_is_skipped_and_counted_or_ends_a_strict_run(clip: Model, tmp_path: Path) -> None:
    for number in range(2):
        write_picture(tmp_path / "in" / f"{number}.png", photo(40, 60, seed=number))
    write_broken_picture(tmp_path / "in" / "broken.png")
    asked = Asked(texts=TEXTS[:1])
    found = heatmap_images(clip, Pictures([tmp_path / "in"]), asked=asked, out=tmp_path / "run")
    assert found.manifest["data"]["skipped"] == 1
    assert any("broken.png" in note for note in found.manifest["notes"])
    assert [row["image"] for row in found.rows("heatmaps")] == ["0.png", "1.png"]
    with pytest.raises(DataError, match=r"broken\.png"):
        heatmap_images(
            clip, Pictures([tmp_path / "in"]), asked=asked, out=tmp_path / "other",
            settings=HeatSettings(images=PassSettings(strict=True)),
        )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "run"]


def test_pictures_are_files_and_folders_each_once(tmp_path: Path) -> None:
    one = write_picture(tmp_path / "a" / "1.png", photo())
    two = write_picture(tmp_path / "2.png", photo())
    found = Pictures([two, tmp_path / "a", one])
    assert [found.key(n) for n in range(len(found))] == ["2.png", "1.png"]
    other = write_picture(tmp_path / "b" / "1.png", photo())
    assert [Pictures([one, other]).key(n) for n in range(2)] == [one.as_posix(), other.as_posix()]
    with pytest.raises(DataError, match="does not exist"):
        Pictures([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image"):
        Pictures([tmp_path / "empty"])


def test_the_view_is_what_enters_the_model() -> None:
    model = wrap(torch.nn.Identity(), size=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), device="cpu")
    pixels = photo(32, 32)
    np.testing.assert_array_equal(view_of(model, pixels, crop=True), pixels)


def test_upsampled_keeps_means_and_places() -> None:
    heat = torch.zeros(1, 4, 4)
    heat[0, 1, 2] = 1.0
    grown = upsampled(heat, 64)[0]
    assert grown.mean() == pytest.approx(1 / 16)
    rows, columns = np.unravel_index(grown.argmax(), grown.shape)
    assert (int(rows) // 16, int(columns) // 16) == (1, 2)


def test_from_the_command_line(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "x.png", photo(80, 64))
    out = tmp_path / "run"
    words = ["decompose", "heatmap", "world:clip", "--image", picture, "--texts", "a gull, a car", "--text", "a tree"]
    done = microtome(*words, "--out", out, "--json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    assert [row["text"] for row in content["heatmaps"]] == ["a gull", "a car", "a tree"]
    assert "a gull" in microtome(*words, "--out", out, "--overwrite").out
    again = microtome(*words, "--out", out)
    assert again.code == 2
    both = microtome(*words, "--data", "arranged@2", "--out", tmp_path / "other")
    assert (both.code, "--image and by --data" in both.err) == (2, True)
    (tmp_path / "none.txt").write_text("\n")
    empty = microtome(*words[:5], "--texts", tmp_path / "none.txt", "--out", tmp_path / "other")
    assert (empty.code, "none.txt" in empty.err) == (2, True)
