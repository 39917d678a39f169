"""What every registered method of `dissect` must keep, found through the registry: a new method is tested here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from microtome.core import measures
from microtome.core.errors import OptionError
from microtome.core.explanation import DissectMethod, Explanation, Finder, chosen_length
from microtome.core.formula import leaves
from microtome.core.measures import METRICS
from microtome.core.parse import parse
from microtome.core.source import Source
from microtome.methods.dissect.registry import METHODS, SearchSettings, make_method
from tests.support.random_tables import dense_counts, random_activity, random_table, table_of

NAMES = list(METHODS)
SEEDS = range(6)
NOTHING = (np.zeros(0, np.int32), np.zeros(0, np.int64))


def metrics_of(name: str) -> list[str]:
    """The metrics that a method can search by, AUROC apart: it reads ranks instead of counts."""
    able = []
    for metric in METRICS:
        try:
            make_method(name, SearchSettings(metric))
        except OptionError:
            continue
        able.append(metric)
    return [metric for metric in able if metric != "auroc"]


CASES = [(name, metric) for name in NAMES for metric in metrics_of(name)]


def finder(name: str, seed: int, settings: SearchSettings | None = None, **sizes: int) -> Finder:
    return make_method(name, settings or SearchSettings()).prepare(random_table(seed, **sizes))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_registry_knows_the_three_methods() -> None:
    assert {"netdissect", "compositional", "exact"} <= set(NAMES)


def test_every_method_can_search_by_iou() -> None:
    assert {name for name, metric in CASES if metric == "iou"} == set(NAMES)


def test_name_and_source_are_stated(name: str) -> None:
    method: DissectMethod = make_method(name, SearchSettings())
    assert method.name == name
    assert isinstance(method.source, Source)
    assert len(method.source.paper) > 10
    assert method.source.place


def check_counts(one: Explanation, table, rows: np.ndarray, counts: np.ndarray) -> None:
    """The integers are those of the elements written out, and belong to the formula as its text reads."""
    again = parse(str(one.formula))
    got = (one.formula_count, one.both_count, one.active_count, one.total)
    assert got == dense_counts(table, again, rows, counts)


@pytest.mark.parametrize(("name", "metric"), CASES)
@pytest.mark.parametrize("seed", SEEDS)
def test_lengths_counts_and_scores(name: str, metric: measures.Metric, seed: int) -> None:
    table = random_table(seed)
    rows, counts = random_activity(table, seed)
    settings = SearchSettings(metric, max_length=4)
    found = make_method(name, settings).prepare(table)(rows, counts)
    assert found
    assert [one.length for one in found] == list(range(1, len(found) + 1))
    assert len(found) <= settings.max_length
    assert len(found) == (1 if name == "netdissect" else settings.max_length)
    for one in found:
        assert one.leaves <= one.length
        assert {leaf.name for leaf in leaves(one.formula)} <= set(table.by_name)
        check_counts(one, table, rows, counts)
        value = measures.score(metric, one.formula_count, one.both_count, one.active_count, one.total)
        assert one.score == pytest.approx(value, abs=1e-12)
    scores = [one.score for one in found]
    assert scores == sorted(scores), "a longer formula may always be a shorter one"


@pytest.mark.parametrize("penalty", [1.0, 0.5])
def test_the_penalty_is_paid_for_each_further_leaf(name: str, penalty: float) -> None:
    table = random_table(3)
    rows, counts = random_activity(table, 3)
    for one in finder(name, 3, SearchSettings(penalty=penalty))(rows, counts):
        assert one.score == pytest.approx(penalty ** (one.leaves - 1) * one.iou)


def test_a_silent_unit_has_no_explanation(name: str) -> None:
    search = finder(name, 0)
    assert search(*NOTHING) == ()
    table = random_table(0)
    rows, counts = random_activity(table, 0)
    full = search(rows, counts)
    assert search(*NOTHING) == ()
    assert search(rows, counts) == full


def test_a_unit_that_fires_where_no_concept_is_has_no_explanation(name: str) -> None:
    table = table_of([(), ("a",), ("b",)], [5, 5, 5])
    rows, counts = np.array([0], np.int32), np.array([4], np.int64)
    assert make_method(name, SearchSettings()).prepare(table)(rows, counts) == ()


@pytest.mark.parametrize("table", [table_of([()], [7]), table_of([], [])], ids=["no concept", "no element"])
def test_a_table_without_concepts(name: str, table) -> None:
    search = make_method(name, SearchSettings()).prepare(table)
    assert search(*NOTHING) == ()
    if table.n_signatures:
        assert search(np.array([0], np.int32), np.array([3], np.int64)) == ()


def test_a_table_of_one_concept(name: str) -> None:
    table = table_of([(), ("water",)], [10, 10])
    found = make_method(name, SearchSettings()).prepare(table)(np.array([1], np.int32), np.array([10], np.int64))
    assert {str(one.formula) for one in found} == {"water"}
    assert found[0].iou == 1.0


def test_a_planted_concept_is_found(name: str) -> None:
    table = random_table(5)
    rows = np.flatnonzero(table.holds(parse("c03"))).astype(np.int32)
    found = finder(name, 5)(rows, table.weight[rows])
    assert {str(one.formula) for one in found} == {"c03"}
    assert chosen_length(found) == 0


@pytest.mark.parametrize("text", ["c01 AND NOT c04", "(c00 OR c02) AND c05", "c06 OR c01"])
def test_a_planted_formula_is_found_where_formulas_are_searched(name: str, text: str) -> None:
    table = random_table(8)
    rows = np.flatnonzero(table.holds(parse(text))).astype(np.int32)
    best = finder(name, 8)(rows, table.weight[rows])[-1]
    if name == "netdissect":
        assert best.leaves == 1
    else:
        assert table.same_truth(best.formula, parse(text))
        assert best.iou == 1.0


def test_names_that_look_like_syntax(name: str) -> None:
    names = ("AND", "a OR b", "tree (dead)", 'say "x"')
    table = table_of([(), names[:1], names[1:2], names[2:], names[:2]], [9, 8, 7, 6, 5])
    rows, counts = np.array([1, 3], np.int32), np.array([8, 6], np.int64)
    for one in make_method(name, SearchSettings()).prepare(table)(rows, counts):
        check_counts(one, table, rows, counts)


def test_large_weights_do_not_overflow(name: str) -> None:
    table = table_of([(), ("a",), ("a", "b"), ("b",)], [2 * 10**9, 4 * 10**8, 3 * 10**7, 2 * 10**9])
    rows, counts = np.array([1, 2], np.int32), np.array([3 * 10**8, 3 * 10**7], np.int64)
    first = make_method(name, SearchSettings()).prepare(table)(rows, counts)[0]
    assert (str(first.formula), first.formula_count, first.both_count) == ("a", 43 * 10**7, 33 * 10**7)
    assert first.total == 4_430_000_000


def test_equal_input_gives_equal_output(name: str) -> None:
    table = random_table(2)
    one, other = (make_method(name, SearchSettings(max_length=4)).prepare(random_table(2)) for _ in range(2))
    for unit in range(10):
        rows, counts = random_activity(table, unit)
        first = one(rows, counts)
        assert first == one(rows, counts)
        assert first == other(rows, counts)


def test_two_threads_share_a_finder(name: str) -> None:
    table = random_table(4, concepts=12, signatures=120)
    search = finder(name, 4, concepts=12, signatures=120)
    units = [random_activity(table, unit, share=0.3) for unit in range(40)]
    alone = [search(*unit) for unit in units]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda unit: search(*unit), units * 3))
    assert together == alone * 3


def test_a_search_leaves_its_input_alone(name: str) -> None:
    table = random_table(6)
    before = [table.indptr.copy(), table.indices.copy(), table.weight.copy()]
    rows, counts = random_activity(table, 6)
    kept = rows.copy(), counts.copy()
    make_method(name, SearchSettings()).prepare(table)(rows, counts)
    for old, new in zip([*before, *kept], [table.indptr, table.indices, table.weight, rows, counts], strict=True):
        np.testing.assert_array_equal(old, new)


def test_registering_a_name_twice_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is registered twice"):
        METHODS.add(name, METHODS[name])
    assert len(METHODS) == len(NAMES)


def test_an_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(OptionError) as caught:
        make_method("compositonal", SearchSettings())
    assert all(name in caught.value.expected for name in NAMES)
    assert "'compositional'" in caught.value.next_step


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (SearchSettings(max_length=0), "--max-length"),
        (SearchSettings(max_length=11), "--max-length"),
        (SearchSettings(beam=0), "--beam"),
        (SearchSettings(penalty=0.0), "--penalty"),
        (SearchSettings(penalty=1.5), "--penalty"),
    ],
)
def test_settings_out_of_range_are_named(name: str, settings: SearchSettings, word: str) -> None:
    with pytest.raises(OptionError, match=word):
        make_method(name, settings)
