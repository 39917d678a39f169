"""`make bench`: the table of speed and memory. `--quick` takes fewer repeats and leaves long twins short.

Times depend on the machine; every claim is a ratio or a bound of one run.
"""

from __future__ import annotations

import argparse
import platform

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import ablation, decompose, layer, recording, search, text

SECTIONS = {
    "Searches, one core": search.run,
    "A whole layer, from cached activations to pages": layer.run,
    "The recording pass": recording.run,
    "Growth": layer.growth,
    "Text": text.run,
    "Decomposition": decompose.run,
    "Ablation": ablation.run,
}


def _section(name: str) -> str:
    """The section of this name in any case."""
    return next((title for title in SECTIONS if title.casefold() == name.casefold()), name)


def main() -> None:
    """Print the table, section by section as they finish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=_section, choices=list(SECTIONS), help="one section")
    options = parser.parse_args()
    console = Console(width=130)
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    for title, run in SECTIONS.items():
        if options.only in (None, title):
            table = Table(title=title, title_justify="left")
            for column in ("what", "measured", "target"):
                table.add_column(column)
            for row in run(quick=options.quick):
                table.add_row(*row)
            console.print(table)


if __name__ == "__main__":
    main()
