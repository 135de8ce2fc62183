"""A new public part takes part in the laws, or the suite fails."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from attrax import separation, similarity

REGISTRY = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "registry.py")))
RANGES = ("signed", "positive", "non-negative", "non-positive")


@pytest.mark.parametrize(
    ("package", "instances"),
    [(separation, REGISTRY.SEPARATIONS), (similarity, REGISTRY.SIMILARITIES)],
    ids=["separation", "similarity"],
)
def test_every_public_class_is_registered(package, instances):
    registered = {type(instance).__name__ for instance in instances.values()}
    assert REGISTRY.public(package) == registered


def test_a_new_class_would_be_missed():
    package = SimpleNamespace(**vars(separation), Newcomer=type("Newcomer", (), {}))
    registered = {type(instance).__name__ for instance in REGISTRY.SEPARATIONS.values()}
    assert REGISTRY.public(package) - registered == {"Newcomer"}


@pytest.mark.parametrize("name", REGISTRY.SEPARATIONS)
def test_separations_declare_themselves(name):
    part = REGISTRY.SEPARATIONS[name]
    assert isinstance(part.normalised, bool)
    assert isinstance(part.non_negative, bool)
    assert part.domain in RANGES
    assert part.lacks_potential is None or len(part.lacks_potential) > 20


@pytest.mark.parametrize("name", REGISTRY.SIMILARITIES)
def test_similarities_declare_themselves(name):
    part = REGISTRY.SIMILARITIES[name]
    assert part.range in RANGES
    assert isinstance(part.rowwise, bool)
    assert (part.centroid is None) == (part.lacks_centroid is not None)
