"""Runs on texts in a real browser: passages, cards and the parts that only texts have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.test_web_unit import CONTRAST, unit_page

Open = Callable[[Path], Page]


def test_the_index_shows_what_only_texts_have(pairs: Path, open_page: Open):
    page = open_page(pairs / "index.html")
    for part in ("artefacts", "correlations", "adversarial"):
        expect(page.locator(f"#{part}")).to_be_visible()
    expect(page.locator("#artefacts > .scroll tbody tr")).to_have_count(8)
    page.locator("#adversarial summary").click()
    expect(page.locator("#adversarial ins").first).to_be_visible()


def test_cards_show_the_top_passage_instead_of_a_picture(pairs: Path, open_page: Open):
    page = open_page(pairs / "index.html")
    page.select_option("#status", "named")
    card = page.locator(".card").first
    expect(card.locator(".excerpt")).to_contain_text("hypothesis: Nobody is on the roof.")
    expect(card.locator(".excerpt mark").first).to_have_text("Nobody")
    assert page.locator(".thumb").count() == 0
    page.select_option("#status", "not named")
    assert page.locator(".excerpt").count() == 3
    assert page.locator(".excerpt mark").count() == 0
    page.select_option("#status", "skipped")
    expect(page.locator("#tally")).to_have_text("3 of 15 units")
    expect(page.locator(".card .name").first).to_have_text("fires too seldom to be examined")


def test_searching_finds_plain_words_and_categories_are_in_plain_words(pairs: Path, open_page: Open):
    page = open_page(pairs / "index.html")
    page.fill("#find", "“sleeping” hypothesis")
    assert page.locator(".card").count() > 0
    page.fill("#find", "")
    page.select_option("#category", label="word of the hypothesis")
    assert 0 < page.locator(".card").count() < 15


def test_the_page_of_a_unit_shows_pairs_edits_and_weights(pairs: Path, open_page: Open):
    page = open_page(unit_page(pairs))
    for part in ("top-images", "deciles", "disagreements", "class-weights", "editing"):
        expect(page.locator(f"#{part}")).to_be_visible()
    expect(page.locator("#top-images .passage")).to_have_count(6)
    expect(page.locator("#editing .passage")).to_have_count(2)
    frame = page.locator("#top-images .passage mark").first.evaluate("e => getComputedStyle(e).outlineStyle")
    assert frame == "dashed"
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(unit_page(pairs, 1).as_uri())


def test_active_tokens_are_shaded_and_underlined(tokens: Path, open_page: Open):
    page = open_page(unit_page(tokens))
    strong = page.locator("#top-images .passage .heat-5").first
    look = strong.evaluate("e => [getComputedStyle(e).textDecorationLine, getComputedStyle(e).backgroundColor]")
    weak = page.locator("#top-images .passage .heat-2").first
    assert look[0] == "underline"
    assert weak.evaluate("e => getComputedStyle(e).textDecorationLine") == "none"
    assert weak.evaluate("e => getComputedStyle(e).backgroundColor") != look[1]
    assert (strong.get_attribute("title") or "").startswith("activation 5.5")


def test_screen_readers_hear_what_is_framed_and_shaded(tokens: Path, open_page: Open):
    page = open_page(unit_page(tokens))
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    names = [node.get("name", {}).get("value", "") for node in nodes]
    assert any("Named by the formula: Once, time." in name and "there (activation 4.5)" in name for name in names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_on_every_shade(pairs: Path, tokens: Path, open_page: Open, scheme: str):
    for path in (pairs / "index.html", unit_page(pairs), unit_page(pairs, 2), unit_page(pairs, 3), unit_page(tokens)):
        page = open_page(path)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        assert page.evaluate(CONTRAST) == [], path


@pytest.mark.parametrize("width", [320, 390, 768])
def test_texts_fit_a_small_screen(pairs: Path, tokens: Path, hostile_texts: Path, open_page: Open, width: int):
    for run in (pairs, tokens, hostile_texts):
        for path in (run / "index.html", unit_page(run)):
            page = open_page(path)
            page.set_viewport_size({"width": width, "height": 800})
            page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_hostile_texts_run_nothing(hostile_texts: Path, open_page: Open):
    for path in (hostile_texts / "index.html", unit_page(hostile_texts)):
        page = open_page(path)
        expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
        assert page.locator("main img").count() == 0
