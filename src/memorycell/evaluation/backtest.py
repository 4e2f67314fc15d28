"""Rolling-origin evaluation: a forecaster and the baselines, fitted on the past, asked at the same origins."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.encoded import EncodedTable, Forecasts
from memorycell.data.tables import read_table
from memorycell.evaluation.baselines import Baseline, LastValue, NotApplicable, SeasonalNaive
from memorycell.evaluation.ets import ETS
from memorycell.evaluation.metrics import Array, main_scales, mase_scales, measure
from memorycell.evaluation.result import Evaluation, Fold, ModelResult, join_forecasts, say_date
from memorycell.evaluation.ridge import Ridge
from memorycell.evaluation.seasons import main_season
from memorycell.evaluation.significance import judge
from memorycell.evaluation.splits import Rows, block_origins, blocks_of_time, cut_table, rows_seen

BASELINES: dict[str, type[Baseline]] = {kind.name: kind for kind in (LastValue, SeasonalNaive, ETS, Ridge)}
Progress = Callable[[str], None]
