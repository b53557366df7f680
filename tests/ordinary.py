# SPDX-License-Identifier: GPL-2.0-or-later
"""The ordinary user that tests run kmln as. When the suite runs as root, an account is made for the
session and removed at its end; all workers of a session share it."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from lock import locked
from runner import BUILD, User

SUBIDS = 65536


def _exists(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _has_range(file, name):
    try:
        lines = Path(file).read_text().splitlines()
    except FileNotFoundError:
        return False
    return any(line.split(":")[0] == name for line in lines)


def _free_range():
    """The first multiple of SUBIDS from 100000 on that no line of /etc/subuid and subgid touches."""
    ends = [100000]
    for file in ("/etc/subuid", "/etc/subgid"):
        if os.path.exists(file):
            for line in Path(file).read_text().splitlines():
                fields = line.split(":")
                if len(fields) == 3:
                    ends.append(int(fields[1]) + int(fields[2]))
    return max(ends)


def _tool(*argv):
    # somebody else may hold the lock of /etc/passwd for a moment
    for attempt in range(20):
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(0.3)
    raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")


def _name(shared):
    """Sessions that run at the same time have an account each."""
    return "kmln-" + hashlib.sha256(os.fsencode(shared)).hexdigest()[:8]


def make(shared):
    """The User. `shared`: a folder that the workers of this session have in common."""
    if os.geteuid() != 0:
        home = shared / "home"
        home.mkdir(exist_ok=True)
        return User(pwd.getpwuid(os.geteuid()).pw_name, BUILD, home)
    name = _name(shared)
    with locked(shared / "user.lock"):
        place = shared / "user.place"
        if not place.exists():
            base = Path(tempfile.mkdtemp(prefix="kmln-user-"))
            base.chmod(0o755)
            if not _exists(name):
                _tool("/usr/sbin/useradd", "--system", "--user-group", "--no-create-home",
                      "--home-dir", str(base / "home"), "--shell", "/bin/sh", name)
                (shared / "user.made").touch()
            first = _free_range()
            for file, option in (("/etc/subuid", "--add-subuids"), ("/etc/subgid", "--add-subgids")):
                if not _has_range(file, name):
                    _tool("/usr/sbin/usermod", option, f"{first}-{first + SUBIDS - 1}", name)
            entry = pwd.getpwnam(name)
            (base / "home").mkdir(mode=0o700)
            os.chown(base / "home", entry.pw_uid, entry.pw_gid)
            _copy_build(base / "build")
            place.write_text(str(base))
        base = Path(place.read_text())
    return User(name, base / "build", base / "home")


def _copy_build(to):
    """What kmln runs with, without objects and guests: root's own folder may be closed to others."""
    skip = shutil.ignore_patterns("*.o", "*.a", "*.p", "meson-*", "guests", "*.ninja*", "tests")
    shutil.copytree(BUILD, to, symlinks=True, ignore=skip)
    for folder, _, names in os.walk(to):
        os.chmod(folder, 0o755)
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.stat().st_mode & 0o100 else 0))


def remove(shared):
    """At the end of the session, once: takes away what make() made."""
    place = shared / "user.place"
    if place.exists():
        shutil.rmtree(place.read_text(), ignore_errors=True)
    if (shared / "user.made").exists():
        _tool("/usr/sbin/userdel", _name(shared))
