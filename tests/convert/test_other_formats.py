# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversions of images that are not raw: out of them, and in them, where they lie. The daemon that serves
them writes what a raw image would get, and an overlay keeps it from its base."""

import hashlib
import random
import signal
import subprocess
import time

import pytest

import ext4reader
import formats
import guests
import images
import runner

FIRST = images.MIB


def same_but_times(a, b):
    difference = ext4reader.changed(a, b)
    assert not difference.added and not difference.removed, difference
    assert all(set(fields) <= {"mtime"} for fields in difference.changed.values()), difference.changed


def flat(image, to):
    """The image's bytes, read by others than kmln; QEMU finds nothing wrong with it."""
    info = images.json.loads(formats.qemu_img("info", "--output=json", image))
    if info["format"] in ("qcow2", "vdi", "vhdx", "qed"):
        formats.qemu_img("check", "-f", info["format"], image)
    formats.qemu_img("convert", "-O", "raw", image, to)
    return to


@pytest.fixture
def parted(guest, tmp_path):
    return guests.partitioned(guest("busybox"), tmp_path / "parted.raw")


@pytest.fixture
def wanted(convert, parted, tmp_path):
    """What the disk becomes where it is raw."""
    raw = guests.copy(parted, tmp_path / "wanted.raw")
    convert(raw, "--in-place", expect=0)
    return raw


def check(image, wanted, tmp_path):
    bytes_ = flat(image, tmp_path / "flat.raw")
    assert bytes_.stat().st_size == wanted.stat().st_size
    assert bytes_.read_bytes()[:FIRST] == wanted.read_bytes()[:FIRST]
    assert images.clean(bytes_, FIRST)
    same_but_times(ext4reader.read(wanted, FIRST), ext4reader.read(bytes_, FIRST))


@pytest.mark.parametrize("name", ["qcow2", "qcow2-v2", "vmdk", "vmdk-2gb", "vdi", "vhdx", "vhd", "qed"])
def test_in_place(convert, parted, wanted, tmp_path, name):
    image = formats.converted(parted, tmp_path / "image", name)
    convert(image, "--in-place", expect=0)
    check(image, wanted, tmp_path)
    assert "nothing to do" in convert(image, "--in-place", "--dry-run", expect=0).out
    assert not list(tmp_path.glob("*journal*"))


def test_overlay_in_place(convert, parted, wanted, tmp_path):
    image = tmp_path / "over.qcow2"
    formats.qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", parted, image)
    before = images.fingerprint(parted)
    assert "--allow-backing" in convert(image, "--in-place", expect=3).err
    convert(image, "--in-place", "--allow-backing", expect=0)
    assert images.fingerprint(parted) == before
    check(image, wanted, tmp_path)


def test_stream_optimized_is_only_read(convert, parted, tmp_path):
    image = formats.converted(parted, tmp_path / "image", "vmdk-stream")
    before = image.read_bytes()
    assert "written only once" in convert(image, "--in-place", expect=3).err
    assert image.read_bytes() == before


def test_bare_filesystem_in_place(convert, guest, tmp_path):
    image = formats.converted(guest("busybox"), tmp_path / "image", "qcow2")
    before = image.read_bytes()
    assert "cannot be made a disk in place" in convert(image, "--in-place", expect=3).err
    assert formats.qemu_img("compare", image, guest("busybox")) and image.read_bytes() == before


def test_copy_of_an_unclean_one(convert, killed, tmp_path):
    """The journal is replayed in what is seen of it, and the image stays as it is."""
    image = formats.converted(killed, tmp_path / "image", "qcow2")
    before = hashlib.sha256(image.read_bytes()).digest()
    out = tmp_path / "out.raw"
    convert(image, "-o", out, expect=0)
    assert b"/root/last-words" in ext4reader.read(out, FIRST) and images.clean(out, FIRST)
    assert hashlib.sha256(image.read_bytes()).digest() == before


def test_composite_is_a_source(convert, box, tmp_path):
    convert(box, "--in-place", "-O", "composite", expect=0)
    out = tmp_path / "out.raw"
    convert(box.parent / "box.vmdk", "-o", out, expect=0)
    assert formats.qemu_img("compare", "-f", "vmdk", "-F", "raw", box.parent / "box.vmdk", out)


def test_killed_in_place(kmln, convert, small_home, parted, wanted, tmp_path):
    """kill -9 at some moments: as before, or finished by the next command."""
    fresh = formats.converted(parted, tmp_path / "fresh", "qcow2")
    image = tmp_path / "image"
    start = time.monotonic()
    guests.copy(fresh, image)
    convert(image, "--in-place", expect=0)
    took = time.monotonic() - start
    before, after = ext4reader.read(parted, FIRST), ext4reader.read(wanted, FIRST)
    for _ in range(8):
        guests.copy(fresh, image)
        child = subprocess.Popen([runner.BUILD / "kmln", "-q", "convert", image, "--to", "kvm", "--in-place"],
                                 env={**runner.os.environ, "KMLN_HOME": str(small_home)})
        time.sleep(random.uniform(0.2, 1) * took)
        child.send_signal(signal.SIGKILL)
        child.wait()
        # the daemon ends with it, and its lock with the daemon
        kmln("inspect", image, expect=0)
        assert not list(tmp_path.glob("*journal*"))
        # what was written to free blocks may have left clusters that nobody uses: 3 means just that
        images.tool("qemu-img", "qemu-utils", "check", "-f", "qcow2", image, expect=(0, 3))
        formats.qemu_img("convert", "-O", "raw", image, tmp_path / "flat.raw")
        assert images.clean(tmp_path / "flat.raw", FIRST)
        tree = ext4reader.read(tmp_path / "flat.raw", FIRST)
        same_but_times(after if b"/boot/grub/grub.cfg" in tree else before, tree)


def test_an_unclean_one_in_place(convert, killed, tmp_path):
    """Its journal is replayed first, through the daemon, and becomes certain before anything else."""
    image = formats.converted(killed, tmp_path / "image", "qcow2")
    convert(image, "--in-place", "--boot", "disk", expect=0)
    flat = tmp_path / "flat.raw"
    images.tool("qemu-img", "qemu-utils", "convert", "-O", "raw", image, flat)
    tree = ext4reader.read(flat)
    assert b"/root/last-words" in tree and b"/root/new/hostname" in tree and images.clean(flat)
    assert not list(tmp_path.rglob("*.kmln-journal"))
