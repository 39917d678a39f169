"""Pictures of a case before and after, and where an occluding patch takes the answer back.

    heat[patch] = margin(after) - margin(after with the patch grey),   margin = logit(target) - logit(true class)

Source: Zeiler & Fergus 2014, Visualizing and understanding convolutional networks, section 4.2 (occlusion).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from microtome.recipes.audit.asked import AskedModel, Pixels
from microtome.recipes.audit.nouns import Cases

PATCHES = 8


def occlusion(
    asked: AskedModel, pixels: Pixels, target: int, truth: int, *, patches: int = PATCHES
) -> Float[np.ndarray, "patch patch_"]:
    """How much of the margin hangs on each patch of a grid; in logits."""
    height, width = pixels.shape[:2]
    rows = np.linspace(0, height, patches + 1).astype(int)
    columns = np.linspace(0, width, patches + 1).astype(int)
    grey = pixels.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    pictures = [pixels]
    for r in range(patches):
        for c in range(patches):
            hidden = pixels.copy()
            hidden[rows[r] : rows[r + 1], columns[c] : columns[c + 1]] = grey
            pictures.append(hidden)
    logits = asked.answer(asked.read(pictures))
    margin = logits[:, target] - logits[:, truth]
    return (margin[0] - margin[1:]).reshape(patches, patches)


def inside_share(heat: Float[np.ndarray, "patch patch_"], changed: np.ndarray) -> tuple[float, float]:
    """Of the heat that speaks for the target the share on what was changed, and the share of the image changed."""
    from microtome.record.gallery import resized

    high = np.maximum(heat, 0.0)
    grid = resized(np.repeat((changed * 255).astype(np.uint8)[:, :, None], 3, axis=2), *heat.shape)[:, :, 0] / 255.0
    return float((high * grid).sum() / high.sum()) if high.sum() > 0 else float("nan"), float(changed.mean())


def picture_examples(asked: AskedModel, cases: Cases, shown: Sequence[int], target: int) -> Iterator[Mapping[str, Any]]:
    """For each shown case its pictures and its heat."""
    for case in shown:
        after = cases.after[case]
        heat = occlusion(asked, after, target, int(cases.truth[case]))
        inside, area = inside_share(heat, cases.marks[case])
        yield {
            "before": cases.before[case], "after": after, "heat": heat, "heat_inside": inside, "area": area,
            "changed": cases.marks[case],
        }  # fmt: skip
