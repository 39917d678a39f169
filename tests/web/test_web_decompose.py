"""Pages of a decomposition in a real browser: the grid, lists that sort, pairs of pictures, both themes, a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from microtome.report.pages import write_report
from tests.support.fake_decompose_run import FakeDecompose, write_fake_decompose
from tests.web.test_web_unit import CONTRAST

Open = Callable[[Path], Page]

NARROW = 390


def reported(folder: Path, fake: FakeDecompose) -> Path:
    write_fake_decompose(folder, fake)
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each kind, and one whose texts and folder try to break out of the page."""
    folder = tmp_path_factory.mktemp("decompose")
    return {
        "heads": reported(folder / "heads", FakeDecompose()),
        "neurons": reported(folder / "neurons", FakeDecompose(kind="neurons", neurons=40)),
        "ablate": reported(folder / "ablate", FakeDecompose(kind="ablate")),
        "hostile": reported(folder / 'a run\'s "#1" & <b>100%</b>?', FakeDecompose(hostile=True)),
    }


PAGES = {
    "heads": "index.html",
    "head": "report/heads/03-05.html",
    "a head of chance": "report/heads/00-00.html",
    "neurons": "index.html",
    "neuron": "report/neurons/03-00008.html",
    "ablate": "index.html",
    "hostile": "index.html",
    "hostile head": "report/heads/03-05.html",
}
OF = {"head": "heads", "a head of chance": "heads", "neuron": "neurons", "hostile head": "hostile"}


def page_of(runs: dict[str, Path], name: str) -> Path:
    return runs[OF.get(name, name)] / PAGES[name]


def test_a_cell_of_the_grid_leads_to_its_head_and_arrows_go_on(runs: dict[str, Path], open_page: Open) -> None:
    page = open_page(runs["heads"] / "index.html")
    cell = page.get_by_role("link", name="head 3.5: color")
    expect(cell).to_have_attribute("class", "step-5")
    cell.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".claim")).to_have_text("Writes about color.")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url((runs["heads"] / "report/heads/03-04.html").as_uri())
    page.get_by_role("link", name="All heads").click()
    expect(page.locator("#grid table")).to_be_visible()


def test_cells_that_write_more_are_darker(runs: dict[str, Path], open_page: Open) -> None:
    page = open_page(runs["heads"] / "index.html")
    light = "e => getComputedStyle(e).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b)"
    most = page.locator('.grid a[href$="03-05.html"]').evaluate(light)
    little = page.locator('.grid a[href$="01-01.html"]').evaluate(light)
    assert most < little


def test_a_list_sorts_both_ways_shows_all_and_tells_it(runs: dict[str, Path], open_page: Open) -> None:
    page = open_page(runs["heads"] / "index.html")
    rows = page.locator("#heads tbody tr:visible")
    expect(rows).to_have_count(12)
    expect(rows.first.locator("th")).to_have_text("0.0")
    page.get_by_role("button", name="Show all 24").click()
    expect(rows).to_have_count(24)
    sort = page.locator("#heads").get_by_role("button", name="share of variance")
    sort.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#heads th[aria-sort=descending]")).to_have_text("share of variance")
    expect(rows.first.locator("th")).to_have_text("3.5")
    expect(page.locator("#said")).to_have_text("Sorted by share of variance, highest first.")
    page.keyboard.press("Enter")
    expect(rows.last.locator("th")).to_have_text("3.5")


def test_a_long_list_can_be_searched(runs: dict[str, Path], open_page: Open) -> None:
    page = open_page(runs["neurons"] / "index.html")
    rows = page.locator("#neurons tbody tr:visible")
    expect(rows).to_have_count(20)
    page.get_by_label("Find in this list").fill("CACTUS")
    assert 0 < rows.count() < 40
    assert all("cactus" in text for text in rows.all_text_contents())
    page.get_by_label("Find in this list").fill("")
    expect(rows).to_have_count(20)


def test_without_javascript_every_row_stands_open(runs: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((runs["neurons"] / "index.html").as_uri())
    expect(page.locator("#neurons tbody tr:visible")).to_have_count(40)
    expect(page.locator(".sieve")).to_be_hidden()
    context.close()


def test_a_heatmap_stands_beside_its_picture_at_its_own_place(runs: dict[str, Path], open_page: Open) -> None:
    page = open_page(runs["heads"] / "report/heads/03-05.html")
    pair = page.locator(".pair").nth(3)
    pair.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.pair img')[6].naturalWidth === 1344")
    # The fourth picture is the seventh tile of the sheet, its heatmap the eighth.
    place = "e => { const a = e.getBoundingClientRect(), b = e.firstElementChild.getBoundingClientRect();"
    place += " return [(a.left - b.left) / a.width, (a.top - b.top) / a.height]; }"
    assert pair.locator(".tile").nth(0).evaluate(place) == pytest.approx([6, 0], abs=0.02)
    assert pair.locator(".tile").nth(1).evaluate(place) == pytest.approx([7, 0], abs=0.02)
    at = "e => { const box = e.getBoundingClientRect(); return [box.left, box.top]; }"
    (left, top), (right, beside) = (pair.locator(".tile").nth(n).evaluate(at) for n in (0, 1))
    assert left < right
    assert top == beside
    expect(pair.locator("img").nth(1)).to_have_attribute(
        "alt", "Heatmap of heldout-000000: where head 3.5 takes it from"
    )


def test_terms_are_explained(runs: dict[str, Path], open_page: Open) -> None:
    page = open_page(runs["ablate"] / "index.html")
    page.locator("#curves .term", has_text="Total effect").first.hover()
    expect(page.locator("#tooltip")).to_contain_text("while the model runs")


@pytest.mark.parametrize("name", ["hostile", "hostile head"])
def test_hostile_texts_do_nothing(runs: dict[str, Path], open_page: Open, name: str) -> None:
    page = open_page(page_of(runs, name))
    expect(page.locator("main")).to_contain_text("</script><img src=x onerror=alert(1)>")
    expect(page.locator("main")).to_contain_text("{{ 7 * 7 }}")
    assert page.locator("img[src=x]").count() == 0
    assert page.locator(".claim b b, h1 b, .grid b b").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_and_no_page_is_wider_than_a_phone(
    runs: dict[str, Path], browser: Browser, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": NARROW, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for name in PAGES:
        page.goto(page_of(runs, name).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        assert page.evaluate(CONTRAST) == [], name
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW, (name, width)
    context.close()
