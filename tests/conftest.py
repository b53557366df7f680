# SPDX-License-Identifier: GPL-2.0-or-later
"""What all tests share: scratch folders, kmln as a function, an ordinary user, the test guests, and
the closing line that counts the results."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

import guests
import ordinary
import runner


def pytest_configure(config):
    # the first process of a session makes the folder that its workers share
    if not hasattr(config, "workerinput"):
        config.kmln_shared = Path(tempfile.mkdtemp(prefix="kmln-session-"))


def pytest_configure_node(node):
    node.workerinput["kmln_shared"] = str(node.config.kmln_shared)


@pytest.hookimpl(trylast=True)  # when what is not wanted has been taken out
def pytest_collection_modifyitems(items):
    """Tests with machines first, shared out evenly: two workers get the first and the second eighth of
    the list, and a worker that is left with all slow ones at the end makes the other wait."""
    machines = [item for item in items if item.get_closest_marker("boot")]
    others = [item for item in items if not item.get_closest_marker("boot")]
    # the longest of all begin at once
    machines.sort(key=lambda item: "test_moved" not in item.nodeid)
    eighth = max(len(items) // 8, 1)
    piles = [machines[0:2 * eighth:2], machines[1:2 * eighth:2]]
    for pile in piles:
        while len(pile) < eighth and others:
            pile.append(others.pop())
    items[:] = [*piles[0], *piles[1], *machines[2 * eighth:], *others]


@pytest.fixture(scope="session")
def shared(pytestconfig):
    """A folder that all workers of this session see; removed at its end."""
    worker = getattr(pytestconfig, "workerinput", None)
    return Path(worker["kmln_shared"]) if worker else pytestconfig.kmln_shared


@pytest.fixture
def tmp_path():
    """A scratch folder, gone after the test: images are too big to be kept as pytest keeps them.
    With KMLN_KEEP=1 it stays."""
    path = Path(tempfile.mkdtemp(prefix="kmln-test-"))
    yield path
    if os.environ.get("KMLN_KEEP") != "1":
        # a test may have closed a folder of its own
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def kmln(tmp_path):
    """kmln(ARGS..., expect=STATUS, ...): runs it as runner.run() does. Its folders (KMLN_HOME) are
    below the test's scratch folder."""
    def call(*args, user=None, env=None, **options):
        program = user.kmln if user else runner.BUILD / "kmln"
        own = {} if user else {"KMLN_HOME": tmp_path / "kmln-home"}
        return runner.run([program, *args], user=user, env={**own, **(env or {})}, **options)
    return call


@pytest.fixture(scope="session")
def ordinary_session(shared):
    return ordinary.make(shared)


@pytest.fixture
def ordinary_user(ordinary_session):
    """An ordinary user with no groups: kmln(..., user=ordinary_user); files for it are made by
    ordinary_user.give(FILE) in ordinary_user.home, which is empty for each test."""
    user = ordinary_session
    home = Path(tempfile.mkdtemp(prefix="t-", dir=user.home))
    if os.geteuid() == 0:
        os.chown(home, user.uid, user.gid)
    yield runner.User(user.name, user.build, home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def guest():
    """guest("busybox" | "awkward" | "systemd" | "trixie" | "kernel" ...): the path of a cached guest (or
    the kernel package), read-only; see guests.py. guests.copy() makes one that may be written."""
    def get(name):
        try:
            return guests.NAMES[name]()
        except guests.Unavailable as lack:
            runner.lacking(str(lack), lack.package)
    return get


def _counts(reporter):
    def count(*kinds):
        return sum(len(reporter.stats.get(kind, [])) for kind in kinds)
    return count("passed", "xpassed"), count("failed", "error"), count("skipped", "xfailed")


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"skipped {report.nodeid}: {reason.removeprefix('Skipped: ')}")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """The last words of a run, behind pytest's own: the closing line, alone on its line; in a run of
    scripts/check, which has several, the counts go to its file and the line gets a label."""
    if hasattr(config, "workerinput"):
        return
    if hasattr(config, "kmln_shared"):
        ordinary.remove(config.kmln_shared)
        shutil.rmtree(config.kmln_shared, ignore_errors=True)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not reporter or config.option.collectonly:
        return
    passed, failed, skipped = _counts(reporter)
    label = os.environ.get("KMLN_LABEL")
    if "KMLN_COUNTS" in os.environ:
        with open(os.environ["KMLN_COUNTS"], "a", encoding="ascii") as file:
            file.write(f"{passed} {failed} {skipped}\n")
    print(f"{label + ': ' if label else ''}{passed} passed, {failed} failed, {skipped} skipped")
