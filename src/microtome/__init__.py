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
    from microtome.recipes.ablate_terms import AblateSettings, ablate_terms
    from microtome.recipes.adversary import find_adversary
    from microtome.recipes.adversary_settings import AdversarySettings
    from microtome.recipes.audit.explain import explain_image
    from microtome.recipes.audit.inputs import AuditInputs
    from microtome.recipes.audit.result import Audit
    from microtome.recipes.audit.run import audit
    from microtome.recipes.audit.settings import AuditSettings
    from microtome.recipes.debias import debias
    from microtome.recipes.debias_settings import DebiasSettings
    from microtome.recipes.decompose_heads import decompose_heads
    from microtome.recipes.decompose_images import decompose
    from microtome.recipes.decompose_neurons import decompose_neurons
    from microtome.recipes.decompose_settings import HeadSettings
    from microtome.recipes.decomposition import Decomposition
    from microtome.recipes.dissect import dissect
    from microtome.recipes.dissect_settings import DissectSettings
    from microtome.recipes.edit_text import EditSettings, edit_texts
    from microtome.recipes.heat_settings import HeatSettings, SegmentSettings
    from microtome.recipes.heat_targets import Asked
    from microtome.recipes.heatmap_run import heatmap_images
    from microtome.recipes.neuron_settings import NeuronSettings
    from microtome.recipes.result import Dissection
    from microtome.recipes.retrieve import retrieve
    from microtome.recipes.retrieve_settings import RetrieveSettings
    from microtome.recipes.segment_run import segment_images

_WHERE = {
    "AblateSettings": "microtome.recipes.ablate_terms",
    "AdversarySettings": "microtome.recipes.adversary_settings",
    "Asked": "microtome.recipes.heat_targets",
    "Audit": "microtome.recipes.audit.result",
    "AuditInputs": "microtome.recipes.audit.inputs",
    "AuditSettings": "microtome.recipes.audit.settings",
    "Concept": "microtome.core.concept",
    "DebiasSettings": "microtome.recipes.debias_settings",
    "Decomposition": "microtome.recipes.decomposition",
    "DissectSettings": "microtome.recipes.dissect_settings",
    "Dissection": "microtome.recipes.result",
    "EditSettings": "microtome.recipes.edit_text",
    "Formula": "microtome.core.formula",
    "HeadSettings": "microtome.recipes.decompose_settings",
    "HeatSettings": "microtome.recipes.heat_settings",
    "Model": "microtome.models.model",
    "NeuronSettings": "microtome.recipes.neuron_settings",
    "RetrieveSettings": "microtome.recipes.retrieve_settings",
    "SegmentSettings": "microtome.recipes.heat_settings",
    "TextModel": "microtome.models.text",
    "TextPool": "microtome.data.pools.base",
    "TextSettings": "microtome.data.text.settings",
    "ablate_terms": "microtome.recipes.ablate_terms",
    "audit": "microtome.recipes.audit.run",
    "debias": "microtome.recipes.debias",
    "decompose": "microtome.recipes.decompose_images",
    "decompose_heads": "microtome.recipes.decompose_heads",
    "decompose_neurons": "microtome.recipes.decompose_neurons",
    "dissect": "microtome.recipes.dissect",
    "edit_texts": "microtome.recipes.edit_text",
    "explain_image": "microtome.recipes.audit.explain",
    "find_adversary": "microtome.recipes.adversary",
    "heatmap_images": "microtome.recipes.heatmap_run",
    "intervene": "microtome.models.intervene",
    "load": "microtome.models.load",
    "load_any": "microtome.models.load",
    "load_text": "microtome.models.load",
    "open_data": "microtome.data.open",
    "open_pool": "microtome.data.pools.read",
    "open_texts": "microtome.data.text.open",
    "parse": "microtome.core.parse",
    "retrieve": "microtome.recipes.retrieve",
    "segment_images": "microtome.recipes.segment_run",
    "trace": "microtome.models.trace",
    "wrap": "microtome.models.model",
    "wrap_text": "microtome.models.text",
}

__all__ = [
    "AblateSettings",
    "AdversarySettings",
    "Asked",
    "Audit",
    "AuditInputs",
    "AuditSettings",
    "Concept",
    "DebiasSettings",
    "Decomposition",
    "DissectSettings",
    "Dissection",
    "EditSettings",
    "Formula",
    "HeadSettings",
    "HeatSettings",
    "Model",
    "NeuronSettings",
    "RetrieveSettings",
    "SegmentSettings",
    "TextModel",
    "TextPool",
    "TextSettings",
    "__version__",
    "ablate_terms",
    "audit",
    "debias",
    "decompose",
    "decompose_heads",
    "decompose_neurons",
    "dissect",
    "edit_texts",
    "explain_image",
    "find_adversary",
    "heatmap_images",
    "intervene",
    "load",
    "load_any",
    "load_text",
    "open_data",
    "open_pool",
    "open_texts",
    "parse",
    "retrieve",
    "segment_images",
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
