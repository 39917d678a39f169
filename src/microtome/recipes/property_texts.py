"""What a decomposed model is asked about images: their class, or any property that is known of them, in which words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from microtome.core.errors import OptionError, nearest
from microtome.data.attributes import Attribute, attributes_of
from microtome.data.world.captions import number_word
from microtome.recipes.answering import Answering, answering
from microtome.recipes.direct_pass import Opened
from microtome.record.stream import StreamPass

CLASS = "class"
_TEMPLATES = {
    "object": "a {} | there is a {}",
    "surface": "a thing on {} | some things on {}",
}
_ANY = "a {} thing | some {} things"


@dataclass(frozen=True, eq=False)
class Question:
    """A property of images, and how the model is asked for it.

    Attributes
    ----------
    attribute:
        The property with the value of every image that was read (-1 = unknown).
    answers:
        Its values as directions; None where the model cannot be asked.
    """

    attribute: Attribute
    answers: Answering | None

    @property
    def labels(self) -> Int[np.ndarray, " image"]:
        """The value of each image, -1 = unknown."""
        return self.attribute.of


def known_attributes(stream: StreamPass) -> dict[str, Attribute]:
    """What is known of the images of a pass, in its order."""
    return attributes_of(stream.data, stream.index(), stream.labels())


def attribute_named(known: dict[str, Attribute], name: str, option: str) -> Attribute:
    """The attribute of that name.

    Parameters
    ----------
    option:
        Where the name was given, for the message.

    Raises
    ------
    OptionError
        If nothing of that name is known of the images.
    """
    if name in known:
        return known[name]
    if not known:
        raise OptionError(
            "Nothing is known of the images besides their pixels.",
            expected="classes (a folder for each), a waterbirds folder, or images of the planted world",
        )
    raise OptionError(
        f"{option} is '{name}'.",
        expected=f"one of {', '.join(known)}",
        next_step=f"did you mean {nearest(name, list(known), most=1)}?",
    )


def question_of(
    opened: Opened, stream: StreamPass, by: str = "", *, texts: tuple[str, ...] = (), template: str = ""
) -> Question:
    """What is to be answered of the images of a pass.

    Parameters
    ----------
    by:
        Name of the property; empty: the class, or where images have none the first property known of them.
    texts, template:
        As of `answering`; where neither is given, a property other than the class has wordings of its own.

    Raises
    ------
    OptionError
        If the property is not known, or the texts do not fit it.
    """
    known = known_attributes(stream)
    if not by and known and CLASS not in known:
        by = next(iter(known))
    attribute = attribute_named(known, by or CLASS, "--by")
    if opened.model.texts is not None and attribute.name != CLASS and not texts and not template:
        texts, template = wording(attribute)
    return Question(attribute, answering(opened.model, attribute.values, texts=texts, template=template))


def wording(attribute: Attribute) -> tuple[tuple[str, ...], str]:
    """Texts for the values of a property, or else a template with its ways of wording."""
    if attribute.name == "count" and all(value.isdecimal() for value in attribute.values):
        return tuple(f"{number_word(int(n))} thing{'' if n == '1' else 's'}" for n in attribute.values), ""
    if attribute.name == "side":
        places = ("in the middle" if value == "middle" else f"on the {value}" for value in attribute.values)
        return tuple(f"a thing {place}" for place in places), ""
    return (), _TEMPLATES.get(attribute.name, _ANY)
