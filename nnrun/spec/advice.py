"""Advice on a specification that is right: what will train, and will hardly train well.

Nothing here is an error. Each piece of advice says in one sentence what, why, and what to do instead; where
anything is unsure, nothing is said.
"""

from __future__ import annotations

from nnrun.errors import Problem
from nnrun.spec.load import Loaded
from nnrun.spec.overrides import COMMAND_LINE


def advise(loaded: Loaded) -> list[Problem]:
    """Say what could be better. TensorFlow and the data are not needed.

    Args:
        loaded: A specification without mistakes.

    Returns:
        The hints in the order of their places: the file first, then what it extends, then the command line.
    """
    from nnrun.spec.advice_data import advise_on_data
    from nnrun.spec.advice_layers import advise_on_layers
    from nnrun.spec.advice_output import advise_on_output
    from nnrun.spec.advice_training import advise_on_training
    from nnrun.spec.outline import Outline

    outline = Outline(loaded)
    rooms = (advise_on_data, advise_on_layers, advise_on_output, advise_on_training)
    hints = dict.fromkeys(hint for advise_on in rooms for hint in advise_on(outline))

    def position(hint: Problem) -> tuple[bool, bool, str, int, int]:
        place = hint.place or loaded.tree.place
        name = place.source.name
        return (name == COMMAND_LINE, name != str(loaded.path), name, place.line, place.column)

    return sorted(hints, key=position)
