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
    from microtome.data.text.open import open_texts
    from microtome.data.text.settings import TextSettings
    from microtome.models.intervene import intervene
    from microtome.models.load import load, load_any, load_text
    from microtome.models.model import Model, wrap
    from microtome.models.text import TextModel, wrap_text
    from microtome.models.trace import trace
    from microtome.recipes.dissect import dissect
    from microtome.recipes.dissect_settings import DissectSettings
    from microtome.recipes.edit_text import EditSettings, edit_texts
    from microtome.recipes.result import Dissection

_WHERE = {
    "Concept": "microtome.core.concept",
    "Dissection": "microtome.recipes.result",
    "DissectSettings": "microtome.recipes.dissect_settings",
    "EditSettings": "microtome.recipes.edit_text",
    "Formula": "microtome.core.formula",
    "Model": "microtome.models.model",
    "TextModel": "microtome.models.text",
    "TextSettings": "microtome.data.text.settings",
    "dissect": "microtome.recipes.dissect",
    "edit_texts": "microtome.recipes.edit_text",
    "intervene": "microtome.models.intervene",
    "load": "microtome.models.load",
    "load_any": "microtome.models.load",
    "load_text": "microtome.models.load",
    "open_data": "microtome.data.open",
    "open_texts": "microtome.data.text.open",
    "parse": "microtome.core.parse",
    "trace": "microtome.models.trace",
    "wrap": "microtome.models.model",
    "wrap_text": "microtome.models.text",
}

__all__ = [
    "Concept",
    "DissectSettings",
    "Dissection",
    "EditSettings",
    "Formula",
    "Model",
    "TextModel",
    "TextSettings",
    "__version__",
    "dissect",
    "edit_texts",
    "intervene",
    "load",
    "load_any",
    "load_text",
    "open_data",
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
