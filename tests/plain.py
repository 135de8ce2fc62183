"""Calls made in a plain interpreter, as users make them: `python tests/plain.py < calls > answers`.

In the interpreter of the tests annotations are checked at run time, so that a call with a wrong
type ends in the checker's error instead of attrax's own. Tests name their calls by the marker
`plain(setting, calls)`; the fixture `answers` runs those of all tests here, in one process.
"""

import json
import sys

import jax


def answer(call, names):
    """The names of the error's classes and its text, on one line; nothing if there was no error."""
    try:
        eval(call, names)
    except Exception as error:
        return [cls.__name__ for cls in type(error).__mro__], " ".join(str(error).split())
    return [], ""


def main():
    jax.config.update("jax_num_cpu_devices", 2)
    answers = {}
    for setting, calls in json.load(sys.stdin).items():
        names = {}
        exec(setting, names)
        answers[setting] = {call: answer(call, names) for call in calls}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
