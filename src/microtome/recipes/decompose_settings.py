"""Settings of `decompose heads`, each with its range."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from microtome.core.errors import OptionError
from microtome.recipes.direct_pass import PassSettings


@dataclass(frozen=True)
class HeadSettings:
    """How heads are named and how the names are tested.

    Attributes
    ----------
    texts:
        Texts taken for each head, 1 to 200; fewer where its variance is spent.
    layers:
        Name the heads of these layers alone; None: all.
    chance_draws:
        Turned text pools that the explained variance is set against, at least 19.
    fdr:
        False-discovery rate of labels, 0 to 1.
    shown_texts, shown_images:
        For the report: texts of each head with pictures, and pictures at either end.
    pairs:
        Pictures of which one property alone is changed, for each property that the data can change; 0: none.
    classes:
        A text for each class of the data; empty: the template.
    template:
        How a class is put into words; empty: the model's own way.
    images:
        How images go through the model.
    """

    texts: int = 20
    layers: tuple[int, ...] | None = None
    chance_draws: int = 40
    fdr: float = 0.05
    shown_texts: int = 3
    shown_images: int = 6
    pairs: int = 100
    classes: tuple[str, ...] = ()
    template: str = ""
    images: PassSettings = field(default_factory=PassSettings)

    def checked(self, layers: int) -> HeadSettings:
        """These settings, once they fit a model of so many layers.

        Raises
        ------
        OptionError
            For a value out of its range.
        """
        for name, value, low, high in (
            ("texts", self.texts, 1, 200),
            ("chance_draws", self.chance_draws, 19, 10_000),
            ("shown_texts", self.shown_texts, 0, 20),
            ("shown_images", self.shown_images, 1, 50),
            ("pairs", self.pairs, 0, 100_000),
        ):
            if not low <= value <= high:
                raise OptionError(f"The setting {name} is {value}.", expected=f"{low} to {high}")
        if not 0.0 < self.fdr < 1.0:
            raise OptionError(f"The setting fdr is {self.fdr}.", expected="a number between 0 and 1")
        wrong = [n for n in self.layers or () if not 0 <= n < layers]
        if wrong or self.layers == ():
            raise OptionError(
                f"The model has no layer {wrong[0]}." if wrong else "No layer is chosen.",
                expected=f"layers from 0 to {layers - 1}",
            )
        return self if self.layers is None else replace(self, layers=tuple(dict.fromkeys(self.layers)))
