"""`save` and `load`: what was stored comes back, and no damaged or hostile file does harm."""

import hashlib
import json
import os
import struct

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax import FileFormatError
from attrax.separation import Identity, Power, Softmax
from attrax.similarity import Dot, Kernel
from conformance import registry

pytestmark = pytest.mark.contract
PLAIN = ("function", "function_rowwise", "kernel")
ROWS = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)


def memory_of(**options):
    options = {"similarity": Dot(), "separation": Softmax(2.0), **options}
    return attrax.Memory(ROWS, **options)


def parts(path):
    """Header and arrays of a file."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[8:16])[0]
    return json.loads(raw[16 : 16 + length]), raw[16 + length : -32]


def write(path, header, body):
    """A file with a right checksum, as somebody who means harm would write it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    check = hashlib.sha256(text + body).digest()
    path.write_bytes(b"ATTRAX\x001" + struct.pack("<Q", len(text)) + text + body + check)


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "memory.attrax"
    attrax.save(path, memory_of(values=ROWS[:, :3], capacity=20, block=4))
    return path


@pytest.mark.parametrize("name", [n for n in registry.SEPARATIONS if n not in PLAIN])
def test_every_separation_comes_back(name, tmp_path):
    separation = registry.SEPARATIONS[name]
    memory = attrax.Memory(
        registry.rows_of(registry.similarity_for(separation), np.random.default_rng(0)),
        similarity=registry.similarity_for(separation),
        separation=separation,
    )
    attrax.save(tmp_path / "m", memory)
    found = attrax.load(tmp_path / "m")
    assert_same(found, memory)
    np.testing.assert_array_equal(found(memory.keys[0]), memory(memory.keys[0]))


@pytest.mark.parametrize("name", [n for n in registry.SIMILARITIES if n not in PLAIN])
def test_every_similarity_comes_back(name, tmp_path):
    similarity = registry.SIMILARITIES[name]
    rows = registry.rows_of(similarity, np.random.default_rng(0))
    memory = attrax.Memory(rows, similarity=similarity, separation=Softmax(2.0))
    attrax.save(tmp_path / "m", memory)
    assert_same(attrax.load(tmp_path / "m"), memory)


def test_the_default_comes_back_with_values_room_and_writing(saved):
    memory = memory_of(values=ROWS[:, :3], capacity=20, block=4)
    found = attrax.load(saved)
    assert_same(found, memory)
    grown = found.write(jnp.asarray(ROWS[0] + 1), jnp.ones(3))
    assert len(grown) == 13


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64])
def test_every_type_comes_back(dtype, tmp_path):
    with jax.enable_x64(dtype is jnp.float64):
        memory = attrax.Memory(jnp.asarray(ROWS, dtype), similarity=Dot(), separation=Softmax(2.0))
        assert memory.keys.dtype == dtype
        attrax.save(tmp_path / "m", memory)
        assert_same(attrax.load(tmp_path / "m"), memory)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"similarity": lambda keys, query: keys @ query}, r"similarity\.fn"),
        ({"similarity": Kernel(jnp.sin)}, r"similarity\.feature_map"),
        ({"separation": jax.nn.softmax}, r"separation\.fn"),
    ],
)
def test_plain_functions_are_refused_and_nothing_is_written(options, where, tmp_path):
    with pytest.raises(TypeError, match=rf"{where}.*cannot hold.*not plain functions"):
        attrax.save(tmp_path / "m", memory_of(**options))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("thing", [5, None, "memory", [1, 2], {"a": 1}], ids=str)
def test_what_is_no_module_is_refused(thing, tmp_path):
    with pytest.raises(TypeError, match="memory"):
        attrax.save(tmp_path / "m", thing)
    assert list(tmp_path.iterdir()) == []


class Foreign(eqx.Module):
    weight: jax.Array


def test_foreign_modules_are_refused(tmp_path):
    with pytest.raises(TypeError, match="Foreign"):
        attrax.save(tmp_path / "m", Foreign(jnp.zeros(3)))
    assert list(tmp_path.iterdir()) == []


