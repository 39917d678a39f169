"""From a run of `audit` or `explain` to pages: complete, escaped, true to the numbers, with and without findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from microtome.core.errors import RunError
from microtome.report.audit.classes import classes_of
from microtome.report.audit.common import points, points_between, price
from microtome.report.audit.explain import answers_of
from microtome.report.audit.view import findings_of, read_audit
from microtome.report.charts import Dot, scatter
from microtome.report.pages import write_report
from microtome.store.tables import make_table
from tests.support.fake_audit_run import NASTY, FakeAudit, write_fake_audit
from tests.unit.test_report_decompose import pages_of, parsed, text_of

FAKES = {
    "images": FakeAudit(),
    "texts": FakeAudit(item="pair"),
    "bare": FakeAudit(bare=True),
    "nothing proved": FakeAudit(proved=0),
    "no suspect": FakeAudit(proved=0, unproved=0, refuted=0),
    "many": FakeAudit(proved=3, unproved=9, refuted=9, cases=2),
    "hostile images": FakeAudit(hostile=True),
    "hostile texts": FakeAudit(hostile=True, item="pair"),
    "explained image": FakeAudit(kind="explain"),
    "explained pair": FakeAudit(kind="explain", item="pair", bare=True),
    "hostile image": FakeAudit(kind="explain", hostile=True),
    "hostile pair": FakeAudit(kind="explain", hostile=True, item="pair"),
}
LEADING = "report/findings/05.html"
"""The first proved finding."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_fake_audit(tmp_path / "run", FakeAudit())


def change(run: Path, name: str, **columns: Any) -> None:
    """Set columns of a table: each a function of the row."""
    rows = pq.read_table(run / f"{name}.parquet").to_pylist()
    for row in rows:
        row.update({key: value(row) for key, value in columns.items()})
    pq.write_table(make_table(name, rows), run / f"{name}.parquet")


def test_the_lead_names_the_images_that_were_changed_and_where_segments_came_from(run: Path) -> None:
    told = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    (run / "manifest.json").write_text(json.dumps({**told, "hosts": {"name": "photographs"}}), encoding="utf-8")
    write_report(run)
    said = text_of(run / "index.html")
    assert "1,600 images of photographs, with segments of world, heldout" in said


@pytest.mark.parametrize("name", FAKES)
def test_every_page_is_whole_local_and_escaped(tmp_path: Path, name: str) -> None:
    run = write_fake_audit(tmp_path / "run", FAKES[name])
    assert write_report(run) == run / "index.html"
    for page in pages_of(run):
        found = parsed(page).tags
        ids = [attrs["id"] for _, attrs in found if "id" in attrs]
        assert len(ids) == len(set(ids)), page
        anchors = {path: [attrs.get("id") for _, attrs in parsed(path).tags] for path in pages_of(run)}
        for tag, attrs in found:
            assert not [key for key in attrs if key.startswith("on")], page
            described = attrs.get("aria-describedby")
            assert described is None or described in ids, (page, described)
            assert tag != "img" or attrs["alt"], page
            target = attrs.get("href") or attrs.get("src")
            if not target or target.startswith("data:"):
                continue
            assert "://" not in target, (page, target)
            path, _, anchor = target.partition("#")
            place = (page.parent / path).resolve() if path else page
            assert place.exists(), (page, target)
            assert not anchor or anchor in anchors[place.resolve() if path else page], (page, target)
        assert not [tag for tag, attrs in found if tag == "img" and attrs.get("src") == "x"]


@pytest.mark.parametrize("name", [name for name in FAKES if name.startswith("hostile")])
def test_hostile_names_are_shown_as_they_are(tmp_path: Path, name: str) -> None:
    run = write_fake_audit(tmp_path / "run", FAKES[name])
    write_report(run)
    for page in pages_of(run):
        text = page.read_text(encoding="utf-8")
        assert "</script><script>alert" not in text, page
        assert "49" not in text_of(page) or "{{ 7 * 7 }}" in text_of(page), page
    assert NASTY in text_of(run / "index.html")
    assert "<b>bold</b>" in text_of(run / "index.html")


def test_findings_stand_as_sentences_with_their_verdicts_proved_first(run: Path) -> None:
    write_report(run)
    said = text_of(run / "index.html")
    findings = findings_of(read_audit(run))
    assert [finding.verdict for finding in findings] == ["proved"] * 2 + ["not proved"] * 2 + ["refuted"] * 3
    places = [said.index(f.sentence) for f in findings]
    assert places == sorted(places)
    assert said.count("✓ proved") == 2
    assert said.count("? not proved") == 2
    assert said.count("✗ refuted") == 3
    assert "Of 7 suspects (things it may take for a class, which do not make the class), 2 are proved." in said
    # The command's own sentences are those of the proved findings: they are not said twice.
    assert said.count(findings[0].sentence) == 1


