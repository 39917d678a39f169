"""The Parquet tables of a dissection: their columns and types. docs/run-format.md says what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

_TYPES = {"i": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.bool_()}

COLUMNS: dict[str, str] = {
    "explanations": (
        "unit:i site:s method:s range:i length:i formula:s words:s category:s iou:f iou_heldout:f chance:f p:f fdr:f "
        "precision:f recall:f precision_heldout:f recall_heldout:f score:f score_heldout:f mann_whitney_p:f "
        "threshold:f area:f named:b chosen:b certificate:s"
    ),
    "units": (
        "unit:i site:s range:i low:f high:f area:f active:i mean:f std:f max:f formula:s words:s category:s length:i "
        "iou:f iou_heldout:f score:f score_heldout:f chance:f chance_kind:s p:f p_repaired:f p_shifted:f fdr:f named:b "
        "status:s reason:s accuracy_active:f accuracy_silent:f top_classes:s"
    ),
    "runners_up": "unit:i range:i rank:i formula:s words:s category:s iou:f iou_heldout:f",
    "concepts": "concept:s category:s predicted:b elements_search:i elements_heldout:i images:i",
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
}


def table_schema(name: str) -> pa.Schema:
    """Columns and types of a table."""
    pairs = (column.split(":") for column in COLUMNS[name].split())
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
