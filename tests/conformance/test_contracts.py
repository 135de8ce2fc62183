"""What stores, spaces and dynamics are asked for is declared, and nothing that is declared is
overridden."""

import ast
import inspect

import attrax
from attrax import dynamics, models, spaces, stores
from attrax.spaces import AbstractSpace

ROOTS = (stores.AbstractStore, AbstractSpace, dynamics.AbstractDynamics)
# Loads them all.
LOADED = [attrax.Memory, attrax.MatrixMemory, attrax.HierarchicalMemory, models.BinaryMemory]


def subclasses(cls):
    found = [cls]
    for sub in cls.__subclasses__():
        found += subclasses(sub)
    return [c for c in dict.fromkeys(found) if c.__module__.startswith("attrax.")]


def declared():
    """The names that a store, a space or a dynamics may be asked for."""
    abstract = [
        *(cls for root in ROOTS for cls in subclasses(root) if inspect.isabstract(cls)),
        *(thing for thing in vars(spaces).values() if inspect.isclass(thing)),
    ]
    names = {name for cls in abstract for name in (*vars(cls), *cls.__annotations__)}
    return {name for name in names if not name.startswith("_")}


def guesses(source, names):
    """`hasattr` and `getattr` with one of some names, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id in ("hasattr", "getattr") and len(node.args) > 1:
            name = node.args[1]
            if isinstance(name, ast.Constant) and name.value in names:
                found.append((node.lineno, name.value))
    return found


def test_the_names_are_found():
    names = declared()
    assert {"space", "width", "units", "read", "relax", "sweep", "geometry", "coupled"} <= names
    assert {"magnitude", "step", "begin", "run", "random", "known", "recurrent"} <= names
    assert guesses("x = getattr(space, 'relax', space.pull)", names) == [(1, "relax")]
    assert guesses("x = hasattr(memory, 'width')", names) == [(1, "width")]
    assert not guesses("getattr(array, 'shape', ())", names)


def test_nothing_is_guessed_of_stores_spaces_and_dynamics(root):
    # Arrays of any library are asked for their dtype.
    names = declared() - {"dtype"}
    found = {
        path.relative_to(root).as_posix(): lines
        for path in sorted((root / "src").rglob("*.py"))
        if (lines := guesses(path.read_text("utf-8"), names))
    }
    assert not found


def overridden(cls):
    """Methods of a class that a base had made already."""
    return [
        name
        for name, thing in vars(cls).items()
        if inspect.isfunction(thing) and not name.startswith("__")
        for base in cls.__mro__[1:]
        if name in vars(base) and not getattr(vars(base)[name], "__isabstractmethod__", False)
    ]


def test_every_store_space_and_dynamics_is_abstract_or_final():
    seen = [cls for root in ROOTS for cls in subclasses(root)]
    assert set(LOADED) <= set(seen)
    for cls in seen:
        assert not overridden(cls), cls
        finals = [b for b in cls.__mro__[1:] if b in seen and not inspect.isabstract(b)]
        assert not finals, cls


def test_an_override_is_seen():
    class Other(dynamics.Iterate):
        def step(self, space, state, memo, number, key):
            return state, memo, self.limit

    assert overridden(Other) == ["step"]
