# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln convert --in-place: the image itself becomes a disk, all or nothing, whatever happens."""

import hashlib
import os
import random
import shutil
import subprocess

import pytest

import ext4reader
import faults
import guests
import images
import runner

FIRST = images.MIB
KMLN = runner.BUILD / "kmln"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same_but_times(a, b):
    """The two trees differ in nothing but when kmln wrote its own files."""
    difference = ext4reader.changed(a, b)
    assert not difference.added and not difference.removed, difference
    assert all(set(fields) <= {"mtime"} for fields in difference.changed.values()), difference.changed


@pytest.fixture
def converted(convert, guest, tmp_path):
    """The same guest converted into a copy: what an image in place must become."""
    out = tmp_path / "converted.raw"
    convert(guest("busybox"), "-o", out, expect=0)
    return out


def test_in_place_is_what_a_copy_is(convert, box, converted):
    convert(box, "--in-place", expect=0)
    assert box.stat().st_size == converted.stat().st_size
    assert box.read_bytes()[:FIRST] == converted.read_bytes()[:FIRST]
    same_but_times(ext4reader.read(converted, FIRST), ext4reader.read(box, FIRST))
    assert images.clean(box, FIRST)
    assert sorted(os.listdir(box.parent)) == [box.name, converted.name]
    again = digest(box)
    assert "nothing to do" in convert(box, "--in-place", "--dry-run", expect=0).out
    convert(box, "--in-place", expect=0)
    assert digest(box) == again


def test_dry_run_in_place_touches_nothing(convert, box):
    before = digest(box)
    plan = convert(box, "--in-place", "--dry-run", expect=0).out
    assert "shift   +1048576" in plan
    assert digest(box) == before and os.listdir(box.parent) == [box.name]


def test_composite_leaves_the_filesystem_where_it_is(convert, box, converted, tmp_path):
    convert(box, "--in-place", "-O", "composite", expect=0)
    names = {path.name for path in box.parent.iterdir()}
    assert names == {"box.img", "box.vmdk", "box.head", converted.name}
    assert box.stat().st_size == converted.stat().st_size - FIRST
    flat = tmp_path / "flat.raw"
    images.tool("qemu-img", "qemu-utils", "convert", "-O", "raw", box.parent / "box.vmdk", flat)
    assert flat.read_bytes()[:FIRST] == converted.read_bytes()[:FIRST]
    same_but_times(ext4reader.read(converted, FIRST), ext4reader.read(flat, FIRST))


def test_composite_by_another_name(convert, box):
    convert(box, "--in-place", "-O", "composite", "-o", box.parent / "disk one.vmdk", expect=0)
    assert (box.parent / "disk one.head").stat().st_size == FIRST
    text = (box.parent / "disk one.vmdk").read_text()
    assert 'FLAT "disk one.head" 0' in text and 'FLAT "box.img" 0' in text


@pytest.mark.parametrize("options, word", [
    (["--in-place", "-o", "x.raw"], "either -o OUT or --in-place"),
    (["--in-place", "-O", "qcow2"], "keeps the format"),
    (["-O", "composite", "-o", "x.vmdk"], "--in-place as well"),
    (["--in-place", "-O", "composite", "-o", "/elsewhere.vmdk"], "beside the image"),
    (["--in-place", "--size", "128M"], "-o"),
    (["--in-place", "-O", "composite", "--boot", "disk"], "--boot disk has none"),
])
def test_options_that_do_not_go_together(convert, box, options, word):
    before = digest(box)
    result = convert(box, *options, expect=2)
    assert word in result.err
    assert digest(box) == before


def test_a_name_that_a_descriptor_cannot_hold(convert, box):
    odd = box.rename(box.parent / 'box "one".img')
    assert "rename" in convert(odd, "--in-place", "-O", "composite", expect=2).err


