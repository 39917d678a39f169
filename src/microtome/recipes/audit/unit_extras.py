"""Further tables on units: what kind each is, and links to the layer before."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from microtome.core.errors import DataError
from microtome.core.formula import Formula, leaves
from microtome.core.parse import parse
from microtome.core.site import Site
from microtome.models.hooks import split_layer
from microtome.models.model import Model
from microtome.models.trace import trace
from microtome.recipes.audit.findings import part_columns
from microtome.recipes.audit.image_parts import ImageParts
from microtome.recipes.audit.text_model import TextUnits
from microtome.recipes.audit.unit_model import UnitModel
from microtome.recipes.result import Dissection
from microtome.verify.concept_distance import cooccurrence_distance, limits_of
from microtome.verify.kinds import POOR_IOU, UnitKind, alikeness, kind_of, shares

Row = dict[str, Any]
LINKED_ON = 128
LINKS = 3
TOP, ALIKE_SETS = 10, 100
GRID = 48
"""Rows and columns of the grid on which masks are compared, at most."""


def kind_tables(run: Dissection, asked: UnitModel | TextUnits, held: Any) -> tuple[dict[int, UnitKind], list[Row], str]:
    """The kind of every unit, `kind_shares`, and a note that says which distance was used."""
    table, _ = run.signatures("search")
    distance = cooccurrence_distance(table)
    seen = sorted(
        {leaf.name for row in run.units.to_pylist() if row["formula"] for leaf in leaves(parse(row["formula"]))}
    )
    try:
        limits = limits_of(distance, seen)
    except DataError:
        return {}, [], "Units were not sorted into kinds: their formulas have fewer than two concepts."
    values: Any = asked
    vectors = values.values(held)
    found: dict[int, UnitKind] = {}
    for row in run.units.to_pylist():
        unit = int(row["unit"])
        nan = float("nan")
        formula: Formula | None = parse(row["formula"]) if row["formula"] else None
        alike = None
        if not row["named"] or (row["iou_heldout"] or 0.0) < POOR_IOU:
            # Of the others the formula decides.
            top = np.argsort(-vectors[:, unit], kind="stable")[:TOP]
            enough = len(vectors) >= 2 * TOP and vectors.shape[1] > 1
            alike = alikeness(vectors, top, unit, sets=ALIKE_SETS) if enough else None
        found[unit] = kind_of(
            f"unit {unit}", formula, iou=nan if row["iou_heldout"] is None else row["iou_heldout"],
            p=nan if row["fdr"] is None else row["fdr"], alike=alike, distance=distance, limits=limits,
        )  # fmt: skip
    rows = [
        {"kind": each.kind, "units": each.count, "share": each.share, "low": each.interval[0], "high": each.interval[1]}
        for each in shares(list(found.values()))
    ]
    return (
        found,
        rows,
        (
            "Kinds of units: two concepts are near or far by what they occur with in the data, 1 - cosine of their "
            f"rows of the table of signatures; near is {limits.near:.2f} or less, far {limits.far:.2f} or more."
        ),
    )


def link_rows(model: Model, asked: UnitModel, parts: ImageParts) -> tuple[list[Row], list[str]]:
    """`part_links`: for each unit the units of the layer before that go with it most.

    By weight where one matrix leads from the one layer to the other, by correlation of mean activations over images,
    and by the overlap of masks (Jaccard), as Mu & Andreas 2020 relate units of consecutive layers.
    """
    before = previous_site(model, asked.site)
    if before is None:
        return [], ["Units were not linked to a layer before: there is none of the kind."]
    drawn = np.random.default_rng(LINKED_ON).permutation(len(parts.hosts))[:LINKED_ON]
    pixels = [parts.hosts.pixels[row] for row in np.sort(drawn)]
    own = activations_of(model, asked.site.layer, pixels)
    other = activations_of(model, before.layer, pixels)
    correlation = _correlations(own.mean(axis=(2, 3)), other.mean(axis=(2, 3)))
    jaccard = _jaccard(own, other)
    weights = _weights_between(model, before, asked.site)
    rows: list[Row] = []
    for unit in sorted(asked.names):
        for number in np.argsort(-jaccard[unit], kind="stable")[:LINKS].tolist():
            rows.append({
                "layer": asked.site.layer, "part": unit, "other_layer": before.layer, "other": number,
                "weight": None if weights is None else weights[unit, number], "correlation": correlation[unit, number],
                "jaccard": jaccard[unit, number], "words": part_columns(asked.names[unit])["words"],
            })  # fmt: skip
    return rows, []


def previous_site(model: Model, site: Site) -> Site | None:
    """The last layer before with a map, that is not inside of the layer nor around it."""
    sites = model.sites()
    ran = [call.name for call in model.calls]
    name = split_layer(site.layer)[0]
    if name not in ran or not site.spatial:
        return None
    top = name.split(".")[0]
    earlier = [each for each in ran[: ran.index(name)] if each in sites and sites[each].spatial]
    outside = [
        each for each in earlier if not each.startswith(f"{name}.") and (each.split(".")[0] != top or "." in name)
    ]
    return sites[outside[-1]] if outside else None


def activations_of(model: Model, layer: str, pixels: list[np.ndarray]) -> Float[np.ndarray, "image unit height width"]:
    """Maps of every unit, float32."""
    found = []
    site = model.site(layer)
    with torch.no_grad(), trace(model, [layer], stop=True) as cache:
        for first in range(0, len(pixels), 32):
            acts = cache.run(model.preprocess(pixels[first : first + 32]))[layer]
            found.append(acts.movedim(site.unit_axis, 1).float().cpu().numpy())
    return np.concatenate(found)


def _correlations(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, two = own - own.mean(axis=0), other - other.mean(axis=0)
    scale = np.linalg.norm(one, axis=0)[:, None] * np.linalg.norm(two, axis=0)[None, :]
    return np.divide(one.T @ two, scale, out=np.zeros_like(scale), where=scale > 0)


def _jaccard(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Overlap of where units are in their top 2 %, on the coarser of the two maps."""
    side = min(own.shape[2], other.shape[2]), min(own.shape[3], other.shape[3])
    masks = []
    for acts in (own, other):
        pooled = nn.functional.adaptive_max_pool2d(torch.from_numpy(acts), side).numpy()
        flat = pooled.transpose(1, 0, 2, 3).reshape(pooled.shape[1], -1)
        bar = np.quantile(flat, 0.98, axis=1, keepdims=True)
        masks.append((flat > bar).astype(np.float32))
    both = masks[0] @ masks[1].T
    either = masks[0].sum(axis=1)[:, None] + masks[1].sum(axis=1)[None, :] - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def _weights_between(model: Model, before: Site, site: Site) -> np.ndarray | None:
    """Summed weights of the one convolution or linear layer between two layers; None where there are several."""
    ran = [call.name for call in model.calls]
    first, last = ran.index(split_layer(before.layer)[0]), ran.index(split_layer(site.layer)[0])
    modules = dict(model.module.named_modules())
    after = (modules[name] for name in ran[first + 1 : last + 1])
    between = [each.weight.detach().float() for each in after if isinstance(each, nn.Conv2d | nn.Linear)]
    if len(between) != 1 or tuple(between[0].shape[:2]) != (site.units, before.units):
        return None
    weight = between[0]
    return (weight.sum(dim=(2, 3)) if weight.ndim == 4 else weight).cpu().numpy()
