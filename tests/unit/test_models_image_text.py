"""Models with an image and a text side from folders of transformers and from open_clip, and bare vision models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from microtome.core.errors import DataError, ModelError
from microtome.methods.decompose.terms import decompose
from microtome.models.adapters.open_clip import preprocess_of
from microtome.models.load import load
from microtome.models.texts import TextTower, text_directions
from microtome.models.towers.find import tower_of
from tests.support.towers import DINO_S, TEXT, TINY, images, shaken, siglip2

transformers = pytest.importorskip("transformers")
WORDS = ["a", "photo", "of", "red", "blue", "cube", "ball"]
TEXTS = ["a photo of a red cube", "blue ball"]


def _processor(folder: Path, **options: Any) -> None:
    pixels = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "size": {"height": 32, "width": 32}}
    config = {"image_processor_type": "ViTImageProcessor", **pixels, **options}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))


def _clip_words(folder: Path) -> int:
    """The byte-pair files of a CLIP tokenizer whose merges make whole words; returns the number of tokens."""
    letters = sorted({letter for word in WORDS for letter in word})
    tokens, merges = [*letters, *(letter + "</w>" for letter in letters)], []
    for word in WORDS:
        pieces = [*word[:-1], word[-1] + "</w>"]
        while len(pieces) > 1:
            merge = (pieces[0], pieces[1])
            if merge not in merges:
                merges.append(merge)
            pieces = ["".join(merge), *pieces[2:]]
            tokens += [pieces[0]] if pieces[0] not in tokens else []
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    return len(tokens)


def _fast_words(folder: Path, context: int) -> None:
    """A tokenizer file with an end behind each text and padding, as SigLIP has them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=context, **names)
    fast.save_pretrained(folder)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    many = _clip_words(folder)
    last = many - 1
    ids = {"eos_token_id": last, "bos_token_id": last - 1, "pad_token_id": last}
    text = {**TEXT, "vocab_size": many, "max_position_embeddings": 12, **ids}
    config = transformers.CLIPConfig(text_config=text, vision_config=TINY, projection_dim=20)
    shaken(transformers.CLIPModel(config)).save_pretrained(folder)
    _processor(folder, do_center_crop=False)
    return folder


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("siglip")
    text = {**TEXT, "max_position_embeddings": 9, "projection_size": 24, "eos_token_id": 1}
    config = transformers.SiglipConfig(text_config=text, vision_config=TINY)
    shaken(transformers.SiglipModel(config)).save_pretrained(folder)
    _fast_words(folder, 9)
    _processor(folder)
    return folder


def _own(model: Any, ids: Tensor, mask: Tensor | None) -> Tensor:
    """The library's own text features."""
    features = model.get_text_features(input_ids=ids, attention_mask=mask)
    return features if isinstance(features, Tensor) else features.pooler_output


@torch.no_grad()
def test_a_clip_of_transformers_from_a_folder(clip_folder: Path) -> None:
    model = load(f"hf:{clip_folder}", device="cpu")
    assert isinstance(model.texts, TextTower)
    assert (model.classes, model.preprocess.size, model.preprocess.mean) == ((), 32, (0.5, 0.4, 0.3))
    whole: Any = transformers.CLIPModel.from_pretrained(clip_folder).eval()
    x = images(32).float()
    own = whole.get_image_features(pixel_values=x)
    assert torch.allclose(model.logits(x), own if isinstance(own, Tensor) else own.pooler_output, atol=1e-6)
    assert model.texts.lengths(TEXTS) == [8, 4]
    tokens = transformers.AutoTokenizer.from_pretrained(clip_folder)(TEXTS, padding=True, return_tensors="pt")
    expected = _own(whole, tokens["input_ids"], tokens["attention_mask"])
    assert torch.allclose(model.texts.encode(TEXTS), expected, atol=1e-6)
    alone = torch.cat([model.texts.encode([text]) for text in TEXTS])
    assert torch.allclose(alone, expected, atol=1e-6)
    assert not torch.allclose(expected[0], expected[1], atol=1e-2)
    assert model.texts.scale == pytest.approx(float(whole.logit_scale.exp()))
    assert (model.texts.bias, model.texts.context) == (0.0, 12)
    with pytest.raises(DataError, match="13 tokens"):
        text_directions(model.texts, ["a " * 11], spec="this")
    tower = tower_of(model)
    assert (tower.grid, tower.heads, tower.d_out) == ((4, 4), 4, 20)
    decompose(tower, x)


