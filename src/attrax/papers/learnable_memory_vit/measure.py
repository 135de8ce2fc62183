"""Logits with tasks attached and alone, and small transformers adapted to other images."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from attrax.nn import AdaptedTransformer, ImageTransformer, MemoryTokens
from attrax.training import train

from ..classifiers import adam, count_weights
from ..contract import NotRun, wide

SIDE, DEPTH = 8, 3
DIGITS, FASHION = "0-4 to 5-9", ("fashion to digits", "digits to fashion")
CELLS = (0, 1, 5, 20)
# Training and test images of each set, at most.
_COUNT, _TEST, _BATCH = 2000, 400, 32


def _bare(key, classes: int) -> ImageTransformer:
    shape = (SIDE, SIDE)
    return ImageTransformer(shape, classes, patch=2, size=32, heads=4, depth=DEPTH, key=key)


def drawn(rng: np.random.Generator, draws: int, tasks: int, rows: int = 4) -> tuple[Any, list]:
    """Transformers and tasks all of whose arrays are normal numbers, biases and gains too."""
    key = jax.random.key(0)

    def fill(leaf):
        if not isinstance(leaf, jax.ShapeDtypeStruct):
            return leaf
        return jnp.asarray(0.5 * rng.normal(size=(draws, *leaf.shape)))

    bare = eqx.filter_eval_shape(lambda: _bare(key, 5))
    task = eqx.filter_eval_shape(lambda: MemoryTokens(bare, 3, rows, key=key))
    backbone = jax.tree.map(fill, bare)
    backbone = eqx.tree_at(lambda m: m.blocks.attention.beta, backbone, replace_fn=jnp.abs)
    return backbone, [jax.tree.map(fill, task) for _ in range(tasks)]


@eqx.filter_jit
def logits(models, images):
    """What each of several models answers to images of its own, or to common ones."""
    axis = 0 if images.ndim == 4 else None

    def one(model, rows):
        return jax.vmap(model)(rows)

    return eqx.filter_vmap(one, in_axes=(eqx.if_array(0), axis))(models, images)


def attach(backbones, tasks, attention: Any = "concatenated"):
    """Several transformers, each with tasks of its own."""
    return eqx.filter_vmap(lambda b, t: AdaptedTransformer(b, t, attention))(backbones, tasks)


class Answers(NamedTuple):
    """Logits of drawn models: the transformer's own first, then those of its tasks.

    - `bare`: of the transformer without tasks.
    - `alone`: with one task, for each of two.
    - `both`, `extended`: with both, by the mask.
    - `swapped`: with both, the second being another one.
    - `square`: of both by NumPy, rows being tokens whose outputs are thrown away in each layer.
    """

    bare: np.ndarray
    alone: list
    both: list
    extended: list
    swapped: list
    square: list


@wide
def answers(run) -> Answers:
    """Logits of three drawn transformers for five drawn images."""
    rng = np.random.default_rng(run.seed)
    draws = run.pick("answers.draws", quick=3, full=20)
    backbone, tasks = drawn(rng, draws, 3)
    images = jnp.asarray(rng.random((5, SIDE, SIDE)))

    def ask(tasks, attention="concatenated"):
        return [np.asarray(x) for x in logits(attach(backbone, tasks, attention), images)]

    both = attach(backbone, tasks[:2])
    squares = [
        [reference(take(both, i), image)[0] for image in np.asarray(images)] for i in range(draws)
    ]
    return Answers(
        np.asarray(logits(backbone, images)),
        [ask([task]) for task in tasks[:2]],
        ask(tasks[:2]),
        ask(tasks[:2], "extended"),
        ask(tasks[::2]),
        [np.array([[one[t] for one in member] for member in squares]) for t in range(3)],
    )


def apart(found, wanted) -> float:
    """The largest difference, over the largest number."""
    return float(np.max(np.abs(found - wanted)) / np.max(np.abs(wanted)))


def take(models, index: int):
    """One of several models, in NumPy."""
    return jax.tree.map(lambda x: np.asarray(x)[index] if eqx.is_array(x) else x, models)


def reference(model, image: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Logits by the formulas of the paper, in NumPy, and weights (layers, heads, tokens, keys).

    Rows of the memory are tokens like any other, which read all, and are thrown away after each
    block. Masked scores are −∞.
    """
    own, side = model.backbone, model.backbone.patch
    cells = SIDE // side
    patches = image.reshape(cells, side, cells, side).swapaxes(1, 2).reshape(cells**2, -1)
    rows = np.concatenate([own.token[None], _mapped(own.embedding, patches)]) + own.positions
    rows = np.concatenate([rows, [task.token for task in model.tasks]])
    mask, read = np.asarray(model.mask), []
    mask = np.concatenate([mask, np.ones((mask.shape[1] - len(rows), mask.shape[1]), bool)])
    for layer in range(own.depth):
        block = take(own.blocks, layer)
        z = np.concatenate([rows, *(task.rows[layer] for task in model.tasks)])
        inner, maps = _normed(block.around_attention.norm, z), block.attention
        q, k, v = (
            _mapped(m, inner).reshape(len(z), maps.heads, -1).swapaxes(0, 1)
            for m in (maps.query_map, maps.key_map, maps.value_map)
        )
        scores = maps.beta[:, None, None] * (q @ k.swapaxes(1, 2))
        scores = np.exp(np.where(mask, scores, -np.inf) - scores.max(-1, keepdims=True))
        weights = scores / scores.sum(-1, keepdims=True)
        z = z + _mapped(maps.output_map, (weights @ v).swapaxes(0, 1).reshape(len(z), -1))
        wide = _mapped(block.feedforward.wide, _normed(block.around_feedforward.norm, z))
        tanh = np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3))
        z = z + _mapped(block.feedforward.narrow, 0.5 * wide * (1 + tanh))
        rows = z[: len(rows)]
        read.append(weights[:, : len(rows)])
    rows = _normed(own.norm, rows)
    heads = [own.head, *(task.head for task in model.tasks)]
    places = [0, *range(1 + cells**2, len(rows))]
    return [_mapped(m, rows[i]) for m, i in zip(heads, places, strict=True)], np.array(read)


