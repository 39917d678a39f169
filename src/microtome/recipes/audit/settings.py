"""What a user can choose about an audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from microtome.core.errors import OptionError
from microtome.data.paste import REMOVALS, Place, Removal

Ablation = Literal["mean", "zero", "resample"]


@dataclass(frozen=True)
class AuditSettings:
    """Settings of an audit.

    Attributes
    ----------
    images:
        Items of the data, and of the shift split each, that are held in memory; 40 or more.
    suspects:
        Suspects that are explored; each costs some hundred forward passes.
    cases:
        Inputs that a suspect is proved on; 10 or more. More makes intervals narrower.
    trials:
        Inputs of each class on which it is explored.
    draws:
        Draws of every control.
    parts:
        Most parts that are cut together.
    ablate:
        What a cut part is set to.
    place:
        Where segments go: `own` (where they were), `random`, `rival` (over what stands there instead of them), or
        `auto`: a rival where there is one.
    scale:
        Factor on pasted segments.
    soft:
        Pixels over which a pasted edge is blended.
    over_defining:
        Paste over what defines the class of the image too.
    removal:
        How a concept is taken out: `mean` (filled with what surrounds it), `blur`, `recolour`.
    price:
        Most accuracy, in points, that a repair may cost.
    repair:
        Whether repairs are tried.
    concept, target, source:
        Audit this concept alone, as a reason for the class `target`, on inputs of the class `source`; empty: all
        suspects, and any class.
    directions:
        Suspects whose concept's direction is weighed against single units; each takes some ten seconds. 0: none.
    fdr:
        Share of proofs that may be false.
    batch_size:
        Inputs in a forward pass.
    seed:
        Decides halves, draws and resamples.
    """

    images: int = 1600
    suspects: int = 24
    cases: int = 60
    trials: int = 8
    draws: int = 2
    parts: int = 48
    ablate: Ablation = "mean"
    place: Place = "auto"
    scale: float = 1.0
    soft: int = 0
    over_defining: bool = False
    removal: Removal = "mean"
    price: float = 2.0
    repair: bool = True
    concept: str = ""
    target: str = ""
    source: str = ""
    directions: int = 2
    fdr: float = 0.05
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        least = (
            ("images", self.images, 40), ("suspects", self.suspects, 1), ("cases", self.cases, 10),
            ("trials", self.trials, 2), ("draws", self.draws, 1), ("parts", self.parts, 1), ("soft", self.soft, 0),
            ("directions", self.directions, 0),
            ("batch-size", self.batch_size, 1), ("seed", self.seed, 0),
        )  # fmt: skip
        problems = [f"--{name} is {value}; expected {low} or more" for name, value, low in least if value < low]
        problems += _choices(self.ablate, self.place, self.removal)
        if bool(self.concept) != bool(self.target) or (self.source and not self.concept):
            problems.append("--concept and --target belong together; --source needs both")
        if not 0.1 <= self.scale <= 10:
            problems.append(f"--scale is {self.scale}; expected 0.1 to 10")
        if not 0 < self.fdr < 1:
            problems.append(f"--fdr is {self.fdr}; expected between 0 and 1")
        if not 0 <= self.price <= 100:
            problems.append(f"--price is {self.price}; expected points from 0 to 100")
        if problems:
            raise OptionError("; ".join(problems), next_step="see microtome audit --help")


def checked_settings(*, ablate: str, place: str, removal: str, **others: Any) -> AuditSettings:
    """Settings from words of the command line. Raises OptionError, naming all that are none of the choices."""
    problems = _choices(ablate, place, removal)
    if problems:
        raise OptionError("; ".join(problems), next_step="see microtome audit --help")
    chosen: dict[str, Any] = {"ablate": ablate, "place": place, "removal": removal}
    return AuditSettings(**chosen, **others)


def _choices(ablate: str, place: str, removal: str) -> list[str]:
    chosen = (
        ("ablate", ablate, get_args(Ablation)), ("place", place, get_args(Place)), ("removal", removal, REMOVALS)
    )  # fmt: skip
    return [
        f"--{name} is '{value}'; expected {', '.join(valid)}" for name, value, valid in chosen if value not in valid
    ]
