"""Pictures of what is found: queries of the data, or a picture file, with the images most like them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8

from microtome.data.attributes import Attribute
from microtome.data.files import read_rgb
from microtome.methods.decompose.terms import places_of, take_apart
from microtome.models.towers.streams import run_tower
from microtome.recipes.direct_pass import Opened
from microtome.recipes.head_choice import Head, bases
from microtome.recipes.retrieve_heads import Halves, Shown, like_vector
from microtome.recipes.sheets import Sheet
from microtome.report.tiles import draw_tile

Row = dict[str, Any]


class Album:
    """Rows of `retrieval_examples` and their sheet of pictures, for one property.

    Parameters
    ----------
    halves:
        The pass.
    folder:
        The run folder.
    number:
        Of the property; names the sheet.
    attribute:
        The property; None where nothing is known of the images.
    """

    def __init__(self, halves: Halves, folder: Path, number: int, attribute: Attribute | None) -> None:
        self.rows: list[Row] = []
        self._data = halves.stream.data
        self._index = halves.stream.index()
        self._attribute = attribute
        self._sheet = Sheet(folder, f"images/retrieval/{number:02d}.jpg")

    def add_shown(self, shown: Shown) -> None:
        """Queries of the data, each with what is found in every way."""
        for place, query in enumerate(shown.queries.tolist()):
            name = self._data.key(int(self._index[query]))
            self._add(name, "query", 0, query, None)
            for how, found in shown.by.items():
                self._add_found(name, how, found[place], self._value(query))

    def add_file(self, name: str, pixels: UInt8[np.ndarray, "height width 3"]) -> None:
        """A picture file as a query."""
        self.rows.append(self._row(name, "query", 0, name, None, None, self._sheet.add(draw_tile(pixels))))

    def add_found(self, name: str, how: str, found: Int[np.ndarray, " place"]) -> None:
        """Images found for a picture file."""
        self._add_found(name, how, found, None)

    def save(self) -> list[Row]:
        """Write the sheet; returns the rows."""
        self._sheet.save()
        return self.rows

    def _add_found(self, name: str, how: str, found: Int[np.ndarray, " place"], value: str | None) -> None:
        for place, number in enumerate(found.tolist()):
            self._add(name, how, place + 1, number, value)

    def _add(self, query: str, how: str, place: int, number: int, value: str | None) -> None:
        at = int(self._index[number])
        own = self._value(number)
        same = None if value is None or own is None else own == value
        tile = self._sheet.add(draw_tile(self._data.read(at).pixels))
        self.rows.append(self._row(query, how, place, self._data.key(at), own, same, tile))

    def _row(
        self, query: str, how: str, place: int, image: str, value: str | None, same: bool | None, tile: int
    ) -> Row:
        return {
            "property": "" if self._attribute is None else self._attribute.name, "query": query, "place": place,
            "how": how, "image": image, "value": value, "same": same, "sprite": self._sheet.name, "tile": tile,
        }  # fmt: skip

    def _value(self, number: int) -> str | None:
        if self._attribute is None or self._attribute.of[number] < 0:
            return None
        return self._attribute.values[int(self._attribute.of[number])]


class FileQuery:
    """A picture file run through the model once.

    Parameters
    ----------
    opened:
        The model.
    path:
        The file.

    Raises
    ------
    DataError
        If it cannot be read.
    """

    def __init__(self, opened: Opened, path: str) -> None:
        self.name = Path(path).name
        self.pixels = read_rgb(Path(path), upright=True)
        self._tower = opened.tower
        x = opened.model.prepared(opened.model.preprocess([self.pixels], crop=True))
        with torch.no_grad():
            terms = take_apart(opened.tower, run_tower(opened.tower, x, places_of(opened.tower)))
        self._heads = terms.heads[0].double().cpu().numpy()
        self._output = terms.output[0].float().cpu().numpy()

    def find(self, halves: Halves, heads: Sequence[Head], album: Album) -> None:
        """Put the images most like it into an album: by these heads, and by the whole embedding."""
        every = np.ones(len(halves.heldout), dtype=bool)
        middle = halves.middle(heads)
        own = [
            bases(self._tower, layer)[1][head] @ self._heads[layer, head] - middle[layer, head] for layer, head in heads
        ]
        k = min(halves.settings.k, len(every))
        album.add_file(self.name, self.pixels)
        album.add_found(self.name, "heads", like_vector(halves.side_by_side(heads, every), np.concatenate(own), k))
        album.add_found(self.name, "full", like_vector(halves.outputs, self._output, k))
