"""Images as vectors that names are tested on: of their captions where there are some, else the model's outputs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from microtome.data.attributes import captions_of
from microtome.models.texts import text_directions
from microtome.recipes.direct_pass import Opened
from microtome.record.stream import StreamPass


def seen_by(opened: Opened, stream: StreamPass) -> Float[np.ndarray, "image d_out"]:
    """A vector for each image of a pass: its caption's, or the model's output; `by_caption` tells which."""
    captions = captions_of(opened.data, stream.index())
    if captions is not None and opened.model.texts is not None:
        return text_directions(opened.model.texts, captions, spec=opened.model.spec).double().cpu().numpy()
    return stream.whole("output").astype(np.float64)


def by_caption(opened: Opened) -> bool:
    """Whether names are tested against captions."""
    return opened.model.texts is not None and captions_of(opened.data, np.zeros(0, np.int64)) is not None
