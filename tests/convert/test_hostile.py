# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that want more than is good, or are set up as kmln cannot convert; and an OUT that cannot be:
each is told at once, in bounded time and memory."""

import os

import pytest

import images
import runner


@pytest.mark.parametrize("mount", ["/boot", "/boot/grub"])
def test_boot_of_its_own(refused, box, mount):
    """What kmln puts into /boot would be hidden under the other filesystem."""
    images.put(box, "/etc/fstab", f"/dev/ubda / ext4 defaults 0 1\nUUID=1 {mount} ext4 defaults 0 2\n".encode())
    refused(box, 3, f"keeps {mount} on a filesystem of its own (/etc/fstab:2)", inspect=0)


def test_boot_that_grub_cannot_name(refused, box):
    images.debugfs(box, "rmdir boot", "mkdir srv", 'mkdir "/srv/my boot"', 'symlink boot "/srv/my boot"')
    refused(box, 3, "/boot is /srv/my boot, a name that GRUB's configuration cannot hold", inspect=0)


def test_other_disks_are_named(convert, box, tmp_path):
    images.put(box, "/etc/fstab", b"/dev/ubda / ext4 defaults 0 1\n/dev/ubdb none swap sw 0 0\n")
    run = convert(box, "-o", tmp_path / "out.raw", expect=0)
    assert "/etc/fstab:2 wants /dev/ubdb on none, a disk that is not part of this image" in run.err


def test_endless_package_list(refused, box):
    """A file of 17 TB that is one hole."""
    images.debugfs(box, "mkdir var/lib/dpkg")
    images.put(box, "/var/lib/dpkg/status", b"Package: a\n")
    images.debugfs(box, "set_inode_field /var/lib/dpkg/status size 17000000000000")
    refused(box, 3, "the filesystem has errors", inspect=0, timeout=60)


@pytest.mark.parametrize("out, status, words", [
    ("", 2, "'' is not the name of a file"),
    ("new/", 2, "'new/' is not the name of a file"),
    ("none/out.raw", 1, "none/out.raw: No such file or directory"),
])
def test_out_is_looked_at_first(kmln, box, tmp_path, out, status, words):
    """Before a kernel is sought: with an empty cache it would be fetched for nothing."""
    run = kmln("convert", box, "--to", "kvm", "-o", out, cwd=tmp_path, expect=status)
    assert words in run.err and "kernel" not in run.err


def test_cache_is_never_below_tmp(tmp_path):
    """Without HOME others could have laid out in /tmp what is to be trusted."""
    planted = tmp_path / f"kmln-{os.geteuid()}/kernels/6.1.0-evil"
    (planted / "boot").mkdir(parents=True)
    (planted / "boot/vmlinuz-6.1.0-evil").write_bytes(b"x")
    (planted / "lib/modules/6.1.0-evil").mkdir(parents=True)
    nothing = dict.fromkeys(["HOME", "KMLN_HOME", "XDG_CACHE_HOME"])
    run = runner.run([runner.BUILD / "kmln", "kernel", "list"], env={**nothing, "TMPDIR": tmp_path},
                     expect=0)
    assert "6.1.0-evil" not in run.out
