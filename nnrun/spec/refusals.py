"""Keras's names and arguments that nnrun refuses, each with the reason and what to use instead."""

from __future__ import annotations

NEEDS_PYTHON = "needs a Python function, and a specification cannot hold one"
FOREIGN = "loads foreign code, which a specification must not do"
BASE = "is a base class and does nothing by itself"
NOT_A_PART = "serves Keras programs; it is not something to choose"
CHECKPOINTS = (
    "is not needed: nnrun writes checkpoints itself, in every run, and `nnrun resume` continues from them"
)
GONE = "is gone from Keras 3"

REFUSED: dict[str, str] = {
    "Lambda": f"{NEEDS_PYTHON}; use the layer that does it (Rescaling, Reshape, Activation, ...)",
    "LambdaCallback": f"{NEEDS_PYTHON}; metrics.jsonl in the run tells what happened in each epoch",
    "LearningRateScheduler": f"{NEEDS_PYTHON}; give training.learning_rate a schedule such as CosineDecay",
    "MeanMetricWrapper": f"{NEEDS_PYTHON}; name the metric itself",
    "LossFunctionWrapper": f"{NEEDS_PYTHON}; name the loss itself",
    "TFSMLayer": FOREIGN,
    "TorchModuleWrapper": FOREIGN,
    "JaxLayer": FOREIGN,
    "FlaxLayer": FOREIGN,
    "BackupAndRestore": CHECKPOINTS,
    "OrbaxCheckpoint": CHECKPOINTS,
    "RemoteMonitor": "talks to the network; follow metrics.jsonl in the run, which gets a row each epoch",
    "ProgbarLogger": "is not needed: nnrun shows the progress itself",
    "History": "is not needed: nnrun writes the history itself, to metrics.jsonl in the run",
    "CallbackList": NOT_A_PART,
    "InputSpec": NOT_A_PART,
    "InputLayer": "is not needed: the data's shape is the input; write Input to see it in the specification",
    "serialize": NOT_A_PART,
    "deserialize": NOT_A_PART,
    "get": NOT_A_PART,
    "StringLookup": "looks up texts, and a model here gets numbers; use IntegerLookup, or Embedding for word numbers",
    "TextVectorization": "takes texts, and a model here gets numbers; use a source of word numbers such as imdb",
    "HashedCrossing": "crosses columns of whole numbers, and the data here is one array; use Concatenate and Dense",
    "RandomCrop": "crops in training only, so that the shapes differ afterwards; use Resizing, or RandomTranslation",
    "threshold": "needs two numbers and takes none here; write the layer ReLU: {threshold: 1.0}",
    "glu": "halves the width, and no layer after it knows that; use two Dense layers, one with sigmoid, and Multiply",
    "circle": "needs embeddings that a data set does not hold; write Circle",
    "Mean": "averages values without looking at the targets; use a metric such as MeanAbsoluteError",
    "Sum": "adds values without looking at the targets; use a metric such as MeanAbsoluteError",
    "MultiOptimizer": "shares the weights out between optimizers by Python objects; choose one optimizer",
    "OptimizerMap": "shares the weights out between optimizers by Python objects; choose one optimizer",
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
        ),
        BASE,
    ),
}
"""By the name that Keras defines."""

NEEDS: dict[str, str] = {
    "TensorBoard": "tensorboard",
    "MlflowCallback": "mlflow",
    "WandbMetricsLogger": "wandb",
    "STFT": "scipy",
    "STFTSpectrogram": "scipy",
}
"""Parts that need another package, by the name of their class."""

REPLACED: dict[str, str] = {
    "ThresholdedReLU": f"{GONE}; write ReLU: {{threshold: 1.0}}",
    "CuDNNLSTM": f"{GONE}; write LSTM, which uses cuDNN where it can",
    "CuDNNGRU": f"{GONE}; write GRU, which uses cuDNN where it can",
    "LocallyConnected1D": f"{GONE}; write Conv1D",
    "LocallyConnected2D": f"{GONE}; write Conv2D",
    "SyncBatchNormalization": f"{GONE}; write BatchNormalization: {{synchronized: true}}",
    "RandomHeight": f"{GONE}; write RandomZoom",
    "RandomWidth": f"{GONE}; write RandomZoom",
    "kullback_leibler_divergence": f"{GONE}; write kl_divergence",
    "cosine_proximity": f"{GONE}; write cosine_similarity",
    "xavier": "is called glorot_uniform in Keras",
    "xavier_uniform": "is called glorot_uniform in Keras",
    "xavier_normal": "is called glorot_normal in Keras",
    "kaiming_uniform": "is called he_uniform in Keras",
    "kaiming_normal": "is called he_normal in Keras",
    "leaky": "is called leaky_relu in Keras",
    **dict.fromkeys(("MLflow", "MLFlow", "Mlflow", "mlflow"), "is called MlflowCallback"),
    **dict.fromkeys(("WandB", "Wandb", "wandb", "WandbCallback"), "is called WandbMetricsLogger"),
}
"""Names of older or other books, by what is written."""

RENAMED_ARGUMENTS: dict[str, str] = {
    "alpha": "negative_slope",
    "bias": "use_bias",
    "border_mode": "padding",
    "epsilon": "min_delta",
    "init": "kernel_initializer",
    "inner_activation": "recurrent_activation",
    "lr": "learning_rate",
    "nb_filter": "filters",
    "out_channels": "filters",
    "out_features": "units",
    "output_dim": "units",
    "p": "rate",
    "period": "save_freq",
    "subsample": "strides",
}
"""Arguments of older or other books with what they may be called now."""

LEFT_OUT_ARGUMENTS: dict[str, str] = {
    "input_shape": "the data's shape is the input; leave this out",
    "batch_input_shape": "the data's shape is the input; leave this out",
    "input_dim": "the data's shape is the input; leave this out",
    "in_features": "the data's shape is the input; leave this out",
    "input_length": "the data's shape is the input; leave this out",
    "weights": "weights come from training; leave this out",
    "decay": "Keras ignores decay; give training.learning_rate a schedule such as InverseTimeDecay",
}
"""Arguments of older books that have no place any more, with the whole message."""

REFUSED_ARGUMENTS: dict[str, dict[str, str]] = {
    "Input": dict.fromkeys(
        ("batch_size", "dtype", "sparse", "ragged", "batch_shape", "tensor", "optional"),
        "nnrun takes this from the data; leave it out",
    ),
}
"""Arguments that Keras takes and nnrun does not, by part."""
