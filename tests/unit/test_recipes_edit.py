"""Proof by editing on a planted model: a unit that is its name follows every edit, a unit of noise follows none."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from microtome.core.errors import DataError, MicrotomeError, ModelError, OptionError, RunError
from microtome.core.formula import Formula, Leaf, conjoin, disjoin, negate
from microtome.data.text.edit import EditBook
from microtome.data.text.edit_words import Lexicon
from microtome.data.text.edited import Retold
from microtome.data.text.open import TextSettings, open_texts
from microtome.data.text.words import passage_of
from microtome.models.nli import WordEncoder, vocabulary_of
from microtome.models.text import TextModel, wrap_text
from microtome.recipes.adversarial_rules import Case, Rule, detail_rule, everyday_rules, safe_rules
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.edit_proof import signs_of
from microtome.recipes.edit_text import Edited, EditSettings, edit_texts, load_for_editing
from microtome.store.run import add_to_run, read_manifest, read_table
from microtome.store.tables import make_table

CLASSES = ("entailment", "neutral", "contradiction")
PEOPLE = ("man", "woman", "boy", "girl", "cook", "actor", "nurse", "king")
DOINGS = ("walking", "sleeping", "reading", "running", "waiting", "singing")
PLACES = ("in the park", "on a bench", "near the house", "by the river", "at the lake")


def rows() -> list[dict[str, str]]:
    """240 pairs; a third of the hypotheses begin with "Nobody", and those contradict."""
    found = []
    for k, (who, doing, place) in enumerate(product(PEOPLE, DOINGS, PLACES)):
        other = PEOPLE[(k * 7 + k // 5) % len(PEOPLE)]
        hypothesis, label = (
            (f"The {who} is {doing}.", "entailment"),
            (f"The {other} is {DOINGS[k % 6]} {PLACES[k % 5]}.", "neutral"),
            (f"Nobody is {doing} {place}.", "contradiction"),
        )[(k + k // 7) % 3]
        found.append({"premise": f"A {who} is {doing} {place}.", "hypothesis": hypothesis, "label": label})
    return found


class Planted(nn.Module):
    """Unit 0: 2 where the hypothesis has "nobody". Unit 1: noise made of all words. Contradiction reads unit 0."""

    def __init__(self, nobody: int, words: int) -> None:
        super().__init__()
        self.nobody = nobody
        self.noise = nn.Embedding(words, 1)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(2, 3, bias=True)
        with torch.no_grad():
            self.classifier.weight.copy_(torch.tensor([[0.0, 0.0], [-0.1, 0.0], [3.0, 0.0]]))
            self.classifier.bias.copy_(torch.tensor([1.0, 0.5, 0.0]))

    def forward(self, premise: Tensor, hypothesis: Tensor) -> Tensor:
        planted = 2.0 * (hypothesis == self.nobody).any(dim=1).float()
        both = torch.cat([premise, hypothesis], dim=1)
        noise = torch.sin(1000.0 * (self.noise(both)[:, :, 0] * (both != 0)).sum(dim=1))
        return self.classifier(self.relu(torch.stack([planted, noise], dim=1)))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows())), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model() -> TextModel:
    torch.manual_seed(0)
    encoder = WordEncoder(vocabulary_of(text for row in rows() for text in (row["premise"], row["hypothesis"])))
    nobody = encoder.pieces("nobody")[0][0]
    net = Planted(nobody, encoder.vocabulary)
    return wrap_text(net, encoder=encoder, classes=CLASSES, device="cpu", spec="planted")


@pytest.fixture(scope="module")
def run(pairs: Path, model: TextModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    settings = DissectSettings(max_length=2, permutations=30, active="positive", min_active=10)
    return dissect(model, "relu", open_texts(pairs), out=out, settings=settings).path


@pytest.fixture(scope="module")
def edited(run: Path, model: TextModel) -> Edited:
    return edit_texts(run, model=model, settings=EditSettings(units=(0, 1), pairs=40))


def test_the_run_says_how_its_texts_were_opened(run: Path, pairs: Path) -> None:
    told = read_manifest(run)["data"]
    assert told["spec"] == str(pairs)
    assert told["settings"]["vocabulary"] == 2000
    assert told["settings"]["vectors"] is None


def test_a_planted_unit_is_proved_without_an_exception(edited: Edited) -> None:
    """It is 2 where its name holds and 0 elsewhere, before and after; the control changes nothing."""
    table = [row for row in read_table(edited.run.path, "edits").to_pylist() if row["unit"] == 0]
    assert {row["turns"] for row in table} == {"true", "false"}
    for row in table:
        change = 2.0 if row["turns"] == "true" else -2.0
        assert (row["change"], row["change_low"], row["change_high"]) == (change, change, change)
        assert (row["control_change"], row["control_low"], row["control_high"]) == (0.0, 0.0, 0.0)
        assert (row["difference"], row["difference_low"], row["difference_high"]) == (change, change, change)
        assert {row["fires_before"], row["fires_after"]} == {0.0, 1.0}
        assert row["p"] < 0.001
        assert row["pairs"] == 40
        assert row["flipped"] > 0.5 > row["control_flipped"] == 0.0


def test_a_unit_of_noise_is_not(edited: Edited) -> None:
    found = [row for row in edited.proof.rows if row["unit"] == 1]
    assert found
    told = [row for row in found if row["difference_low"] > 0 or row["difference_high"] < 0]
    assert len(told) <= 1, told
    assert sum(row["p"] < 0.01 for row in found) == 0


def test_examples_flip_the_formula_literally(edited: Edited) -> None:
    found = [row for row in read_table(edited.run.path, "edit_pairs").to_pylist() if row["unit"] == 0]
    assert found
    for row in found:
        had, has = ("nobody" in row[name].lower() for name in ("before", "after"))
        assert had != has
        assert row["side"] == "hypothesis"
        assert (row["unit_before"], row["unit_after"]) == (2.0 * had, 2.0 * has)
        assert row["other"].startswith("A ")
    for name in {row["edit"] for row in found}:
        assert sum(row["edit"] == name for row in found) <= 5


def test_the_same_seed_says_the_same(run: Path, model: TextModel, edited: Edited) -> None:
    again = edit_texts(run, model=model, settings=EditSettings(units=(0, 1), pairs=40))
    assert again.proof == edited.proof
    assert again.fooling == edited.fooling
    other = edit_texts(run, model=model, settings=EditSettings(units=(0, 1), pairs=12, seed=1))
    assert other.proof.examples != edited.proof.examples


def test_rules_that_fool_the_planted_model(edited: Edited) -> None:
    """Its one shortcut: "nobody" is a contradiction, so "nobody but" fools it always, and it never knows neutral."""
    rules = {row["rule"]: row for row in read_table(edited.run.path, "adversarial").to_pylist()}
    nobody = rules["“nobody but” before an entailed hypothesis"]
    assert nobody["pairs"] >= 40
    assert (nobody["rate"], nobody["control"], nobody["before"]) == (1.0, 0.0, 0.0)
    assert nobody["p"] < 1e-9
    harmless = rules["“it is not false that” before the hypothesis"]
    assert harmless["rate"] == 0.0
    for row in rules.values():
        assert row["low"] - 1e-12 <= row["rate"] <= row["high"] + 1e-12
        assert row["fooled"] == round(row["rate"] * row["pairs"])
    pairs = read_table(edited.run.path, "adversarial_pairs").to_pylist()
    shown = [row for row in pairs if row["rule"] == nobody["rule"]]
    assert 1 <= len(shown) <= 5
    assert all(row["hypothesis_after"].startswith("Nobody but the ") for row in shown)
    assert all((row["predicted_before"], row["predicted_after"]) == ("entailment", "contradiction") for row in shown)


def test_own_edits_are_measured_too(run: Path, model: TextModel, tmp_path: Path) -> None:
    path = tmp_path / "edits.tsv"
    path.write_text("0\thypothesis\treplace\tnobody\tking\n*\thypothesis\tinsert\tnobody\n")
    found = edit_texts(run, model=model, settings=EditSettings(units=(0,), pairs=30, edits=str(path)))
    rows = {(row["edit"], row["turns"]): row for row in found.proof.rows}
    mine = rows["putting “king” in the place of “nobody” in the hypothesis", "false"]
    assert (mine["term"], mine["side"]) == ("hyp:tok:nobody", "hypothesis")
    assert (mine["change"], mine["control_change"], mine["p"] < 0.001) == (-2.0, 0.0, True)
    # The same edit as one of the name's own has a name of its own: the report tells them apart by it.
    assert ("putting “nobody” into the hypothesis (the name becomes true)", "true") in rows
    assert ("putting “nobody” into the hypothesis", "true") in rows


def test_the_report_is_written_anew(edited: Edited) -> None:
    pages = [path.read_text(encoding="utf-8") for path in edited.run.path.rglob("*.html")]
    assert any("nobody but" in page for page in pages)
    told = edited.run.manifest["edits"]
    assert told["settings"]["pairs"] == 40
    assert all(row["pairs"] <= row["tried"] for row in told["tried"])


def cases(pairs: Path) -> tuple[list[Case], Lexicon]:
    data = open_texts(pairs)
    lexicon = Lexicon(side for index in range(len(data)) for side in data.read(index).sides)
    book = EditBook(data, Retold(data, TextSettings()), lexicon)
    return [
        Case(k, book.told(data.texts(k)), data.classes[data.read(k).label or 0]) for k in range(len(data))
    ], lexicon  # fmt: skip


def made(rule: Rule, all_cases: list[Case]) -> list[tuple[Case, tuple[str, ...]]]:
    found = [(case, rule.make(case, np.random.default_rng(case.index))) for case in all_cases]
    return [(case, trick.edited) for case, trick in found if trick is not None]


def test_rules_apply_where_their_reason_holds(pairs: Path) -> None:
    given, lexicon = cases(pairs)
    rules = {rule.name: rule for rule in [*safe_rules(), *everyday_rules(lexicon, frozenset())]}
    cut = made(rules["premise cut before it says anything"], given)
    assert {texts[0] for _, texts in cut} == {"A."}
    assert all(case.label != "neutral" for case, _ in cut)
    exchanged = rules["who does what to whom, exchanged"]
    told = lexicon.told

    def case(premise: str) -> Case:
        return Case(0, (told(passage_of(premise)), told(passage_of("The man is walking."))), "entailment")

    assert made(exchanged, [case("The man is holding a cook in the park.")])[0][1][1] == "A cook is holding the man."
    far = "Two men in red hats are pulling a king on a bench."
    assert made(exchanged, [case(far)])[0][1][1] == "A king is pulling two men."
    assert made(exchanged, [case("The king holding two old men.")])[0][1][1] == "Two old men are holding the king."
    assert not made(exchanged, [case("The man is meeting a cook.")]), "who meets is met"
    assert not made(exchanged, [case("The man is holding a cup of tea.")])
    detail = made(detail_rule("couch", "contradiction", lexicon, frozenset()), given)
    assert detail
    assert all(one.label == "entailment" and texts[1].endswith(" near a couch.") for one, texts in detail)
    both = made(detail_rule("couch", "neutral", lexicon, frozenset()), given)
    assert all(text.endswith(" near a couch.") for _, texts in both for text in texts)


def test_signs_of_terms() -> None:
    one, two, three = Leaf("a"), Leaf("b"), Leaf("c")
    formula: Formula = conjoin(disjoin(one, negate(two)), negate(conjoin(one, three)))
    assert signs_of(formula) == {one: {True, False}, two: {False}, three: {False}}


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(OptionError, match="--pairs is 3; expected 10 or more"):
        EditSettings(pairs=3)
    with pytest.raises(OptionError, match="--top is 0"):
        EditSettings(top=0)


def fails(run: Path, model: TextModel | None = None, **chosen: object) -> MicrotomeError:
    with pytest.raises(MicrotomeError) as error:
        edit_texts(run, model=model, settings=EditSettings(**chosen))  # pyright: ignore[reportArgumentType]
    return error.value


def test_what_cannot_be_edited_is_said(run: Path, model: TextModel, pairs: Path, tmp_path: Path) -> None:
    assert "no formula for it" in str(fails(run, model, units=(7,)))
    other = wrap_text(Planted(5, model.encoder.vocabulary), encoder=model.encoder, classes=CLASSES, device="cpu")
    assert isinstance(error := fails(run, other), ModelError), error
    assert "not the model of this run" in str(error)
    assert isinstance(fails(tmp_path), RunError)
    edits = tmp_path / "edits.tsv"
    edits.write_text("4\thypothesis\tinsert\tnobody\n")
    assert "edits for 4" in str(fails(run, model, units=(0,), edits=str(edits)))
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(map(json.dumps, rows()[:6])))
    with pytest.raises(OptionError, match="6 pairs, too few"):
        edit_texts(run, model=model, data=str(few))
    whole = pairs.read_text()
    pairs.write_text(whole.replace("A man", "A king", 1))
    try:
        with pytest.raises(DataError, match="has changed since the run"):
            edit_texts(run, model=model)
    finally:
        pairs.write_text(whole)


@pytest.mark.parametrize(("kind", "said"), [("token", "tokens of running text"), ("pixel", "images")])
def test_runs_of_other_things_are_refused(kind: str, said: str, run: Path, tmp_path: Path) -> None:
    manifest = read_manifest(run)
    manifest["elements"]["kind"] = kind
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=f"a run of {said}"):
        load_for_editing(tmp_path)


def test_a_run_without_a_named_unit_is_refused(pairs: Path, model: TextModel, tmp_path: Path) -> None:
    settings = DissectSettings(max_length=1, permutations=0, min_active=10)
    bare = dissect(model, "relu", open_texts(pairs), out=tmp_path / "bare", settings=settings).path
    assert "names no unit" in str(fails(bare, model))
    assert edit_texts(bare, model=model, settings=EditSettings(units=(0,), pairs=10)).proof.rows


def test_tables_are_added_to_a_run_whole(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    before = read_manifest(copy)
    table = make_table("adversarial", [{"rule": "mine", "pairs": 10, "fooled": 3, "rate": 0.3}])
    add_to_run(copy, {"adversarial": table}, noted={"edits": {"notes": ["mine"]}})
    assert read_table(copy, "adversarial").to_pylist()[0]["rule"] == "mine"
    assert read_manifest(copy) == {**before, "edits": {"notes": ["mine"]}}
    assert not list(copy.glob(".*.tmp"))
    with pytest.raises(RunError, match="is no run"):
        add_to_run(tmp_path, {"adversarial": table}, noted={})
    assert not list(tmp_path.glob("*.parquet"))
