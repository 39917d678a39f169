"""Write docs/results/world-clip.md from runs on the shipped CLIP: `python -m tests.real.clip_page --out docs/results`.

Nothing but microtome is needed. Runs are kept under runs/results and used again when they are complete.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microtome.models.clip_file import clip_card_text
from microtome.recipes.ablate_terms import AblateSettings, ablate_terms
from microtome.recipes.adversary import find_adversary
from microtome.recipes.adversary_settings import AdversarySettings
from microtome.recipes.debias import debias
from microtome.recipes.decompose_heads import decompose_heads
from microtome.recipes.decompose_neurons import decompose_neurons
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.neuron_settings import NeuronSettings
from microtome.recipes.retrieve import retrieve
from microtome.recipes.retrieve_settings import RetrieveSettings
from microtome.recipes.segment_run import segment_images
from tests.real.digits import digits_against_count
from tests.real.page_parts import interval, number, percent, small, table

FLIPS = (("beach", "desert"), ("village", "farm"), ("landbird", "waterbird"), ("lake", "marsh"))


def main(arguments: list[str] | None = None) -> int:
    """Make the runs that are missing and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.clip_page", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--runs", type=Path, default=Path("runs/results"))
    options = parser.parse_args(arguments)
    runs: Path = options.runs

    def made(name: str, make: Callable[[Path], Decomposition]) -> Decomposition:
        folder = runs / f"clip-{name}"
        sys.stderr.write(f"{folder}\n")
        return Decomposition(folder) if (folder / "manifest.json").exists() else make(folder)

    heads = made("heads", lambda out: decompose_heads(
        data="arranged@4000", texts="world", out=out, settings=HeadSettings(texts=10, pairs=200)
    ))  # fmt: skip
    neurons = made("neurons", lambda out: decompose_neurons(
        data="world@1600", texts="world", out=out, settings=NeuronSettings()
    ))  # fmt: skip
    sections = [
        _title(), _card(), _heads(heads), _properties(heads),
        _retrieval(made("retrieve", lambda out: retrieve(
            data="arranged@8000", out=out, settings=RetrieveSettings(queries=4000)
        ))),
        _birds(made("debias", lambda out: debias(data="birds@4000", test="birds:shift@4000", out=out))),
        _curves(made("ablate", lambda out: ablate_terms(
            data="arranged@2000", out=out, settings=AblateSettings(by="color")
        ))),
        _neurons(neurons),
        _segmentation(made("segment", lambda out: segment_images(data="arranged@300", out=out))),
        _flips([(pair, made(f"adversary-{pair[0]}-{pair[1]}", lambda out, pair=pair: find_adversary(
            source=pair[0], target=pair[1], run=runs / "clip-neurons", texts="world", out=out,
            settings=AdversarySettings(),
        ))) for pair in FLIPS]),
        digits_against_count(_count_heads(heads), options.out / "world-clip"),
        "    make results",
    ]  # fmt: skip
    (options.out / "world-clip.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return 0


def _title() -> str:
    return (
        "# The shipped CLIP, taken apart\n\n`world:clip` is a small CLIP trained on the planted world, where every "
        "answer "
        "is known. Written by `python -m tests.real.clip_page` from run folders (`runs/results/clip-*`) and nothing "
        "else."
    )


def _card() -> str:
    card = json.loads(clip_card_text())
    rows = [
        (name, percent(one["accuracy"]), interval(one["low"], one["high"], share=True), percent(one["chance"]))
        for name, one in card["zero_shot"].items()
    ]
    found = card["retrieval"]["six factors named"]
    return (
        f"## What it learned\n\n{card['parameters']:,} parameters, 64 x 64 pixels. Zero-shot accuracy on held-out "
        f"arrangements:\n\n{table(('property', 'accuracy', '95 %', 'by chance'), rows)}\n\nOf 1,000 captions that "
        f"name the "
        f"six factors the right one comes first for {percent(found['image to text']['R@1'])} of images (by chance "
        f"{percent(card['retrieval']['chance']['R@1'])}). Not learned (below twice chance): "
        f"{', '.join(card['not_learned']) or 'nothing'}; the numerals on signs: see the card, "
        f"`models/weights/clip.json`."
    )


def _heads(run: Decomposition) -> str:
    texts: dict[tuple[int, int], list[str]] = {}
    for row in run.rows("head_texts"):
        texts.setdefault((row["layer"], row["head"]), []).append(row["text"])
    rows = [
        (
            f"{row['layer']}.{row['head']}", percent(row["share"]), row["label"], percent(row["lead_heldout"]),
            percent(row["chance"]), number(row["score"]), number(row["score_chance"]),
            "; ".join(texts[row["layer"], row["head"]][:3]),
        )
        for row in sorted(run.rows("heads"), key=lambda row: -row["variance"])[:16]
    ]  # fmt: skip
    summary = run.manifest["summary"]
    heads = ("head", "writes", "label", "5 texts explain", "by chance", "r", "r of others", "first texts")
    return (
        f"## Heads\n\n{summary['above_chance']} of {summary['heads']} heads are explained better by their first five "
        f"texts "
        f"than by the same pool turned at random; {summary['labelled']} have a label. Those that write most, with the "
        "held-out variance that five texts explain, and how well the first text predicts the head on held-out images "
        f"(r; 95 % of other texts stay below the next column):\n\n{table(heads, rows)}"
    )


def _properties(run: Decomposition) -> str:
    rows = [
        (
            row["property"], ", ".join(row["heads"]), percent(row["text_share"]), percent(row["text_expected"]),
            small(row["text_p"]), percent(row["change_share"]),
            interval(row["change_low"], row["change_high"], share=True), percent(row["weight"]),
            percent(row["median_share"]),
            f"{row['ratio']:.1f} [{row['ratio_low']:.1f}, {row['ratio_high']:.1f}]",
        )
        for row in run.rows("properties")
    ]  # fmt: skip
    heads = (
        "property", "heads", "its texts", "by chance", "p", "share of the change", "95 %", "writes",
        "median heads", "times as much",
    )  # fmt: skip
    return (
        "## One property changed alone\n\nUp to four heads were chosen for each property on searched images. *Its "
        "texts*: "
        "share of what their texts explain that comes from texts of the property. Then, in 200 other pictures, that "
        "property alone was changed and all else kept: the chosen heads' share of all heads' change, beside their "
        "share of all heads' variance (*writes*) and the change that as many median heads carry. p is of texts by "
        "which the "
        "heads were also chosen, and reads better than it is "
        f"([decision 13](../decisions/0013-what-a-name-is-tested-on.md)).\n\n{table(heads, rows)}"
    )


def _retrieval(run: Decomposition) -> str:
    rows = [
        (
            row["property"], row["heads"], percent(row["precision"]), percent(row["full"]), percent(row["chance"]),
            f"{100 * row['difference']:+.1f}", f"{100 * row['difference_low']:+.1f} to "
            f"{100 * row['difference_high']:+.1f}",
        )
        for row in run.rows("retrieval")
    ]  # fmt: skip
    heads = ("property", "heads", "precision@10", "whole embedding", "by chance", "difference, points", "95 %")
    return (
        f"## Retrieval by a property\n\nHeads chosen on other images; {_queries(run)} queries.\n\n{table(heads, rows)}"
    )


def _queries(run: Decomposition) -> str:
    return f"{max(row['queries'] for row in run.rows('retrieval')):,}"


def _birds(run: Decomposition) -> str:
    before, after = ({r["group"]: r for r in run.rows("groups") if r["state"] == s} for s in ("before", "after"))
    rows = [
        (
            name, one["images"], percent(one["accuracy"]), interval(one["low"], one["high"], share=True),
            percent(after[name]["accuracy"]), interval(after[name]["low"], after[name]["high"], share=True),
        )
        for name, one in before.items()
    ]  # fmt: skip
    said = "\n".join(f"- {sentence}" for sentence in run.manifest["summary"]["sentences"])
    return (
        "## Birds before the wrong ground\n\nIn training 95 of 100 gulls stand before water and robins before grass; "
        "in "
        f"the test images the ground says "
        f"nothing.\n\n{table(('group', 'images', 'before', '95 %', 'after', '95 %'), rows)}"
        f"\n\n{said}"
    )


def _curves(run: Decomposition) -> str:
    rows = [
        (
            row["curve"], row["terms"], row["kind"], percent(row["accuracy"]),
            interval(row["low"], row["high"], share=True), percent(row["base"]),
        )
        for row in run.rows("curves")
        if row["probe"] == "zero-shot"
    ]  # fmt: skip
    heads = ("curve", "set to their mean", "effect", "accuracy", "95 %", "before")
    return f"## Which parts matter for colour\n\nZero-shot accuracy of the eleven colours.\n\n{table(heads, rows)}"


def _neurons(run: Decomposition) -> str:
    codes = [(r["method"], r["texts"], number(r["cosine"]), number(r["cosine_chance"])) for r in run.rows("codes")]
    effects = [
        (r["what"], r["neurons"], percent(r["accuracy"]), interval(r["low"], r["high"], share=True), percent(r["base"]))
        for r in run.rows("effects")
    ]
    said = "\n".join(f"- {sentence}" for sentence in run.manifest["summary"]["sentences"])
    return (
        f"## Neurons, second order\n\n{said}\n\nCosine of a neuron's direction with its sparse text code, and with "
        f"codes "
        f"of turned texts (in 128 dimensions many texts fit anything: the fewest count):\n\n"
        f"{table(('method', 'texts', 'cosine', 'turned texts'), codes)}\n\nScene accuracy without second-order effects:"
        f"\n\n{table(('without', 'neurons', 'accuracy', '95 %', 'before'), effects)}"
    )


def _segmentation(run: Decomposition) -> str:
    rows = [
        (
            row["method"], row["direction"] or "", percent(row["pixel_accuracy"]), number(row["miou"]),
            interval(row["miou_low"], row["miou_high"]), number(row["map"]),
        )
        for row in run.rows("segmentation")
    ]  # fmt: skip
    heads = ("method", "direction", "pixel accuracy", "mIoU", "95 %", "mAP")
    return (
        "## Segmentation by text\n\nForeground is above the map's mean, as published; rows in brackets know nothing "
        "of the "
        f"image or its text.\n\n{table(heads, rows)}"
    )


def _flips(runs: list[tuple[tuple[str, str], Decomposition]]) -> str:
    rows: list[tuple[Any, ...]] = []
    for (source, target), run in runs:
        for row in run.rows("adversary"):
            if row["among"] == "the two":
                rows.append((
                    f"{source} to {target}", row["right_before"], percent(row["rate"]),
                    interval(row["low"], row["high"], share=True), percent(row["control"]),
                    f"{100 * row['difference_low']:+.1f} to {100 * row['difference_high']:+.1f}", small(row["p"]),
                ))  # fmt: skip
    heads = ("classes", "scenes", "flipped", "95 %", "random words", "difference, points", "p")
    return (
        "## Semantic adversarial search\n\nThings named by the neurons' texts are put into scenes; random words of "
        "the same "
        f"properties are the control.\n\n{table(heads, rows)}"
    )


def _count_heads(run: Decomposition) -> list[tuple[int, int]]:
    row = next(row for row in run.rows("properties") if row["property"] == "count")
    return [(int(layer), int(head)) for layer, head in (name.split(".") for name in row["heads"])]


if __name__ == "__main__":
    sys.exit(main())
