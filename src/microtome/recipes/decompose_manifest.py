"""What a run of `decompose` says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from microtome.data.pools.base import TextPool
from microtome.recipes.answering import Answering
from microtome.recipes.direct_pass import Opened, exactness
from microtome.recipes.manifest import versions

_NAMED = 5


def decompose_manifest(
    opened: Opened, kind: str, *, settings: Mapping[str, Any], summary: Mapping[str, Any], command: Sequence[str],
    skipped: Sequence[str] = (), pool: TextPool | None = None, answers: Answering | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """The manifest; docs/run-format.md lists its fields.

    Parameters
    ----------
    kind:
        `heads`, `neurons` ...
    skipped:
        What was wrong with each image that was left out.
    """
    model, tower, card = opened.model, opened.tower, opened.data.card
    return {
        "kind": f"decompose {kind}",
        "command": list(command),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "seed": settings.get("images", {}).get("seed", 0),
        "model": {
            "spec": model.spec, "family": tower.family, "layers": len(tower.layers), "heads": tower.heads,
            "d_head": tower.d_head, "d_model": tower.d_model, "d_out": tower.d_out, "grid": list(tower.grid),
            "sha256": model.fingerprint(), "parameters": model.parameters, "note": " ".join(model.notes),
            "tail": tower.tail_name or None, "relative_error_allowed": exactness(tower),
        },
        "data": {
            "name": card.name, "reader": card.reader, "source": card.source, "images": len(opened.data),
            "fingerprint": opened.data.fingerprint(), "skipped": len(skipped), "classes": list(opened.data.classes),
        },
        "texts": None if pool is None else {
            "name": pool.name, "texts": len(pool.texts), "properties": list(pool.property_names),
            "fingerprint": pool.fingerprint(),
        },
        "answers": None if answers is None else {"classes": list(answers.classes), "how": answers.how},
        "settings": dict(settings),
        "summary": dict(summary),
        "notes": [*model.notes, *card.notes, *(pool.notes if pool else ()), *notes, *_skipped(skipped)],
    }  # fmt: skip


def _skipped(skipped: Sequence[str]) -> list[str]:
    if not skipped:
        return []
    more = f" ... and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    return [f"{len(skipped)} images could not be read and were left out: {'; '.join(skipped[:_NAMED])}{more}."]