def test_without_insert_range_the_disk_is_composite(convert, box):
    """A host's filesystem that cannot put bytes in front (tmpfs) gets a composite disk."""
    folder = images.Path("/dev/shm") / f"kmln-test-{os.getpid()}"
    folder.mkdir()
    try:
        image = folder / "box.img"
        shutil.copyfile(box, image)
        result = convert(image, "--in-place", expect=0)
        assert "box.vmdk" in result.err
        assert {path.name for path in folder.iterdir()} == {"box.img", "box.vmdk", "box.head"}
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("form", ["qcow2", "vmdk", "vdi"])
def test_other_formats_hold_the_same_disk(convert, guest, converted, tmp_path, form):
    out = tmp_path / f"out.{form}"
    convert(guest("busybox"), "-O", form, "-o", out, expect=0)
    info = images.json.loads(images.tool("qemu-img", "qemu-utils", "info", "--output=json", out))
    assert info["format"] == form and info["virtual-size"] == converted.stat().st_size
    flat = tmp_path / "flat.raw"
    images.tool("qemu-img", "qemu-utils", "convert", "-O", "raw", out, flat)
    same_but_times(ext4reader.read(converted, FIRST), ext4reader.read(flat, FIRST))
    assert flat.read_bytes()[:FIRST] == converted.read_bytes()[:FIRST]
    if form == "vmdk":
        assert b"out.vmdk" in out.read_bytes()[:65536]


def test_an_unclean_image_is_recovered_in_place(convert, killed):
    convert(killed, "--in-place", expect=0)
    tree = ext4reader.read(killed, FIRST)
    assert b"/root/last-words" in tree and b"/root/new/hostname" in tree
    assert images.clean(killed, FIRST)


def test_the_journal_of_an_unclean_image_is_replayed_beside_it(convert, killed, tmp_path):
    """A copy of an image that was not unmounted: what the guest wrote last is in it, and the image is
    still as it was."""
    before = digest(killed)
    convert(killed, "-o", tmp_path / "out.raw", expect=0)
    tree = ext4reader.read(tmp_path / "out.raw", FIRST)
    assert b"/root/last-words" in tree and b"/root/new/hostname" in tree
    assert images.clean(tmp_path / "out.raw", FIRST)
    assert digest(killed) == before


def test_a_foreign_journal_is_refused(kmln, box):
    """A journal that was made for another file is not carried out, and says what to do."""
    journal = box.parent / "box.img.kmln-journal"
    journal.write_bytes(b"kmln journal 1\n\0" + bytes(5 * 8))
    before = digest(box)
    result = kmln("inspect", box, expect=3)
    assert "another file" in result.err
    journal.write_bytes(b"something else")
    assert "not a journal" in kmln("inspect", box, expect=3).err
    assert digest(box) == before


# --- the journal

def interrupted(box, home):
    """An image whose change was killed right before room is put in front: its journal is there."""
    env = {"KMLN_HOME": home}
    argv = [KMLN, "-q", "convert", box, "--to", "kvm", "--in-place"]
    trial = guests.copy(box, box.parent / "count.img")
    calls = faults.count([*argv[:3], trial, *argv[4:]], ("fallocate",), env)["fallocate"]
    trial.unlink()
    assert faults.killed_at(argv, "fallocate", calls, env)
    journal = box.parent / f"{box.name}.kmln-journal"
    assert journal.exists()
    return journal


def test_an_image_put_back_from_a_copy_is_not_written_over(kmln, box, small_home, tmp_path):
    """cp keeps the file that the journal was made for, and an administrator does just that."""
    backup = guests.copy(box, tmp_path / "backup.img")
    journal = interrupted(box, small_home)
    box.write_bytes(backup.read_bytes())
    result = kmln("inspect", box, expect=3)
    assert "remove the journal" in result.err and journal.exists()
    assert digest(box) == digest(backup)
    journal.unlink()
    kmln("inspect", box, expect=0)


def test_an_image_that_a_machine_ran_on_is_not_written_over(kmln, box, small_home):
    journal = interrupted(box, small_home)
    with open(box, "r+b") as file:  # what is written through is in free blocks, at the end of what is used
        file.seek(1024 + 48)  # s_wtime: every mount writes it
        file.write(b"\1\2\3\4")
    before = digest(box)
    assert "changed by something else" in kmln("ls", box, expect=3).err
    assert digest(box) == before and journal.exists()


