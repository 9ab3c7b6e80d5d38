"""Train neural networks that are described in a YAML file."""

__version__ = "0.1.0"
