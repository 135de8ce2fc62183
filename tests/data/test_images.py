"""A user's own images: folders of files and `.npy` arrays."""

import io

import numpy as np
import pytest
from PIL import Image

from attrax import data

DRAW = np.random.default_rng(3)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)


def grey(height=6, width=4):
    return DRAW.integers(0, 256, (height, width))


def colour(height=6, width=4):
    return DRAW.integers(0, 256, (height, width, 3))


# --- folders -------------------------------------------------------------------------------------


def test_a_folder_of_grey_images_in_the_order_of_names(tmp_path):
    pictures = {name: grey() for name in ("b.png", "a.PNG", "c.png")}
    for name, pixels in pictures.items():
        save(tmp_path / name, pixels)
    (tmp_path / "notes.txt").write_text("not an image")
    found = data.from_folder(tmp_path)
    assert found.shape == (6, 4)
    assert found.name == tmp_path.name
    assert (found.x.dtype, found.y.dtype) == (np.float32, np.int32)
    truth = np.stack([pictures[name] for name in ("a.PNG", "b.png", "c.png")])
    np.testing.assert_array_equal(found.images, (truth / 255).astype(np.float32))
    np.testing.assert_array_equal(found.y, [-1, -1, -1])
    assert found.classes == ()
    assert len(data.from_folder(tmp_path, limit=2)) == 2


def test_one_colour_image_makes_all_rows_colour(tmp_path):
    first, second = grey(), colour()
    save(tmp_path / "a.png", first)
    save(tmp_path / "b.png", second)
    found = data.from_folder(tmp_path)
    assert found.shape == (3, 6, 4)
    np.testing.assert_array_equal(
        np.rint(found.images * 255), [np.stack([first] * 3), np.moveaxis(second, -1, 0)]
    )


def test_subfolders_are_classes(tmp_path):
    for name in ("zebra/1.png", "cat/2.png", "cat/1.png", ".hidden/1.png", "loose.png"):
        save(tmp_path / name, grey())
    found = data.from_folder(tmp_path)
    assert found.classes == ("cat", "zebra")
    np.testing.assert_array_equal(found.y, [-1, 0, 0, 1])


def test_images_of_several_sizes_come_to_one(tmp_path):
    save(tmp_path / "a.png", grey(40, 80))
    save(tmp_path / "b.jpg", grey(90, 30))
    assert data.from_folder(tmp_path).shape == (64, 64)
    assert data.from_folder(tmp_path, size=16).shape == (16, 16)
    assert data.from_folder(tmp_path, size=(10, 20)).shape == (10, 20)


def test_cropping_keeps_the_centre_and_the_proportions(tmp_path):
    wide = np.zeros((8, 24))
    wide[:, 8:16] = 255
    save(tmp_path / "a.png", wide)
    found = data.from_folder(tmp_path, size=8)
    np.testing.assert_array_equal(found.x, 1)


