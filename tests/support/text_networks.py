"""Tiny transformers with random weights and a tokenizer of their own, saved as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

WORDS = ("a", "man", "is", "outside", "he", "sleeps", "two", "dog", "dogs", "the", "red", "ball", "not", ".", "_x")
LABELS = {0: "entailment", 1: "neutral", 2: "contradiction"}


def make_tokenizer(kind: str) -> Any:
    """`words`: one token a word, [CLS] and [SEP] around. `bytes`: byte-level BPE of single bytes, nothing around."""
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    if kind == "bytes":
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {character: place for place, character in enumerate(alphabet)}
        tokenizer = Tokenizer(models.BPE(vocab={**vocabulary, "Ġm": 256, "Ġma": 257}, merges=[("Ġ", "m"), ("Ġm", "a")]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    vocabulary = {word: place for place, word in enumerate(special + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def make_network(kind: str) -> Any:
    """A float64 network: `llama` and `gpt2` (language models), `bert` and `gpt2-classes` (classifiers)."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(7)
    if kind == "llama":
        config = transformers.LlamaConfig(
            vocab_size=258, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=40, bos_token_id=0, eos_token_id=1,
        )  # fmt: skip
        net = transformers.LlamaForCausalLM(config)
    elif kind.startswith("gpt2"):
        config = transformers.GPT2Config(
            vocab_size=258, n_embd=16, n_layer=2, n_head=4, n_positions=40, bos_token_id=0, eos_token_id=1,
            id2label=LABELS,
        )  # fmt: skip
        net = (transformers.GPT2ForSequenceClassification if "classes" in kind else transformers.GPT2LMHeadModel)(
            config
        )
    else:
        config = transformers.BertConfig(
            vocab_size=19, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=20, id2label=LABELS, pad_token_id=0,
        )  # fmt: skip
        net = transformers.BertForSequenceClassification(config)
    for parameter in net.parameters():
        # Biases and norms begin at 0 and 1, where a mistake in either would not show.
        torch.nn.init.normal_(parameter, std=0.3)
    return net.double().eval()


def save_network(folder: Path, kind: str) -> Any:
    """The network and its tokenizer in `folder`, in float32; returns the float64 network."""
    net = make_network(kind)
    make_tokenizer("words" if kind == "bert" else "bytes").save_pretrained(folder)
    net.float().save_pretrained(folder)
    return net.double()
