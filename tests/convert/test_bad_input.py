# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that are none, damaged, or of guests that cannot be converted. Each with its words and its exit
status, and nothing is lost."""

import gzip
import lzma
import os
import shutil
import stat
import struct
import subprocess
import zlib

import pytest

import guests
import images
import runner

FIRST = images.MIB


# --- not an image

def test_text_file(refused, tmp_path):
    (tmp_path / "text").write_text("dear diary\n" * 1000)
    refused(tmp_path / "text", 3, "text: not an image of a machine: neither a partition table nor a "
            "filesystem is in it")


def test_random(refused, tmp_path):
    (tmp_path / "random").write_bytes(b"\xa5" * (5 << 20))
    refused(tmp_path / "random", 3, "not an image of a machine")


@pytest.mark.parametrize("size", [1, 511, 512, 513, 1023, 1080, 1081, 2047, 2048, 4096])
def test_tiny(refused, tmp_path, size):
    (tmp_path / "tiny").write_bytes(b"\0" * size)
    refused(tmp_path / "tiny", 3, "not an image")


def test_folder(refused, tmp_path):
    refused(tmp_path, 3, "a folder cannot be converted yet", inspect=0)


def test_fifo(refused, tmp_path):
    """Nobody waits for who writes into it."""
    os.mkfifo(tmp_path / "fifo")
    refused(tmp_path / "fifo", 3, "not an image: it is neither a file nor a disk", timeout=10)


def test_character_device(refused):
    refused("/dev/zero", 3, "not an image: it is neither a file nor a disk")


def test_empty(refused, tmp_path):
    (tmp_path / "empty").touch()
    refused(tmp_path / "empty", 3, "not an image: it is empty")


def test_missing(refused, tmp_path):
    refused(tmp_path / "nowhere", 1, "nowhere: No such file or directory")
    refused(tmp_path / "a" / "b", 1, "No such file or directory")


def test_no_rights(kmln, guest, ordinary_user):
    """Somebody else's file, and a disk that only root may read."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of somebody else")
    image = guests.copy(guest("busybox"), ordinary_user.home / "other.img")
    image.chmod(0o600)
    device = ordinary_user.home / "disk"
    os.mknod(device, 0o600 | stat.S_IFBLK, os.makedev(7, 0))
    for path in (image, device):
        for args in (["inspect", path], ["convert", path, "--to", "kvm", "-o", "out.raw"]):
            run = kmln(*args, user=ordinary_user, expect=1)
            assert run.err == f"kmln: {path}: Permission denied\n"


def test_compressed(refused, guest, tmp_path):
    head = guest("busybox").read_bytes()[:1 << 20]
    (tmp_path / "gz").write_bytes(gzip.compress(head))
    (tmp_path / "xz").write_bytes(lzma.compress(head))
    refused(tmp_path / "gz", 3, "gz: compressed (gzip): unpack it first")
    refused(tmp_path / "xz", 3, "xz: compressed (xz): unpack it first")


def test_uml_cow(refused, tmp_path):
    (tmp_path / "cow").write_bytes(b"OOOM\0\0\0\3" + bytes(8192))
    refused(tmp_path / "cow", 3, "a UML copy-on-write file; merge it first: uml_moo")


# --- cut off, damaged

def test_truncated(refused, box):
    os.truncate(box, os.path.getsize(box) - 4096)
    refused(box, 3, "truncated: the filesystem is 67108864 bytes long, but only 67104768 are there")


def test_truncated_disks(refused, guest, tmp_path):
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    os.truncate(disk, 48 << 20)
    refused(disk, 3, "partition 1 ends behind the image, which is 50331648 bytes long: is it truncated?")
    gpt = images.disk(tmp_path / "gpt.raw", 96 << 20, "label: gpt\nstart=2048, size=131072, type=L\n",
                      [(2048, guest("busybox"))])
    os.truncate(gpt, 48 << 20)
    refused(gpt, 3, "gpt.raw: ")


def test_partition_past_the_end(refused, guest, tmp_path):
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    for start, count in ((2048, 131073), (0xffffff00, 0xffffff00), (2048, 0xffffffff)):
        images.poke(disk, 0x1be + 8, struct.pack("<II", start, count))
        refused(disk, 3, "partition 1 ends behind the image")


def test_partition_in_the_table(refused, guest, tmp_path):
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    images.poke(disk, 0x1be + 8, struct.pack("<I", 0))
    refused(disk, 3, "disk.raw: ")


def test_filesystem_longer_than_its_partition(refused, guest, tmp_path):
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    images.poke(disk, 0x1be + 12, struct.pack("<I", 65536))
    refused(disk, 3, "partition 1: truncated: the filesystem is 67108864 bytes long, but only 33554432")


