"""Ready networks of ``keras.applications``, with the weights of a file or with ones drawn from the seed."""

from __future__ import annotations

import warnings
from typing import Any

from nnrun.model.parts import make_part
from nnrun.spec.schema import Choice

INCOMPLETE = "freshly-initialized"
"""What Keras says of weights that the file does not hold; it goes on without them."""


class WeightsError(Exception):
    """A file does not hold the weights of a network."""


def make_network(choice: Choice, shape: tuple[int | None, ...], *, pretrained: bool) -> Any:
    """Make a ready network for the shape that arrives.

    Args:
        choice: Its name and arguments; ``weights`` is null or the path of a file, so that nothing is downloaded.
        shape: Of one example: (height, width, channels).
        pretrained: Whether the file of weights is read.

    Raises:
        WeightsError: The file is not one of weights, or of those of another network.
        Exception: Whatever Keras raises when it does not like a value.
    """
    arguments = {name: value for name, value in choice.arguments.items() if name != "inputs"}
    trainable = arguments.pop("trainable", True)
    arguments.setdefault("input_shape", shape)
    file = arguments.pop("weights") if pretrained else None
    network = make_part("layer", Choice(choice.name, arguments | {"weights": None}))
    if file is not None:
        _read_weights(network, file)
    network.trainable = trainable
    return network


def _read_weights(network: Any, file: str) -> None:
    """As Keras's applications read the file that their argument ``weights`` names."""
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            network.load_weights(file)
    except Exception as error:
        raise WeightsError(f"holds no weights of this network: {error}") from error
    incomplete = [str(one.message) for one in told if INCOMPLETE in str(one.message)]
    if incomplete:
        raise WeightsError(f"does not hold all weights of this network: {incomplete[0]}")
