"""Keras's names that nnrun refuses, each with the reason and what to use instead."""

from __future__ import annotations

NEEDS_PYTHON = "needs a Python function, and a specification cannot hold one"
FOREIGN = "loads foreign code, which a specification must not do"
BASE = "is a base class and does nothing by itself"
NOT_A_PART = "is not something a model is made of"

REFUSED: dict[str, str] = {
    "Lambda": f"{NEEDS_PYTHON}; use the layer that does it (Rescaling, Reshape, Activation, ...)",
    "LambdaCallback": f"{NEEDS_PYTHON}; see metrics.jsonl for what happened in each epoch",
    "LearningRateScheduler": f"{NEEDS_PYTHON}; give training.learning_rate a schedule such as CosineDecay",
    "MeanMetricWrapper": f"{NEEDS_PYTHON}; name the metric itself",
    "TFSMLayer": FOREIGN,
    "TorchModuleWrapper": FOREIGN,
    "JaxLayer": FOREIGN,
    "FlaxLayer": FOREIGN,
    "BackupAndRestore": "nnrun writes checkpoints itself, in every run",
    "RemoteMonitor": "talks to the network; follow metrics.jsonl, or use `nnrun train --json`",
    "ProgbarLogger": "nnrun shows the progress itself",
    "History": "nnrun writes the history itself, to metrics.jsonl",
    "CallbackList": NOT_A_PART,
    "OrbaxCheckpoint": "nnrun writes checkpoints itself, in every run",
    "InputSpec": NOT_A_PART,
    "LegacyOptimizerWarning": NOT_A_PART,
    "SwitchEMAWeights": NOT_A_PART,
    "LossScaleOptimizer": "wraps another optimizer; give the optimizer itself its loss_scale_factor",
    **dict.fromkeys(
        (
            "Layer",
            "Wrapper",
            "Optimizer",
            "Metric",
            "Loss",
            "Callback",
            "Initializer",
            "Regularizer",
            "Constraint",
            "LearningRateSchedule",
            "MonitorCallback",
        ),
        BASE,
    ),
}
"""By the name that Keras defines."""

REPLACED: dict[str, str] = {
    "ThresholdedReLU": "is gone from Keras 3; write ReLU: {threshold: 1.0}",
    "CuDNNLSTM": "is gone from Keras 3; write LSTM, which uses cuDNN where it can",
    "CuDNNGRU": "is gone from Keras 3; write GRU, which uses cuDNN where it can",
    "AlphaDropoutV1": "is gone from Keras 3; write AlphaDropout",
    "LocallyConnected1D": "is gone from Keras 3; write Conv1D",
    "LocallyConnected2D": "is gone from Keras 3; write Conv2D",
    "SyncBatchNormalization": "is gone from Keras 3; write BatchNormalization: {synchronized: true}",
    "RandomHeight": "is gone from Keras 3; write RandomZoom",
    "RandomWidth": "is gone from Keras 3; write RandomZoom",
}
"""Names of older books, by what is written."""

LEGACY_ARGUMENTS: dict[str, str] = {
    "input_shape": "the data's shape is the input; leave it out",
    "batch_input_shape": "the data's shape is the input; leave it out",
    "weights": "weights come from training; leave it out",
    "lr": "the argument is called learning_rate",
    "decay": "use a schedule such as InverseTimeDecay for learning_rate",
    "init": "the argument is called kernel_initializer",
}
"""Arguments of older books."""
