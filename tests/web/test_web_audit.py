"""Pages of an audit in a real browser: findings, cases, bars, both themes, a phone, no JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from microtome.report.pages import write_report
from tests.support.fake_audit_run import FakeAudit, write_fake_audit
from tests.web.test_web_unit import CONTRAST

Open = Callable[[Path], Page]

NARROW = 390
FINDING = "report/findings/05.html"


@pytest.fixture(scope="session")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run on images, one on texts, one of one input, and one that tries to break out of the page."""
    folder = tmp_path_factory.mktemp("audit")
    fakes = {
        "images": FakeAudit(),
        "texts": FakeAudit(item="pair"),
        "explain": FakeAudit(kind="explain"),
        'a run\'s "#1" & <b>100%</b>?': FakeAudit(hostile=True),
    }
    for name, fake in fakes.items():
        write_report(write_fake_audit(folder / name, fake))
    return {**{name: folder / name for name in fakes}, "hostile": folder / 'a run\'s "#1" & <b>100%</b>?'}


PAGES = (
    *(("images", "index.html"), ("images", FINDING), ("images", "report/findings/04.html")),
    *(("images", "report/classes/car.html"), ("texts", "index.html"), ("texts", FINDING), ("explain", "index.html")),
    *(("hostile", "index.html"), ("hostile", FINDING)),
)


def test_a_finding_leads_to_its_page_and_arrows_go_on(audits: dict[str, Path], open_page: Open) -> None:
    page = open_page(audits["images"] / "index.html")
    cards = page.locator(".finding")
    expect(cards).to_have_count(2)
    expect(cards.first.locator(".badge")).to_have_text("✓ proved")
    expect(page.locator(".refuted-list .others")).to_be_hidden()
    cards.first.get_by_role("link").click()
    expect(page.locator(".claim")).to_have_text("With snow put in, boat becomes car in 93% of 60 images.")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".which")).to_contain_text("finding 2 of 7")
    page.get_by_role("link", name="All findings").click()
    expect(page.locator("#findings")).to_be_visible()


def test_a_case_stands_before_after_and_with_its_heat(audits: dict[str, Path], open_page: Open) -> None:
    page = open_page(audits["images"] / FINDING)
    case = page.locator(".case").nth(1)
    case.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.case img')[3].naturalWidth === 1344")
    # The second case is the fourth to sixth tile of the sheet.
    place = "e => { const a = e.getBoundingClientRect(), b = e.firstElementChild.getBoundingClientRect();"
    place += " return [(a.left - b.left) / a.width, (a.top - b.top) / a.height]; }"
    for number in range(3):
        found = case.locator(".tile").nth(number).evaluate(place)
        assert found == pytest.approx([3 + number, 0], abs=0.02)


def test_bars_are_as_long_as_their_shares_and_point_their_way(audits: dict[str, Path], open_page: Open) -> None:
    page = open_page(audits["images"] / FINDING)
    width = "e => e.getBoundingClientRect().width"
    meter = page.locator("#sure .meter").first
    assert meter.locator(".fill").evaluate(width) / meter.evaluate(width) == pytest.approx(0.93, abs=0.01)
    page = open_page(audits["images"] / "report/classes/car.html")
    left = "e => e.firstElementChild.getBoundingClientRect().left - e.getBoundingClientRect().left"
    ours, against = page.locator(".signed.for").first, page.locator(".signed.against").first
    assert ours.evaluate(left) == pytest.approx(ours.evaluate(width) / 2, abs=1)
    assert against.evaluate(left) == pytest.approx(0, abs=1)
    height = "e => e.getBoundingClientRect().height"
    assert ours.evaluate(height) == against.evaluate(height)


def test_without_javascript_everything_is_there(audits: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((audits["images"] / "index.html").as_uri())
    expect(page.locator("#table-part-effects tbody tr:visible")).to_have_count(40)
    expect(page.locator(".sieve")).to_be_hidden()
    page.locator(".refuted-list summary").click()
    expect(page.locator(".refuted-list li").first).to_be_visible()
    context.close()


def test_hostile_names_do_nothing(audits: dict[str, Path], open_page: Open) -> None:
    for path in ("index.html", FINDING):
        page = open_page(audits["hostile"] / path)
        assert page.locator("img[src=x], main script").count() == 0
        assert page.locator(".concept b, .claim b, .sentence b, .target b b").count() == 0
    expect(page.locator("main")).to_contain_text("{{ 7 * 7 }}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_and_no_page_is_wider_than_a_phone(
    audits: dict[str, Path], browser: Browser, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": NARROW, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for name, path in PAGES:
        page.goto((audits[name] / path).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        assert page.evaluate(CONTRAST) == [], (name, path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW, (name, path, width)
    context.close()
