# SPDX-License-Identifier: GPL-2.0-or-later
"""The test frame itself: a frame that cannot fail proves nothing."""

import hashlib
import os
import subprocess
import sys

import pytest

import ext4reader
import guests
import runner


def run_pytest(folder, text, **env):
    """The output of a pytest run over one file, with this suite's conftest."""
    (folder / "test_it.py").write_text(text)
    (folder / "conftest.py").write_text((runner.ROOT / "tests/conftest.py").read_text())
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {runner.ROOT}/tests\n"
                                       "addopts = --import-mode=importlib -p no:cacheprovider\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "KMLN_COUNTS", "CI",
                                                                      "KMLN_LABEL"))}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "2", folder],
                          capture_output=True, text=True, cwd=folder, env={**clean, **env})


FOUR = """
import pytest, runner
def test_good(): pass
def test_bad(): assert False
def test_lacks(): runner.lacking("no dragon", "scdoc")
@pytest.fixture
def broken(): raise RuntimeError
def test_broken(broken): pass
"""


@pytest.mark.source
def test_closing_line_counts_and_names_skips(tmp_path):
    done = run_pytest(tmp_path, FOUR)
    lines = done.stdout.splitlines()
    assert lines[-1] == "1 passed, 2 failed, 1 skipped"
    assert any(line.startswith("skipped test_it.py::test_lacks: no dragon") for line in lines)
    assert done.returncode == 1


@pytest.mark.source
def test_in_ci_a_lack_of_a_known_package_fails(tmp_path):
    done = run_pytest(tmp_path, FOUR, CI="true")
    assert done.stdout.splitlines()[-1] == "1 passed, 3 failed, 0 skipped"


