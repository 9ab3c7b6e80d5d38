"""The sections of a specification as pydantic models: keys, types, ranges, defaults.

The models know nothing of Keras's names: ``check.py`` holds those against the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from nnrun.spec.names import shorten as shorten


@dataclass(frozen=True)
class Choice:
    """The one grammar: *a name, or a name with arguments* (``relu``, ``{Dense: {units: 64}}``).

    Args:
        name: A name of Keras's or nnrun's.
        arguments: Plain values as written; nested choices stay in their YAML form (a name, or a map of one).
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: Any) -> Choice:
        """Read a choice from its YAML form.

        Raises:
            ValueError: It is neither a name nor a map of one name to its arguments.
        """
        if isinstance(value, Choice):
            return value
        if isinstance(value, str) and value:
            return cls(value)
        if isinstance(value, dict) and len(value) == 1:
            ((name, arguments),) = value.items()
            if arguments is None:
                return cls(name)
            if isinstance(arguments, dict):
                return cls(name, arguments)
            raise ValueError(
                f"the arguments of {shorten(name)} are a map, such as {{{shorten(name)}: "
                f"{{argument: value}}}}; found {describe(arguments)}"
            )
        if isinstance(value, dict) and len(value) > 1:
            keys = shorten(", ".join(value), 80)
            raise ValueError(
                f"expected one name with its arguments, found {len(value)} keys ({keys}); "
                "indent the arguments under the name, or write {Name: {argument: value}}"
            )
        raise ValueError(f"expected a name, or a name with arguments; found {describe(value)}")

    def plain(self) -> str | dict[str, Any]:
        """The YAML form, as short as it can be."""
        return {self.name: self.arguments} if self.arguments else self.name


def describe(value: Any) -> str:
    """A value in the words of an error message: ``nothing``, ``a list``, ``3 (a whole number)``."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"{str(value).lower()} (a truth value)"
        case int():
            return f"{shorten(str(value))} (a whole number)"
        case float():
            return f"{value} (a number)"
        case str():
            return f"{shorten(repr(value))} (text)"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a map" if value else "an empty map"
    return type(value).__name__


Chosen = Annotated[Choice, BeforeValidator(Choice.parse), PlainSerializer(Choice.plain)]
"""A pydantic field that holds a :class:`Choice`."""


Losses = Choice | dict[str, Choice]
"""A choice, or one for each output of the model by its name."""


def parse_by_output(value: Any) -> Losses:
    """Read a choice, or a map of at least two names of outputs to a choice for each.

    A map of one key is a name with its arguments.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(value, dict) or len(value) < 2:
        return Choice.parse(value)
    if not all(isinstance(item, Choice | str | dict) for item in value.values()):
        return Choice.parse(value)  # arguments that are not indented under their name
    return {name: Choice.parse(item) for name, item in value.items()}


def plain_by_output(value: Losses) -> Any:
    """The YAML form of a choice, or of one for each output."""
    if isinstance(value, Choice):
        return value.plain()
    return {name: choice.plain() for name, choice in value.items()}


