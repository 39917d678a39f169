"""Settings of `decompose neurons`, each with its range."""

from __future__ import annotations

from dataclasses import dataclass, field

from microtome.core.errors import OptionError
from microtome.methods.decompose.second_order import check_layer
from microtome.models.towers.base import Tower
from microtome.recipes.direct_pass import PassSettings

CODE_SIZES = (4, 8, 16, 32, 64, 128)
"""Numbers of texts at which reconstruction is reported."""


@dataclass(frozen=True)
class NeuronSettings:
    """How neurons are named by their second-order effects.

    Attributes
    ----------
    layer:
        Whose neurons; None: three quarters up, where the published work found them strongest.
    listed:
        Neurons with a page, those whose effect varies most, 1 to 2000.
    texts:
        Texts in a neuron's code, 1 to 128.
    method:
        `omp` (orthogonal matching pursuit) or `lasso`.
    top_images:
        Images of largest effect that decide a direction's sign.
    shown_images:
        Pictures at either end, 1 to 50.
    classes, template:
        As for heads.
    images:
        How images go through the model.
    """

    layer: int | None = None
    listed: int = 40
    texts: int = 16
    method: str = "omp"
    top_images: int = 100
    shown_images: int = 6
    classes: tuple[str, ...] = ()
    template: str = ""
    images: PassSettings = field(default_factory=PassSettings)

    def checked(self, tower: Tower) -> NeuronSettings:
        """These settings, once they fit a tower. Raises OptionError for a value out of its range."""
        for name, value, low, high in (
            ("listed", self.listed, 1, 2000),
            ("texts", self.texts, 1, 128),
            ("top_images", self.top_images, 1, 100_000),
            ("shown_images", self.shown_images, 1, 50),
        ):
            if not low <= value <= high:
                raise OptionError(f"The setting {name} is {value}.", expected=f"{low} to {high}")
        if self.method not in ("omp", "lasso"):
            raise OptionError(f"There is no code '{self.method}'.", expected="omp or lasso")
        check_layer(tower, self.chosen_layer(tower))
        return self

    def chosen_layer(self, tower: Tower) -> int:
        """The layer whose neurons are named."""
        return (3 * len(tower.layers)) // 4 - 1 if self.layer is None else self.layer
