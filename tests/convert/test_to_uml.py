# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks converted to User-Mode Linux: the root filesystem alone, by a copy or in place, and the way back.
What is compared is read by others' code."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ext4reader
import faults
import formats
import guests
import images
import runner

FIRST = images.MIB
KMLN = runner.BUILD / "kmln"


@pytest.fixture
def to_uml(kmln):
    def call(image, *options, **run):
        return kmln("convert", image, "--to", "uml", *options, timeout=120, **run)
    return call


@pytest.fixture
def disk(guest, tmp_path):
    """A disk with an MBR, some loader code in front, and a busybox guest."""
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    images.poke(disk, 0, b"\xeb\xfe" + b"GRUB by somebody else")
    images.poke(disk, 512, bytes(range(256)) * 40)
    return disk


def with_fstab(guest, tmp_path, text, *more, name="edited.img"):
    box = guests.copy(guest("busybox"), tmp_path / name)
    images.put(box, "/etc/fstab", text)
    for path, content in more:
        images.put(box, path, content)
    return box


def gpt(tmp_path, box, name="gpt.raw", behind=""):
    """ESP, then root; `behind`: lines of sfdisk for what follows."""
    size = box.stat().st_size // 512
    return images.disk(tmp_path / name, box.stat().st_size + (11 if behind else 9) * images.MIB,
                       f"label: gpt\nstart=2048, size=8192, type=U\nstart=16384, size={size}, type=L\n{behind}",
                       [(16384, box)])


def same_tree(a, b, *added):
    """The trees differ in nothing but what is added."""
    difference = ext4reader.changed(a, b)
    # a folder counts the folders in it
    counted = {name.rpartition("/")[0].encode() or b"/" for name in added}
    changed = {name: what for name, what in difference.changed.items()
               if what != ["links"] or name not in counted}
    assert not difference.removed and not changed, difference
    assert {name.decode() for name in difference.added} == set(added), difference.added


RECORD = ("/var/lib/kmln", "/var/lib/kmln/conversion-1")


# --- a copy

@pytest.mark.parametrize("name", ["raw", "qcow2", "vmdk", "vmdk-flat", "vdi", "vhdx"])
def test_a_copy_of_the_root_alone(to_uml, disk, guest, tmp_path, name):
    image = disk if name == "raw" else formats.converted(disk, tmp_path / "image", name)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    out = tmp_path / "out.img"
    to_uml(image, "-o", out, expect=0)
    assert out.stat().st_size == guest("busybox").stat().st_size
    assert out.stat().st_blocks * 512 < out.stat().st_size * 3 / 4
    assert images.clean(out)
    same_tree(ext4reader.read(guest("busybox")), ext4reader.read(out), *RECORD)
    assert {path: path.read_bytes() for path in before} == before
    assert "nothing to do" in to_uml(out, "--dry-run", expect=0).out


def test_from_a_gpt(to_uml, guest, tmp_path):
    out = tmp_path / "out.img"
    to_uml(gpt(tmp_path, guest("busybox")), "-o", out, expect=0)
    same_tree(ext4reader.read(guest("busybox")), ext4reader.read(out), *RECORD)


def test_a_bigger_copy(kmln, to_uml, disk, guest, tmp_path):
    out = tmp_path / "out.img"
    to_uml(disk, "--size", "100M", "-o", out, expect=0)
    assert out.stat().st_size == 100 * images.MIB and images.clean(out)
    assert int(images.superblock(out)["Block count"]) * 1024 > 99 * images.MIB
    same_tree(ext4reader.read(guest("busybox")), ext4reader.read(out), *RECORD)
    run = to_uml(disk, "--size", "1M", "-o", tmp_path / "no.img", expect=2)
    assert "only makes it bigger" in run.err


