# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's releases before and after the one that kmln is built on, as kmln create makes them: under
User-Mode Linux, and then converted with the kernel of their own archive, in QEMU by GRUB, and back."""

import pytest

import guests
import images
import runner

pytestmark = [pytest.mark.boot, pytest.mark.slow, pytest.mark.network]

LOGIN = ["--until", "login: ", "--send", "root", "--until", "Password: ", "--send", guests.ROOT_PASSWORD,
         "--until", ":~# ", "--send", "stty -echo; dmesg -n 1; PS1='ready> ' exec sh", "--until", "^ready> $"]


def lives(kmln, image, platform, *words):
    """Logs in and types, which is not echoed: each line has its answer; then the guest is shut down."""
    more = [word for line, until in words for word in ("--send", line, "--until", until, "--until", "^ready> $")]
    return kmln("boot", "--on", platform, image, "--timeout", "400", *LOGIN, *more, "--send", "poweroff",
                expect=0, timeout=500)


@pytest.mark.parametrize("suite, version, kernel", [("trixie", "13", "6.12"), ("bullseye", "11", "5.10")])
def test_release(kmln, guest, tmp_path, suite, version, kernel):
    runner.need_program("linux.uml", "user-mode-linux")
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    image, disk = guests.copy(guest(suite), tmp_path / "guest.img"), tmp_path / "disk.raw"
    guests.patient(image)
    is_it = (". /etc/os-release; echo version $VERSION_ID on $(uname -r)", f"version {version} on ")
    lives(kmln, image, "uml", is_it, ("echo one >notes; dpkg --audit && cat notes", "one"))
    kmln("convert", image, "--to", "kvm", "-o", disk, expect=0, timeout=200)
    lives(kmln, disk, "qemu", (is_it[0], f"version {version} on {kernel}.*cloud-amd64"),
          ("cat notes; echo two >>notes; dpkg --audit && echo clean", "clean"),
          ("dpkg -S $(readlink -f /vmlinuz)", f"linux-image-{kernel}"))
    kmln("convert", disk, "--to", "uml", "--in-place", expect=0, timeout=120)
    lives(kmln, disk, "uml", ("cat notes", "two"))
    kmln("undo", disk, expect=0, timeout=120)
    assert images.clean(disk)
    assert images.tool("debugfs", "e2fsprogs", "-R", "cat /root/notes", disk) == b"one\ntwo\n"
