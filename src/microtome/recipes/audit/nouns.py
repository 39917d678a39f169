"""What an audit speaks of, whatever the model is made of: suspects, cases, changes of the model, and the parts' face.

    class <- part <- formula        a suspect: this part of the model, named by this formula, speaks for this class

The recipe (`run_parts.py`) knows these nouns alone. Channels of an image model, neurons of a text model and heads of a
CLIP-like model each bring their own `Parts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from zlib import crc32

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.formula import Formula
from microtome.core.source import Source

ANY = -1
"""In place of a class: inputs of every class but the suspect's own."""

EXPLORE, CONFIRM = "explore", "confirm"
"""Halves of the data: where suspects are ranked, and where they are proved."""

AUDIT_SOURCE = Source(
    "Mu & Andreas 2020, Compositional explanations of neurons; Bau et al. 2020, Understanding the role of individual "
    "units in a deep neural network; Kirichenko, Izmailov & Wilson 2023, Last layer re-training is sufficient",
    "sections 5 and 6; unit ablation; DFR",
    "pastes are compared with pastes of other concepts of the same size, and confirmed on images that chose nothing",
)


@dataclass(frozen=True)
class Named:
    """A part of the model with its name.

    Attributes
    ----------
    number:
        A unit's index, or layer * heads + head; below 0 for a direction.
    title:
        How it is called: `unit 37`, `head 4.1`.
    formula, words:
        What names it; empty where nothing does.
    score:
        How well the name fits, on held-out data; NaN without a name.
    named:
        Whether it beats chance.
    """

    number: int
    title: str
    formula: str
    words: str
    score: float
    named: bool


@dataclass(frozen=True)
class Suspect:
    """A concept that may speak for a class and should not.

    Attributes
    ----------
    number:
        In order of suspicion, from 0.
    target:
        The class that it speaks for, as an output of the model.
    concept, words:
        The concept, and as a phrase.
    parts:
        The parts that detect it and speak for the class, loudest first.
    share, others:
        Share of the class's items that show it in the data, and of the items of other classes.
    shift:
        Share of the class's items that show it in the shift split; None without one.
    q:
        p that the two shares are the same, corrected for all candidates; None without a shift split.
    why:
        In words.
    effect:
        What the class's margin loses with the parts cut, in logits; measured where there is no shift split.
    """

    number: int
    target: int
    concept: Formula
    words: str
    parts: tuple[int, ...]
    share: float
    others: float
    shift: float | None
    q: float | None
    why: str
    effect: float | None = None

    @property
    def key(self) -> int:
        """A number that depends on class and concept alone, so that a suspect is drawn for alike whatever stands beside
        it."""
        return crc32(f"{self.target} {self.concept}".encode())


@dataclass(frozen=True, eq=False)
class Cases:
    """Inputs before and after a concept was put in (or taken out), and beside them the control's.

    Attributes
    ----------
    source:
        Class of the inputs, as an output of the model; of each case `truth`.
    keys:
        Names of the inputs.
    before, after:
        One of each a case.
    controls:
        [draw][case].
    truth:
        The true class of each case, which no change touches.
    how, control_how:
        What was done, and what the control did, as phrases.
    changed, control_changed:
        Share of the input that was changed, mean over cases.
    marks:
        Of each case, which pixels were changed; empty for texts.
    """

    source: int
    keys: tuple[str, ...]
    before: Sequence[Any]
    after: Sequence[Any]
    controls: Sequence[Sequence[Any]]
    truth: Int[np.ndarray, " case"]
    how: str
    control_how: str
    changed: float = float("nan")
    control_changed: float = float("nan")
    marks: Sequence[Any] = ()

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, eq=False)
class LastLayer:
    """A linear classifier on what `Parts.features` gives: logits = weight @ features + bias."""

    weight: Float[np.ndarray, "klass feature"]
    bias: Float[np.ndarray, " klass"]


@dataclass(frozen=True, eq=False)
class Change:
    """What is done to the model.

    Attributes
    ----------
    what:
        In words; empty for the model as it is.
    parts, keep:
        These parts keep this share of their difference from what they are set to; 0 = ablated.
    how:
        What an ablated part is set to: its `mean` over the data, `zero`, or another item's value (`resample`).
    direction:
        In the space of the parts: taken out, its mean left in.
    last:
        A last layer in place of the model's own.
    """

    what: str = ""
    parts: tuple[int, ...] = ()
    keep: float = 0.0
    how: str = "mean"
    direction: Float[np.ndarray, " part"] | None = None
    last: LastLayer | None = None

    @property
    def nothing(self) -> bool:
        """True where the model stays as it is."""
        return not self.parts and self.direction is None and self.last is None


