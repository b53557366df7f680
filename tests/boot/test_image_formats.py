# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines in QEMU on images that are not raw, and the locks that a machine has on its image."""

import subprocess
import time

import pytest

import formats
import guests
import images
import machines
import runner

pytestmark = pytest.mark.boot


@pytest.fixture
def machine(tmp_path):
    """machine(IMAGE, OPTIONS...): kmln boot --on qemu of a disk whose boot sector does nothing."""
    running = []

    def call(image, *options, user=None, locked=None):
        argv = [user.kmln if user else runner.BUILD / "kmln", "boot", "--on", "qemu", image, *options]
        running.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, **(user.identity() if user else {})))
        # before QEMU opens the image kmln looks at it
        machines.wait_for(lambda: formats.below(running[-1].pid, "qemu-system"), "QEMU")
        machines.wait_for(lambda: formats.write_locked(locked or image), "its lock")

    yield call
    for child in running:
        child.kill()
        child.communicate()


@pytest.fixture
def disk(guest, tmp_path):
    """It has boot code, which jumps to itself."""
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    images.poke(disk, 0, b"\xeb\xfe")
    return disk


def in_use(kmln, image, **options):
    for command in (["convert", image, "--to", "kvm", "--in-place"], ["boot", "--on", "qemu", image]):
        run = kmln(*command, timeout=30, expect=1, **options)
        assert "in use" in run.err, run


@pytest.mark.parametrize("name", ["raw", "qcow2", "vmdk", "vmdk-flat"])
def test_a_machine_locks_its_image(kmln, disk, machine, tmp_path, name):
    """What QEMU leaves out where it finds no /dev/null to try its locks on."""
    image = disk if name == "raw" else formats.converted(disk, tmp_path / "image", name)
    machine(image, locked=next(tmp_path.glob("image-flat*"), None))
    in_use(kmln, image)


def test_the_machine_of_an_ordinary_user_too(kmln, disk, machine, ordinary_user):
    image = ordinary_user.give(disk)
    machine(image, user=ordinary_user)
    in_use(kmln, image, user=ordinary_user)


def test_writers_of_other_formats_lock(disk, tmp_path):
    """The daemon of a change in place keeps QEMU out, and a second kmln, while it has the image."""
    image = formats.converted(disk, tmp_path / "image", "qcow2")
    with formats.stopped_in_place(image, tmp_path):
        done = subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write 0 512", image], capture_output=True,
                              text=True)
        assert "lock" in done.stderr, done
        run = runner.run([runner.BUILD / "kmln", "convert", image, "--to", "kvm", "--in-place"], expect=1)
        assert "in use" in run.err


def boots(kmln, kit, image, *options):
    start = time.monotonic()
    run = kmln("boot", "--on", "qemu", image, "--until", guests.READY, "--timeout", "200", *options,
               env={"KMLN_HOME": kit}, timeout=240, expect=0)
    assert guests.READY in run.out, time.monotonic() - start


def test_overlay_boots(kmln, guest, tmp_path, shared):
    """A guest on an overlay starts, and what it writes stays in the overlay; with --snapshot nowhere."""
    home = shared / "formats-home"
    runner.run([runner.BUILD / "kmln", "kernel", "add", guest("kernel")], env={"KMLN_HOME": home}, expect=0,
               timeout=120)
    base = guests.copy(guest("busybox"), tmp_path / "base.img")
    image = tmp_path / "over.qcow2"
    formats.qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, image)
    before, empty = images.fingerprint(base), image.read_bytes()
    boots(kmln, home, image, "--allow-backing", "--snapshot")
    assert image.read_bytes() == empty
    boots(kmln, home, image, "--allow-backing")
    assert image.read_bytes() != empty and images.fingerprint(base) == before
    formats.qemu_img("check", "-f", "qcow2", image)
