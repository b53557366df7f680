# SPDX-License-Identifier: GPL-2.0-or-later
"""From KVM to User-Mode Linux, three ways, on one guest: as it is, extracted, in place; and it starts in
QEMU again after each."""

import pytest

import guests
import images
import runner

pytestmark = pytest.mark.boot


def need_machines():
    runner.need_program("linux.uml", "user-mode-linux")
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    runner.need_program("grub-mkimage", "grub-common")


def test_busybox(kmln, guest, tmp_path):
    need_machines()
    kmln("kernel", "add", guest("kernel"), expect=0)
    disk = tmp_path / "disk.raw"
    kmln("convert", guest("busybox"), "--to", "kvm", "-o", disk, "--size", "300M", expect=0)

    def starts(image, platform):
        run = kmln("boot", "--snapshot", "--on", platform, image, "--until", guests.READY, "--timeout", "120",
                   expect=0, timeout=150)
        return run.out
    assert "root=/dev/ubda1" in starts(disk, "uml")
    alone = tmp_path / "alone.img"
    kmln("convert", disk, "--to", "uml", "-o", alone, expect=0)
    assert "root=/dev/ubda " in starts(alone, "uml")
    # without a disk around it: a kernel from outside, and the guest's own
    assert "kmln-init: root is /dev/vda " in starts(alone, "qemu")
    kmln("convert", disk, "--to", "uml", "--in-place", expect=0)
    assert "root=/dev/ubda " in starts(disk, "uml")
    kmln("convert", disk, "--to", "kvm", "--in-place", expect=0)
    assert "Booting `Linux" in starts(disk, "qemu")


LOGIN = ["--until", "login: ", "--send", "root", "--until", "Password: ", "--send", guests.ROOT_PASSWORD,
         "--until", ":~# ", "--send", "stty -echo; dmesg -n 1; PS1='ready> '", "--until", "^ready> $"]


@pytest.mark.slow
@pytest.mark.parametrize("init", ["systemd"])
def test_debian(kmln, guest, tmp_path, init):
    """A real one, from qcow2: what it writes on each way is there on the next, and QEMU still starts it."""
    need_machines()
    kmln("kernel", "add", guest("kernel"), expect=0)
    disk = tmp_path / "disk.qcow2"
    source = guests.copy(guest(init), tmp_path / "source.img")
    if init == "systemd":
        wants = "/etc/systemd/system/multi-user.target.wants"
        images.put(source, "/etc/systemd/system/irqbalance.service",
                   "[Unit]\nDescription=balance\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
                   "[Install]\nWantedBy=multi-user.target\n")
        images.debugfs(source, f"symlink {wants}/irqbalance.service /etc/systemd/system/irqbalance.service")
    kmln("convert", source, "--to", "kvm", "-O", "qcow2", "-o", disk, expect=0, timeout=120)

    def lives(image, platform, *words, end="poweroff"):
        more = [word for line, until in words for word in ("--send", line, "--until", until, "--until", "^ready> $")]
        return kmln("boot", "--on", platform, image, "--timeout", "400", *LOGIN, *more, "--send", end, expect=0,
                    timeout=500).out
    lives(disk, "uml", ("echo one >>notes; cat notes", "^one"))
    alone = tmp_path / "alone.img"
    kmln("convert", disk, "--to", "uml", "-o", alone, "--size", "1500M", expect=0, timeout=120)
    lives(alone, "uml", ("echo two >>notes; cat notes", "^two"), ("df -m / | tail -1", "^/dev/[a-z]+ +14"),
          *([("ls /lib/modules/$(uname -r)/kernel | head -1; modprobe -v loop && echo loaded", "^loaded"),
             ("systemctl show -p ConditionResult irqbalance", "=no"),
             # it wants the network card that it had, and this machine has none
             ("systemctl list-units --failed --no-legend | grep -vc networking", "^0")] if init == "systemd" else []))
    kmln("convert", alone, "--to", "kvm", "--in-place", expect=0, timeout=120)
    lives(alone, "qemu", ("cat notes", "^two"), ("uname -r", "cloud-amd64"),
          *([("systemctl show -p ConditionResult irqbalance", "=yes")] if init == "systemd" else []))
    kmln("convert", alone, "--to", "uml", "--in-place", expect=0, timeout=120)
    lives(alone, "uml", ("cat notes", "^two"))
    kmln("undo", alone, expect=0, timeout=120)
    assert images.clean(alone)
    if init == "systemd":  # the other has no login on the serial line of its own
        lives(alone, "uml", ("cat notes", "^two"))
