"""The text models of transformers: which class to load, and their tokenizers as encoders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.models.encode import padded

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
_NO_LIMIT = 4096
"""Longest window of a model whose files name no limit: it bounds memory, not the model."""

_SHIFTED = ("roberta", "camembert", "xlm-roberta", "longformer", "data2vec-text", "esm", "mpnet", "bertweet")
"""Their positions begin behind the padding token's id, which takes rows from the table of positions."""


def text_class(config: Any) -> str | None:
    """Name of the Auto class that loads a text model of this configuration; None if it is none that we know."""
    from transformers.models.auto import modeling_auto as known

    kind = str(config.model_type)
    for architecture in config.architectures or ():
        if architecture.endswith("ForSequenceClassification"):
            return "AutoModelForSequenceClassification"
        if architecture.endswith(("ForCausalLM", "LMHeadModel")):
            return "AutoModelForCausalLM"
        if architecture.endswith("ForMaskedLM"):
            return "AutoModelForMaskedLM"
    bare = not config.architectures or config.architectures[0].endswith("Model")
    textual = kind in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    imaged = kind in known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    return "AutoModel" if bare and textual and not imaged else None


def text_encoder(transformers: Any, name: str, config: Any) -> FastEncoder:
    """The tokenizer of a folder or hub name as an encoder.

    Raises
    ------
    ModelError
        If there is none, it cannot be read, or it cannot say which characters a token covers.
    """
    folder = Path(name).expanduser()
    if folder.exists() and not any((folder / file).is_file() for file in _TOKENIZER_FILES):
        raise ModelError(
            f"The folder {name} holds a text model without its tokenizer.",
            expected=f"one of {', '.join(_TOKENIZER_FILES)} beside config.json",
            next_step="save the tokenizer there too: tokenizer.save_pretrained(FOLDER)",
        )
    if (folder / "tokenizer.json").is_file():
        _check_json(folder / "tokenizer.json")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(name), trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"The tokenizer of hf:{name} could not be loaded: {lines[0] if lines else type(error).__name__}",
            expected="a tokenizer saved by save_pretrained of transformers, without code of its own",
            next_step="save it again where the model was made",
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(
            f"The tokenizer of hf:{name} ({type(tokenizer).__name__}) does not say which characters a token covers.",
            expected="a fast tokenizer, one with a tokenizer.json",
            next_step="convert it with transformers and save it beside the model",
        )
    return FastEncoder(tokenizer, config)