def test_broken_gpt(refused, guest, tmp_path):
    gpt = images.disk(tmp_path / "gpt.raw", 96 << 20, "label: gpt\nstart=2048, size=131072, type=L\n",
                      [(2048, guest("busybox"))])
    images.poke(gpt, 512, bytes(512))
    images.poke(gpt, (96 << 20) - 512, bytes(512))
    refused(gpt, 3, "the GPT is damaged or cut off")


def test_superblock_checksum(refused, box):
    """The magic is there, so it is not taken for anything else."""
    images.poke(box, 1024 + 0x78, b"another label")
    refused(box, 3, "the filesystem's superblock", "checksum")


def test_superblock_nonsense(refused, box):
    for offset, value in ((0x18, 77), (0x04, 0), (0x20, 0), (0x28, 0), (0x58, 3)):
        image = guests.copy(box, f"{box}.bad")
        images.poke(image, 1024 + offset, struct.pack("<I", value))
        refused(image, 3, "the filesystem's superblock")


def test_superblock_gone(refused, box):
    images.poke(box, 1024, bytes(1024))
    refused(box, 3, "not an image of a machine")


def test_superblock_gone_in_a_disk(refused, guest, tmp_path):
    """The table is there to be seen; a guest to be converted is not."""
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    images.poke(disk, FIRST + 1024, bytes(1024))
    refused(disk, 3, "there is no root filesystem in it", inspect=0)


def test_group_descriptors_gone(refused, box):
    images.poke(box, 2048, b"\xff" * 64)
    refused(box, 3, "box.img: there is no root filesystem in it: the image as a whole (ext4) is "
            "damaged: ", inspect=0)


def test_folder_damaged(refused, box):
    """A name with a slash cannot be one: it must not become a path."""
    images.tool("tune2fs", "e2fsprogs", "-O", "^metadata_csum", box)
    images.debugfs(box, "mkdir /lib/modules/6.1.0-and-more")
    data = box.read_bytes()
    images.poke(box, data.index(b"6.1.0-and-more"), b"6.1.0/../../x/")
    refused(box, 3, "box.img: ")


# --- errors and journals

def test_filesystem_errors(refused, box):
    """Refused, with e2fsck's own words."""
    images.debugfs(box, "clri /etc/hostname")
    before = images.fingerprint(box)
    refused(box, 3, "box.img: the filesystem has errors, says e2fsck: ", "hostname", inspect=0)
    assert images.fingerprint(box) == before


@pytest.mark.parametrize("state, words", [(0, "not cleanly unmounted"), (2, "with errors"),
                                          (3, "with errors")])
def test_error_flags(convert, kmln, box, tmp_path, state, words):
    """A kernel noticed an error, or there was no journal when the power went: e2fsck decides."""
    images.debugfs(box, f"ssv state {state}")
    judged = subprocess.run(["e2fsck", "-fn", box], capture_output=True, env={"PATH": guests.SBIN_PATH})
    run = convert(box, "-o", tmp_path / "out.raw")
    assert (run.status == 0) == (judged.returncode == 0), (run, judged)
    if run.status == 0:
        # the flag is not carried along for ever
        assert images.clean(tmp_path / "out.raw", FIRST)
    else:
        assert run.status == 3 and "says e2fsck" in run.err


def test_journal_and_errors(refused, killed):
    """The replay does not mend what is broken beside it: e2fsck wants a decision, and gets none."""
    block = images.tool("debugfs", "e2fsprogs", "-R", "blocks /bin/busybox", killed).split()[4].decode()
    images.debugfs(killed, "sif /root/still-9 flags 0", f"sif /root/still-9 block[0] {block}",
                   *(f"sif /root/still-9 block[{i}] 0" for i in range(1, 6)))
    before = images.fingerprint(killed)
    refused(killed, 3, "killed.img: the filesystem has errors that need a decision, says e2fsck: ",
            "Multiply-claimed block(s)", inspect=0)
    assert images.fingerprint(killed) == before


# --- what cannot be read, or not be booted

def luks(size=2 << 20):
    return (b"LUKS\xba\xbe" + struct.pack(">H", 1) + b"aes".ljust(32, b"\0") +
            b"xts-plain64".ljust(32, b"\0") + b"sha256".ljust(32, b"\0") +
            struct.pack(">II", 4096, 64)).ljust(168, b"\0") + \
        b"01234567-89ab-cdef-0123-456789abcdef".ljust(40, b"\0") + bytes(size - 208)


