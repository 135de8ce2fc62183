"""Damaged, lying and hostile files: each is refused with a text that says what is wrong."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from attrax import data
from attrax.data import archive, cifar, idx, images


def header(*sizes, kind=8, axes=None):
    axes = len(sizes) if axes is None else axes
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, kind, axes, *sizes)


def png(pixels, kind="PNG"):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    file = io.BytesIO()
    image.fromarray(np.asarray(pixels, np.uint8)).save(file, kind)
    return file.getvalue()


# --- IDX -----------------------------------------------------------------------------------------

GOOD = header(7, 28, 28) + bytes(7 * 784)
IDX = {
    "empty": (b"", "ends inside the header"),
    "header cut": (GOOD[:9], "ends inside the header"),
    "other magic": (b"PK\3\4" + GOOD[4:], r"not an IDX file: it starts with 504b0304"),
    "floats": (header(7, 28, 28, kind=13) + bytes(4), "elements of float32; .* unsigned bytes"),
    "no such type": (header(7, 28, 28, kind=1), "elements of unknown type 0x01"),
    "labels": (header(7) + bytes(7), r"has 1 axes; it must have 3.*were the files exchanged\?"),
    "no rows": (header(0, 28, 28), r"is empty: its header states the sizes \(0, 28, 28\)"),
    "huge": (header(*[2**32 - 1] * 3), r"states the sizes \(4294967295, .* at most 268435456"),
    "overflowing": (header(2**31, 2**31, 4), r"18446744073709551616 bytes; at most"),
    "truncated": (GOOD[:-1], "its header promises 5488 bytes, 5487 are there"),
    "trailing": (GOOD + b"\0", "goes on after the 5488 bytes that its header promises"),
    "other size": (header(7, 32, 24) + bytes(7 * 768), "images of 32 × 24 pixels; .* 28 × 28"),
    "other count": (header(6, 28, 28) + bytes(6 * 784), "holds 6 images, but .* holds 7 labels"),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("case", IDX)
def test_bad_idx_images(case, packed, mnist_folder):
    content, text = IDX[case]
    file = mnist_folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(data.DatasetFormatError, match=text):
        data.load("mnist", path=mnist_folder)


def test_idx_gzip_cut_short(mnist_folder):
    file = mnist_folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(data.DatasetFormatError, match=r"damaged or incomplete .*get the file anew"):
        data.load("mnist", path=mnist_folder)


def test_idx_gzip_with_a_changed_byte(mnist_folder):
    file = mnist_folder / "train-images-idx3-ubyte.gz"
    content = bytearray(gzip.compress(GOOD, compresslevel=0))
    content[2000] ^= 1  # a stored block: only the check sum can tell
    file.write_bytes(content)
    with pytest.raises(data.DatasetFormatError, match="CRC check failed"):
        data.load("mnist", path=mnist_folder)


def test_idx_gzip_with_a_damaged_stream(mnist_folder):
    file = mnist_folder / "train-images-idx3-ubyte.gz"
    content = bytearray(gzip.compress(GOOD))
    content[10] |= 0b110  # a block type that does not exist
    file.write_bytes(content)
    with pytest.raises(data.DatasetFormatError, match="invalid block type"):
        data.load("mnist", path=mnist_folder)


def test_idx_gzip_bomb_is_left_at_the_promised_length(mnist_folder, monkeypatch):
    file = mnist_folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(GOOD + bytes(2**24)))
    read = []
    original = gzip.GzipFile.read
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda self, size=-1: read.append(size) or original(self, size)
    )
    with pytest.raises(data.DatasetFormatError, match="goes on after the 5488 bytes"):
        data.load("mnist", path=mnist_folder)
    assert read
    assert all(0 <= size <= len(GOOD) for size in read)


def test_idx_label_without_a_class(mnist_folder):
    labels = header(7) + bytes([0, 1, 2, 3, 4, 5, 10])
    (mnist_folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    with pytest.raises(
        data.DatasetFormatError, match="holds the label 10; labels must be below 10"
    ):
        data.load("mnist", path=mnist_folder)


# --- CIFAR-10 ------------------------------------------------------------------------------------

TAR = "cifar-10-binary.tar.gz"
RECORD = bytes(3073)


def member(name, **fields):
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


BATCH = "cifar-10-batches-bin/data_batch_1.bin"
CIFAR = {
    "absolute": (
        ("/etc/data_batch_1.bin", RECORD),
        "'/etc/data_batch_1.bin', which points outside",
    ),
    "parent": (("a/../../data_batch_1.bin", RECORD), "which points outside the archive; refused"),
    "unwanted parent": (("../evil.txt", b"x"), "which points outside the archive; refused"),
    "backslash": (("a\\..\\evil.bin", b"x"), "which points outside the archive"),
    "drive": (("C:evil.bin", b"x"), "'C:evil.bin', which points outside the archive"),
    "symlink": (
        member(BATCH, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "as a link or device; it must be a file",
    ),
    "hard link": (
        member(BATCH, type=tarfile.LNKTYPE, linkname="batches.meta.txt"),
        "as a link or device",
    ),
    "pipe": (member(BATCH, type=tarfile.FIFOTYPE), "as a link or device"),
    "no record": ((BATCH, b""), "has 0 bytes; a batch of CIFAR-10 has 1 to 10000 records"),
    "half a record": ((BATCH, RECORD[:-1]), "has 3072 bytes; .* records of 3073 bytes"),
    "label": ((BATCH, b"\x0a" + RECORD[1:]), "holds the label 10; labels must be below 10"),
}


@pytest.mark.parametrize("case", CIFAR)
def test_bad_cifar_member(case, tmp_path, formats, cifar_members):
    bad, text = CIFAR[case]
    rest = [m for m in cifar_members if m[0] != BATCH]
    formats.tar_gz(tmp_path / TAR, [bad, *rest])
    with pytest.raises(data.DatasetFormatError, match=text):
        data.load("cifar-10", path=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [TAR]  # nothing was extracted


def test_cifar_member_twice(tmp_path, formats, cifar_members):
    formats.tar_gz(tmp_path / TAR, [*cifar_members, (BATCH, RECORD)])
    with pytest.raises(data.DatasetFormatError, match=r"data_batch_1.bin' twice; refused"):
        data.load("cifar-10", path=tmp_path)


def test_cifar_batch_missing(tmp_path, formats, cifar_members):
    formats.tar_gz(tmp_path / TAR, [m for m in cifar_members if m[0] != BATCH])
    with pytest.raises(
        data.DatasetFormatError, match=r"lacks data_batch_1.bin; it must be the bin"
    ):
        data.load("cifar-10", path=tmp_path)


def test_cifar_member_too_large(tmp_path, formats, cifar_members, monkeypatch):
    monkeypatch.setattr(cifar, "_MAX_RECORDS", 2)
    formats.tar_gz(tmp_path / TAR, cifar_members)
    with pytest.raises(data.DatasetFormatError, match="of 9219 bytes; at most 6146 are expected"):
        data.load("cifar-10", path=tmp_path)


def test_cifar_bomb_in_a_member_nobody_wants(tmp_path, formats, cifar_members, monkeypatch):
    monkeypatch.setattr(cifar, "_MAX_TOTAL", 2**20)
    formats.tar_gz(tmp_path / TAR, [("readme.html", bytes(2**22)), *cifar_members])
    with pytest.raises(
        data.DatasetFormatError, match="unpacks to more than 1048576 bytes; refused"
    ):
        data.load("cifar-10", path=tmp_path)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.99])
def test_cifar_archive_cut_short(part, tmp_path, formats, cifar_members):
    content = formats.tar_gz(tmp_path / TAR, cifar_members).read_bytes()
    (tmp_path / TAR).write_bytes(content[: int(part * len(content))])
    with pytest.raises(data.DatasetFormatError, match="damaged or incomplete"):
        data.load("cifar-10", path=tmp_path)


def test_cifar_archive_that_is_none(tmp_path):
    (tmp_path / TAR).write_bytes(b"<html>404</html>")
    with pytest.raises(
        data.DatasetFormatError, match=r"damaged or incomplete \(Not a gzipped file"
    ):
        data.load("cifar-10", path=tmp_path)


def test_cifar_unpacked_batch_of_another_length(tmp_path, cifar_batches):
    for name, batch in cifar_batches.items():
        (tmp_path / name).write_bytes(batch.tobytes()[:-1])
    with pytest.raises(data.DatasetFormatError, match="has 9218 bytes; a batch of CIFAR-10"):
        data.load("cifar-10", path=tmp_path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_cifar_pickles_are_never_loaded(tmp_path, formats):
    sprung = tmp_path / "sprung"
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(data.DatasetNotFoundError, match=r"consists of pickles and is never loaded"):
        data.load("cifar-10", path=tmp_path)
    python_version = [("cifar-10-batches-py/data_batch_1", pickle.dumps(Trap(sprung)))]
    formats.tar_gz(tmp_path / TAR, python_version)
    with pytest.raises(data.DatasetFormatError, match=r"lacks data_batch_1.bin, .*never loaded"):
        data.load("cifar-10", path=tmp_path)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung))).close()  # the trap would have worked
    assert sprung.exists()


# --- Tiny ImageNet -------------------------------------------------------------------------------

ROOT = "tiny-imagenet-200"
FIRST = f"{ROOT}/train/n02124075/images/n02124075_0.JPEG"
TINY = {
    "absolute": ({"/etc/passwd": b"x"}, "which points outside the archive"),
    "parent": ({f"{ROOT}/../../evil": b"x"}, "which points outside the archive"),
    "class that leaves": (
        {f"{ROOT}/wnids.txt": b"../../etc\n"},
        r"wnids.txt holds '../../etc'; a c",
    ),
    "not a text": ({f"{ROOT}/wnids.txt": b"\xff\xfe\x00"}, "wnids.txt is not a text"),
    "no class": ({f"{ROOT}/wnids.txt": b"\n"}, "holds no image of the split 'train'"),
    "not an image": ({FIRST: b"GIF89a"}, "n02124075_0.JPEG cannot be read as JPEG; remove it"),
    "another format": ({FIRST: png(np.zeros((64, 64)))}, "cannot be read as JPEG"),
    "another size": ({FIRST: png(np.zeros((64, 32)), "JPEG")}, "has 64 × 32 pixels; .* 64 × 64"),
    "cut": ({FIRST: png(np.eye(64) * 255, "JPEG")[:-90]}, "is damaged or incomplete"),
    "too large": ({FIRST: bytes(2**20 + 1)}, "of 1048577 bytes; at most 1048576 are expected"),
}


@pytest.mark.parametrize("case", TINY)
def test_bad_tiny_imagenet_member(case, make_zip, tiny_members):
    changed, text = TINY[case]
    with pytest.raises(data.DatasetFormatError, match=text):
        data.load("tiny-imagenet", path=make_zip({**tiny_members, **changed}))


@pytest.mark.parametrize("line", ["../../x.JPEG\tn02124075\t0", "val_0.JPEG\tn99999999\t0", "\0"])
def test_bad_tiny_imagenet_annotation(line, make_zip, tiny_members):
    changed = {f"{ROOT}/val/val_annotations.txt": line.encode()}
    with pytest.raises(
        data.DatasetFormatError, match="which names no image or no class of the set"
    ):
        data.load("tiny-imagenet", "val", path=make_zip({**tiny_members, **changed}))


def test_tiny_imagenet_without_its_class_list(make_zip, tiny_members):
    members = {k: v for k, v in tiny_members.items() if not k.endswith("wnids.txt")}
    with pytest.raises(data.DatasetFormatError, match=r"lacks wnids.txt; it must be tiny-imagenet"):
        data.load("tiny-imagenet", path=make_zip(members))


def test_tiny_imagenet_with_too_many_members(make_zip, tiny_members, monkeypatch):
    monkeypatch.setattr("attrax.data.tiny_imagenet._MAX_MEMBERS", 3)
    with pytest.raises(data.DatasetFormatError, match=r"holds \d+ members; at most 3 are expected"):
        data.load("tiny-imagenet", path=make_zip(tiny_members))


def test_tiny_imagenet_zip_cut_short(make_zip, tiny_members):
    file = make_zip(tiny_members)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(data.DatasetFormatError, match="damaged or incomplete"):
        data.load("tiny-imagenet", path=file)


def test_tiny_imagenet_zip_with_a_changed_byte(make_zip, tiny_members):
    file = make_zip(tiny_members)
    with zipfile.ZipFile(file) as z:
        at = z.getinfo(FIRST).header_offset + 30 + len(FIRST) + 200
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    with pytest.raises(data.DatasetFormatError, match="Bad CRC-32"):
        data.load("tiny-imagenet", path=file)


def test_tiny_imagenet_zip_that_wants_a_password(make_zip, tiny_members):
    file = make_zip(tiny_members)
    content = bytearray(file.read_bytes())
    name = f"{ROOT}/wnids.txt".encode()
    content[content.find(name) - 30 + 6] |= 1  # the flag in the local header ...
    content[content.rfind(name) - 46 + 8] |= 1  # ... and in the directory
    file.write_bytes(content)
    with pytest.raises(data.DatasetFormatError, match="encrypted archives are not read"):
        data.load("tiny-imagenet", path=file)


# --- a user's own files --------------------------------------------------------------------------

NPY = {
    "objects": (np.array([[{}, 1]], object), "Arrays of objects are pickles and are never loaded"),
    "NaN": (np.array([[0.0, np.nan]]), "holds NaN, infinity or values beyond float32"),
    "infinity": (np.array([[0.0, np.inf]]), "holds NaN, infinity"),
    "beyond float32": (np.array([[0.0, 1e300]]), "values beyond float32"),
    "no rows": (np.zeros((0, 4)), r"is empty: its shape is \(0, 4\)"),
    "one axis": (np.zeros(4), r"has shape \(4,\); it must be \(n, d\)"),
    "five axes": (np.zeros((1, 1, 1, 1, 1)), r"has shape \(1, 1, 1, 1, 1\)"),
    "two channels": (np.zeros((2, 4, 4, 2)), r"with C 1 or 3, channels last"),
    "negative": (np.array([[-1, 1]]), "integers from -1 to 1; they must lie in 0 to 255"),
    "above 255": (np.array([[0, 256]]), "integers from 0 to 256"),
    "complex": (np.zeros((2, 2), complex), "elements of type complex128"),
    "texts": (np.array([["a", "b"]]), "elements of type <U1"),
    "records": (np.zeros((2, 2), [("a", float)]), r"elements of type \[\('a', '<f8'\)\]"),
}


@pytest.mark.parametrize("case", NPY)
def test_bad_npy(case, tmp_path):
    array, text = NPY[case]
    np.save(tmp_path / "own.npy", array, allow_pickle=True)
    with pytest.raises(data.DatasetFormatError, match=text):
        data.from_npy(tmp_path / "own.npy")


def npy_header(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        b"<html>404</html>",
        npy_header((1000, 784)) + bytes(100),
        npy_header((2**40, 784)),
        npy_header((2**62, 2**62)),
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"-" * 8999 + b"1",
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 12) + b"{1: 1,'a':1}",
        pickle.dumps([[1.0]]),
    ],
    ids=["empty", "cut header", "html", "cut", "huge", "overflowing", "deep", "keys", "pickle"],
)
def test_npy_that_is_none(content, tmp_path):
    (tmp_path / "own.npy").write_bytes(content)
    with pytest.raises(data.DatasetFormatError, match=r"cannot be read as a .npy file of numbers"):
        data.from_npy(tmp_path / "own.npy")


def test_npy_pickle_is_never_loaded(tmp_path):
    sprung = tmp_path / "sprung"
    np.save(tmp_path / "own.npy", np.array([[Trap(sprung)]], object), allow_pickle=True)
    with pytest.raises(data.DatasetFormatError, match="never loaded"):
        data.from_npy(tmp_path / "own.npy")
    assert not sprung.exists()


def test_npy_too_large_for_memory_wants_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_VALUES", 100)
    np.save(tmp_path / "own.npy", np.zeros((11, 10)))
    with pytest.raises(data.DatasetFormatError, match="110 values, more than 100; pass a limit"):
        data.from_npy(tmp_path / "own.npy")
    assert len(data.from_npy(tmp_path / "own.npy", limit=10)) == 10


FILES = {
    "text": (
        b"hello",
        "a.png cannot be read as PNG, JPEG, GIF, WEBP, BMP or TIFF; remove it or save it anew",
    ),
    "another format": (png(np.zeros((4, 4)), "ICO"), "cannot be read as PNG, JPEG"),
    "cut": (png(np.random.default_rng(0).integers(0, 256, (32, 32)))[:-200], "a.png is damaged"),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_image_in_a_folder(case, tmp_path):
    content, text = FILES[case]
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(data.DatasetFormatError, match=text):
        data.from_folder(tmp_path)


@pytest.mark.parametrize("side", [9_000, 12_000, 40_000])
def test_image_that_unpacks_to_gigabytes(side, tmp_path):
    # A header is enough to promise a large picture.
    content = bytearray(png(np.zeros((4, 4))))
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", archive.zlib.crc32(bytes(content[12:29])))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(data.DatasetFormatError, match="more than 64000000 pixels; save it smaller"):
        data.from_folder(tmp_path)


def test_folder_too_large_for_memory_wants_a_smaller_size(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_VALUES", 100)
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(png(np.zeros((8, 8))))
    with pytest.raises(ValueError, match=r"2 images of 8 × 8 pixels.*pass a smaller size"):
        data.from_folder(tmp_path)
    assert len(data.from_folder(tmp_path, limit=1)) == 1


def test_bound_of_idx_leaves_room_for_the_true_sets():
    assert idx.MAX_BYTES > 60_000 * 784


# --- any file at all -----------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["mnist", "cifar-10", "tiny-imagenet", "npy", "png", "jpeg"])
def test_a_changed_file_is_read_or_refused(
    reader, tmp_path, formats, mnist_folder, cifar_members, tiny_members, make_zip
):
    draw = np.random.default_rng(0)
    place = tmp_path / "own"
    place.mkdir()
    if reader == "mnist":
        place = mnist_folder
        file = place / "train-images-idx3-ubyte.gz"
    elif reader == "cifar-10":
        file = formats.tar_gz(place / TAR, cifar_members)
    elif reader == "tiny-imagenet":
        file = place = make_zip(tiny_members)
    elif reader == "npy":
        file = place = tmp_path / "own.npy"
        np.save(file, draw.integers(0, 256, (3, 8, 8)).astype(np.uint8))
    else:
        file = place / f"a.{reader}"
        file.write_bytes(formats.image(draw.integers(0, 256, (16, 16, 3)), reader.upper()))

    def read():
        if reader in ("npy", "png", "jpeg"):
            return data.open(place)
        return data.load(reader, path=place)

    good = file.read_bytes()
    assert len(read()) > 0
    refused = 0
    for _ in range(60):
        changed = bytearray(good)
        # Half of the changes hit the first bytes, where the headers are.
        end = len(good) if draw.random() < 0.5 else 200
        for at in draw.integers(0, min(end, len(good)), draw.integers(1, 4)):
            changed[at] = draw.integers(256)
        file.write_bytes(changed)
        try:
            read()
        except (data.DatasetFormatError, data.DatasetNotFoundError):
            refused += 1
    assert refused > 0
