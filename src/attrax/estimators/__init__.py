"""Estimators: memories behind the interface of scikit-learn, NumPy in and NumPy out.

```python
from attrax.estimators import ClAMClusterer

labels = ClAMClusterer(n_clusters=3, random_state=0).fit_predict(rows)
```

`HopfieldClassifier` and `HopfieldRegressor` give labels and numbers by a memory of rows that have
some, `HopfieldNovelty` tells what is unlike all rows by its energy, and `HopfieldImputer` fills in
the gaps of rows.

They need the extra `sklearn`; nothing else of attrax imports them.
"""

import importlib as _importlib

try:
    _importlib.import_module("sklearn")
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    raise ImportError(
        'attrax.estimators needs scikit-learn: pip install "attrax[sklearn]".'
    ) from None

from .clam import ClAMClusterer as ClAMClusterer
from .imputer import HopfieldImputer as HopfieldImputer
from .labels import HopfieldClassifier as HopfieldClassifier
from .labels import HopfieldRegressor as HopfieldRegressor
from .novelty import HopfieldNovelty as HopfieldNovelty
