"""microtome: take a trained network apart, name its parts, prove the names, repair it.

>>> import microtome
>>> result = microtome.dissect("world:scenes", out="runs/first")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from microtome._version import __version__

if TYPE_CHECKING:
    from microtome.core.concept import Concept
    from microtome.core.formula import Formula
    from microtome.core.parse import parse
    from microtome.data.open import open_data
    from microtome.data.pools.base import TextPool
    from microtome.data.pools.read import open_pool
    from microtome.data.text.open import open_texts
    from microtome.data.text.settings import TextSettings
    from microtome.models.intervene import intervene
    from microtome.models.load import load, load_any, load_text
    from microtome.models.model import Model, wrap
    from microtome.models.text import TextModel, wrap_text
    from microtome.models.trace import trace
    from microtome.recipes.decompose_heads import decompose_heads
    from microtome.recipes.decompose_images import decompose
    from microtome.recipes.decompose_neurons import decompose_neurons
    from microtome.recipes.decompose_settings import HeadSettings
    from microtome.recipes.decomposition import Decomposition
    from microtome.recipes.dissect import dissect
    from microtome.recipes.dissect_settings import DissectSettings
    from microtome.recipes.edit_text import EditSettings, edit_texts
    from microtome.recipes.neuron_settings import NeuronSettings
    from microtome.recipes.result import Dissection

_WHERE = {
    "Concept": "microtome.core.concept",
    "Decomposition": "microtome.recipes.decomposition",
    "Dissection": "microtome.recipes.result",
    "DissectSettings": "microtome.recipes.dissect_settings",
    "EditSettings": "microtome.recipes.edit_text",
    "Formula": "microtome.core.formula",
    "HeadSettings": "microtome.recipes.decompose_settings",
    "Model": "microtome.models.model",
    "NeuronSettings": "microtome.recipes.neuron_settings",
    "TextModel": "microtome.models.text",
    "TextPool": "microtome.data.pools.base",
    "TextSettings": "microtome.data.text.settings",
    "decompose": "microtome.recipes.decompose_images",
    "decompose_heads": "microtome.recipes.decompose_heads",
    "decompose_neurons": "microtome.recipes.decompose_neurons",
    "dissect": "microtome.recipes.dissect",
    "edit_texts": "microtome.recipes.edit_text",
    "intervene": "microtome.models.intervene",
    "load": "microtome.models.load",
    "load_any": "microtome.models.load",
    "load_text": "microtome.models.load",
    "open_data": "microtome.data.open",
    "open_pool": "microtome.data.pools.read",
    "open_texts": "microtome.data.text.open",
    "parse": "microtome.core.parse",
    "trace": "microtome.models.trace",
    "wrap": "microtome.models.model",
    "wrap_text": "microtome.models.text",
}

__all__ = [
    "Concept",
    "Decomposition",
    "DissectSettings",
    "Dissection",
    "EditSettings",
    "Formula",
    "HeadSettings",
    "Model",
    "NeuronSettings",
    "TextModel",
    "TextPool",
    "TextSettings",
    "__version__",
    "decompose",
    "decompose_heads",
    "decompose_neurons",
    "dissect",
    "edit_texts",
    "intervene",
    "load",
    "load_any",
    "load_text",
    "open_data",
    "open_pool",
    "open_texts",
    "parse",
    "trace",
    "wrap",
    "wrap_text",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import microtome` costs next to nothing."""
    if name not in _WHERE:
        raise AttributeError(f"module 'microtome' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
