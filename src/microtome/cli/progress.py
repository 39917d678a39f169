"""A progress bar on standard error for a recipe's `progress` callback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Yields progress(stage, done, total); each stage gets a bar of its own, a stage without steps a line.

    Where standard error is no terminal (a file, a job's log) a stage gets a line when it begins and one when it ends.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if done == 0:
                console.print(stage, markup=False, highlight=False)
                return
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield show


def _lines(console: Console) -> Callable[[str, int, int], None]:
    begun: set[str] = set()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(stage: str, done: int, total: int) -> None:
        if done == 0:
            say(stage)
            return
        if stage not in begun:
            begun.add(stage)
            say(f"{stage}: {done} of {total}")
        if done == total:
            say(f"{stage}: done")

    return show
