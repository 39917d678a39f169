"""HANS: pairs on which the heuristics of inference models fail.

Source: McCoy, Pavlick & Linzen, "Right for the Wrong Reasons" (2019), `heuristics_evaluation_set.txt`: tab-separated
with a header; labels are entailment and non-entailment.
"""

from __future__ import annotations

from pathlib import Path

from microtome.data.text.rows import TextRows
from microtome.data.text.tsv import read_tsv

HANS_CLASSES = ("entailment", "non-entailment")


def is_hans(path: Path, first: str) -> bool:
    """Whether a file's first line is the header of HANS."""
    return {"gold_label", "sentence1", "sentence2", "heuristic"} <= set(first.split("\t"))


def read_hans(path: Path) -> TextRows:
    """Rows of HANS with its two labels. Raises DataError as `read_tsv` does."""
    return read_tsv(path, HANS_CLASSES, reader="hans")
