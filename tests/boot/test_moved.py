# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job on real parts: a guest lives under User-Mode Linux, gets software and a file there, is
converted, boots in QEMU by GRUB from its own disk with both still there, and goes on under UML from the
same disk. Debian with systemd and with sysvinit, and busybox; once all of it as an ordinary user."""

import json

import pytest

import guests
import runner

pytestmark = pytest.mark.boot

# made in the guest, as a machine without a network allows; typed line by line
INSTALL = (
    'mkdir -p t/DEBIAN t/usr/bin; cd t; echo "echo tool: on kernel \\$(uname -r)" >usr/bin/tool',
    r'printf "Package: tool\nVersion: 1.0\nArchitecture: all\n" >DEBIAN/control',
    r'printf "Maintainer: a <a@b>\nDescription: made in the guest\n" >>DEBIAN/control',
    "chmod 755 usr/bin/tool; cd; dpkg-deb -b t tool.deb && dpkg -i tool.deb",
)


def login(password=guests.ROOT_PASSWORD):
    return ["--until", "login: ", "--send", "root", "--until", "Password: ", "--send", password,
            "--until", ":~# ", "--send", "stty -echo; dmesg -n 1; PS1='ready> '", "--until", "^ready> $"]


def typed(*lines):
    return [word for line in lines for word in ("--send", line)]


def live_under_uml(kmln, image, **user):
    run = kmln("boot", "--on", "uml", image, "--timeout", "240", *login(), *typed(*INSTALL),
               "--until", "^Setting up tool", "--until", "^ready> $",
               *typed('echo "note: from $(uname -r)" >note.txt; cat note.txt'),
               "--until", "^note: from", "--until", "^ready> $", "--send", "poweroff",
               expect=0, timeout=300, **user)
    assert "tool" in run.out


def all_is_there(kmln, disk, platform, kernel, **user):
    """Boots, and asks the guest's own package manager, the file and the tool."""
    run = kmln("boot", "--on", platform, disk, "--timeout", "400", *login(),
               *typed("dpkg -s tool | grep ^Status; cat note.txt; sh /usr/bin/tool; ls /sys/class/net"),
               "--until", "^Status: install ok installed", "--until", "^note: from 6.1",
               "--until", f"^tool: on kernel {kernel}", "--until", "^ready> $",
               *typed("touch /writable && mount | grep ' on / '"), "--until", " on / type ext4 .rw",
               "--until", "^ready> $", "--send", "poweroff", expect=0, timeout=500, **user)
    return run.out


def need_machines():
    runner.need_program("linux.uml", "user-mode-linux")
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    runner.need_program("grub-mkimage", "grub-common")


def check_ready(kmln, disk, **user):
    facts = json.loads(kmln("inspect", disk, "--format", "json", expect=0, **user).out)
    for platform in ("kvm", "qemu", "uml"):
        assert facts["platforms"][platform] == {"ready": True, "missing": []}
    return facts


@pytest.mark.parametrize("init", ["systemd", "sysvinit"])
def test_old_guest(kmln, guest, tmp_path, init):
    """A guest as old UML users have it: root on /dev/ubda in fstab; sysvinit without a serial login."""
    need_machines()
    kmln("kernel", "add", guest("kernel"), expect=0)
    image, disk = guests.copy(guest(init), tmp_path / "guest.img"), tmp_path / "guest.raw"
    if init == "systemd":
        live_under_uml(kmln, image)
    kmln("convert", image, "--to", "kvm", "-o", disk, expect=0)
    assert check_ready(kmln, disk)["init"]["type"] == init
    if init == "sysvinit":
        # it has a serial login now
        live_under_uml(kmln, disk)
    all_is_there(kmln, disk, "qemu", ".*cloud-amd64")


def test_ordinary_user(kmln, guest, ordinary_user):
    """Create, UML, inspect, convert, QEMU, by someone who is in no group."""
    need_machines()
    runner.need_program("mmdebstrap", "mmdebstrap")
    user = {"user": ordinary_user}
    image, disk = ordinary_user.home / "new.img", ordinary_user.home / "new.raw"
    kernel = ordinary_user.give(guest("kernel"), "kernel.deb")
    kmln("create", "debian:bookworm", "-o", image, "--init", "sysvinit", "--hostname", "lab7",
         "--root-password", "some pass", "--include", "less", expect=0, timeout=300, **user)
    facts = json.loads(kmln("inspect", image, "--format", "json", expect=0, **user).out)
    assert facts["hostname"] == "lab7" and facts["init"]["type"] == "sysvinit"
    assert facts["platforms"]["uml"]["ready"]
    assert any(p["name"] == "less" for p in facts["packages"]["list"])
    kmln("convert", image, "--to", "kvm", "-o", disk, "--kernel", kernel, expect=0, timeout=120, **user)
    check_ready(kmln, disk, **user)
    run = kmln("boot", "--on", "uml", disk, "--timeout", "240", *login("some pass"),
               "--send", "echo note-$((40 + 2)) >note.txt; poweroff", expect=0, timeout=300, **user)
    assert "lab7 login:" in run.out
    run = kmln("boot", "--on", "qemu", disk, "--timeout", "400", *login("some pass"),
               "--send", "cat note.txt", "--until", "^note-42", expect=0, timeout=500, **user)


def test_busybox(kmln, guest, tmp_path):
    """In seconds: by GRUB in QEMU, unconverted in QEMU, and the converted disk in UML."""
    need_machines()
    kmln("kernel", "add", guest("kernel"), expect=0)
    image, disk = guests.copy(guest("busybox"), tmp_path / "guest.img"), tmp_path / "guest.raw"
    kmln("convert", image, "--to", "kvm", "-o", disk, "--size", "300M", expect=0)
    for what, platform in ((image, "qemu"), (disk, "qemu"), (disk, "uml")):
        run = kmln("boot", "--snapshot", "--on", platform, what, "--until", guests.READY,
                   "--timeout", "120", expect=0, timeout=150)
        assert ("kmln-init: root is" in run.out) == (platform == "qemu")


def test_auto_says_why(kmln, guest, tmp_path):
    image = guests.copy(guest("busybox"), tmp_path / "guest.img")
    run = kmln("boot", "--snapshot", image, "--until", guests.READY, "--timeout", "120", timeout=150,
               expect=0)
    assert " on " in run.err and "kvm" in run.err