def test_a_cameras_orientation_is_followed(tmp_path):
    pixels = np.zeros((8, 16))
    pixels[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter: the right side comes to the bottom
    save(tmp_path / "a.jpg", pixels, exif=exif, quality=95)
    found = data.from_folder(tmp_path)
    assert found.shape == (16, 8)
    np.testing.assert_allclose(found.images[0, :8], 0, atol=0.05)
    np.testing.assert_allclose(found.images[0, 8:], 1, atol=0.05)


def test_transparent_parts_are_white(tmp_path):
    pixels = np.zeros((2, 2, 4))
    pixels[0, 0, 3] = 255  # one opaque black pixel
    save(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(data.from_folder(tmp_path).images[0, 0], [[0, 1], [1, 1]])


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    levels = np.array([[0, 257, 32896], [40000, 65534, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    found = data.from_folder(tmp_path)
    assert found.shape == (2, 3)
    # The nearest of 256 levels, then rounding to float32.
    np.testing.assert_allclose(found.images[0], levels / 65535, rtol=0, atol=0.5 / 255 + 1e-7)
    np.testing.assert_array_equal(found.x[0, [0, 1, 5]], np.float32([0, 1 / 255, 1]))


@pytest.mark.parametrize("suffix", ["png", "gif", "webp", "bmp", "tif", "tiff"])
def test_formats_without_loss_are_read_alike(suffix, tmp_path):
    pixels = grey()
    options = {"lossless": True} if suffix == "webp" else {}
    save(tmp_path / f"a.{suffix}", pixels, **options)
    found = data.from_folder(tmp_path)
    rows = found.images[0] if found.images.ndim == 3 else found.images[0, 0]
    np.testing.assert_array_equal(np.rint(rows * 255), pixels)
    assert found.files == (tmp_path / f"a.{suffix}",)


def test_floats_of_a_tiff_are_read_or_refused(tmp_path):
    values = np.array([[0.0, 0.2], [0.6, 1.0]], np.float32)
    Image.fromarray(values).save(tmp_path / "a.tiff")
    np.testing.assert_allclose(data.from_folder(tmp_path).images[0], values, atol=1e-6)
    Image.fromarray(values - 1).save(tmp_path / "a.tiff")
    with pytest.raises(data.DatasetFormatError, match="floats from -1 to 0"):
        data.from_folder(tmp_path)


def test_a_broken_image_is_told_and_left_out(tmp_path):
    save(tmp_path / "b.png", grey())
    (tmp_path / "a.jpg").write_bytes(b"none")
    save(tmp_path / "c.png", colour())
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:60])
    with pytest.raises(data.DatasetFormatError, match=r"a\.jpg"):
        data.from_folder(tmp_path)
    told = []
    found = data.from_folder(tmp_path, onerror=lambda error: told.append(str(error)))
    assert [file.name for file in found.files] == ["b.png"]
    assert [any(name in text for text in told) for name in ("a.jpg", "c.png")] == [True, True]
    (tmp_path / "b.png").unlink()
    with pytest.raises(data.DatasetFormatError, match=r"No image beside .*c\.png can be read"):
        data.from_folder(tmp_path, onerror=told.append)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": 0}, r"size is 0; .* each at least 1"),
        ({"size": (4, -1)}, r"size is \(4, -1\)"),
        ({"size": True}, r"size is True"),
        ({"limit": -1}, r"limit is -1; .* at least 1"),
    ],
)
def test_wrong_options_are_named(options, text, tmp_path):
    save(tmp_path / "a.png", grey())
    with pytest.raises(ValueError, match=text):
        data.from_folder(tmp_path, **options)


def test_a_folder_without_images_says_what_is_read(tmp_path):
    with pytest.raises(data.DatasetFormatError, match=r"hold no image; .*\.png, \.jpg, \.jpeg"):
        data.from_folder(tmp_path)


# --- arrays --------------------------------------------------------------------------------------


def saved(tmp_path, array):
    np.save(tmp_path / "own.npy", array)
    return data.from_npy(tmp_path / "own.npy")


@pytest.mark.parametrize("kind", [np.uint8, np.int64, ">u2"])
def test_integers_are_divided_by_255(kind, tmp_path):
    found = saved(tmp_path, np.array([[0, 51, 255]], kind))
    np.testing.assert_array_equal(found.x, np.float32([[0, 0.2, 1]]))
    assert (found.x.dtype, found.shape, found.name) == (np.float32, (3,), "own")
    assert type(found.x) is np.ndarray  # not a map of the file
    np.testing.assert_array_equal(found.y, [-1])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f8"])
def test_floats_are_kept(kind, tmp_path):
    found = saved(tmp_path, np.array([[-1, 0.5, 3]], kind))
    np.testing.assert_array_equal(found.x, np.float32([[-1, 0.5, 3]]))


def test_booleans_become_zero_and_one(tmp_path):
    np.testing.assert_array_equal(saved(tmp_path, np.array([[True, False]])).x, [[1, 0]])


@pytest.mark.parametrize("order", ["C", "F"])
def test_shapes_of_arrays(order, tmp_path):
    flat = DRAW.integers(0, 256, (2, 60)).astype(np.uint8)
    for inner, shape in (((60,), (60,)), ((6, 10), (6, 10)), ((6, 10, 1), (6, 10))):
        found = saved(tmp_path, np.asarray(flat.reshape(2, *inner), order=order))
        assert found.shape == shape
        np.testing.assert_array_equal(np.rint(found.x * 255), flat)
    pixels = flat.reshape(2, 4, 5, 3)
    found = saved(tmp_path, np.asarray(pixels, order=order))
    assert found.shape == (3, 4, 5)
    np.testing.assert_array_equal(np.rint(found.images[1, 2] * 255), pixels[1, :, :, 2])


def test_the_limit_comes_before_the_check_of_values(tmp_path):
    np.save(tmp_path / "own.npy", np.array([[0.5], [np.nan]]))
    assert len(data.from_npy(tmp_path / "own.npy", limit=1)) == 1


# --- open ----------------------------------------------------------------------------------------


def test_open_reads_what_the_path_is(tmp_path):
    save(tmp_path / "pictures" / "a.png", grey())
    np.save(tmp_path / "own.npy", np.ones((2, 3)))
    assert data.open(tmp_path / "pictures", size=5).shape == (5, 5)
    assert data.open(str(tmp_path / "own.npy"), limit=1).x.shape == (1, 3)


def test_open_names_what_it_cannot_read(tmp_path):
    np.save(tmp_path / "own.npy", np.ones((2, 3)))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(ValueError, match=r"size is 8, but the images of .*own.npy have their size"):
        data.open(tmp_path / "own.npy", size=8)
    with pytest.raises(ValueError, match=r"a.txt'; it must be a folder .* or a .npy file"):
        data.open(tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"a.txt', a file; it must be a folder of images"):
        data.from_folder(tmp_path / "a.txt")
    for read in (data.open, data.from_folder, data.from_npy):
        with pytest.raises(FileNotFoundError, match=r"missing'; nothing is there"):
            read(tmp_path / "missing")


def test_a_folder_called_npy_and_an_npz_file(tmp_path):
    save(tmp_path / "a.npy" / "a.png", grey())
    assert len(data.open(tmp_path / "a.npy")) == 1
    file = io.BytesIO()
    np.savez(file, a=np.ones(2))
    (tmp_path / "own.npy").write_bytes(file.getvalue())
    with pytest.raises(data.DatasetFormatError, match=r"write it by numpy.save"):
        data.from_npy(tmp_path / "own.npy")


def test_a_dataset_shows_itself_briefly():
    text = repr(data.load("sample", limit=3))
    assert text == "Dataset('sample', x=(3, 784), shape=(28, 28), classes=10)"