def lvm(size=2 << 20):
    body = struct.pack("<I", 32) + b"LVM2 001" + b"0123456789abcdefghijklmnopqrstuv" + bytes(448)
    body = body[:492].ljust(492, b"\0")
    crc = zlib.crc32(body, 0xf597a6cf ^ 0xffffffff) ^ 0xffffffff
    return bytes(512) + b"LABELONE" + struct.pack("<QI", 1, crc) + body + bytes(size - 1024)


@pytest.mark.parametrize("name, content, words", [
    ("crypto_LUKS", luks(), "encrypted with LUKS"),
    ("LVM2_member", lvm(), "part of an LVM volume group")], ids=["luks", "lvm"])
def test_encrypted_and_lvm(kmln, refused, tmp_path, name, content, words):
    """Named, as a whole image and as a partition, and refused."""
    whole = tmp_path / "whole"
    whole.write_bytes(content)
    assert images.tool("blkid", "util-linux", "-p", "-s", "TYPE", "-o", "value", whole).decode() == \
        f"{name}\n"
    disk = images.disk(tmp_path / "disk.raw", 8 << 20, "label: dos\nstart=2048, type=83\n",
                       [(2048, whole)])
    for image, where in ((whole, "the image as a whole"), (disk, "partition 1")):
        refused(image, 3, "there is no root filesystem in it", f"{where} ({name})", words, inspect=0)
        shown = kmln("inspect", image, expect=0).out
        assert name in shown and words in shown


def test_swap_only(kmln, refused, tmp_path):
    with open(tmp_path / "swap", "wb") as file:
        file.truncate(4 << 20)
    images.tool("mkswap", "util-linux", "-q", tmp_path / "swap")
    refused(tmp_path / "swap", 3, "there is no root filesystem in it", "(swap)", inspect=0)


def test_data_only(refused, tmp_path):
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", tmp_path / "data", "8M")
    refused(tmp_path / "data", 3, "there is no root filesystem in it", "without /etc and programs",
            inspect=0)


@pytest.mark.parametrize("feature, options", [
    ("inline_data", []), ("bigalloc", []), ("casefold", ["-E", "encoding=utf8"]), ("ea_inode", [])])
def test_features_of_grub(kmln, refused, tmp_path, feature, options):
    tree, image = tmp_path / "tree", tmp_path / "guest.img"
    (tree / "etc").mkdir(parents=True)
    (tree / "sbin").mkdir()
    shutil.copy(runner.need_program("busybox", "busybox-static"), tree / "sbin/init")
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-O", feature, *options, "-d", tree, image, "64M")
    refused(image, 3, f"the filesystem has the feature {feature}, which GRUB cannot read", inspect=0)
    assert f"a filesystem that GRUB can read (it has {feature})" in kmln("inspect", image).out


def test_multi_mount_protection(refused, box):
    images.tool("tune2fs", "e2fsprogs", "-O", "mmp", box)
    refused(box, 3, "the filesystem has multi-mount protection", "tune2fs -O ^mmp", inspect=0)


def test_other_architecture(kmln, refused, box):
    program = bytearray(images.tool("debugfs", "e2fsprogs", "-R", "cat /bin/busybox", box))
    struct.pack_into("<H", program, 18, 183)
    images.put(box, "/bin/busybox", bytes(program), 0o755)
    refused(box, 3, "the guest's programs are for arm64, and kmln has machines for x86-64 only", inspect=0)
    assert "programs for x86-64 (they are for arm64)" in kmln("inspect", box).out


def test_no_init(refused, box):
    images.debugfs(box, "rm /sbin/init", "rm /bin/init")
    refused(box, 3, "the guest has no init program", inspect=0)


def test_gpt_without_loader(refused, guest, tmp_path):
    gpt = images.disk(tmp_path / "gpt.raw", 96 << 20, "label: gpt\nstart=2048, size=131072, type=L\n",
                      [(2048, guest("busybox"))])
    refused(gpt, 3, "the disk has a GPT, and no BIOS boot partition", "--boot disk", inspect=0)


def test_no_gap(refused, guest, tmp_path):
    """Old tables let the first partition begin at sector 63."""
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw", first_sector=63)
    refused(disk, 3, "only 31744 bytes are free for GRUB, which needs", "--boot disk", inspect=0)


def test_own_loader(refused, box, tmp_path):
    """A GRUB of the guest's own would go on starting the kernel it knows."""
    images.debugfs(box, "mkdir /boot/grub")
    images.put(box, "/boot/grub/grub.cfg", "menuentry Debian {\n}\n")
    disk = guests.partitioned(box, tmp_path / "disk.raw")
    images.poke(disk, 0x180, b"GRUB ")
    refused(disk, 3, "boots by a grub of its own, which would not start a kernel that kmln puts in",
            inspect=0)
