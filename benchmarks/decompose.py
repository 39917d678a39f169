"""Decomposition: what it adds to a plain forward pass, in processor time on one thread.

`python -m benchmarks.decompose WHAT NAME REPEATS` prints one line of JSON. Plain pass and ours run in turn on the same
images; every figure is of a process of its own, with its peak memory.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.decompose_models import PIXELS, make_tower
from microtome.models.towers.base import Tower

BATCH = 16
TEXTS, TAKEN, IMAGES, BLOCK = 3498, 60, 50_000, 64
LAYER = 9
Found = dict[str, float]


def _peak() -> float:
    """Largest memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _images(count: int) -> Tensor:
    return torch.randn(count, 3, PIXELS, PIXELS, generator=torch.Generator().manual_seed(0))


def in_turn(plain: Callable[[], object], ours: Callable[[], object], repeats: int) -> Found:
    """Median, smallest and largest ratio of processor time of pairs of runs, and the plain run's seconds.

    The order within a pair changes from pair to pair.
    """
    plain()
    before = _peak()
    ours()
    extra = _peak() - before
    ratios, seconds = [], []
    for turn in range(repeats):
        spent = {}
        for own in ((plain, ours), (ours, plain))[turn % 2]:
            start = time.process_time()
            own()
            spent[own] = time.process_time() - start
        ratios.append(spent[ours] / spent[plain])
        seconds.append(spent[plain])
    return {
        "ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios), "pairs": repeats,
        "plain": statistics.median(seconds), "before": before, "extra": extra,
    }  # fmt: skip


def _plain(tower: Tower, x: Tensor) -> Callable[[], object]:
    def run() -> object:
        with torch.inference_mode():
            return [tower.module(part) for part in x.split(BATCH)]

    return run


def heat(name: str, repeats: int) -> Found:
    """Heatmaps of all heads against one text."""
    from microtome.methods.decompose.heatmap import fold, heatmaps

    tower, x = make_tower(name), _images(BATCH)
    text = torch.nn.functional.normalize(torch.randn(1, tower.d_out), dim=1)
    folded = [fold(tower, text, layer) for layer in range(len(tower.layers))]
    return in_turn(_plain(tower, x), lambda: heatmaps(tower, x, text, folded=folded), repeats)


def terms(name: str, repeats: int) -> Found:
    """All terms of every image, with the second moments of all heads."""
    from microtome.methods.decompose.terms import places_of, take_apart
    from microtome.models.towers.streams import run_tower
    from microtome.stats.second_moments import SecondMoments

    tower, x = make_tower(name), _images(BATCH)
    moments = SecondMoments(len(tower.layers) * tower.heads, tower.space)

    def ours() -> None:
        with torch.no_grad():
            heads = take_apart(tower, run_tower(tower, x, places_of(tower))).heads
        moments.add(heads.flatten(1, 2).numpy())

    return in_turn(_plain(tower, x), ours, repeats) | {"state": moments.nbytes / 1e6}