@final
class FastEncoder:
    """A fast tokenizer of transformers as an `Encoder`.

    Tokens are shown readably: a space as `_` (so `_Once` begins a word, whichever mark the tokenizer uses), an
    underscore of the text as `\\_`, line breaks and the like as `\\n`, a byte that is no whole character as `<0xC3>`.

    Parameters
    ----------
    tokenizer:
        The tokenizer.
    config:
        The model's configuration, for its longest input and padding.
    """

    def __init__(self, tokenizer: Any, config: Any) -> None:
        self._tokenizer = tokenizer
        self._bytes = _byte_characters() if _is_byte_level(tokenizer) else {}
        self._marked = "▁" in tokenizer.backend_tokenizer.to_str()
        self._before, self._behind = _around(tokenizer)
        pair = tokenizer("a", "b", return_special_tokens_mask=True)
        around = [i for i, extra in zip(pair["input_ids"], pair["special_tokens_mask"], strict=True) if extra]
        self._special = torch.tensor(sorted({*self._before, *self._behind, *around}), dtype=torch.long)
        self._types = "token_type_ids" in tokenizer.model_input_names
        # The end token stands in for padding before token 0 does: texts hardly ever hold it.
        pads = (tokenizer.pad_token_id, getattr(config, "pad_token_id", None), getattr(config, "eos_token_id", None))
        self.padding: int = next((pad for pad in pads if isinstance(pad, int) and pad >= 0), 0)
        self._most = _most_tokens(tokenizer, config)

    @property
    def sides(self) -> int:
        """1: one text an item, or two where the model was trained on pairs."""
        return 1

    @property
    def longest(self) -> int:
        """Most tokens a window may have, without special tokens."""
        return self._most - len(self._before) - len(self._behind)

    @property
    def vocabulary(self) -> int:
        """How many token ids there are, added tokens included."""
        return len(self._tokenizer)

    def encode(self, texts: Sequence[tuple[str, ...]]) -> dict[str, Tensor]:
        """Keyword inputs for items of one or two texts, padded to the longest.

        Raises
        ------
        ModelError
            If an item has no text or more than two, is empty, or is longer than the model takes.
        """
        rows: list[list[int]] = []
        types: list[list[int]] = []
        for place, item in enumerate(texts):
            if len(item) not in (1, 2):
                raise ModelError(f"Item {place} has {len(item)} texts.", expected="one text, or a pair")
            made = self._tokenizer(*item)
            rows.append(made["input_ids"])
            if not rows[-1]:
                raise ModelError(f"Item {place} is empty.", next_step="leave empty texts out of the data")
            types.append(made.get("token_type_ids") or [0] * len(rows[-1]))
            if len(rows[-1]) > self._most:
                raise ModelError(
                    f"Item {place} ('{item[0][:40]} ...') has {len(rows[-1])} tokens.",
                    expected=f"at most {self._most}, special tokens included",
                    next_step="shorten the text or leave it out",
                )
        return self._inputs(rows, types)

    def batch_of(self, pieces: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Keyword inputs for windows of token ids, with the special tokens of a single text around each."""
        rows = [[*self._before, *window, *self._behind] for window in pieces]
        return self._inputs(rows, [[0] * len(row) for row in rows])

    def mask(self, inputs: dict[str, Tensor]) -> Bool[Tensor, "batch token"]:
        """True at the tokens of the texts: no padding, and none of the tokens that the tokenizer puts around them."""
        ids = inputs["input_ids"]
        return inputs["attention_mask"].bool() & ~torch.isin(ids, self._special.to(ids.device))

    def special(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Ids before and behind a single text."""
        return self._before, self._behind

    def pieces(self, text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        """Token ids of a text without special tokens, and the characters [start, end) that each covers.

        A space before a token's letters is not counted to it, whether or not the tokenizer does; a token of spaces
        alone keeps them. The bytes of one character all have that character's span.
        """
        made = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return tuple(made["input_ids"]), tuple(_trimmed(text, start, end) for start, end in made["offset_mapping"])

    def piece_text(self, piece: int) -> str:
        """How a token is shown.

        Raises
        ------
        ModelError
            If there is no such token.
        """
        token = self._tokenizer.convert_ids_to_tokens(int(piece)) if 0 <= piece < self.vocabulary else None
        if token is None:
            raise ModelError(f"There is no token {piece}.", expected=f"0 to {self.vocabulary - 1}")
        if self._bytes and all(character in self._bytes for character in token):
            raw = bytes(self._bytes[character] for character in token)
            try:
                token = raw.decode("utf-8")
            except UnicodeDecodeError:
                return "".join(chr(byte) if 33 <= byte < 127 else f"<0x{byte:02X}>" for byte in raw)
        elif self._marked:
            token = token.replace("▁", " ")
        return "".join(_shown(character) for character in token)

    def text_of(self, pieces: Sequence[int]) -> str:
        """The text that token ids spell, special tokens left out."""
        ids = [int(piece) for piece in pieces]
        return self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def _inputs(self, rows: list[list[int]], types: list[list[int]]) -> dict[str, Tensor]:
        inputs = {
            "input_ids": padded(rows, self.padding),
            "attention_mask": padded([[1] * len(row) for row in rows], 0),
        }
        if self._types:
            inputs["token_type_ids"] = padded(types, 0)
        return inputs


def give_padding(module: nn.Module, encoder: FastEncoder) -> tuple[str, ...]:
    """Tell a classifier which token is padding, where its configuration does not; returns a note if that was so.

    Classifiers made of language models find a text's last token by it, and refuse batches without.
    """
    config: Any = module.config
    if getattr(config, "pad_token_id", None) is not None:
        return ()
    config.pad_token_id = encoder.padding
    return (f"The model names no padding token; token {encoder.padding} is used.",)


def check_vocabulary(module: Any, encoder: FastEncoder, name: str) -> None:
    """Raise ModelError where the tokenizer knows more tokens than the model has embeddings for."""
    embedding = module.get_input_embeddings()
    rows = embedding.num_embeddings if isinstance(embedding, nn.Embedding) else encoder.vocabulary
    if encoder.vocabulary > rows:
        raise ModelError(
            f"The tokenizer of hf:{name} has {encoder.vocabulary} tokens, the model embeddings for {rows}.",
            expected="a tokenizer and a model that were saved together",
            next_step="use the tokenizer that the model was trained with, or resize the model's embeddings to it",
        )


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    letters = text[start:end].lstrip()
    return (end - len(letters), end) if letters else (start, end)


def _around(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    made = tokenizer("a", return_special_tokens_mask=True)
    ids, extra = made["input_ids"], made["special_tokens_mask"]
    own = [at for at, special in enumerate(extra) if not special]
    return tuple(ids[: own[0]]), tuple(ids[own[-1] + 1 :])


def _most_tokens(tokenizer: Any, config: Any) -> int:
    limits = [int(tokenizer.model_max_length)] if tokenizer.model_max_length < 1_000_000 else []
    positions = getattr(config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        shifted = str(config.model_type).startswith(_SHIFTED)
        limits.append(positions - ((getattr(config, "pad_token_id", None) or 0) + 1 if shifted else 0))
    return min(limits, default=_NO_LIMIT)


def _is_byte_level(tokenizer: Any) -> bool:
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    return '"ByteLevel"' in json.dumps([parts.get("pre_tokenizer"), parts.get("decoder")])


def _byte_characters() -> dict[str, int]:
    """Characters by which byte-level tokenizers write bytes: printable ones as themselves, others from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}


def _shown(character: str) -> str:
    if character == " ":
        return "_"
    if character == "_":
        return "\\_"
    if character == "\\" or character.isspace() or not character.isprintable():
        return character.encode("unicode_escape").decode("ascii")
    return character


def _check_json(path: Path) -> None:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelError(f"{path} is no readable tokenizer: {error}", next_step="copy or save it again") from error