def test_a_proved_finding_has_a_picture_before_and_after_beside_it(run: Path) -> None:
    write_report(run)
    alts = [attrs["alt"] for tag, attrs in parsed(run / "index.html").tags if tag == "img"]
    assert alts[:2] == [
        "heldout-000000 as it is, answered boat",
        "heldout-000000 after the change, answered car",
    ]
    assert len(alts) == 4


def test_where_nothing_is_proved_it_says_so_and_what_was_tried(tmp_path: Path) -> None:
    run = write_fake_audit(tmp_path / "run", FAKES["nothing proved"])
    write_report(run)
    said = text_of(run / "index.html")
    assert "No fault was proved. 5 suspects were put to the proof: 3 refuted, 2 left open." in said
    assert "This is no proof that the network has no fault." in said
    assert all(finding.sentence in said for finding in findings_of(read_audit(run)))
    assert any(tag == "details" and "open" in attrs for tag, attrs in parsed(run / "index.html").tags)
    assert "What it costs to mend" not in said


def test_a_run_without_a_suspect_says_what_that_means(tmp_path: Path) -> None:
    run = write_fake_audit(tmp_path / "run", FAKES["no suspect"])
    write_report(run)
    assert "No concept was suspect" in text_of(run / "index.html")
    assert not (run / "report" / "findings").exists()


def test_a_page_says_how_sure_it_is_in_words_that_are_true_to_the_numbers(run: Path) -> None:
    write_report(run)
    said = text_of(run / LEADING)
    for sentence in (
        "60 images that the network answered rightly (images of boat) were shown again with one change: snow put in",
        "56 of them, 93 % (95 % interval 89 % to 97 %), were then answered “car”.",
        "the same was done with something else (the same with sand, snow): that turned 2 % (95 % interval 0 % to 5 %).",
        "The change covers 31 % of the image; the control's covers 30 %.",
        "The difference is +91 points (95 % interval +79 to +95 points); chance alone makes one as large about 1 time "
        "in 2,000. Corrected for all suspects that were tried, q = 0.002.",
        "So it is proved: the difference is at least 10 points, its interval lies above 0, and q is no larger "
        "than 0.05.",
        "With 3 units cut, the answer turns in 8 % (95 % interval 3 % to 18 %) instead of 93 %; with as many units at "
        "random it is 92 %.",
        "Of the unchanged images, 95 % are still answered rightly without them.",
        "in 40 images of car that show it the concept was taken out (the concept recoloured). 40 % (95 % interval 26 % "
        "to 55 %) lost their right answer, against 5 % with the control.",
        "The difference is +35 points (95 % interval +20 to +50 points, p = 0.001). So the class needs it, too.",
        "80 % of the warm heat lies on what was put in, which covers 31 % of the image.",
        "90% of car show snow in the data, 40% in the shift split.",
        "microtome audit demo --suspect 5",
    ):
        assert sentence in said


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"difference_low": -0.01}, "So it stays open: the interval of the difference reaches down to nothing"),
        ({"difference_low": 0.05, "q": 0.2}, "a difference like this may be luck (q is above 0.05)"),
        ({"difference_low": 0.05}, "too few of them, or the difference lies in between"),
    ],
)
def test_an_open_finding_says_what_was_missing(run: Path, columns: dict[str, float], said: str) -> None:
    change(run, "findings", **{key: lambda _, value=value: value for key, value in columns.items()})
    write_report(run)
    assert said in text_of(run / "report/findings/03.html")


def test_what_could_not_be_tested_says_why_and_shows_no_number(run: Path) -> None:
    write_report(run)
    said = text_of(run / "report/findings/04.html")
    assert "There is no segment of it that covers 1 of 50 of an image." in said
    assert "images turned" not in said
    assert "Before and after" not in said


def test_cases_that_turned_and_that_did_not_are_both_shown(run: Path) -> None:
    write_report(run)
    said = text_of(run / LEADING)
    assert "The answer turned 3 shown" in said
    assert "The answer did not turn 3 shown" in said
    assert said.index("The answer turned") < said.index("The answer did not turn")
    images = [attrs for tag, attrs in parsed(run / LEADING).tags if tag == "img"]
    assert len(images) == 18
    assert images[2]["alt"] == "Heatmap of heldout-000000: where a grey patch takes the new answer back"


def test_texts_show_the_words_that_were_put_in_and_the_other_side(tmp_path: Path) -> None:
    run = write_fake_audit(tmp_path / "run", FAKES["texts"])
    write_report(run)
    text = (run / LEADING).read_text(encoding="utf-8")
    assert "<ins> with “man” in both sentences</ins>" in text
    said = text_of(run / LEADING)
    assert said.index("premise Two people wait for a bus.") < said.index("hypothesis before A man is outdoors.")
    assert "neurons that speak for it" in said
    assert "Heatmap" not in said.split("Make it again")[0]


