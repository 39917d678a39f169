"""Train the shipped CLIP on the planted world: `python -m microtome.zoo.train_world_clip`.

Writes `clip.safetensors` (16-bit floats) and `clip.json` (its card and vocabulary). Every number of the card is
measured on the weights as they are stored. A run that was stopped goes on from its last checkpoint; one that has
reached its last step is measured and written again. The same settings on the same kind of machine and torch give the
same weights.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

import microtome.models
from microtome.data.world.dataset import WORLD_VERSION
from microtome.data.world.varied import caption_words
from microtome.models.clip_file import CARD, WEIGHTS
from microtome.models.clip_words import ClipWords
from microtome.models.world_clip import ClipSizes, WorldClip
from microtome.zoo.clip_card import Measured, make_card
from microtome.zoo.clip_training import ClipSettings, make_pictures, train_clip, trained_words

PICTURES, CHECKPOINT = "pictures.npy", "checkpoint.pt"


def as_stored(net: nn.Module) -> dict[str, Tensor]:
    """The network's weights as they are written: floats in 16 bits."""
    return {name: value.half().contiguous() for name, value in net.state_dict().items()}


def write_clip(net: WorldClip, words: ClipWords, out: Path, **about: Any) -> dict[str, Any]:
    """Round the weights, measure them, write both files.

    Parameters
    ----------
    net:
        Left with the rounded weights.
    words:
        Its vocabulary.
    out:
        Folder for the two files.
    about:
        The rest of `clip_card.make_card`.

    Returns
    -------
    card:
        What was written.
    """
    stored = as_stored(net)
    net.load_state_dict({name: value.float() for name, value in stored.items()})
    card = make_card(net, words, **about)
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(save(stored, metadata={"world_version": str(WORLD_VERSION)}))
    (out / CARD).write_text(json.dumps(card, indent=2) + "\n")
    return card


def train_world_clip(
    settings: ClipSettings,
    *,
    out: Path,
    work: Path,
    sizes: ClipSizes | None = None,
    measured: Measured | None = None,
    start: Path | None = None,
    note: str = "",
    every: int = 100,
) -> dict[str, Any]:
    """Render, train, measure, write.

    Parameters
    ----------
    settings:
        How.
    out:
        Folder for the two files.
    work:
        Folder for the training pictures and the checkpoint.
    sizes:
        Of the network; `words` is set to the vocabulary's.
    measured:
        How many pictures the card looks at.
    start:
        Checkpoint of an earlier run, whose weights this one begins with and whose curve goes on the card too.
    note:
        What else is to be known of the run, for the card.
    every:
        Steps from one checkpoint to the next.

    Returns
    -------
    card:
        What was written.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sizes = sizes or ClipSizes()
    words = ClipWords(caption_words(), context=sizes.context)
    sizes = replace(sizes, words=len(words))
    workers = os.cpu_count() or 1
    pictures = make_pictures(settings, size=sizes.image, kept=work / PICTURES, workers=workers)
    trained = train_clip(
        settings, sizes, pictures, words, device=device, checkpoint=work / CHECKPOINT, every=every, start=start
    )
    training = {
        **asdict(settings),
        "pictures": len(pictures.members),
        "device": device.type,
        "seconds": None if trained.seconds is None else round(trained.seconds),
        "torch": torch.__version__,
        "note": note,
        "earlier_curve": [] if start is None else torch.load(start)["curve"],
    }
    known = trained_words(pictures.members, settings, words.words)
    return write_clip(trained.net, words, out, known=known, training=training, curve=trained.curve, measured=measured)


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description="Train the shipped CLIP on the planted world.")
    parser.add_argument("--families", type=int, default=ClipSettings.families, help="families of four pictures")
    parser.add_argument("--steps", type=int, default=ClipSettings.steps)
    parser.add_argument("--batch", type=int, default=ClipSettings.batch, help="families a step")
    parser.add_argument("--threads", type=int, default=ClipSettings.threads)
    parser.add_argument("--out", type=Path, default=Path(microtome.models.__path__[0]) / "weights")
    parser.add_argument("--work", type=Path, default=Path("runs/world-clip"), help="pictures and checkpoint")
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier run, whose weights this one begins with")
    parser.add_argument("--note", default="", help="what else the card is to say of the run")
    chosen = parser.parse_args()
    settings = replace(
        ClipSettings(), families=chosen.families, steps=chosen.steps, batch=chosen.batch, threads=chosen.threads
    )
    torch.set_num_threads(settings.threads)
    card = train_world_clip(settings, out=chosen.out, work=chosen.work, start=chosen.start, note=chosen.note)
    print(
        json.dumps({name: card[name] for name in ("zero_shot", "in_words", "retrieval", "scenes", "birds")}, indent=2)
    )


if __name__ == "__main__":
    main()
