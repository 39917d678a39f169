"""The files that an audit leaves beside its tables: pictures of cases, cases as training data, repaired weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from microtome.core.errors import ModelError, OptionError, RunError
from microtome.methods.edit.fold import fold
from microtome.models.model import Model
from microtome.models.repaired import write_repaired
from microtome.recipes.audit.nouns import Change, Parts
from microtome.recipes.audit.proving import Proof
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.unit_model import UnitModel
from microtome.recipes.sheets import Sheet
from microtome.report.heat import draw_heat
from microtome.report.tiles import draw_tile
from microtome.store.atomic import disk_error

Row = dict[str, Any]
SHOWN = 8
"""Cases of each finding that are shown: those that turned come first, then those that did not."""


def picture_rows(parts: Parts, audited: Audited, folder: Path) -> tuple[list[Row], dict[int, tuple[float, float]]]:
    """Rows of `finding_images` with their sheets; for each finding the share of the heat on what was pasted, and of
    the image that this is, means over cases that turned."""
    rows: list[Row] = []
    inside: dict[int, tuple[float, float]] = {}
    for proof in audited.proofs:
        if proof.cases is None or not len(proof.cases):
            continue
        sheet = Sheet(folder, f"images/findings/{proof.suspect.number:02d}.jpg")
        shares: list[tuple[float, float]] = []
        for place, (case, shown) in enumerate(_shown(parts, proof)):
            first = sheet.add(draw_tile(shown["before"]))
            after = sheet.add(draw_tile(shown["after"]))
            heat = sheet.add(draw_heat(shown["after"], shown["heat"]))
            turned = bool(proof.turned[case])
            if turned and shown["heat_inside"] == shown["heat_inside"]:
                shares.append((shown["heat_inside"], shown["area"]))
            rows.append({
                "number": proof.suspect.number, "place": place, "image": proof.cases.keys[case],
                "label": parts.classes[int(proof.cases.truth[case])], "before": shown["said"][0],
                "after": shown["said"][1], "turned": turned, "sprite": sheet.name, "tile": first, "tile_after": after,
                "heat_tile": heat, "heat_inside": shown["heat_inside"], "area": shown["area"],
            })  # fmt: skip
        sheet.save()
        if shares:
            means = np.mean(np.array(shares), axis=0)
            inside[proof.suspect.number] = float(means[0]), float(means[1])
    return rows, inside


def _shown(parts: Parts, proof: Proof) -> list[tuple[int, dict[str, Any]]]:
    """Cases to show, with what the model answers before and after."""
    assert proof.cases is not None
    order = [*np.flatnonzero(proof.turned).tolist()[: SHOWN - 2], *np.flatnonzero(~proof.turned).tolist()][:SHOWN]
    if not order:
        return []
    before = parts.answer(parts.read([proof.cases.before[case] for case in order])).argmax(axis=1)
    after = parts.answer(parts.read([proof.cases.after[case] for case in order])).argmax(axis=1)
    found = []
    for place, (case, shown) in enumerate(zip(order, parts.examples(proof.cases, order, proof.suspect), strict=True)):
        said = (parts.classes[int(before[place])], parts.classes[int(after[place])])
        found.append((case, {**shown, "said": said}))
    return found


def write_image_cases(parts: Parts, audited: Audited, folder: Path) -> int:
    """Save the cases of proved findings as training data: `folder/TRUE CLASS/NAME.png`, and `cases.jsonl`.

    Returns how many. Raises RunError if the folder is there and is not empty, or cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RunError(
            f"{folder} is not empty.", expected="a new or empty folder for the cases", next_step="name another"
        )
    lines: list[str] = []
    try:
        for proof in audited.proofs:
            if proof.verdict != "proved" or proof.cases is None:
                continue
            for case in range(len(proof.cases)):
                label = parts.classes[int(proof.cases.truth[case])]
                name = f"{_plain(label)}/{proof.suspect.number:02d}-{case:03d}.png"
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(proof.cases.after[case]).save(folder / name)
                lines.append(json.dumps({
                    "file": name, "label": label, "from": proof.cases.keys[case], "concept": str(proof.suspect.concept),
                    "answer_if_fooled": parts.classes[proof.suspect.target], "fooled": bool(proof.turned[case]),
                    "finding": proof.suspect.number,
                }))  # fmt: skip
        if lines:
            (folder / "cases.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise disk_error(folder, error) from error
    return len(lines)


def _plain(name: str) -> str:
    """A class as the name of a folder."""
    return "".join(sign if sign.isalnum() or sign in " -_" else "_" for sign in name).strip() or "_"


def write_unit_repair(asked: UnitModel, change: Change, path: Path) -> str:
    """Write the repaired model's weights: folded where that can be, else with the interventions beside them.

    Returns a sentence that says which. Raises OptionError for another ending, ModelError for a repair by chance.
    """
    check_weights_name(path)
    model: Model = asked.model
    if change.last is not None:
        name, module = asked.last_module()
        assert isinstance(module, nn.Linear | nn.Conv2d)
        weight, bias = module.weight.detach(), module.bias
        if bias is None and change.last.bias.any():
            raise ModelError(
                f"The last layer '{name}' has no bias to hold the repair.", next_step="choose another kind"
            )
        changed = {f"{name}.weight": torch.from_numpy(change.last.weight).to(weight.dtype).reshape(weight.shape)}
        if bias is not None:
            changed[f"{name}.bias"] = torch.from_numpy(change.last.bias).to(bias.dtype)
        write_repaired(path, model, changed=changed)
        return f"{path} holds the model with a new last layer '{name}'."
    steps = asked.interventions(change)
    folded = fold(model, steps)
    if folded is not None:
        write_repaired(path, model, changed=folded)
        return f"{path} holds the model with the repair folded into {', '.join(sorted(folded))}."
    write_repaired(path, model, changed={}, interventions=steps)
    return (
        f"{path} holds the model's weights and beside them the repair, since no one layer alone reads "
        f"'{asked.site.layer}': load it with microtome (--weights), which carries the repair out in every pass."
    )


def check_weights_name(path: Path) -> None:
    """Raise OptionError unless the path ends in .safetensors."""
    if path.suffix != ".safetensors":
        raise OptionError(f"--write names '{path}'.", expected="a file that ends in .safetensors")


def chosen_repair(audited: Audited, price: float) -> tuple[Proof, Change] | None:
    """The repair to write: of the worst fault that one helps. None where none helps."""
    ranked: Sequence[Proof] = [proof for proof in audited.proofs if proof.suspect.number in audited.repairs]
    for proof in ranked:
        best = audited.repairs[proof.suspect.number].best
        if best.helps(price):
            return proof, best.change
    return None