def test_an_image_with_no_room(to_uml, guest, tmp_path):
    """Not even the record has room: the bytes are named; and with --size it is made."""
    box = guests.copy(guest("busybox"), tmp_path / "full.img")
    filler = tmp_path / "filler"
    for i, spare in enumerate((400, 20, 2)):
        filler.write_bytes(b"x" * ((int(images.superblock(box)["Free blocks"]) - spare) * 1024))
        images.debugfs(box, f"write {filler} /filler{i}")
    disk = guests.partitioned(box, tmp_path / "full.raw")
    run = to_uml(disk, "-o", tmp_path / "out.img", expect=1)
    assert re.search(r"too small: \d+ bytes are to be added, \d+ are free; --size \d+M", run.err), run
    assert not (tmp_path / "out.img").exists()
    to_uml(disk, "--size", "128M", "-o", tmp_path / "out.img", expect=0)
    assert images.clean(tmp_path / "out.img")


@pytest.mark.parametrize("options, word", [
    (["--kernel", "/usr/bin/linux.uml"], "is its own kernel"),
    (["--boot", "uefi"], "no firmware"),
    (["--in-place", "-o", "x"], "either -o OUT or --in-place"),
])
def test_options_that_have_no_meaning(to_uml, disk, options, word):
    before = disk.read_bytes()
    out = [] if "--in-place" in options else ["-o", disk.parent / "out.img"]
    assert word in to_uml(disk, *options, *out, expect=2).err
    assert disk.read_bytes() == before and os.listdir(disk.parent) == [disk.name]


def test_a_uml_program_as_kernel_for_kvm(kmln, guest, tmp_path):
    """It is named for what it is, by convert and by boot."""
    program = runner.need_program("linux.uml", "user-mode-linux")
    run = kmln("convert", guest("busybox"), "--to", "kvm", "-k", program, "-o", tmp_path / "out.raw", expect=3)
    assert "User-Mode Linux" in run.err
    run = kmln("boot", "--on", "qemu", "--kernel", program, guest("busybox"), "--snapshot", expect=2)
    assert "User-Mode Linux" in run.err


# --- what the guest keeps elsewhere

FSTAB = ("/dev/vda1 / ext4 errors=remount-ro 0 1\n"
         "# a disk\n"
         "UUID=11111111-2222-3333-4444-555555555555 /data ext4 defaults 0 2\n"
         "/dev/vdb none swap sw\n"
         "/dev/vdc /old ext4\n"
         "LABEL=gone /gone ext4 noauto 0 0\n"
         "tmpfs /tmp tmpfs defaults 0 0\n"
         "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n")


def test_disks_that_are_not_there(kmln, to_uml, guest, tmp_path):
    box = with_fstab(guest, tmp_path, FSTAB)
    disk = guests.partitioned(box, tmp_path / "disk.raw")
    run = to_uml(disk, "-o", tmp_path / "plain.img", expect=0)
    for words in ("/etc/fstab:3 wants UUID=11111111-2222-3333-4444-555555555555 on /data",
                  "/etc/fstab:4 wants /dev/vdb on none", "/etc/fstab:5 wants /dev/vdc on /old"):
        assert words in run.err
    assert run.err.count("--nofail") == 3
    uuid = images.superblock(box)["Filesystem UUID"]
    fstab = ext4reader.read(tmp_path / "plain.img")[b"/etc/fstab"]
    run = to_uml(disk, "--nofail", "-o", tmp_path / "out.img", expect=0)
    assert "--nofail" not in run.err
    text = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/fstab", tmp_path / "out.img").decode()
    assert text == (FSTAB.replace("/dev/vda1", f"UUID={uuid}").replace("/data ext4 defaults", "/data ext4 defaults,nofail")
                    .replace("swap sw", "swap sw,nofail").replace("/old ext4", "/old ext4 defaults,nofail"))
    assert fstab
    assert "nothing to do" in to_uml(tmp_path / "out.img", "--nofail", "--dry-run", expect=0).out
    # and in place, there and back
    to_uml(disk, "--in-place", "--nofail", expect=0)
    kmln("undo", disk, expect=0)
    assert images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/fstab", f"{disk}?offset={FIRST}").decode() == FSTAB
    same_tree(ext4reader.read(box), ext4reader.read(disk, FIRST))


