"""Advice: each rule on a specification that needs it, and silence on a near twin that does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from nnrun.spec.advice import advise
from nnrun.spec.load import load_spec

REPOSITORY = Path(__file__).parents[2]
CONFIGURATIONS = sorted((REPOSITORY / "configs").rglob("*.yaml"))
SOFTMAX = "{Dense: {units: 10, activation: softmax}}"
SIGMOID = "{Dense: {units: 1, activation: sigmoid}}"
NUMBER = "{Dense: {units: 1}}"
WIDE = "{inline: {x: [[1, 2000], [2, 4000], [3, 6000]], y: [0.1, 0.5, 7.5]}}"


@dataclass(frozen=True)
class Written:
    """A specification in three lines, each of which a case can change."""

    layers: str = f"[Flatten, {SOFTMAX}]"
    loss: str = "sparse_categorical_crossentropy"
    source: str = "mnist"
    training: str = ""
    model: str = ""
    data: str = ""

    @property
    def text(self) -> str:
        return (
            f"data: {{source: {self.source}{self.data and ', ' + self.data}}}\n"
            f"model: {{layers: {self.layers}{self.model and ', ' + self.model}}}\n"
            f"training: {{loss: {self.loss}{self.training and ', ' + self.training}}}\n"
        )


def hints(folder: Path, written: Written, *overrides: str) -> list[str]:
    """The hints without their places."""
    path = folder / "spec.yaml"
    path.write_text(written.text, "utf-8")
    return [f"{hint.path}: {hint.message}" for hint in advise(load_spec(path, overrides))]


@dataclass(frozen=True)
class Case:
    """A rule: what triggers it, the change that makes it silent, and its whole message."""

    name: str
    written: Written
    silent: dict[str, str]
    hint: str


def stack(count: int, layer: str, last: str = SOFTMAX) -> str:
    return f"[Flatten, {', '.join([layer] * count)}, {last}]"


OUTPUT_CASES = [
    Case(
        "mixed precision up to the output",
        Written(training="precision: mixed_bfloat16"),
        {"layers": f"[Flatten, {SOFTMAX.replace('softmax', 'softmax, dtype: float32')}]"},
        "model.layers[1].Dense: gives its values in 16 bits with precision: mixed_bfloat16, too few for the loss; "
        "write dtype: float32 here",
    ),
    Case(
        "softmax with binary cross-entropy",
        Written(loss="binary_crossentropy"),
        {"layers": f"[Flatten, {SOFTMAX.replace('softmax', 'sigmoid')}]"},
        "model.layers[1].Dense.activation: softmax shares 1 out among the units, and binary_crossentropy takes each "
        "unit as a yes or no of its own; use sparse_categorical_crossentropy for one class out of several, or "
        "sigmoid for labels that can be true together",
    ),
    Case(
        "sigmoid with sparse categorical cross-entropy",
        Written(f"[Flatten, {SOFTMAX.replace('softmax', 'sigmoid')}]"),
        {"layers": f"[Flatten, {{Dense: {{units: 10, activation: sigmoid}}}}, {SOFTMAX}]"},
        "model.layers[1].Dense.activation: sigmoid gives each unit a probability of its own, and "
        "sparse_categorical_crossentropy expects them to sum to 1; write activation: softmax",
    ),
    Case(
        "no activation with categorical cross-entropy",
        Written("[Flatten, {Dense: {units: 10}}]", "categorical_crossentropy"),
        {"loss": "{CategoricalCrossentropy: {from_logits: true}}"},
        "model.layers[1].Dense: without an activation the output gives numbers outside of 0 to 1, and "
        "categorical_crossentropy expects probabilities; write activation: softmax",
    ),
    Case(
        "no activation before a layer of its own",
        Written("[Flatten, {Dense: {units: 10}}]"),
        {"layers": "[Flatten, {Dense: {units: 10}}, Softmax]"},
        "model.layers[1].Dense: without an activation the output gives numbers outside of 0 to 1, and "
        "sparse_categorical_crossentropy expects probabilities; write activation: softmax",
    ),
    Case(
        "tanh with binary cross-entropy",
        Written("[{Dense: {units: 1, activation: tanh}}]", "bce", "moons"),
        {"loss": "hinge"},
        "model.layers[0].Dense.activation: tanh gives numbers outside of 0 to 1, and bce expects probabilities; "
        "write activation: sigmoid",
    ),
    Case(
        "from_logits after softmax",
        Written(loss="{SparseCategoricalCrossentropy: {from_logits: true}}"),
        {"loss": "{SparseCategoricalCrossentropy: {from_logits: false}}"},
        "model.layers[1].Dense.activation: SparseCategoricalCrossentropy with from_logits applies softmax itself, "
        "after this softmax; leave the activation out, or remove from_logits",
    ),
    Case(
        "from_logits after sigmoid",
        Written(f"[{SIGMOID}]", "{BinaryCrossentropy: {from_logits: true}}", "moons"),
        {"layers": f"[{NUMBER}]"},
        "model.layers[0].Dense.activation: BinaryCrossentropy with from_logits applies sigmoid itself, after this "
        "sigmoid; leave the activation out, or remove from_logits",
    ),
    Case(
        "sigmoid for a number",
        Written(f"[{SIGMOID}]", "mse", "celsius"),
        {"layers": f"[{NUMBER}]"},
        "model.layers[0].Dense.activation: sigmoid gives numbers from 0 to 1, and the target of celsius goes "
        "beyond; leave the activation out",
    ),
    Case(
        "tanh for numbers that stand in the specification",
        Written(
            "[{Dense: {units: 1, activation: tanh}}]", "mse", "{inline: {x: [1, 2, 3], y: [0.5, -1, 2.5]}}"
        ),
        {"source": "{inline: {x: [1, 2, 3], y: [0.5, -1, 0.25]}}"},
        "model.layers[0].Dense.activation: tanh gives numbers from -1 to 1, and the target of inline goes "
        "beyond; leave the activation out",
    ),
    Case(
        "squared error for classes",
        Written(loss="mean_squared_error"),
        {"loss": "categorical_crossentropy"},
        "model.layers[1].Dense.activation: mean_squared_error hardly corrects a softmax that is sure and wrong, "
        "because its gradient vanishes there; for classes use sparse_categorical_crossentropy",
    ),
    Case(
        "squared error for two classes",
        Written(f"[{SIGMOID}]", "mse", "moons"),
        {"layers": f"[{NUMBER}]"},
        "model.layers[0].Dense.activation: mse hardly corrects a sigmoid that is sure and wrong, because its "
        "gradient vanishes there; for classes use binary_crossentropy",
    ),
    Case(
        "hinge after sigmoid",
        Written(f"[{SIGMOID}]", "hinge", "moons"),
        {"layers": f"[{NUMBER}]"},
        "model.layers[0].Dense.activation: hinge wants values of both signs, and sigmoid gives none below 0; "
        "write activation: tanh",
    ),
    Case(
        "accuracy for a number",
        Written(f"[{NUMBER}]", "mse", "celsius", "metrics: [accuracy]"),
        {"training": "metrics: [mae]"},
        "training.metrics[0]: accuracy counts answers that are exactly right, and a number is never hit exactly; "
        "use mean_absolute_error",
    ),
    Case(
        "accuracy of an autoencoder",
        Written("[Flatten, {Dense: {units: 784}}]", "mse", training="metrics: [acc]", data="target: inputs"),
        {"loss": "binary_crossentropy", "layers": "[Flatten, {Dense: {units: 784, activation: sigmoid}}]"},
        "training.metrics[0]: acc counts answers that are exactly right, and a number is never hit exactly; "
        "use mean_absolute_error",
    ),
    Case(
        "one-hot accuracy of class indices",
        Written(training="metrics: [categorical_accuracy]"),
        {"loss": "categorical_crossentropy"},
        "training.metrics[0]: categorical_accuracy expects one-hot labels, and sparse_categorical_crossentropy takes "
        "class indices; write accuracy",
    ),
    Case(
        "index accuracy of one-hot labels",
        Written(loss="categorical_crossentropy", training="metrics: [SparseCategoricalAccuracy]"),
        {"loss": "sparse_categorical_crossentropy"},
        "training.metrics[0]: SparseCategoricalAccuracy expects class indices, and categorical_crossentropy takes "
        "one-hot labels; write accuracy",
    ),
    Case(
        "binary accuracy of several classes",
        Written(loss="categorical_crossentropy", training="metrics: [BinaryAccuracy]"),
        {"training": "metrics: [CategoricalAccuracy]"},
        "training.metrics[0]: BinaryAccuracy counts every unit, and most are rightly near 0 even where the class is "
        "wrong; write accuracy",
    ),
    Case(
        "losses on different scales",
        Written(
            "[Flatten, {Dense: {units: 10, activation: softmax, name: digit}}, "
            "{Dense: {units: 784, name: pixels, inputs: digit}}]",
            "{digit: sparse_categorical_crossentropy, pixels: mse}",
            model="outputs: [digit, pixels]",
            data="target: {pixels: inputs}",
        ),
        {"training": "loss_weights: {digit: 1, pixels: 10}"},
        "training.loss: the losses of digit and pixels are on different scales, and the larger one decides what is "
        "learnt; weigh them in training.loss_weights: {digit: 1, pixels: ...}",
    ),
    Case(
        "dropout after the output",
        Written(f"[Flatten, {SOFTMAX}, {{Dropout: {{rate: 0.2}}}}]"),
        {"layers": f"[Flatten, {{Dropout: {{rate: 0.2}}}}, {SOFTMAX}]"},
        "model.layers[2].Dropout: drops values of the output itself, so that the loss sees zeros for answers; "
        "put it before the last layer with weights",
    ),
]

TRAINING_CASES = [
    Case(
        "high rate",
        Written(training="learning_rate: 0.1"),
        {"training": "learning_rate: 0.02"},
        "training.learning_rate: a learning rate of 0.1 is high, so that the loss may jump about or diverge; "
        "0.00001 to 0.01 are usual for Adam",
    ),
    Case(
        "high rate of a toy",
        Written(f"[{SIGMOID}]", "binary_crossentropy", "moons", "learning_rate: 0.1"),
        {"source": "xor"},
        "training.learning_rate: a learning rate of 0.1 is high, so that the loss may jump about or diverge; "
        "0.00001 to 0.01 are usual for Adam",
    ),
    Case(
        "low rate",
        Written(training="optimizer: {SGD: {learning_rate: 1e-5}}"),
        {"training": "optimizer: {Lion: {learning_rate: 1e-5}}"},
        "training.optimizer.SGD.learning_rate: a learning rate of 0.00001 is low, so that the weights hardly move; "
        "0.0001 to 0.5 are usual for SGD",
    ),
    Case(
        "default of Adadelta",
        Written(training="optimizer: adadelta"),
        {"training": "optimizer: adadelta, learning_rate: 1"},
        "training.optimizer: a learning rate of 0.001, the default, is low, so that the weights hardly move; "
        "0.1 to 1 are usual for Adadelta",
    ),
    Case(
        "high rate at the beginning of a schedule",
        Written(training="learning_rate: {CosineDecay: {initial_learning_rate: 0.5, decay_steps: 9}}"),
        {"training": "learning_rate: {CosineDecay: {initial_learning_rate: 0.01, decay_steps: 9}}"},
        "training.learning_rate.CosineDecay.initial_learning_rate: a learning rate of 0.5 is high, so that the loss "
        "may jump about or diverge; 0.00001 to 0.01 are usual for Adam",
    ),
    Case(
        "batch of everything",
        Written(source="digits", training="batch_size: 2048, epochs: 100, validation_split: 0.1"),
        {"training": "batch_size: 1294, epochs: 500, validation_split: 0.1"},
        "training.batch_size: there are 1,294 training examples, so that every batch is all of them; "
        "write at most 1,294",
    ),
    Case(
        "few steps",
        Written(training="batch_size: 8192"),
        {"training": "batch_size: 4096"},
        "training.batch_size: 60,000 examples in batches of 8,192 are 8 steps an epoch, so that the weights change "
        "only 80 times in all; use batches of 32 to 256",
    ),
    Case(
        "one epoch",
        Written(training="epochs: 1"),
        {"training": "epochs: 0"},
        "training.epochs: in one epoch the model sees each example once, which is seldom enough; "
        "10 to 50 epochs are usual",
    ),
    Case(
        "few epochs",
        Written(f"[{SIGMOID}]", "binary_crossentropy", "moons", "epochs: 5"),
        {"training": "epochs: 7"},
        "training.epochs: 5 epochs of 15 steps change the weights only 75 times; train for more epochs, "
        "or use smaller batches",
    ),
    Case(
        "very many epochs",
        Written(training="epochs: 1001, validation_split: 0.1"),
        {"training": "epochs: 1001, validation_split: 0.1, callbacks: [{EarlyStopping: {patience: 9}}]"},
        "training.epochs: 1,001 epochs on 54,000 examples mostly learn them by heart; 10 to 50 are usual, and "
        "EarlyStopping ends the training when it gets no better",
    ),
    Case(
        "no validation",
        Written(training="epochs: 20"),
        {"training": "epochs: 20, validation_split: 0.1"},
        "training.epochs: 20 epochs without validation may overfit unseen; hold examples out with "
        "training.validation_split: 0.1",
    ),
    Case(
        "best by the training loss",
        Written(training="validation_split: 0.1, monitor: loss"),
        {"training": "validation_split: 0.1, monitor: val_loss"},
        "training.monitor: chooses the best epoch by loss of the examples that it learns from, which overfitting "
        "improves; watch val_loss",
    ),
    Case(
        "endless patience",
        Written(training="epochs: 9, validation_split: 0.1, callbacks: [{EarlyStopping: {patience: 9}}]"),
        {"training": "epochs: 9, validation_split: 0.1, callbacks: [{EarlyStopping: {patience: 8}}]"},
        "training.callbacks[0].EarlyStopping.patience: never stops, because it waits 9 of 9 epochs; "
        "lower the patience, or train longer",
    ),
    Case(
        "endless patience after a start",
        Written(
            training="epochs: 9, validation_split: 0.1, "
            "callbacks: [{EarlyStopping: {patience: 4, start_from_epoch: 5}}]"
        ),
        {
            "training": "epochs: 9, validation_split: 0.1, "
            "callbacks: [{EarlyStopping: {patience: 4, start_from_epoch: 4}}]"
        },
        "training.callbacks[0].EarlyStopping.patience: never stops, because it waits 9 of 9 epochs; "
        "lower the patience, or train longer",
    ),
    Case(
        "endless default patience",
        Written(training="validation_split: 0.1, callbacks: [ReduceLROnPlateau]"),
        {"training": "epochs: 11, validation_split: 0.1, callbacks: [ReduceLROnPlateau]"},
        "training.callbacks[0].ReduceLROnPlateau: never reduces the learning rate, because it waits 10 of 10 epochs; "
        "lower the patience, or train longer",
    ),
    Case(
        "stops by the training loss",
        Written(training="callbacks: [{EarlyStopping: {monitor: loss}}]"),
        {"training": "callbacks: [{EarlyStopping: {monitor: val_loss}}], validation_split: 0.1"},
        "training.callbacks[0].EarlyStopping.monitor: loss is measured on the examples that are learnt from, which "
        "overfitting improves; monitor val_loss, with a validation_split",
    ),
    Case(
        "stops before it reduces",
        Written(
            training="validation_split: 0.1, "
            "callbacks: [{ReduceLROnPlateau: {patience: 5}}, {EarlyStopping: {patience: 5}}]"
        ),
        {
            "training": "validation_split: 0.1, "
            "callbacks: [{ReduceLROnPlateau: {patience: 4}}, {EarlyStopping: {patience: 5}}]"
        },
        "training.callbacks[0].ReduceLROnPlateau.patience: waits 5 epochs, and EarlyStopping (line 3) ends the "
        "training after 5; give it less patience than that",
    ),
    Case(
        "a second copy of the best weights",
        Written(
            training="validation_split: 0.1, "
            "callbacks: [{ModelCheckpoint: {filepath: best.weights.h5, save_weights_only: true, save_best_only: true}}]"
        ),
        {
            "training": "validation_split: 0.1, metrics: [accuracy], callbacks: [{ModelCheckpoint: {filepath: "
            "best.weights.h5, save_weights_only: true, save_best_only: true, monitor: val_accuracy}}]"
        },
        "training.callbacks[0].ModelCheckpoint: is not needed: every run keeps the weights of its best epoch by "
        "val_loss itself; remove it",
    ),
]

RELU = "{Dense: {units: 64, activation: relu}}"
HE = "{Dense: {units: 64, activation: relu, kernel_initializer: he_normal}}"
LAYER_CASES = [
    Case(
        "He for tanh",
        Written(
            "[Flatten, {Dense: {units: 9, activation: tanh, kernel_initializer: HeUniform}}, " + SOFTMAX + "]"
        ),
        {
            "layers": "[Flatten, {Dense: {units: 9, activation: tanh, kernel_initializer: orthogonal}}, "
            + SOFTMAX
            + "]"
        },
        "model.layers[1].Dense.kernel_initializer: He's variance makes up for what ReLU cuts off, and "
        "tanh cuts nothing; use glorot_uniform",
    ),
    Case(
        "He for a sigmoid in a layer of its own",
        Written(
            "[Flatten, {Dense: {units: 9, kernel_initializer: he_normal}}, BatchNormalization, "
            "{Activation: {activation: sigmoid}}, " + SOFTMAX + "]"
        ),
        {
            "layers": "[Flatten, {Dense: {units: 9, kernel_initializer: he_normal}}, BatchNormalization, "
            "{Activation: {activation: relu}}, " + SOFTMAX + "]"
        },
        "model.layers[1].Dense.kernel_initializer: He's variance makes up for what ReLU cuts off, and "
        "sigmoid cuts nothing; use glorot_uniform",
    ),
    Case(
        "hidden softmax",
        Written(f"[Flatten, {SOFTMAX}, {SOFTMAX}]"),
        {"layers": f"[Flatten, {SOFTMAX.replace('softmax', 'sigmoid')}, {SOFTMAX}]"},
        "model.layers[1].Dense.activation: softmax in a hidden layer shares 1 out among its units, so that little of "
        "what they say gets on; use relu",
    ),
    Case(
        "nothing between two Dense",
        Written(f"[Flatten, {{Dense: {{units: 64}}}}, {{Dropout: {{rate: 0.2}}}}, {SOFTMAX}]"),
        {"layers": f"[Flatten, {{Dense: {{units: 64}}}}, ReLU, {{Dropout: {{rate: 0.2}}}}, {SOFTMAX}]"},
        "model.layers[1].Dense: without an activation this and the next Dense can do no more than one Dense alone; "
        "write an activation such as relu",
    ),
    Case(
        "linear said in words between two Dense",
        Written(f"[Flatten, {{Dense: {{units: 10, activation: linear}}}}, {SOFTMAX}]"),
        {"layers": f"[Flatten, {{Dense: {{units: 3, activation: linear}}}}, {SOFTMAX}]"},
        "model.layers[1].Dense.activation: without an activation this and the next Dense can do no more than one "
        "Dense alone; write an activation such as relu",
    ),
    Case(
        "two activations in a row",
        Written(f"[Flatten, {RELU}, ReLU, {SOFTMAX}]"),
        {"layers": f"[Flatten, {RELU}, BatchNormalization, ReLU, {SOFTMAX}]"},
        "model.layers[2].ReLU: the values went through relu in the layer above already; keep one of the two",
    ),
    Case(
        "two activations in a graph",
        Written(
            "[{Dense: {units: 9, activation: relu, name: first}}, {Dense: {units: 9, name: other, "
            "inputs: input}}, {ReLU: {inputs: first, name: twice}}, {Add: {inputs: [twice, other]}}, "
            + SOFTMAX
            + "]",
            source="moons",
        ),
        {
            "layers": "[{Dense: {units: 9, activation: tanh, name: first}}, {Dense: {units: 9, name: other}}, "
            "{Activation: {activation: sigmoid, inputs: first, name: gate}}, {Multiply: {inputs: [gate, other]}}, "
            + SOFTMAX
            + "]"
        },
        "model.layers[2].ReLU: the values went through relu in the layer before already; keep one of the two",
    ),
    Case(
        "nearly everything dropped",
        Written(f"[Flatten, {{Dropout: {{rate: 0.75}}}}, {SOFTMAX}]"),
        {"layers": f"[Flatten, {{Dropout: {{rate: 0.6}}}}, {SOFTMAX}]"},
        "model.layers[1].Dropout.rate: drops 75% of the values, so that little is left to learn from; "
        "0.2 to 0.5 are usual",
    ),
    Case(
        "Dropout after selu",
        Written(
            "[Flatten, {Dense: {units: 9, activation: selu, kernel_initializer: lecun_normal}}, "
            "{Dropout: {rate: 0.1}}, " + SOFTMAX + "]"
        ),
        {
            "layers": "[Flatten, {Dense: {units: 9, activation: selu, kernel_initializer: lecun_normal}}, "
            "{AlphaDropout: {rate: 0.1}}, " + SOFTMAX + "]"
        },
        "model.layers[2].Dropout: sets values to 0 and so undoes the normalisation that selu keeps up; "
        "use AlphaDropout after selu",
    ),
    Case(
        "selu without LeCun",
        Written("[Flatten, {Dense: {units: 9, activation: selu}}, " + SOFTMAX + "]"),
        {"layers": "[Flatten, {Dense: {units: 9, activation: elu}}, " + SOFTMAX + "]"},
        "model.layers[1].Dense: selu keeps its values normalised only with LeCun's variance; "
        "write kernel_initializer: lecun_normal",
    ),
    Case(
        "statistics of few examples",
        Written(f"[Flatten, BatchNormalization, {SOFTMAX}]", training="batch_size: 4"),
        {"training": "batch_size: 8"},
        "model.layers[1].BatchNormalization: normalises by the mean and variance of batches of 4 examples, which are "
        "mostly chance; use batches of at least 16, or LayerNormalization",
    ),
    Case(
        "deep sigmoids",
        Written(stack(4, "{Dense: {units: 64, activation: sigmoid}}")),
        {"layers": stack(3, "{Dense: {units: 64, activation: sigmoid}}")},
        "model.layers[1].Dense.activation: through 4 hidden layers of sigmoid gradients vanish, so that the first "
        "layers hardly learn; use relu with he_normal, or fewer layers",
    ),
    Case(
        "deep tanhs",
        Written(stack(6, "{Dense: {units: 64, activation: tanh}}")),
        {"layers": stack(6, "{Dense: {units: 64}}, LayerNormalization, {Activation: {activation: tanh}}")},
        "model.layers[1].Dense.activation: through 6 hidden layers of tanh gradients vanish, so that the first "
        "layers hardly learn; use relu with he_normal, or fewer layers",
    ),
    Case(
        "deep rectifiers",
        Written(stack(8, RELU)),
        {"layers": stack(8, HE)},
        "model.layers[1].Dense: with Glorot's variance relu halves the signal's from layer to layer, here 8 times; "
        "write kernel_initializer: he_normal, or put BatchNormalization between them",
    ),
]

DATA_CASES = [
    Case(
        "inputs that are not scaled",
        Written("[{Dense: {units: 9, activation: relu}}, " + NUMBER + "]", "mse", "california_housing"),
        {"layers": "[BatchNormalization, {Dense: {units: 9, activation: relu}}, " + NUMBER + "]"},
        "model.layers[0].Dense: the inputs of california_housing go into the thousands and arrive as they are, so "
        "that small ones hardly count; put BatchNormalization before this layer",
    ),
    Case(
        "wide inputs in the specification",
        Written(f"[{NUMBER}]", "mse", WIDE),
        {"source": WIDE.replace("000", "")},
        "model.layers[0].Dense: the inputs of inline go into the thousands and arrive as they are, so that small "
        "ones hardly count; put BatchNormalization before this layer",
    ),
    Case(
        "pixels scaled twice",
        Written(f"[{{Rescaling: {{scale: 0.00392156862}}}}, Flatten, {SOFTMAX}]"),
        {"layers": f"[{{Rescaling: {{scale: 2, offset: -1}}}}, Flatten, {SOFTMAX}]"},
        "model.layers[0].Rescaling.scale: mnist arrives between 0 and 1 already, and 0.0039 of that is next to "
        "nothing; remove the layer",
    ),
    Case(
        "words beyond the embedding",
        Written(
            f"[{{Embedding: {{input_dim: 5000, output_dim: 8}}}}, GlobalAveragePooling1D, {SIGMOID}]",
            "binary_crossentropy",
            "imdb",
        ),
        {"source": "{imdb: {num_words: 5000}}"},
        "model.layers[0].Embedding.input_dim: imdb has word numbers up to 9,999, and this layer knows only those "
        "below 5,000; write 10000 here, or num_words: 5000 in the source",
    ),
    Case(
        "word numbers as sizes",
        Written(f"[{SIGMOID}]", "binary_crossentropy", "imdb"),
        {"layers": f"[{{Embedding: {{input_dim: 10000, output_dim: 8}}}}, Flatten, {SIGMOID}]"},
        "model.layers[0].Dense: the word numbers of imdb are names, and a Dense takes them for sizes; "
        "put Embedding: {input_dim: 10000, output_dim: 16} first",
    ),
]
LARGE = "[Flatten, {Dense: {units: 2048, activation: relu}}, " + SOFTMAX + "]"
SIZE_HINT = (
    "model.layers: 153,610 parameters for 1,438 training examples can learn them by heart; use smaller layers, or "
    "add Dropout, or EarlyStopping with a validation_split"
)
SIZE_CASES = [
    Case(
        "far more parameters than examples", Written(LARGE, source="digits"), {"source": "mnist"}, SIZE_HINT
    ),
    Case(
        "far more parameters without dropout",
        Written(LARGE, source="digits"),
        {"layers": LARGE.replace("}}, {", "}}, {Dropout: {rate: 0.5}}, {")},
        SIZE_HINT,
    ),
    Case(
        "far more parameters without a penalty",
        Written(LARGE, source="digits"),
        {"layers": LARGE.replace("relu", "relu, kernel_regularizer: l2")},
        SIZE_HINT,
    ),
    Case(
        "far more parameters that never stop",
        Written(LARGE, source="digits"),
        {"training": "validation_split: 0.1, callbacks: [EarlyStopping]"},
        SIZE_HINT,
    ),
]
CASES = [*OUTPUT_CASES, *TRAINING_CASES, *LAYER_CASES, *DATA_CASES, *SIZE_CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rule_where_it_applies_says_what_why_and_what_to_do(case: Case, tmp_path: Path) -> None:
    assert hints(tmp_path, case.written) == [case.hint]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rule_on_a_near_twin_is_silent(case: Case, tmp_path: Path) -> None:
    assert hints(tmp_path, replace(case.written, **case.silent)) == []


def test_configurations_are_found() -> None:
    assert len(CONFIGURATIONS) >= 15


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_configuration_needs_no_advice(path: Path) -> None:
    assert [str(hint) for hint in advise(load_spec(path))] == []


def test_hints_stand_in_the_order_of_their_places_the_command_line_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("zero.yaml").write_text(Written(training="optimizer: adagrad").text, "utf-8")
    path = Path("spec.yaml")
    path.write_text(
        "base: zero.yaml\n"
        "training: {epochs: 25}\n"
        "model: {layers: [Flatten, {Dropout: {rate: 0.9}}, {Dense: {units: 10}}]}\n",
        "utf-8",
    )
    found = advise(load_spec(path, ["training.batch_size=30000"]))

    assert [str(hint.place) for hint in found] == [
        "spec.yaml:2:20",
        "spec.yaml:3:44",
        "spec.yaml:3:52",
        "zero.yaml:3:62",
        "command line:1:21",
    ]


@pytest.mark.parametrize(
    ("training", "override"),
    [
        ("validation_split: 0.1, callbacks: [{EarlyStopping: {patience: 3}}]", "training.epochs=3"),
        ("", "training.epochs=1"),
    ],
)
def test_epochs_of_the_command_line_are_a_trial_and_get_no_advice(
    training: str, override: str, tmp_path: Path
) -> None:
    assert hints(tmp_path, Written(training=training), override) == []


def test_layer_of_a_repeated_block_is_advised_on_once_where_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(
        "data: {source: mnist}\n"
        "model:\n"
        "  blocks: {drop: {layers: [{Dense: {units: 9, activation: relu}}, {Dropout: {rate: 0.8}}]}}\n"
        "  layers: [Flatten, {drop: {repeat: 3}}, {Dense: {units: 10, activation: softmax}}]\n"
        "training: {loss: sparse_categorical_crossentropy}\n",
        "utf-8",
    )

    assert [(hint.path, hint.place.line) for hint in advise(load_spec(path)) if hint.place] == [
        ("model.blocks.drop.layers[1].Dropout.rate", 3)
    ]


@pytest.mark.parametrize(
    "layers",
    [
        "[Flatten, {Dense: {units: 9, activation: relu}}, {Mystery: {units: 10}}]",
        "[Flatten, {Dense: {units: 10, activation: own}}]",
    ],
)
def test_parts_of_the_users_own_are_left_alone(layers: str, tmp_path: Path) -> None:
    code, path = tmp_path / "own.py", tmp_path / "spec.yaml"
    code.write_text(
        "import keras\n\n\nclass Mystery(keras.layers.Layer):\n    def __init__(self, units, **settings):\n"
        "        super().__init__(**settings)\n\n\ndef own(x):\n    return x\n",
        "utf-8",
    )
    path.write_text(Written(layers).text, "utf-8")

    assert advise(load_spec(path, (), code)) == []


@pytest.mark.parametrize(("y", "is_told"), [("[-1, 1, 1]", False), ("[-1, 1, 1.5]", True)])
def test_accuracy_of_whole_numbers_is_not_advised_against(y: str, is_told: bool, tmp_path: Path) -> None:
    written = Written(f"[{NUMBER}]", "mse", f"{{inline: {{x: [1, 2, 3], y: {y}}}}}", "metrics: [accuracy]")

    assert [hint.startswith("training.metrics[0]: accuracy counts") for hint in hints(tmp_path, written)] == [
        True
    ] * is_told


def test_parameters_that_cannot_be_counted_are_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnrun.spec.paper.parameter_count", lambda layers: None)

    assert hints(tmp_path, Written(LARGE, source="digits")) == []


def test_layer_by_another_name_of_keras_is_the_same_layer(tmp_path: Path) -> None:
    image = "{Reshape: {target_shape: [28, 28, 1]}}"
    layers = f"[{image}, {{Convolution2D: {{filters: 9, kernel_size: 3, activation: relu}}}}, ReLU, Flatten, {SOFTMAX}]"

    assert hints(tmp_path, Written(layers)) == [
        "model.layers[2].ReLU: the values went through relu in the layer above already; keep one of the two"
    ]
