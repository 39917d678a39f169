"""Settings of `decompose debias`, each with its range."""

from __future__ import annotations

from dataclasses import dataclass, field

from microtome.core.errors import OptionError
from microtome.models.towers.base import Tower
from microtome.recipes.direct_pass import PassSettings
from microtome.recipes.head_choice import Head, checked_heads

MOST = 4


@dataclass(frozen=True)
class DebiasSettings:
    """Which heads go, and how that is tested.

    Attributes
    ----------
    by:
        The property that is to be answered; empty: the class.
    nuisance:
        The property that must not matter; empty: the place, where images are in groups.
    heads:
        These heads; None: chosen.
    label, run:
        The heads that a run of `decompose heads` on the same model labelled so, and that run.
    top:
        How many of the chosen or labelled heads; None: of chosen ones the number that is best for the worst group,
        cross-checked, at most four; of labelled ones all.
    control_draws:
        Random sets of as many heads, at least 19.
    classes, template:
        How the classes are put into words; empty: the wording of the property, or the model's own template.
    images:
        How images go through the model.
    """

    by: str = ""
    nuisance: str = ""
    heads: tuple[Head, ...] | None = None
    label: str = ""
    run: str = ""
    top: int | None = None
    control_draws: int = 200
    classes: tuple[str, ...] = ()
    template: str = ""
    images: PassSettings = field(default_factory=PassSettings)

    def checked(self, tower: Tower) -> DebiasSettings:
        """These settings, once they fit a model. Raises OptionError for what does not."""
        every = len(tower.layers) * tower.heads
        if self.top is not None and not 1 <= self.top <= every:
            raise OptionError(f"The setting top is {self.top}.", expected=f"1 to {every} heads")
        if not 19 <= self.control_draws <= 100_000:
            raise OptionError(f"The setting control_draws is {self.control_draws}.", expected="19 to 100000")
        if bool(self.label) != bool(self.run):
            raise OptionError(
                f"{'A label' if self.label else 'A run'} is given alone.",
                expected="--label with the --run of `microtome decompose heads` that gave it",
            )
        if self.heads is not None and self.label:
            raise OptionError("Heads are given by number and by label.", expected="one of --heads and --label")
        checked_heads(self.heads, tower)
        return self
