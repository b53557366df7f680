# SPDX-License-Identifier: GPL-2.0-or-later
"""Running programs under test: kmln itself, with a time limit and an eye on sanitizer reports, as
whoever runs the tests or as an ordinary user. The fixtures of conftest.py hand these out."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("KMLN_BUILD", ROOT / "build")).resolve()
IN_CI = os.environ.get("CI") == "true"

# Debian keeps e2fsck, debugfs and the like where an ordinary user's PATH does not look
PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"

# a sanitizer's report ends the program with this status, which kmln itself never returns
SANITIZER_STATUS = 97
SANITIZER_WORDS = re.compile(
    rb"ERROR: (Address|Leak|Memory|Thread)Sanitizer|runtime error: |UndefinedBehaviorSanitizer")


def fits(kilobytes, limit):
    """A sanitizer's memory is not kmln's: with one the run alone is the check."""
    return kilobytes < limit or b"__asan_init" in (BUILD / "kmln").read_bytes()


def packages():
    """The Debian packages that `make deps` installs."""
    text = (ROOT / "scripts/packages.txt").read_text()
    return {line.split("#")[0].strip() for line in text.splitlines()} - {""}


def lacking(reason, package=None):
    """Skips the running test. In CI the lack of a package that `make deps` installs is a failure."""
    if package:
        reason += f" (Debian package {package})"
    if IN_CI and package in packages():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need_program(name, package):
    """The full path of a program, or the test is skipped."""
    found = shutil.which(name, path=PATH)
    if not found:
        lacking(f"{name} is not installed", package)
    return found


class Result:
    """What a program did. `out` and `err` are text in which every byte survives."""

    def __init__(self, argv, status, out, err, seconds):
        self.argv, self.status, self.seconds = argv, status, seconds
        self.out_bytes, self.err_bytes = out, err
        self.out = out.decode("utf-8", "surrogateescape")
        self.err = err.decode("utf-8", "surrogateescape")

    def __str__(self):
        def tail(text):
            text = text.encode("utf-8", "backslashreplace").decode()
            return text if len(text) < 8000 else "[...]" + text[-8000:]
        return (f"{' '.join(map(str, self.argv))}\nstatus {self.status} after {self.seconds:.1f} s\n"
                f"--- stdout\n{tail(self.out)}\n--- stderr\n{tail(self.err)}")


def run(argv, *, expect=None, timeout=60, stdin=b"", env=None, cwd=None, user=None, pass_fds=()):
    """Runs argv to its end and returns a Result. `expect`: the status it must have (a number or a
    collection). After `timeout` seconds all of its process group is killed and the test fails.
    `env` is added to the surroundings; a value of None takes a name out. `user`: see User."""
    __tracebackhide__ = True
    argv = [os.fspath(a) for a in argv]
    surroundings = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}
    surroundings.update(sanitizer_env())
    extra = {}
    if user:
        surroundings.update(user.env)
        extra = user.identity()
    surroundings.update(env or {})
    surroundings = {k: os.fspath(v) for k, v in surroundings.items() if v is not None}
    start = time.monotonic()
    # the new session makes a group of its own, and takes the terminal away
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=surroundings, start_new_session=True,
                             pass_fds=pass_fds, cwd=cwd or (user.home if user else None), **extra)
    late = False
    try:
        out, err = child.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    if late:
        out, err = child.communicate()
    status = child.returncode if child.returncode >= 0 else 128 - child.returncode
    result = Result(argv, status, out, err, time.monotonic() - start)
    if late:
        pytest.fail(f"not finished after {timeout} s: {result}", pytrace=False)
    if status == SANITIZER_STATUS or SANITIZER_WORDS.search(err):
        pytest.fail(f"sanitizer report: {result}", pytrace=False)
    if expect is not None:
        allowed = {expect} if isinstance(expect, int) else set(expect)
        assert status in allowed, f"expected status {expect}: {result}"
    return result


def sanitizer_env():
    return {
        "ASAN_OPTIONS": f"detect_leaks=1:exitcode={SANITIZER_STATUS}:abort_on_error=0",
        "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:exitcode={SANITIZER_STATUS}",
        "LSAN_OPTIONS": f"exitcode={SANITIZER_STATUS}",
    }


class User:
    """An ordinary user, no member of any group but his own, who runs kmln: run(..., user=this).

    Where the tests run as root, this is an account of its own, and the build is copied to where it
    may read it; else it is whoever runs the tests. `home` is a scratch folder that it owns."""

    def __init__(self, name, build, home):
        entry = pwd.getpwnam(name)
        self.name, self.uid, self.gid = name, entry.pw_uid, entry.pw_gid
        self.build, self.home = build, home
        self.kmln = build / "kmln"
        self.env = {"HOME": home, "USER": name, "LOGNAME": name, "TMPDIR": None,
                    "XDG_RUNTIME_DIR": None, "KMLN_HOME": home / "kmln"}

    def identity(self):
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, source, name=None):
        """A copy of a file in the user's home, which the user owns; holes stay holes."""
        copy = self.home / (name or Path(source).name)
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, copy], check=True)
        if os.geteuid() == 0:
            os.chown(copy, self.uid, self.gid)
        return copy
