"""Text spans, terms and heatmaps against literal twins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.methods.decompose.heatmap import fold, head_heatmaps, heat_by_head, heatmaps, on_grid
from microtome.methods.decompose.terms import expand_heads, head_vectors, places_of, take_apart
from microtome.methods.decompose.text_span import HeadSpace, Span, explained_by, text_span
from microtome.models.towers.base import Tower
from microtome.models.towers.hf_clip import hf_clip_tower
from microtome.models.towers.mixing import weighted_attention
from microtome.models.towers.streams import Streams, run_tower
from microtome.stats.second_moments import SecondMoments
from tests.reference.decompose import explained_elsewhere, literal_text_span, literal_token_terms
from tests.support.decompose_worlds import SIDE, blended, tiny_tower
from tests.support.towers import TINY, clip, images, shaken


class Case:
    """A head's small vectors, its matrix and a pool."""

    def __init__(
        self, seed: int, *, count: int = 200, space: int = 6, d_out: int = 12, texts: int = 30, rank: int | None = None
    ) -> None:
        rng = np.random.default_rng(seed)
        self.vectors = rng.standard_normal((count, space)) * 2.0 ** -np.arange(space) + rng.standard_normal(space)
        self.matrix = rng.standard_normal((d_out, space))
        if rank is not None:
            self.matrix = rng.standard_normal((d_out, rank)) @ rng.standard_normal((rank, space))
        self.texts = rng.standard_normal((texts, d_out)) + 2.0 * rng.standard_normal(d_out)
        self.texts /= np.linalg.norm(self.texts, axis=1, keepdims=True)

    @property
    def outputs(self) -> np.ndarray:
        return self.vectors @ self.matrix.T

    def span(self, most: int) -> Span:
        """By way of moments in blocks, as a run does it."""
        moments = SecondMoments(1, self.vectors.shape[1])
        for block in np.array_split(self.vectors, 5):
            moments.add(block[:, None])
        space = HeadSpace.of(self.matrix)
        return text_span(space.covariance(moments.covariance()[0]), self.texts @ space.outward, most)

    def agree(self, most: int = 50) -> int:
        """Assert that the span is that of the literal twin; returns how many texts it has."""
        found, literal = self.span(most), literal_text_span(self.outputs, self.matrix, self.texts, most)
        assert found.texts.tolist() == literal.texts
        assert np.allclose(found.explained, literal.explained, rtol=0, atol=1e-10)
        if literal.texts:
            total = ((self.outputs - self.outputs.mean(axis=0)) ** 2).sum(axis=1).mean()
            assert found.total == pytest.approx(total, rel=1e-10)
        return len(literal.texts)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    space=st.integers(1, 9),
    d_out=st.integers(1, 9),
    texts=st.integers(1, 40),
    most=st.integers(1, 12),
)
def test_any_head_gets_the_texts_of_the_literal_algorithm(
    seed: int, space: int, d_out: int, texts: int, most: int
) -> None:
    Case(seed, space=space, d_out=d_out, texts=texts).agree(most)


def test_all_of_the_variance_is_explained_by_as_many_texts_as_there_are_dimensions() -> None:
    case = Case(1)
    assert case.agree() == 6
    assert case.span(50).explained[-1] == pytest.approx(1.0, abs=1e-9)


def test_wide_heads_until_nothing_is_left() -> None:
    """32 texts: four recomputations of the scores lie on the way."""
    assert Case(2, space=32, d_out=48, texts=300, count=500).agree(64) >= 12