def _mapped(layer, rows):
    return rows @ layer.weight.T + layer.bias


def _normed(layer, rows):
    centred = rows - rows.mean(-1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, -1, keepdims=True) + layer.eps)
    return centred / spread * layer.weight + layer.bias


def masks(run) -> dict[str, np.ndarray]:
    """The masks of three tasks of 4, 0 and 2 rows, by kind of attention."""
    key = jax.random.key(run.seed)
    bare = eqx.filter_eval_shape(lambda: _bare(key, 5))
    tasks = [
        eqx.filter_eval_shape(lambda rows=rows: MemoryTokens(bare, 5, rows, key=key))
        for rows in (4, 0, 2)
    ]
    kinds: Any = ("concatenated", "extended", "full")
    return {kind: np.asarray(AdaptedTransformer(bare, tasks, kind).mask) for kind in kinds}


class Counted(NamedTuple):
    """How many numbers a task has, and m D L + D + (D + 1) C, by setting; those of ViT-B/32 last,
    with those of the transformer itself."""

    found: np.ndarray
    expected: np.ndarray
    backbone: int


def counted(run) -> Counted:
    """Tasks of several sizes, none of which is drawn."""
    found, expected, own = [], [], 0
    key = jax.random.key(run.seed)
    for side, patch, size, depth, rows, classes in (
        *((8, 2, 32, 3, rows, 5) for rows in CELLS),
        (28, 4, 64, 2, 7, 10),
        (224, 32, 768, 12, 5, 1000),
    ):
        make = functools.partial(ImageTransformer, (side, side, 3), 9, patch=patch, size=size)
        bare = eqx.filter_eval_shape(functools.partial(make, heads=4, depth=depth, key=key))
        task = eqx.filter_eval_shape(
            lambda bare=bare, classes=classes, rows=rows: MemoryTokens(bare, classes, rows, key=key)
        )
        own, numbers = (
            sum(int(np.prod(x.shape)) for x in jax.tree.leaves(part) if hasattr(x, "shape"))
            for part in (bare, task)
        )
        found.append(numbers)
        expected.append(rows * size * depth + size + (size + 1) * classes)
    return Counted(np.array(found), np.array(expected), own)


