# SPDX-License-Identifier: GPL-2.0-or-later
"""Every boot form starts: by UEFI (OVMF) and by a BIOS from one disk, from a boot disk, and by the run
script alone."""

import os

import pytest

import guests
import runner

pytestmark = pytest.mark.boot

# of Linux itself: by then firmware, loader, kernel and initramfs have done their part
ROOT = "^kmln-init: root is"


@pytest.fixture
def made(kmln, guest, tmp_path):
    """made(FORM): a busybox guest converted for it."""
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")

    def make(form, name="busybox"):
        kmln("kernel", "add", guest("kernel"), expect=0)
        image, disk = guests.copy(guest(name), tmp_path / "guest.img"), tmp_path / "guest.raw"
        kmln("convert", image, "--to", "kvm", "-o", disk, "--boot", form, "--size",
             "300M" if name == "busybox" else "1200M", expect=0, timeout=120)
        return disk
    return make


def starts(kmln, what, *options, until=guests.READY):
    return kmln("boot", "--snapshot", "--on", "qemu", what, *options, "--until", ROOT, "--until", until,
                "--timeout", "280", expect=0, timeout=300)


def need_ovmf():
    if not os.path.exists("/usr/share/OVMF/OVMF_CODE_4M.fd"):
        runner.lacking("OVMF is not installed", "ovmf")


def test_uefi(kmln, made):
    """One disk, both firmwares: by UEFI as asked for, by a BIOS without a word."""
    need_ovmf()
    disk = made("uefi")
    run = starts(kmln, disk, "--firmware", "uefi")
    assert "BdsDxe: starting Boot" in run.out and "vda1 (ext4)" in run.out
    run = starts(kmln, disk)
    assert "BdsDxe" not in run.out and "Booting" in run.out
    # and User-Mode Linux takes the root out of the GPT
    kmln("boot", "--snapshot", "--on", "uml", disk, "--until", guests.READY, "--timeout", "120",
         expect=0, timeout=150)


def test_disk(kmln, made):
    disk = made("disk")
    run = starts(kmln, disk, "--boot-disk", f"{disk}.boot.img")
    assert "Booting `Linux" in run.out and "vdb (ext4)" in run.out


def test_direct(kmln, made):
    """By the script, from another folder, with nothing of kmln's in the way; and by its description."""
    disk = made("direct")
    script = runner.run([f"{disk}.run", "-snapshot"], cwd="/", env={"KMLN_ACCEL": "tcg"}, timeout=200,
                        stdin="sleep 2; echo a$((40+2))b; poweroff -f\n", expect=0)
    assert guests.READY in script.out and "a42b" in script.out
    run = starts(kmln, f"{disk}.json")
    assert "Booting `Linux" not in run.out


def test_firmware_that_cannot_start_it(kmln, made):
    disk = made("bios")
    run = kmln("boot", disk, "--on", "qemu", "--firmware", "uefi", "--until", "x", expect=2)
    assert "has no EFI system partition with" in run.err and not run.out
    run = kmln("boot", disk, "--on", "uml", "--firmware", "uefi", "--until", "x", expect=2)
    assert "it has no firmware" in run.err


@pytest.mark.slow
@pytest.mark.parametrize("form", ["uefi", "disk", "direct"])
def test_debian(kmln, made, form):
    need_ovmf()
    disk = made(form, "systemd")
    options = {"uefi": ("--firmware", "uefi"), "disk": ("--boot-disk", f"{disk}.boot.img"),
               "direct": ()}[form]
    what = f"{disk}.json" if form == "direct" else disk
    kmln("boot", "--snapshot", "--on", "qemu", what, *options, "--until", ROOT, "--until", "login: $",
         "--timeout", "580", expect=0, timeout=600)
