"""Text-conditioned segmentation: do heatmaps find what a text names, beside other methods and maps that know nothing?

load -> masks -> heat of each image for its text, scored block by block -> table -> pictures -> report
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from microtome.core.errors import DataError, MicrotomeError, OptionError
from microtome.data.mask_sources import MaskPictures, OpenedMasks, open_masks
from microtome.data.masks import MaskedImages
from microtome.models.load import load
from microtome.models.model import Model
from microtome.models.towers.find import tower_of
from microtome.recipes.decompose_manifest import decompose_manifest
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import Opened, plan_of
from microtome.recipes.heat_settings import NEUTRAL, OTHERS, SegmentSettings
from microtome.recipes.heat_targets import neutral_pool, thing_template
from microtome.recipes.neuron_directions import FILE
from microtome.recipes.segment_pictures import write_segment_pictures
from microtome.recipes.segment_scores import CENTRE, Contest, Directions, Segmentation, contests
from microtome.record.one_pass import Progress, silent
from microtome.store.run import RunDraft
from microtome.store.tables import make_table
from microtome.verify.paired import paired_change
from microtome.verify.segmentation import SegmentationScores

Row = dict[str, Any]


def _content(name: str) -> str:
    """Hash of a file that settings name, empty where it is none."""
    return sha256(Path(name).read_bytes()).hexdigest() if name and Path(name).is_file() else ""


def segment_images(
    model: Model | str = "world:clip",
    data: MaskedImages | str | Path = "arranged@300",
    *,
    concept: str | None = None,
    text: str | None = None,
    names: Path | None = None,
    out: Path | str = "runs/segment",
    settings: SegmentSettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Decomposition:
    """Score heatmaps of what masks show, by the decomposition and by other methods, in one table.

    Parameters
    ----------
    model:
        A loaded vision transformer, or a spec that `load` takes.
    data:
        Masked images, or what `open_masks` takes.
    concept, names:
        See `open_masks`.
    text:
        A text (or class) for every image; default: what each mask shows, in the template.
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
    settings = settings or SegmentSettings()
    given = settings.images
    if not 1 <= given.batch_size <= 64:
        raise OptionError(f"The batch size is {given.batch_size}.", expected="1 to 64 images")
    loaded = load(model) if isinstance(model, str) else model
    tower = tower_of(loaded)
    settings = settings.checked(len(tower.layers))
    source = _masks(data, concept, names, strict=given.strict)
    numbers = _drawn(len(source.masks), given.limit, given.seed)
    opened = Opened(loaded, tower, MaskPictures(source.masks, numbers))
    directions = Directions(opened, settings, source.things, text)
    rows = contests(opened, settings, directions.against)
    extra = {"settings": repr(settings), "text": text, "rows": [[row.method, row.direction] for row in rows]}
    extra["files"] = [_content(settings.neurons and f"{settings.neurons}/{FILE}"), _content(settings.neutral)]
    draft = RunDraft(Path(out), plan=plan_of(opened, "segment", given, extra), overwrite=overwrite)
    try:
        work = Segmentation(opened, source.masks, numbers, directions, rows, settings, draft.cache)
        work.check()
        scores, problems, empty = work.run(progress)
        problems = [*source.problems, *problems]
        table = segmentation_rows(rows, scores, seed=given.seed)
        draft.table("segmentation", make_table("segmentation", table))
        pictures = write_segment_pictures(work, scores, draft.folder, progress)
        draft.table("segment_images", make_table("segment_images", pictures))
        draft.manifest(_manifest(work, table, problems, empty, text, command))
        _report(draft)
        return Decomposition(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _masks(data: MaskedImages | str | Path, concept: str | None, names: Path | None, *, strict: bool) -> OpenedMasks:
    if isinstance(data, str | Path):
        return open_masks(data, concept=concept, names=names, strict=strict)
    if concept is not None or names is not None:
        raise OptionError("Masked images that are open have their concept.", next_step="leave concept and names out")
    if not len(data):
        raise DataError("There are no masked images.", expected="at least one")
    return OpenedMasks(data)


def _drawn(count: int, limit: int | None, seed: int) -> list[int]:
    """Which masked images are taken, in order."""
    if limit is None:
        return list(range(count))
    if limit < 1:
        raise OptionError(f"A limit of {limit} images leaves none.", expected="at least 1")
    return sorted(np.random.default_rng(seed).permutation(count)[:limit].tolist())


def segmentation_rows(rows: Sequence[Contest], scores: Sequence[SegmentationScores], *, seed: int) -> list[Row]:
    """Rows of `segmentation`: each method's figures, and by how much its IoU of an image exceeds the centre blob's."""
    (centre,) = (own for row, own in zip(rows, scores, strict=True) if row.method == CENTRE)
    blob = {image.key: image.mean_iou for image in centre.images()}
    table: list[Row] = []
    for row, own in zip(rows, scores, strict=True):
        found = own.result(seed=seed)
        images = own.images()
        mine = np.array([image.mean_iou for image in images])
        other = np.array([blob[image.key] for image in images])
        gain = paired_change(other, mine, other, seed=seed)
        entry: Row = {"method": row.method, "direction": row.direction or None, "control": row.control}
        for name, figure in (
            ("pixel", found.pixel_accuracy), ("miou", found.mean_iou), ("map", found.mean_ap),
            ("image_iou", found.image_iou),
        ):  # fmt: skip
            entry |= {"pixel_accuracy" if name == "pixel" else name: figure.mean}
            entry |= {f"{name}_low": figure.low, f"{name}_high": figure.high}
        if row.method != CENTRE:
            entry |= {"gain": gain.difference.mean, "gain_low": gain.difference.low, "gain_high": gain.difference.high}
            entry["gain_p"] = gain.p
        table.append(entry | {"images": found.images})
    return table


def _manifest(
    work: Segmentation, table: Sequence[Row], problems: Sequence[str], empty: int, text: str | None,
    command: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    model, settings = work.opened.model, work.settings
    how = text if text is not None else (settings.template or thing_template(model)) if model.texts else "its own class"
    neutral = f"neutral texts ({neutral_pool(model, settings.neutral)})" if model.texts else "all classes"
    summary = {
        "images": table[0]["images"], "text": how, "neutral": neutral, "rule": str(settings.rule),
        "best": max((row for row in table if not row["control"]), key=lambda row: row["miou"])["method"],
        "sentences": _sentences(table, how, neutral, settings),
    }  # fmt: skip
    notes = [f"{empty} images show no pixel of their mask and were left out."] if empty else []
    return decompose_manifest(
        work.opened, "segment", settings=asdict(settings), summary=summary, command=command, skipped=problems,
        notes=notes,
    )  # fmt: skip


def _sentences(table: Sequence[Row], how: str, neutral: str, settings: SegmentSettings) -> list[str]:
    """What the table shows."""
    rows = {(row["method"], row["direction"] or ""): row for row in table}
    own, best = table[0], max((row for row in table if not row["control"]), key=lambda row: row["miou"])
    rule = {"mean": "its mean", "middle": "the middle of its range", "zero": "zero"}.get(
        str(settings.rule), f"its {settings.rule}-quantile"
    )
    said = [
        f"{own['images']} images, each asked for what its mask shows ({how}); foreground is where the heat, brought to "
        f"{settings.score_size} x {settings.score_size} pixels, is above {rule}.",
        f"{_called(own)} has a mean IoU of {_figure(own, 'miou')} and a mean AP of {_figure(own, 'map')}.",
    ]
    if best is not own:
        said.append(f"The highest mean IoU is that of {_called(best)}: {_figure(best, 'miou')}.")
    centre = rows[CENTRE, ""]
    said.append(
        f"A blob in the middle of every image, which knows nothing, has {_figure(centre, 'miou')} (AP "
        f"{centre['map']:.3f}); gains are of each image's IoU over this blob: {_called(own)} "
        f"{own['gain']:+.3f} [{own['gain_low']:+.3f}, {own['gain_high']:+.3f}]."
    )
    mismatched = next((row for row in table if row["method"] == "other image"), None)
    if mismatched and mismatched["images"]:
        said.append(
            f"The same heat laid over another image has {_figure(mismatched, 'miou')} (AP {mismatched['map']:.3f}): "
            "what is above it depends on the image."
        )
    used = {str(row["direction"]).partition(" - ")[2] for row in table}
    if OTHERS in used:
        said.append("'text - others' subtracts the mean direction of all things that the data's masks could show.")
    if NEUTRAL in used:
        said.append(f"'text - neutral' subtracts the mean direction of {neutral}.")
    return said


def _called(row: Mapping[str, Any]) -> str:
    return f"{row['method']} ({row['direction']})" if row["direction"] else str(row["method"])


def _figure(row: Mapping[str, Any], name: str) -> str:
    return f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"


def _report(draft: RunDraft) -> None:
    from microtome.report.decompose.pages import write_decompose_report

    write_decompose_report(draft.folder)