def test_memories_spread_over_devices_are_refused(tmp_path):
    mesh = jax.make_mesh((2,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))
    with pytest.raises(ValueError, match=r"spread over devices.*before `shard`"):
        attrax.save(tmp_path / "m", memory_of().shard(mesh, "rows"))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_save_leaves_the_old_file(saved, monkeypatch):
    old = saved.read_bytes()
    with pytest.raises(TypeError):
        attrax.save(saved, memory_of(separation=jax.nn.softmax))
    assert saved.read_bytes() == old

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        attrax.save(saved, memory_of())
    assert saved.read_bytes() == old
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_saving_again_replaces_the_file(saved):
    attrax.save(saved, memory_of(separation=Power(3)))
    assert isinstance(attrax.load(saved).separation, Power)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere") as refused:
        attrax.save(tmp_path / "nowhere" / "m", memory_of())
    # Not the name of a temporary file that the user has never seen.
    assert ".m." not in str(refused.value)


def test_others_may_read_the_file(saved):
    mask = os.umask(0)
    os.umask(mask)
    assert saved.stat().st_mode & 0o777 == 0o666 & ~mask


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError):
        attrax.load(tmp_path / "m")
    with pytest.raises(IsADirectoryError):
        attrax.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"A", b"ATTRAX", b"PK\x03\x04" + bytes(100), b"\x93NUMPY\x01\x00", b"\x80\x04." * 9],
    ids=["empty", "one byte", "half magic", "zip", "npy", "pickle"],
)
def test_foreign_files_are_refused(content, tmp_path):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"is not a file that attrax\.save wrote"):
        attrax.load(tmp_path / "m")


def test_files_cut_off_anywhere_are_refused(saved):
    raw = saved.read_bytes()
    cuts = {*range(0, len(raw), 100), *range(8, 20), len(raw) - 1}
    for cut in sorted(cuts):
        saved.write_bytes(raw[:cut])
        with pytest.raises(FileFormatError, match=r"damaged|is not a file"):
            attrax.load(saved)
    saved.write_bytes(raw + b"\0")
    with pytest.raises(FileFormatError, match="damaged"):
        attrax.load(saved)


