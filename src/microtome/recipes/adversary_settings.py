"""Settings of `decompose adversary`, and what it searches with."""

from __future__ import annotations

from dataclasses import dataclass, field

from microtome.core.errors import OptionError
from microtome.models.towers.base import Tower
from microtome.recipes.direct_pass import PassSettings
from microtome.recipes.neuron_settings import NeuronSettings


@dataclass(frozen=True)
class AdversarySettings:
    """How words are found that push a model from one class to another, and how they are tried.

    Attributes
    ----------
    layer:
        Whose neurons; None: as for `decompose neurons`. A run of neurons brings its own.
    neurons:
        Neurons looked at: those whose directions tell the two classes apart most, 1 to 100000.
    weighted:
        Count each neuron by the spread of its effect too; the published work takes its direction alone.
    code, method:
        Texts in a neuron's code, 1 to 128, and how they are found: `omp` or `lasso`.
    words:
        Words that pictures are made of, 1 to 40.
    together:
        Words in one picture, 1 to 4. More of them flip more answers, random ones too.
    prompts:
        Prompts in the list, 1 to 1000; pictures take them in turn.
    scenes:
        Pictures, 1 to 100000.
    draws:
        Random sets of words that each picture is also drawn with, 1 to 100; time grows with it.
    closeness:
        Texts whose cosine with either class is above this are left out, 0 to 1; the mean text is taken off first.
    size:
        Height and width of scenes of the planted world, 16 to 1024; None: the model's input size.
    shown:
        Pictures of the report, 0 to 100.
    classes:
        All classes to answer among; (): those of the planted world where both classes are among them, else the two.
    template:
        How a class is put into words: `a photo of a {}.`; several, separated by `|`, are averaged.
    prompt:
        How a prompt is put together, with `{scene}` for the class's text and `{words}` for the words.
    all_pairs:
        Try every ordered pair of classes.
    images:
        How images go through the model.
    """

    layer: int | None = None
    neurons: int = 100
    weighted: bool = False
    code: int = 16
    method: str = "omp"
    words: int = 10
    together: int = 3
    prompts: int = 20
    scenes: int = 200
    draws: int = 5
    closeness: float = 0.7
    size: int | None = None
    shown: int = 12
    classes: tuple[str, ...] = ()
    template: str = ""
    prompt: str = "{scene}, {words}"
    all_pairs: bool = False
    images: PassSettings = field(default_factory=PassSettings)

    def checked(self, tower: Tower) -> AdversarySettings:
        """These settings, once they fit a tower. Raises OptionError for a value out of its range."""
        for name, value, low, high in (
            ("neurons", self.neurons, 1, 100_000),
            ("code", self.code, 1, 128),
            ("words", self.words, 1, 40),
            ("together", self.together, 1, 4),
            ("prompts", self.prompts, 1, 1000),
            ("scenes", self.scenes, 1, 100_000),
            ("draws", self.draws, 1, 100),
            ("closeness", self.closeness, 0.0, 1.0),
            ("size", 64 if self.size is None else self.size, 16, 1024),
            ("shown", self.shown, 0, 100),
        ):
            if not low <= value <= high:
                raise OptionError(f"The setting {name} is {value}.", expected=f"{low} to {high}")
        if "{words}" not in self.prompt:
            raise OptionError(
                f"The prompt '{self.prompt}' has no place for the words.", expected="such as '{scene}, {words}'"
            )
        self.of_neurons().checked(tower)
        return self

    def of_neurons(self) -> NeuronSettings:
        """The settings of the neurons behind it."""
        return NeuronSettings(layer=self.layer, texts=self.code, method=self.method, images=self.images)
