"""Collect every problem of an image before raising, so that a check can report all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from microtome.core.errors import DataError, problems_together

Result = TypeVar("Result")


class ManyProblems(DataError):
    """Several problems of one data set or image, raised together.

    Parameters
    ----------
    problems:
        At least one error; `problems` keeps them apart for a report.
    """

    def __init__(self, problems: Iterable[DataError]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            only = self.problems[0]
            super().__init__(only.what, expected=only.expected, next_step=only.next_step)
            return
        super().__init__(
            f"{len(self.problems)} problems:\n" + problems_together([problem.what for problem in self.problems]),
            expected="; ".join(dict.fromkeys(p.expected for p in self.problems if p.expected)),
            next_step="; ".join(dict.fromkeys(p.next_step for p in self.problems if p.next_step)),
        )


def each_problem(error: DataError) -> tuple[DataError, ...]:
    """The single problems that an error stands for."""
    return error.problems if isinstance(error, ManyProblems) else (error,)


class Collector:
    """Runs steps that may fail independently; `settle` raises what went wrong."""

    def __init__(self) -> None:
        self._found: list[DataError] = []

    def attempt(self, step: Callable[[], Result]) -> Result | None:
        """The step's result, or None when it raised a DataError, which is kept."""
        try:
            return step()
        except DataError as error:
            self._found.extend(each_problem(error))
            return None

    def add(self, problem: DataError) -> None:
        """Keep a problem that was found without raising."""
        self._found.append(problem)

    def settle(self) -> None:
        """Raise ManyProblems when anything was kept; otherwise nothing."""
        if self._found:
            raise ManyProblems(self._found)
