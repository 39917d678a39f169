"""Heatmaps of images for texts, classes, vectors and heads.

load -> one pass of heat, block by block -> arrays, numbers, pictures -> report
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import MicrotomeError, OptionError
from microtome.data.base import ImageData, hash_of
from microtome.methods.decompose.terms import decompose
from microtome.methods.decompose.token_heat import head_norms, token_heat
from microtome.models.model import Model
from microtome.recipes.decompose_manifest import decompose_manifest
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import Opened, open_both, plan_of
from microtome.recipes.heat_methods import DECOMPOSITION, UNDIRECTED, HeatSetup, heat_maker, heat_names
from microtome.recipes.heat_settings import NEUTRAL, NOTHING, OTHERS, HeatSettings
from microtome.recipes.heat_targets import Asked, Target, contrast_of, neutral_pool, targets_of
from microtome.recipes.heat_views import view_of
from microtome.recipes.sheets import Sheet
from microtome.record.one_pass import Progress, silent
from microtome.record.stream import StreamPass
from microtome.report.heat import draw_heat
from microtome.report.tiles import draw_tile
from microtome.store.run import RunDraft
from microtome.store.tables import make_table

MOST_IMAGES = 2000
PER_SHEET = 24
"""Images of one sheet of pictures."""
_TILE = 112
_SUMS = {"patches", "class_token", "total", "output"}
_STRONG = 0.99
"""Share of patches below the strongest colour."""


@dataclass(frozen=True, eq=False)
class HeatRun:
    """What the tables of a run of heatmaps are made from."""

    opened: Opened
    asked: Asked
    targets: list[Target]
    settings: HeatSettings
    stream: StreamPass


def heatmap_images(
    model: Model | str = "world:clip",
    data: ImageData | str | Path = "arranged@8",
    *,
    asked: Asked,
    out: Path | str = "runs/heatmap",
    settings: HeatSettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Decomposition:
    """Heatmaps of images for everything that is asked for.

    Parameters
    ----------
    model:
        A loaded vision transformer, or a spec that `load` takes.
    data:
        Images (`data.pictures.Pictures` for single files), or what `open_data` takes.
    asked:
        Texts, classes, vectors and heads.
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
    settings = settings or HeatSettings()
    opened = open_both(model, data, settings.images)
    settings = settings.checked(len(opened.tower.layers))
    if len(opened.data) > MOST_IMAGES:
        raise OptionError(
            f"Heatmaps of {len(opened.data)} images are asked for.", expected=f"at most {MOST_IMAGES}",
            next_step="name fewer, or ask for fewer with --images",
        )  # fmt: skip
    targets = targets_of(
        opened.model, opened.tower, asked, minus=settings.minus, neutral=settings.neutral, template=settings.template
    )
    run = _batch_of(opened, targets, settings)
    named = [(target.name, *([] if target.direction is None else [_digest(target.direction)])) for target in targets]
    extra = {"method": settings.method, "layers": settings.layers, "targets": named}
    draft = RunDraft(Path(out), plan=plan_of(opened, "heatmap", settings.images, extra), overwrite=overwrite)
    try:
        stream = StreamPass(
            opened.model, opened.data, run, folder=draft.cache, batch_size=settings.images.batch_size,
            strict=settings.images.strict,
        )  # fmt: skip
        stream.run(progress=progress, stage="heatmaps")
        found = HeatRun(opened, asked, targets, settings, stream)
        draft.table("heatmaps", make_table("heatmaps", _rows(found, draft.folder, progress)))
        draft.arrays("heat.safetensors", {t.name: stream.whole("heat")[:, n] for n, t in enumerate(targets)})
        draft.manifest(_manifest(found, command))
        _report(draft)
        return Decomposition(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _digest(direction: Float[Tensor, " d_out"]) -> str:
    return hash_of([direction.double().cpu().numpy().tobytes()])


def _batch_of(opened: Opened, targets: Sequence[Target], settings: HeatSettings) -> Any:
    """The function of a batch: `heat` [image, target, ...] and its sums [image, target]; the first is checked."""
    tower = opened.tower
    method, *more = heat_names([settings.method])
    if more:
        raise OptionError(
            f"'{settings.method}' is more than one heatmap method.", expected=f"one of {method}, {', '.join(more)}"
        )
    # An unfit method is an error before anything is read.
    maker = heat_maker(method, HeatSetup(tower, settings.layers, cosine=opened.model.texts is not None))
    if method != DECOMPOSITION and any(target.head is not None for target in targets):
        raise OptionError(
            f"The heatmap method '{method}' knows nothing of single heads.", expected=f"--method {DECOMPOSITION}"
        )
    unchecked = [True]

    def run(x: Float[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        if unchecked:
            decompose(tower, x)
            unchecked.clear()
        if method == DECOMPOSITION:
            return _decomposed(opened, targets, x, settings.layers)
        maps = [maker(x, _direction(target).expand(len(x), -1)) for target in targets]
        heat = torch.stack(maps, dim=1).detach().float()
        return {"heat": heat, "patches": heat.flatten(2).sum(dim=2)}

    return run


def _direction(target: Target) -> Float[Tensor, " d_out"]:
    assert target.direction is not None
    return target.direction


def _decomposed(
    opened: Opened, targets: Sequence[Target], x: Float[Tensor, "batch 3 height width"], layers: Sequence[int] | None
) -> dict[str, Tensor]:
    """Heat by the decomposition. Targets of all heads share one forward pass; lengths have sums that mean nothing."""
    tower = opened.tower
    tokens: dict[int, Tensor] = {}
    outputs: dict[int, Tensor] = {}
    together = [n for n, target in enumerate(targets) if target.head is None]
    if together:
        shared = token_heat(tower, x, torch.stack([_direction(targets[n]) for n in together]), layers=layers)
        for place, n in enumerate(together):
            tokens[n], outputs[n] = shared.tokens[:, place], shared.output[:, place]
    for n, target in enumerate(targets):
        if target.head is None:
            continue
        layer, head = target.head
        if target.direction is None:
            tokens[n] = head_norms(tower, x, layer=layer, head=head)
            outputs[n] = torch.zeros_like(tokens[n][:, 0])
        else:
            own = token_heat(tower, x, target.direction[None], layers=[layer], head=head)
            tokens[n], outputs[n] = own.tokens[:, 0], own.output[:, 0]
    every = torch.stack([tokens[n] for n in range(len(targets))], dim=1).float()
    output = torch.stack([outputs[n] for n in range(len(targets))], dim=1).float()
    end = tower.first_patch + tower.grid[0] * tower.grid[1]
    patches, prefix = every[..., tower.first_patch : end], every[..., : tower.first_patch].sum(dim=2)
    sums = {"patches": patches.sum(dim=2), "class_token": prefix, "total": every.sum(dim=2), "output": output}
    return {"heat": patches.unflatten(2, tower.grid), **sums}


def _rows(run: HeatRun, folder: Path, progress: Progress) -> list[dict[str, Any]]:
    """Rows of `heatmaps`, with a sheet of pictures for every so many images; colours of a target share one scale."""
    largest = np.quantile(np.abs(run.stream.whole("heat")), _STRONG, axis=(0, 2, 3))
    rows: list[dict[str, Any]] = []
    done, sheet = 0, Sheet(folder, "images/heatmaps/0000.jpg")
    for block in run.stream:
        for place, number in enumerate(block.index.tolist()):
            if done and done % PER_SHEET == 0:
                sheet.save()
                sheet = Sheet(folder, f"images/heatmaps/{done // PER_SHEET:04d}.jpg")
            view = view_of(run.opened.model, run.opened.data.read(number).pixels, crop=True)
            tile = sheet.add(draw_tile(view, size=_TILE))
            for n, target in enumerate(run.targets):
                drawn = draw_heat(view, block.arrays["heat"][place, n], size=_TILE, largest=float(largest[n]))
                sums = {name: float(block.arrays[name][place, n]) for name in block.arrays.keys() & _SUMS}
                row = _row(run, target, sums, run.opened.data.key(number))
                rows.append(row | {"sprite": sheet.name, "tile": tile, "heat_tile": sheet.add(drawn)})
            done += 1
            progress("drawing", done, len(run.opened.data))
    sheet.save()
    return rows


def _row(run: HeatRun, target: Target, sums: Mapping[str, float], key: str) -> dict[str, Any]:
    known = dict(sums) if target.direction is not None else {"patches": sums["patches"]}
    caption = f"{key}: {target.name}" + (f", {known['total']:+.3g}" if "total" in known else "")
    return known | {
        "image": key, "text": target.name, "minus": minus_words(run) if target.contrasted else None,
        "method": run.settings.method.replace("_", "-"), "caption": caption,
    }  # fmt: skip


def minus_words(run: HeatRun) -> str | None:
    """What was subtracted, in words; None for nothing."""
    minus, model = contrast_of(run.asked, run.settings.minus), run.opened.model
    if minus == (OTHERS,):
        return "the others"
    if minus == (NOTHING,):
        return None
    if minus == (NEUTRAL,):
        return "all classes" if model.texts is None else f"neutral texts ({neutral_pool(model, run.settings.neutral)})"
    return ", ".join(minus)


def _manifest(run: HeatRun, command: Sequence[str]) -> dict[str, Any]:
    images = len(run.stream.index())
    summary = {
        "images": images, "targets": [target.name for target in run.targets],
        "method": run.settings.method.replace("_", "-"), "minus": minus_words(run),
        "sentences": _sentences(run, images),
    }  # fmt: skip
    return decompose_manifest(
        run.opened, "heatmap", settings=asdict(run.settings), summary=summary, command=command,
        skipped=run.stream.problems(),
    )  # fmt: skip


def _sentences(run: HeatRun, images: int) -> list[str]:
    """What the numbers and colours mean."""
    method, minus = run.settings.method.replace("_", "-"), minus_words(run)
    said = [f"{images} images, each with {len(run.targets)} heatmaps by {method}."]
    directed = any(target.direction is not None for target in run.targets)
    if any(target.contrasted for target in run.targets) and minus and method not in UNDIRECTED:
        said.append(f"Each direction is the text or class minus the mean of {minus}.")
    if method == DECOMPOSITION and directed:
        whose = "the heads" if run.settings.layers is None else "the heads of the chosen layers"
        said.append(
            f"Over patches and class token the numbers add up to what {whose} (or the one head that is named) add to "
            "output . direction; the rest of it comes from MLPs, embedding and biases. Warm patches speak for the "
            "direction, cold ones against it."
        )
    if any(target.direction is None for target in run.targets):
        said.append(
            "A head without a text is shown by the length of what it writes from each patch: never cold, and the "
            "lengths do not add up."
        )
    if method in UNDIRECTED:
        said.append("This method looks at attention alone: its map is the same for every text.")
    said.append("Colours of one text share one scale over all images.")
    return said


def _report(draft: RunDraft) -> None:
    from microtome.report.decompose.pages import write_decompose_report

    write_decompose_report(draft.folder)
