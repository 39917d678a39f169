"""A headless Chromium that watches for errors and for requests that leave the folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from microtome.report import pages
from microtome.report.layout import UNIT_PARTS
from microtome.report.pages import write_report
from tests.support.fake_run import FakeRun, write_fake_run
from tests.support.fake_text_run import FakeTextRun, write_fake_text_run

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass
class Watch:
    """What went wrong while pages were open."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        page.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", self._failed)
        page.on("dialog", self._dialog)

    def _failed(self, request: Request) -> None:
        # A picture that was still loading when the page was left is no fault of the page.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.errors.append(f"failed: {request.url}")

    def _dialog(self, dialog: object) -> None:
        self.dialogs.append(str(dialog))
        dialog.dismiss()  # type: ignore[attr-defined]

    def check(self) -> None:
        assert self.errors == []
        assert self.dialogs == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:"))] == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; without it they are skipped, or fail where everything is required."""
    if not CHROMIUM.is_file():
        if os.environ.get("MICROTOME_REQUIRE_ALL") == "1":
            pytest.fail(f"{CHROMIUM} is missing, and MICROTOME_REQUIRE_ALL=1 forbids skipping")
        pytest.skip(f"{CHROMIUM} is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield context
    context.close()


@pytest.fixture
def watch() -> Watch:
    """What the pages of a test did wrong."""
    return Watch()


@pytest.fixture
def open_page(context: BrowserContext, watch: Watch) -> Iterator[Callable[[Path], Page]]:
    """Opens a file as a double click does. At the end: no error, no dialog, no request but to files."""

    def opened(path: Path) -> Page:
        page = context.new_page()
        watch.attach(page)
        page.goto(path.resolve().as_uri())
        return page

    yield opened
    watch.check()


def reported(folder: Path, fake: FakeRun) -> Path:
    """A made-up run with its report."""
    write_fake_run(folder, fake)
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 128 units."""
    return reported(tmp_path_factory.mktemp("plain") / "run", FakeRun(units=128, draws=10))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose names try to break out of the page, in a folder whose name does so too."""
    folder = tmp_path_factory.mktemp("hostile") / 'a run\'s "#1" & <b>100%</b>?'
    return reported(folder, FakeRun(units=12, draws=10, hostile=True, predicted=("<b>bold</b>",)))


@pytest.fixture(scope="session")
def ranged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with three ranges a unit and predicted objects."""
    return reported(
        tmp_path_factory.mktemp("ranged") / "run", FakeRun(units=8, ranges=3, draws=10, predicted=("object",))
    )


@pytest.fixture(scope="session")
def auroc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on whole images, searched by AUROC."""
    return reported(
        tmp_path_factory.mktemp("auroc") / "run", FakeRun(units=16, draws=10, metric="auroc", image_level=True)
    )


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 2,048 units. The list is what counts, so the pages of the units hold their first part alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "UNIT_PARTS", UNIT_PARTS[:1])
        return reported(tmp_path_factory.mktemp("large") / "run", FakeRun(units=2048, draws=2))


def reported_texts(folder: Path, fake: FakeTextRun) -> Path:
    """A made-up run on texts with its report."""
    write_fake_text_run(folder, fake)
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on sentence pairs, edits included."""
    return reported_texts(tmp_path_factory.mktemp("pairs") / "run", FakeTextRun(units=15))


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the tokens of running text."""
    return reported_texts(tmp_path_factory.mktemp("tokens") / "run", FakeTextRun(kind="token"))


@pytest.fixture(scope="session")
def hostile_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentence pairs that try to break out of the page."""
    return reported_texts(tmp_path_factory.mktemp("hostile-texts") / "run", FakeTextRun(hostile=True))
