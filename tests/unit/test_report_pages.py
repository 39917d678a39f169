"""From a run folder to pages: complete, escaped, atomic, and with clear errors."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from microtome.core.errors import RunError
from microtome.report import pages
from microtome.report.datafile import FIELDS
from microtome.report.layout import INDEX_PARTS, UNIT_PARTS
from microtome.report.notebook import notebook_view
from microtome.report.pages import write_report
from microtome.report.view import read_run
from tests.support.fake_run import HOSTILE, FakeRun, write_fake_run


class Tags(HTMLParser):
    """Collects tags, ids and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags(path: Path) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser.tags


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_fake_run(tmp_path / "run", FakeRun(units=14, draws=10))


def data_of(run: Path) -> dict:
    text = (run / "report" / "units.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.microtomeUnits = ").removesuffix(";\n"))


def test_every_unit_has_a_page_and_an_entry(run: Path):
    index = write_report(run)
    assert index == run / "index.html"
    assert sorted(p.name for p in (run / "report" / "units").iterdir()) == [f"{k:05d}.html" for k in range(14)]
    data = data_of(run)
    assert data["fields"] == list(FIELDS)
    assert [entry[0] for entry in data["units"]] == list(range(14))
    assert all(len(entry) == len(FIELDS) for entry in data["units"])


def test_every_link_and_resource_is_local_and_exists(run: Path):
    write_report(run)
    for page in [run / "index.html", *(run / "report" / "units").iterdir()]:
        here = {attrs["id"] for _, attrs in tags(page) if "id" in attrs}
        for tag, attrs in tags(page):
            target = attrs.get("href") or attrs.get("src")
            if not target or target.startswith("data:"):
                continue
            assert "://" not in target, (page, tag, target)
            path, _, anchor = target.partition("#")
            assert not path or (page.parent / path).resolve().exists(), (page, target)
            if anchor and not path:
                assert anchor in here, (page, target)


def test_pages_have_no_inline_handler_no_module_and_unique_ids(run: Path, tmp_path: Path):
    ranged = write_fake_run(tmp_path / "ranged", FakeRun(units=3, ranges=3, draws=5))
    for folder in (run, ranged):
        write_report(folder)
        for page in [folder / "index.html", *(folder / "report" / "units").iterdir()]:
            found = tags(page)
            ids = [attrs["id"] for _, attrs in found if "id" in attrs]
            assert len(ids) == len(set(ids)), page
            for tag, attrs in found:
                assert not [name for name in attrs if name.startswith("on")], page
                assert not (tag == "script" and attrs.get("type") == "module"), page
                described = attrs.get("aria-describedby")
                assert described is None or described in ids, (page, described)


def test_pictures_name_their_image_and_the_top_concept(run: Path):
    write_report(run)
    view = read_run(run)
    unit = next(u for u in view.units if u.named)
    page = run / unit.page
    pictures = [attrs for tag, attrs in tags(page) if tag == "img"]
    assert len(pictures) == 31
    words = unit.lead.row["words"]
    for attrs in pictures:
        assert words in (attrs["alt"] or "")
        assert "heldout/" in (attrs["alt"] or "")


def test_a_unit_that_is_not_named_says_so_and_never_claims_a_name(run: Path):
    write_report(run)
    view = read_run(run)
    unit = next(u for u in view.units if u.lead.row["status"] == "not named")
    text = (run / unit.page).read_text(encoding="utf-8")
    claim = re.search(r'<p class="claim">(.*?)</p>', text, re.S)
    assert claim is not None
    assert claim.group(1).strip() == "Not named."
    assert "none of it is to be relied on" in text
    assert unit.lead.runners_up[0]["words"] in text
    assert '<span class="chip">this page' not in text
    assert "the best formula, which is no name," in text
    assert re.findall(r'class="ranged( unnamed)?"', text) == [" unnamed"]
    entry = dict(zip(FIELDS, data_of(run)["units"][unit.unit], strict=True))
    assert entry["status"] == "not named"
    assert entry["words"] == []
    assert entry["might"] == [[[row["words"], 1]] for row in unit.lead.runners_up[:3]]


