"""`decompose ablate`: the curves, what they say, the probe, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from microtome.cli.main import app
from microtome.core.errors import DataError, MicrotomeError, OptionError
from microtome.data.world.arrangements import Arrangements
from microtome.methods.decompose.ablation import Parts
from microtome.models.model import Model, wrap
from microtome.models.world_clip import ClipSizes, WorldClip
from microtome.recipes.ablate_terms import AblateSettings, ablate_terms, sentences
from microtome.recipes.ablation_curves import steps_of
from microtome.recipes.direct_pass import PassSettings
from microtome.recipes.property_texts import wording
from microtome.verify.linear_probe import train_probe
from tests.support.towers import SMALL, shaken

HALF, QUARTER = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SIZES = ClipSizes(
    width=16, layers=2, heads=2, text_width=8, text_layers=1, text_heads=2, words=20, shared=8, patch=16
)  # fmt: skip


class Letters:
    """A text side that knows letters alone."""

    context, scale, bias, template = 100, 10.0, 0.0, "a {} scene"

    def lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def encode(self, texts: Sequence[str]) -> Tensor:
        counts = [[1.0 + text.count(letter) for letter in "aeiourtl"] for text in texts]
        return torch.tensor(counts)


def model(*, texts: bool = True) -> Model:
    torch.manual_seed(0)
    made = wrap(shaken(WorldClip(SIZES)), size=64, mean=HALF, std=QUARTER, device="cpu")
    return replace(made, texts=Letters()) if texts else made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = AblateSettings(by="count", heads=((1, 0), (0, 1)), total_images=24, retrained=True)
    out = tmp_path_factory.mktemp("runs") / "ablate"
    return ablate_terms(model(), Arrangements("heldout", count=90), out=out, settings=settings).path


def test_the_curves_have_every_step_in_every_way(run: Path) -> None:
    from microtome.recipes.decomposition import Decomposition

    found = Decomposition(run)
    rows = found.rows("curves")
    steps = steps_of(2, ((1, 0), (0, 1)))
    assert [step.parts.words for step in steps] == [
        "MLP 0", "MLPs 0-1", "attention 0", "attention 0-1", "heads 1.0, 0.1", "head 1.0", "head 0.1", "embedding",
    ]  # fmt: skip
    ways = {(row["probe"], row["kind"]) for row in rows}
    assert ways == {
        ("zero-shot", "direct"), ("linear probe", "direct"), ("probe trained anew", "direct"),
        ("zero-shot", "total"), ("linear probe", "total"),
    }  # fmt: skip
    assert len(rows) == len(ways) * len(steps)
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in rows)
    assert {row["images"] for row in rows} == {45, 24}
    total = {row["accuracy"] for row in rows if (row["curve"], row["kind"]) == ("embedding", "total")}
    shares = np.bincount(Arrangements("heldout", count=90).attributes()[3].of) / 90
    assert max(total) < 0.6, f"a model that sees nothing answers one value: {shares}"
    assert found.manifest["kind"] == "decompose ablate"
    assert found.manifest["summary"]["by"] == "count"
    assert not (run / "cache").exists()


def test_the_same_command_gives_the_same_numbers(run: Path, tmp_path: Path) -> None:
    from microtome.recipes.decomposition import Decomposition

    settings = AblateSettings(
        by="count", heads=((1, 0), (0, 1)), total_images=24, retrained=True, images=PassSettings(batch_size=7)
    )
    again = ablate_terms(model(), Arrangements("heldout", count=90), out=tmp_path / "b", settings=settings)
    first = Decomposition(run).rows("curves")
    assert [row["accuracy"] for row in again.rows("curves")] == pytest.approx([row["accuracy"] for row in first])


def test_without_texts_the_probe_answers_and_heads_are_chosen(tmp_path: Path) -> None:
    settings = AblateSettings(by="surface", total_images=0)
    found = ablate_terms(
        model(texts=False), Arrangements("heldout", count=70), out=tmp_path / "a", settings=settings
    )  # fmt: skip
    assert {row["probe"] for row in found.rows("curves")} == {"linear probe"}
    assert {row["kind"] for row in found.rows("curves")} == {"direct"}
    assert len(found.manifest["summary"]["heads"]) == 4
    assert found.manifest["answers"] is None


def test_where_heads_stand_in_no_module_their_total_effect_is_left_out_and_said(tmp_path: Path) -> None:
    pytest.importorskip("open_clip")
    make, size = SMALL["open_clip"]
    made = wrap(shaken(make()), size=size, mean=HALF, std=HALF, device="cpu")
    settings = AblateSettings(by="count", heads=((1, 0),), total_images=20)
    found = ablate_terms(made, Arrangements("heldout", count=60), out=tmp_path / "a", settings=settings)
    assert not [row for row in found.rows("curves") if (row["curve"], row["kind"]) == ("heads", "total")]
    assert [row for row in found.rows("curves") if (row["curve"], row["kind"]) == ("mlps", "total")]
    assert any("not available" in note for note in found.manifest["notes"])


@pytest.mark.parametrize(
    ("settings", "count", "words"),
    [
        (AblateSettings(by="colour"), 60, "did you mean"),
        (AblateSettings(heads=((5, 0),)), 60, "no head 5.0"),
        (AblateSettings(total_images=-1), 60, "total_images"),
        (AblateSettings(), 12, "too few"),
        (AblateSettings(by="count", classes=("one", "two")), 60, "2 class texts"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    settings: AblateSettings, count: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(MicrotomeError, match=words):
        ablate_terms(model(), Arrangements("heldout", count=count), out=tmp_path / "a", settings=settings)
    assert not list(tmp_path.iterdir())


def test_sentences_say_direct_and_total() -> None:
    row = {"curve": "mlps", "step": 1, "terms": "MLPs 0-1", "kind": "direct", "probe": "zero-shot", "base": 0.84}
    rows = [{**row, "accuracy": 0.8, "step": 0}, {**row, "accuracy": 0.8}, {**row, "kind": "total", "accuracy": 0.09}]
    assert sentences(rows) == [
        "Without the direct effect of all MLPs, zero-shot accuracy falls from 84 % to 80 %; ablated in the model "
        "itself, to 9 %."
    ]


def test_a_probe_reads_what_is_linear_and_its_scaling_is_folded_in() -> None:
    generator = np.random.default_rng(0)
    labels = np.concatenate([generator.integers(0, 3, 300), np.full(5, -1)])
    x = generator.normal(size=(305, 6)) * np.array([1, 1, 1, 50, 1, 1]) + 7.0
    x[np.arange(305), labels] += 6.0
    probe = train_probe(x[:150], labels[:150])
    assert probe.right(x[150:300], labels[150:300]).mean() > 0.95
    pair = train_probe(x[labels != 2], labels[labels != 2])
    assert set(pair.answers(x[:300])) == {0, 1}
    shuffled = generator.permutation(labels[:150])
    assert train_probe(x[:150], shuffled).right(x[150:300], labels[150:300]).mean() < 0.6
    with pytest.raises(DataError, match="two classes"):
        train_probe(x, np.zeros(305, np.int64))


def test_properties_have_wordings_of_their_own() -> None:
    color, kind, _, count, surface, side = Arrangements("heldout", count=2).attributes()
    assert wording(count)[0] == ("one thing", "two things", "three things", "four things")
    assert "a thing in the middle" in wording(side)[0]
    assert "{}" in wording(color)[1]
    assert "on {}" in wording(surface)[1]
    assert wording(kind)[1].startswith("a {}")


def test_bad_input_on_the_command_line_ends_with_one_message(tmp_path: Path) -> None:
    runner = CliRunner()
    for extra in (["--heads", "3"], ["--data", str(tmp_path / "none")]):
        words = ["decompose", "ablate", "world:clip", "--out", str(tmp_path / "a"), *extra]
        found = runner.invoke(app, words)
        assert found.exit_code != 0
        assert isinstance(found.exception, OptionError | DataError | SystemExit)


def test_heads_of_steps_are_parts() -> None:
    assert steps_of(1, ())[-1].parts == Parts(embedding=True)
    assert [step.curve for step in steps_of(1, ((0, 0),))] == ["mlps", "attention", "heads", "embedding"]
