"""The Parquet tables of a dissection: their columns and types. docs/run-format.md says what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

_TYPES = {
    "i": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.bool_(),
    "S": pa.list_(pa.string()), "F": pa.list_(pa.float64()), "B": pa.list_(pa.bool_()),
}  # fmt: skip

COLUMNS: dict[str, str] = {
    "explanations": (
        "unit:i site:s method:s range:i length:i formula:s words:s category:s iou:f iou_heldout:f chance:f p:f fdr:f "
        "precision:f recall:f precision_heldout:f recall_heldout:f score:f score_heldout:f mann_whitney_p:f "
        "threshold:f area:f named:b chosen:b certificate:s"
    ),
    "units": (
        "unit:i site:s range:i low:f high:f area:f active:i mean:f std:f max:f formula:s words:s category:s length:i "
        "iou:f iou_heldout:f score:f score_heldout:f chance:f chance_kind:s p:f p_repaired:f p_shifted:f fdr:f named:b "
        "status:s reason:s fires:i fires_labelled:i accuracy_active:f accuracy_silent:f top_classes:s"
    ),
    "runners_up": "unit:i range:i rank:i formula:s words:s category:s iou:f iou_heldout:f",
    "concepts": "concept:s category:s predicted:b elements_search:i elements_heldout:i images:i neighbours:S",
    "categories": ("unit:i range:i category:s concept:s concept_count:i unit_count:i both_count:i iou:f iou_heldout:f"),
    "overlaps": (
        "unit:i range:i rank:i concept:s category:s concept_count:i unit_count:i both_count:i iou:f precision:f "
        "recall:f lift:f"
    ),
    "exemplars": (
        "unit:i range:i kind:s rank:i image:s split:s value:f row:i col:i iou:f label:s predicted:s right:b sprite:s "
        "tile:i"
    ),
    "images": "image:s split:s label:s predicted:s right:b",
    "histogram": "unit:i low:f high:f count:i",
    "chance": "unit:i range:i kind:s draw:i length:i iou_heldout:f",
    "passages": "unit:i range:i kind:s rank:i side:s pieces:S values:F marked:B active:B",
    "artefacts": (
        "concept:s category:s label:s elements:i share:f low:f high:f base:f answered:f answered_low:f answered_high:f"
    ),
    "class_weights": "unit:i label:s weight:f",
    "correlations": (
        "length:i units:i pearson:f pearson_low:f pearson_high:f spearman:f spearman_low:f spearman_high:f p:f"
    ),
    "edits": (
        "unit:i formula:s edit:s term:s side:s turns:s pairs:i unit_before:f unit_after:f change:f change_low:f "
        "change_high:f control_change:f control_low:f control_high:f difference:f difference_low:f difference_high:f "
        "flipped:f flipped_low:f flipped_high:f control_flipped:f control_flipped_low:f control_flipped_high:f "
        "fires_before:f fires_after:f p:f"
    ),
    "edit_pairs": (
        "unit:i edit:s image:s side:s before:s after:s other:s unit_before:f unit_after:f predicted_before:s "
        "predicted_after:s label:s"
    ),
    "adversarial": "rule:s true_label:s pairs:i fooled:i rate:f low:f high:f before:f control:f p:f",
    "adversarial_pairs": (
        "rule:s image:s premise:s hypothesis:s premise_after:s hypothesis_after:s true_label:s predicted_before:s "
        "predicted_after:s"
    ),
}
"""The tables of a dissection. Those from `passages` on are of texts; `class_weights` and `correlations` of any run
whose model answers."""

DECOMPOSE: dict[str, str] = {
    "heads": (
        "layer:i head:i variance:f share:f texts:i explained:f explained_heldout:f lead:i lead_explained:f "
        "lead_heldout:f chance:f chance_high:f p:f fdr:f label:s label_share:f label_expected:f label_p:f "
        "label_fdr:f labelled:b score:f score_chance:f score_p:f accuracy:f accuracy_mean:f"
    ),
    "head_texts": (
        "layer:i head:i rank:i text:s property:s gain:f explained:f explained_heldout:f chance:f chance_high:f score:f "
        "score_chance:f score_p:f"
    ),
    "head_images": "layer:i head:i text_rank:i end:s place:i image:s value:f label:s sprite:s tile:i heat_tile:i",
    "terms": "kind:s layer:i variance:f share:f",
    "neurons": ("layer:i neuron:i variance:f first_share:f heldout_share:f cosine:f score:f score_chance:f score_p:f"),
    "neuron_texts": "layer:i neuron:i rank:i text:s property:s coefficient:f cosine:f",
    "neuron_images": "layer:i neuron:i end:s place:i image:s value:f label:s sprite:s tile:i heat_tile:i",
    "codes": "method:s texts:i cosine:f cosine_chance:f",
    "effects": "what:s neurons:i kind:s probe:s accuracy:f low:f high:f base:f images:i",
    "image_concepts": "image:s rank:i text:s weight:f sprite:s tile:i",
    "properties": (
        "property:s heads:S told:f weight:f named:b text_share:f text_expected:f text_p:f texts:S pairs:i "
        "change_share:f change_low:f change_high:f median_share:f ratio:f ratio_low:f ratio_high:f"
    ),
    "curves": "curve:s step:i terms:s kind:s probe:s accuracy:f low:f high:f base:f images:i",
    "groups": "state:s group:s accuracy:f low:f high:f images:i",
    "chosen": "layer:i head:i rank:i chosen:b nuisance_share:f class_share:f variance:f score:f",
    "control": "draw:i heads:s worst:f mean:f",
    "retrieval": (
        "property:s heads:s precision:f low:f high:f full:f full_low:f full_high:f centred:f difference:f "
        "difference_low:f difference_high:f chance:f queries:i"
    ),
    "retrieval_examples": "property:s query:s place:i how:s image:s value:s same:b sprite:s tile:i",
    "heatmaps": (
        "image:s text:s minus:s method:s total:f class_token:f patches:f output:f sprite:s tile:i heat_tile:i caption:s"
    ),
    "segmentation": (
        "method:s direction:s control:b pixel_accuracy:f pixel_low:f pixel_high:f miou:f miou_low:f miou_high:f map:f "
        "map_low:f map_high:f image_iou:f image_iou_low:f image_iou_high:f gain:f gain_low:f gain_high:f gain_p:f "
        "images:i"
    ),
    "segment_images": (
        "image:s method:s direction:s text:s place:i iou:f average_precision:f sprite:s tile:i heat_tile:i caption:s"
    ),
    "adversary_words": (
        "from_class:s to_class:s rank:i text:s property:s score:f neurons:i cosine_from:f cosine_to:f used:b"
    ),
    "prompts": "from_class:s to_class:s rank:i prompt:s words:S score:f",
    "adversary": (
        "how:s among:s from_class:s to_class:s words:i together:i scenes:i right_before:i flipped:i rate:f low:f "
        "high:f control:f control_low:f control_high:f difference:f difference_low:f difference_high:f p:f lost:f "
        "control_lost:f changed:f control_changed:f draws:i"
    ),
    "adversary_images": (
        "from_class:s to_class:s image:s before:s after:s words:S flipped:b sprite:s tile:i tile_after:i caption:s"
    ),
}
"""The tables of `microtome decompose`."""

AUDIT: dict[str, str] = {
    "findings": (
        "number:i verdict:s sentence:s target:s source:s concept:s words:s why:s share:f others:f shift:f suspect_q:f "
        "effect:f parts:S how:s control_how:s cases:i turned:i rate:f low:f high:f control:f control_low:f "
        "control_high:f difference:f difference_low:f difference_high:f p:f q:f changed:f control_changed:f "
        "carriers:S carried:f "
        "without:f without_low:f without_high:f without_first:f without_first_low:f without_first_high:f "
        "without_direction:f without_direction_low:f without_direction_high:f without_random:f without_random_low:f "
        "without_random_high:f still_right:f still_right_low:f still_right_high:f "
        "reverse_how:s reverse_cases:i reverse:f reverse_low:f reverse_high:f reverse_control:f reverse_difference:f "
        "reverse_difference_low:f reverse_difference_high:f reverse_p:f heat_inside:f heat_area:f repair:s repaired:b "
        "problem:s command:s"
    ),
    "finding_parts": "number:i rank:i part:i title:s formula:s words:s score:f named:b margin:f cut:b",
    "finding_images": (
        "number:i place:i image:s label:s before:s after:s turned:b sprite:s tile:i tile_after:i heat_tile:i "
        "heat_inside:f area:f"
    ),
    "finding_texts": (
        "number:i place:i image:s label:s before:s after:s turned:b side:s text_before:s text_after:s other:s"
    ),
    "transfer": (
        "number:i model:s cases:i rate:f low:f high:f control:f difference:f difference_low:f difference_high:f p:f"
    ),
    "confusions": (
        "rank:i source:s target:s concept:s words:s cases:i rate:f low:f high:f control:f control_low:f control_high:f "
        "difference:f difference_low:f difference_high:f"
    ),
    "repairs": (
        "number:i kind:s what:s chosen:b best:b helps:b worst:f worst_before:f worst_difference:f worst_low:f "
        "worst_high:f mean:f mean_before:f mean_difference:f mean_low:f mean_high:f ordinary:f ordinary_before:f "
        "price:f price_low:f price_high:f turned:f turned_low:f turned_high:f"
    ),
    "repair_groups": "number:i kind:s group:s accuracy:f low:f high:f images:i",
    "part_effects": (
        "part:i title:s formula:s words:s score:f named:b kind:s inputs:i accuracy_active:f accuracy_active_low:f "
        "accuracy_active_high:f accuracy_silent:f mass:f selectivity:f selects:s loss:f loss_low:f loss_high:f "
        "accuracy:f accuracy_low:f accuracy_high:f loss_resample:f loss_zero:f loss_random:f "
        "worst_class:s worst_class_change:f"
    ),
    "class_parts": (
        "target:s rank:i sign:s part:i title:s formula:s words:s score:f named:b adds:f weight:f class_change:f"
    ),
    "effect_curves": "order:s cut:i share:f accuracy:f low:f high:f loss:f",
    "effect_relations": (
        "what:s units:i pearson:f pearson_low:f pearson_high:f spearman:f spearman_low:f spearman_high:f p:f"
    ),
    "effect_groups": (
        "group:s parts:S set:s mass:f loss:f loss_low:f loss_high:f accuracy:f accuracy_low:f accuracy_high:f"
    ),
    "part_links": "layer:s part:i other_layer:s other:i weight:f correlation:f jaccard:f words:s other_words:s",
    "kind_shares": "kind:s units:i share:f low:f high:f",
    "concept_directions": (
        "concept:s category:s iou:f best_unit:i iou_best_unit:f gain:f chance:f p:f needed:i units:i auroc:b images:i"
    ),
    "concept_direction_paths": "concept:s units:i iou:f",
    "explained_parts": (
        "rank:i part:i title:s formula:s words:s score:f named:b fires:b value:f adds:f without:s without_change:f"
    ),
}
"""The tables of `microtome audit` and `microtome explain`."""


def table_schema(name: str) -> pa.Schema:
    """Columns and types of a table."""
    pairs = (column.split(":") for column in (COLUMNS | DECOMPOSE | AUDIT)[name].split())
    return pa.schema([(column, _TYPES[kind]) for column, kind in pairs])


def make_table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; a missing key or NaN becomes null. Raises ValueError on a key that is no column."""
    schema = table_schema(name)
    unknown = {key for row in rows for key in row} - set(schema.names)
    if unknown:
        raise ValueError(f"table '{name}' has no column {sorted(unknown)}")
    return pa.table(
        {field.name: pa.array([_plain(row.get(field.name)) for row in rows], type=field.type) for field in schema},
        schema=schema,
    )


def _plain(value: Any) -> Any:
    """Numpy scalars as Python ones; NaN as None."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
