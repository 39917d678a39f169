"""How the shipped CLIP is trained: pictures rendered once, captions worded anew each time."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from microtome.data.world.dataset import World
from microtome.data.world.dice import Dice, mix
from microtome.data.world.families import FAMILY_SIZE, Member, family
from microtome.data.world.render import render
from microtome.data.world.varied import Wording, varied_caption
from microtome.models.clip_words import ClipWords, words_in
from microtome.models.world_clip import ClipSizes, WorldClip

MEAN, STD = 0.5, 0.25
_CHUNK = 64
_STEPS_APART = 20


@dataclass(frozen=True)
class ClipSettings:
    """Settings of the training run.

    Attributes
    ----------
    families:
        Families of four pictures; rendering costs about 9 ms each.
    steps:
        Steps of the optimiser; the learning rate falls to nothing at the last.
    batch:
        Families a step.
    learning_rate, weight_decay, warmup:
        AdamW; the rate rises over the first `warmup` steps, then follows half a cosine.
    seed:
        Weights, pictures, order and wording.
    threads:
        Threads of the processor. More than one may change the last bits.
    """

    families: int = 16_000
    steps: int = 1_600
    batch: int = 64
    learning_rate: float = 8e-4
    weight_decay: float = 0.05
    warmup: int = 100
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Pictures:
    """Training pictures in memory.

    Attributes
    ----------
    pixels:
        uint8 [picture, size, size, 3]; family f is rows 4 f to 4 f + 3.
    members:
        What each shows.
    """

    pixels: UInt8[np.ndarray, "picture size size 3"]
    members: tuple[Member, ...]


def scenes_of(families: int) -> World:
    """The scenes of the planted world that are mixed in: the training split, so that its shortcuts are learnt too."""
    return World("train", count=16 * max(1, families // 16))


def render_families(first: int, last: int, families: int, seed: int, size: int) -> UInt8[np.ndarray, "n size size 3"]:
    """Pictures of families `first` to `last` - 1."""
    world = scenes_of(families)
    drawn = [render(member.scene, size)[0] for n in range(first, last) for member in family(n, seed=seed, scenes=world)]
    return np.stack(drawn)


def make_pictures(settings: ClipSettings, *, size: int, kept: Path, workers: int) -> Pictures:
    """All training pictures, rendered by several processes once and kept in a file."""
    shape = (settings.families * FAMILY_SIZE, size, size, 3)
    if not kept.exists():
        starts = range(0, settings.families, _CHUNK)
        pixels = np.empty(shape, dtype=np.uint8)
        with ProcessPoolExecutor(workers) as pool:
            jobs = [
                pool.submit(
                    render_families,
                    first,
                    min(first + _CHUNK, settings.families),
                    settings.families,
                    settings.seed,
                    size,
                )
                for first in starts
            ]
            for first, job in zip(starts, jobs, strict=True):
                drawn = job.result()
                pixels[first * FAMILY_SIZE : first * FAMILY_SIZE + len(drawn)] = drawn
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, pixels)
    pixels = np.load(kept, mmap_mode="r")
    if pixels.shape != shape:
        raise SystemExit(f"{kept} holds {pixels.shape}, expected {shape}: remove it to render again")
    return Pictures(pixels, members_of(settings))


def members_of(settings: ClipSettings) -> tuple[Member, ...]:
    """What each training picture shows."""
    world = scenes_of(settings.families)
    return tuple(m for n in range(settings.families) for m in family(n, seed=settings.seed, scenes=world))


def normalise(pixels: UInt8[Tensor, "batch h w 3"]) -> Float[Tensor, "batch 3 h w"]:
    """What the network is shown."""
    return (pixels.permute(0, 3, 1, 2).float() / 255.0 - MEAN) / STD


@dataclass(frozen=True)
class Worded:
    """Which pictures one step shows, and what is said of them.

    Attributes
    ----------
    rows:
        Numbers of the pictures.
    mirrored:
        Whether each is shown mirrored.
    captions:
        One each.
    """

    rows: tuple[int, ...]
    mirrored: tuple[bool, ...]
    captions: tuple[str, ...]


def worded(members: Sequence[Member], settings: ClipSettings, step: int) -> Worded:
    """Pictures and captions of one step: they depend on the seed and the step alone."""
    rng = np.random.default_rng((settings.seed, step))
    chosen = rng.choice(settings.families, settings.batch, replace=False)
    rows = (chosen[:, None] * FAMILY_SIZE + np.arange(FAMILY_SIZE)).ravel().tolist()
    drawn = (rng.random(len(rows)) < 0.5).tolist()
    mirrored: list[bool] = []
    captions: list[str] = []
    for row, mirror in zip(rows, drawn, strict=True):
        member = members[row]
        mirrored.append(mirror and all(thing.numeral is None for thing in member.scene.objects))
        certain = frozenset((member.varied,)) if member.varied and rng.random() < 0.8 else frozenset[str]()
        wording = Wording(certain=certain, mirrored=mirrored[-1])
        captions.append(varied_caption(member.scene, Dice(mix("wording", settings.seed, step, row)), wording))
    return Worded(tuple(rows), tuple(mirrored), tuple(captions))


def batch_of(
    pictures: Pictures, words: ClipWords, settings: ClipSettings, step: int
) -> tuple[Float[Tensor, "batch 3 h w"], tuple[Tensor, Tensor]]:
    """Images and captions of one step."""
    said = worded(pictures.members, settings, step)
    pixels = [
        pictures.pixels[row, :, ::-1] if mirror else pictures.pixels[row]
        for row, mirror in zip(said.rows, said.mirrored, strict=True)
    ]
    return normalise(torch.from_numpy(np.stack(pixels))), words.encode(said.captions)


def trained_words(members: Sequence[Member], settings: ClipSettings, words: Sequence[str]) -> tuple[str, ...]:
    """The vocabulary with a placeholder such as "#17" for each word that no caption holds.

    A word that no caption holds has a random embedding, and must not be asked for. The captions are those of every
    20th step, so that a word that training has met but a few times is left out too; numbers of words stay.

    Parameters
    ----------
    members, settings:
        The run.
    words:
        The vocabulary.
    """
    met = {
        word
        for step in range(0, settings.steps, _STEPS_APART)
        for caption in worded(members, settings, step).captions
        for word in words_in(caption)
    }
    return tuple(word if word in met else f"#{number}" for number, word in enumerate(words))


def contrast(similarity: Float[Tensor, "image text"], ids: Tensor) -> Float[Tensor, ""]:
    """The symmetric loss; a text that stands word for word beside another image is nobody's negative.

    Source: Radford et al. 2021, figure 3; leaving out repeated texts is ours.
    """
    same = (ids[:, None] == ids[None]).all(-1) & ~torch.eye(len(ids), dtype=torch.bool, device=ids.device)
    logits = similarity.masked_fill(same, -torch.inf)
    aim = torch.arange(len(ids), device=ids.device)
    return (functional.cross_entropy(logits, aim) + functional.cross_entropy(logits.T, aim)) / 2


def rate(settings: ClipSettings, step: int) -> float:
    """The learning rate of a step."""
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Trained:
    """What a run ends with.

    Attributes
    ----------
    net:
        The network on the processor, in evaluation mode.
    curve:
        Loss and share of captions found, every so many steps.
    seconds:
        How long it took, over all its sessions; None where a checkpoint does not say.
    """

    net: WorldClip
    curve: tuple[dict[str, Any], ...]
    seconds: float | None


def train_clip(
    settings: ClipSettings,
    sizes: ClipSizes,
    pictures: Pictures,
    words: ClipWords,
    *,
    device: torch.device,
    checkpoint: Path,
    every: int = 200,
    start: Path | None = None,
) -> Trained:
    """Train, or go on from the checkpoint; at its last step there is nothing left to do.

    Parameters
    ----------
    settings, sizes, pictures, words, device:
        What and how.
    checkpoint, every:
        Where the state of the run is kept, and after how many steps each time.
    start:
        Checkpoint of an earlier run, for its weights alone; the optimiser and the learning rate begin anew.
    """
    torch.manual_seed(settings.seed)
    net = WorldClip(sizes).to(device)
    optimizer = _optimizer(net, settings)
    first, curve, before = 0, [], 0.0
    if start is not None and not checkpoint.exists():
        net.load_state_dict(torch.load(start, map_location=device)["net"])
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        first, curve, before = state["step"], state["curve"], state.get("seconds")
    began = time.monotonic()
    loss_sum = right = seen = 0.0
    for step in range(first, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(settings, step)
        pixels, (ids, last) = batch_of(pictures, words, settings, step)
        loss, found = _step(net, optimizer, pixels.to(device), ids.to(device), last.to(device))
        loss_sum, right, seen = loss_sum + loss, right + found, seen + 1
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            curve.append(
                {"step": step + 1, "loss": round(loss_sum / seen, 4), "captions found": round(right / seen, 4)}
            )
            now = time.monotonic() - began
            print(json.dumps(curve[-1]), f"{now:.0f} s", flush=True)
            loss_sum = right = seen = 0.0
            spent = None if before is None else before + now
            _keep(checkpoint, net, optimizer, {"step": step + 1, "curve": curve, "seconds": spent})
    total = None if before is None else before + time.monotonic() - began
    return Trained(net.cpu().eval(), tuple(curve), total)


def _optimizer(net: WorldClip, settings: ClipSettings) -> torch.optim.Optimizer:
    """AdamW that decays matrices alone."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=settings.learning_rate,
        betas=(0.9, 0.98),
    )


def _step(
    net: WorldClip, optimizer: torch.optim.Optimizer, pixels: Tensor, ids: Tensor, last: Tensor
) -> tuple[float, float]:
    """One step: its loss, and the share of images whose caption is the likeliest of the batch."""
    with torch.autocast(pixels.device.type, dtype=torch.bfloat16):
        images, texts = net.vision(pixels), net.text(ids, last)
    similarity = net.similarity(images.float(), texts.float())
    loss = contrast(similarity, ids)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    found = similarity.detach().argmax(1) == torch.arange(len(ids), device=ids.device)
    return float(loss.detach()), float(found.float().mean())


def _keep(checkpoint: Path, net: WorldClip, optimizer: torch.optim.Optimizer, run: dict[str, Any]) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    partial = checkpoint.with_suffix(".partial")
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), **run}, partial)
    partial.replace(checkpoint)
