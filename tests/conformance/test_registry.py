"""A new public part takes part in the laws, or the suite fails."""

from types import SimpleNamespace

import pytest

from attrax import hierarchical, separation, similarity
from attrax.hierarchical import AbstractLagrangian, AbstractSynapse
from conformance import registry

RANGES = ("signed", "positive", "non-negative", "non-positive")


@pytest.mark.parametrize(
    ("package", "instances"),
    [(separation, registry.SEPARATIONS), (similarity, registry.SIMILARITIES)],
    ids=["separation", "similarity"],
)
def test_every_public_class_is_registered(package, instances):
    registered = {type(instance).__name__ for instance in instances.values()}
    assert registry.public(package) == registered


def test_every_lagrangian_and_synapse_is_registered():
    lagrangians = {type(lagrangian).__name__ for lagrangian in registry.LAGRANGIANS.values()}
    assert registry.kinds(hierarchical, AbstractLagrangian) == lagrangians
    synapses = {type(synapse).__name__ for synapse, _ in registry.SYNAPSES.values()}
    assert registry.kinds(hierarchical, AbstractSynapse) == synapses


def test_a_new_class_would_be_missed():
    package = SimpleNamespace(**vars(separation), Newcomer=type("Newcomer", (), {}))
    registered = {type(instance).__name__ for instance in registry.SEPARATIONS.values()}
    assert registry.public(package) - registered == {"Newcomer"}
    newcomer = type("Newcomer", (AbstractSynapse,), {})
    package = SimpleNamespace(**vars(hierarchical), Newcomer=newcomer)
    known = registry.kinds(hierarchical, AbstractSynapse)
    assert registry.kinds(package, AbstractSynapse) - known == {"Newcomer"}


@pytest.mark.parametrize("name", registry.SEPARATIONS)
def test_separations_declare_themselves(name):
    part = registry.SEPARATIONS[name]
    assert isinstance(part.normalised, bool)
    assert isinstance(part.non_negative, bool)
    assert part.domain in RANGES
    assert part.lacks_potential is None or len(part.lacks_potential) > 20


@pytest.mark.parametrize("name", registry.SIMILARITIES)
def test_similarities_declare_themselves(name):
    part = registry.SIMILARITIES[name]
    assert part.range in RANGES
    assert isinstance(part.rowwise, bool)
    assert (part.centroid is None) == (part.lacks_centroid is not None)


@pytest.mark.parametrize("name", registry.LAGRANGIANS)
def test_lagrangians_declare_themselves(name):
    part = registry.LAGRANGIANS[name]
    assert part.domain in RANGES
    assert isinstance(part.non_negative, bool)
    assert isinstance(part.elementwise, bool)
    assert part.lacks_convexity is None


@pytest.mark.parametrize("name", registry.SYNAPSES)
def test_synapses_declare_themselves(name):
    part, shapes = registry.SYNAPSES[name]
    for answers, allowed in ((part.linear, (True, False)), (part.drives, RANGES)):
        several = answers if isinstance(answers, tuple) else (answers,) * len(shapes)
        assert len(several) == len(shapes)
        assert set(several) <= set(allowed)