@torch.no_grad()
def test_a_siglip_of_transformers_from_a_folder(siglip_folder: Path) -> None:
    model = load(f"hf:{siglip_folder}", device="cpu")
    assert isinstance(model.texts, TextTower)
    whole: Any = transformers.SiglipModel.from_pretrained(siglip_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(siglip_folder)
    ids = tokenizer(TEXTS, padding="max_length", max_length=9, return_tensors="pt")["input_ids"]
    assert torch.allclose(model.texts.encode(TEXTS), _own(whole, ids, None), atol=1e-6)
    assert model.texts.lengths(TEXTS) == [7, 3]
    assert model.texts.bias == pytest.approx(float(whole.logit_bias))
    tower = tower_of(model)
    assert (tower.readouts, tower.tail_name) == (4, "head.mlp")
    terms = decompose(tower, images(32).float())
    assert terms.tail is not None
    assert torch.allclose(terms.output, model.logits(images(32)), atol=1e-6)


@torch.no_grad()
def test_siglip_2_is_given_the_patches_of_its_own_processor() -> None:
    module: Any = shaken(siglip2(**TINY))
    picture = np.random.default_rng(0).integers(0, 256, (24, 48, 3), dtype=np.uint8)
    processor = transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=18, do_resize=False)
    inputs = processor(picture, return_tensors="pt")
    own = module.both.get_image_features(**inputs)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1
    assert torch.allclose(module(pixels), own if isinstance(own, Tensor) else own.pooler_output, atol=1e-5)


def test_another_size_is_an_error_that_names_the_right_one(clip_folder: Path) -> None:
    with pytest.raises(ModelError, match="32 x 32 pixels"):
        tower_of(load(f"hf:{clip_folder}", size=64, device="cpu"))


def test_a_folder_without_a_tokenizer(tmp_path: Path, siglip_folder: Path) -> None:
    transformers.SiglipModel.from_pretrained(siglip_folder).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="tokenizer"):
        load(f"hf:{tmp_path}", device="cpu")


@torch.no_grad()
def test_an_image_classifier_made_of_a_clip_keeps_its_classifier(tmp_path: Path) -> None:
    config = transformers.CLIPConfig(text_config=TEXT, vision_config=TINY, id2label={0: "cat", 1: "dog", 2: "cow"})
    own = shaken(transformers.CLIPForImageClassification(config))
    own.save_pretrained(tmp_path)
    _processor(tmp_path)
    model = load(f"hf:{tmp_path}", device="cpu")
    assert (model.classes, model.texts) == (("cat", "dog", "cow"), None)
    x = images(32).float()
    assert torch.allclose(model.logits(x), own(pixel_values=x).logits, atol=1e-6)
    decompose(tower_of(model), x)


@pytest.mark.parametrize(
    ("kind", "config", "options"),
    [
        ("Dinov2Model", "Dinov2Config", {}),
        ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", {"num_register_tokens": 2}),
        ("ViTModel", "ViTConfig", {}),
    ],
)
@torch.no_grad()
def test_a_bare_model_gives_its_class_row(tmp_path: Path, kind: str, config: str, options: dict[str, Any]) -> None:
    own: Any = shaken(getattr(transformers, kind)(getattr(transformers, config)(**TINY, **options)))
    own.save_pretrained(tmp_path)
    _processor(tmp_path)
    model = load(f"hf:{tmp_path}", device="cpu")
    x = images(32).float()
    assert torch.allclose(model.logits(x), own(pixel_values=x).last_hidden_state[:, 0], atol=1e-6)
    assert model.classes == ()
    tower = tower_of(model)
    assert (tower.d_out, tower.first_patch) == (24, 1 + options.get("num_register_tokens", 0))
    decompose(tower, x)
    save_file(own.state_dict(), tmp_path / "own.safetensors")
    again = load(f"hf:{tmp_path}", weights=tmp_path / "own.safetensors", device="cpu")
    assert torch.equal(again.logits(x), model.logits(x))
    assert load(f"hf:{tmp_path}@random", device="cpu").logits(x).shape == (2, 24)


@torch.no_grad()
def test_the_image_side_alone_of_a_clip(tmp_path: Path) -> None:
    config = transformers.CLIPVisionConfig(**TINY, projection_dim=10)
    own = shaken(transformers.CLIPVisionModelWithProjection(config))
    own.save_pretrained(tmp_path)
    _processor(tmp_path)
    model = load(f"hf:{tmp_path}", device="cpu")
    x = images(32).float()
    assert torch.allclose(model.logits(x), own(pixel_values=x).image_embeds, atol=1e-6)
    assert (model.classes, model.texts) == ((), None)
    decompose(tower_of(model), x)


def test_dinov2_is_cut_to_the_patches_of_its_input(tmp_path: Path) -> None:
    """Its configuration says 518 pixels, its processor cuts out 224: 16 x 16 patches."""
    config = transformers.Dinov2Config(**DINO_S, num_hidden_layers=1)
    transformers.Dinov2Model(config).save_pretrained(tmp_path)
    _processor(tmp_path, size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, do_center_crop=True)
    assert tower_of(load(f"hf:{tmp_path}", device="cpu")).grid == (16, 16)
    assert tower_of(load(f"hf:{tmp_path}", size=(28, 70), device="cpu")).grid == (2, 5)


