"""The metric that a run searched by, in words: its label, how its scores are written, what a score says."""

from __future__ import annotations

from dataclasses import dataclass

from microtome.report import words
from microtome.report.nouns import Nouns
from microtome.report.words import Number


@dataclass(frozen=True)
class Measure:
    """A metric as a reader meets it.

    Attributes
    ----------
    key:
        Its name in settings and in the glossary.
    label:
        As it is written.
    plain:
        What a score says, as the end of a sentence about "the name"; may use {score}, {share},
        {elements} and the prepositions {holds} and {fires}.
    digits:
        Decimals of a score.
    floor:
        Where bars begin: the score of no relation, for a metric that has one far from 0.
    """

    key: str
    label: str
    plain: str
    digits: int = 3
    floor: float = 0.0

    def number(self, value: Number | None) -> str:
        """A score as text; a dash where there is none."""
        return words.number(value, digits=self.digits)

    def gain(self, value: Number | None) -> str:
        """A difference of scores with its sign; empty where there is none."""
        return "" if value is None else f"{value:+.{self.digits}f}"

    def sentence(self, subject: str, value: Number, *, nouns: Nouns) -> str:
        """What a score says of `subject`, such as "the name", in a run that counts what `nouns` says."""
        said = self.plain.format(
            subject=subject,
            score=self.number(value),
            share=words.share(value),
            elements=nouns.elements,
            holds=nouns.holds,
            fires=nouns.fires,
        )
        return f"On {nouns.items} that took no part in the search, {said}."


MEASURES = {
    measure.key: measure
    for measure in (
        Measure("iou", "IoU", "{subject} and the unit overlap with an IoU of {score}"),
        Measure("precision", "precision", "the unit fires {fires} {share} of the {elements} where {subject} holds"),
        Measure("recall", "recall", "{subject} holds {holds} {share} of the {elements} where the unit fires"),
        Measure("f1", "F1", "{subject} and the unit agree with an F1 of {score}"),
        Measure("mcc", "MCC", "{subject} and the unit's firing correlate with an MCC of {score}"),
        Measure(
            "lift", "lift", "the unit fires {score} times as often where {subject} holds as it does anywhere", digits=1
        ),
        Measure(
            "auroc",
            "AUROC",
            "one of the {elements} where {subject} holds has a higher activation than one where it does not in {share} "
            "of all pairs (AUROC {score}; 0.5 is no relation)",
            floor=0.5,
        ),
    )
}
