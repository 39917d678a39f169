"""Attack a model in words: what its neurons say would turn one class into another, and whether it does.

directions of neurons -> words -> prompts -> pictures that contain them -> flips, beside random words -> report
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load_file

from microtome.core.errors import MicrotomeError, OptionError, RunError, nearest
from microtome.data.base import ImageData
from microtome.data.pools.base import TextPool
from microtome.data.pools.read import open_pool
from microtome.data.world.dataset import World
from microtome.models.model import Model
from microtome.models.texts import text_directions
from microtome.recipes.adversary_flips import ask, changed_row, flip_row, flips_of
from microtome.recipes.adversary_generator import Generate, load_generator
from microtome.recipes.adversary_settings import AdversarySettings
from microtome.recipes.adversary_tables import Attack, image_rows, sentences_of
from microtome.recipes.adversary_words import Search, cases_of, find_words, prompts_of
from microtome.recipes.answering import answering
from microtome.recipes.decompose_heads import FEWEST
from microtome.recipes.decompose_manifest import decompose_manifest
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import LESS, Opened, heldout_half, open_both, plan_of
from microtome.recipes.neuron_effects import coefficient_bytes, coefficient_pass, measure_effects
from microtome.recipes.sheets import Sheet
from microtome.record.one_pass import Progress, silent
from microtome.store.run import RunDraft, read_manifest
from microtome.store.tables import make_table

Row = dict[str, Any]
_SCENES = World("heldout", count=1).classes
_SHOWN_OF_MANY = 1
"""Pictures shown of each pair where all pairs are tried."""


@dataclass(frozen=True, eq=False)
class Neurons:
    """Directions of a layer's neurons, and what they were measured on.

    Attributes
    ----------
    layer:
        Which.
    directions:
        [neuron, d_out].
    sizes:
        Spread of each neuron's effect along its direction.
    skipped:
        What was wrong with images that were left out.
    data:
        What the run of neurons says of its images; None where they were measured here.
    """

    layer: int
    directions: Float[np.ndarray, "neuron d_out"]
    sizes: Float[np.ndarray, " neuron"]
    skipped: tuple[str, ...] = ()
    data: dict[str, Any] | None = None


def find_adversary(
    model: Model | str = "world:clip",
    source: str = "",
    target: str = "",
    *,
    data: ImageData | str | Path = "arranged@2000",
    run: Path | str | None = None,
    texts: TextPool | str | Path = "general",
    generator: Generate | str | None = None,
    out: Path | str = "runs/adversary",
    settings: AdversarySettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Decomposition:
    """Find words that turn pictures of one class into another for a model, and try them beside random words.

    Parameters
    ----------
    model, texts, out, overwrite, command:
        As for `decompose_neurons`; the model is CLIP-like.
    source, target:
        The true class and the wrong one. Not needed where all pairs are tried.
    data:
        Images on which the neurons' directions are measured.
    run:
        A finished run of `decompose_neurons` of the same model that brings the directions instead.
    generator:
        The user's image generator, or where it is (`package.module:function`, `path/to/file.py:function`): called with
        a prompt and a seed, it returns an RGB image. Without one, things are put into scenes of the planted world.

    Raises
    ------
    MicrotomeError
        On anything that the user can mend; nothing is left at `out`.

    Source: Gandelsman, Efros & Steinhardt 2024, Interpreting the second-order effects of neurons in CLIP, section 5.1.
    The published work has pictures made by a text-to-image model alone, and no control.
    """
    settings = settings or AdversarySettings()
    opened = _opened(model, data if run is None else World("heldout", count=16), settings)
    settings = settings.checked(opened.tower)
    make = load_generator(generator) if isinstance(generator, str) else generator
    classes = _classes(settings, source, target, made=make is not None)
    pool = texts if isinstance(texts, TextPool) else open_pool(texts)
    vectors = text_directions(opened.model.texts, pool.texts, spec=opened.model.spec).double().cpu().numpy()
    answers = answering(opened.model, classes, template=settings.template)
    assert answers is not None, "there are classes, and texts for them"
    known = None if run is None else neurons_of_run(Path(run), opened)
    layer = settings.of_neurons().chosen_layer(opened.tower) if known is None else known.layer
    plan = plan_of(opened, "adversary", settings.images, {"layer": layer})
    draft = RunDraft(Path(out), plan=plan, overwrite=overwrite)
    try:
        known = known or _measured(opened, layer, draft, settings, progress)
        search = Search(known.directions, known.sizes, pool, vectors, answers, settings, make)
        pairs = _pairs(classes, source, target, settings)
        tables, found = _tables(search, opened, pairs, draft, progress)
        for name, rows in tables.items():
            draft.table(name, make_table(name, rows))
        draft.manifest(_manifest(search, opened, known, tables, found, command))
        from microtome.report.decompose.pages import write_decompose_report

        write_decompose_report(draft.folder)
        return Decomposition(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _opened(model: Model | str, data: ImageData | str | Path, settings: AdversarySettings) -> Opened:
    opened = open_both(model, data, settings.images)
    if len(opened.data) < FEWEST and not isinstance(opened.data, World):
        raise OptionError(f"{len(opened.data)} images are too few to look at neurons.", expected=f"at least {FEWEST}")
    return opened


def _classes(settings: AdversarySettings, source: str, target: str, *, made: bool) -> tuple[str, ...]:
    """All classes to answer among, once the two are found among them."""
    own = () if settings.all_pairs else (source, target)
    both_scenes = all(name in _SCENES for name in own)
    classes = settings.classes or (_SCENES if both_scenes else own)
    if not settings.all_pairs and (not source or not target or source == target):
        raise OptionError(
            f"The classes are '{source}' and '{target}'.", expected="two different classes: --from and --to",
        )  # fmt: skip
    if not made and not (both_scenes and all(name in _SCENES for name in classes)):
        wrong = next(name for name in (*own, *classes) if name not in _SCENES)
        raise OptionError(
            f"The planted world has no scene class '{wrong}'.",
            expected=f"one of {', '.join(_SCENES)}",
            next_step=f"nearest: {nearest(wrong, _SCENES, most=1)}; for classes of your own add --generator",
        )
    for name in own:
        if name not in classes:
            raise OptionError(f"The class '{name}' is not among the classes.", expected=f"one of {', '.join(classes)}")
    if len(set(classes)) < len(classes) or len(classes) < 2:
        raise OptionError(f"The classes are {', '.join(classes)}.", expected="two or more, all different")
    return classes


def _pairs(classes: tuple[str, ...], source: str, target: str, settings: AdversarySettings) -> list[tuple[int, int]]:
    if settings.all_pairs:
        return list(permutations(range(len(classes)), 2))
    return [(classes.index(source), classes.index(target))]


def neurons_of_run(run: Path, opened: Opened) -> Neurons:
    """The directions that a finished run of `decompose_neurons` holds.

    Raises
    ------
    RunError
        If it is no such run, or of another model.
    """
    manifest = read_manifest(run)
    path = run / "directions.safetensors"
    if manifest.get("kind") != "decompose neurons" or not path.is_file():
        raise RunError(f"{run} holds no neurons.", expected="a run of `microtome decompose neurons`")
    if manifest["model"]["sha256"] != opened.model.fingerprint():
        raise RunError(
            f"{run} is of {manifest['model']['spec']} with other weights than {opened.model.spec}.",
            next_step="name the neurons of this model first, or leave out --run",
        )
    held = load_file(path)
    sizes = np.sqrt(held["share"].astype(np.float64) * held["variance"])
    return Neurons(
        int(manifest["summary"]["layer"]), held["directions"].astype(np.float64), sizes, data=manifest["data"]
    )


def _measured(opened: Opened, layer: int, draft: RunDraft, settings: AdversarySettings, progress: Progress) -> Neurons:
    draft.need(coefficient_bytes(opened.tower, layer, len(opened.data)), less=LESS)
    stream = coefficient_pass(opened, layer, draft.cache, settings.images)
    stream.run(progress=progress)
    heldout = heldout_half(len(stream.index()), settings.images.seed)
    top = settings.of_neurons().top_images
    effects = measure_effects(opened, stream, heldout, layer, top_images=top, progress=progress)
    sizes = np.sqrt(effects.first.share * effects.first.variance)
    return Neurons(layer, effects.first.directions, sizes, tuple(stream.problems()))


def _attack(search: Search, opened: Opened, source: int, target: int, progress: Progress) -> Attack:
    settings = search.settings
    words = find_words(search, source, target)
    prompts = prompts_of(search, words, source)
    if not prompts:
        return Attack(source, target, words, prompts, None, None, [])
    pre = opened.model.preprocess
    size = settings.size or min(1024, max(16, pre.height, pre.width))
    asked = ask(
        opened, cases_of(search, words, prompts, source, target, size), settings.scenes,
        batch_size=settings.images.batch_size, progress=progress,
    )  # fmt: skip
    things = search.generate is None
    shared: Row = {
        "how": "things" if things else "generator", "from_class": search.name(source),
        "to_class": search.name(target), "words": len(words.used), "together": len(prompts[0].words),
    }  # fmt: skip
    flips = flips_of(asked, search.answers, source, target, among_all=False)
    found = {"the two": flips}
    if len(search.answers.classes) > 2:
        found["all classes"] = flips_of(asked, search.answers, source, target, among_all=True)
    rows = [
        {
            **shared, "among": among, **flip_row(asked, one, seed=settings.images.seed),
            **(changed_row(asked) if things else {}),
        }
        for among, one in found.items()
    ]  # fmt: skip
    return Attack(source, target, words, prompts, asked, flips, rows)


def _tables(
    search: Search, opened: Opened, pairs: list[tuple[int, int]], draft: RunDraft, progress: Progress
) -> tuple[dict[str, list[Row]], list[Attack]]:
    words, prompts, rows, images = [], [], [], []
    attacks: list[Attack] = []
    sheet = Sheet(draft.folder, "images/adversary.jpg")
    most = search.settings.shown if len(pairs) == 1 else min(search.settings.shown, _SHOWN_OF_MANY)
    for done, (source, target) in enumerate(pairs, start=1):
        found = _attack(search, opened, source, target, progress if len(pairs) == 1 else silent)
        words += found.words.rows
        prompts += [
            {
                "from_class": search.name(source), "to_class": search.name(target), "rank": rank,
                "prompt": prompt.text, "words": list(prompt.words), "score": prompt.score,
            }
            for rank, prompt in enumerate(found.prompts)
        ]  # fmt: skip
        rows += found.rows
        images += image_rows(search, found, sheet, most)
        # Tiles of all pairs would not fit into memory.
        attacks.append(replace(found, asked=None))
        if len(pairs) > 1:
            progress("trying pairs of classes", done, len(pairs))
    sheet.save()
    order = sorted(rows, key=lambda row: (row["among"] != "the two", -_number(row["difference"])))
    return {"adversary_words": words, "prompts": prompts, "adversary": order, "adversary_images": images}, attacks


def _manifest(
    search: Search, opened: Opened, known: Neurons, tables: dict[str, list[Row]], attacks: list[Attack],
    command: tuple[str, ...],
) -> dict[str, Any]:  # fmt: skip
    row = next((row for row in tables["adversary"] if row["among"] == "the two"), None)
    summary = {
        "layer": known.layer, "neurons": min(search.settings.neurons, len(known.directions)), "pairs": len(attacks),
        "words": len(tables["adversary_words"]), "words_used": sum(len(one.words.used) for one in attacks),
        "words_skipped": sum(one.words.skipped for one in attacks),
        "texts_dropped": attacks[0].words.dropped if len(attacks) == 1 else None,
        "how": "things" if search.generate is None else "generator",
        **({} if row is None else {name: None if row[name] != row[name] else row[name] for name in _OF_THE_BEST}),
        "sentences": sentences_of(search, attacks, tables["adversary"]),
    }  # fmt: skip
    made = decompose_manifest(
        opened, "adversary", settings=asdict(search.settings), summary=summary, command=command,
        skipped=known.skipped, pool=search.pool, answers=search.answers,
    )  # fmt: skip
    return made if known.data is None else {**made, "data": known.data}


_OF_THE_BEST = (
    "from_class", "to_class", "rate", "low", "high", "control", "difference", "difference_low", "difference_high", "p"
)  # fmt: skip


def _number(value: float) -> float:
    return -np.inf if np.isnan(value) else value
