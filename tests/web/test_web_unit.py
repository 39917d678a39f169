"""A unit's page in a real browser, and what both kinds of page share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

Open = Callable[[Path], Page]

CONTRAST = """
() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => {
    const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const ground = (node) => {
    for (let e = node; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) { return c; }
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !e.checkVisibility() || e.closest(".unseen, script, .skip, .anchor")) {
      continue;
    }
    const style = getComputedStyle(e);
    const ink = parse(e.closest("svg.chart") ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const words = walk.currentNode.textContent.trim().slice(0, 30);
    if (ratio < 4.5) { bad.push(`${e.className}: ${words} ${ratio.toFixed(2)}`); }
  }
  return Array.from(new Set(bad));
}
"""


def unit_page(run: Path, unit: int = 0) -> Path:
    return run / "report" / "units" / f"{unit:05d}.html"


def test_the_page_shows_every_part(plain: Path, open_page: Open):
    page = open_page(unit_page(plain))
    for part in (
        *("headline", "top-images", "certainty", "steps", "deciles", "disagreements", "activations"),
        *("when-active", "overlaps", "categories", "other-methods", "certificate", "command"),
    ):
        expect(page.locator(f"#{part}")).to_be_visible()
    expect(page.locator("#top-images .picture")).to_have_count(12)
    expect(page.locator("#deciles .picture")).to_have_count(10)
    expect(page.locator("#disagreements .picture")).to_have_count(9)
    expect(page.locator("#steps tr.chosen")).to_have_count(1)
    expect(page.locator("#activations svg")).to_contain_text("T = 2.31")
    page.wait_for_function("document.querySelector('.tile img').naturalWidth === 1344")


def test_a_tile_shows_its_own_place_of_the_sheet(plain: Path, open_page: Open):
    page = open_page(unit_page(plain))
    page.wait_for_function("document.querySelector('.tile img').naturalWidth === 1344")
    # The 13th picture (the first decile) is tile 12: second row, first column of the sheet.
    shift = page.locator("#deciles .tile").first.evaluate(
        "e => { const box = e.getBoundingClientRect(); const image = e.firstElementChild.getBoundingClientRect();"
        " return [(box.left - image.left) / box.width, (box.top - image.top) / box.height, image.width / box.width]; }"
    )
    assert shift == pytest.approx([0, 1, 12], abs=0.01)


def test_arrow_keys_go_to_the_units_beside_it(plain: Path, open_page: Open):
    page = open_page(unit_page(plain, 5))
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(unit_page(plain, 6).as_uri())
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(unit_page(plain, 5).as_uri())
    page.locator(".scroll").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    assert page.url == unit_page(plain, 5).as_uri()


def test_terms_are_explained_on_hover_and_on_focus_and_escape_closes(plain: Path, open_page: Open):
    page = open_page(unit_page(plain))
    tooltip = page.locator("#tooltip")
    expect(tooltip).to_be_hidden()
    term = page.locator(".against .term[aria-describedby=tip-iou]")
    term.hover()
    expect(tooltip).to_contain_text("Intersection over union")
    page.mouse.move(0, 0)
    expect(tooltip).to_be_hidden()
    page.keyboard.press("Tab")
    for _ in range(80):
        if page.evaluate("document.activeElement.matches('.against .term[aria-describedby=tip-q]')"):
            break
        page.keyboard.press("Tab")
    expect(tooltip).to_contain_text("p corrected for the many units")
    page.keyboard.press("Escape")
    expect(tooltip).to_be_hidden()


def test_screen_readers_hear_the_explanation_of_a_term(plain: Path, open_page: Open):
    page = open_page(unit_page(plain))
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    terms = [n for n in nodes if n.get("role", {}).get("value") == "button" and n.get("name", {}).get("value") == "IoU"]
    assert terms
    assert all("Intersection over union" in n.get("description", {}).get("value", "") for n in terms)


def test_the_skip_link_comes_first_and_leads_to_the_content(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for landmark in ("header", "main", "footer", "search"):
        assert page.locator(f"{landmark}, [role={landmark}]").count() == 1


def test_dark_is_chosen_by_button_and_kept(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator("#theme").click()
    dark = page.evaluate(ground)
    assert dark != light
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")
    page.goto(unit_page(plain).as_uri())
    assert page.evaluate(ground) == dark
    page.locator("#theme").click()
    assert page.evaluate(ground) == light


def test_the_system_preference_is_followed_and_missing_storage_does_no_harm(browser: Browser, plain: Path):
    context = browser.new_context(color_scheme="dark")
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } });"
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((plain / "index.html").as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    assert errors == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(plain: Path, ranged: Path, auroc: Path, open_page: Open, scheme: str):
    for path in (plain / "index.html", unit_page(auroc), unit_page(plain), unit_page(plain, 11), unit_page(ranged)):
        page = open_page(path)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        assert page.evaluate(CONTRAST) == [], path


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_a_small_screen(
    plain: Path, hostile: Path, ranged: Path, auroc: Path, open_page: Open, width: int
):
    for run in (plain, hostile, ranged, auroc):
        for path in (run / "index.html", unit_page(run)):
            page = open_page(path)
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_command_is_copied(plain: Path, open_page: Open):
    page = open_page(unit_page(plain))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("button.copy").click()
    expect(page.locator("button.copy")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "microtome dissect world:scenes --layer layer4 --data world --out runs/demo"


def test_predicted_concepts_are_marked_and_explained(ranged: Path, open_page: Open):
    page = open_page(ranged / "index.html")
    assert page.locator(".card .mark").count() > 0
    expect(page.locator(".part-intro .note")).to_contain_text("another model said where they are")
    assert page.locator("#category option", has_text="object (predicted)").count() == 1


def test_a_page_without_a_name_shows_no_concept_in_the_colour_of_a_name(plain: Path, open_page: Open):
    from microtome.report.view import read_run

    units = read_run(plain).units
    colour = "all => Array.from(new Set(all.map(e => getComputedStyle(e).color + getComputedStyle(e).fontWeight)))"
    named = open_page(unit_page(plain, next(u.unit for u in units if u.named)))
    strong = named.locator(".ranged .concept").evaluate_all(colour)
    without = open_page(unit_page(plain, next(u.unit for u in units if u.lead.row["status"] == "not named")))
    faint = without.locator(".ranged .concept").evaluate_all(colour)
    assert len(strong) == len(faint) == 1
    assert strong != faint
    assert faint[0].endswith("400")