def test_every_flipped_bit_is_seen(saved):
    raw = saved.read_bytes()
    unseen = []
    for place in range(0, 8 * len(raw), 13):
        damaged = bytearray(raw)
        damaged[place // 8] ^= 1 << (place % 8)
        saved.write_bytes(damaged)
        try:
            attrax.load(saved)
        except FileFormatError:
            continue
        unseen.append(place)
    assert unseen == []
    saved.write_bytes(raw)
    attrax.load(saved)


def changed(change):
    """A header after a change, which is made in place."""

    def apply(header):
        change(header)
        return header

    return apply


def fields(header):
    return header["tree"]["fields"]


HOSTILE = {
    "no JSON": lambda header: b"\xff\xfe{",
    "no mapping": lambda header: [1, 2],
    "empty": lambda header: {},
    "deep": lambda header: b"[" * 200_000,
    "deep tree": lambda header: (
        b'{"format": 1, "arrays": [], "tree": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    ),
    "no tree": changed(lambda header: header.pop("tree")),
    "no arrays": changed(lambda header: header.pop("arrays")),
    "a number as tree": changed(lambda header: header.update(tree=5)),
    "a list as tree": changed(lambda header: header.update(tree=[1, 2])),
    "later format": changed(lambda header: header.update(format=2)),
    "format of text": changed(lambda header: header.update(format="1")),
    "huge shape": changed(lambda header: header["arrays"][0].update(shape=[1 << 39, 1 << 39])),
    "overflowing shape": changed(
        lambda header: header["arrays"][0].update(shape=[1 << 32, 1 << 32])
    ),
    "negative shape": changed(lambda header: header["arrays"][0].update(shape=[-12, -6])),
    "fractional shape": changed(lambda header: header["arrays"][0].update(shape=[12.0, 6])),
    "shape of text": changed(lambda header: header["arrays"][0].update(shape="20")),
    "objects": changed(lambda header: header["arrays"][0].update(dtype="object")),
    "no type": changed(lambda header: header["arrays"][0].update(dtype=["float32"])),
    "system": changed(lambda header: header["tree"].update({"class": "os.system"})),
    "call": changed(lambda header: header["tree"].update({"class": "subprocess.Popen"})),
    "own function": changed(lambda header: header["tree"].update({"class": "attrax._call"})),
    "own import": changed(lambda header: header["tree"].update({"class": "attrax.jax.numpy.load"})),
    "abstract": changed(
        lambda header: header["tree"].update({"class": "attrax.separation.AbstractSeparation"})
    ),
    "no such module": changed(
        lambda header: header["tree"].update({"class": "attrax.memory_of_others.Memory"})
    ),
    "no such class": changed(lambda header: header["tree"].update({"class": "attrax.No"})),
    "no class": changed(lambda header: header["tree"].update({"class": 3})),
    "missing field": changed(lambda header: fields(header).pop("keys")),
    "extra field": changed(lambda header: fields(header).update(extra=1)),
    "no similarity": changed(lambda header: fields(header).update(similarity=None)),
    "no separation": changed(lambda header: fields(header).update(separation=1.0)),
    "exchanged parts": changed(
        lambda header: fields(header).update(
            similarity=fields(header)["separation"], separation=fields(header)["similarity"]
        )
    ),
    "unknown projection": changed(lambda header: fields(header).update(projection="x")),
    "block of text": changed(lambda header: fields(header).update(block="4")),
    "block of nothing": changed(lambda header: fields(header).update(block=0)),
    "no keys": changed(lambda header: fields(header).update(keys=None)),
    "keys of text": changed(lambda header: fields(header).update(keys="abc")),
    "array that is not there": changed(lambda header: fields(header).update(keys={"array": 99})),
    "array before the first": changed(lambda header: fields(header).update(keys={"array": -99})),
    "another shape": changed(lambda header: header["arrays"][0].update(shape=[6, 20])),
    "another type": changed(lambda header: header["arrays"][0].update(dtype="int32")),
    "keys for a mask": changed(lambda header: fields(header).update(filled={"array": 0})),
}


def test_what_is_written_by_hand_is_read(saved):
    """So that the hostile files below are refused for what they say."""
    expected = attrax.load(saved)
    write(saved, *parts(saved))
    assert_same(attrax.load(saved), expected)


@pytest.mark.parametrize("shape", [[0, 1 << 39, 1 << 39], [1 << 32, 1 << 32], [1 << 31, 1 << 33]])
def test_sizes_that_overflow_are_refused(shape, saved):
    header, body = parts(saved)
    size = 4 * 20 * 6
    assert header["arrays"][0] == {"dtype": "float32", "shape": [20, 6]}
    header["arrays"][0]["shape"] = shape
    write(saved, header, body[size:])
    with pytest.raises(FileFormatError, match="damaged"):
        attrax.load(saved)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused(name, saved):
    header, body = parts(saved)
    write(saved, HOSTILE[name](header), body)
    with pytest.raises(FileFormatError):
        attrax.load(saved)


def test_a_hostile_header_runs_nothing(saved, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(os, "system", ran.append)
    header, body = parts(saved)
    header["tree"] = {"class": "os.system", "fields": {"command": "touch harm"}}
    write(saved, header, body)
    with pytest.raises(FileFormatError):
        attrax.load(saved)
    assert ran == []


def test_the_length_of_a_header_is_bounded(saved):
    raw = saved.read_bytes()
    for length in (1 << 62, (1 << 64) - 1, 1 << 23):
        saved.write_bytes(raw[:8] + struct.pack("<Q", length) + raw[16:])
        with pytest.raises(FileFormatError, match="damaged"):
            attrax.load(saved)


OTHERS = {
    "signs": attrax.models.hopfield_network(np.where(ROWS[:4] > 0, 1.0, -1.0)),
    "superposed": attrax.Memory(ROWS, similarity=Dot(), separation=Identity()).superpose(),
    "dense": attrax.models.dense_memory(np.where(ROWS[:4] > 0, 1.0, -1.0)),
    "classifier": attrax.models.DenseClassifier(ROWS, 2, 3, temperature=2.0),
    "simplices": attrax.models.simplicial_network(
        np.where(ROWS[:4] > 0, 1.0, -1.0), attrax.models.full_skeleton(ROWS.shape[1])
    ),
    "features": attrax.models.random_feature_memory(ROWS, 0.5, 6, key=jax.random.key(0)),
    "locations": attrax.models.SparseDistributedMemory(np.where(ROWS > 0, 1, 0), 2),
    "scaffold": attrax.models.scaffold_memory(ROWS.shape[1], 6, 2, 9, key=jax.random.key(0)),
}


def set_to(**values):
    return changed(lambda header: fields(header).update(values))


HOSTILE_OTHERS = {
    "signs, units of another kind": ("signs", set_to(units="spins")),
    "signs, units of a list": ("signs", set_to(units=[1])),
    "signs, symmetry of another kind": ("signs", set_to(symmetry="square")),
    "signs, no symmetry": ("signs", set_to(symmetry=None)),
    "signs, a self-term of text": ("signs", set_to(self_term="no")),
    "signs, another width": ("signs", set_to(width=5)),
    "signs, a width of text": ("signs", set_to(width="6")),
    "signs, no matrix": ("signs", set_to(matrix=None)),
    "signs, a matrix of text": ("signs", set_to(matrix="abc")),
    "signs, the matrix as threshold": ("signs", set_to(threshold={"array": 0})),
    "signs, the matrix as normaliser": ("signs", set_to(normaliser={"array": 0})),
    "signs, no scale": ("signs", set_to(scale=None)),
    "signs, the matrix as scale": ("signs", set_to(scale={"array": 0})),
    "signs, a feature map of text": ("signs", set_to(feature_map="exp")),
    "superposed, units without a square": ("superposed", set_to(units="bits", width=3)),
    "superposed, width of nothing": ("superposed", set_to(width=0)),
    "dense, no rows": ("dense", set_to(keys=None)),
    "dense, no separation": ("dense", set_to(separation=None)),
    "dense, a self-term of nothing": ("dense", set_to(self_term=None)),
    "classifier, no memories": ("classifier", set_to(memories=None)),
    "classifier, too many classes": ("classifier", set_to(classes=6)),
    "classifier, classes of text": ("classifier", set_to(classes="2")),
    "classifier, degree of one": ("classifier", set_to(degree=1)),
    "classifier, no temperature": ("classifier", set_to(temperature=None)),
    "classifier, the memories as epsilon": ("classifier", set_to(epsilon={"array": 0})),
    "simplices, no sets": ("simplices", set_to(simplices=None)),
    "simplices, no weights": ("simplices", set_to(weights=None)),
    "simplices, another width": ("simplices", set_to(width=5)),
    "simplices, a width of text": ("simplices", set_to(width="6")),
    "simplices, no scale": ("simplices", set_to(scale=None)),
    "locations, no addresses": ("locations", set_to(addresses=None)),
    "locations, the addresses as counters": ("locations", set_to(counters={"array": 0})),
    "locations, the counters as addresses": ("locations", set_to(addresses={"array": 1})),
    "locations, no radius": ("locations", set_to(radius=None)),
    "locations, another width": ("locations", set_to(width=40)),
    "locations, a width of text": ("locations", set_to(width="6")),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_stores_come_back(name, tmp_path):
    attrax.save(tmp_path / "m", OTHERS[name])
    write(tmp_path / "m", *parts(tmp_path / "m"))
    assert_same(attrax.load(tmp_path / "m"), OTHERS[name])


@pytest.mark.parametrize("name", HOSTILE_OTHERS)
def test_hostile_headers_of_other_stores_are_refused(name, tmp_path):
    store, change = HOSTILE_OTHERS[name]
    attrax.save(tmp_path / "m", OTHERS[store])
    header, body = parts(tmp_path / "m")
    write(tmp_path / "m", change(header), body)
    with pytest.raises(FileFormatError, match="damaged"):
        attrax.load(tmp_path / "m")
