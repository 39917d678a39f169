"""Train the shipped model on the planted world: `python -m microtome.zoo.train_scenes`.

Writes `scenes.safetensors` (16-bit floats) and `scenes.json` (its card). Every number of the card is measured
on the weights as they are stored. The same settings on the same kind of machine and torch give the same weights.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from safetensors.torch import save
from torch import Tensor, nn

import microtome.models
from microtome.data.world.dataset import WORLD_VERSION, World
from microtome.data.world.shortcuts import Split
from microtome.models.scenes import ScenesNet
from microtome.zoo.scenes_card import MEAN, STD, make_card


@dataclass(frozen=True)
class TrainSettings:
    """Settings of the training run.

    Attributes
    ----------
    images:
        Training images; rendering costs about 3 ms each.
    epochs:
        Passes over them.
    batch:
        Images a step.
    learning_rate, weight_decay:
        AdamW with one cycle: up over the first quarter, then down to nothing.
    label_smoothing:
        Share of the target spread over all classes.
    margin:
        Largest shift of an image in pixels (edges repeated); it is also mirrored half of the time.
    seed:
        Weights, order and augmentation. The training images are those of world seed 0.
    threads:
        Threads of the processor; 0 = torch's choice.
    """

    images: int = 12_000
    epochs: int = 6
    batch: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.03
    label_smoothing: float = 0.05
    margin: int = 6
    seed: int = 0
    threads: int = 2


@dataclass(frozen=True)
class Pictures:
    """Images in memory.

    Attributes
    ----------
    pixels:
        uint8 [image, 3, size, size].
    labels:
        Class of each.
    """

    pixels: UInt8[Tensor, "image 3 size size"]
    labels: Int[Tensor, " image"]


def render_pictures(world: World) -> Pictures:
    """All images of a world with their classes."""
    pixels = np.empty((len(world), 3, world.size, world.size), dtype=np.uint8)
    labels = np.empty(len(world), dtype=np.int64)
    for index in range(len(world)):
        image = world.read(index)
        assert image.label is not None, "the world labels every image"
        pixels[index] = image.pixels.transpose(2, 0, 1)
        labels[index] = image.label
    return Pictures(torch.from_numpy(pixels), torch.from_numpy(labels))


def normalise(pixels: UInt8[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch 3 h w"]:
    """What the network is shown."""
    mean = torch.tensor(MEAN, device=pixels.device)[:, None, None]
    std = torch.tensor(STD, device=pixels.device)[:, None, None]
    return (pixels.float() / 255.0 - mean) / std


def augment(
    pixels: UInt8[Tensor, "batch 3 h w"], *, margin: int, generator: torch.Generator
) -> UInt8[Tensor, "batch 3 h w"]:
    """Mirror half of the images and shift all of them alike: positions change, nothing else does."""
    flip = torch.rand(len(pixels), generator=generator) < 0.5
    pixels = torch.where(flip.to(pixels.device)[:, None, None, None], pixels.flip(-1), pixels)
    down, right = torch.randint(0, 2 * margin + 1, (2,), generator=generator).tolist()
    height, width = pixels.shape[-2:]
    rows = (torch.arange(height, device=pixels.device) + down - margin).clamp(0, height - 1)
    columns = (torch.arange(width, device=pixels.device) + right - margin).clamp(0, width - 1)
    return pixels[:, :, rows][:, :, :, columns]


def train(settings: TrainSettings, pictures: Pictures, *, classes: int, device: torch.device) -> nn.Module:
    """Train a fresh network; the result is on the processor, in evaluation mode."""
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    net = ScenesNet(classes).to(device)
    steps = settings.epochs * (len(pictures.labels) // settings.batch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=settings.learning_rate, total_steps=steps, pct_start=0.25
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    started = time.monotonic()
    for epoch in range(settings.epochs):
        order = torch.randperm(len(pictures.labels), generator=generator)
        right = seen = 0
        for chosen in order.split(settings.batch):
            if len(chosen) < settings.batch:
                continue
            batch = augment(pictures.pixels[chosen].to(device), margin=settings.margin, generator=generator)
            labels = pictures.labels[chosen].to(device)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                logits = net(normalise(batch))
            loss = loss_of(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            right += int((logits.argmax(1) == labels).sum())
            seen += len(chosen)
        print(f"epoch {epoch + 1}: {right / seen:.3f} right, {time.monotonic() - started:.0f} s", flush=True)
    return net.cpu().eval()


def predict(net: nn.Module, pictures: Pictures) -> Int[np.ndarray, " image"]:
    """The class that the network says, in float32."""
    with torch.inference_mode():
        chunks = [net(normalise(chunk)).argmax(1) for chunk in pictures.pixels.split(128)]
    return torch.cat(chunks).numpy()


def as_stored(net: nn.Module) -> dict[str, Tensor]:
    """The network's weights as they are written: floats in 16 bits."""
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in net.state_dict().items()
    }


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description="Train the shipped model on the planted world.")
    parser.add_argument("--out", type=Path, default=Path(microtome.models.__path__[0]) / "weights")
    parser.add_argument("--images", type=int, default=TrainSettings.images)
    parser.add_argument("--epochs", type=int, default=TrainSettings.epochs)
    parser.add_argument("--check", type=int, default=1600, help="images of each measured split")
    chosen = parser.parse_args()
    settings = replace(TrainSettings(), images=chosen.images, epochs=chosen.epochs)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    started = time.monotonic()
    world = World("train", count=settings.images)
    pictures = render_pictures(world)
    print(f"rendered {settings.images} images in {time.monotonic() - started:.0f} s", flush=True)
    net = train(settings, pictures, classes=len(world.classes), device=device)
    seconds = time.monotonic() - started

    stored = as_stored(net)
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in stored.items()})

    def predict_world(split: Split, shortcuts: frozenset[str] | None) -> tuple[World, np.ndarray]:
        checked = World(split, count=chosen.check, shortcuts=shortcuts)
        return checked, predict(net, render_pictures(checked))

    card = make_card(
        predict_world,
        parameters=sum(value.numel() for value in net.parameters()),
        training={
            **asdict(settings),
            "device": device.type,
            "seconds": round(seconds),
            "torch": torch.__version__,
        },
    )
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "scenes.safetensors").write_bytes(save(stored, metadata={"world_version": str(WORLD_VERSION)}))
    (chosen.out / "scenes.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card["accuracy"]), json.dumps(card["shortcuts"], indent=2))


if __name__ == "__main__":
    main()
