"""Runs a script's checks one after the other, all of them, and then tells which failed.

usage of every script of checks: SCRIPT ROOT [ARGUMENTS...] where ROOT is the address of the workspace
"""

import sys
import traceback

from loopback import Loopback

CHECKS = []


def check(function):
    """Registers a check; its doc string or its name says what is claimed."""
    CHECKS.append(function)
    return function


def equal(got, want):
    """Fails unless both are equal in value and type (True is not 1, 1 is not 1.0)."""
    if not exactly(got, want):
        raise AssertionError(f"\n     got {got!r}\n  wanted {want!r}")


def exactly(got, want):
    if isinstance(want, dict) and isinstance(got, dict):
        return got.keys() == want.keys() and all(exactly(got[key], want[key]) for key in want)
    if isinstance(want, (list, tuple)) and isinstance(got, (list, tuple)):
        return len(got) == len(want) and all(map(exactly, got, want))
    return type(got) is type(want) and got == want


def raises(kind, call, *texts):
    """Fails unless `call` raises `kind`, and its text contains `texts`; returns the error."""
    try:
        result = call()
    except kind as error:
        for text in texts:
            if text not in str(error):
                raise AssertionError(f"{text!r} is not in {error}") from None
        return error
    raise AssertionError(f"no {kind.__name__}, but {result!r}")


def run(prepare):
    """Runs every check with what `prepare(loopback, *arguments)` returned."""
    loopback = Loopback(sys.argv[1])
    subject = prepare(loopback, *sys.argv[2:])
    failed = 0
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        try:
            function(subject)
            print(f"ok {name}")
        except Exception as error:  # whatever it is, the other checks still run
            failed += 1
            trace = traceback.extract_tb(error.__traceback__)
            here = next((frame for frame in reversed(trace) if "tests/clients" in frame.filename
                         and not frame.filename.endswith(("checks.py", "loopback.py"))), trace[-1])
            print(f"FAILED {name}\n  {here.filename}:{here.lineno}: {here.line}\n  {type(error).__name__}: {error}")
    problems = loopback.record.problems
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed; "
          f"{loopback.record.count} answers held against the discovery documents")
    if problems:
        print("FAILED answers:\n" + "\n".join(problems))
    if failed or problems or not loopback.record.count:
        sys.exit(1)
