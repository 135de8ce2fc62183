"""What every system is made of: claims that are functions, a run that measures, and verdicts."""

import dataclasses
import functools
import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import show

if TYPE_CHECKING:
    from ..data import Dataset

Verdict = Literal["holds", "differs", "not decided", "not run", "fails"]
PROFILES = ("quick", "full")
# A number is told from a bound if it lies at least so many of its standard errors beyond it.
_SURE = 2.0


class NotRun(Exception):
    """What it takes to measure a claim that cannot be measured here, and the command."""


@dataclass(frozen=True)
class Evidence:
    """What was measured for a claim.

    - `values`: one number, or the number of each independent draw.
    - `note`: what else was seen, in whole sentences.
    - `error`: the standard error of a single number; that of several follows from their spread.
      A single number without an error is exact.
    - `intervention`: the same quantity, measured again with what causes a difference from the
      paper taken away. A claim *differs* only if it holds there; otherwise it fails.
    """

    values: Any
    note: str = ""
    error: int | float | None = None
    intervention: Any = None

    def summarise(self) -> tuple[float, float | None, float]:
        """The mean, the standard deviation over draws if there are several, and the error."""
        numbers = np.asarray(self.values, np.float64).reshape(-1)
        if numbers.size == 0:
            raise ValueError("`values` is empty: nothing was measured.")
        if numbers.size == 1:
            return float(numbers[0]), None, 0.0 if self.error is None else float(self.error)
        if self.error is not None:
            raise ValueError("`error` is of a single number; that of draws follows from them.")
        sd = float(numbers.std(ddof=1))
        return float(numbers.mean()), sd, sd / math.sqrt(numbers.size)


@dataclass(frozen=True)
class Claim:
    """A claim of a paper, how it is measured, and the bounds within which it holds.

    - `text`: what is claimed, and the quantity that is measured.
    - `paper`: what the paper prints at this setting, or "–".
    - `source`: where it stands, or "asked here".
    - `least`, `most`: the bounds; either may be absent.
    - `measure`: a function of the `Run` that returns a number, the numbers of several draws, or
      an `Evidence`.
    """

    text: str
    paper: str
    source: str
    least: int | float | None
    most: int | float | None
    measure: Callable[["Run"], Any] = dataclasses.field(repr=False, compare=False)

    def judge(self, evidence: Any) -> "Result":
        """The verdict on a measurement.

        **Arguments:**

        - `evidence`: an `Evidence`, a number, or the numbers of several draws.

        **Returns:** **holds** if the number lies within the bounds by at least two of its standard
        errors, **not decided** if a bound lies within two; else **differs** if the claim holds
        for the evidence's intervention, and **fails** if it does not or there is none. NaN fails.
        """
        if not isinstance(evidence, Evidence):
            evidence = Evidence(evidence)
        mean, sd, error = evidence.summarise()
        verdict = self.decide(mean, error)
        if evidence.intervention is not None:
            if not evidence.note:
                raise ValueError("`note` must say what the intervention takes away.")
            if verdict == "fails" and self.judge(evidence.intervention).verdict == "holds":
                verdict = "differs"
        error = error if sd is not None or evidence.error is not None else None
        mean, sd, error = (None if x is None or math.isnan(x) else x for x in (mean, sd, error))
        return Result(self.text, self.paper, mean, sd, error, verdict, self.source, evidence.note)

    def check(self, run: "Run") -> "Result":
        """Measure and judge; **not run** if the measurement says that it cannot be made here."""
        try:
            evidence = self.measure(run)
        except NotRun as reason:
            return Result(
                self.text, self.paper, None, None, None, "not run", self.source, str(reason)
            )
        return self.judge(evidence)

    def decide(self, mean: float, error: float) -> Verdict:
        """The verdict on a number with a standard error, before any intervention."""
        low = math.inf if self.least is None else mean - self.least
        high = math.inf if self.most is None else self.most - mean
        room = min(low, high)
        if math.isnan(mean) or math.isnan(error) or room < -_SURE * error:
            return "fails"
        return "holds" if room >= _SURE * error else "not decided"


def claim(
    text: str | None = None,
    *,
    paper: str,
    source: str,
    least: int | float | None = None,
    most: int | float | None = None,
) -> Callable[[Callable[["Run"], Any]], Claim]:
    """Declare the function below as a claim; its docstring is the text unless one is given.

    ```python
    @claim(paper="0 (theorem)", source="Hopfield (1982)", most=0)
    def energy_falls(run):
        \"\"\"Energy falls at every change of a unit: largest rise\"\"\"
        return run(measure.flips).rises
    ```

    **Arguments:** see `Claim`.

    **Raises:** `ValueError` without a text or without a bound: such a claim could not fail.
    """
    if least is None and most is None:
        raise ValueError("`least` or `most` must be given: a claim without bounds cannot fail.")

    def declare(measure: Callable[[Run], Any]) -> Claim:
        words = text or " ".join((measure.__doc__ or "").split())
        if not words:
            raise ValueError(f"{measure.__name__} needs a docstring: it is the text of the claim.")
        return Claim(words, paper, source, least, most, measure)

    return declare