class Images(NamedTuple):
    """Images (members, n, 8, 8) with labels to learn from, and others to be judged by."""

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.y.max()) + 1


def images(run, name: str) -> Images:
    """Images of one domain, divided at random for each member: half of the digits, all of them, or
    Fashion-MNIST, whose 24 × 24 inner pixels are averaged over squares of 3 × 3."""
    loaded = run.load("fashion-mnist" if name == "fashion" else "digits")
    pictures, labels = loaded.images, loaded.y
    if pictures.shape[1:] == (28, 28):
        pictures = pictures[:, 2:26, 2:26].reshape(-1, 8, 3, 8, 3).mean((2, 4))
    if pictures.shape[1:] != (SIDE, SIDE) or len(loaded.classes) != 10:
        raise ValueError("`data` must have ten classes of images of 8 × 8 or 28 × 28.")
    first, last = {"0-4": (0, 4), "5-9": (5, 9)}.get(name, (0, 9))
    kept = np.flatnonzero((labels >= first) & (labels <= last))
    test = min(_TEST, len(kept) // 4)
    count = min(_COUNT, len(kept) - test)
    members = run.pick("members", quick=3, full=4)
    rngs = [np.random.default_rng((run.seed, i)) for i in range(members)]
    order = np.stack([rng.permutation(kept)[: test + count] for rng in rngs])
    y = (labels - first).astype(np.int32)
    held, learnt = order[:, :test], order[:, test:]
    return Images(pictures[learnt], y[learnt], pictures[held], y[held])


class Learnt(NamedTuple):
    """Models that were trained side by side, and their accuracy on images left out, by member."""

    models: Any
    accuracy: np.ndarray


def accuracy(models, given: Images) -> np.ndarray:
    """Shares of test images that are classified right, by the last of several answers."""
    return np.mean(np.asarray(_classify(models, given.test_x)) == given.test_y, axis=1)


@eqx.filter_jit
def _classify(models, pictures):
    return jnp.argmax(_last(models, pictures), -1)


def _last(models, pictures):
    found = logits(models, pictures)
    return found[-1] if isinstance(found, tuple) else found


def _loss(models, batch):
    found = _last(models, batch[0])
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(found, batch[1]))


def fit(run, models, given: Images, steps: int, trainable: Callable | None = None) -> Learnt:
    """The models after some steps of Adam, each on batches of its own images."""
    seed = run.seed
    members = np.arange(len(given.x))[:, None]

    def batches(step: int):
        rng = np.random.default_rng((seed, step))
        index = rng.integers(0, given.x.shape[1], (len(members), _BATCH))
        return given.x[members, index], given.y[members, index]

    optimizer = adam(3e-3, steps)
    found = train(models, _loss, batches, steps=steps, optimizer=optimizer, trainable=trainable)
    return Learnt(found.model, accuracy(found.model, given))


def domains(pair: str) -> tuple[str, str]:
    """What is learnt first, and what then."""
    first, then = pair.split(" to ")
    return first, then


def pretrained(run, pair: str) -> Learnt:
    """Transformers that have learnt the first images of a pair."""
    if pair in FASHION and not run.pick("fashion", quick=0, full=1):
        raise NotRun("needs some minutes: attrax reproduce learnable-memory-vit --profile full")
    given = run(images, domains(pair)[0])
    keys = jax.random.split(jax.random.key(run.seed), len(given.x))
    models = stacked([_transformer(key, given.classes) for key in keys])
    return fit(run, models, given, run.pick("steps.first", quick=200, full=300))


_transformer = eqx.filter_jit(_bare)


