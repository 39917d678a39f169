"""The tutorials run as they stand, and links between pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"
ROOT = DOCS.parent
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))


def code_of(page: Path) -> list[str]:
    """The Python blocks of a page, in order."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorial_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = code_of(page)
    assert blocks
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    assert list(tmp_path.glob("runs/*/index.html"))


def test_the_sample_property_gathers_what_it_names(tmp_path: Path) -> None:
    from microtome.data.text.open import TextSettings, open_texts

    page = code_of(DOCS / "how-to/bring-your-texts.md")
    file = tmp_path / "cues.py"
    file.write_text(next(block for block in page if "def judgement" in block), encoding="utf-8")
    data = open_texts("world@90", TextSettings(properties=(f"{file}:judgement", f"{file}:opening")))
    names = [concept.name for concept in data.concepts]
    held = [names.index("judgement") in data.read(k).sets[0] for k in range(len(data))]
    words = ("beloved", "borrowed", "expensive", "famous", "favourite", "old")
    assert held == [any(f" {word}" in data.texts(k)[1] for word in words) for k in range(len(data))]
    assert 0 < sum(held) < len(held)
    assert any(name.startswith("opening:") for name in names)


def test_texts_are_opened_from_python_as_written() -> None:
    names: dict[str, object] = {}
    exec(code_of(DOCS / "how-to/bring-your-texts.md")[-1], names)
    exec("import microtome\n" + code_of(DOCS / "how-to/bring-your-text-model.md")[-1], names)


def test_the_sample_method_works() -> None:
    names: dict[str, object] = {}
    exec("\n".join(code_of(DOCS / "how-to/new-method.md")), names)
    from tests.support.small_worlds import small_world

    world = small_world(4)
    found = names["MostCovered"]().prepare(world.table)(*world.activity)  # type: ignore[operator]
    column = world.columns[str(found[0].formula)]
    most = max(np.sum(c & world.unit) for c in world.columns.values())
    assert found[0].both_count == np.sum(column & world.unit) == most


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md"), *ROOT.glob("*.md")], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