def neurons(name: str, repeats: int, *, layer: int = LAYER, expand: bool = False) -> Found:
    """Second-order coefficients of all neurons of a layer with their second moments, or with all effects expanded.

    Moments of a layer that is far from the end are taken part by part, as `decompose neurons` does.
    """
    from microtome.methods.decompose.second_order import directions_of, effects, width
    from microtome.models.towers.reading import coefficients, places_after
    from microtome.models.towers.streams import run_tower
    from microtome.stats.second_moments import SecondMoments

    tower, x = make_tower(name), _images(2 * BATCH)
    count, wide = tower.layers[layer].mlp.w_out.shape[1], width(tower, layer)
    fixed = directions_of(tower, layer) if expand else None
    at_once = min(count, 2**28 // (48 * (wide + 1) ** 2))
    moments = SecondMoments(at_once, wide)

    def ours() -> None:
        found = []
        with torch.no_grad():
            for part in x.split(BATCH):
                s = coefficients(tower, run_tower(tower, part, places_after(tower, layer)), layer)
                if fixed is not None:
                    effects(s, fixed)
                found.append(s.numpy())
        whole = np.concatenate(found).transpose(0, 2, 1)
        for first in range(0, count, at_once):
            (moments if first + at_once <= count else SecondMoments(count - first, wide)).add(
                whole[:, first : first + at_once]
            )

    return in_turn(_plain(tower, x), ours, repeats) | {"k": wide, "neurons": count, "at_once": at_once}


def expanded(name: str, repeats: int) -> Found:
    """The same with every neuron's effect in the output's space."""
    return neurons(name, repeats, expand=True)


def first_layer(name: str, repeats: int) -> Found:
    """Coefficients and moments of layer 0, which has most heads after it."""
    return neurons(name, repeats, layer=0)


def span(name: str, repeats: int) -> Found:
    """Seconds of processor time a head: texts from moments, and the moments of 50,000 images from what a pass kept."""
    from microtome.methods.decompose.terms import head_matrices
    from microtome.methods.decompose.text_span import HeadSpace, text_span
    from microtome.stats.second_moments import SecondMoments

    tower, rng = make_tower(name), np.random.default_rng(0)
    texts = rng.standard_normal((TEXTS, tower.d_out))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    matrices = head_matrices(tower, 0).double().numpy()
    spectrum = 0.9 ** np.arange(tower.space)
    mixing = np.linalg.qr(rng.standard_normal((tower.space, tower.space)))[0] * spectrum[:, None]
    block = (rng.standard_normal((BLOCK, tower.heads, tower.space)) @ mixing).astype(np.float32)
    moments = SecondMoments(tower.heads, tower.space)
    start = time.process_time()
    for _ in range(IMAGES // BLOCK):
        moments.add(block)
    gathered = (time.process_time() - start) / tower.heads
    seconds = []
    for head in range(min(repeats, tower.heads)):
        start = time.process_time()
        space = HeadSpace.of(matrices[head])
        taken = text_span(space.covariance(moments.covariance()[head]), texts @ space.outward, TAKEN)
        seconds.append(time.process_time() - start)
        assert len(taken.texts) == TAKEN
    return {"seconds": statistics.median(seconds), "most": max(seconds), "moments": gathered, "width": tower.space}


def state(name: str, repeats: int) -> Found:
    """Megabytes of the second moments of all heads after 64 and after ten times as many images."""
    from microtome.stats.second_moments import SecondMoments

    tower, rng = make_tower(name), np.random.default_rng(0)
    groups = len(tower.layers) * tower.heads
    moments, sizes = SecondMoments(groups, tower.space), []
    for _ in range(10):
        moments.add(rng.standard_normal((BLOCK, groups, tower.space)).astype(np.float32))
        sizes.append(moments.nbytes / 1e6)
    return {"first": sizes[0], "last": sizes[-1], "groups": groups, "width": tower.space}


PARTS = {
    "heat": heat, "terms": terms, "neurons": neurons, "expanded": expanded, "first_layer": first_layer, "span": span,
    "state": state,
}  # fmt: skip


def measured(what: str, name: str, repeats: int) -> Found:
    """One of `PARTS` in a process of its own, on one thread."""
    command = [sys.executable, "-m", "benchmarks.decompose", what, name, str(repeats)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **threads})
    return json.loads(done.stdout.splitlines()[-1])


def _ratio(got: Found) -> str:
    return (
        f"{got['ratio']:.2f} x forward ({got['least']:.2f} to {got['most']:.2f} in {got['pairs']} pairs), "
        f"{got['extra']:.0f} MiB above its {got['before']:.0f}"
    )


def run(*, quick: bool = False) -> list[tuple[str, str, str]]:
    """Rows (what, measured, target)."""
    pairs, rows = 3 if quick else 9, []
    for what, name, title, target in (
        ("heat", "CLIP B/16", "heatmaps of all heads against one text", "<= 1.20"),
        ("heat", "SigLIP B/16", "heatmaps of all heads against one text", "<= 1.40"),
        ("neurons", "CLIP B/32", f"second order of 3,072 neurons of layer {LAYER} with moments", "<= 1.30"),
        ("expanded", "CLIP B/32", "the same, all effects expanded", "<= 1.60"),
        ("first_layer", "CLIP B/32", "the same of layer 0 with moments", ""),
        ("terms", "CLIP B/16", "all terms with moments of all heads", ""),
        ("terms", "SigLIP B/16", "all terms with moments of all heads", ""),
    ):
        rows.append((f"{title}, {name}", _ratio(measured(what, name, pairs)), target))
    got = measured("span", "CLIP B/16", 12)
    rows.append((
        f"TextSpan, {TAKEN} of {TEXTS:,} texts, d_head {got['width']}",
        f"{got['seconds']:.3f} s a head (largest {got['most']:.3f}) from moments; "
        f"moments of {IMAGES:,} images {got['moments']:.3f} s a head", "<= 0.3 s",
    ))  # fmt: skip
    got = measured("state", "CLIP L/14", 1)
    rows.append((
        f"state of {got['groups']} heads of width {got['width']} (L/14)",
        f"{got['first']:.1f} MB after {BLOCK} images, {got['last']:.1f} MB after {10 * BLOCK}", "< 50 MB",
    ))  # fmt: skip
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(PARTS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))))