def test_a_silent_unit_has_a_page_that_says_why(run: Path):
    write_report(run)
    text = (run / "report" / "units" / "00011.html").read_text(encoding="utf-8")
    assert "Silent." in text
    assert "It is zero at every place of every image." in text


def test_all_ranges_of_a_unit_stand_on_its_page(tmp_path: Path):
    run = write_fake_run(tmp_path / "run", FakeRun(units=2, ranges=3, draws=5))
    write_report(run)
    ids = {attrs.get("id") for _, attrs in tags(run / "report" / "units" / "00000.html")}
    assert {"range-1", "range-2", "range-3", "range-2-certainty"} <= ids


def test_predicted_concepts_are_marked_in_every_place(tmp_path: Path):
    run = write_fake_run(tmp_path / "run", FakeRun(units=10, draws=5, predicted=("object", "surface")))
    write_report(run)
    marked = {row["concept"] for row in read_run(run).concepts if row["category"] in ("object", "surface")}
    for page in [run / "index.html", *(run / "report" / "units").iterdir()]:
        text = page.read_text(encoding="utf-8")
        concepts = re.findall(r'<b class="concept( is-predicted)?">(.*?)</b>(&nbsp;<small class="mark">)?', text)
        for is_predicted, name, mark in concepts:
            assert bool(is_predicted) == bool(mark) == (name in marked), (page, name)
    entry = data_of(run)["units"]
    pieces = [piece for unit in entry for piece in unit[FIELDS.index("words")] if piece[1]]
    assert pieces
    assert all((kind == 2) == (name in marked) for name, kind in pieces)


def test_hostile_names_stay_text_on_every_page(tmp_path: Path):
    run = write_fake_run(tmp_path / "run", FakeRun(units=6, draws=5, hostile=True, predicted=("<b>bold</b>",)))
    write_report(run)
    nasty = HOSTILE[0][0]
    for page in [run / "index.html", *(run / "report" / "units").iterdir()]:
        text = page.read_text(encoding="utf-8")
        assert nasty not in text
        assert "<b>bold</b>" not in text
        assert not [attrs for _, attrs in tags(page) if attrs.get("src") == "x" or "onerror" in attrs]
        assert "&lt;/script&gt;" in text
    script = (run / "report" / "units.js").read_text(encoding="utf-8")
    assert "<" not in script
    assert "\u2028" not in script
    assert nasty not in notebook_view(run)
    assert "&lt;/script&gt;" in notebook_view(run)


def test_writing_again_gives_the_same_pages_and_leaves_nothing_behind(run: Path):
    write_report(run)
    before = {p.relative_to(run): p.read_bytes() for p in run.rglob("*") if p.is_file()}
    write_report(run)
    assert {p.relative_to(run): p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert not list(run.glob(".report-*"))


def test_a_crash_while_writing_leaves_the_old_report_whole(run: Path, monkeypatch: pytest.MonkeyPatch):
    write_report(run)
    before = {p.relative_to(run): p.read_bytes() for p in run.rglob("*") if p.is_file()}

    def broken(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pages, "_unit_page", broken)
    with pytest.raises(RunError, match="No space left"):
        write_report(run)
    assert {p.relative_to(run): p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_swap_that_fails_puts_the_old_report_back(run: Path, monkeypatch: pytest.MonkeyPatch):
    write_report(run)
    replace = os.replace

    def fails_for_the_new_one(source: Path, target: Path) -> None:
        if Path(target) == run / "report" and Path(source).name == "report":
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_for_the_new_one)
    with pytest.raises(RunError, match="could not be written"):
        write_report(run)
    assert (run / "report" / "units" / "00000.html").is_file()


def test_all_missing_tables_and_columns_are_named_at_once(run: Path):
    (run / "units.parquet").unlink()
    (run / "overlaps.parquet").write_bytes(b"not parquet")
    table = pq.read_table(run / "chance.parquet")
    pq.write_table(table.drop_columns(["draw"]), run / "chance.parquet")
    with pytest.raises(RunError) as caught:
        write_report(run)
    for name in ("units.parquet is missing", "overlaps.parquet cannot be read", "chance.parquet lacks"):
        assert name in str(caught.value)
    assert not (run / "index.html").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is no run"),
        ("{", "is no JSON"),
        ("{}", "format None"),
        ("[]", "format None"),
        ('{"format": 1}', "lacks"),
    ],
)
def test_a_folder_that_is_no_run_is_a_clear_error(run: Path, text: str | None, message: str):
    path = run / "manifest.json"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=message):
        write_report(run)


