"""One training loop for all tasks, its checkpoints, and the model file."""

from memorycell.training.evaluate import evaluate_loss
from memorycell.training.files import ModelFile, ModelFileError, check_tensors, load_model, save_model
from memorycell.training.groups import ParameterGroup
from memorycell.training.loop import train
from memorycell.training.options import DivergedError, TrainingOptions, TrainingResult
from memorycell.training.threads import choose_threads, using_threads

__all__ = [
    "DivergedError",
    "ModelFile",
    "ModelFileError",
    "ParameterGroup",
    "TrainingOptions",
    "TrainingResult",
    "check_tensors",
    "choose_threads",
    "evaluate_loss",
    "load_model",
    "save_model",
    "train",
    "using_threads",
]
