"""Words of two letters: primitives below, rules above."""

from typing import NamedTuple

import numpy as np

from ..dynamics import Iterate
from ..models import blocks_and_rules
from ..retrieval import retrieve
from .krotov_hopfield_2020_energy import largest_rise

SHAPE = (7, 5)
# Three letters for each place; three of the nine words are stored.
LETTERS = ("GUI", "OPT")
WORDS = ("GO", "UP", "IT")
_GLYPHS = {
    "G": "01110 10001 10000 10111 10001 10001 01110",
    "U": "10001 10001 10001 10001 10001 10001 01110",
    "I": "11111 00100 00100 00100 00100 00100 11111",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "P": "11110 10001 10001 11110 10000 10000 10000",
    "T": "11111 00100 00100 00100 00100 00100 00100",
}


class Words(NamedTuple):
    """What became of damaged words.

    - `kinds`: of damage.
    - `cues`, `found`, `alone`: pictures (kinds, cues, 2, 35), as shown, as completed, and as
      completed without rules.
    - `stored`: the share that ends as one of the stored words, right in every pixel, by kind.
    - `completed`: the share that ends as the word that was damaged.
    - `unaided`: likewise without rules.
    - `rise`: the largest rise of the energy, in units of its largest term.
    """

    kinds: tuple[str, ...]
    cues: np.ndarray
    found: np.ndarray
    alone: np.ndarray
    stored: np.ndarray
    completed: np.ndarray
    unaided: np.ndarray
    rise: float


def glyph(letter: str) -> np.ndarray:
    """A letter of 7 × 5 pixels, +1 for ink and −1 for paper."""
    return 2.0 * np.array([int(bit) for bit in _GLYPHS[letter].replace(" ", "")]) - 1


def words(cues: int, seed: int) -> Words:
    """Complete each stored word, with one letter lost in noise, or both damaged."""
    rng = np.random.default_rng(seed)
    primitives = np.stack([[glyph(letter) for letter in block] for block in LETTERS])
    rules = np.array(
        [[LETTERS[i].index(letter) for i, letter in enumerate(word)] for word in WORDS]
    )
    network = blocks_and_rules(primitives, rules)
    targets = primitives[np.arange(2), rules[np.arange(cues) % len(WORDS)]]
    noise = rng.choice((-1.0, 1.0), targets.shape)
    flip = np.where(rng.random(targets.shape) < 0.1, -1.0, 1.0)
    many = np.where(rng.random(targets.shape) < 0.2, -1.0, 1.0)
    lost = np.arange(2)[None, :, None]
    kinds = {
        "second letter lost": np.where(lost == 1, noise, targets * flip),
        "first letter lost": np.where(lost == 0, noise, targets * flip),
        "20 % of pixels": targets * many,
    }
    shown = np.stack(list(kinds.values()))
    queries = shown.reshape(-1, targets[0].size)
    with_rules = retrieve(network, queries, Iterate(max_steps=100), certify=True)
    without = retrieve(network.without("rules"), queries, Iterate(max_steps=100))
    found, alone = (np.asarray(r.state).reshape(shown.shape) for r in (with_rules, without))
    return Words(
        tuple(kinds),
        shown,
        found,
        alone,
        np.mean(np.any([_same(found, word) for word in targets[: len(WORDS)]], axis=0), axis=1),
        np.mean(_same(found, targets), axis=1),
        np.mean(_same(alone, targets), axis=1),
        float(np.max(largest_rise(with_rules))),
    )


def _same(found, words) -> np.ndarray:
    """Whether every pixel has the sign that it has in a word."""
    return np.all(np.sign(found) == words, axis=(2, 3))
