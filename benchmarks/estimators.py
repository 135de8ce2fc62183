"""The tables of "Coming from scikit-learn": estimators beside the usual choices of their kinds.

    python benchmarks/estimators.py

It takes some minutes. All features are standardised beforehand or within each fit; classes and
numbers are asked of five parts, novelty of each class in turn, and gaps are drawn at random.
"""

import importlib
import time
import warnings

import numpy as np
from sklearn import datasets, ensemble, impute, linear_model, neighbors
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from attrax.estimators import (
    HopfieldClassifier,
    HopfieldImputer,
    HopfieldNovelty,
    HopfieldRegressor,
)

CLASSES = {
    name: getattr(datasets, f"load_{name}")(return_X_y=True)
    for name in ("iris", "wine", "breast_cancer", "digits")
}
NEIGHBOURS = {"n_neighbors": [1, 3, 5, 9, 15, 25]}


def show(name, found):
    """A line of a table."""
    print(name, *(f"{key} {value:.3f}" for key, value in found.items()), sep="  ", flush=True)


def labels():
    """Accuracies, and shares of explained variance, over five parts."""
    near = neighbors.KNeighborsClassifier(weights="distance")
    for name, (rows, own) in CLASSES.items():
        parts = StratifiedKFold(5, shuffle=True, random_state=0)
        methods = {
            "attrax": HopfieldClassifier(random_state=0),
            "neighbours": GridSearchCV(near, NEIGHBOURS),
            "linear": linear_model.LogisticRegressionCV(max_iter=300),
            "forest": ensemble.RandomForestClassifier(random_state=0),
        }
        show(name, {key: scored(each, rows, own, parts) for key, each in methods.items()})
    near = neighbors.KNeighborsRegressor(weights="distance")
    methods = {
        "attrax": HopfieldRegressor(random_state=0),
        "neighbours": GridSearchCV(near, NEIGHBOURS),
        "linear": linear_model.RidgeCV(),
        "forest": ensemble.RandomForestRegressor(random_state=0),
    }
    rows, own = datasets.load_diabetes(return_X_y=True)
    parts = KFold(5, shuffle=True, random_state=0)
    show("diabetes", {key: scored(each, rows, own, parts) for key, each in methods.items()})


def scored(method, rows, own, parts):
    """The mean score of five parts."""
    return cross_val_score(make_pipeline(StandardScaler(), method), rows, own, cv=parts).mean()


def novelty():
    """Areas under the curve, mean of the classes: half of one is stored, all else is asked."""
    for name, (rows, own) in CLASSES.items():
        found = {"attrax": [], "forest": [], "outlier factor": [], "one class": []}
        for kind in np.unique(own):
            order = np.random.default_rng(0).permutation(np.flatnonzero(own == kind))
            known, rest = np.split(order, [len(order) // 2])
            asked = np.concatenate([rest, np.flatnonzero(own != kind)])
            scale = StandardScaler().fit(rows[known])
            methods = (
                HopfieldNovelty(random_state=0),
                ensemble.IsolationForest(random_state=0),
                neighbors.LocalOutlierFactor(novelty=True),
                OneClassSVM(),
            )
            for each, method in zip(found.values(), methods, strict=True):
                scores = method.fit(scale.transform(rows[known])).score_samples(
                    scale.transform(rows[asked])
                )
                each.append(roc_auc_score(np.arange(len(asked)) < len(rest), scores))
        show(name, {key: np.mean(each) for key, each in found.items()})


def imputation():
    """Errors of entries that are hidden, in deviations, what intervals hold, and seconds."""
    tables = {name: rows for name, (rows, _) in CLASSES.items() if name != "digits"}
    tables["diabetes"] = datasets.load_diabetes().data
    digits = CLASSES["digits"][0][:600]
    tables["digits"] = digits[:, digits.std(0) > 0.5]
    tables["linnerud"] = np.hstack(datasets.load_linnerud(return_X_y=True))
    for name, table in tables.items():
        rows = StandardScaler().fit_transform(table)
        for share in (0.1, 0.3):
            found = [imputed(rows, share, seed) for seed in range(1 if name == "digits" else 3)]
            means = {key: np.mean([each[key] for each in found]) for key in found[0]}
            show(f"{name} {share}", means)


def imputed(rows, share, seed):
    """One draw of gaps, filled in by each method."""
    hidden = np.random.default_rng(seed).random(rows.shape) < share
    gaps, found = np.where(hidden, np.nan, rows), {}
    for key, method in {
        "attrax": HopfieldImputer(random_state=0),
        "memory alone": HopfieldImputer(linear=False, random_state=0),
        "neighbours": impute.KNNImputer(),
        "iterative": impute.IterativeImputer(random_state=0),
    }.items():
        start = time.perf_counter()
        filled = method.fit_transform(gaps)
        found[f"{key} s"] = time.perf_counter() - start
        found[key] = np.sqrt(np.mean(np.square(filled - rows)[hidden]))
    low, high = HopfieldImputer(random_state=0).fit(gaps).quantiles(gaps, [0.05, 0.95])
    found["held of 90 %"] = np.mean(((rows >= low) & (rows <= high))[hidden])
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    # It stands behind this door.
    importlib.import_module("sklearn.experimental.enable_iterative_imputer")
    labels()
    novelty()
    imputation()
