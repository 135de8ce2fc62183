"""The command line: what it prints, what it writes, and what it says to wrong calls."""

import json
import os
import runpy
import subprocess
import sys

import numpy as np
import pytest

from attrax import papers
from attrax.cli import main
from attrax.data import load
from attrax.papers.contract import claim
from attrax.papers.reproduction import Reproduction
from attrax.version import __version__

PNG = b"\x89PNG\r\n\x1a\n"


def files(folder):
    return sorted(path.name for path in folder.rglob("*"))


def without_times(report):
    return report | {"results": [r | {"seconds": None} for r in report["results"]]}


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A .npy file of twelve images laid flat, in an unusual range."""
    path = tmp_path_factory.mktemp("npy") / "rows.npy"
    np.save(path, 200 * load("sample", limit=12).x - 100)
    return path


def in_a_new_process(code, **variables):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | variables,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_list_names_every_system(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    systems = papers.systems()
    assert systems
    for system in systems:
        (line,) = [line for line in out.splitlines() if line.startswith(system.slug)]
        counts = ", ".join(f"{n} {verdict}" for verdict, n in system.verdicts.items())
        assert line == f"{system.slug}: {counts}"
    assert max(map(len, out.splitlines())) <= 80
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["verdicts"] for each in listed] == [system.verdicts for system in systems]


def test_info_says_what_a_bug_report_needs(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert __version__ in out
    for word in ("python", "jax", "equinox", "devices", "float32", "cache", "sample"):
        assert word in out
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["attrax"] == __version__


@pytest.mark.contract
def test_recall_counts_draws_and_writes(capsys, tmp_path):
    folder = tmp_path / "new" / "folder"
    assert main(["recall", "--number", "40", "--show", "2", "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    report = json.loads((folder / "recall.json").read_text(encoding="utf-8"))
    assert [r["damage"] for r in report["results"]] == ["noise", "salt", "drop", "half"]
    for result in report["results"]:
        assert result["of"] == report["stored"] == 40
        assert 38 <= result["exact"] <= result["right"] <= 40
        (line,) = [line for line in out.splitlines() if line.startswith(result["text"])]
        assert line.split()[-4:-1] == [str(result[k]) for k in ("exact", "right", "of")]
    assert (folder / "recall.png").read_bytes().startswith(PNG)
    assert files(folder) == ["recall.json", "recall.png"]


def test_recall_replays_a_sequence(capsys, tmp_path):
    call = ["recall", "--sequence", "--number", "40", "--out", str(tmp_path)]
    assert main([*call, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((tmp_path / "recall.json").read_text(encoding="utf-8"))
    assert [r["damage"] for r in report["results"]] == ["noise", "salt", "drop", "half"]
    assert all(r["exact"] == r["of"] == 39 and r["lost"] is None for r in report["results"])
    assert (tmp_path / "recall.png").read_bytes().startswith(PNG)
    # Noise far above the image is read as another one, and the replay goes on from there.
    assert main([*call, "--damage", "noise", "--level", "30"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("noise")]
    assert int(line.split()[-3]) < 39


def test_json_stands_alone_and_a_seed_gives_the_same(capsys, tmp_path):
    call = ["recall", "--number", "40", "--show", "2", "--json", "--damage", "noise"]
    call += ["--out", str(tmp_path)]
    reports = []
    for seed in ("3", "3", "4"):
        assert main([*call, "--level", "3", "--seed", seed]) == 0
        reports.append(json.loads(capsys.readouterr().out))
        written = json.loads((tmp_path / "recall.json").read_text(encoding="utf-8"))
        assert written == reports[-1]
    assert without_times(reports[0]) == without_times(reports[1])
    assert without_times(reports[0]) | {"seed": 4} != without_times(reports[2])
    # Much noise is too much: the counts are no constants.
    assert reports[0]["results"][0]["exact"] < 40


def test_recall_of_an_array_of_vectors_within_any_range(capsys, flat, tmp_path):
    assert main(["recall", str(flat), "--show", "20", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "12 images of 28 × 28" in out
    assert "brought to 0 ... 1" in out
    assert (tmp_path / "recall.png").read_bytes().startswith(PNG)


def test_recall_of_a_folder(capsys, tmp_path):
    image = pytest.importorskip("PIL.Image")
    colours = np.random.default_rng(0).integers(0, 255, (3, 200, 150, 3), dtype=np.uint8)
    (tmp_path / "mine").mkdir()
    for i, pixels in enumerate(colours):
        image.fromarray(pixels).save(tmp_path / "mine" / f"{i}.png")
    call = ["recall", str(tmp_path / "mine"), "--damage", "frame", "--out", str(tmp_path / "out")]
    assert main(call) == 0
    assert "3 images of 3 × 128 × 96 pixels" in capsys.readouterr().out
    assert main([*call, "--size", "16", "--number", "2"]) == 0
    assert "2 images of 3 × 16 × 16 pixels" in capsys.readouterr().out


def test_recall_without_matplotlib_says_how_to_get_the_picture(capsys, flat, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["recall", str(flat), "--damage", "drop", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert 'pip install "attrax[plot]"' in captured.err
    assert "pixels dropped" in captured.out
    assert files(tmp_path) == ["recall.json"]


def test_nothing_half_written_is_left(capsys, flat, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def full(self, path, **options):
        path.write_bytes(PNG)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    assert main(["recall", str(flat), "--damage", "drop", "--out", str(tmp_path)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("", "COMMAND"),
        ("recal", "Did you mean 'recall'?"),
        ("recall --numbr 3", "--numbr"),
        ("recall --num 3", "--num"),
        ("recall --number 0", "must be at least 1"),
        ("recall --number x", "whole number"),
        ("recall --number " + "9" * 30, "whole number"),
        ("recall --number 1", "at least two"),
        ("recall --show 21", "must be at most 20"),
        ("recall --seed -1", "--seed"),
        ("recall --damage rain", "noise, salt, drop, half, frame"),
        ("recall --level 0.3", "--damage noise"),
        ("recall --damage noise --damage salt --level 0.3", "one kind"),
        ("recall --damage salt --level 1.5", "from 0 to 1"),
        ("recall --damage noise --level -1", "at least 0"),
        ("recall --damage noise --level nan", "at least 0"),
        ("recall --damage half --level 1", "leaves nothing"),
        ("recall --size 16", "folder"),
        ("recall no-such-folder", "no-such-folder"),
        ("recall notes.txt", "folder of images"),
        ("recall broken.npy", "cannot be read"),
        ("recall empty", "no image"),
        ("recall alike.npy", "row 1 is the same as row 0"),
        ("recall constant.npy", "constant"),
        ("recall --out notes.txt", "name a folder"),
        ("recall --out notes.txt/deeper", "name a folder"),
        ("reproduce", "--all"),
        ("reproduce --all universal-hopfield", "not both"),
        ("reproduce no-such-system", "universal-hopfield"),
        ("reproduce universal-hopfield --profile slow", "quick or full"),
        ("reproduce universal-hopfield --data nothing", "must be one of"),
        ("reproduce universal-hopfield --seed 1.5", "whole number"),
        ("reproduce hopfeld-1982", "Did you mean 'hopfield-1982'?"),
        ("list more", "unrecognized"),
        ("help recal", "Did you mean 'recall'?"),
        ("recall broken.npy --size 8", "--size is for a folder"),
        ("restore empty empty", "holds no picture"),
        ("restore missing empty", "nothing is there"),
        ("restore notes.txt empty", "a folder or a picture"),
        ("restore empty empty --size 3x4x5", "P or HxW"),
        ("restore empty empty --missing 256", "from 0 to 255"),
        ("restore empty empty --missing nocolour", "a colour"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(call, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no images")
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY\x01\x00 and nothing else")
    (tmp_path / "empty").mkdir()
    np.save("alike.npy", np.tile(np.linspace(0, 1, 9, dtype=np.float32), (5, 1)))
    np.save("constant.npy", np.ones((5, 9), np.float32))
    before = files(tmp_path)
    assert main(call.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("attrax: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert files(tmp_path) == before


@pytest.mark.parametrize(("measured", "status"), [(0.9, 0), (0.1, 1)])
def test_a_claim_that_fails_is_the_exit_status(measured, status, capsys, tmp_path, monkeypatch):
    declared = claim("most come back", paper="0.8", source="1", least=0.8)(lambda run: 0)
    calls = []

    def reproduce(slug, **options):
        calls.append((slug, {k: v for k, v in options.items() if k != "report"}))
        result = declared.judge(measured if slug == "b" else 1.0)
        if options["report"] is not None:
            options["report"](result, 1, 1)
        return Reproduction(slug, options["profile"], 1.0, (result,))

    monkeypatch.setattr(papers, "systems", lambda: [papers.System(s, s, {}, 0.0) for s in "ab"])
    monkeypatch.setattr(papers, "reproduce", reproduce)
    call = ["reproduce", "--all", "--profile", "full", "--seed", "5", "--jobs", "1"]
    call += ["--out", str(tmp_path)]
    assert main(call) == status
    out = capsys.readouterr().out
    # Each claim as it is measured, with its system in front, and in the table.
    assert f"b 1/1  {'fails' if status else 'holds'}" in out
    assert out.count("most come back") == 4
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80 or str(tmp_path) in out
    options = {"profile": "full", "data": None, "seed": 5, "out": tmp_path, "threads": None}
    assert calls == [("a", options), ("b", options)]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(call) == status
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert main([*call, "--json"]) == status
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["slug"] for line in lines] == ["a", "b"]
    assert lines[1]["claims"][0]["verdict"] == ("fails" if status else "holds")


def test_an_interruption_is_no_traceback(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(papers, "systems", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "attrax: interrupted\n"


def test_compiled_programs_go_where_the_user_wants_them(tmp_path):
    code = "from attrax.cli import main; main(['info'])"
    out = in_a_new_process(code, XDG_CACHE_HOME=str(tmp_path / "a"))
    assert str(tmp_path / "a" / "attrax" / "jax") in out
    assert (tmp_path / "a" / "attrax" / "jax").is_dir()
    out = in_a_new_process(
        code, XDG_CACHE_HOME=str(tmp_path / "b"), JAX_COMPILATION_CACHE_DIR=str(tmp_path / "c")
    )
    assert str(tmp_path / "c") in out
    assert not (tmp_path / "b").exists()


def save(path, pixels):
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(exist_ok=True)
    image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Twelve clean pictures in all formats, damaged ones, masks, and files that are no use."""
    base = tmp_path_factory.mktemp("album")
    draw = np.random.default_rng(0)
    pixels = np.rint(255 * load("sample", limit=12).images).astype(np.uint8)
    suffixes = ["png", "gif", "webp", "bmp", "tiff", "jpg"]
    for i, each in enumerate(pixels):
        save(base / "clean" / f"{i}.{suffixes[i % 6]}", each)
    save(base / "clean" / "deep.png", 257 * draw.integers(0, 256, (28, 28)).astype(np.uint16))
    rgba = np.dstack([pixels[0]] * 3 + [np.full((28, 28), 255, np.uint8)])
    save(base / "clean" / "0 again.png", rgba)
    save(base / "clean" / "black.png", np.zeros((28, 28), np.uint8))
    save(base / "clean" / "small.png", pixels[0][:14])
    (base / "clean" / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    noisy = pixels[3] + 80 * draw.normal(size=(28, 28))
    save(base / "damaged" / "noisy.png", np.clip(noisy, 0, 255).astype(np.uint8))
    holes = np.zeros((28, 28), np.uint8)
    holes[14:] = 255
    for i in (4, 6):
        save(base / "damaged" / f"half{i}.bmp", np.where(holes, 0, pixels[i]))
        save(base / "masks" / f"half{i}.png", holes)
    save(base / "masks" / "noisy.png", np.zeros((28, 28), np.uint8))
    save(base / "damaged" / "nothing.png", np.zeros((28, 28), np.uint8))
    save(base / "damaged" / "wide.png", np.tile(pixels[0], (1, 2)))
    (base / "damaged" / "broken.png").write_bytes(b"\x89PNG no more")
    return base, pixels


def test_restore_names_what_it_cannot_use_and_restores_the_rest(album, capsys, tmp_path):
    from PIL import Image

    base, pixels = album
    call = ["restore", str(base / "clean"), str(base / "damaged"), "--out", str(tmp_path)]
    assert main([*call, "--mask", str(base / "masks")]) == 1
    captured = capsys.readouterr()
    assert max(map(len, captured.out.replace(str(tmp_path), "").splitlines())) <= 80
    told = captured.err.splitlines()
    for name in ("broken.jpg", "black.png", "small.png", "nothing.png", "wide.png", "broken.png"):
        assert sum(f"{name}: " in line and "left out" in line for line in told) == 1, name
    assert sum("0.png" in line and "0 again.png" in line for line in told) == 1
    report = json.loads((tmp_path / "restore.json").read_text("utf-8"))
    assert [(r["file"], r["clean"]) for r in report["restored"]] == [
        ("half4.bmp", "4.tiff"),
        ("half6.bmp", "6.png"),
        ("noisy.png", "3.bmp"),
    ]
    for i in (4, 6):
        with Image.open(tmp_path / f"half{i}.bmp") as image:
            again = np.asarray(image.convert("L")).astype(int)
        assert np.abs(again - pixels[i]).max() <= 1
    assert files(tmp_path) == ["half4.bmp", "half6.bmp", "noisy.png", "restore.json"]


@pytest.mark.parametrize("options", [[], ["--missing", "0"], ["--size", "14"]])
def test_restore_of_one_file_is_the_exit_status(options, album, capsys, tmp_path):
    from PIL import Image

    base = album[0]
    call = ["restore", str(base / "clean"), str(base / "damaged" / "noisy.png"), "--json"]
    status = main([*call, *options, "--out", str(tmp_path)])
    report = json.loads(capsys.readouterr().out)
    (result,) = report["restored"]
    assert result["clean"] == "3.bmp"
    # Files of the clean folder were left out, so that not all is well.
    assert status == 1
    assert result["sure"] or options
    shape = (14, 14) if "--size" in options else (28, 28)
    with Image.open(tmp_path / "noisy.png") as image:
        assert image.size == shape
    assert report["copies"] == {"0.png": "0 again.png"} or "0 again.png" in report["copies"]


def test_noise_is_not_taken_for_a_picture(album, capsys, tmp_path):
    draw = np.random.default_rng(1)
    save(tmp_path / "in" / "noise.png", draw.integers(0, 256, (28, 28), dtype=np.uint8))
    call = ["restore", str(album[0] / "clean"), str(tmp_path / "in"), "--json"]
    assert main([*call, "--out", str(tmp_path / "out")]) == 1
    (result,) = json.loads(capsys.readouterr().out)["restored"]
    assert not result["sure"]
    assert result["confidence"] < 0.5


def test_restore_never_writes_over_what_it_reads(album, capsys):
    damaged = str(album[0] / "damaged")
    assert main(["restore", str(album[0] / "clean"), damaged, "--out", damaged]) == 2
    assert "would be replaced" in capsys.readouterr().err


def test_recall_leaves_out_what_it_cannot_use(album, capsys, tmp_path):
    call = ["recall", str(album[0] / "clean"), "--size", "28", "--damage", "salt"]
    assert main([*call, "--show", "2", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    for name in ("broken.jpg", "black.png", "0 again.png"):
        assert name in captured.err
    assert "images of 3 × 28 × 28" in captured.out


def test_help_and_the_module_say_what_help_says(capsys, monkeypatch):
    assert main(["help", "restore"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: attrax restore")
    assert "cropped about its centre" in " ".join(shown.split())
    assert main(["help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    monkeypatch.setattr(sys, "argv", ["attrax", "list"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("attrax", run_name="__main__")
    assert ended.value.code == 0