@pytest.mark.source
def test_total_of_several_runs(tmp_path):
    (tmp_path / "a").write_text("3 0 1\n4 0 0\n")
    done = subprocess.run([runner.ROOT / "scripts/total", tmp_path / "a"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "7 passed, 0 failed, 1 skipped\n")
    (tmp_path / "b").write_text("1 2 0\n")
    done = subprocess.run([runner.ROOT / "scripts/total", tmp_path / "a", tmp_path / "b"],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "8 passed, 2 failed, 1 skipped\n")
    (tmp_path / "c").write_text("")
    assert subprocess.run([runner.ROOT / "scripts/total", tmp_path / "c"],
                          capture_output=True).returncode == 1


@pytest.mark.source
def test_every_package_has_its_reason():
    for line in (runner.ROOT / "scripts/packages.txt").read_text().splitlines():
        assert not line or line.startswith("#") or (
            line.split() and "#" in line and line.split("#")[1].strip()), line


@pytest.mark.source
def test_runner_ends_what_hangs_and_sees_reports(tmp_path):
    with pytest.raises(pytest.fail.Exception, match="not finished after 0.5 s"):
        runner.run(["sh", "-c", "sleep 60 & sleep 60"], timeout=0.5)
    with pytest.raises(pytest.fail.Exception, match="sanitizer report"):
        runner.run(["sh", "-c", "echo 'x.c:3:4: runtime error: shift' >&2"])
    with pytest.raises(AssertionError, match="expected status 0"):
        runner.run(["sh", "-c", "exit 3"], expect=0)


def test_ordinary_user_is_one(ordinary_user, kmln):
    assert runner.run(["id", "-u"], user=ordinary_user).out.strip() == str(ordinary_user.uid)
    assert ordinary_user.uid != 0
    if os.geteuid() == 0:
        groups = runner.run(["id", "-G"], user=ordinary_user).out.split()
        assert groups == [str(ordinary_user.gid)]
    maps = runner.run(["unshare", "-r", "--map-auto", "cat", "/proc/self/uid_map"], user=ordinary_user,
                      expect=0)
    assert sum(int(line.split()[2]) for line in maps.out.splitlines()) > 1000
    assert "Commands:" in kmln("--help", user=ordinary_user, expect=0).out


def test_reader_agrees_with_what_was_made(guest):
    """The independent reader against the recipe of the awkward guest."""
    objects = ext4reader.read(guest("awkward"))
    here = b"/awkward/"
    for path, seconds in guests.AWKWARD_DATES.items():
        assert objects[path.encode()].mtime == seconds * 10**9 + 123456789
    assert objects[here + b"hard-1"] is objects[here + b"folder/hard-3"]
    assert objects[here + b"hard-1"].links == 3 == len(objects[here + b"hard-1"].names)
    assert objects[here + b"sparse"].size == 3 << 30
    assert objects[here + b"sparse"].holes == (3 << 30) - 4 * 4096
    assert objects[here + b"char"].device == (10, 200)
    assert objects[here + b"block"].device == (7, 300)
    assert {objects[here + kind].type for kind in (b"fifo", b"socket")} == {"fifo", "socket"}
    assert objects[here + b"setuid"].mode == 0o4755
    assert (objects[here + b"owned"].uid, objects[here + b"owned"].gid) == (70000, 80000)
    assert objects[here + b"immutable"].flags == 0x10 and objects[here + b"append-only"].flags == 0x20
    assert objects[here + b"xattrs"].xattrs.keys() == {b"user.big", b"user.small", b"trusted.of-root"}
    assert len(objects[here + b"xattrs"].xattrs[b"user.big"]) == 1500
    assert objects[here + b"capable"].xattrs.keys() == {b"security.capability"}
    assert objects[here + b"acl"].xattrs.keys() == {b"system.posix_acl_access"}
    assert objects[here + b"default-acl"].xattrs.keys() == {b"system.posix_acl_default"}
    assert len(objects[here + b"link-4000"].target) == 4000
    assert objects[here + b"link-60"].target == b"y" * 60
    assert sum(path.startswith(here + b"many/") for path in objects) == 3000
    assert here + b"new\nline" in objects and here + b"\xff\xfe" in objects


# a debugfs command each, and the field in which the reader must see it
CHANGES = [
    ("sif /awkward/date-2400 mtime_extra 0x1d6f3456", "mtime"),
    ("sif /awkward/setuid mode 0100755", "mode"),
    ("sif /awkward/owned uid_hi 2", "uid"),
    ("sif /awkward/immutable flags 0x80000", "flags"),
    ("sif /awkward/char block[0] 0x0b05", "device"),
    ("ea_set /awkward/xattrs user.small other", "xattrs"),
    ("ea_rm /awkward/capable security.capability", "xattrs"),
    ("unlink /awkward/hard-2", None),
    ("mkdir /awkward/new", None),
]


@pytest.mark.parametrize("command, field", CHANGES, ids=[c.split(" ", 1)[0] + "-" + str(i)
                                                         for i, (c, _) in enumerate(CHANGES)])
def test_reader_sees_each_kind_of_change(guest, tmp_path, command, field):
    image = guests.copy(guest("awkward"), tmp_path / "image")
    runner.run([runner.need_program("debugfs", "e2fsprogs"), "-w", "-R", command, image], expect=0)
    with open(guest("awkward"), "rb") as a, open(image, "rb") as b:
        before, after = ext4reader.Filesystem(a), ext4reader.Filesystem(b)
        # hashing 3 GiB of holes for each command would be all that this test does
        before._digest = after._digest = lambda inode, size: (None, 0)
        difference = ext4reader.changed(before.walk(), after.walk())
    path = command.split()[1].encode()
    if field:
        assert difference.changed == {path: [field]}, difference
    elif command.startswith("unlink"):
        assert difference.removed == {path}
        assert difference.changed[b"/awkward/hard-1"] == ["names"]
    else:
        assert difference.added == {path}


def test_reader_sees_content(guest, tmp_path):
    image = guests.copy(guest("busybox"), tmp_path / "image")
    assert not ext4reader.changed(ext4reader.read(guest("busybox")), ext4reader.read(image))
    data = image.read_bytes()
    at = data.index(b"ID=kmln-test")
    with open(image, "r+b") as file:
        file.seek(at)
        file.write(b"ID=kmln-best")
    difference = ext4reader.changed(ext4reader.read(guest("busybox")), ext4reader.read(image))
    assert difference.changed == {b"/etc/os-release": ["sha256"]}


def test_partitioned_guest_is_the_same(guest, tmp_path):
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk")
    assert not ext4reader.changed(ext4reader.read(guest("busybox")), ext4reader.read(disk, 1 << 20))


@pytest.mark.parametrize("options, kind", [(["-t", "ext2"], "ext2"), (["-t", "ext3"], "ext3"),
                                           (["-t", "ext4", "-O", "inline_data"], "inline"),
                                           (["-t", "ext4", "-b", "1024", "-O", "^64bit"], "1k")],
                         ids=lambda value: value if isinstance(value, str) else "")
def test_reader_knows_older_layouts(tmp_path, options, kind):
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    content = bytes(range(256)) * 20000
    (tree / "big").write_bytes(content)
    (tree / "folder/tiny").write_bytes(b"tiny")
    (tree / "folder/hundred").write_bytes(b"h" * 100)
    runner.run(["mke2fs", "-q", "-F", *options, "-d", tree, tmp_path / "image", "32M"], expect=0)
    with open(tmp_path / "image", "rb") as file:
        fs = ext4reader.Filesystem(file)
        objects = fs.walk()
    assert objects[b"/big"].sha256 == hashlib.sha256(content).hexdigest()
    assert objects[b"/folder/tiny"].sha256 == hashlib.sha256(b"tiny").hexdigest()
    assert objects[b"/folder/hundred"].sha256 == hashlib.sha256(b"h" * 100).hexdigest()
