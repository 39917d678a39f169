"""Find images alike in one property by the heads that tell it, and set that against the whole embedding.

load -> one pass of exact terms -> heads for each property (searched half) -> precision (held-out half) -> pictures
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from microtome.core.errors import MicrotomeError, OptionError
from microtome.data.attributes import Attribute
from microtome.data.base import ImageData
from microtome.models.model import Model
from microtome.recipes.decompose_heads import enough
from microtome.recipes.decompose_manifest import decompose_manifest
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import LESS, Opened, bytes_needed, direct_pass, heldout_half, open_both, plan_of
from microtome.recipes.head_choice import checked_heads, words_of
from microtome.recipes.property_texts import attribute_named, known_attributes
from microtome.recipes.retrieve_heads import Found, Halves, choose_for, measure
from microtome.recipes.retrieve_pictures import Album, FileQuery, Row
from microtome.recipes.retrieve_settings import RetrieveSettings
from microtome.record.one_pass import Progress, silent
from microtome.record.stream import StreamPass
from microtome.store.run import RunDraft
from microtome.store.tables import make_table

FEWEST = 40


def retrieve(
    model: Model | str = "world:clip",
    data: ImageData | str | Path = "arranged",
    *,
    out: Path | str = "runs/retrieve",
    settings: RetrieveSettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Decomposition:
    """Choose heads for each property, and measure how well images alike in it are found by them.

    Parameters
    ----------
    model:
        A loaded vision transformer, or a spec that `load` takes.
    data:
        Images of which properties are known, or what `open_data` takes. Heads are chosen on half of them; the other
        half are queries and are looked through. With given heads and a picture file as the query nothing needs to be
        known of them.
    out:
        The run folder.
    overwrite:
        Replace a run that stands at `out`.
    command:
        Words that reproduce the run, for the report.

    Raises
    ------
    MicrotomeError
        On anything that the user can mend; nothing is left at `out`.
    """
    settings = settings or RetrieveSettings()
    opened = open_both(model, data, settings.images)
    settings = settings.checked(opened.tower)
    if len(opened.data) < FEWEST:
        raise OptionError(f"{len(opened.data)} images are too few to look through.", expected=f"at least {FEWEST}")
    query = FileQuery(opened, settings.query) if settings.query else None
    draft = RunDraft(Path(out), plan=plan_of(opened, "retrieve", settings.images, {}), overwrite=overwrite)
    try:
        draft.need(bytes_needed(opened.tower, len(opened.data)), less=LESS)
        stream = direct_pass(opened, draft.cache, settings.images)
        stream.run(progress=progress)
        enough(stream, FEWEST)
        attributes = _wanted(stream, settings)
        halves = Halves(stream, opened.tower, heldout_half(len(stream.index()), settings.images.seed), settings)
        found, pictures = _find(halves, attributes, query, draft.folder, progress)
        draft.table("retrieval", make_table("retrieval", retrieval_rows(found)))
        draft.table("retrieval_examples", make_table("retrieval_examples", pictures))
        draft.manifest(_manifest(opened, halves, found, settings, command))
        _report(draft)
        return Decomposition(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _wanted(stream: StreamPass, settings: RetrieveSettings) -> list[Attribute]:
    known = known_attributes(stream)
    if settings.properties:
        return [attribute_named(known, name, "--property") for name in settings.properties]
    if not known and not (settings.heads and settings.query):
        raise OptionError(
            "Nothing is known of the images besides their pixels, so no heads can be chosen.",
            expected="images with classes or properties, or both --heads and --query",
        )
    return list(known.values())


def _find(
    halves: Halves, attributes: Sequence[Attribute], query: FileQuery | None, folder: Path, progress: Progress
) -> tuple[dict[str, Found], list[Row]]:
    given = checked_heads(halves.settings.heads, halves.tower)
    found: dict[str, Found] = {}
    pictures: list[Row] = []
    for number, attribute in enumerate(attributes):
        progress("choosing heads and finding images", number, len(attributes))
        heads = given or choose_for(halves, attribute)
        found[attribute.name], shown = measure(halves, attribute, heads)
        album = Album(halves, folder, number, attribute)
        album.add_shown(shown)
        if query is not None:
            query.find(halves, heads, album)
        pictures += album.save()
    if not attributes and query is not None and given is not None:
        album = Album(halves, folder, 0, None)
        query.find(halves, given, album)
        pictures += album.save()
    progress("choosing heads and finding images", len(attributes), len(attributes))
    return found, pictures


def retrieval_rows(found: dict[str, Found]) -> list[Row]:
    """Rows of `retrieval`, one a property."""
    return [
        {
            "property": name, "heads": words_of(one.heads), "precision": one.precision.mean,
            "low": one.precision.low, "high": one.precision.high, "full": one.full.mean, "full_low": one.full.low,
            "full_high": one.full.high, "centred": one.centred, "difference": one.difference.mean,
            "difference_low": one.difference.low, "difference_high": one.difference.high, "chance": one.chance,
            "queries": one.queries,
        }
        for name, one in found.items()
    ]  # fmt: skip


def _manifest(
    opened: Opened, halves: Halves, found: dict[str, Found], settings: RetrieveSettings, command: Sequence[str]
) -> dict[str, Any]:
    stream = halves.stream
    summary = {
        "images": len(halves.heldout), "heldout": int(halves.heldout.sum()), "k": settings.k,
        "properties": list(found), "heads": {name: [list(head) for head in one.heads] for name, one in found.items()},
        "heads_given": settings.heads is not None, "query": Path(settings.query).name if settings.query else None,
        "better": [name for name, one in found.items() if one.difference.low > 0],
        "sentences": [_sentence(name, one, settings.k) for name, one in found.items()],
    }  # fmt: skip
    notes = [
        "Heads are chosen on the searched half; queries and the images that they are compared with are held out.",
        "The whole embedding is compared by its cosine as it is; `centred` is the same less the mean embedding.",
    ]
    if settings.query:
        notes.append("For the picture file all images are looked through, those of the searched half too.")
    return decompose_manifest(
        opened, "retrieve", settings=asdict(settings), summary=summary, command=command, skipped=stream.problems(),
        notes=notes,
    )  # fmt: skip


def _sentence(name: str, one: Found, k: int) -> str:
    verdict = "better"
    if one.difference.low <= 0:
        verdict = "worse" if one.difference.high < 0 else "no different"
    plural = "s" if len(one.heads) > 1 else ""
    return (
        f"By head{plural} {words_of(one.heads)}, {_share(one.precision.mean)} of the {k} nearest images have the same "
        f"{name} ({_share(one.precision.low)} to {_share(one.precision.high)}), by the whole embedding "
        f"{_share(one.full.mean)}, by chance {_share(one.chance)}: {verdict} (difference "
        f"{100 * one.difference.low:+.1f} to {100 * one.difference.high:+.1f} points)."
    )


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _report(draft: RunDraft) -> None:
    from microtome.report.decompose.pages import write_decompose_report

    write_decompose_report(draft.folder)