def test_a_run_without_chance_and_without_pictures_still_gives_pages(run: Path):
    for name in ("chance", "exemplars", "histogram", "overlaps", "categories", "runners_up"):
        table = pq.read_table(run / f"{name}.parquet")
        pq.write_table(table.slice(0, 0), run / f"{name}.parquet")
    write_report(run)
    assert (run / "report" / "units" / "00000.html").is_file()


def test_the_notebook_view_is_self_contained_and_shows_the_best(run: Path):
    html = notebook_view(run, most=3)
    assert html.count("<tr>") == 4
    assert "data:image/jpeg;base64," in html
    named = sorted((u for u in read_run(run).units if u.named), key=lambda u: -u.lead.row["score_heldout"])
    assert named[0].lead.row["words"] in html


def test_the_command_prints_where_the_report_is(run: Path):
    import typer

    from microtome.cli.report import report

    app = typer.Typer()
    app.command()(report)
    result = CliRunner().invoke(app, [str(run)])
    assert result.exit_code == 0
    assert str(run / "index.html") in result.output


def test_every_part_has_a_template_and_a_name_of_its_own():
    folder = Path(pages.__file__).parent / "templates" / "parts"
    for parts in (INDEX_PARTS, UNIT_PARTS):
        names = [part.name for part in parts]
        assert len(names) == len(set(names))
        for name in names:
            assert (folder / f"{name}.html.j2").is_file()
    used = {part.name for part in (*INDEX_PARTS, *UNIT_PARTS)}
    assert {path.name.removesuffix(".html.j2") for path in folder.iterdir()} == used


def test_bars_of_all_pages_share_one_scale(run: Path):
    write_report(run)
    view = read_run(run)
    assert data_of(run)["top"] == view.top_score
    unit = max(view.units, key=lambda u: u.lead.row["iou_heldout"] or 0.0)
    text = (run / unit.page).read_text(encoding="utf-8")
    assert 'class="fill" style="width:100.00%"' in text


