"""SqueezeNet audited with segments of street scenes: few units, few pictures, and a tail that is not linear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from microtome.core.formula import Leaf
from microtome.data.open import open_data
from microtome.data.restrict import Subset
from microtome.models.intervene import intervene
from microtome.models.model import Model
from microtome.recipes.audit import effect_tables, writing
from microtome.recipes.audit.effect_tables import Measured
from microtome.recipes.audit.image_parts import ImageParts
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.nouns import ANY, EXPLORE, Change, Suspect
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run import audit
from microtome.recipes.audit.run_parts import audit_parts
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.unit_model import UnitModel
from microtome.recipes.audit.unit_subject import open_unit_subject
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.record.one_pass import silent
from microtome.verify.flips import VERDICTS
from tests.real.image_sets import ImageNetSamples
from tests.real.runs import squeezenet

pytestmark = pytest.mark.slow

LAYER = "features.12"
UNITS = (20, 25, 30, 83, 118, 153, 186, 194, 230, 264, 312, 327, 333, 348, 361, 398, 404, 408, 411, 412, 453, 466, 484)
CLASSES = ("cab", "traffic light", "convertible")
FRAMES = 30
SETTINGS = AuditSettings(
    images=1000, suspects=2, cases=10, trials=2, draws=2, directions=0, place="own", batch_size=8
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """The audit with what it was made of."""

    run: Audit
    model: Model
    data: Subset
    inputs: AuditInputs
    folder: Path


@pytest.fixture(scope="module")
def made(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = shared("camvid").parent
    shared("models/squeezenet1_1_imagenet")
    samples = shared("imagenet_samples")
    folder = tmp_path_factory.mktemp("audit")
    train = open_data(root / "camvid" / "train")
    data = Subset(train, count=FRAMES, seed=0)
    named = dissect(
        squeezenet(root, named=False), LAYER, data, out=folder / "names",
        settings=DissectSettings(units=UNITS, permutations=10),
    )  # fmt: skip
    model = squeezenet(root, named=True)
    hosts = [*range(404, 1000, 17), *(model.classes.index(name) for name in CLASSES)]
    inputs = AuditInputs(hosts=ImageNetSamples(samples, sorted(set(hosts))), run=named.path, classes=CLASSES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(effect_tables, "MOST_ITEMS", {False: 6})
        patch.setattr(writing, "SHOWN", 2)
        run = audit(model, LAYER, data, out=folder / "audit", inputs=inputs, settings=SETTINGS)
    return Made(run, model, data, inputs, folder)


@pytest.fixture(scope="module")
def parts(made: Made) -> ImageParts:
    """The same once more, in memory."""
    subject = open_unit_subject(
        made.model, LAYER, made.data, made.inputs, SETTINGS, out=made.folder / "again", progress=silent
    )
    return subject.parts(silent)


def test_every_suspect_has_a_verdict(made: Made) -> None:
    rows, summary = made.run.findings, made.run.manifest["summary"]
    assert len(rows) == SETTINGS.suspects
    assert summary["proved"] + summary["not_proved"] + summary["refuted"] == len(rows)
    for row in rows:
        assert row["verdict"] in VERDICTS
        assert row["target"] in CLASSES
        assert row["parts"]
        assert {int(title.split()[1]) for title in row["parts"]} <= set(UNITS)
        assert 0 < row["cases"] <= SETTINGS.cases
    assert {path.stem for path in (made.run.path / "report" / "classes").glob("*.html")} == {
        name.replace(" ", "-") for name in CLASSES
    }


def test_controls_cover_as_much_as_what_they_stand_beside(made: Made, parts: ImageParts) -> None:
    for row in made.run.findings:
        assert row["control_changed"] == pytest.approx(row["changed"], rel=0.2)
    # What is small and what fills a third of a frame, drawn often.
    for name, low, high in (("sign", 0.0, 0.05), ("car", 0.02, 0.2), ("sky", 0.1, 0.5), ("road", 0.2, 0.6)):
        suspect = Suspect(0, made.model.classes.index("cab"), Leaf(name), name, (), 0.0, 0.0, None, None, "")
        cases = parts.paster.cases(suspect, ANY, 30, EXPLORE)
        assert low < cases.changed < high
        assert cases.control_changed == pytest.approx(cases.changed, rel=0.2)


def test_nothing_is_repaired_where_the_hosts_are_not_labelled(made: Made) -> None:
    assert made.run.rows("repairs") == []
    assert all(row["repair"] is None and row["reverse"] is None for row in made.run.findings)


def test_one_seed_gives_one_audit_and_hosts_are_never_of_the_class(made: Made, parts: ImageParts) -> None:
    again = audit_parts(parts, SETTINGS)
    assert len(again.proofs) == len(made.run.findings)
    for proof, row in zip(again.proofs, made.run.findings, strict=True):
        assert (str(proof.suspect.concept), proof.verdict) == (row["concept"], row["verdict"])
        assert (proof.test.turned.hits, proof.test.control.mean) == (row["turned"], row["control"])
        # Where no answer turned nobody carried anything.
        carriers = () if proof.without is None else proof.without.carriers.parts
        assert [f"unit {unit}" for unit in carriers] == (row["carriers"] or [])
        assert proof.cases is not None
        assert (proof.cases.truth != proof.suspect.target).all()
        # Nothing but what is marked was changed.
        for before, after, mark in zip(proof.cases.before, proof.cases.after, proof.cases.marks, strict=True):
            assert (before != after).any()
            assert np.array_equal(before[~mark], after[~mark])


def test_what_units_add_is_said_to_be_activation_times_gradient_and_is(made: Made) -> None:
    manifest = made.run.manifest
    assert manifest["model"]["linear_tail"] is False
    assert any("activation times its gradient" in note for note in manifest["notes"])
    adds = {(row["target"], row["part"]): row["adds"] for row in made.run.rows("class_parts")}
    assert adds
    for target in CLASSES:
        number = made.model.classes.index(target)
        expected = _literal(made, number)
        for unit in UNITS:
            if (target, unit) in adds:
                assert adds[target, unit] == pytest.approx(expected[unit], rel=1e-3, abs=1e-5)


def _literal(made: Made, number: int) -> np.ndarray:
    """Activation times gradient by hand, float64: logit k = mean of relu(W_k a + b_k) over a map padded by 1."""
    hosts = made.inputs.hosts
    assert isinstance(hosts, ImageNetSamples)
    own = next(i for i in range(len(hosts)) if hosts.read(i).label == number)
    module: Any = made.model.module
    with torch.no_grad():
        acts = module.features(made.model.preprocess(made.model.preprocess.cropped(hosts.read(own).pixels)))[0].double()
        conv = module.classifier[1]
        weight, bias = conv.weight[:, :, 0, 0].double(), conv.bias.double()
        inner = torch.einsum("ku,uhw->khw", weight, acts) + bias[:, None, None]
        open_ = (inner > 0).double() / ((acts.shape[1] + 2) * (acts.shape[2] + 2))
        share = torch.full((len(weight),), -1 / len(weight), dtype=torch.float64)
        share[number] += 1
        gradient = torch.einsum("k,khw,ku->uhw", share, open_, weight)
        return (gradient * acts).sum(dim=(1, 2)).numpy()


def test_a_unit_cut_by_what_follows_alone_is_a_unit_cut_in_the_whole_network(made: Made, parts: ImageParts) -> None:
    asked = parts.asked
    assert isinstance(asked, UnitModel)
    hosts = made.inputs.hosts
    assert isinstance(hosts, ImageNetSamples)
    pixels = [made.model.preprocess.cropped(hosts.read(i).pixels) for i in range(0, 36, 3)]
    held = asked.read(pixels)
    asked.settle(held, np.ones(len(held), bool))
    x = made.model.preprocess(pixels)
    for change in (
        Change(parts=(408,)), Change(parts=(230, 412, 484), how="zero"), Change(parts=UNITS, keep=0.5),
        Change(direction=np.random.default_rng(0).normal(size=512)),
    ):  # fmt: skip
        with intervene(made.model, asked.interventions(change)):
            expected = made.model.logits(x).double().numpy()
        assert np.abs(expected - held.logits).max() > 1e-3
        # Twice: the second time what was kept of the images is used.
        for _ in range(2):
            np.testing.assert_allclose(asked.answer(held, change), expected, atol=1e-3, rtol=1e-4)
    measured = Measured(asked, held, pixels, held.logits.argmax(axis=1), seed=0)
    cut = dict(measured.each("mean"))
    assert sorted(cut) == list(UNITS)
    for unit in UNITS[::8]:
        with intervene(made.model, asked.interventions(Change(parts=(unit,)))):
            expected = made.model.logits(x).double().numpy()
        np.testing.assert_allclose(cut[unit], expected, atol=1e-3, rtol=1e-4)