def test_an_fstab_that_was_changed_since(kmln, to_uml, guest, tmp_path):
    """Other lines stay as the guest wrote them meanwhile."""
    box = with_fstab(guest, tmp_path, "/dev/vdb /data ext4 defaults 0 2\nUUID=6b6d6c6e-0000-4000-8000-000000000001 / ext4 rw 0 1\n")
    to_uml(box, "--in-place", "--nofail", expect=0)
    text = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/fstab", box).decode()
    images.put(box, "/etc/fstab", "# mine\n" + text + "tmpfs /x tmpfs rw\n")
    kmln("undo", box, expect=0)
    text = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/fstab", box).decode()
    assert text.startswith("# mine\n/dev/vdb /data ext4 defaults 0 2\n") and text.endswith("tmpfs /x tmpfs rw\n")


def test_a_separate_usr(to_uml, tmp_path):
    tree = tmp_path / "tree"
    for folder in ("etc", "usr", "var", "dev", "proc"):
        (tree / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    (tree / "etc/fstab").write_text("/dev/vda1 / ext4 rw 0 1\n/dev/vda2 /usr ext4 rw 0 2\n")
    box = tmp_path / "box.img"
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-d", tree, box, "16M")
    disk = guests.partitioned(box, tmp_path / "disk.raw")
    run = to_uml(disk, "-o", tmp_path / "out.img", expect=3)
    assert "keeps /usr, and so its init program, on a filesystem of its own (/dev/vda2, /etc/fstab:2)" in run.err
    assert not (tmp_path / "out.img").exists()


# --- two systems on one disk

@pytest.fixture
def two(guest, tmp_path):
    a = guests.copy(guest("busybox"), tmp_path / "a.img")
    b = images.put(guests.copy(guest("busybox"), tmp_path / "b.img"), "/etc/hostname", "second\n")
    images.tool("tune2fs", "e2fsprogs", "-U", "6b6d6c6e-0000-4000-8000-0000000000ff", b)
    size = a.stat().st_size // 512
    return images.disk(tmp_path / "two.raw", 2 * a.stat().st_size + 4 * images.MIB,
                       f"label: dos\nstart=2048, size={size}, type=83\nstart={2048 + size}, size={size}, type=83\n",
                       [(2048, a), (2048 + size, b)])


def test_two_roots(kmln, to_uml, two, tmp_path):
    run = kmln("inspect", two, expect=0)
    assert "partition 1 (ext4) and partition 2 (ext4) both hold one" in run.out and "--root 2" in run.out
    for command in (["convert", two, "--to", "uml", "-o", tmp_path / "out.img"],
                    ["convert", two, "--to", "kvm", "--in-place"]):
        run = kmln(*command, expect=3)
        assert "--root 1 or --root 2" in run.err
    run = kmln("boot", two, "--on", "uml", expect=2)
    assert "--root 1 or --root 2" in run.err
    facts = json.loads(kmln("inspect", two, "--root", "2", "--format", "json", expect=0).out)
    assert facts["hostname"] == "second"
    to_uml(two, "--root", "2", "-o", tmp_path / "out.img", expect=0)
    tree = ext4reader.read(tmp_path / "out.img")
    assert images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/hostname", tmp_path / "out.img") == b"second\n"
    same_tree(ext4reader.read(tmp_path / "b.img"), tree, *RECORD)
    assert "none in partition 7" in kmln("inspect", two, "--root", "7", expect=0).out
    assert "none in partition 7" in to_uml(two, "--root", "7", "-o", tmp_path / "no.img", expect=3).err


# --- in place

def test_in_place_and_back(kmln, to_uml, disk, guest):
    before, head = ext4reader.read(disk, FIRST), images.peek(disk, 0, FIRST)
    size = disk.stat().st_size
    plan = to_uml(disk, "--in-place", "--dry-run", expect=0).out
    assert plan.startswith(f"cut     -{FIRST} bytes in front, ") and "keep    0x0 " in plan
    assert images.peek(disk, 0, FIRST) == head
    to_uml(disk, "--in-place", expect=0)
    assert disk.stat().st_size == guest("busybox").stat().st_size and images.clean(disk)
    same_tree(before, ext4reader.read(disk), *RECORD)
    assert "nothing to do" in to_uml(disk, "--in-place", "--dry-run", expect=0).out
    kmln("undo", disk, expect=0)
    assert disk.stat().st_size == size and images.peek(disk, 0, FIRST) == head
    assert images.clean(disk, FIRST)
    same_tree(before, ext4reader.read(disk, FIRST))
    assert os.listdir(disk.parent) == [disk.name]


def test_a_gpt_in_place_and_back(kmln, to_uml, guest, tmp_path):
    """Its system partition and the backup of the table behind come back as well."""
    disk = gpt(tmp_path, guest("busybox"))
    images.poke(disk, 2048 * 512 + 4096, b"something in the system partition")
    start = 16384 * 512
    front = images.peek(disk, 0, start)
    end = start + guest("busybox").stat().st_size
    tail = images.peek(disk, end, disk.stat().st_size - end)
    assert any(tail)
    to_uml(disk, "--in-place", expect=0)
    assert disk.stat().st_size == end - start
    kmln("undo", disk, expect=0)
    assert images.peek(disk, 0, start) == front and images.peek(disk, end, 1 << 30) == tail
    same_tree(ext4reader.read(guest("busybox")), ext4reader.read(disk, start))
    assert images.tool("sfdisk", "fdisk", "--verify", disk)


def test_undo_into_a_copy(kmln, to_uml, disk, tmp_path):
    head = images.peek(disk, 0, FIRST)
    before = ext4reader.read(disk, FIRST)
    to_uml(disk, "--in-place", expect=0)
    kmln("undo", disk, "-o", tmp_path / "back.raw", expect=0)
    assert images.peek(tmp_path / "back.raw", 0, FIRST) == head
    same_tree(before, ext4reader.read(tmp_path / "back.raw", FIRST))


def test_there_and_back_in_place(kmln, convert, to_uml, box, guest):
    """UML to KVM to UML, and undone: nothing is left."""
    convert(box, "--in-place", expect=0)
    disk = box.read_bytes()
    to_uml(box, "--in-place", expect=0)
    assert box.stat().st_size == guest("busybox").stat().st_size and images.clean(box)
    # the KVM side is still made ready: its kernel, its loader's configuration
    assert "boot loader in the first" in kmln("inspect", box, expect=0).out
    kmln("undo", box, expect=0)
    same_tree(ext4reader.read(guest("busybox")), ext4reader.read(box))
    assert box.stat().st_size < len(disk)
    assert "nothing to undo" in kmln("undo", box, expect=4).err


def test_back_and_there_in_place(kmln, convert, to_uml, disk, guest):
    """A disk made to stand alone and a disk again: taken back once it stands alone."""
    before, head = ext4reader.read(disk, FIRST), images.peek(disk, 0, FIRST)
    to_uml(disk, "--in-place", expect=0)
    convert(disk, "--in-place", expect=0)
    run = kmln("undo", disk, expect=3)
    assert "kmln convert --to uml --in-place" in run.err
    to_uml(disk, "--in-place", expect=0)
    kmln("undo", disk, expect=0)
    same_tree(before, ext4reader.read(disk, FIRST))
    assert images.peek(disk, 0, FIRST) == head


def test_undo_notices_another_size(kmln, to_uml, disk):
    to_uml(disk, "--in-place", expect=0)
    with open(disk, "ab") as file:
        file.write(bytes(1 << 20))
    run = kmln("undo", disk, expect=1)
    assert "bytes now, and had" in run.err
    kmln("undo", disk, "--force", expect=0)
    assert images.clean(disk)


def test_not_the_last_partition(to_uml, guest, tmp_path):
    box = guest("busybox")
    end = 16384 + box.stat().st_size // 512
    disk = gpt(tmp_path, box, behind=f"start={end}, size=4096, type=L\n")
    before = disk.read_bytes()
    run = to_uml(disk, "--in-place", expect=3)
    assert "partition 3 lies behind the root filesystem" in run.err and "-o OUT" in run.err
    assert disk.read_bytes() == before
    to_uml(disk, "-o", tmp_path / "out.img", expect=0)


def test_too_much_in_front(to_uml, guest, tmp_path):
    disk = gpt(tmp_path, guest("busybox"))
    images.poke(disk, 2048 * 512, os.urandom(4 << 20))
    run = to_uml(disk, "--in-place", expect=3)
    assert "more than kmln keeps for undoing; -o OUT" in run.err


def test_an_odd_place(to_uml, guest, tmp_path):
    """A partition at sector 63, as disks had once: no whole blocks of the host's can be taken away."""
    disk = guests.partitioned(guest("busybox"), tmp_path / "old.raw", first_sector=63)
    before = disk.read_bytes()
    run = to_uml(disk, "--in-place", expect=3)
    assert "no multiple of the 4096 bytes" in run.err and "-o OUT" in run.err
    assert disk.read_bytes() == before
    to_uml(disk, "-o", tmp_path / "out.img", expect=0)
    same_tree(ext4reader.read(guest("busybox")), ext4reader.read(tmp_path / "out.img"), *RECORD)


def test_other_formats_in_place(to_uml, disk, tmp_path):
    image = formats.converted(disk, tmp_path / "disk.qcow2", "qcow2")
    run = to_uml(image, "--in-place", expect=3)
    assert "-o OUT makes a raw copy" in run.err and "kmln boot --on uml" in run.err


def test_a_host_that_cannot_collapse(kmln, to_uml, disk, tmp_path):
    """tmpfs knows no collapse; what was made elsewhere is undone there by a copy."""
    folder = Path("/dev/shm") / f"kmln-test-{os.getpid()}"
    folder.mkdir()
    try:
        shutil.copyfile(disk, folder / "disk.raw")
        run = to_uml(folder / "disk.raw", "--in-place", expect=3)
        assert "cannot take bytes away" in run.err and "-o OUT" in run.err
        assert (folder / "disk.raw").read_bytes() == disk.read_bytes()
        head = images.peek(disk, 0, FIRST)
        to_uml(disk, "--in-place", expect=0)
        shutil.copyfile(disk, folder / "disk.raw")
        kmln("undo", folder / "disk.raw", expect=0)
        assert images.peek(folder / "disk.raw", 0, FIRST) == head
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("undo, number", [(False, 3), (True, 3),
                                          pytest.param(False, 60, marks=pytest.mark.slow),
                                          pytest.param(True, 60, marks=pytest.mark.slow)])
def test_killed(kmln, to_uml, disk, tmp_path, undo, number):
    """kill -9 at any call, there and back: the disk or the filesystem alone, whole, and nothing else."""
    head, tree = images.peek(disk, 0, FIRST), ext4reader.read(disk, FIRST)
    alone = guests.copy(disk, tmp_path / "alone.img")
    to_uml(alone, "--in-place", expect=0)
    start = alone if undo else disk
    trial = guests.copy(start, tmp_path / "trial.img")
    argv = [KMLN, "-q", *(["undo", trial] if undo else ["convert", trial, "--to", "uml", "--in-place"])]
    env = {"KMLN_HOME": tmp_path / "kmln-home"}
    files = set(os.listdir(tmp_path))
    seen = set()
    for point in faults.kill_points(argv, env, number):
        guests.copy(start, trial)
        if not faults.killed_at(argv, *point, env):
            continue
        journal = (tmp_path / "trial.img.kmln-journal").exists()
        kmln("inspect", trial, expect=0)
        whole = trial.stat().st_size == disk.stat().st_size
        assert not journal or whole == undo, point
        if whole:
            assert images.peek(trial, 0, FIRST) == head, point
            same_tree(tree, ext4reader.read(trial, FIRST))
        else:
            assert trial.stat().st_size == alone.stat().st_size
            same_tree(tree, ext4reader.read(trial), *RECORD)
        assert images.clean(trial, FIRST if whole else 0)
        assert set(os.listdir(tmp_path)) <= files | {"kmln-home"}
        seen.add(whole)
    assert seen == {True, False}


# --- records that a guest forged

def forge(image, *changes):
    record = images.tool("debugfs", "e2fsprogs", "-R", "cat /var/lib/kmln/conversion-1", image).decode()
    for old, new in changes:
        assert re.search(old, record, re.M), (old, record)
        record = re.sub(old, new, record, flags=re.M)
    images.put(image, "/var/lib/kmln/conversion-1", record)


@pytest.mark.parametrize("old, new, words", [
    (r"^cut by=unwrap offset=1048576", "cut by=unwrap offset=1048577", "not a change that kmln makes"),
    (r"^cut by=unwrap offset=1048576 size=(\d+) was-size=\d+", r"cut by=unwrap offset=1048576 size=\1 was-size=9999999999",
     "not a change that kmln makes"),
    (r"^cut by=unwrap offset=1048576 (.*) was-size=(\d+)", r"cut by=unwrap offset=104857600 \1 was-size=172000000",
     "not a change that kmln makes"),
    (r"^keep by=unwrap offset=0 ", "keep by=unwrap offset=1048576 ", "did not go with the cut"),
    (r"^keep by=unwrap offset=0 ", "keep by=unwrap offset=68157440 ", "did not go with the cut"),
    (r"^keep by=unwrap offset=0 size=\d+$", "keep by=unwrap offset=0 size=7", "not as many"),
    (r"^keep by=unwrap offset=0 ", "keep by=unwrap offset=524288 ", "no root filesystem|neither a partition table"),
])
def test_a_forged_record(kmln, to_uml, disk, old, new, words):
    to_uml(disk, "--in-place", expect=0)
    forge(disk, (old, new))
    before = disk.read_bytes()
    run = kmln("undo", disk)
    assert run.status in (1, 3) and re.search(words, run.err), run
    assert disk.read_bytes() == before and os.listdir(disk.parent) == [disk.name]


# --- units of systemd's

def test_units(kmln, to_uml, guest, tmp_path):
    """Services for hardware do not start in UML, and go on starting in KVM; modules come from the host."""
    image = guests.copy(guest("systemd"), tmp_path / "guest.img")
    wants = "/etc/systemd/system/multi-user.target.wants"
    images.debugfs(image, f"symlink {wants}/qemu-guest-agent.service /lib/systemd/system/qemu-guest-agent.service",
                   f"symlink {wants}/irqbalance.service /lib/systemd/system/irqbalance.service",
                   f"symlink {wants}/acpid.service /lib/systemd/system/acpid.service",
                   "symlink /etc/systemd/system/acpid.service /dev/null")
    disk = guests.partitioned(image, tmp_path / "disk.raw")
    before = ext4reader.read(disk, FIRST)
    to_uml(disk, "--in-place", expect=0)
    units = "/etc/systemd/system"
    same_tree(before, ext4reader.read(disk), *RECORD, *(
        f"{units}/{name}" for name in (
            "qemu-guest-agent.service.d", "qemu-guest-agent.service.d/kmln-not-in-uml.conf", "irqbalance.service.d",
            "irqbalance.service.d/kmln-not-in-uml.conf", "kmln-uml-modules.service", "sysinit.target.wants/kmln-uml-modules.service")),
        *([f"{units}/sysinit.target.wants"] if f"{units}/sysinit.target.wants".encode() not in before else []))
    text = images.tool("debugfs", "e2fsprogs", "-R", f"cat {units}/irqbalance.service.d/kmln-not-in-uml.conf", disk)
    assert b"ConditionVirtualization=!uml" in text
    assert "nothing to do" in to_uml(disk, "--in-place", "--dry-run", expect=0).out
    kmln("undo", disk, expect=0)
    same_tree(before, ext4reader.read(disk, FIRST))


# --- filesystems of one disk put together

@pytest.fixture
def parts(guest, box_tree, tmp_path):
    """Root, /part (the awkward tree) and /logs/own on partitions of their own; /data somewhere else."""
    root = tmp_path / "root.img"
    # blocks as large as those of the tree that goes in: long links and attributes take one
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-b", "4096", "-d", box_tree, root, "64M")
    awkward = guest("awkward")
    log = tmp_path / "log.img"
    tree = tmp_path / "logs"
    tree.mkdir()
    (tree / "messages").write_text("a line\n")
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-d", tree, log, "16M")
    images.debugfs(root, "mkdir /part", "mkdir /logs", "mkdir /logs/own")
    uuid = [images.superblock(image)["Filesystem UUID"] for image in (root, awkward, log)]
    images.put(root, "/etc/fstab", f"UUID={uuid[0]} / ext4 rw 0 1\nUUID={uuid[1]} /part ext4 rw 0 2\n"
               f"UUID={uuid[2]} /logs/own ext4 rw 0 2\nUUID=00000000-1111-2222-3333-444444444444 /data ext4 rw 0 2\n")
    starts, at = [], 2048
    for image in (root, awkward, log):
        starts.append(at)
        at += image.stat().st_size // 512
    script = "label: gpt\n" + "".join(
        f"start={start}, size={image.stat().st_size // 512}, type=L\n"
        for start, image in zip(starts, (root, awkward, log)))
    disk = images.disk(tmp_path / "parts.raw", (at + 2048) * 512, script,
                       list(zip(starts, (root, awkward, log))))
    return disk, root, awkward, log


def test_merge(to_uml, parts, tmp_path):
    disk, root, awkward, log = parts
    before = images.fingerprint(disk)
    run = to_uml(disk, "--root", "1", "-o", tmp_path / "alone.img", expect=0)
    assert "wants UUID=" in run.err and "on /part" in run.err and "on /logs/own" in run.err
    out = tmp_path / "out.img"
    plan = to_uml(disk, "--root", "1", "--merge", "--size", "700M", "--dry-run", expect=0).out
    assert "merge   /part from partition 2 (ext4)" in plan and "merge   /logs/own from partition 3" in plan
    run = to_uml(disk, "--root", "1", "--merge", "--size", "700M", "-o", out, expect=0)
    assert "on /part" not in run.err and "wants UUID=00000000-1111-2222-3333-444444444444 on /data" in run.err
    assert images.clean(out) and images.fingerprint(disk) == before
    tree = ext4reader.read(out)
    moved = {name.removeprefix(b"/part") or b"/": thing for name, thing in tree.items()
             if name == b"/part" or name.startswith(b"/part/")}
    there = {name: thing for name, thing in ext4reader.read(awkward).items() if not name.startswith(b"/lost+found")}
    difference = ext4reader.changed(there, moved)
    assert not difference.added and not difference.removed, difference
    # what is not carried over, and said; its lost+found stays behind, and names have another folder
    del difference.changed[b"/"]
    assert {tuple(what) for what in difference.changed.values()} == {("flags",), ("names",)}, difference.changed
    assert "immutable or append-only" in run.err
    text = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/fstab", out).decode()
    assert text.count("# now a folder of the root: UUID=") == 2
    assert images.tool("debugfs", "e2fsprogs", "-R", "cat /logs/own/messages", out) == b"a line\n"
    assert "nothing to do" in to_uml(out, "--dry-run", expect=0).out


def test_merge_refuses(to_uml, disk, parts, tmp_path):
    assert "mounts no other filesystem" in to_uml(disk, "--merge", "-o", tmp_path / "o.img", expect=2).err
    assert "-o OUT" in to_uml(disk, "--merge", "--in-place", expect=2).err
    _, root, _, _ = parts
    hidden = tmp_path / "hidden"
    hidden.write_text("x")
    images.debugfs(root, f"write {hidden} /logs/own/hidden")
    image = parts[0]
    subprocess.run(["dd", f"if={root}", f"of={image}", "bs=1M", "seek=1", "conv=notrunc", "status=none"], check=True)
    run = to_uml(image, "--root", "1", "--merge", "--size", "700M", "-o", tmp_path / "o.img", expect=1)
    assert "/logs/own is not empty" in run.err and not (tmp_path / "o.img").exists()