def certainty_of(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<section id="certainty".*?</section>', text, re.S)
    assert found is not None
    return found.group()


def test_another_metric_is_what_is_compared_with_chance(tmp_path: Path):
    run = write_fake_run(tmp_path / "run", FakeRun(units=6, draws=40, metric="auroc", image_level=True))
    write_report(run)
    view = read_run(run)
    unit = next(u for u in view.units if u.named)
    row = unit.lead.row
    assert abs(row["score_heldout"] - row["iou_heldout"]) > 0.2
    text = (run / unit.page).read_text(encoding="utf-8")
    against = re.search(r'<div class="against">(.*?)</section>', text, re.S)
    assert against is not None
    assert f"{row['score_heldout']:.3f}" in against.group()
    assert "tip-auroc" in against.group()
    assert f"{row['iou_heldout']:.3f}" not in against.group()
    certainty = certainty_of(run / unit.page)
    assert f"AUROC {row['score_heldout']:.3f}; 0.5 is no relation" in certainty
    assert "p = 0.00021" in certainty
    assert "Mann-Whitney" in certainty
    assert "whole images are counted" in certainty
    assert "Dashed blue line" not in text
    data = data_of(run)
    assert (data["metric"], data["floor"]) == ("AUROC", 0.5)
    entry = dict(zip(FIELDS, data["units"][unit.unit], strict=True))
    assert entry["heldout"] == pytest.approx(row["score_heldout"], abs=1e-5)
    assert "held-out AUROC" in notebook_view(run)
    index = (run / "index.html").read_text(encoding="utf-8")
    mean = sum(u.lead.row["score_heldout"] for u in view.units) / 6
    assert f"<dd>{mean:.3f}</dd>" in index


def test_draws_of_both_kinds_of_chance_stand_beside_the_score_in_plain_words(run: Path):
    write_report(run)
    view = read_run(run)
    for kind, other in (("re-paired", "shifted"), ("shifted", "re-paired")):
        unit = next(u for u in view.units if u.named and u.lead.row["chance_kind"] == kind)
        text = certainty_of(run / unit.page)
        first, second = text.index(f"10 draws, {kind}"), text.index(f"10 draws, {other}")
        assert first < second
        assert f"this unit: {unit.lead.row['score_heldout']:.3f}" in text
        assert "laid over another image" in text
        assert "moved about within its own image" in text
        assert text.count("so it is the chance shown beside the score") == 1


def test_draws_for_other_lengths_are_no_part_of_the_picture(run: Path):
    table = pq.read_table(run / "chance.parquet")
    pq.write_table(table.set_column(4, "length", [[1] * table.num_rows]), run / "chance.parquet")
    assert table.column_names[4] == "length"
    write_report(run)
    unit = next(u for u in read_run(run).units if u.named)
    assert "draws," not in certainty_of(run / unit.page)


def test_the_certificate_stands_on_the_page_in_plain_words(run: Path):
    write_report(run)
    unit = next(u for u in read_run(run).units if u.named)
    text = (run / unit.page).read_text(encoding="utf-8")
    found = re.search(r'<section id="certificate".*?</section>', text, re.S)
    assert found is not None
    assert "No formula of up to 3 concepts, joined by and, or, not, has a higher" in re.sub(r"\s+", " ", found.group())
    assert "21,760 formulas were considered, 32 of them evaluated" in found.group()
    assert "falls short: an IoU of 0.1937 against 0.2173" in found.group()


def test_the_index_says_how_often_the_beam_failed_how_good_the_network_is_and_what_to_know(run: Path):
    write_report(run)
    text = (run / "index.html").read_text(encoding="utf-8")
    assert "missed the best formula in 5 of 14 searches" in text
    assert "in 2 it missed even the best of those that it can write" in text
    assert "The network answers right on 91\u00a0% of these images." in text
    assert "The data were halved" in text
    assert "world labels no textures." in text
    change_manifest(run, "summary", accuracy=None, beam={"searched": 0})
    write_report(run)
    text = (run / "index.html").read_text(encoding="utf-8")
    assert "nothing is said about right and wrong" in text
    assert "beam search alone" not in text


def test_a_run_of_some_units_does_not_claim_to_be_the_whole_layer(run: Path):
    write_report(run)
    assert "layer4</b> has 14 units" in (run / "index.html").read_text(encoding="utf-8")
    change_manifest(run, "settings", units=list(range(14)))
    write_report(run)
    assert "14 units of this network’s <b>layer4</b> were examined" in (run / "index.html").read_text(encoding="utf-8")


def test_a_metric_nobody_knows_is_a_clear_error(run: Path):
    change_manifest(run, "settings", metric="vibes")
    with pytest.raises(RunError, match="vibes"):
        write_report(run)


def change_manifest(run: Path, part: str, **values: object) -> None:
    path = run / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest[part].update(values)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_a_shorter_name_that_does_as_well_on_other_images_is_pointed_out(run: Path):
    write_report(run)
    unit = next(u for u in read_run(run).units if u.named)
    assert "does as well or better" not in (run / unit.page).read_text(encoding="utf-8")
    table = pq.read_table(run / "explanations.parquet")
    rows = table.to_pylist()
    for row in rows:
        if row["length"] == 1:
            row["score_heldout"] = 0.9
    pq.write_table(table.from_pylist(rows, schema=table.schema), run / "explanations.parquet")
    write_report(run)
    assert "does as well or better" in (run / unit.page).read_text(encoding="utf-8")