def test_somebody_elses_journal(kmln, box, small_home, tmp_path):
    """It says which files are to be written, and root would write them."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    journal = interrupted(box, small_home)
    os.chown(journal, 65534, 65534)
    before = digest(box)
    assert "belongs to somebody else" in kmln("inspect", box, expect=1).err
    assert digest(box) == before
    os.chown(journal, 0, 0)
    assert "now finished" in kmln("inspect", box, expect=0).err
    assert not journal.exists() and images.clean(box, FIRST)


def test_what_is_in_the_way_is_found_before(convert, box):
    (box.parent / "box.head").write_text("precious")
    before = digest(box)
    assert "--force replaces it" in convert(box, "--in-place", "-O", "composite", expect=1).err
    (box.parent / "box.head").unlink()
    (box.parent / "box.head").mkdir()
    assert "is not a file" in convert(box, "--in-place", "-O", "composite", "-f", expect=1).err
    assert digest(box) == before and {p.name for p in box.parent.iterdir()} == {"box.img", "box.head"}


def test_a_descriptor_counts_on_its_image(convert, box):
    convert(box, "--in-place", "-O", "composite", expect=0)
    before = digest(box)
    assert "box.vmdk beside it is made of this image" in convert(box, "--in-place", expect=1).err
    assert digest(box) == before


def test_one_name_only(convert, box, tmp_path):
    os.link(box, tmp_path / "other.img")
    before = digest(box)
    assert "hard links" in convert(box, "--in-place", expect=3).err
    assert digest(box) == before


def test_a_file_that_knows_no_insertion(kmln, convert, box, tmp_path):
    """It is the image's own file that must take room in front, and not any other beside it."""
    old = tmp_path / "old.img"
    old.touch()
    if subprocess.run(["chattr", "-e", old], capture_output=True).returncode:
        pytest.skip("the host's filesystem has no files without extents")
    with open(old, "r+b") as file:
        file.write(box.read_bytes())
    assert "old.vmdk" in convert(old, "--in-place", expect=0).err
    assert not list(tmp_path.glob("*.kmln-journal")) and images.clean(old)


def test_an_odd_length(kmln, convert, box):
    with open(box, "ab") as file:
        file.write(bytes(313))
    convert(box, "--in-place", expect=0)
    assert box.stat().st_size % 512 == 0 and images.clean(box, FIRST)
    kmln("undo", box, expect=0)
    assert images.clean(box)


def state(image, before, after):
    """What an image is after a kill and the next command: "before" or "after", nothing else."""
    if image.stat().st_size == before["size"]:
        assert not ext4reader.changed(before["tree"], ext4reader.read(image)).changed
        difference = ext4reader.changed(before["tree"], ext4reader.read(image))
        assert not difference.added and not difference.removed
        assert images.clean(image)
        return "before"
    assert image.stat().st_size == after.stat().st_size
    same_but_times(ext4reader.read(after, FIRST), ext4reader.read(image, FIRST))
    assert image.read_bytes()[:FIRST] == after.read_bytes()[:FIRST]
    assert images.clean(image, FIRST)
    return "after"


def kill_in_place(kmln, guest, small_home, converted, tmp_path, number):
    env = {"KMLN_HOME": small_home}
    before = {"size": guest("busybox").stat().st_size, "tree": ext4reader.read(guest("busybox"))}
    trial = guests.copy(guest("busybox"), tmp_path / "trial.img")
    argv = [KMLN, "-q", "convert", trial, "--to", "kvm", "--in-place"]
    seen = set()
    for point in faults.kill_points(argv, env, number):
        guests.copy(guest("busybox"), trial)
        if not faults.killed_at(argv, *point, env):
            continue
        journal = (trial.parent / "trial.img.kmln-journal").exists()
        kmln("inspect", trial, expect=0)
        is_now = state(trial, before, converted)
        assert not journal or is_now == "after"
        assert {path.name for path in tmp_path.iterdir()} == {"trial.img", converted.name}
        seen.add((journal, is_now))
    assert {(False, "before"), (True, "after")} <= seen, seen


def test_killed_in_place(kmln, guest, small_home, converted, tmp_path):
    kill_in_place(kmln, guest, small_home, converted, tmp_path, 6)


@pytest.mark.slow
def test_killed_in_place_often(kmln, guest, small_home, converted, tmp_path):
    kill_in_place(kmln, guest, small_home, converted, tmp_path, 100)