def test_the_way_through_the_network_marks_what_was_cut(run: Path) -> None:
    write_report(run)
    said = text_of(run / LEADING)
    assert said.count("cut below") == 3
    assert "← unit 3 cut below 40 % ← yellow fit" in said
    assert "2 more ← unit 19" in said


def test_repairs_stand_side_by_side_with_what_they_cost(run: Path) -> None:
    write_report(run)
    said = text_of(run / "index.html")
    assert "Of 2 proved faults that could be put to a repair, 2 are mended" in said
    assert "within the limit of 2 points" in said
    assert "snow → car ablate 35 % → 77 % +42 +30 to +54 0.6 helps; chosen" in said
    assert "erase 35 % → 71 % +36 +24 to +48 gains 0.4 helps" in said
    assert "retrain 35 % none – – none was better within the price" in said
    assert "DFR 35 % → 80 % +45 +33 to +57 3.2 costs too much" in said
    page = text_of(run / LEADING)
    assert "boat with it 50 35 % 77 % 71 % 35 % 80 %" in page


def test_a_repair_whose_interval_holds_nothing_may_be_luck(run: Path) -> None:
    change(run, "repairs", helps=lambda _: False, worst_low=lambda _: -0.02)
    change(run, "findings", repaired=lambda _: False)
    write_report(run)
    said = text_of(run / "index.html")
    assert "2 proved faults that could be put to a repair, 0 are mended" in said
    assert "may be luck" in said
    assert "helps" not in said.split("What it costs to mend")[1].split("Which classes")[0].replace("helps;", "helps")


def test_classes_have_pages_with_signed_bars_and_their_findings(run: Path) -> None:
    write_report(run)
    view = read_audit(run)
    assert [one.page for one in classes_of(view)] == [
        "classes/gull.html", "classes/car.html", "classes/boat.html", "classes/sign-post.html",
    ]  # fmt: skip
    said = text_of(run / "report/classes/car.html")
    assert (
        "Most for car speaks unit 7, which fires on bird; most against it speaks unit 0, which fires on water." in said
    )
    assert "With snow put in, boat becomes car in 93% of 60 images." in said
    text = (run / "report/classes/car.html").read_text(encoding="utf-8")
    assert text.count('<span class="signed for"') == text.count('<span class="signed against"') == 5
    assert "width:50.00%" in text
    assert "+2.00" in said
    assert "−2.0 points" in said


def test_classes_of_one_slug_get_pages_of_their_own(run: Path) -> None:
    change(run, "class_parts", target=lambda row: {"gull": "Car!", "boat": "日本"}.get(row["target"], row["target"]))
    write_report(run)
    names = sorted(path.name for path in (run / "report" / "classes").iterdir())
    assert names == ["car-2.html", "car.html", "part.html", "sign-post.html"]


def test_units_kinds_relations_and_directions_are_told(run: Path) -> None:
    write_report(run)
    said = text_of(run / "index.html")
    assert "the more of the one, the more of the other (correlation +0.40, +0.20 to +0.60)." in said
    assert "1 other relation cannot be told from none" in said
    assert "abstraction (24 units) 60 % 55 % to 65 %" in said
    assert "Of 8 concepts, 3 can be read better than by chance." in said
    assert "The direction gains most for water: IoU 0.60 against 0.20 of the best unit." in said
    text = (run / "index.html").read_text(encoding="utf-8")
    assert text.count('<svg class="chart"') == 3
    assert text.count('<circle class="c-one-of-many"') == 32
    assert "car becomes gull by water in 90 %" in said
    assert "first tries on 8 images at most" in said


def test_tables_that_a_run_lacks_leave_their_parts_out(run: Path, tmp_path: Path) -> None:
    write_report(run)
    whole = {attrs.get("id") for _, attrs in parsed(run / "index.html").tags}
    assert {"repairs", "confusions", "classes", "units", "directions"} <= whole
    bare = write_fake_audit(tmp_path / "bare", FAKES["bare"])
    write_report(bare)
    left = {attrs.get("id") for _, attrs in parsed(bare / "index.html").tags}
    assert not {"repairs", "confusions", "classes", "units", "directions"} & left
    assert {"intro", "findings", "done", "command"} <= left
    page = {attrs.get("id") for _, attrs in parsed(bare / LEADING).tags}
    assert not {"path", "cases", "others", "repairs"} & page
    assert {"headline", "sure", "command"} <= page


