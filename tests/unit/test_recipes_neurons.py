"""Neurons named from end to end on a tiny random model, against plain computations; resumed and refused runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from microtome.core.errors import MicrotomeError, OptionError, RunError
from microtome.data.masks import SceneMasks
from microtome.methods.decompose.second_order import directions_of, effects
from microtome.models.texts import text_directions
from microtome.models.towers.find import tower_of
from microtome.models.towers.reading import coefficients, places_after
from microtome.models.towers.streams import run_tower
from microtome.numerics.pursuit import matching_pursuit
from microtome.recipes.decompose_neurons import decompose_neurons
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import Opened, PassSettings, heldout_half
from microtome.recipes.heat_settings import SegmentSettings
from microtome.recipes.neuron_directions import NeuronDirections, read_directions
from microtome.recipes.neuron_effects import ablated_outputs, coefficient_pass, measure_effects
from microtome.recipes.neuron_names import image_concepts
from microtome.recipes.neuron_settings import NeuronSettings
from microtome.recipes.segment_run import segment_images
from tests.support.decompose_worlds import arrangements, labelled, small_pool, tiny_clip

SETTINGS = NeuronSettings(layer=0, listed=6, texts=3, top_images=10, shown_images=2)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Decomposition:
    out = tmp_path_factory.mktemp("neurons") / "run"
    return decompose_neurons(tiny_clip(), labelled(), texts=small_pool(), out=out, settings=SETTINGS)


def stored_in(run: Decomposition) -> NeuronDirections:
    model = tiny_clip()
    return read_directions(run.path, model, tower_of(model))


class Plain:
    """Effects of all neurons on all images, float64, expanded."""

    def __init__(self) -> None:
        model, data = tiny_clip(), labelled()
        tower = tower_of(model)
        x = model.preprocess([data.read(n).pixels for n in range(60)], crop=True)
        with torch.no_grad():
            streams = run_tower(tower, x, places_after(tower, 0))
            self.phi = effects(coefficients(tower, streams, 0), directions_of(tower, 0)).double().numpy()
        self.outputs = streams.output.double().numpy()
        self.held = heldout_half(60, 0)


@pytest.fixture(scope="module")
def plain() -> Plain:
    return Plain()


def test_listed_neurons_vary_most_and_point_along_their_first_direction(found: Decomposition, plain: Plain) -> None:
    searched = plain.phi[~plain.held]
    centred = searched - searched.mean(0)
    variance = centred.var(0).sum(1)
    rows = found.rows("neurons")
    assert [row["neuron"] for row in rows] == np.argsort(-variance, kind="stable")[:6].tolist()
    stored = stored_in(found)
    for row in rows:
        n = row["neuron"]
        _, sizes, axes = np.linalg.svd(centred[:, n], full_matrices=False)
        assert row["variance"] == pytest.approx(variance[n], rel=1e-4)
        assert row["first_share"] == pytest.approx(sizes[0] ** 2 / (sizes**2).sum(), abs=1e-4)
        assert abs(axes[0] @ stored.directions[n]) == pytest.approx(1.0, abs=1e-3)
        held = plain.phi[plain.held][:, n]
        share = np.var(held @ stored.directions[n]) / held.var(0).sum()
        assert row["heldout_share"] == pytest.approx(share, abs=1e-3)


def test_the_images_of_largest_effect_give_the_sign(found: Decomposition, plain: Plain) -> None:
    stored = stored_in(found)
    searched = plain.phi[~plain.held]
    for row in found.rows("neurons"):
        effect = searched[:, row["neuron"]]
        top = np.argsort(-np.linalg.norm(effect, axis=1))[: SETTINGS.top_images]
        assert (effect[top] @ stored.directions[row["neuron"]]).mean() >= 0


def test_codes_are_those_of_the_directions(found: Decomposition) -> None:
    model = tiny_clip()
    texts = text_directions(model.texts, small_pool().texts, spec="").double().numpy()
    stored = stored_in(found)
    for row in found.rows("neurons"):
        code = matching_pursuit(stored.directions[[row["neuron"]]].astype(np.float64), texts, 3)
        own = [one for one in found.rows("neuron_texts") if one["neuron"] == row["neuron"]]
        assert {one["text"] for one in own} == {small_pool().texts[atom] for atom in code.atoms[0]}
        assert row["cosine"] == pytest.approx(code.cosine[0, -1], abs=1e-4)
        assert [abs(one["coefficient"]) for one in own] == sorted((abs(o["coefficient"]) for o in own), reverse=True)


def test_ablating_sets_takes_their_centred_effects_off(plain: Plain, tmp_path: Path) -> None:
    model = tiny_clip()
    opened = Opened(model, tower_of(model), labelled())
    stream = coefficient_pass(opened, 0, tmp_path, PassSettings())
    stream.run()
    measured = measure_effects(opened, stream, plain.held, 0, top_images=10, progress=lambda *_: None)
    neurons = np.array([4, 1, 30])
    mean = plain.phi[~plain.held].mean(0)
    expected = plain.outputs - (plain.phi - mean)[:, neurons].sum(1)
    np.testing.assert_allclose(ablated_outputs(stream, measured, neurons), expected, atol=1e-5)
    kept = measured.first.directions[neurons]
    along = np.einsum("ino,no->in", (plain.phi - mean)[:, neurons], kept)
    rebuilt = ablated_outputs(stream, measured, neurons, kept)
    np.testing.assert_allclose(rebuilt, expected + along @ kept, atol=1e-5)


def test_a_stopped_run_goes_on_to_the_same_tables(found: Decomposition, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "measuring neurons":
            raise Stop

    out = tmp_path / "run"
    with pytest.raises(Stop):
        decompose_neurons(tiny_clip(), labelled(), texts=small_pool(), out=out, settings=SETTINGS, progress=stop)
    assert not out.exists()
    again = decompose_neurons(tiny_clip(), labelled(), texts=small_pool(), out=out, settings=SETTINGS)
    for name in found.tables:
        assert again.table(name).equals(found.table(name)), name


def test_every_table_is_there_and_accuracy_stands_beside_random_neurons(found: Decomposition) -> None:
    assert set(found.tables) == {"neurons", "neuron_texts", "neuron_images", "codes", "effects", "image_concepts"}
    effects_of = {row["what"]: row for row in found.rows("effects")}
    assert any("at random" in what for what in effects_of)
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in effects_of.values())
    assert found.report.exists()


def test_concepts_of_an_image_weigh_texts_by_how_active_their_neurons_are() -> None:
    texts = np.eye(6)
    codes = matching_pursuit(np.array([[1.0, 0.5, 0, 0, 0, 0], [0, 0, -1.0, 0, 0, 0], [0, 0, 0, 1.0, 0, 0]]), texts, 2)
    found = image_concepts(np.array([2.0, 3.0, 0.1]), codes, 3, active=2)
    assert found == [(0, 2.0), (1, 1.0), (2, -3.0)]


@pytest.mark.parametrize(
    "changes",
    [{"layer": 1}, {"layer": -1}, {"listed": 0}, {"texts": 129}, {"method": "ols"}, {"shown_images": 0}],
    ids=str,
)
def test_settings_out_of_range_leave_nothing(changes: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        decompose_neurons(
            tiny_clip(), labelled(), texts=small_pool(), out=tmp_path / "run", settings=replace(SETTINGS, **changes)
        )
    assert not list(tmp_path.iterdir())


def test_segmentation_by_neurons_is_one_more_row(tmp_path: Path) -> None:
    run = decompose_neurons(
        tiny_clip(),
        arrangements(40),
        texts=small_pool(),
        out=tmp_path / "neurons",
        settings=replace(SETTINGS, listed=1),
    )
    settings = SegmentSettings(methods=("decomposition",), against=("none",), shown=0, neurons=str(run.path))
    found = segment_images(tiny_clip(), SceneMasks(arrangements(8)), out=tmp_path / "segment", settings=settings)
    assert {"decomposition", "neurons"} <= {row["method"] for row in found.rows("segmentation")}


def test_a_run_of_something_else_holds_no_neurons(found: Decomposition, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not of this model"):
        read_directions(found.path, tiny_clip(seed=1), tower_of(tiny_clip(seed=1)))
    with pytest.raises(MicrotomeError):
        read_directions(tmp_path, tiny_clip(), tower_of(tiny_clip()))