@pytest.mark.parametrize("number", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_killed_while_it_undoes(kmln, guest, small_home, converted, tmp_path, number):
    """The same on the way back: a disk still, or the bare filesystem that it was, to the last time."""
    env = {"KMLN_HOME": small_home}
    bare, disk = guest("busybox"), ext4reader.read(converted, FIRST)
    trial = guests.copy(converted, tmp_path / "trial.img")
    argv = [KMLN, "-q", "undo", trial]
    seen = set()
    for point in faults.kill_points(argv, env, number):
        guests.copy(converted, trial)
        if not faults.killed_at(argv, *point, env):
            continue
        kmln("inspect", trial, expect=0)
        done = trial.stat().st_size == bare.stat().st_size
        now = ext4reader.read(trial, 0 if done else FIRST)
        assert not ext4reader.changed(ext4reader.read(bare) if done else disk, now), point
        assert images.clean(trial, 0 if done else FIRST)
        assert {path.name for path in tmp_path.iterdir()} == {"trial.img", converted.name}
        seen.add(done)
    assert seen == {True, False}


def test_composite_is_taken_back(kmln, convert, box, guest):
    """The filesystem of a composite disk, which lies where it always did."""
    convert(box, "--in-place", "-O", "composite", expect=0)
    result = kmln("undo", box, expect=0)
    assert not ext4reader.changed(ext4reader.read(guest("busybox")), ext4reader.read(box))
    assert "box.vmdk and box.head" in result.err


def test_what_nobody_changes_is_said(convert, box, tmp_path):
    """Rules that tie a name to a hardware address stay, with a warning."""
    images.debugfs(box, "mkdir /etc/udev", "mkdir /etc/udev/rules.d")
    images.put(box, "/etc/udev/rules.d/70-persistent-net.rules",
               'SUBSYSTEM=="net", ATTR{address}=="fe:fd:0a:00:00:01", NAME="eth0"\n')
    result = convert(box, "-o", tmp_path / "out.raw", expect=0)
    assert "70-persistent-net.rules ties eth0 to the hardware address fe:fd:0a:00:00:01" in result.err


@pytest.mark.parametrize("form, number", [
    ("raw", 2), pytest.param("raw", 40, marks=pytest.mark.slow),
    pytest.param("qcow2", 40, marks=pytest.mark.slow)])
def test_killed_while_it_copies(kmln, guest, small_home, tmp_path, form, number):
    """Out of place: the image is never touched, and OUT is there whole or not at all."""
    env = {"KMLN_HOME": small_home}
    before = digest(guest("busybox"))
    out = tmp_path / f"out.{form}"
    argv = [KMLN, "-q", "convert", guest("busybox"), "--to", "kvm", "-O", form, "-o", out]
    points = faults.kill_points(argv, env, number)
    out.unlink()
    for point in points:
        faults.killed_at(argv, *point, env)
        if out.exists():
            images.tool("qemu-img", "qemu-utils", "info", out)
            if form == "raw":
                assert images.clean(out, FIRST)
                kmln("convert", out, "--to", "kvm", "--dry-run", env=env, expect=0)
            out.unlink()
        assert os.listdir(tmp_path) == []
    assert digest(guest("busybox")) == before


@pytest.mark.parametrize("error, calls", [("ENOSPC", ("pwrite64", "fallocate", "ftruncate", "linkat")),
                                          ("EIO", ("pread64", "fsync", "fdatasync"))])
def test_failing_calls(kmln, guest, small_home, converted, tmp_path, error, calls):
    """A full disk at any write, and a read error in the middle: an error, and the image as before, or
    (once the journal is certain) finished by the next command."""
    env = {"KMLN_HOME": small_home}
    before = {"size": guest("busybox").stat().st_size, "tree": ext4reader.read(guest("busybox"))}
    trial = guests.copy(guest("busybox"), tmp_path / "trial.img")
    argv = [KMLN, "-q", "convert", trial, "--to", "kvm", "--in-place"]
    for call, total in faults.count(argv, calls, env).items():
        # the program's own libraries are read first
        first = total // 3 if call == "pread64" else 1
        for point in sorted({first, random.randint(first, total), total}):
            guests.copy(guest("busybox"), trial)
            done = faults.failing_at(argv, call, point, error, env)
            assert done.returncode in (0, 1, 3, 5), (call, point, done)
            assert done.returncode == 0 or done.stderr.count("\n") == 1, (call, point, done)
            kmln("inspect", trial, expect=0)
            assert state(trial, before, converted) == "after" or done.returncode != 0
            assert {path.name for path in tmp_path.iterdir()} == {"trial.img", converted.name}
