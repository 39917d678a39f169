"""Predicted classes of a segmentation model, here a tiny random SegFormer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from microtome.core.errors import ModelError, OptionError
from microtome.data.folders import ImageFolder
from microtome.data.indexed import IndexedImages
from microtome.data.open import open_data
from microtome.data.segmented import Segmented
from tests.support.pictures import indexed_set, photo, write_picture

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("segformer")
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
        id2label={0: "background", 1: "wall", 2: "sky", 3: "wall"},
        label2id={"background": 0, "wall": 1, "sky": 2},
    )
    transformers.SegformerForSemanticSegmentation(config).eval().save_pretrained(folder)
    transformers.SegformerImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return f"hf:{folder}"


def folder_of_images(root: Path) -> Path:
    for i in range(2):
        write_picture(root / f"{i}.png", photo(40, 60, seed=i))
    return root


def test_classes_become_predicted_concepts(tmp_path: Path, model: str) -> None:
    data = Segmented(ImageFolder(folder_of_images(tmp_path)), model)
    # `background` is none, and two classes of one name are one concept.
    assert [(c.name, c.category) for c in data.concepts] == [("wall", "segment"), ("sky", "segment")]
    assert data.card.predicted == {"segment"}
    assert "predicted" in data.card.notes[-1]
    assert data.labels(0) == {"segment"}
    assert data.read(0).planes.shape == (1, 40, 60)


def test_the_plane_is_the_model_s_own_prediction(tmp_path: Path, model: str) -> None:
    data = Segmented(ImageFolder(folder_of_images(tmp_path)), model)
    name = model.removeprefix("hf:")
    net = transformers.SegformerForSemanticSegmentation.from_pretrained(name).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(name)
    with torch.no_grad():
        inputs = processor(images=Image.fromarray(photo(40, 60, seed=1)), return_tensors="pt")
        logits = net(**inputs).logits
        large = torch.nn.functional.interpolate(logits, size=(40, 60), mode="bilinear", align_corners=False)
    expected = np.array([0, 1, 2, 1])[large[0].argmax(dim=0).numpy()]
    assert len(np.unique(expected)) > 1
    assert np.array_equal(data.read(1).planes[0], expected)
    # A second reading comes from memory and is the same.
    assert np.array_equal(data.read(1).planes[0], expected)


def test_the_plane_joins_annotated_ones_on_their_grid(tmp_path: Path, model: str) -> None:
    annotated = IndexedImages(indexed_set(tmp_path, {"a": np.ones((40, 60))}))
    data = Segmented(annotated, model)
    # Annotated `sky` keeps its word.
    assert [c.name for c in data.concepts] == ["sky", "road", "car", "wall", "segment:sky"]
    image = data.read(0)
    assert image.planes.shape == (2, 40, 60)
    assert (image.planes[0] == 2).all()
    assert set(np.unique(image.planes[1])) <= {0, 4, 5}


def test_through_open_data(tmp_path: Path, model: str) -> None:
    data = open_data(folder_of_images(tmp_path), segmenter=model)
    assert {c.category for c in data.concepts} == {"segment", "color"}
    assert data.read(0).planes.shape == (2, 40, 60)
    only = open_data(tmp_path, segmenter=model, categories=("color",))
    assert only.card.predicted == frozenset()


def test_fingerprint_follows_the_weights(tmp_path: Path, model: str) -> None:
    data = ImageFolder(folder_of_images(tmp_path / "images"))
    net = transformers.SegformerForSemanticSegmentation.from_pretrained(model.removeprefix("hf:"))
    with torch.no_grad():
        next(net.parameters()).add_(1)
    net.save_pretrained(tmp_path / "other")
    transformers.SegformerImageProcessor().save_pretrained(tmp_path / "other")
    first = Segmented(data, model).fingerprint()
    assert first == Segmented(data, model).fingerprint()
    assert first != Segmented(data, f"hf:{tmp_path / 'other'}").fingerprint()


def test_what_is_no_segmenter(tmp_path: Path) -> None:
    data = ImageFolder(folder_of_images(tmp_path / "images"))
    with pytest.raises(OptionError, match="hf:NAME"):
        Segmented(data, "segformer")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Segmented(data, f"hf:{tmp_path / 'absent'}")
    transformers.ResNetConfig().save_pretrained(tmp_path / "resnet")
    with pytest.raises(ModelError, match="does not segment"):
        Segmented(data, f"hf:{tmp_path / 'resnet'}")
