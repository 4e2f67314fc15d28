"""sktime's own tests of forecasters on memorycell.sktime, in an environment of its own: make check-sktime."""

import sys
import warnings

import numpy as np
import torch
from sktime.datasets import load_airline
from sktime.utils.estimator_checks import check_estimator

from memorycell.sktime import LSTMForecaster

warnings.simplefilter("ignore")
torch.set_num_threads(1)

series = load_airline()
forecaster = LSTMForecaster(window=12, epochs=1).fit(series[:-6], fh=[1, 2, 6])
assert list(forecaster.predict().index) == [series.index[-6], series.index[-5], series.index[-1]]
before = forecaster.forecaster_
forecaster.update(series[-6:], update_params=False)
assert forecaster.forecaster_ is before and forecaster.predict().index[0] == series.index[-1] + 1
assert np.isfinite(forecaster.predict_interval(coverage=0.8).to_numpy()).all()

results = check_estimator(LSTMForecaster, raise_exceptions=False, verbose=False)
failed = {name: result for name, result in results.items() if result != "PASSED"}
for name, result in failed.items():
    print(name, repr(result)[:300])
print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
sys.exit(bool(failed))
