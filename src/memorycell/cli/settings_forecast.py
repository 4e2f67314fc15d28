"""The Forecaster's parameters as options of the command."""

from __future__ import annotations

from memorycell.cli.settings import CELLS, NEVER, TRAINING, Setting, number, numbers, one_of, whole, yes_or_no

_COLUMNS, _HORIZON, _NETWORK, _TRAINING = "Columns", "Forecast", "Network", "Training"

FORECAST = (
    Setting("time", _COLUMNS, str, "COLUMN", "Column of dates or step numbers.", "found by itself"),
    Setting("series", _COLUMNS, str, "COLUMN", "Column that says which series a row belongs to."),
    Setting("known_future", _COLUMNS, str, "COLUMN", "Column known ahead of time; may be repeated.", many=True),
    Setting("static", _COLUMNS, str, "COLUMN", "Column constant within a series; may be repeated.", many=True),
    Setting("categorical", _COLUMNS, str, "COLUMN", "Column to treat as categories; may be repeated.", many=True),
    Setting("exclude", _COLUMNS, str, "COLUMN", "Column to leave out; may be repeated.", many=True),
    Setting("freq", _COLUMNS, str, "FREQ", "Step of the grid: h, 15min, D, MS, …", "found by itself"),
    Setting("fill", _COLUMNS, one_of("auto", "forward", "median", "error"), "auto|forward|median|error",
            "How missing inputs are filled.", "auto"),
    Setting("calendar", _COLUMNS, None, "", "Add time of day, day of week and time of year.", "on",
            flag="--calendar/--no-calendar"),
    Setting("horizon", _HORIZON, whole(), "N", "Steps ahead.", "1"),
    Setting("window", _HORIZON, whole("auto"), "N|auto", "Steps looked back on.", "auto"),
    Setting("quantiles", _HORIZON, numbers, "Q,Q,…", "Quantiles beside the point forecast.",
            "0.05,0.25,0.5,0.75,0.95"),
    Setting("loss", _HORIZON, one_of("squared", "absolute"), "squared|absolute",
            "Whether the point forecast is the mean or the median.", "squared"),
    Setting("network", _NETWORK, one_of("auto", "lstm", "encoder-decoder", "segment"),
            "auto|lstm|encoder-decoder|segment", "Kind of network.", "auto"),
    Setting("cell", _NETWORK, one_of(*CELLS), "|".join(CELLS), "Kind of cell.", "LSTM"),
    Setting("hidden_size", _NETWORK, whole("auto"), "N|auto", "Units a layer.", "auto"),
    Setting("num_layers", _NETWORK, whole(), "N", "Recurrent layers on top of each other.", "1"),
    Setting("dropout", _NETWORK, number("auto"), "P|auto", "Between layers and before the head.", "auto"),
    Setting("recurrent_dropout", _NETWORK, number(), "P", "On the hidden state, one mask a window.", "0"),
    Setting("normalize", _NETWORK, one_of("auto", "none", "level", "scale"), "auto|none|level|scale",
            "What is taken out of each window and put back.", "auto"),
    Setting("linear", _NETWORK, yes_or_no("auto"), "yes|no|auto",
            "A ridge regression beside the network, which learns what it leaves.", "auto"),
    Setting("segment", _NETWORK, whole("auto"), "N|auto", "Steps a segment of the segment network.", "auto"),
    Setting("state", _NETWORK, one_of("window", "carried"), "window|carried",
            "Each window from a state of zero, or one state carried through the series.", "window"),
    Setting("epochs", _TRAINING, whole("auto"), "N|auto", "At most so many passes over the data.", "auto"),
    Setting("batch_size", _TRAINING, whole("auto"), "N|auto", "Windows a step.", "auto"),
    Setting("learning_rate", _TRAINING, number("auto"), "X|auto", "Highest learning rate.", "auto"),
    Setting("patience", _TRAINING, whole(NEVER), "N|none", "Epochs without improvement before training stops.", "6"),
    Setting("validation_fraction", _TRAINING, number(), "X", "Share of each series that decides when to stop.", "0.1"),
    Setting("calibration_fraction", _TRAINING, number(), "X", "Most recent share, which adjusts the intervals.", "0.1"),
    Setting("refit", _TRAINING, None, "", "Train once more on all rows at the end.", "on", flag="--refit/--no-refit"),
    *TRAINING,
)  # fmt: skip