def test_a_finding_with_nothing_but_its_sentence_has_a_page(run: Path) -> None:
    for name in ("finding_parts", "finding_images", "transfer", "repairs", "repair_groups"):
        (run / f"{name}.parquet").unlink()
    rows = [{"sentence": "It may lean on water."}, {"number": None}]
    pq.write_table(make_table("findings", rows), run / "findings.parquet")
    write_report(run)
    said = text_of(run / "report/findings/00.html")
    assert "It may lean on water." in said
    assert "? not proved" in said
    assert not {"nan", "none"} & set(said.split("The words used here")[0].lower().replace(".", " ").split())


def test_unknown_numbers_are_dashes_not_zeros(run: Path) -> None:
    table = pq.read_table(run / "findings.parquet")
    for name in ("control", "difference", "without", "reverse_low"):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array([float("nan")] * table.num_rows))
    pq.write_table(table, run / "findings.parquet")
    write_report(run)
    said = text_of(run / LEADING)
    assert "nan" not in said.lower().split()
    assert "With its carriers cut" not in said
    assert "The difference is" not in said.split("Taken out")[0].split("How sure")[1]


def test_an_explanation_shows_the_input_the_answer_and_what_adds(tmp_path: Path) -> None:
    run = write_fake_audit(tmp_path / "run", FAKES["explained image"])
    write_report(run)
    said = text_of(run / "index.html")
    assert "Why “gull”?" in said
    assert "The network answers gull with a probability of 81 %. Its label is gull." in said
    assert "Most is added by unit 0, which fires on water (+2.40)." in said
    assert "Without unit 0 it would be car." in said
    assert "2 units that do not fire here" in said
    images = [attrs["alt"] for tag, attrs in parsed(run / "index.html").tags if tag == "img"]
    assert images == ["heldout-000007"]
    assert "Findings that concern it" not in text_of(run / "report/classes/gull.html")


def test_an_explained_pair_is_shown_whole_and_unmarked(tmp_path: Path) -> None:
    run = write_fake_audit(tmp_path / "run", FAKES["explained pair"])
    write_report(run)
    said = text_of(run / "index.html")
    assert "premise Two people wait for a bus. hypothesis A man is outdoors." in said
    assert "<ins>" not in (run / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("top", "found"),
    [
        ([["gull", 0.8], ["car", 0.1]], [("gull", 0.8), ("car", 0.1)]),
        (["gull", 0.8], [("gull", 0.8)]),
        ({"answer": "gull", "probability": 0.8}, [("gull", 0.8)]),
        ([{"answer": "gull", "probability": 0.8}], [("gull", 0.8)]),
        ("gull", [("gull", None)]),
        (None, []),
    ],
)
def test_the_answer_is_read_however_it_is_written(top: Any, found: list[Any]) -> None:
    assert answers_of(top) == found


def test_all_that_is_missing_is_named_at_once(run: Path) -> None:
    table = pq.read_table(run / "findings.parquet")
    pq.write_table(table.drop_columns(["verdict", "sentence"]), run / "findings.parquet")
    (run / "repairs.parquet").write_bytes(b"not parquet")
    with pytest.raises(RunError) as caught:
        write_report(run)
    assert "lacks the column(s) verdict, sentence" in str(caught.value)
    assert "repairs.parquet cannot be read" in str(caught.value)
    (run / "findings.parquet").unlink()
    with pytest.raises(RunError, match=r"findings\.parquet is missing"):
        write_report(run)


def test_a_report_is_made_from_the_folder_alone_and_again_the_same(run: Path) -> None:
    write_report(run)
    before = {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    write_report(run)
    assert {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_made_in_python_says_so(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    (run / "manifest.json").write_text(json.dumps({**manifest, "command": []}), encoding="utf-8")
    change(run, "findings", command=lambda _: None)
    write_report(run)
    assert "The run was made from Python." in text_of(run / "index.html")
    assert "The run was made from Python." in text_of(run / LEADING)


def test_points_and_prices_in_words() -> None:
    assert points(0.914) == "+91 points"
    assert points(-0.0001) == "0 points"
    assert points(None) == "–"
    assert points_between(-0.04, 0.2) == "−4 to +20 points"
    assert (price(1.23), price(-0.4), price(0.01), price(None)) == (
        "1.2 points",
        "gains 0.4 points",
        "nothing",
        "–",
    )


def test_a_dot_lies_where_its_numbers_are_and_says_its_name() -> None:
    chart = str(scatter([Dot(0, 0, "<a>"), Dot(1, 50, "b")], x_name="x", y_name="y", label="l", top=100))
    assert "<title>&lt;a&gt;</title>" in chart
    assert 'cx="58.0" cy="185.0"' in chart
    assert 'cy="100.5"' in chart
