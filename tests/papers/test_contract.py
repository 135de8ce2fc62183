"""The contract of every reproduction: verdicts, runs, files, panels, processes."""

import json
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
from matplotlib.figure import Figure

from attrax import papers
from attrax.common.files import replace_file
from attrax.papers import pool, show
from attrax.papers.contract import (
    Claim,
    Evidence,
    NotRun,
    Result,
    Run,
    check_claims,
    claim,
    collect,
    wide,
)
from attrax.papers.panels import Panel, draw_panel, panel
from attrax.papers.reproduction import Reproduction, environment


@claim(paper="0.2", source="figure 1", least=0.1, most=0.4)
def margin(run):
    """A margin: how
    much"""
    return run(measured)


def measured(run):
    return run.pick("size", quick=0.2, full=0.3)


def spread(mean, error):
    """Two draws of this mean and standard error."""
    return [mean - error, mean + error]


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (0.2, "holds"),
        (0.1, "holds"),
        (0.0999, "fails"),
        (0.41, "fails"),
        (float("nan"), "fails"),
        (spread(0.2, 0.04), "holds"),
        (spread(0.2, 0.06), "not decided"),
        (spread(0.05, 0.03), "not decided"),
        (spread(0.05, 0.02), "fails"),
        (Evidence(0.2, error=0.06), "not decided"),
        (Evidence(0.05, "because", intervention=0.2), "differs"),
        (Evidence(0.05, "because", intervention=spread(0.2, 0.06)), "fails"),
        (Evidence(0.05, "because", intervention=0.09), "fails"),
        (Evidence(spread(0.2, 0.06), "because", intervention=0.2), "not decided"),
        (Evidence(0.2, "because", intervention=0.0), "holds"),
    ],
)
def test_the_error_decides_and_only_an_intervention_explains(evidence, verdict):
    assert margin.judge(evidence).verdict == verdict


def test_mean_and_errors_are_those_of_independent_draws():
    result = margin.judge(np.array([[0.1, 0.2], [0.3, 0.4]]))
    assert result.measured == pytest.approx(0.25)
    assert result.sd == pytest.approx(np.std([0.1, 0.2, 0.3, 0.4], ddof=1))
    assert result.error == pytest.approx(result.sd / 2)
    assert result.show() == "0.250 ± 0.065"
    exact = margin.judge(1e-7)
    assert (exact.sd, exact.error, exact.show()) == (None, None, "1.0e-07")
    assert margin.judge(float("nan")).measured is None


def test_claims_that_cannot_fail_are_refused():
    with pytest.raises(ValueError, match="cannot fail"):
        claim(paper="", source="")
    with pytest.raises(ValueError, match="needs a docstring"):
        claim(paper="", source="", least=0)(lambda run: 0)
    with pytest.raises(ValueError, match="nothing was measured"):
        margin.judge([])
    with pytest.raises(ValueError, match="what the intervention takes away"):
        margin.judge(Evidence(0.2, intervention=0.2))
    with pytest.raises(ValueError, match="is of a single number"):
        margin.judge(Evidence([0.1, 0.2], error=0.1))


def test_claims_and_families_are_collected_as_they_are_written():
    written = types.ModuleType("written")
    written.second, written.some = margin, [margin, 3, margin]
    written.named, written.other = {"Hebb": margin}, 5
    assert list(collect(written, Claim)) == ["second", "some[0]", "some[2]", "named[Hebb]"]
    assert margin.text == "A margin: how much"


def test_a_measurement_is_made_once_whoever_asks():
    calls, begun = [], threading.Barrier(3)

    def slow(run, number):
        calls.append(number)
        return number

    def ask(run):
        begun.wait()
        return run(slow, 1) + run(slow, 2)

    asking = claim("asks", paper="", source="", least=3)(ask)
    results = check_claims([asking] * 3, Run(), threads=3)
    assert [result.verdict for result in results] == ["holds"] * 3
    assert sorted(calls) == [1, 2]


def test_each_claim_is_reported_as_it_is_measured():
    gate, told = threading.Event(), []

    def late(run):
        gate.wait(10)
        return 1

    slow = claim("slow", paper="", source="", least=0)(late)
    fast = claim("fast", paper="", source="", least=0)(lambda run: 0)

    def report(result, done, of):
        told.append((result.name, done, of))
        gate.set()

    results = check_claims([slow, fast], Run(), 2, report)
    assert told == [("fast", 1, 2), ("slow", 2, 2)]
    assert [result.name for result in results] == ["slow", "fast"]


def test_versions_need_no_metadata(monkeypatch):
    from attrax import version

    def missing(name):
        raise version.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(version.metadata, "version", missing)
    assert environment()["jax"] == __import__("jax").__version__
    assert version.installed_version("no_such_package") is None


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_tables_and_lines_fit_the_width(width):
    content = example(claims=example().claims * 2).to_json()
    content["claims"][0] |= {"name": "a claim of many words " * 8, "paper": "some numbers " * 4}
    lines = show.table(content, width).splitlines()
    lines += show.line(content["claims"][0], "hierarchical-memory 1/2  ", width).splitlines()
    assert max(map(len, lines)) <= max(width, 62)
    assert " ".join(" ".join(lines).split()).count("many words") >= 2


def test_a_measurement_that_cannot_be_made_says_so_to_everybody():
    calls = []

    def missing(run):
        calls.append(1)
        raise NotRun("needs more")

    needing = claim("needs", paper="", source="", least=0)(lambda run: run(missing))
    results = check_claims([needing, needing], Run())
    assert [(r.verdict, r.measured, r.note) for r in results] == [
        ("not run", None, "needs more")
    ] * 2
    assert calls == [1]


