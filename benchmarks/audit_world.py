"""Does the audit prove the shortcuts that a model really uses, and none that it was not taught?

    python -m benchmarks.audit_world --out docs/results

Ten small networks are trained on the planted world with different seeds, each with some of the three shortcuts switched
on. What each really uses is measured without the audit: every scene is rendered again with the cue alone changed
(counterfactual rendering), beside a change of something else. A shortcut is used where the cue turns the answer at
least 10 points more often than the control, with an interval above 0. Then each network is audited, and shortcuts that
were off are put to the audit by name as well. Weights are kept below runs/audit-world.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks.audit_page import write_page
from benchmarks.audit_truth import Used, really_used
from benchmarks.small_scenes import SIZE, SmallScenes, wrapped
from microtome.core.formula import leaves
from microtome.core.parse import parse
from microtome.data.world.dataset import World
from microtome.data.world.objects import KINDS
from microtome.data.world.shortcuts import SHORTCUTS
from microtome.models.model import Model
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run import audit
from microtome.recipes.audit.settings import AuditSettings
from microtome.zoo.train_scenes import normalise, render_pictures

W, F, B = "water-color", "farm-tractor", "bird-background"
ON: tuple[frozenset[str], ...] = tuple(
    frozenset(names)
    for names in ((W, F, B), (W, F, B), (W, F, B), (W, F, B), (W, F), (W, B), (F, B), (W, B), (F, B), ())
)
"""Which shortcuts are on in each network's training images."""
CUES: dict[str, frozenset[str]] = {
    W: frozenset({"water"}), F: frozenset({"tractor", *KINDS["tractor"].parts}), B: frozenset({"water", "grass"})
}  # fmt: skip
"""A finding is about a shortcut where it turns one of its classes into the other by a concept of one of these words."""
IMAGES, EPOCHS, AUDITED = 4000, 8, 960


@dataclass(frozen=True)
class Row:
    """One network and one shortcut."""

    seed: int
    shortcut: str
    on: bool
    used: Used
    proved: bool
    findings: tuple[str, ...]
    asked_proved: bool | None
    """Of a shortcut that is off: whether it is proved where the audit is asked for it by name."""


def main() -> None:
    """Train what is not there, measure, audit, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--runs", type=Path, default=Path("runs/audit-world"))
    parser.add_argument("--models", type=int, default=len(ON))
    chosen = parser.parse_args()
    console = Console()
    rows: list[Row] = []
    accuracy: list[dict[str, float]] = []
    for seed, on in enumerate(ON[: chosen.models]):
        started = time.monotonic()
        model = trained(chosen.runs, seed, on)
        trained_at = time.monotonic()
        held = World("heldout", count=AUDITED, size=SIZE, shortcuts=on)
        shift = World("shift", count=AUDITED, size=SIZE, shortcuts=on)
        accuracy.append({"heldout": accuracy_of(model, held), "shift": accuracy_of(model, shift)})
        found = audit(
            model, "layer4", held, out=chosen.runs / f"audit-{seed:02d}", overwrite=True,
            inputs=AuditInputs(shift=shift), settings=AuditSettings(directions=0, repair=True, seed=seed),
        )  # fmt: skip
        for name in SHORTCUTS:
            rows.append(row_of(model, found, seed, name, name in on, held, shift, chosen.runs))
            console.print(json.dumps({**asdict(rows[-1]), "accuracy": accuracy[-1]}), markup=False, soft_wrap=True)
        console.print(f"{seed}: trained {trained_at - started:.0f} s, audited {time.monotonic() - trained_at:.0f} s")
    write_page(chosen.out, rows, accuracy, [sorted(on) for on in ON[: chosen.models]], chosen.runs)


def trained(runs: Path, seed: int, on: frozenset[str]) -> Model:
    """A network of this seed, trained on images with these shortcuts."""
    path = runs / f"weights-{seed:02d}.safetensors"
    world = World("train", count=IMAGES, size=SIZE, seed=seed, shortcuts=on)
    net = SmallScenes(len(world.classes))
    if path.exists():
        net.load_state_dict(load_file(path))
    else:
        _train(net, world, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)
    return wrapped(net, world.classes, f"small-scenes-{seed}")


def _train(net: nn.Module, world: World, seed: int) -> None:
    """AdamW with one cycle; images are mirrored half of the time."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()
    pictures = render_pictures(world)
    generator = torch.Generator().manual_seed(seed)
    steps = EPOCHS * (IMAGES // 64)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.03)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps, pct_start=0.25)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    net.train()
    for _ in range(EPOCHS):
        order = torch.randperm(IMAGES, generator=generator)
        for rows in order.split(64):
            if len(rows) < 64:
                continue
            pixels = pictures.pixels[rows]
            flip = torch.rand(len(rows), generator=generator) < 0.5
            pixels = torch.where(flip[:, None, None, None], pixels.flip(-1), pixels)
            loss = loss_of(net(normalise(pixels)), pictures.labels[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()


def accuracy_of(model: Model, world: World) -> float:
    """Share of a world's images answered rightly."""
    right = 0
    for first in range(0, len(world), 64):
        images = [world.read(k) for k in range(first, min(first + 64, len(world)))]
        answers = model.logits(model.preprocess([image.pixels for image in images])).argmax(dim=1)
        right += sum(int(answer) == image.label for answer, image in zip(answers, images, strict=True))
    return right / len(world)


def row_of(
    model: Model, found: Audit, seed: int, name: str, on: bool, held: World, shift: World, runs: Path
) -> Row:  # fmt: skip
    """What is true of a shortcut, and what the audit says."""
    used = really_used(name, answers_of(model), model.classes, seed=seed)
    mine = [row for row in found.proved if is_about(row["source"], row["target"], row["concept"], name)]
    asked = None
    if not on:
        asked = any(_asked(model, held, shift, runs, seed, *each) for each in accusations(name))
    return Row(seed, name, on, used, bool(mine), tuple(row["sentence"] for row in mine), asked)


def answers_of(model: Model) -> Callable[[list[np.ndarray]], np.ndarray]:
    """Pictures in, classes out."""

    def answer(pictures: list[np.ndarray]) -> np.ndarray:
        found = [
            model.logits(model.preprocess(pictures[first : first + 64])).argmax(dim=1).numpy()
            for first in range(0, len(pictures), 64)
        ]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    return answer


def is_about(source: str, target: str, concept: str, name: str) -> bool:
    """Whether a finding is about a shortcut."""
    return {source, target} == set(SHORTCUTS[name].classes) and any(
        leaf.name in CUES[name] for leaf in leaves(parse(concept))
    )


def accusations(name: str) -> list[tuple[str, str, str]]:
    """(concept, target, source) of each way in which a shortcut could be used."""
    first, second = SHORTCUTS[name].classes
    return {
        W: [("blue AND water", first, second), ("green AND water", second, first)],
        F: [("tractor", first, second)],
        B: [("water", first, second), ("grass", second, first)],
    }[name]


def _asked(
    model: Model, held: World, shift: World, runs: Path, seed: int, concept: str, target: str, source: str
) -> bool:
    settings = AuditSettings(concept=concept, target=target, source=source, directions=0, repair=False, seed=seed)
    out = runs / f"audit-{seed:02d}-{concept.replace(' ', '')}-{target}"
    run = runs / f"audit-{seed:02d}-units"
    found = audit(
        model, "layer4", held, out=out, overwrite=True, inputs=AuditInputs(shift=shift, run=run), settings=settings
    )
    return bool(found.proved)


if __name__ == "__main__":
    main()
