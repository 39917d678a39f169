"""The list of units in a real browser, opened as a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

Open = Callable[[Path], Page]
BATCH = 48


def units_of(run: Path) -> list[dict]:
    text = (run / "report" / "units.js").read_text(encoding="utf-8")
    data = json.loads(text.removeprefix("window.microtomeUnits = ").removesuffix(";\n"))
    return [dict(zip(data["fields"], entry, strict=True)) for entry in data["units"]]


def shown(page: Page) -> list[int]:
    return [int(text.removeprefix("unit ")) for text in page.locator(".card .number").all_text_contents()]


def test_the_page_opens_from_a_file_and_says_what_came_out(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    units = units_of(plain)
    named = sum(unit["status"] == "named" for unit in units)
    expect(page.locator(".answer")).to_contain_text(
        f"layer4 has 128 units; {named} of them have a name that beats chance"
    )
    expect(page.locator("#tally")).to_have_text("128 of 128 units")
    assert page.locator("svg.chart").count() == 2
    page.locator("#units").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.thumb img').naturalWidth === 448")


def test_searching_finds_words_and_numbers(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    page.keyboard.press("/")
    page.keyboard.type("wheel")
    expected = {
        u["unit"]
        for u in units_of(plain)
        if any("wheel" in "".join(text for text, _ in pieces) for pieces in (u["words"], *u["might"]))
    }
    assert 0 < len(expected) < 128
    expect(page.locator("#tally")).to_have_text(f"{len(expected)} of 128 units")
    assert set(shown(page)) <= expected
    page.fill("#find", "unit 77")
    assert shown(page) == [77]
    page.fill("#find", "no such concept")
    expect(page.locator("#tally")).to_have_text("0 of 128 units")
    assert shown(page) == []


def test_every_sort_orders_the_cards_and_puts_missing_scores_last(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    units = {unit["unit"]: unit for unit in units_of(plain)}
    assert shown(page)[0] == max(units.values(), key=lambda u: u["heldout"] or 0)["unit"]
    page.select_option("#sort", "accuracy")
    values = [units[n]["accuracy"] for n in shown(page)]
    assert values == sorted(values, reverse=True)
    page.select_option("#sort", "mistaken")
    values = [units[n]["accuracy"] for n in shown(page)]
    assert None not in values
    assert values == sorted(values)
    page.select_option("#sort", "unit")
    assert shown(page) == list(range(BATCH))
    choices = page.locator("#sort option").all()
    assert len(choices) >= 10
    for choice in choices:
        page.select_option("#sort", choice.get_attribute("value"))
        assert len(shown(page)) == BATCH


def test_filters_by_category_and_by_named(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    units = units_of(plain)
    for status in ("named", "not named", "silent"):
        page.select_option("#status", status)
        expected = {unit["unit"] for unit in units if unit["status"] == status}
        expect(page.locator("#tally")).to_have_text(f"{len(expected)} of 128 units")
        assert set(shown(page)) <= expected
    page.select_option("#status", "named")
    page.select_option("#category", label="material")
    expected = {u["unit"] for u in units if u["status"] == "named" and "material" in u["categories"]}
    expect(page.locator("#tally")).to_have_text(f"{len(expected)} of 128 units")


def test_a_unit_that_is_not_named_shows_no_name_on_its_card(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    page.select_option("#status", "not named")
    card = page.locator(".card").first
    expect(card.locator(".badge")).to_have_text("not named")
    expect(card.locator(".name")).to_have_text("no name beats chance")
    assert card.locator(".name .concept").count() == 0
    unit = next(u for u in units_of(plain) if u["unit"] == shown(page)[0])
    first, second, third = ("".join(text for text, _ in pieces) for pieces in unit["might"])
    expect(card.locator(".might")).to_have_text(f"might be {first}, {second} or {third}?")
    # A guess must not look like a name: neither heavy nor in the colour of one.
    weights = "e => [getComputedStyle(e).fontWeight, getComputedStyle(e).color]"
    guess = card.locator(".might .concept").first.evaluate(weights)
    page.select_option("#status", "named")
    name = page.locator(".card .name .concept").first.evaluate(weights)
    assert guess[0] == "400"
    assert int(name[0]) >= 600
    assert guess[1] != name[1]


def test_the_choice_is_in_the_address_and_comes_back(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    page.fill("#find", "sand & more")
    page.fill("#find", "sand")
    page.select_option("#status", "named")
    page.select_option("#sort", "unit")
    before = shown(page)
    assert before
    page.locator(".card").first.click()
    expect(page).to_have_url(f"{plain.as_uri()}/report/units/{before[0]:05d}.html")
    page.go_back()
    assert page.input_value("#find") == "sand"
    assert shown(page) == before


def test_an_anchor_of_the_index_stays_in_the_address(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    page.goto(plain.as_uri() + "/index.html#charts")
    page.reload()
    assert page.url.endswith("#charts")


def test_2048_units_paint_one_batch_and_search_through_all(large: Path, open_page: Open):
    page = open_page(large / "index.html")
    expect(page.locator("#tally")).to_have_text("2,048 of 2,048 units")
    # The list starts below the first screen: one batch is made, and another only once the reader comes near.
    assert page.locator(".card").count() <= 2 * BATCH
    images = page.evaluate("performance.getEntriesByType('resource').filter(e => e.name.endsWith('.jpg')).length")
    assert images < 32
    page.fill("#find", "2047")
    assert shown(page) == [2047]
    page.fill("#find", "wat")
    assert page.locator(".card").count() <= 2 * BATCH
    page.fill("#find", "")
    page.locator("#more").scroll_into_view_if_needed()
    page.wait_for_function(f"document.querySelectorAll('.card').length > {BATCH}")


def test_scrolling_shows_every_card_in_the_end(plain: Path, open_page: Open):
    page = open_page(plain / "index.html")
    for _ in range(10):
        page.mouse.wheel(0, 6000)
        page.wait_for_timeout(50)
    page.wait_for_function("document.querySelectorAll('.card').length === 128")
    assert len(set(shown(page))) == 128


def test_hostile_names_are_shown_as_text_and_do_nothing(hostile: Path, open_page: Open):
    page = open_page(hostile / "index.html")
    expect(page.locator(".cards")).to_contain_text("</script><img src=x onerror=alert(1)>")
    expect(page.locator(".cards")).to_contain_text("{{ 7 * 7 }}")
    assert page.locator("img[src=x]").count() == 0
    assert page.locator(".cards b b, h1 b, option b").count() == 0
    page.select_option("#category", label="<b>bold</b> (predicted)")
    assert shown(page)
    page.locator(".card").first.click()
    expect(page.locator(".claim").first).to_be_visible()
    page.wait_for_function("document.querySelector('.tile img').naturalWidth > 0")
    assert page.locator("img[src=x]").count() == 0
    page.locator("button.copy").click()
    expect(page.locator("button.copy")).not_to_have_text("Copy")


def test_cards_of_a_run_with_ranges_find_names_of_every_range(ranged: Path, open_page: Open):
    page = open_page(ranged / "index.html")
    unit = next(u for u in units_of(ranged) if any(other[1] for other in u["others"]))
    other = next(other for other in unit["others"] if other[1])
    page.fill("#find", "".join(text for text, _ in other[1]))
    assert unit["unit"] in shown(page)
    assert page.locator(".card .also").count() >= 1


def test_another_metric_names_sorts_bars_and_cards(auroc: Path, open_page: Open):
    page = open_page(auroc / "index.html")
    units = {unit["unit"]: unit for unit in units_of(auroc)}
    assert page.locator("#sort option").first.text_content() == "held-out AUROC"
    assert page.locator("#sort option", has_text="held-out IoU").count() == 1
    best = units[shown(page)[0]]
    assert best["heldout"] == max(unit["heldout"] or 0 for unit in units.values())
    expect(page.locator(".card .numbers").first).to_have_text(f"AUROC {best['heldout']:.3f} · chance 0.517")
    # Bars begin at 0.5, where there is no relation, not at 0.
    notch = page.locator(".card .notch").first.evaluate("e => parseFloat(e.style.left)")
    assert notch < 10
    page.select_option("#sort", "overlap")
    values = [units[n]["overlap"] for n in shown(page) if units[n]["overlap"] is not None]
    assert values == sorted(values, reverse=True)
