"""scikit-learn's own checks of an estimator: all of them, none left out, none expected to fail."""

import json
import os
import subprocess
import sys

import pytest

# Scikit-learn reads SCIPY_ARRAY_API when it is imported; without it one of the checks would be skipped.
RUN = """
import json, sys, warnings
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import check_estimator
from memorycell.tasks.{module} import {name}
records = check_estimator({name}(**json.loads(sys.argv[1])), on_fail=None, on_skip=None)
print(json.dumps([[r["check_name"], r["status"], repr(r["exception"])[:500], r["expected_to_fail"]] for r in records]))
"""
QUICK = {"hidden_size": 8, "cell": "GRU", "batch_size": 50, "output_dropout": 0.0, "head_dropout": 0.0}
QUICK |= {"convolution": False, "learning_rate": 0.03, "n_threads": 1, "verbose": False}


@pytest.mark.parametrize(
    "module, name, options, least",
    [
        ("classifier", "SequenceClassifier", {"epochs": 15}, 59),
        ("regressor", "SequenceRegressor", {"epochs": 60}, 52),
    ],
)
def test_all_checks_of_scikit_learn_run_and_pass(module, name, options, least):
    code = RUN.format(module=module, name=name)
    ran = subprocess.run(
        [sys.executable, "-c", code, json.dumps({**QUICK, **options})],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    records = json.loads(ran.stdout.splitlines()[-1])
    assert [record for record in records if record[1] != "passed" or record[3]] == []
    assert len(records) >= least
    ran_checks = {record[0] for record in records}
    kind = "classifiers" if module == "classifier" else "regressors"
    assert {f"check_{kind}_train", "check_estimators_pickle", "check_methods_subset_invariance"} <= ran_checks
