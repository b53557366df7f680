# SPDX-License-Identifier: GPL-2.0-or-later
"""A lock between the workers of a test run, and between runs: it goes with the process."""

import contextlib
import fcntl


@contextlib.contextmanager
def locked(path):
    with open(path, "a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
