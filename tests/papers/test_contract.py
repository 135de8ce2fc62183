"""The contract of every reproduction: verdicts, JSON, files, registry."""

import json
import subprocess
import sys

import pytest

from attrax import papers
from attrax.papers.contract import (
    Claim,
    Reproduction,
    Result,
    environment,
    measured,
    replace,
)

CLAIM = Claim("a margin", "0.2", "figure 1", least=0.1, tolerance=0.05)
KEYS = ["name", "paper", "measured", "sd", "verdict", "source", "note"]


@pytest.mark.parametrize(
    ("values", "explained", "verdict"),
    [
        ([0.2], False, "holds"),
        ([0.05], False, "holds"),
        ([0.04], False, "fails"),
        ([0.04], True, "differs"),
        ([0.2], True, "holds"),
        ([float("nan")], False, "fails"),
        ([0.0, 0.3], False, "holds"),
        ([-0.3, 0.1], False, "fails"),
    ],
)
def test_the_verdict_follows_from_the_mean(values, explained, verdict):
    result = CLAIM.judge(values, explained=explained, note="because")
    assert result.verdict == verdict
    assert (result.sd is None) == (len(values) == 1)


def test_both_bounds_count():
    claim = Claim("a share", "x", "y", least=0.0, most=1.0, tolerance=0.1)
    assert [claim.confirmed(x) for x in (-0.11, -0.1, 0.5, 1.1, 1.11)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_the_spread_is_over_runs():
    result = CLAIM.judge([1.0, 2.0, 3.0])
    assert result.measured == 2
    assert result.sd == pytest.approx((2 / 3) ** 0.5)


def test_nothing_differs_without_a_reason():
    with pytest.raises(ValueError, match="cannot differ without a reason"):
        CLAIM.judge([0.0], explained=True)
    with pytest.raises(ValueError, match="was not measured"):
        CLAIM.judge([])


def example(**changes) -> Reproduction:
    claims = (
        CLAIM.judge([0.3, 0.5]),
        CLAIM.judge([0.0], explained=True, note="the reason"),
        CLAIM.not_run("needs a data set"),
    )
    parts = {"slug": "some-system", "profile": "quick", "seconds": 1.234, "claims": claims}
    return Reproduction(**{**parts, **changes})


def test_json_is_exactly_the_contract():
    found = json.loads(json.dumps(example().to_json()))
    assert list(found) == ["slug", "profile", "seconds", "claims"]
    assert [list(claim) for claim in found["claims"]] == [KEYS] * 3
    assert [claim["verdict"] for claim in found["claims"]] == ["holds", "differs", "not run"]
    assert found["claims"][2]["measured"] is None
    assert found["claims"][2]["note"] == "needs a data set"


def test_the_table_shows_every_claim_and_the_reasons():
    text = example().table()
    assert "0.400 ± 0.100" in text
    assert "1 holds, 1 differs, 1 not run; 1.2 s" in text
    assert "the reason" in text
    assert "needs a data set" in text


def test_one_failure_fails_the_reproduction():
    assert not example().failed
    assert example(claims=(CLAIM.judge([0.0]),)).failed


def test_files_are_written_at_once(tmp_path):
    def draw(path):
        path.write_bytes(b"picture")

    folder = example(draw=draw, config={"seed": 0}).write(tmp_path / "deep")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["claims.json", "config.json", "env.json", "figure.png"]
    assert json.loads((folder / "claims.json").read_text("utf-8")) == example().to_json()
    assert json.loads((folder / "config.json").read_text("utf-8")) == {"seed": 0}
    assert json.loads((folder / "env.json").read_text("utf-8"))["jax"] == environment()["jax"]
    assert (folder / "figure.png").read_bytes() == b"picture"
    assert folder.name == "some-system"


def test_a_failing_writer_leaves_the_old_file(tmp_path):
    target = tmp_path / "claims.json"
    target.write_text("old", encoding="utf-8")

    def half(path):
        path.write_text("ne", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace(target, half)
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


@pytest.mark.parametrize("system", papers.systems(), ids=lambda system: system.slug)
def test_the_committed_results_are_of_the_claims_declared(system):
    module = __import__(f"attrax.papers.{system.slug.replace('-', '_')}", fromlist=["CLAIMS"])
    record = papers._HERE / "results" / f"{system.slug}.json"
    found = json.loads(record.read_text("utf-8"))
    assert found["slug"] == system.slug
    assert found["profile"] == "full"
    assert [claim["name"] for claim in found["claims"]] == [c.name for c in module.CLAIMS]
    for claim, declared in zip(found["claims"], module.CLAIMS, strict=True):
        assert list(claim) == KEYS
        if claim["verdict"] == "not run":
            assert claim["measured"] is None
        else:
            assert (claim["verdict"] == "holds") == declared.confirmed(claim["measured"])
        assert claim["verdict"] in ("holds", "differs", "not run")
        assert claim["verdict"] == "holds" or claim["note"]
    assert system.held == sum(claim["verdict"] == "holds" for claim in found["claims"])
    assert system.claims == len(found["claims"])
    assert system.title


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"slug": "universal-hopfeld"}, "Did you mean 'universal-hopfield'"),
        ({"slug": "contract"}, "it must be one of"),
        ({"slug": "universal-hopfield", "profile": "slow"}, "must be one of quick, full"),
        ({"slug": "universal-hopfield", "seed": -1}, "must be a whole number from 0"),
        ({"slug": "universal-hopfield", "data": "imagenet"}, "name is 'imagenet'"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, text):
    with pytest.raises(ValueError, match=text):
        papers.reproduce(**call)


def test_results_are_plain_values():
    result = Result("a", "b", 1.0, None, "holds", "c", "")
    assert json.loads(json.dumps(result.__dict__)) == result.__dict__


@pytest.mark.parametrize("system", papers.systems(), ids=lambda system: system.slug)
def test_the_page_of_a_system_shows_the_committed_results(system, root):
    page = root / "docs" / "systems" / f"{system.slug}.md"
    if not page.exists():
        pytest.skip("the documentation is not here")
    text = page.read_text("utf-8")
    record = papers._HERE / "results" / f"{system.slug}.json"
    for claim in json.loads(record.read_text("utf-8"))["claims"]:
        row = f"| {claim['name']} | {claim['paper']} | {measured(Result(**claim))} | "
        assert f"{row}**{claim['verdict']}** |" in text
        assert claim["verdict"] == "holds" or claim["note"] in text
    assert (page.parent / "img" / f"{system.slug}.png").stat().st_size < 400_000