def collect(module: ModuleType, kind: type) -> dict[str, Any]:
    """The objects of a kind that a module declares, by name and in the order written.

    A family, in a list or a dictionary, has names such as `recalled[0]` and `recalled[Hebb]`.
    """
    declared: dict[str, Any] = {}
    for name, value in vars(module).items():
        if isinstance(value, kind):
            declared[name] = value
        elif isinstance(value, list | tuple | dict):
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            declared.update(
                {f"{name}[{i}]": entry for i, entry in entries if isinstance(entry, kind)}
            )
    return declared


class Run:
    """One run of a system's measurements: `run(measure, *args)` measures once, whoever asks first.

    Claims run side by side in threads; one that asks for what another is measuring waits for it.

    **Arguments:**

    - `profile`: "quick" or "full".
    - `data`: the data set to use in place of a measurement's own choice, or `None`.
    - `seed`: of all random draws.
    - `known`: measurements by their function, or by (function, *args), that are not made but
      taken from here; for tests.
    - `sizes`: sizes by name that are used in place of what `pick` is given; for tests.
    """

    def __init__(
        self,
        profile: str = "quick",
        data: str | None = None,
        seed: int = 0,
        *,
        known: Mapping[Any, Any] | None = None,
        sizes: Mapping[str, Any] | None = None,
    ):
        self.profile, self.data, self.seed = profile, data, seed
        self.config: dict[str, Any] = {"profile": profile, "seed": seed}
        self._known, self._sizes = dict(known or {}), dict(sizes or {})
        self._results: dict[Any, tuple[Any, Exception | None]] = {}
        self._locks: dict[Any, threading.Lock] = {}
        self._guard = threading.Lock()

    def __call__(self, measure: Callable, *args: Any) -> Any:
        """What `measure(run, *args)` returns, measured once; arguments are numbers and names."""
        key = (measure, *args)
        for name in (key, measure):
            if name in self._known:
                return self._known[name]
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._results:
                try:
                    self._results[key] = measure(self, *args), None
                except Exception as error:
                    self._results[key] = None, error
        value, error = self._results[key]
        if error is not None:
            raise error
        return value

    def pick(self, name: str, *, quick: Any, full: Any) -> Any:
        """A size of this profile; it is written to `config.json` under its name."""
        value = self._sizes.get(name, quick if self.profile == "quick" else full)
        self.config[name] = value
        return value

    def load(self, name: str = "sample", **options: Any) -> "Dataset":
        """A data set: the one that the run was given, else `name`; see `attrax.data.load`.

        **Raises:** `NotRun` if it is not here, with the ways to get it.
        """
        from ..data import load

        name = self.data or name
        try:
            dataset = load(name, **options)
        except (FileNotFoundError, ModuleNotFoundError) as error:
            raise NotRun(" ".join(str(error).split())) from error
        self.config.setdefault("data", [])
        if name not in self.config["data"]:
            self.config["data"].append(name)
        return dataset


def wide(measure: Callable) -> Callable:
    """Let a measurement compute in double precision, whatever the process is set to."""

    @functools.wraps(measure)
    def widened(run: Run, *args: Any) -> Any:
        import jax

        with jax.enable_x64(True):
            return measure(run, *args)

    return widened


@dataclass(frozen=True)
class Result:
    """A claim with its verdict: a row of the table.

    - `name`, `paper`, `source`: of the claim.
    - `measured`: the number; `None` if it was not run, or is NaN.
    - `sd`: the standard deviation over draws; `None` for a single number.
    - `error`: the standard error of `measured`; `None` for an exact number.
    - `verdict`: see `Claim.judge`.
    - `note`: what else was seen, or what the measurement needs.
    """

    name: str
    paper: str
    measured: float | None
    sd: float | None
    error: float | None
    verdict: Verdict
    source: str
    note: str

    def show(self) -> str:
        """The number as text, ± its standard error where it has one."""
        return show.number(self.measured, self.error)


def check_claims(
    claims: Sequence[Claim],
    run: Run,
    threads: int | None = None,
    report: Callable[[Result, int, int], None] | None = None,
) -> tuple[Result, ...]:
    """The verdict on each claim, measured side by side in threads.

    Most of a run is compilation, on one core each; the numbers do not depend on the order.

    **Arguments:**

    - `claims`: what is judged.
    - `run`: measures each thing once.
    - `threads`: how many; the number of cores if `None`.
    - `report`: called in this thread with each result as it is measured, how many are done, and
      how many there are.
    """
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        measured = [pool.submit(claim.check, run) for claim in claims]
        try:
            for done, future in enumerate(as_completed(measured), 1):
                result = future.result()
                if report is not None:
                    report(result, done, len(claims))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(future.result() for future in measured)