NO_CHANGE = Change()


@dataclass(frozen=True, eq=False)
class Labelled:
    """Items with their classes and groups, read by the model.

    Attributes
    ----------
    held:
        What `Parts.read` gave.
    truth:
        Class of each item, as outputs of the model.
    shows:
        Whether the suspect's concept is there; all False where nobody asked.
    name:
        What they are.
    """

    held: Any
    truth: Int[np.ndarray, " item"]
    shows: Bool[np.ndarray, " item"]
    name: str

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, eq=False)
class Splits:
    """What repairs are chosen and tested on; none that is tested on chooses anything.

    Attributes
    ----------
    validation, test:
        Items on which the concept tells little of the class (the shift split, halved).
    ordinary, ordinary_test:
        Items as the data have them: to choose by, and to report the price on. Without a shift split the validation and
        test items are among them.
    """

    validation: Labelled
    test: Labelled
    ordinary: Labelled
    ordinary_test: Labelled


@runtime_checkable
class Parts(Protocol):
    """A model with its inputs, in pieces that have names.

    Attributes
    ----------
    kind:
        `units`, or of a CLIP-like model `heads` or `neurons`.
    item:
        The word for an input: `image`, `pair`.
    classes:
        Names of the model's outputs.
    known:
        Outputs that the data have items of.
    names:
        Of every part.
    erasable:
        Whether a direction over parts can be taken out (`Change.direction`): not where each writes in a space of its
        own.
    notes:
        Sentences that a reader should know.
    """

    kind: str
    item: str
    classes: tuple[str, ...]
    known: tuple[int, ...]
    names: Mapping[int, Named]
    erasable: bool
    notes: list[str]

    def suspects(self) -> list[Suspect]:
        """Suspects, worst first."""
        ...

    def sources(self, suspect: Suspect) -> list[int]:
        """Classes to try a suspect on, likeliest first; `ANY` may be among them."""
        ...

    def cases(self, suspect: Suspect, source: int, count: int, half: str) -> Cases:
        """The concept put into inputs that lack it. Fewer than `count` where there are not more; maybe none."""
        ...

    def reverse(self, suspect: Suspect, source: int, count: int) -> Cases | None:
        """The concept taken out of inputs of its class; None where there is no way."""
        ...

    def read(self, inputs: Sequence[Any]) -> Any:
        """What is kept of inputs, so that the model can be asked again with changes."""
        ...

    def take(self, held: Any, rows: Int[np.ndarray, " row"]) -> Any:
        """Some of what was read."""
        ...

    def answer(self, held: Any, change: Change = NO_CHANGE) -> Float[np.ndarray, "item klass"]:
        """Logits of the model, changed."""
        ...

    def features(self, held: Any) -> Float[np.ndarray, "item feature"] | None:
        """What a last linear layer reads; None of a model without one."""
        ...

    def last(self) -> LastLayer | None:
        """The model's own last layer on `features`; None of a model without one."""
        ...

    def values(self, held: Any) -> Float[np.ndarray, "item part"]:
        """One number a part and item: its mean activation, or what it adds along the classes' directions."""
        ...

    def carried(self, cases: Cases, before: Any, after: Any, target: int) -> Float[np.ndarray, " part"]:
        """Of how much the margin of `target` over the cases' class grew, each part's share; mean over cases."""
        ...

    def splits(self, suspect: Suspect, source: int) -> Splits | None:
        """Items to choose and test repairs on; None where the data have no groups to speak of."""
        ...

    def examples(self, cases: Cases, shown: Sequence[int], suspect: Suspect) -> Iterator[Mapping[str, Any]]:
        """For each shown case what the report needs: pictures (`before`, `after`, `heat`) or texts."""
        ...


@dataclass(frozen=True, eq=False)
class Carriers:
    """Parts that carry a suspect, found where it was explored.

    Attributes
    ----------
    parts:
        Those that are cut together, loudest first.
    margin:
        Each one's share of how much the margin grew, as measured; NaN where it did not. They add up to 1 over all parts
        only where the parts are all that the answer is made of.
    control:
        Random sets of as many other parts, of like activation mass.
    """

    parts: tuple[int, ...]
    margin: tuple[float, ...]
    control: tuple[tuple[int, ...], ...] = field(default=())