@eqx.filter_jit
def _task(key, backbone, classes, rows):
    return MemoryTokens(backbone, classes, rows, key=key)


def stacked(models):
    """Several models as one, with a leading axis of members."""
    return jax.tree.map(
        lambda *x: jnp.asarray(np.stack(x)) if eqx.is_array(x[0]) else x[0], *models
    )


def adapted(run, pair: str, kind: str, rows: int = 5, attention: str = "concatenated") -> Learnt:
    """The same transformers after they have learnt the other images of a pair.

    `kind` says what learns: "head", a new head; "full", all and a new head; or "rows", a task of
    so many rows a layer. All make the same steps on the same batches.
    """
    if (rows, attention) != (5, "concatenated") and not run.pick("rows", quick=0, full=1):
        raise NotRun("needs some minutes: attrax reproduce learnable-memory-vit --profile full")
    before, given = run(pretrained, pair).models, run(images, domains(pair)[1])
    keys = jax.random.split(jax.random.key(run.seed + 1000), len(given.x))
    tasks = stacked([_task(key, before, given.classes, rows) for key in keys])
    # A head alone learns slowly: with so many steps, more bring it little.
    steps = run.pick("steps.then", quick=300, full=600)
    if kind == "rows":
        return fit(run, attach(before, [tasks], attention), given, steps, lambda m: m.tasks)
    model = eqx.tree_at(lambda m: m.head, before, tasks.head)
    return fit(run, model, given, steps, (lambda m: m.head) if kind == "head" else None)


class Kept(NamedTuple):
    """What was learnt first, after what was learnt then.

    - `before`, `attached`, `tuned` (members,): accuracy on the first images: at first, by the
      transformer's own logits with a trained task, and of transformers of which all was trained,
      with their first head.
    - `moved`: how many numbers of the transformers the task's training changed.
    - `apart`: the largest difference of their logits with the task and without, over the largest.
    """

    before: np.ndarray
    attached: np.ndarray
    tuned: np.ndarray
    moved: int
    apart: float


def kept(run, pair: str) -> Kept:
    """The old images, asked again."""
    old, first = run(images, domains(pair)[0]), run(pretrained, pair)
    task, full = run(adapted, pair, "rows").models, run(adapted, pair, "full").models
    own = jax.tree.leaves(eqx.filter(first.models, eqx.is_array))
    now = jax.tree.leaves(eqx.filter(task.backbone, eqx.is_array))
    moved = sum(int(np.sum(np.asarray(a) != np.asarray(b))) for a, b in zip(own, now, strict=True))
    with_task, without = (
        np.asarray(logits(task, old.test_x)[0]),
        np.asarray(logits(first.models, old.test_x)),
    )
    tuned = eqx.tree_at(lambda m: m.head, full, first.models.head)
    right = np.mean(with_task.argmax(-1) == old.test_y, axis=1)
    return Kept(first.accuracy, right, accuracy(tuned, old), moved, apart(with_task, without))


def numbers(run, pair: str, rows: int) -> tuple[int, int]:
    """How many numbers learn, of a task and of a whole transformer."""
    members = len(run(images, domains(pair)[1]).x)
    task = run(adapted, pair, "rows", rows).models.tasks
    return count_weights(task) // members, count_weights(run(pretrained, pair).models) // members


def looks(run, pair: str) -> np.ndarray:
    """What the new class token reads, (4, layers): shares of patches, of the first class token, of
    itself and of the rows of its task, mean over heads, members and twenty images."""
    models, given = run(adapted, pair, "rows").models, run(images, domains(pair)[1])
    found = []
    for i, pictures in enumerate(given.test_x[:, :20]):
        model = take(models, i)
        weights = np.array([reference(model, np.asarray(image))[1] for image in pictures])
        own = weights[:, :, :, -1].mean((0, 2))
        patches = model.backbone.patches
        parts = np.split(own, (1, 1 + patches, 2 + patches), axis=1)
        found.append([part.sum(1) for part in (parts[1], parts[0], parts[2], parts[3])])
    return np.mean(found, axis=0)
