"""No source asks whether a part is of one certain class of another room, or guesses at names.

What others need to know of a part is declared on it, so that a part from outside answers as those
of attrax do.
"""

import ast
import importlib
import inspect

import pytest

import attrax
from attrax import (
    dynamics,
    hierarchical,
    learning,
    models,
    nn,
    separation,
    similarity,
    spaces,
    stores,
)

ROOMS = (
    attrax,
    dynamics,
    hierarchical,
    learning,
    models,
    nn,
    separation,
    similarity,
    spaces,
    stores,
)
ROOTS = (
    dynamics.AbstractDynamics,
    hierarchical.AbstractLagrangian,
    hierarchical.AbstractSynapse,
    learning.AbstractPlasticity,
    learning.AbstractRule,
    learning.AbstractSlotSelector,
    separation.AbstractSeparation,
    similarity.AbstractCentroid,
    similarity.AbstractSimilarity,
    spaces.AbstractSpace,
    stores.AbstractStore,
)
# What may ask for one certain class, and why.
CLASSES = {
    ("evaluate/landscapes.py", "Memory"): "rows with values are drawn by the energy of their keys",
    ("learning/plasticity.py", "Memory"): "slots are places for rows, which no other store has",
    ("learning/rules.py", "MatrixMemory"): "a rule writes couplings, which no other store has",
    ("models/hopfield.py", "MatrixMemory"): "couplings become the synapse of a network",
    ("training/completion.py", "Memory"): "entries are filled in from rows, in their units",
    ("training/parameters.py", "HierarchicalMemory"): "its frozen parts are named, and no field's",
}
# What may be asked for by name, and why.
NAMES = {
    ("common/checks.py", "__name__"): "functions have one, what else can be called need not",
    ("bibliography.py", "__name__"): "anything at all may be cited",
    ("bibliography.py", "__qualname__"): "anything at all may be cited",
    ("training/checkpoint.py", "_fields"): "named tuples have no class in common",
}


def subclasses(cls):
    found = set(cls.__subclasses__())
    return found.union(*map(subclasses, found))


def leaves():
    """The classes of attrax that parts are instances of: a class to the room it is in."""
    found = set().union(*map(subclasses, ROOTS))
    return {
        cls: cls.__module__.split(".")[1]
        for cls in found
        if cls.__module__.startswith("attrax.") and not inspect.isabstract(cls)
    }


def named(node):
    """The names in what `isinstance` is given, whether alone, in a tuple, a union or a module."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def calls(node, *functions):
    """Whether a node calls one of some functions by name."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in functions
        and bool(node.args)
    )


def classes_asked_for(source):
    """The names to which some value's class is compared."""
    for node in ast.walk(ast.parse(source)):
        if calls(node, "isinstance", "issubclass"):
            yield from named(node.args[1])
        elif isinstance(node, ast.Compare) and calls(node.left, "type"):
            for other in node.comparators:
                yield from named(other)


def names_guessed(source):
    """The literal names that `hasattr` and `getattr` are given."""
    for node in ast.walk(ast.parse(source)):
        if calls(node, "hasattr", "getattr") and isinstance(node.args[1], ast.Constant):
            yield node.args[1].value


def asked_by(room, source, scope):
    """The leaves of other rooms that a source asks for.

    **Arguments:**

    - `room`: that of the source.
    - `scope`: its names and what they stand for.
    """
    rooms = leaves()
    by_name = {cls.__name__: cls for cls in rooms}
    asked = {scope.get(name, by_name.get(name)) for name in classes_asked_for(source)}
    return {cls for cls in asked if isinstance(cls, type) and rooms.get(cls, room) != room}


@pytest.fixture
def sources(root):
    """Path within attrax, text, and module of every source but of papers, the CLI and extras."""
    base = root / "src" / "attrax"
    found = []
    for path in sorted(base.rglob("*.py")):
        where = path.relative_to(base)
        if where.parts[0] not in ("papers", "cli", "estimators", "torch"):
            name = ".".join(("attrax", *where.with_suffix("").parts)).removesuffix(".__init__")
            found.append((where.as_posix(), path.read_text("utf-8"), name))
    return found


def test_every_public_part_is_looked_for():
    found = leaves()
    public = {
        thing
        for room in ROOMS
        for name in dir(room)
        if inspect.isclass(thing := getattr(room, name))
        and issubclass(thing, ROOTS)
        and not inspect.isabstract(thing)
    }
    assert public <= set(found)
    assert found[separation.Softmax] == "separation"
    assert found[type(similarity.Manhattan().centroid)] == "similarity"
    assert found[attrax.Memory] == "stores"
    assert len(found) > 60


def test_no_source_asks_for_one_certain_class_of_another_room(sources):
    found = set()
    for path, source, name in sources:
        scope = vars(importlib.import_module(name))
        room = path.split("/")[0].removesuffix(".py")
        found |= {(path, cls.__name__) for cls in asked_by(room, source, scope)}
    assert found == set(CLASSES)


def test_no_source_guesses_at_names(sources):
    found = {(path, name) for path, source, _ in sources for name in names_guessed(source)}
    assert found == set(NAMES)


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(part, Softmax)",
        "isinstance(part, (int, sep.Softmax))",
        "not isinstance(part.separation, int | Softmax)",
        "issubclass(type(part), Softmax)",
        "type(part) is Softmax",
        "type(part) in (Softmax, int)",
        "isinstance(part, Other)",
    ],
)
def test_a_question_for_a_class_is_seen(source):
    scope = {"Other": separation.Softmax, "int": int}
    assert asked_by("stores", source, scope) == {separation.Softmax}
    assert asked_by("separation", source, scope) == set()


def test_other_questions_are_not_taken_for_it():
    scope = vars(separation)
    assert not asked_by("stores", "isinstance(part, AbstractSeparation | int)", scope)
    assert not asked_by("stores", "part = Softmax(2.0)", scope)


def test_a_guess_is_seen():
    source = "getattr(part, 'beta', None) or hasattr(part, 'fn') or getattr(part, name)"
    assert list(names_guessed(source)) == ["beta", "fn"]