def test_sizes_are_picked_by_profile_and_written_down():
    quick, full = Run(), Run("full")
    assert (quick(measured), full(measured)) == (0.2, 0.3)
    assert full.config == {"profile": "full", "seed": 0, "size": 0.3}
    assert Run(sizes={"size": 7})(measured) == 7
    assert Run(known={measured: 9})(measured) == 9
    assert Run(known={(measured, 1): 9})(measured) == 0.2


def test_a_run_loads_what_it_was_given(monkeypatch, tmp_path):
    run = Run()
    assert run.load(limit=3).x.shape == (3, 784)
    assert run.config["data"] == ["sample"]
    monkeypatch.setenv("ATTRAX_DATA", str(tmp_path))
    with pytest.raises(NotRun, match="cifar-10"):
        Run(data="cifar-10").load()


def test_wide_measurements_are_in_double_precision():
    import jax.numpy as jnp

    def digits(run):
        return jnp.finfo(jnp.ones(()).dtype).bits

    assert (Run()(digits), Run()(wide(digits))) == (32, 64)


def example(**changes) -> Reproduction:
    claims = (
        margin.judge([0.2, 0.3]),
        margin.judge(Evidence(0.0, "the reason", intervention=0.2)),
        Result("b", "–", None, None, None, "not run", "s", "needs a data set"),
    )
    return Reproduction(
        **{"slug": "some-system", "profile": "quick", "seconds": 1.23, "claims": claims} | changes
    )


def test_the_table_shows_every_claim_and_the_reasons():
    text = example().table()
    assert "0.250 ± 0.050" in text
    assert "1 holds, 1 differs, 1 not run; 1.2 s" in text
    assert "the reason" in text
    assert "needs a data set" in text
    assert not example().failed
    broken = margin.judge(0.0)
    assert example(claims=(broken,)).failed
    assert not example(claims=(broken,), unsettled=frozenset({broken.name})).failed


@panel(xlabel="x", xlim=(0, 2))
def line(ax, run):
    """A line"""
    ax.plot([0, run(measured)], [0, 1], label="line")


def test_files_are_written_at_once(tmp_path):
    folder = example(panels={"line": line}).write(tmp_path / "deep")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["claims.json", "config.json", "env.json", "figure.png"]
    assert json.loads((folder / "claims.json").read_text("utf-8")) == example().to_json()
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config == {"slug": "some-system", "profile": "quick", "seed": 0}
    assert json.loads((folder / "env.json").read_text("utf-8"))["jax"] == environment()["jax"]
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_panel_is_a_picture_of_its_own(tmp_path):
    draw_panel(tmp_path / "line.png", line, Run())
    assert isinstance(line, Panel)
    assert (line.title, line.settings) == ("A line", {"xlabel": "x", "xlim": (0, 2)})
    assert (tmp_path / "line.png").stat().st_size < 50_000


def test_a_panel_of_what_is_not_run_says_so(tmp_path):
    @panel(xlabel="x", yscale="log")
    def absent(ax, run):
        """A set that is not here"""
        ax.plot([1, 2])
        raise NotRun("needs a data set: command")

    ax = Figure().subplots()
    absent.fill(ax, Run())
    assert [text.get_text() for text in ax.texts] == ["not run"]
    assert (ax.get_title(), len(ax.lines)) == ("A set that is not here", 0)
    folder = example(panels={"absent": absent, "line": line}).write(tmp_path)
    assert (folder / "figure.png").exists()


def test_a_failing_writer_leaves_the_old_file(tmp_path):
    target = tmp_path / "claims.json"
    target.write_text("old", encoding="utf-8")

    def half(path):
        path.write_text("ne", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_file(target, half)
    assert target.read_text("utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["claims.json"]


def test_systems_are_listed_without_jax():
    code = (
        "import sys, attrax.papers as p\n"
        "print(len(p.systems()), 'jax' in sys.modules, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, *loaded = done.stdout.split()
    assert int(count) >= 1
    assert loaded == ["False", "False"]


def test_systems_run_side_by_side_longest_first(monkeypatch):
    order = []

    class Pool:
        def __init__(self, jobs, context, begin, arguments):
            order.append(jobs)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return False

        def submit(self, task):
            from concurrent.futures import Future

            future = Future()
            order.append(task.args[0])
            future.set_result(pool.Report(task.args[0], {}, False))
            return future

    known = [papers.System(s, s, {}, t) for s, t in (("a", 1.0), ("b", 3.0), ("c", 2.0))]
    monkeypatch.setattr(papers, "systems", lambda: known)
    monkeypatch.setattr(pool, "ProcessPoolExecutor", Pool)
    reports = list(pool.reproduce_all(["a", "b", "c"], 2))
    assert order == [2, "b", "c", "a"]
    assert {report.slug for report in reports} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"slug": "hopfeld-1982"}, "Did you mean 'hopfield-1982'"),
        ({"slug": "contract"}, "it must be one of"),
        ({"slug": "hopfield-1982", "profile": "slow"}, "must be one of quick, full"),
        ({"slug": "hopfield-1982", "seed": -1}, "must be a whole number from 0"),
        ({"slug": "hopfield-1982", "data": "imagenet"}, "name is 'imagenet'"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, text):
    with pytest.raises(ValueError, match=text):
        papers.reproduce(**call)
