"""The runs on real texts that docs/results shows."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from microtome.data.text.open import open_texts
from microtome.data.text.settings import TextSettings
from microtome.data.text.vectors import Vectors
from microtome.models.load import load_text
from microtome.models.nli import CARD, PROBE
from microtome.models.text import TextModel
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.edit_text import edit_texts
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress
from microtome.zoo.train_nli import REPORTED, SETTINGS, TRAINING, train_real
from tests.real.real_run import RealRun

REPOSITORY = Path(__file__).resolve().parents[2]
NLI_FOLDER = REPOSITORY / "runs" / "nli-real"
TREEBANK = ("en_ewt-ud-dev.conllu", "en_ewt-ud-test.conllu")
NEURONS = "model.layers.2.mlp.down_proj:in"
STORIES, STORY_TOKENS = 170, 400
NLI_DRAWS, STORY_DRAWS = 80, 40
"""Re-pairings: with these a run takes two cores some ten minutes."""
_FREE = frozenset({"minutes", "threads", "seed"})
"""What of the training's settings a cached classifier may differ in."""


def nli_folder(shared: Path) -> Path:
    """The folder of the classifier trained on the real pairs; trained here and now (about 25 minutes) unless kept."""
    if not is_current(NLI_FOLDER, shared / "nli"):
        train_real(SETTINGS, data=shared / "nli", out=NLI_FOLDER)
    return NLI_FOLDER


def is_current(folder: Path, data: Path) -> bool:
    """Whether a folder holds a classifier of these files, trained as it would be now."""
    if not (folder / CARD).is_file():
        return False
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    digests = {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in (*TRAINING, REPORTED)}
    settings = {name: value for name, value in asdict(SETTINGS).items() if name not in _FREE}
    return {name: file["sha256"] for name, file in card["data"].items()} == digests and all(
        card["training"].get(name) == value for name, value in settings.items()
    )


def own_vectors(model: TextModel) -> Vectors:
    """The model's input embedding as word vectors."""
    words, array = model.word_vectors()
    return Vectors(words, array, f"the input embedding of {model.spec}")


