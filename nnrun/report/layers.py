"""A built model's layers in plain values, as the diagram takes them."""

from nnrun.model.summary import layers_of

__all__ = ["layers_of"]
