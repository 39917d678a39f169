"""Do the heads that count read numerals? Signs bear numerals, so number and numeral can be changed apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from microtome.data.world.arranged import Arrangement, arrange
from microtome.data.world.dice import Dice, mix
from microtome.data.world.factors import FACTOR_VALUES
from microtome.data.world.graph import SceneGraph
from microtome.data.world.render import render
from microtome.methods.decompose.heatmap import head_heatmaps
from microtome.models.load import load
from microtome.models.texts import text_directions
from microtome.models.towers.find import tower_of
from microtome.recipes.direct_pass import Opened
from microtome.recipes.head_properties import head_changes
from microtome.report.heat import draw_heat
from microtome.report.tiles import draw_tile, sprite
from tests.real.page_parts import percent, table

PAIRS, SIZE, SHOWN = 150, 64, 6


def digits_against_count(heads: list[tuple[int, int]], out: Path) -> str:
    """The section of the page, and its picture below `out`."""
    model = load("world:clip")
    tower = tower_of(model)
    changes = {}
    for what in ("numeral", "count"):
        pairs = [_pair(n, what) for n in range(PAIRS)]
        rendered = [(render(before, SIZE)[0], render(after, SIZE)[0]) for before, after in pairs]
        changes[what] = head_changes(Opened(model, tower, None), rendered)  # type: ignore[arg-type]
    chosen = [layer * tower.heads + head for layer, head in heads]
    rows = []
    for what, change in changes.items():
        shares = change.sum(axis=0) / change.sum()
        rows.append((
            what, f"{change.sum(axis=1).mean():.3g}", percent(float(shares[chosen].sum())),
            percent(float(np.median(shares) * len(chosen))),
            ", ".join(f"{n // tower.heads}.{n % tower.heads}" for n in np.argsort(-shares)[:4].tolist()),
        ))  # fmt: skip
    _picture(model, heads, out)
    names = ", ".join(f"{layer}.{head}" for layer, head in heads)
    return (
        "## Do the heads that count read numerals?\n\nSigns bear numerals from 1 to 6. In pictures of signs the "
        "numeral "
        f"alone was changed, then the number of signs alone ({PAIRS} pairs each). What heads {names}, chosen for "
        f"count, "
        "carry of it:\n\n"
        + table(("changed", "change, all heads", "these heads", "median heads", "heads that carry most"), rows)
        + f"\n\nWhere head {heads[0][0]}.{heads[0][1]} writes along *four things* less *one thing*, on signs with "
        "numerals (warm: for four):\n\n![heatmaps](world-clip/digits.png)"
    )


def _shown(number: int) -> tuple[Arrangement, Dice, int]:
    dice = Dice(mix("digits against count", number))
    side = dice.fork("side").pick(FACTOR_VALUES["side"])
    shown = Arrangement(
        object="sign", color=dice.fork("color").pick(FACTOR_VALUES["color"]), material="plain",
        count=dice.fork("count").whole(1, 4), surface=dice.fork("surface").pick(("grass", "sand", "snow", "road")),
        side="left" if side == "left" else "right" if side == "right" else "middle",
    )  # fmt: skip
    return shown, dice, dice.fork("numeral").whole(1, 6)


def _scene(shown: Arrangement, dice: Dice, numeral: int) -> SceneGraph:
    scene = arrange(shown, dice)
    return replace(scene, objects=tuple(replace(thing, numeral=numeral) for thing in scene.objects))


def _pair(number: int, what: str) -> tuple[SceneGraph, SceneGraph]:
    shown, dice, numeral = _shown(number)
    before = _scene(shown, dice, numeral)
    if what == "numeral":
        return before, _scene(shown, dice, numeral % 6 + 1)
    return before, _scene(shown.with_value("count", str(shown.count % 4 + 1)), dice, numeral)


def _picture(model: object, heads: list[tuple[int, int]], out: Path) -> None:
    from microtome.models.model import Model

    assert isinstance(model, Model)
    four, one = text_directions(model.texts, ["four things", "one thing"], spec=model.spec)
    pictures = [render(_scene(*_shown(number)), SIZE)[0] for number in range(SHOWN)]
    x = model.prepared(model.preprocess(pictures, crop=True))
    heats = head_heatmaps(tower_of(model), x, (four - one).to(x), layer=heads[0][0], head=heads[0][1]).numpy()
    largest = float(np.abs(heats).max())
    tiles = [draw_tile(picture) for picture in pictures]
    tiles += [draw_heat(picture, heat, largest=largest) for picture, heat in zip(pictures, heats, strict=True)]
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sprite(tiles, columns=SHOWN)).save(out / "digits.png", optimize=True)
