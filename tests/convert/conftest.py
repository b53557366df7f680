# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of kmln convert share: caches with kernels, made once a session, and guests that a
machine left behind."""

import os
import shutil
from pathlib import Path

import pytest

import guests
import images
import machines
import runner
from lock import locked

# what a busybox guest in 64 MB has room for, and what inspect asks of a kernel for KVM and Xen
SMALL = ("virtio", "virtio_ring", "virtio_pci", "virtio_pci_modern_dev", "virtio_pci_legacy_dev",
         "virtio_blk", "virtio_net", "net_failover", "failover", "virtio_mmio", "xen-blkfront",
         "xen-netfront")


def _once(shared, name, make):
    """The folder `name` that all workers share; make(FOLDER) fills it."""
    place = shared / name
    with locked(shared / f"{name}.lock"):
        if not place.exists():
            half = shared / f"{name}.half"
            half.mkdir()
            make(half)
            half.rename(place)
    return place


def _add_kernel(home, *what):
    runner.run([runner.BUILD / "kmln", "kernel", "add", *what], env={"KMLN_HOME": home}, expect=0,
               timeout=120)


@pytest.fixture(scope="session")
def kit_home(shared, guest):
    """A KMLN_HOME whose cache holds Debian's cloud kernel, and what a guest may lack for it."""
    debs = [guest(name) for name in ("kernel", "linux-base", "kmod", "libkmod2")]
    return _once(shared, "kit-home", lambda home: _add_kernel(home, *debs))


@pytest.fixture(scope="session")
def small_kernel(shared, kit_home):
    """A folder laid out for `kmln kernel add`: that kernel with a few of its modules."""
    kit = next((kit_home / "cache/kernels").glob("[0-9]*"))

    def make(folder):
        modules = Path("usr/lib/modules") / kit.name
        (folder / "boot").mkdir()
        for name in ("vmlinuz", "config", "System.map"):
            shutil.copy2(kit / f"boot/{name}-{kit.name}", folder / "boot")
        for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            (folder / "lib" / modules.relative_to("usr/lib")).mkdir(parents=True, exist_ok=True)
            shutil.copy2(kit / modules / name, folder / "lib" / modules.relative_to("usr/lib"))
        for name in SMALL:
            found = next((kit / modules).rglob(f"{name}.ko*"))
            to = folder / "lib" / found.relative_to(kit / "usr/lib")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, to)
        # the ordinary user reads it too
        shared.chmod(0o711)
    return _once(shared, "small-kernel", make)


@pytest.fixture(scope="session")
def small_home(shared, small_kernel):
    """A KMLN_HOME whose cache holds the small kernel alone."""
    return _once(shared, "small-home", lambda home: _add_kernel(home, small_kernel))


@pytest.fixture
def convert(kmln, small_home):
    """convert(IMAGE, OPTIONS..., **run): kmln convert IMAGE --to kvm OPTIONS, with the small kernel."""
    def call(image, *options, home=small_home, **run):
        return kmln("convert", image, "--to", "kvm", *options, env={"KMLN_HOME": home, **run.pop("env", {})},
                    timeout=run.pop("timeout", 120), **run)
    return call


@pytest.fixture
def refused(kmln, convert, tmp_path):
    """refused(IMAGE, STATUS, WORDS...): neither inspect (which may name what it sees: inspect=0) nor
    convert take it; convert says why in one line and leaves nothing behind."""
    def call(image, status, *words, inspect=None, options=(), **run):
        before = sorted(os.listdir(tmp_path))
        result = convert(image, "-o", tmp_path / "out.raw", *options, **run)
        assert result.status == status, result
        assert result.out == ""
        last = result.err.splitlines()[-1]
        assert last.startswith("kmln: ") and all(word in last for word in words), result
        assert sorted(os.listdir(tmp_path)) == before
        kmln("inspect", image, expect=status if inspect is None else inspect)
        return result
    return call


@pytest.fixture
def box(guest, tmp_path):
    """A busybox guest of the test's own."""
    return guests.copy(guest("busybox"), tmp_path / "box.img")


@pytest.fixture(scope="session")
def box_tree(shared, guest):
    """The busybox guest's content as a folder, for filesystems of other kinds."""
    def make(folder):
        images.tool("debugfs", "e2fsprogs", "-R", f"rdump / {folder}", guest("busybox"))
        (folder / "lost+found").rmdir()
    return _once(shared, "box-tree", make)


@pytest.fixture(scope="session")
def _killed(shared, guest):
    """A busybox guest whose UML was killed right after it wrote to a file: the journal is full."""
    def make(folder):
        image = machines.with_rc(
            guests.copy(guest("busybox"), folder / "killed.img"),
            "mount -o remount,rw /\necho written before the kill >/root/last-words\n"
            "mkdir /root/new && mv /etc/hostname /root/new/\nsync\n"
            f"echo '{guests.READY}'\nsleep 1000\n")
        # a file whose inode is far from all that is written: no replay touches it
        (folder / "content").write_text("content\n")
        images.debugfs(image, *(f"write {folder}/content /root/still-{i}" for i in range(20)))
        with images.uml(image, folder / "log"):
            machines.wait_for(machines.ready(folder / "log"), "the guest's last words", 60)
    return _once(shared, "killed", make) / "killed.img"


@pytest.fixture
def killed(_killed, tmp_path):
    image = guests.copy(_killed, tmp_path / "killed.img")
    assert "needs_recovery" in images.superblock(image)["Filesystem features"]
    return image
