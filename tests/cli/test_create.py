# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln create where it fails: what it says, its status, and that nothing is left behind. That what it
makes runs is shown in tests/boot/test_moved.py."""

import os
import shutil

import pytest

import runner

BOOKWORM = "debian:bookworm"


def left_behind(folder):
    return [path for path in folder.iterdir() if path.name != "kmln-home"]


@pytest.mark.parametrize("arguments, words", [
    (["ubuntu:noble", "-o", "g.img"], "kmln makes Debian guests"),
    (["debian:", "-o", "g.img"], "is no Debian suite"),
    (["debian:--hook", "-o", "g.img"], "is no Debian suite"),
    (["debian:book worm", "-o", "g.img"], "is no Debian suite"),
    ([BOOKWORM], "-o IMAGE"),
    ([BOOKWORM, "-o", "g.img", "--include", "a;b"], "is no package name"),
    ([BOOKWORM, "-o", "g.img", "--hostname", "a.b/c"], "is no host name"),
    ([BOOKWORM, "-o", "g.img", "--hostname", "-x"], "is no host name"),
    ([BOOKWORM, "-o", "g.img", "--root-password", ""], "empty"),
    ([BOOKWORM, "-o", "g.img", "--root-password", "a\nb"], "one line"),
    ([BOOKWORM, "-o", "g.img", "--size", "16M"], "256M"),
    ([BOOKWORM, "-o", "g.img", "--size", "big"], "not a size"),
    ([BOOKWORM, "-o", "g.img", "--init", "upstart"], "systemd, sysvinit"),
    ([BOOKWORM, "-o", "g.img", "--ssh-key", "/etc/hostname"], "not a public key"),
])
def test_wrong_command_line(kmln, tmp_path, arguments, words):
    run = kmln("create", *arguments, cwd=tmp_path, expect=2)
    assert words in run.err
    assert not left_behind(tmp_path)


def test_image_is_there(kmln, tmp_path):
    image = tmp_path / "g.img"
    image.write_text("mine")
    run = kmln("create", BOOKWORM, "-o", image, expect=1)
    assert "--force" in run.err
    assert image.read_text() == "mine"


def test_no_folder(kmln, tmp_path):
    run = kmln("create", BOOKWORM, "-o", tmp_path / "none/g.img", expect=1)
    assert "No such file or directory" in run.err


def test_key_is_missing(kmln, tmp_path):
    run = kmln("create", BOOKWORM, "-o", tmp_path / "g.img", "--ssh-key", tmp_path / "none", expect=1)
    assert "No such file or directory" in run.err
    assert not left_behind(tmp_path)


def test_no_mmdebstrap(kmln, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mke2fs").symlink_to(runner.need_program("mke2fs", "e2fsprogs"))
    # /usr/sbin and /sbin are looked in as well, /usr/bin is not
    run = kmln("create", BOOKWORM, "-o", tmp_path / "g.img", env={"PATH": str(programs)}, expect=5)
    assert "mmdebstrap is not installed (Debian package mmdebstrap)" in run.err
    assert not (tmp_path / "g.img").exists()


def test_no_such_suite(kmln, tmp_path):
    runner.need_program("mmdebstrap", "mmdebstrap")
    run = kmln("create", "debian:nosuchsuite", "-o", tmp_path / "g.img", expect=1, timeout=120)
    assert "mmdebstrap failed" in run.err and "nosuchsuite" in run.err
    assert not left_behind(tmp_path)


def test_no_network(kmln, tmp_path, ordinary_user):
    """In a network namespace without a way out: the cause is named, as apt says it."""
    runner.need_program("mmdebstrap", "mmdebstrap")
    image = ordinary_user.home / "g.img"
    run = runner.run(["unshare", "--user", "--map-root-user", "--map-auto", "--net", ordinary_user.kmln,
                      "create", BOOKWORM, "-o", image], expect={1, 5}, timeout=120, user=ordinary_user)
    assert "mmdebstrap" in run.err
    assert any(words in run.err for words in ("resolv", "connect", "Could not", "Failed to fetch",
                                              "namespace")), str(run)
    assert not image.exists()


def test_killed(kmln, tmp_path):
    """kill -9 in the middle: no image, no stray file."""
    if not shutil.which("mmdebstrap", path=runner.PATH):
        runner.lacking("mmdebstrap is not installed", "mmdebstrap")
    run = runner.run(["timeout", "--signal=KILL", "3", runner.BUILD / "kmln", "create", BOOKWORM, "-o",
                      tmp_path / "g.img"], env={"KMLN_HOME": os.fspath(tmp_path / "kmln-home")},
                     timeout=60)
    assert run.status in (137, 124), str(run)
    assert not left_behind(tmp_path)