def test_repeated_texts_are_taken_once() -> None:
    case = Case(3)
    case.texts = np.repeat(case.texts[:10], 3, axis=0)
    found = case.span(50)
    literal = literal_text_span(case.outputs, case.matrix, case.texts, 50)
    # Which of three equal texts it is, the last bit decides.
    assert (found.texts // 3).tolist() == [text // 3 for text in literal.texts]
    assert len(set((found.texts // 3).tolist())) == len(found.texts) == 6


@pytest.mark.parametrize("apart", [1e-1, 1e-2, 1e-3])
def test_nearly_parallel_texts(apart: float) -> None:
    case = Case(4, texts=4)
    rng = np.random.default_rng(0)
    case.texts = np.concatenate([case.texts, case.texts + apart * rng.standard_normal(case.texts.shape)])
    assert case.agree() >= 5


def test_texts_that_say_the_same_bring_nothing() -> None:
    """A text within 1e-7 of one that was taken is spanned: the span ends, and no gain is made of rounding."""
    case = Case(5, texts=3)
    case.texts = np.concatenate([case.texts, case.texts * (1 + 1e-9) + 1e-8, -case.texts, 0 * case.texts])
    found = case.span(50)
    assert sorted(int(text) % 3 for text in found.texts) == [0, 1, 2]
    assert (found.gains > 0).all()


def test_texts_outside_of_the_range_are_never_taken() -> None:
    case = Case(6, space=3)
    outside = np.eye(12) - case.matrix @ np.linalg.pinv(case.matrix)
    case.texts = np.concatenate([case.texts[:4] @ outside, case.texts[4:]])
    assert case.agree() == 3
    assert min(case.span(50).texts) >= 4


def test_fewer_images_than_dimensions() -> None:
    assert Case(7, count=4).agree() == 6


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_a_matrix_of_deficient_rank(rank: int) -> None:
    assert Case(8, rank=rank).agree() == rank


def test_more_dimensions_than_the_output_has() -> None:
    assert Case(9, space=20, d_out=5).agree() == 5


def test_fewer_texts_than_dimensions() -> None:
    assert Case(10, texts=2).agree() == 2


def test_a_head_that_never_changes() -> None:
    case = Case(11)
    case.vectors = np.repeat(case.vectors[:1], 50, axis=0)
    case.vectors[:] = np.round(case.vectors, 1)
    space = HeadSpace.of(case.matrix)
    found = text_span(np.zeros((6, 6)), case.texts @ space.outward, 5)
    assert len(found.texts) == 0
    assert found.basis.shape == (0, 6)
    assert found.explained.shape == explained_by(found, np.eye(6)).shape == (0,)


def test_the_basis_is_orthonormal_and_spans_the_texts() -> None:
    case = Case(12, space=32, d_out=40, texts=200)
    found, space = case.span(30), HeadSpace.of(case.matrix)
    assert np.allclose(found.basis @ found.basis.T, np.eye(len(found.texts)), rtol=0, atol=1e-10)
    taken = case.texts[found.texts] @ space.outward
    assert np.allclose(taken @ found.basis.T @ found.basis, taken, rtol=0, atol=1e-10)
    assert found.gains.sum() <= found.total * (1 + 1e-12)


def test_explained_by_is_what_the_texts_span_of_other_images() -> None:
    case, other = Case(13), Case(13)
    other.vectors = np.random.default_rng(5).standard_normal((90, 6))
    found, space = case.span(4), HeadSpace.of(case.matrix)
    own = space.covariance(np.cov(case.vectors, rowvar=False, bias=True))
    assert np.allclose(explained_by(found, own), found.explained, rtol=0, atol=1e-10)
    held = space.covariance(np.cov(other.vectors, rowvar=False, bias=True))
    expected = explained_elsewhere(other.outputs, case.matrix, case.texts, found.texts.tolist())
    assert np.allclose(explained_by(found, held), expected, rtol=0, atol=1e-10)
    assert not np.allclose(expected, found.explained, rtol=0, atol=1e-3)


def seen(tower: Tower, count: int = 2) -> Streams:
    with torch.no_grad():
        return run_tower(tower, images(SIDE, count=count), places_of(tower))


def clip_tower() -> Tower:
    pytest.importorskip("transformers")
    tower = hf_clip_tower(shaken(clip(**TINY)).double())
    assert tower is not None
    return tower


def eager_maps(tower: Tower, layer: int, count: int = 2) -> list[list[list[list[float]]]]:
    """Attention as transformers itself gives it."""
    vision: Any = tower.module.get_submodule("both.vision_model")
    vision.set_attn_implementation("eager")
    with torch.no_grad():
        return vision(images(SIDE, count=count), output_attentions=True).attentions[layer].double().tolist()


@pytest.mark.parametrize("layer", [0, 2])
def test_heat_of_a_clip_is_that_of_its_own_attention(layer: int) -> None:
    tower = clip_tower()
    streams = seen(tower)
    terms = literal_token_terms(tower, streams, layer, eager_maps(tower, layer))
    directions = torch.randn(3, tower.d_out, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rho = tower.pooling.rows(streams.at(tower.end))
    found = heat_by_head(tower, streams, fold(tower, directions, layer), layer, rho)
    expected = torch.einsum("bhpo,ko->kbhp", terms, directions)
    # transformers takes the softmax of its eager attention in float32.
    assert torch.allclose(found, expected, rtol=0, atol=2e-6 * float(expected.abs().max()))
    assert expected.abs().max() > 0.1


WORLDS = {"class row": tiny_tower, "three readouts": lambda: blended(tiny_tower())}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("layer", [0, 1])
def test_heat_and_terms_are_those_of_loops_over_tokens(name: str, layer: int) -> None:
    tower = WORLDS[name]()
    streams = seen(tower)
    literal = literal_token_terms(tower, streams, layer)
    directions = torch.randn(3, tower.d_out, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rho = tower.pooling.rows(streams.at(tower.end))
    heat = heat_by_head(tower, streams, fold(tower, directions, layer), layer, rho)
    assert torch.allclose(heat, torch.einsum("bhpo,ko->kbhp", literal, directions), rtol=0, atol=1e-11)
    expanded = expand_heads(tower, take_apart(tower, streams).heads)
    assert torch.allclose(expanded[:, layer], literal.sum(dim=2), rtol=0, atol=1e-11)
    y = streams.at(tower.layers[layer].attention.at)
    own = head_vectors(tower, y, weighted_attention(tower.layers[layer].attention, y, rho), layer=layer)
    assert own.shape == (2, tower.heads, tower.space)


@pytest.mark.parametrize("name", WORLDS)
def test_heatmaps_are_sums_over_layers_and_heads_of_the_patches_alone(name: str) -> None:
    tower = WORLDS[name]()
    x, streams = images(SIDE), seen(tower)
    directions = torch.randn(3, tower.d_out, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    literal = torch.stack([literal_token_terms(tower, streams, n) for n in range(2)])
    tokens = torch.einsum("nbhpo,ko->bkp", literal, directions)
    found = heatmaps(tower, x, directions)
    assert found.shape == (2, 3, 4, 4)
    for row in range(4):
        for column in range(4):
            assert torch.allclose(found[:, :, row, column], tokens[:, :, 1 + 4 * row + column], rtol=0, atol=1e-11)
    one_layer = heatmaps(tower, x, directions, layers=[1])
    assert torch.allclose(one_layer, on_grid(tower, torch.einsum("bhpo,ko->bkp", literal[1], directions)), atol=1e-11)
    heads = torch.stack(
        [head_heatmaps(tower, x, directions[1], layer=n, head=h) for n in range(2) for h in range(tower.heads)]
    )
    assert torch.allclose(heads.sum(0), found[:, 1], rtol=0, atol=1e-11)
    for number, head in enumerate(heads):
        own = torch.einsum("bpo,o->bp", literal[number // 4][:, number % 4], directions[1])
        assert torch.allclose(head, on_grid(tower, own), rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", WORLDS)
def test_patches_and_class_token_together_are_the_heads_terms(name: str) -> None:
    tower = WORLDS[name]()
    streams = seen(tower)
    directions = torch.randn(2, tower.d_out, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    rho = tower.pooling.rows(streams.at(tower.end))
    whole = sum(heat_by_head(tower, streams, fold(tower, directions, n), n, rho).sum(dim=(2, 3)) for n in range(2))
    terms = expand_heads(tower, take_apart(tower, streams).heads).sum(dim=(1, 2))
    assert isinstance(whole, torch.Tensor)
    assert torch.allclose(whole, directions @ terms.T, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", WORLDS)
def test_directions_at_once_are_directions_one_at_a_time(name: str) -> None:
    tower = WORLDS[name]()
    x = images(SIDE)
    directions = torch.randn(4, tower.d_out, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    together = heatmaps(tower, x, directions)
    for number, direction in enumerate(directions):
        assert torch.allclose(heatmaps(tower, x, direction[None])[:, 0], together[:, number], rtol=0, atol=1e-12)
    folded = [fold(tower, directions, n) for n in range(2)]
    assert torch.equal(heatmaps(tower, x, directions, folded=folded), together)


def test_patches_of_an_oblong_grid_lie_row_by_row() -> None:
    tower = replace(tiny_tower(), grid=(2, 3), first_patch=2)
    tokens = torch.arange(2.0 * 8).reshape(2, 8)
    assert on_grid(tower, tokens).tolist() == [[[2, 3, 4], [5, 6, 7]], [[10, 11, 12], [13, 14, 15]]]