def write_treebank(shared: Path, folder: Path = REPOSITORY / "runs") -> Path:
    """Both parts of the treebank in one file, for a tagger to learn from; it is kept, so that a run can be edited."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "en_ewt-ud-dev-test.conllu"
    file.write_text("".join((shared / "ud_ewt" / part).read_text(encoding="utf-8") for part in TREEBANK), "utf-8")
    return file


def write_stories(model: TextModel, file: Path, *, count: int = STORIES, tokens: int = STORY_TOKENS) -> Path:
    """What the model writes of itself, a blank line between stories; blank lines within one are dropped."""
    texts = [model.text_of(pieces) for pieces in model.sample(count, tokens=tokens, seed=0)]
    blocks = ["\n".join(line.rstrip() for line in text.splitlines() if line.strip()) for text in texts]
    file.write_text("\n\n".join(block for block in blocks if block) + "\n", "utf-8")
    return file


def stories_model(shared: Path) -> TextModel:
    """The language model of 260,000 parameters."""
    return load_text(f"hf:{_near(shared / 'models' / 'stories260k_llama')}", device="cpu")


def _near(path: Path) -> str:
    """The path as seen from the working folder, as a user would write it."""
    return os.path.relpath(path)


def _snli(
    shared: Path, out: Path, settings: DissectSettings, command: tuple[str, ...], progress: Progress
) -> Dissection:
    folder = nli_folder(shared)
    model = load_text(f"nli:{_near(folder)}", device="cpu")
    texts = TextSettings(tagger=f"nltk:{_near(write_treebank(shared))}")
    data = open_texts(_near(shared / "nli" / REPORTED), texts, vectors=own_vectors(model))
    result = dissect(model, PROBE, data, out=out, settings=settings, command=command, progress=progress)
    # The page tells of the training; it reads the run folder alone.
    (result.path / CARD).write_text((folder / CARD).read_text(encoding="utf-8"), "utf-8")
    return result


def _proved(result: Dissection, progress: Progress) -> Dissection:
    """The run with proofs by editing and adversarial pairs, made unless they are there."""
    return result if "edits" in result.tables else edit_texts(result.path, progress=progress).run


def _stories_ewt(
    shared: Path, out: Path, settings: DissectSettings, command: tuple[str, ...], progress: Progress
) -> Dissection:
    model = stories_model(shared)
    file = _near(shared / "ud_ewt" / TREEBANK[0])
    data = open_texts(file, TextSettings(), pieces=model.pieces, piece_text=model.piece_text)
    return dissect(model, NEURONS, data, out=out, settings=settings, command=command, progress=progress)


def _stories_own(
    shared: Path, out: Path, settings: DissectSettings, command: tuple[str, ...], progress: Progress
) -> Dissection:
    model = stories_model(shared)
    with tempfile.TemporaryDirectory() as made:
        file = write_stories(model, Path(made) / "stories.txt")
        texts = TextSettings(tagger=f"nltk:{_near(write_treebank(shared))}")
        data = open_texts(file, texts, pieces=model.pieces, piece_text=model.piece_text)
        return dissect(model, NEURONS, data, out=out, settings=settings, command=command, progress=progress)


_STORIES_CREDIT = "Weights: stories260K of karpathy's tinyllamas, MIT."
_TREEBANK_CREDIT = "Universal Dependencies English Web Treebank 2 (UD_English-EWT), CC BY-SA 4.0"

TEXT_RUNS: tuple[RealRun, ...] = (
    RealRun(
        "snli",
        "A classifier of sentence pairs on SNLI",
        "An LSTM reads premise and hypothesis; the 512 rectified units of the last hidden layer (`mlp.1`) look at what "
        "it made of them. It was trained on SNLI's test pairs and MNLI's development pairs (few, so it is no strong "
        "classifier) and is explained on SNLI's development pairs, which it never saw. An element is a pair; a unit is "
        "active where it is above 0. Words of NEIGHBOURS are nearest by the model's own embedding.",
        "Pairs: SNLI 1.0 (Bowman et al. 2015), CC BY-SA 4.0; training also on MNLI (Williams et al. 2018). Tags: a "
        f"perceptron trained on dev and test of {_TREEBANK_CREDIT}.",
        ("python", "-m", "tests.real.results", "--only", "snli"),
        _snli,
        DissectSettings(permutations=NLI_DRAWS),
        finish=_proved,
    ),
    RealRun(
        "stories-ewt",
        "A small language model on the English Web Treebank",
        "All 172 MLP neurons of the middle one of five blocks of a Llama of 260,000 parameters that was trained on "
        "short stories for children, over e-mails, reviews and weblogs that it was never meant for. An element is a "
        "token of the model's (there are 512, mostly parts of words); tags are the treebank's own.",
        f"Texts: dev of {_TREEBANK_CREDIT}. {_STORIES_CREDIT}",
        (
            *("microtome", "dissect", "hf:../shared/data/models/stories260k_llama", "--layer", NEURONS),
            *("--data", f"../shared/data/ud_ewt/{TREEBANK[0]}", "--device", "cpu"),
            *("--permutations", str(STORY_DRAWS), "--out", "runs/results/stories-ewt"),
        ),
        _stories_ewt,
        DissectSettings(permutations=STORY_DRAWS),
    ),
    RealRun(
        "stories-own",
        "A small language model on its own stories",
        "The same 172 neurons over what the model writes of itself, token by token from its own probabilities. Tags "
        "come from NLTK's perceptron, trained on the treebank.",
        f"Texts: the model's own. {_STORIES_CREDIT} Tags: trained on dev and test of {_TREEBANK_CREDIT}.",
        ("python", "-m", "tests.real.results", "--only", "stories-own"),
        _stories_own,
        DissectSettings(permutations=STORY_DRAWS),
    ),
)
"""In the order of the pages."""
