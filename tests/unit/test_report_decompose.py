"""From a run of `decompose` to pages: complete, escaped, honest about chance, and with clear errors."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from microtome.core.errors import RunError
from microtome.report.charts import Line, Mark, grouped_bars, lines_chart
from microtome.report.decompose import specs
from microtome.report.decompose.heads import heads_of
from microtome.report.decompose.notebook import decompose_notebook_view
from microtome.report.decompose.pages import write_decompose_report
from microtome.report.decompose.specs import ColumnSpec, KindSpec, PictureSpec, TableSpec
from microtome.report.decompose.view import read_decompose
from microtome.report.pages import write_report
from microtome.store.tables import make_table, table_schema
from tests.support.commands import microtome
from tests.support.fake_decompose_run import NASTY, FakeDecompose, write_fake_decompose

FAKES = {
    "heads": FakeDecompose(),
    "neurons": FakeDecompose(kind="neurons"),
    "ablate": FakeDecompose(kind="ablate"),
    "unheard-of": FakeDecompose(kind="unheard-of"),
    "bare": FakeDecompose(properties=False, judged=False, pictures=0),
    "empty": FakeDecompose(layers=0),
    "no neurons": FakeDecompose(kind="neurons", neurons=0),
    "hostile heads": FakeDecompose(hostile=True),
    "hostile neurons": FakeDecompose(kind="neurons", hostile=True),
    "hostile ablate": FakeDecompose(kind="ablate", hostile=True),
}


class Tags(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("a", "b", "button", "small"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(path: Path) -> Tags:
    parser = Tags()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def text_of(path: Path) -> str:
    """The words of a page, spaces made plain."""
    return " ".join("".join(parsed(path).words).replace("\u00a0", " ").split())


def pages_of(run: Path) -> list[Path]:
    return [run / "index.html", *sorted((run / "report").rglob("*.html"))]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_fake_decompose(tmp_path / "run", FakeDecompose())


def change(run: Path, name: str, **columns: Any) -> None:
    """Set columns of a table: each a function of the row."""
    rows = pq.read_table(run / f"{name}.parquet").to_pylist()
    for row in rows:
        row.update({key: value(row) for key, value in columns.items()})
    pq.write_table(make_table(name, rows), run / f"{name}.parquet")


@pytest.mark.parametrize("name", FAKES)
def test_every_page_is_whole_local_and_escaped(tmp_path: Path, name: str) -> None:
    run = write_fake_decompose(tmp_path / "run", FAKES[name])
    assert write_report(run) == run / "index.html"
    for page in pages_of(run):
        found = parsed(page).tags
        ids = [attrs["id"] for _, attrs in found if "id" in attrs]
        assert len(ids) == len(set(ids)), page
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
            assert not path or (page.parent / path).resolve().exists(), (page, target)
            assert path or anchor in ids, (page, target)
        assert not [tag for tag, attrs in found if tag == "img" and attrs.get("src") == "x"]


@pytest.mark.parametrize("name", ["hostile heads", "hostile neurons"])
def test_hostile_texts_are_shown_as_they_are(tmp_path: Path, name: str) -> None:
    run = write_fake_decompose(tmp_path / "run", FAKES[name])
    write_report(run)
    for page in pages_of(run):
        text = page.read_text(encoding="utf-8")
        assert "{{ 7 * 7 }}" in text, page
        assert "</script><img" not in text, page
    assert NASTY in text_of(pages_of(run)[1])


def test_the_answer_stands_in_words_at_the_top(run: Path) -> None:
    write_report(run)
    said = text_of(run / "index.html")
    assert "Of 24 heads, 23 are described by texts better than by chance; 1 has a label." in said
    assert "Labels found: color (1 head)" in said
    assert "made 40 times among texts whose directions were turned at random" in said
    assert "For 23 of 24 heads how like its first text a held-out image is" in said


def test_the_grid_names_every_head_and_marks_what_chance_does_as_well(run: Path) -> None:
    write_report(run)
    page = parsed(run / "index.html")
    cells = [attrs for tag, attrs in page.tags if tag == "a" and (attrs.get("class") or "").startswith("step-")]
    assert [attrs["href"] for attrs in cells[:2]] == ["report/heads/03-00.html", "report/heads/03-01.html"]
    assert len(cells) == 24
    by_page = {attrs["href"]: attrs["class"] for attrs in cells}
    assert by_page["report/heads/03-05.html"] == "step-5"
    assert by_page["report/heads/00-00.html"] == "step-2 mixed by-chance"
    assert by_page["report/heads/01-01.html"] == "step-2 mixed"
    text = (run / "index.html").read_text(encoding="utf-8")
    assert re.search(r'href="report/heads/03-05.html"[^>]*><span class="unseen">head 3.5: </span><b>color</b>', text)


def test_the_colour_of_a_cell_follows_the_share(run: Path) -> None:
    change(run, "heads", share=lambda row: 0.001 if row["layer"] == 1 else 0.05)
    write_report(run)
    text = (run / "index.html").read_text(encoding="utf-8")
    assert text.count('class="step-0') == 6
    assert text.count('class="step-3') == 18


def test_heads_explained_worst_come_first_by_their_leading_texts(run: Path) -> None:
    # All texts together may span a head's whole space: then `explained_heldout` is 1 for all and ranks nothing.
    change(run, "heads", explained_heldout=lambda _: 1.0)
    write_report(run)
    text = (run / "index.html").read_text(encoding="utf-8")
    table = text[text.index('id="heads"') :]
    order = re.findall(r'href="report/heads/(\d\d)-(\d\d).html"', table[: table.index("</table>")])
    heads = {(head.row["layer"], head.row["head"]): head.lead_heldout for head in heads_of(read_decompose(run))}
    values = [heads[int(layer), int(head)] for layer, head in order]
    assert len(values) == 24
    assert values == sorted(values, key=lambda value: value or 0)
    assert order[0] == ("00", "00")


def test_a_head_no_better_than_chance_claims_nothing(run: Path) -> None:
    write_report(run)
    text = (run / "report" / "heads" / "00-00.html").read_text(encoding="utf-8")
    claim = re.search(r'<p class="claim">(.*?)</p>', text)
    assert claim is not None
    assert claim.group(1) == "Nothing that beats chance."
    assert '<article class="unnamed">' in text
    said = text_of(run / "report" / "heads" / "00-00.html")
    assert "read them as guesses" in said
    assert "So it does not: other texts tell as much" in said


def test_a_labelled_head_says_how_sure_it_is_and_what_cutting_it_does(run: Path) -> None:
    write_report(run)
    said = text_of(run / "report" / "heads" / "03-05.html")
    assert "Writes about color." in said
    assert (
        "80 % of what its texts explain comes from texts about color, against 20 % where the texts are turned at random"
        in said
    )
    assert "correlate with +0.45; 95 % of other texts stay below +0.25 (p = 0.01). So the text says something" in said
    assert (
        "replaced by its texts the model is right on 81 % of the held-out images, replaced by its mean on 62 %" in said
    )
    # 86 % with it, 62 % without, 81 % with its texts: 19 of 24 points.
    assert "the texts bring back 79 %" in said
    page = parsed(run / "report" / "heads" / "03-05.html").tags
    assert ("a", "prev") in [(tag, attrs.get("rel")) for tag, attrs in page]
    assert ("a", "next") not in [(tag, attrs.get("rel")) for tag, attrs in page]
    # Two texts, two ends, three images, each with its heatmap.
    assert len([tag for tag, _ in page if tag == "img"]) == 24


def test_the_chart_of_a_head_shows_chance_as_a_band(run: Path) -> None:
    write_report(run)
    text = (run / "report" / "heads" / "01-01.html").read_text(encoding="utf-8")
    assert text.count('<polygon class="c-luck"') == 1
    assert text.count('<polyline class="c-path"') == 2


def test_without_properties_a_first_text_names_a_head_and_no_label_is_missed(tmp_path: Path) -> None:
    run = write_fake_decompose(tmp_path / "run", FAKES["bare"])
    write_report(run)
    said = text_of(run / "index.html")
    assert (
        "label"
        not in said.split("The words used here")[0].replace("Heads that share a label", "").split("Layers and heads")[0]
    )
    page = text_of(run / "report" / "heads" / "01-01.html")
    assert "Writes along “" in page
    assert "mixed" not in page.split("Make it again")[0].lower()
    assert "When it is cut" not in page


def test_unknown_numbers_are_dashes_not_zeros(run: Path) -> None:
    change(run, "heads", accuracy=lambda _: None, label_p=lambda _: None)
    table = pq.read_table(run / "heads.parquet")
    for name, value in (("score", float("nan")), ("chance", float("inf"))):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array([value] * table.num_rows))
    pq.write_table(table, run / "heads.parquet")
    write_report(run)
    said = text_of(run / "report" / "heads" / "03-05.html")
    assert "Does “" not in said
    assert "p = –" in said
    for page in pages_of(run):
        assert not re.search(r"\b(nan|inf)\b", text_of(page).lower()), page


def test_all_that_is_missing_is_named_at_once(run: Path) -> None:
    (run / "head_images.parquet").unlink()
    (run / "terms.parquet").write_bytes(b"not parquet")
    table = pq.read_table(run / "heads.parquet")
    pq.write_table(table.drop_columns(["fdr", "share"]), run / "heads.parquet")
    with pytest.raises(RunError) as caught:
        write_decompose_report(run)
    for said in ("head_images.parquet is missing", "terms.parquet cannot be read", "lacks the column(s) share, fdr"):
        assert said in str(caught.value)
    assert not (run / "index.html").exists()


def test_columns_that_nobody_needs_may_be_missing(run: Path) -> None:
    table = pq.read_table(run / "heads.parquet")
    pq.write_table(table.drop_columns(["label_fdr"]), run / "heads.parquet")
    table = pq.read_table(run / "head_texts.parquet")
    pq.write_table(table.drop_columns(["score", "score_chance", "score_p"]), run / "head_texts.parquet")
    write_decompose_report(run)
    assert (
        "prediction"
        not in text_of(run / "report" / "heads" / "01-01.html").split("How sure are we")[1].split("Its texts")[0]
    )


def test_heads_of_a_property_stand_beside_what_changing_it_does(run: Path) -> None:
    write_report(run)
    said = text_of(run / "index.html")
    assert "in 100 scenes that property alone is changed and all else kept" in said
    assert "Clearest: changing color changes what heads 3.5, 2.1 write 5.5 times as much" in said
    assert "color 3.5, 2.1 a red thing; color 70 % 0.002 80 % 55 % 10 % 5.5 (4.5 to 6.5)" in said
    change(run, "properties", ratio=lambda _: None)
    write_report(run)
    assert "Clearest" not in text_of(run / "index.html")


@pytest.mark.parametrize("kind", specs.SPECS)
def test_a_specification_names_columns_that_its_tables_have(kind: str) -> None:
    spec = specs.SPECS[kind]
    for table in spec.tables:
        keys = {key for column in table.columns for key in (column.key, column.notch, *_ends(column)) if key}
        assert keys - set(table_schema(table.table).names) == set()
    for pictures in spec.pictures:
        names = set(table_schema(pictures.table).names)
        assert {*pictures.groups, *(key for key, _ in pictures.caption), "sprite", "tile"} <= names


def _ends(column: ColumnSpec) -> tuple[str, ...]:
    return column.ends if column.format == "interval" else ()


@pytest.mark.parametrize("kind", ["heads", "ablate"])
def test_direct_and_total_effect_are_two_lines_and_explained(tmp_path: Path, kind: str) -> None:
    run = write_fake_decompose(tmp_path / "run", FakeDecompose(kind=kind))
    write_report(run)
    text = (run / "index.html").read_text(encoding="utf-8")
    section = text[text.index('id="curves"') :]
    section = section[: section.index("</section>")]
    assert section.count('<g class="c-one"><') == section.count('<g class="c-two"><') == 4
    assert "answer two questions, and need not agree" in section
    assert "direct: 400 images, total: 128 images" in section
    assert "nothing cut: 86" in section
    # Sets of heads are no curve: they stand in a table.
    assert section.count("<svg") == 4
    assert "heads 3.1, 3.5" in section


def test_direct_effect_alone_is_not_called_both(tmp_path: Path) -> None:
    run = write_fake_decompose(tmp_path / "run", FakeDecompose(kind="ablate"))
    rows = [row for row in pq.read_table(run / "curves.parquet").to_pylist() if row["kind"] == "direct"]
    pq.write_table(make_table("curves", rows), run / "curves.parquet")
    write_report(run)
    text = (run / "index.html").read_text(encoding="utf-8")
    assert "answer two questions" not in text
    assert "Direct and total effect are not the same" in text
    assert 'class="c-two"' not in text


def test_neurons_have_pages_codes_effects_and_the_worst_first(tmp_path: Path) -> None:
    run = write_fake_decompose(tmp_path / "run", FAKES["neurons"])
    write_report(run)
    said = text_of(run / "index.html")
    assert "Of the 30 neurons of layer 3 listed here, 29 have texts that predict this on held-out images" in said
    assert "The texts of these neurons predict least: 3.1," in said
    text = (run / "index.html").read_text(encoding="utf-8")
    assert text.index('id="worst"') < text.index('id="codes"') < text.index('id="effects"')
    assert text.count("<svg") >= 2
    assert "−26.0 points" in said
    assert len(list((run / "report" / "neurons").iterdir())) == 30
    first = text_of(run / "report" / "neurons" / "03-00001.html")
    assert "read them as guesses" in first
    assert "not predicted" in first
    assert re.search(r"Pushes towards “[^”]+”, away from “[^”]+”\.", first)
    assert "It moves it mostly one way: towards “" in first
    last = text_of(run / "report" / "neurons" / "03-00204.html")
    assert "better than those of other neurons" in last


def test_any_other_kind_shows_its_sentences_pictures_and_tables(tmp_path: Path) -> None:
    run = write_fake_decompose(tmp_path / "run", FAKES["unheard-of"])
    table = pa.table({"property": ["color"], "precision": [0.9], "low": [0.85], "high": [0.95], "good": [True]})
    pq.write_table(table, run / "never_seen.parquet")
    write_report(run)
    said = text_of(run / "index.html")
    assert "Without MLPs accuracy falls from 86 % to 54 %." in said
    assert "Never seen property precision 95 % interval good color 0.9 85 % to 95 % yes" in said
    assert "Image concepts" in said
    pictures = [attrs for tag, attrs in parsed(run / "index.html").tags if tag == "img"]
    assert len(pictures) == 6


def test_a_specification_decides_title_order_columns_and_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = KindSpec(
        "Alike in one way", "Do they find it?",
        tables=(TableSpec("found", "How often", "Out of ten.", (
            ColumnSpec("what", "by"), ColumnSpec("hits", "right", "share", bar=1.0, notch="luck"),
            ColumnSpec("absent", "never shown"),
        ), order="-hits"),),
        pictures=(PictureSpec("shown", "Some of them", groups=("query",), caption=(("image", "image"),)),),
    )  # fmt: skip
    monkeypatch.setattr(specs, "SPECS", {"retrieve": spec})
    run = write_fake_decompose(tmp_path / "run", FakeDecompose(kind="retrieve", judged=False))
    rows = {"what": ["all", "four heads"], "hits": [0.5, 0.75], "luck": [0.1, 0.1]}
    pq.write_table(pa.table(rows), run / "found.parquet")
    tiles = {
        "query": ["q1", "q1", "q2"],
        "image": ["a", "b", "c"],
        "sprite": ["images/concepts.jpg"] * 3,
        "tile": [0, 1, 0],
    }
    pq.write_table(pa.table(tiles), run / "shown.parquet")
    write_report(run)
    said = text_of(run / "index.html")
    assert "Alike in one way Do they find it?" in said
    assert "Out of ten. How often by right four heads 75 % all 50 %" in said
    assert "never shown" not in said
    alts = [attrs["alt"] for tag, attrs in parsed(run / "index.html").tags if tag == "img"]
    assert alts[:3] == ["q1; image a", "q1; image b", "q2; image c"]
    assert 'style="left:10.0%"' in (run / "index.html").read_text(encoding="utf-8")


def test_the_commands_report_and_query_take_the_run(run: Path) -> None:
    outcome = microtome("report", str(run))
    assert outcome.code == 0, outcome.err
    assert str(run / "index.html") in outcome.out
    outcome = microtome("query", str(run), "select count(*) as n from heads where labelled", "--csv")
    assert outcome.out.split() == ["n", "1"]
    listed = microtome("query", str(run)).out
    assert "head_texts: layer, head, rank, text" in listed


def test_a_report_is_made_from_the_folder_alone_and_again_the_same(run: Path) -> None:
    write_report(run)
    before = {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    write_report(run)
    assert {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_made_in_python_says_so(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    (run / "manifest.json").write_text(json.dumps({**manifest, "command": []}), encoding="utf-8")
    write_report(run)
    assert "The run was made from Python." in text_of(run / "index.html")


def test_lines_lie_where_their_values_are() -> None:
    chart = str(lines_chart(
        [Line([(0, 0), (1, 50)], "c-one", [(1, 40, 60)]), Line([(0, 100), (1, 100)], "c-two")],
        x_name="x", y_name="y", label="a <b>", band=[(0, 0, 100), (1, 50, 100)], level=Mark(50, "half"), top=100,
    ))  # fmt: skip
    one, two = re.findall(r'<polyline class="c-path" points="([^"]*)"', chart)
    (x0, y0), (x1, y1) = [tuple(map(float, point.split(","))) for point in one.split()]
    assert x0 < x1
    top = float(two.split()[0].split(",")[1])
    assert y1 == pytest.approx((y0 + top) / 2, abs=0.1)
    level = re.search(r'<line class="c-level"[^>]*y1="([\d.]+)"', chart)
    assert level is not None
    assert float(level.group(1)) == pytest.approx(y1)
    band = re.search(r'<polygon class="c-luck" points="([^"]*)"', chart)
    assert band is not None
    assert band.group(1).split() == [
        f"{x0:.1f},{top:.1f}",
        f"{x1:.1f},{top:.1f}",
        f"{x1:.1f},{y1:.1f}",
        f"{x0:.1f},{y0:.1f}",
    ]
    assert 'aria-label="a &lt;b&gt;"' in chart


def test_doublings_are_equally_far_apart() -> None:
    line = Line([(4, 0), (8, 1), (16, 2), (64, 3)])
    chart = str(lines_chart([line], x_name="x", y_name="y", label="l", doubling=True))
    x = [float(value) for value in re.findall(r'<circle class="c-spot" cx="([\d.]+)"', chart)]
    assert x[2] - x[1] == pytest.approx(x[1] - x[0], abs=0.2)
    assert x[3] - x[2] == pytest.approx(2 * (x[1] - x[0]), abs=0.2)


def test_bars_of_a_group_stand_side_by_side_with_their_heights() -> None:
    chart = str(grouped_bars([("<0>", [(10, "c-bar"), (5, "c-bar c-chance")])], x_name="x", y_name="y", label="l"))
    bars = re.findall(r'<rect class="([^"]*)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="([\d.]+)"', chart)
    (first, x0, width, tall), (second, x1, _, small) = bars
    assert (first, second) == ("c-bar", "c-bar c-chance")
    assert float(x0) + float(width) <= float(x1)
    assert float(tall) == pytest.approx(2 * float(small), abs=0.2)
    assert "&lt;0&gt;" in chart


@pytest.mark.parametrize(
    ("kind", "said"), [("heads", "47 of 48"), ("neurons", "prediction"), ("ablate", "MLPs accuracy")]
)
def test_the_view_for_notebooks_is_one_escaped_piece(tmp_path: Path, kind: str, said: str) -> None:
    run = write_fake_decompose(tmp_path / "run", FakeDecompose(kind=kind, heads=12, hostile=True))
    html = decompose_notebook_view(run, most=3)
    assert said in html
    assert "<img" not in html
    assert html.count("<tr>") == (0 if kind == "ablate" else 4)
