"""Counts of active elements by signature and half: as recorded, re-paired, shifted; ranks for AUROC."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from microtome.record.counting import (
    HalfCounter,
    HalfCounts,
    MaskCounter,
    RankCounter,
    Slot,
    positions_of,
    slot_chunks,
)
from microtome.record.recording import Recording
from tests.support.passes import make_pass, record


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return record(make_pass(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def image_level(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return record(make_pass(tmp_path_factory.mktemp("cache"), grid=(1, 1), image_level=True, quantile=0.3))


def slots_of(recording: Recording) -> list[Slot]:
    return [Slot(place, 0, float(low), np.inf) for place, low in enumerate(recording.thresholds)]


def as_dense(counts: HalfCounts, signatures: int) -> np.ndarray:
    """[half, signature]; rows must ascend and counts be positive."""
    dense = np.zeros((2, signatures), np.int64)
    for half, (rows, entries) in enumerate((counts.searched, counts.heldout)):
        assert (np.diff(rows) > 0).all()
        assert (entries > 0).all()
        dense[half, rows] = entries
    return dense


def literal(
    recording: Recording, positions: np.ndarray, *, pairing: np.ndarray | None = None, shifts: np.ndarray | None = None
) -> np.ndarray:
    """The same counts with dense masks, one image after another."""
    images, (rows, columns) = len(recording.items), recording.grid
    maps = np.asarray(recording.maps).reshape(images, rows, columns)
    masks = np.zeros(maps.size, bool)
    masks[positions] = True
    dense = np.zeros((2, recording.searched.n_signatures), np.int64)
    for image, mask in enumerate(masks.reshape(maps.shape)):
        if shifts is not None:
            mask = np.roll(mask, tuple(shifts[image]), axis=(0, 1))
        labels = maps[image if pairing is None else pairing[image]]
        for signature in labels[mask]:
            if signature >= 0:
                dense[int(recording.items.heldout[image]), signature] += 1
    return dense


def random_pairing(recording: Recording, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    pairing = np.arange(len(recording.items))
    for half in (False, True):
        members = np.flatnonzero(recording.items.heldout == half)
        pairing[members] = generator.permutation(members)
    return pairing


def test_counts_equal_dense_masks(recording: Recording) -> None:
    counter = HalfCounter(recording)
    signatures = recording.searched.n_signatures
    for positions in positions_of(recording, slots_of(recording)):
        assert len(positions)
        found = as_dense(counter(positions), signatures)
        assert np.array_equal(found, literal(recording, positions))
        void = (np.asarray(recording.maps)[positions] < 0).sum()
        assert found.sum() == len(positions) - void


@pytest.mark.parametrize("seed", range(3))
def test_repaired_and_shifted_counts_equal_dense_masks(recording: Recording, seed: int) -> None:
    counter = HalfCounter(recording)
    signatures = recording.searched.n_signatures
    pairing = random_pairing(recording, seed)
    shifts = np.random.default_rng(seed).integers(0, recording.grid, size=(len(recording.items), 2))
    for positions in positions_of(recording, slots_of(recording)):
        paired = as_dense(counter(positions, pairing=pairing), signatures)
        assert np.array_equal(paired, literal(recording, positions, pairing=pairing))
        shifted = as_dense(counter(positions, shifts=shifts), signatures)
        assert np.array_equal(shifted, literal(recording, positions, shifts=shifts))
        assert not np.array_equal(paired, as_dense(counter(positions), signatures))
        assert not np.array_equal(shifted, as_dense(counter(positions), signatures))
        bound = MaskCounter(counter, positions)
        assert np.array_equal(as_dense(bound(pairing=pairing), signatures), paired)
        assert np.array_equal(as_dense(bound(shifts=shifts), signatures), shifted)


def test_pairing_with_itself_and_shifting_by_nothing_change_nothing(recording: Recording) -> None:
    counter, (positions, *_) = HalfCounter(recording), positions_of(recording, slots_of(recording))
    signatures, images = recording.searched.n_signatures, len(recording.items)
    plain = as_dense(counter(positions), signatures)
    assert np.array_equal(as_dense(counter(positions, pairing=np.arange(images)), signatures), plain)
    assert np.array_equal(as_dense(counter(positions, shifts=np.zeros((images, 2), np.int64)), signatures), plain)


def test_positions_do_not_depend_on_how_slots_are_grouped(recording: Recording) -> None:
    slots = slots_of(recording)
    together = positions_of(recording, slots)
    for slot, expected in zip(slots, together, strict=True):
        assert np.array_equal(positions_of(recording, [slot])[0], expected)
    backwards = positions_of(recording, slots[::-1])
    assert all(np.array_equal(one, other) for one, other in zip(backwards[::-1], together, strict=True))


def test_ranges_share_out_the_positions_above_their_lowest_edge(recording: Recording) -> None:
    edges = [0.0, 0.1, 0.3, np.inf]
    parts = [Slot(2, i + 1, low, high) for i, (low, high) in enumerate(pairwise(edges))]
    whole, *pieces = positions_of(recording, [Slot(2, 0, 0.0, np.inf), *parts])
    assert all(len(piece) for piece in pieces)
    assert np.array_equal(np.sort(np.concatenate(pieces)), np.sort(whole))


def test_slots_are_grouped_in_order(recording: Recording) -> None:
    slots = [Slot(place % 5, 0, 0.0, np.inf) for place in range(100)]
    assert [slot for chunk in slot_chunks(recording, slots) for slot in chunk] == slots
    assert all(slot_chunks(recording, slots))


def ranks_literally(recording: Recording, place: int, pairing: np.ndarray | None = None) -> np.ndarray:
    """Doubled mid-ranks by comparing every image with every other of its half."""
    maps, heldout = np.asarray(recording.maps), recording.items.heldout
    dense = np.zeros((2, recording.searched.n_signatures), np.int64)
    for image in range(len(maps)):
        others = [i for i in range(len(maps)) if heldout[i] == heldout[image] and maps[i] >= 0]
        below = sum(recording.peaks[i, place] < recording.peaks[image, place] for i in others)
        equal = sum(recording.peaks[i, place] == recording.peaks[image, place] for i in others)
        signature = maps[image if pairing is None else pairing[image]]
        if signature >= 0 and maps[image] >= 0:
            dense[int(heldout[image]), signature] += 2 * below + equal + 1
    return dense


def test_rank_sums_equal_comparing_all_images(image_level: Recording) -> None:
    signatures = image_level.searched.n_signatures
    pairing = random_pairing(image_level, 1)
    for place in range(len(image_level.units)):
        counter = RankCounter(image_level, place)
        assert np.array_equal(as_dense(counter(), signatures), ranks_literally(image_level, place))
        found = as_dense(counter(pairing=pairing), signatures)
        assert np.array_equal(found, ranks_literally(image_level, place, pairing))
        half = int((~image_level.items.heldout).sum())
        assert found[0].sum() == half * (half + 1), "doubled ranks of n images sum to n (n + 1)"


def test_equal_activations_share_their_rank(image_level: Recording, tmp_path: Path) -> None:
    assert (np.asarray(image_level.maps) >= 0).all()
    peaks = np.round(image_level.peaks, 1)
    rounded = type(image_level)(**{**vars_of(image_level), "peaks": peaks})
    counter = RankCounter(rounded, 0)
    assert len(np.unique(peaks[:, 0])) < len(peaks)
    assert np.array_equal(as_dense(counter(), rounded.searched.n_signatures), ranks_literally(rounded, 0))
    searched = ~image_level.items.heldout
    assert counter().searched[1].sum() == round(2 * rankdata(peaks[searched, 0]).sum())


def vars_of(recording: Recording) -> dict[str, object]:
    return {name: getattr(recording, name) for name in Recording.__dataclass_fields__}
