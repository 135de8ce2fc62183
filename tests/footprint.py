"""What a run of the tests takes: programs compiled, by test file, and the memory of each worker.

Compilation is most of the time, and what is compiled is counted whether or not the cache on disk
had it. At the end of a run the files are named that compile most.
"""

from collections import Counter
from pathlib import Path

import jax
import pytest

SHOWN = 10
COMPILED = "/jax/core/compile/backend_compile_duration"
STATUS = Path("/proc/self/status")


class Footprint:
    """Programs and seconds of compilation by file, and the largest memory of each process."""

    def __init__(self):
        self.file = ""
        self.programs = Counter()
        self.seconds = Counter()
        self.memory = {}
        jax.monitoring.register_event_duration_secs_listener(self._note)

    def _note(self, event, seconds, **_):
        if event == COMPILED:
            self.programs[self.file] += 1
            self.seconds[self.file] += seconds

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        self.file = collector.nodeid.split("::")[0]
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.file = item.nodeid.split("::")[0]
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session):
        worker = getattr(session.config, "workerinput", {}).get("workerid", "alone")
        if STATUS.exists():
            (line,) = [line for line in STATUS.read_text().splitlines() if "VmHWM" in line]
            self.memory[worker] = int(line.split()[1]) / 2**20
        if worker != "alone":
            session.config.workeroutput["footprint"] = (
                dict(self.programs),
                dict(self.seconds),
                self.memory,
            )
        return (yield)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        # A worker that crashed has none.
        programs, seconds, memory = node.workeroutput.get("footprint", ({}, {}, {}))
        self.programs.update(programs)
        self.seconds.update(seconds)
        self.memory.update(memory)

    def pytest_terminal_summary(self, terminalreporter):
        if terminalreporter.config.option.collectonly:
            return
        total, seconds = self.programs.total(), self.seconds.total()
        terminalreporter.section(f"{total} programs compiled, in {seconds:.0f} s")
        for file, count in self.programs.most_common(SHOWN):
            terminalreporter.write_line(f"{count:6} {self.seconds[file]:6.1f} s  {file}")
        memory = ", ".join(f"{name} {size:.1f}" for name, size in sorted(self.memory.items()))
        terminalreporter.write_line(f"Largest memory of a process in GiB: {memory or 'unknown'}")


def pytest_configure(config):
    config.pluginmanager.register(Footprint(), "footprint-of-attrax")
