"""What a run counts, in plain words: places of images, sentence pairs, sentences, tokens of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Nouns:
    """The words for what a run is about.

    Attributes
    ----------
    kind:
        `elements.kind` of the manifest.
    element, elements:
        What is counted.
    item, items:
        What the data set is a list of.
    holds, fires:
        The preposition of a name that holds, and of a unit that fires: at a place, for a pair.
    on:
        What stands before a name after "it fires": "on", "on pairs with".
    """

    kind: str
    element: str
    elements: str
    item: str
    items: str
    holds: str = "at"
    fires: str = "at"
    on: str = "on"

    @property
    def text(self) -> bool:
        """True where the data are texts."""
        return self.kind in ("pair", "sentence", "token")

    @property
    def tokens(self) -> bool:
        """True where each token of a text is counted."""
        return self.kind == "token"

    @property
    def whole(self) -> bool:
        """True where an item as a whole either makes a unit fire or does not."""
        return self.kind in ("image", "pair", "sentence")


def _of_text(kind: str, item: str, on: str) -> Nouns:
    return Nouns(kind, kind, f"{kind}s", item, f"{item}s", holds="for", fires="on", on=on)


NOUNS = {
    "pixel": Nouns("pixel", "place", "places", "image", "images"),
    "image": Nouns("image", "image", "images", "image", "images"),
    "pair": _of_text("pair", "pair", "on pairs with"),
    "sentence": _of_text("sentence", "sentence", "on sentences with"),
    "token": _of_text("token", "text", "on"),
}
"""By `elements.kind` of the manifest."""


def nouns_of(manifest: Mapping[str, Any]) -> Nouns:
    """The words for a run, by its manifest; `data.items` there may name an item in another way."""
    nouns = NOUNS[manifest["elements"]["kind"]]
    item = manifest["data"].get("items")
    return replace(nouns, item=item, items=f"{item}s") if item and nouns.text else nouns