class TestOpenClip:
    """`open_clip:NAME/TAG`, without a network."""

    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        pytest.importorskip("open_clip")

    @torch.no_grad()
    def test_random_weights_with_texts(self) -> None:
        import open_clip

        model = load("open_clip:ViT-B-32@random", device="cpu")
        assert isinstance(model.texts, TextTower)
        pre = model.preprocess
        assert (pre.size, pre.crop, pre.resize_short, pre.interpolation) == (224, "center", 224, "bicubic")
        assert (pre.mean, pre.std) == (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
        assert "random" in model.notes[0]
        assert (model.texts.context, model.texts.scale) == (77, pytest.approx(1 / 0.07))
        assert model.texts.lengths(["a photo of a cat", ""]) == [7, 2]
        own: Any = model.module.get_submodule("both")
        ids = open_clip.tokenize(["a photo of a cat"])
        assert torch.allclose(model.texts.encode(["a photo of a cat"]), own.encode_text(ids), atol=1e-6)
        with pytest.raises(DataError, match="202 tokens"):
            text_directions(model.texts, ["cat " * 200], spec="this")
        x = images(224).float()
        assert torch.allclose(model.logits(x), own.encode_image(x), atol=1e-6)
        assert tower_of(model).grid == (7, 7)

    @torch.no_grad()
    def test_a_tag_and_weights_of_ones_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import open_clip
        from open_clip import factory

        own = open_clip.create_model("ViT-B-32-quickgelu").eval()
        file = tmp_path / "w.safetensors"
        save_file(own.state_dict(), file)
        asked: list[Any] = []
        monkeypatch.setattr(factory, "download_pretrained", lambda cfg, **_: asked.append(cfg) or str(file))
        x = images(224, count=1).float()
        expected = own.encode_image(x)
        # These weights were trained with the approximate GELU, whichever of the two names is given.
        model = load("open_clip:ViT-B-32/openai", device="cpu")
        assert asked[0]["quick_gelu"]
        assert torch.allclose(model.logits(x), expected, atol=1e-6)
        mine = load("open_clip:ViT-B-32-quickgelu", weights=file, device="cpu")
        assert torch.allclose(mine.logits(x), expected, atol=1e-6)

    def test_another_size_is_built_in(self) -> None:
        model = load("open_clip:ViT-B-32@random", size=(64, 96), device="cpu")
        tower = tower_of(model)
        assert (model.preprocess.size, tower.grid) == ((64, 96), (2, 3))
        decompose(tower, images((64, 96)).float())

    def test_the_network_inside_may_be_timms(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import open_clip

        monkeypatch.setattr(open_clip, "get_tokenizer", lambda name: open_clip.SimpleTokenizer(context_length=64))
        model = load("open_clip:ViT-B-16-SigLIP@random", size=64, device="cpu")
        shaken(model.module)
        tower = tower_of(model)
        assert (tower.family, tower.grid) == ("ViT of timm", (4, 4))
        assert (tower.readouts, tower.tail_name) == (12, "attn_pool.mlp")
        decompose(tower, images(64).float())

    @pytest.mark.parametrize(
        ("spec", "words"),
        [
            ("open_clip:ViT-B-33/x", "no model 'ViT-B-33'.*'ViT-B-32'"),
            ("open_clip:ViT-B-32", "does not say which weights.*laion2b_s34b_b79k"),
            ("open_clip:ViT-B-32/laion2b", "no weights 'laion2b' of ViT-B-32.*laion2b_s34b_b79k"),
            ("open_clip:local-dir:/nowhere", "could not be loaded.*nowhere"),
        ],
    )
    def test_what_it_does_not_have(self, spec: str, words: str) -> None:
        with pytest.raises(ModelError, match=f"(?s){words}"):
            load(spec, device="cpu")

    def test_no_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from open_clip import factory

        def offline(*_: Any, **__: Any) -> None:
            raise OSError("no route to host")

        monkeypatch.setattr(factory, "download_pretrained", offline)
        with pytest.raises(ModelError, match="no route to host"):
            load("open_clip:ViT-B-32/laion2b_s34b_b79k", device="cpu")

    def test_resnets_of_it_say_what_is_supported(self) -> None:
        with pytest.raises(ModelError, match="no known vision transformer"):
            tower_of(load("open_clip:RN50@random", size=64, device="cpu"))

    def test_preprocessing(self) -> None:
        config = {"size": (64, 48), "mean": (0.1, 0.2, 0.3), "std": [1, 1, 1], "interpolation": "bilinear"}
        pre = preprocess_of({**config, "resize_mode": "squash"})
        assert (pre.size, pre.crop, pre.resize_short, pre.interpolation) == ((64, 48), "none", None, "bilinear")
        assert preprocess_of({**config, "resize_mode": "shortest"}).resize_short == 64
