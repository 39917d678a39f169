"""What every text pool is: descriptions in order, and for each the property that it speaks of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from microtome.core.errors import DataError
from microtome.data.base import hash_of


@dataclass(frozen=True)
class TextPool:
    """Texts that a part of a model may be named with.

    Attributes
    ----------
    name:
        What to call it: `general`, `world`, or a file's name.
    texts:
        At least one; no two alike, no white space at either end.
    properties:
        The property of each text, in the order of `texts`; "" throughout where the pool has none.
    notes:
        What a reader of the results should know of the pool, one sentence each.

    Raises
    ------
    DataError
        For a pool without a text, a text that is empty, not stripped or given twice, or properties of some texts alone.
    """

    name: str
    texts: tuple[str, ...]
    properties: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = self._wrong()
        if wrong:
            raise DataError(
                f"The text pool '{self.name}' {wrong}.",
                expected="different texts, stripped of white space, with a property each or none at all",
            )

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def has_properties(self) -> bool:
        """Whether the texts have properties, so that what they explain can be given a label."""
        return bool(self.properties[0])

    @property
    def property_names(self) -> tuple[str, ...]:
        """The properties, each once, in the order in which they come up; () where there are none."""
        return tuple(dict.fromkeys(self.properties)) if self.has_properties else ()

    def fingerprint(self) -> str:
        """Hash (16 hex digits) of texts and properties in their order. Name and notes do not count."""
        return hash_of(["texts", *zip(self.texts, self.properties, strict=True)])

    def restricted(self, keep: Sequence[int]) -> TextPool:
        """The pool with some of its texts alone, in the order given.

        Parameters
        ----------
        keep:
            Indices into `texts`, from 0, each at most once.

        Raises
        ------
        DataError
            When nothing is kept, or a text twice.
        IndexError
            For an index that is negative or beyond the last text.
        """
        for index in keep:
            if not 0 <= index < len(self.texts):
                raise IndexError(f"text {index} of a pool of {len(self.texts)}")
        return replace(
            self,
            texts=tuple(self.texts[index] for index in keep),
            properties=tuple(self.properties[index] for index in keep),
        )

    def _wrong(self) -> str:
        if not self.texts:
            return "has no text"
        if len(self.properties) != len(self.texts):
            return f"has {len(self.texts)} texts and {len(self.properties)} properties"
        for text in (*self.texts, *self.properties):
            if text != text.strip():
                return f"has white space around '{text}'"
        if "" in self.texts:
            return f"has an empty text in place {self.texts.index('')}"
        twice = [text for text, count in Counter(self.texts).items() if count > 1]
        if twice:
            return f"has '{twice[0]}' twice"
        if len({bool(name) for name in self.properties}) > 1:
            return f"has no property for '{self.texts[self.properties.index('')]}' but for others"
        return ""


def pool_of(name: str, pairs: Iterable[tuple[str, str]], *, notes: tuple[str, ...] = ()) -> TextPool:
    """A pool of (text, property) pairs, the first of any that are alike."""
    found: dict[str, str] = {}
    for text, kind in pairs:
        found.setdefault(text, kind)
    return TextPool(name, tuple(found), tuple(found.values()), notes)
