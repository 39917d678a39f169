"""What a run on real data is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress, silent


def unchanged(result: Dissection, progress: Progress) -> Dissection:
    """The run as it is."""
    return result


@dataclass(frozen=True)
class RealRun:
    """One dissection of a real network on real data.

    Attributes
    ----------
    name:
        Its folder below runs/results and its page.
    title, about:
        Heading and introduction of the page.
    credit:
        Whose data and weights these are.
    command:
        Words that make the run.
    make:
        (shared data, run folder, settings, command, progress) -> the run.
    settings:
        As docs/results has it; tests ask for fewer permutations.
    finish:
        What is done with the finished run before its page is written, where it is not done yet.
    """

    name: str
    title: str
    about: str
    credit: str
    command: tuple[str, ...]
    make: Callable[[Path, Path, DissectSettings, tuple[str, ...], Progress], Dissection]
    settings: DissectSettings
    finish: Callable[[Dissection, Progress], Dissection] = unchanged

    def run(
        self,
        shared: Path,
        out: Path,
        *,
        permutations: int | None = None,
        units: tuple[int, ...] | None = None,
        progress: Progress = silent,
    ) -> Dissection:
        """Make the run at `out`; `permutations` and `units` in place of the settings' own."""
        settings = replace(self.settings, units=units)
        if permutations is not None:
            settings = replace(settings, permutations=permutations)
        return self.make(shared, out, settings, self.command, progress)
