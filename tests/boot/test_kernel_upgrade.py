# SPDX-License-Identifier: GPL-2.0-or-later
"""A converted guest's kernel in the hands of its own dpkg: clean from the first boot, the same package
installed again, a newer kernel installed, booted by GRUB, the old one purged. The newer kernel's modules
are compressed. All of it in QEMU's translator, so it takes minutes."""

import re

import pytest

import guests
import images
import runner

pytestmark = [pytest.mark.boot, pytest.mark.slow, pytest.mark.network]

FIRST = images.MIB


def at_prompt():
    return ["--until", "login: ", "--send", "root", "--until", "Password: ", "--send", guests.ROOT_PASSWORD,
            "--until", ":~# ", "--send", "stty -echo; dmesg -n 1; PS1='ready> '", "--until", "^ready> $"]


def say(*commands):
    """Each command, with its status behind it, and the prompt."""
    words = []
    for number, command in enumerate(commands):
        words += ["--send", f"{command}; echo done-{number}=$?", "--until", f"^done-{number}=0", "--until",
                  "^ready> $"]
    return words


def test_upgrade(kmln, guest, tmp_path):
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("grub-mkimage", "grub-common")):
        runner.need_program(program, package)
    first, second = guest("kernel"), guest("newer-kernel")
    image, disk = guests.copy(guest("systemd"), tmp_path / "guest.img"), tmp_path / "guest.raw"
    images.debugfs(image, f"write {first} /root/same.deb", f"write {second} /root/newer.deb")
    kmln("kernel", "add", first, guest("linux-base"), expect=0, timeout=120)
    kmln("convert", image, "--to", "kvm", "-o", disk, "--size", "1400M", expect=0, timeout=120)
    old, new = (images.tool("dpkg-deb", "dpkg", "-f", deb, "Package").decode().strip().removeprefix("linux-image-")
                for deb in (first, second))

    run = kmln("boot", "--on", "qemu", disk, "--timeout", "1800", *at_prompt(),
               *say('[ -z "$(dpkg --audit)" ]', "apt-get check", '[ -z "$(dpkg -V)" ]', f"[ $(uname -r) = {old} ]",
                    f"time /etc/kernel/postinst.d/kmln-guest {old} /boot/vmlinuz-{old}", "dpkg -i same.deb",
                    '[ -z "$(dpkg --audit)" ]', "dpkg -i newer.deb", '[ -z "$(dpkg --audit)" ]'),
               "--send", "poweroff", expect=0, timeout=1900)
    assert f"kmln-guest: made /boot/initrd.img-{new}" in run.out
    assert "kmln-guest: wrote /boot/grub/grub.cfg, 2 kernels" in run.out
    print("the hook:", *re.findall(r"^(?:real|user|sys)\s.*", run.out, re.M))
    # what the guest made is what kmln would make
    again = kmln("convert", disk, "--to", "kvm", "--dry-run", expect=0, timeout=60)
    assert f"kernel {new}: the guest has it" in again.err
    assert again.out == "nothing to do\n"

    kmln("boot", "--on", "qemu", disk, "--timeout", "1200", *at_prompt(),
         *say(f"[ $(uname -r) = {new} ]", "modprobe loop", "apt-get check",
              f"dpkg --purge linux-image-{old}", '[ -z "$(dpkg --audit)" ]',
              f"[ ! -e /boot/initrd.img-{old} ]", "ls -l /vmlinuz /initrd.img /boot"),
         "--send", "poweroff", expect=0, timeout=1300)
    config = images.tool("debugfs", "e2fsprogs", "-R", "cat /boot/grub/grub.cfg", f"{disk}?offset={FIRST}")
    assert re.findall(rb"menuentry 'Linux (.*)'", config) == [new.encode()]
    assert kmln("convert", disk, "--to", "kvm", "--dry-run", expect=0, timeout=60).out == "nothing to do\n"
    assert images.clean(disk, FIRST)