class Section(BaseModel):
    """A section: unknown keys are refused, types are strict, values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


Target = Literal["labels", "inputs"]


class DataSection(Section):
    """Where the examples come from."""

    source: Chosen = Field(
        description="A built-in data set by name, or a kind of file with its arguments.", examples=["mnist"]
    )
    fallback: Literal["digits"] | None = Field(
        default=None, description="What to train on when a source that must be downloaded cannot be had."
    )
    target: Target | dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default="labels",
        description="What the model learns to give: the labels, or its inputs (an autoencoder); "
        "for several outputs one for each by its name, also one of several target columns.",
    )
    cache: Literal["auto", "memory", "disk", "none"] = Field(
        default="auto",
        description="Where the examples of files are kept: memory; none: read from the files as they are needed; "
        "disk: the same, from a copy of a CSV file that is quick to read; auto: by their size.",
    )
    sample_weight: str | None = Field(
        default=None,
        description="A NumPy file (.npy) with a weight for each training example, beside the specification.",
    )


class BlockSection(Section):
    """Layers under one name, to be used like a layer."""

    defaults: dict[str, Any] = Field(
        default={}, description="Values of parameters ($name) where a use of the block gives none."
    )
    layers: list[Chosen] = Field(
        min_length=1,
        description="The layers; `$name` is a parameter, `input` is what arrives at the block.",
        examples=["[{Dense: {units: $units}}, ReLU]"],
    )


class ModelSection(Section):
    """The layers, in a row or as a graph."""

    blocks: dict[str, BlockSection] = Field(
        default={}, description="Lists of layers to be used several times, by their names."
    )

    layers: list[Chosen] = Field(
        min_length=1,
        description="The layers, from input to output.",
        examples=["[Flatten, {Dense: {units: 10, activation: softmax}}]"],
    )
    inputs: list[str] | None = Field(
        default=None, description="Names for the data's inputs; default: [input]."
    )
    outputs: list[str] | None = Field(
        default=None, description="Names of the output layers; default: the last layer."
    )


class TrainingSection(Section):
    """How the model learns."""

    loss: Annotated[Losses, BeforeValidator(parse_by_output), PlainSerializer(plain_by_output)] = Field(
        description="A Keras loss; for several outputs one for each by its name.",
        examples=["sparse_categorical_crossentropy"],
    )
    loss_weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = Field(
        default=None, description="What the loss of each output counts in the sum; default: 1."
    )
    optimizer: Chosen = Field(default=Choice("adam"), description="A Keras optimizer.")
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Chosen | None = Field(
        default=None, description="A number or a schedule; default: the optimizer's own."
    )
    metrics: list[Chosen] | dict[str, list[Chosen]] = Field(
        default=[],
        description="Keras metrics, reported beside the loss; for several outputs a list for each by its name.",
    )
    class_weight: (
        Literal["balanced"] | dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None
    ) = Field(
        default=None,
        description="What an example of each class counts; balanced: classes count the same in all.",
    )
    epochs: int = Field(default=10, ge=0, le=1_000_000_000, description="Passes over the training examples.")
    batch_size: int = Field(default=32, ge=1, le=2**31 - 1, description="Examples in a step.")
    shuffle: bool = Field(default=True, description="A new order every epoch, from seed and epoch alone.")
    validation_split: float = Field(
        default=0.0, ge=0, lt=1, description="The part of the training examples held out for validation."
    )
    monitor: str = Field(
        default="auto",
        description="The value that says which epoch is best; auto: val_loss, or loss without validation.",
    )
    callbacks: list[Chosen] = Field(default=[], description="Keras callbacks.")
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"] = Field(
        default="float32",
        description="What layers compute with; weights stay float32. auto: 16 bits where the device is made for them.",
    )


class RuntimeSection(Section):
    """What the training runs on; chosen by nnrun unless given."""

    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="Where the steps run.")
    strategy: Literal["auto", "none", "mirrored", "multi_worker"] = Field(
        default="auto",
        description="How the steps are shared; auto: by the workers of TF_CONFIG or Slurm, by all GPUs, or by nobody.",
    )
    worker_wait_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=300.0, description="Seconds to wait for the other workers at the start."
    )
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = Field(
        default="auto", description="Threads for one operation; auto: one per core."
    )
    deterministic: bool = Field(
        default=True, description="Only operations that give the same bits every time."
    )
    checkpoint_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=5.0, description="Seconds from one checkpoint to the next, at least; 0: as often as possible."
    )
    jit_compile: Literal["auto"] | bool = Field(default="auto", description="Compile the steps with XLA.")


class Spec(Section):
    """A whole specification."""

    name: str = Field(
        default="", max_length=100, description="The name of the experiment; default: the file's stem."
    )
    description: str = Field(default="", description="What it is for.")
    tags: list[str] = Field(default=[], description="Words to find it by.")
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="Seeds weights, order of examples, split and dropout."
    )
    data: DataSection = Field(examples=["{source: mnist}"])
    model: ModelSection = Field(examples=["{layers: [Flatten, {Dense: {units: 10, activation: softmax}}]}"])
    training: TrainingSection = Field(examples=["{loss: sparse_categorical_crossentropy}"])
    runtime: RuntimeSection = RuntimeSection()

    @property
    def is_validated(self) -> bool:
        """Whether there are examples for validation: a part of the training examples, or files of their own."""
        return self.training.validation_split > 0 or "validation" in self.data.source.arguments

    def plain(self) -> dict[str, Any]:
        """The specification as plain values, every default written."""
        return self.model_dump(mode="python")
