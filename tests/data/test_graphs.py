"""Worlds that are graphs, and walks on them."""

import re

import jax
import numpy as np
import pytest

from attrax.data import graph_world, random_walk

KEY = jax.random.key(0)


@pytest.mark.parametrize("links", [4, 6])
def test_actions_change_places_and_can_be_undone(links):
    world = graph_world(5, 7, links=links, symbols=9, key=KEY)
    neighbours, places = np.asarray(world.neighbours), np.asarray(world.places)
    assert neighbours.shape == (35, links)
    node, action = np.nonzero(neighbours >= 0)
    reached = neighbours[node, action]
    np.testing.assert_array_equal(places[reached], places[node] + np.asarray(world.moves)[action])
    undo = action ^ 1
    np.testing.assert_array_equal(neighbours[reached, undo], node)
    # Nodes inside have all links, and those at a border have fewer.
    inside = ((places > 0) & (places < [4, 6])).all(1)
    np.testing.assert_array_equal((neighbours >= 0).all(1), inside)
    assert set(np.asarray(world.observations).tolist()) <= set(range(9))


@pytest.mark.parametrize("links", [4, 6])
def test_walks_follow_links_and_say_which_are_new(links):
    world = graph_world(4, links=links, symbols=5, key=KEY)
    walk = jax.tree.map(np.asarray, random_walk(world, 200, key=jax.random.key(1)))
    neighbours = np.asarray(world.neighbours)
    np.testing.assert_array_equal(neighbours[walk.nodes[:-1], walk.actions], walk.nodes[1:])
    np.testing.assert_array_equal(walk.observations, np.asarray(world.observations)[walk.nodes])
    seen, taken = {walk.nodes[0]}, set()
    assert not walk.visited[0]
    for t, link in enumerate(zip(walk.nodes[:-1], walk.actions, strict=True), start=1):
        node = walk.nodes[t]
        assert walk.visited[t] == (node in seen)
        assert walk.untaken[t] == (node in seen and link not in taken)
        seen.add(node)
        taken.add(link)
    assert walk.untaken.any()
    assert set(walk.actions.tolist()) == set(range(links))


def test_many_worlds_share_rules_and_no_observations():
    worlds = jax.vmap(lambda key: graph_world(3, key=key))(jax.random.split(KEY, 20))
    neighbours = np.asarray(worlds.neighbours)
    assert (neighbours == neighbours[0]).all()
    assert len({tuple(row) for row in np.asarray(worlds.observations).tolist()}) == 20
    walks = jax.vmap(lambda key: random_walk(graph_world(3, key=key), 9, key=key))
    starts = np.asarray(walks(jax.random.split(KEY, 200)).nodes)[:, 0]
    assert set(starts.tolist()) == set(range(9))


SETTING = """
import jax
from attrax.data import graph_world, random_walk
KEY = jax.random.key(0)
world = graph_world(3, key=KEY)
"""
CASES = {
    "graph_world(0, key=KEY)": "ValueError: `rows` must be a positive whole number",
    "graph_world(3, 2.0, key=KEY)": "ValueError: `columns` must be a positive whole number",
    "graph_world(1, key=KEY)": "ValueError: `rows` is 1 .* there must be two nodes",
    "graph_world(3, links=8, key=KEY)": "ValueError: `links` must be 4 or 6, but it is 8",
    "graph_world(3, symbols=0, key=KEY)": "ValueError: `symbols` must be a positive whole number",
    "random_walk(3, 5, key=KEY)": "TypeError: `world` must be a GraphWorld",
    "random_walk(world, 1, key=KEY)": "ValueError: `steps` must be a whole number of at least 2",
    "random_walk(world, 5, key=7)": "TypeError: `key` must be one key",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
