"""Reads a run of `microtome audit` or `microtome explain` once: its manifest and its tables. It computes no score."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from microtome.core.errors import RunError, problems_together
from microtome.report import words
from microtome.report.decompose.view import MANIFEST_KEYS, columns_of, read_rows
from microtome.report.nouns import NOUNS, Nouns
from microtome.report.told import Row, ToldRun
from microtome.store.run import read_manifest
from microtome.store.tables import AUDIT

NEEDED: dict[str, dict[str, str]] = {
    "audit": {"findings": "number verdict sentence target source words"},
    "explain": {"explained_parts": "title words adds"},
}
"""Tables that the pages of a kind cannot do without, with their columns. All others are shown where they are there."""

VERDICTS = ("proved", "not proved", "refuted")


@dataclass(frozen=True)
class AuditView(ToldRun):
    """Everything the report shows of one run of `audit` or `explain`."""

    @property
    def nouns(self) -> Nouns:
        """What the classifier is shown."""
        return NOUNS.get(str(self.summary.get("item")), NOUNS["image"])

    @property
    def part(self) -> str:
        """What the model was taken apart into: `unit`, `head`, `neuron`."""
        return str(self.summary.get("part") or "unit")

    @property
    def means(self) -> str:
        """How a part is tied to its name: a unit `fires on` it, a head or a neuron of texts `stands for` it."""
        return "fires on" if self.part == "unit" else "stands for"

    @property
    def layer(self) -> str:
        """The layer whose parts were looked at; empty where the model is not cut at one."""
        return str(self.manifest["model"].get("layer") or "")

    @property
    def data(self) -> str:
        """The name of the data."""
        return str(self.manifest["data"].get("name", f"the {self.nouns.items}"))

    def items(self, count: int | None) -> str:
        """`1 image`, `60 pairs`; without a number the plain noun."""
        return self.nouns.items if count is None else words.plural(int(count), self.nouns.item)

    def parts(self, count: int) -> str:
        """`1 unit`, `12 heads`."""
        return words.plural(count, self.part)


@dataclass(frozen=True)
class FindingView:
    """One suspect with all that the run has of it.

    Attributes
    ----------
    row:
        Of `findings`.
    number:
        What other tables call it.
    parts, images, texts, transfer, repairs, groups:
        Its rows of `finding_parts`, `finding_images`, `finding_texts`, `transfer`, `repairs` and `repair_groups`.
    """

    row: Row
    number: int
    parts: tuple[Row, ...]
    images: tuple[Row, ...]
    texts: tuple[Row, ...]
    transfer: tuple[Row, ...]
    repairs: tuple[Row, ...]
    groups: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Its number with two digits or more."""
        return f"{self.number:02d}"

    @property
    def page(self) -> str:
        """Its page, below the folder `report`."""
        return f"findings/{self.name}.html"

    @property
    def verdict(self) -> str:
        """`proved`, `not proved` or `refuted`."""
        return self.row["verdict"] if self.row["verdict"] in VERDICTS else "not proved"

    @property
    def style(self) -> str:
        """The verdict as a class of its looks."""
        return self.verdict.replace(" ", "-")

    @property
    def concept(self) -> str:
        """The concept in words."""
        return str(self.row["words"] or self.row["concept"] or "a concept")

    @property
    def target(self) -> str:
        """The class that the concept speaks for."""
        return str(self.row["target"] or "a class")

    @property
    def short(self) -> str:
        """The suspect in three words: `water → gull`."""
        return f"{self.concept} → {self.target}"

    @property
    def sentence(self) -> str:
        """What was found."""
        return str(self.row["sentence"] or f"{self.concept} may speak for {self.target}.")


def findings_of(view: AuditView) -> tuple[FindingView, ...]:
    """All suspects, proved ones first, each kind in the order of the run."""
    names = ("finding_parts", "finding_images", "finding_texts", "transfer", "repairs", "repair_groups")
    own: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for name in names:
        for row in sorted(view.rows(name), key=_place):
            if row["number"] is not None:
                own[name, row["number"]].append(row)
    found = []
    for place, row in enumerate(view.rows("findings")):
        number = place if row["number"] is None else int(row["number"])
        found.append(FindingView(row, number, *(tuple(own[name, number]) for name in names)))
    return tuple(sorted(found, key=lambda finding: VERDICTS.index(finding.verdict)))


def _place(row: Row) -> words.Number:
    """Where a row says that it stands; as written where it does not say."""
    place = row.get("rank", row.get("place"))
    return 0 if place is None else place


def read_audit(run: Path) -> AuditView:
    """Read a run folder.

    Parameters
    ----------
    run:
        A folder that `microtome audit` or `microtome explain` wrote; its format is docs/run-format.md.

    Raises
    ------
    RunError
        If the folder is no run, or a table or a column that its pages need is missing; all problems at once.
    """
    manifest = read_manifest(run)
    kind = str(manifest.get("kind", ""))
    problems = [f"manifest.json lacks {key}" for key in MANIFEST_KEYS if key not in manifest]
    needed = {name: columns.split() for name, columns in NEEDED.get(kind, {}).items()}
    problems += [f"{name}.parquet is missing" for name in needed if not (run / f"{name}.parquet").is_file()]
    tables = {
        name: read_rows(run / f"{name}.parquet", needed.get(name, []), columns_of(AUDIT[name]), problems)
        for name in AUDIT if (run / f"{name}.parquet").is_file()
    }  # fmt: skip
    if problems:
        raise RunError(
            f"The run '{run}' cannot be reported:\n{problems_together(problems)}",
            expected="the tables that docs/run-format.md lists",
            next_step="make the run again with this version of microtome",
        )
    return AuditView(run, kind, manifest, tables)
