# SPDX-License-Identifier: GPL-2.0-or-later
"""What images of other formats say of themselves: a name in an image leads nowhere without leave, and a
hostile head is refused with words."""

import os
import struct

import pytest

import formats
import guests
import images


# --- what an image names

def test_overlay(inspect, refused, kmln, guest, overlay, tmp_path):
    base = tmp_path / "base/guest.img"
    refused(overlay, 3, f"the backing file '{base}'", "--allow-backing")
    facts = formats.same_disk(inspect(overlay, "--allow-backing"), inspect(guest("busybox")))
    assert facts["backing"] == str(base)
    assert facts["file_size"] == overlay.stat().st_size
    assert f"\nbacking      {base}\n" in kmln("inspect", "--allow-backing", overlay, expect=0).out
    for command in (["convert", overlay, "--to", "kvm", "-o", tmp_path / "out"], ["boot", overlay]):
        run = kmln(*command, expect=3)
        assert "--allow-backing" in run.err and not (tmp_path / "out").exists()


def test_relative(inspect, guest, overlay, tmp_path):
    """A relative name is relative to the image's folder, wherever kmln runs; three layers."""
    formats.qemu_img("rebase", "-u", "-F", "raw", "-b", "base/guest.img", overlay)
    formats.qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "../over.qcow2", tmp_path / "base/top")
    raw = inspect(guest("busybox"))
    formats.same_disk(inspect(overlay, "--allow-backing"), raw)
    formats.same_disk(inspect(tmp_path / "base/top", "--allow-backing"), raw)
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        formats.same_disk(inspect("over.qcow2", "--allow-backing"), raw)
    finally:
        os.chdir(here)


def test_data_file(inspect, refused, guest, tmp_path):
    image = tmp_path / "image"
    formats.qemu_img("convert", "-O", "qcow2", "-o", f"data_file={tmp_path}/data", guest("busybox"), image)
    refused(image, 3, "the data file", "--allow-backing")
    facts = formats.same_disk(inspect(image, "--allow-backing"), inspect(guest("busybox")))
    assert facts["file_size"] == sum((tmp_path / name).stat().st_size for name in ("image", "data"))


def test_vmdk_parent(inspect, refused, guest, tmp_path):
    base = formats.converted(guest("busybox"), tmp_path / "base.vmdk", "vmdk")
    formats.qemu_img("create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", base, tmp_path / "over.vmdk")
    refused(tmp_path / "over.vmdk", 3, "the backing file", "--allow-backing")
    formats.same_disk(inspect(tmp_path / "over.vmdk", "--allow-backing"), inspect(guest("busybox")))


def rename(overlay, name, fmt=None):
    """Puts a name of the backing file, and its format, into a qcow2 by hand."""
    data = bytearray(overlay.read_bytes())
    name = name if isinstance(name, bytes) else os.fsencode(name)
    length = struct.unpack_from(">I", data, 100)[0]
    end = 1 << struct.unpack_from(">I", data, 20)[0]
    extensions = b""
    if fmt:
        extensions = struct.pack(">II", 0xe2792aca, len(fmt)) + fmt + bytes(-len(fmt) % 8)
    extensions += bytes(8)
    data[length:end] = (extensions + name).ljust(end - length, b"\0")
    struct.pack_into(">QI", data, 8, length + len(extensions), len(name))
    overlay.write_bytes(data)
    return overlay


def test_rename(inspect, guest, overlay, tmp_path):
    """The helper above makes what QEMU and kmln read: the refusals below are no accident."""
    rename(overlay, tmp_path / "base/guest.img", b"raw")
    assert b"backing file format: raw" in formats.qemu_img("info", overlay)
    formats.same_disk(inspect(overlay, "--allow-backing"), inspect(guest("busybox")))


def test_unreadable(kmln, guest, ordinary_user):
    """A file that the user may not read is not read for him: not by kmln, not by anybody."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of somebody else")
    secret = guests.copy(guest("busybox"), ordinary_user.home / "secret.img")
    secret.chmod(0o600)
    over = ordinary_user.home / "over.qcow2"
    formats.qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, over)
    over.chmod(0o644)
    run = kmln("inspect", "--allow-backing", over, user=ordinary_user, expect=1)
    assert "secret.img: Permission denied" in run.err and not run.out
    secret.chmod(0o644)
    kmln("inspect", "--allow-backing", over, user=ordinary_user, expect=0)


def test_not_a_file(refused, overlay, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    for name, words in (("/dev/zero", "not a regular file"), (tmp_path / "fifo", "not a regular file"),
                        (tmp_path, "not a regular file"), (tmp_path / "empty", "empty"),
                        ("/proc/self/environ", "empty"), ("missing", "No such file")):
        rename(overlay, name, b"raw")
        refused(overlay, 1 if name == "missing" else 3, words, options=["--allow-backing"])


@pytest.mark.parametrize("name", [
    'json:{"driver":"raw","file":{"driver":"file","filename":"BASE"}}', "nbd://localhost/x", "file:BASE",
    "fat:/etc", "/etc/shadow\n--help", "'\"$(touch x)`,;\\", "a\x1b[31mred", "-", "%s%n", "BASE,format=raw",
    "host_device:/dev/null"])
def test_names_are_paths(refused, overlay, tmp_path, name):
    """What QEMU would take for something else is the name of a file, which is not there."""
    rename(overlay, name.replace("BASE", f"{tmp_path}/base/guest.img"), b"raw")
    run = refused(overlay, 1, "No such file or directory", options=["--allow-backing"])
    assert "\x1b" not in run.err
    refused(overlay, 3, "--allow-backing")


def test_unsaid_format(inspect, refused, guest, overlay, tmp_path):
    """A raw base may be written by its guest: a guess that it is qcow2 could show the guest any file."""
    base = tmp_path / "base/guest.img"
    rename(overlay, base)
    formats.same_disk(inspect(overlay, "--allow-backing"), inspect(guest("busybox")))
    secret = guests.copy(guest("busybox"), tmp_path / "secret")
    formats.qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, tmp_path / "evil")
    base.write_bytes((tmp_path / "evil").read_bytes().ljust(64 << 20, b"\0"))
    refused(overlay, 3, "does not say which format", "qcow2", options=["--allow-backing"])
    # said to be raw, it is raw: no guest is in there, and no secret either
    rename(overlay, base, b"raw")
    refused(overlay, 3, "neither a partition table nor a filesystem", options=["--allow-backing"])
    rename(overlay, base, b"vmdk")
    refused(overlay, 3, "says that its backing file is vmdk, and it is qcow2", options=["--allow-backing"])


def test_loops_and_depth(refused, overlay, tmp_path):
    rename(overlay, overlay, b"qcow2")
    refused(overlay, 3, "its own backing file", options=["--allow-backing"])
    other = tmp_path / "other.qcow2"
    other.write_bytes(overlay.read_bytes())
    rename(overlay, other, b"qcow2")
    refused(other, 3, "its own backing file", options=["--allow-backing"])
    last = tmp_path / "base/guest.img"
    for i in range(34):
        layer = tmp_path / f"layer{i}"
        layer.write_bytes(overlay.read_bytes())
        last = rename(layer, last, b"qcow2" if i else b"raw")
    refused(last, 3, "more than 32 backing files", options=["--allow-backing"])


# --- hostile heads

QCOW2 = [
    (4, ">I", 1, "version 1"), (4, ">I", 77, "version 77"), (20, ">I", 0, "header cannot be"),
    (20, ">I", 8, "header cannot be"), (20, ">I", 63, "header cannot be"),
    (20, ">I", 0xffffffff, "header cannot be"), (24, ">Q", 1 << 63, "QEMU cannot read it"),
    (24, ">Q", 0, "no bytes"), (32, ">I", 1, "encrypted"), (32, ">I", 2, "encrypted"),
    (36, ">I", 0xffffffff, "QEMU cannot read it"), (40, ">Q", 1 << 62, ""),
    (48, ">Q", (1 << 64) - 512, "QEMU cannot read it"), (56, ">I", 0xffffffff, "QEMU cannot read it"),
    (72, ">Q", 1 << 63, "features that this version of kmln does not know"),
    (72, ">Q", 4, "does not say in which"), (100, ">I", 0, "header cannot be"),
    (100, ">I", 0xffffffff, "header cannot be"), (8, ">QI", (1, 5), ""),
    (8, ">QI", ((1 << 64) - 1, 5), "header cannot be"), (8, ">QI", (65530, 100), "outside its header"),
    (8, ">QI", (112, 0xffffffff), "4294967295 bytes in its name"), (8, ">QI", (112, 0), "empty"),
    (8, ">QI", (40000, 3), "cut by a NUL"), (112, ">II", (0xe2792aca, 0xffffffff), "does not end in it"),
]


@pytest.mark.parametrize("at, how, value, words", QCOW2)
def test_hostile_qcow2(kmln, guest, tmp_path, at, how, value, words):
    image = formats.converted(guest("busybox"), tmp_path / "image", "qcow2")
    images.poke(image, at, struct.pack(how, *(value if isinstance(value, tuple) else (value,))))
    run = kmln("inspect", image, expect=3, timeout=30)
    assert run.out == "" and run.err.count("\n") == 1
    assert words in run.err, run


def test_cut_off(refused, guest, tmp_path):
    # what QEMU takes for an image without data has no filesystem
    for name, size, words in (("qcow2", 4, "version 0"), ("qcow2", 71, "damaged"),
                              ("qcow2", 200, "damaged"), ("vmdk", 100, "damaged"),
                              ("vmdk", 600, "outside its header"), ("vdi", 80, ""), ("vdi", 600, ""),
                              ("vhd", 100, ""), ("vhdx", 100, "QEMU"), ("qed", 60, "QEMU")):
        image = formats.converted(guest("busybox"), tmp_path / "image", name)
        os.truncate(image, size)
        refused(image, 3, words)


def test_differencing(refused, guest, tmp_path):
    image = formats.converted(guest("busybox"), tmp_path / "image", "vdi")
    images.poke(image, 0x4c, struct.pack("<I", 4))
    refused(image, 3, "differencing VDI", "VBoxManage")
    image = formats.converted(guest("busybox"), tmp_path / "image", "vhd")
    images.poke(image, 60, struct.pack(">I", 4))
    refused(image, 3, "differencing VHD", "Merge-VHD")
    formats.qemu_img("create", "-q", "-f", "qed", "-F", "raw", "-b", guest("busybox"), tmp_path / "qed")
    refused(tmp_path / "qed", 3, "QED image with a backing file")


DESCRIPTORS = [
    ('RW 131072 ZERO', 3, "extent of zeroes"), ('RW 131072 SPARSE "guest.img"', 3, "sparse files"),
    ('RW 131072 VMFSSPARSE "guest.img"', 3, "sparse files"),
    ('RW 131072 VMFSRDM "guest.img"', 3, "kind VMFSRDM"), ('NOACCESS 1 FLAT "guest.img" 0', 3, "NOACCESS"),
    ('RW 131073 FLAT "guest.img" 0', 3, "bytes long, and the descriptor wants"),
    ('RW 131072 FLAT "guest.img" 1', 3, "bytes long, and the descriptor wants"),
    ('RW 18446744073709551615 FLAT "guest.img" 0', 3, "without size"),
    ('RW 36028797018963968 FLAT "guest.img" 0', 3, "without size"),
    ('RW 1 FLAT "guest.img" 18014398509481983', 3, "descriptor wants"),
    ('RW -1 FLAT "guest.img" 0', 3, "without size"), ('RW 0 FLAT "guest.img" 0', 3, "without size"),
    ('RW 1 FLAT "guest.img" x', 3, "begins at 'x'"), ('RW 1 FLAT guest.img 0', 3, "without a file"),
    ('RW 1 FLAT "guest.img', 3, "without a file"), ('RW 1 FLAT "" 0', 3, "without a file"),
    ('RW 1 FLAT', 3, "without a file"), ('RW', 3, "without extents"), ('', 3, "without extents"),
    ('RW 1 FLAT "missing" 0', 1, "No such file"), ('RW 1 FLAT "/etc/passwd" 0', 3, "--allow-backing"),
    ('RW 1 FLAT "../guest.img" 0', 3, "--allow-backing"), ('RW 1 FLAT "guest-link" 0', 3, "--allow-backing"),
    ('RW 1 FLAT "other-guest.img" 0', 3, "--allow-backing"), ('RW 1 FLAT ".." 0', 3, "--allow-backing"), ('RW 1 FLAT "guest-fifo" 0', 3, "--allow-backing"),
    ("\n".join(['RW 1 FLAT "guest.img" 0'] * 257), 3, "more than 256 extents"),
    ("\n".join(['RW 9007199254740991 FLAT "guest.img" 0'] * 4), 3, "longer than a disk can be"),
]


@pytest.mark.parametrize("lines, status, words", DESCRIPTORS)
def test_hostile_descriptor(refused, guest, tmp_path, lines, status, words):
    guests.copy(guest("busybox"), tmp_path / "guest.img")
    guests.copy(guest("busybox"), tmp_path / "other-guest.img")
    (tmp_path / "guest-link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "guest-fifo")
    refused(formats.descriptor(tmp_path, lines), status, words)


def test_extents_elsewhere(inspect, refused, guest, tmp_path):
    (tmp_path / "other").mkdir()
    guests.copy(guest("busybox"), tmp_path / "other/guest.img")
    image = formats.descriptor(tmp_path, 'RW 131072 FLAT "other/guest.img" 0')
    refused(image, 3, "the extent 'other/guest.img'", "--allow-backing")
    formats.same_disk(inspect(image, "--allow-backing"), inspect(guest("busybox")))
    (tmp_path / "zero").symlink_to("/dev/zero")
    refused(formats.descriptor(tmp_path, 'RW 1 FLAT "zero" 0'), 3, "not a regular file",
            options=["--allow-backing"])


def test_split(refused, guest, tmp_path):
    formats.qemu_img("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", guest("busybox"),
             tmp_path / "split.vmdk")
    refused(tmp_path / "split.vmdk", 3, "sparse files of their own", "qemu-img convert")
    refused(tmp_path / "split-s001.vmdk", 3, "one extent of a split VMDK")


def test_embedded_descriptor(refused, guest, tmp_path):
    """With a capacity of 0 QEMU would open the extents that the descriptor inside names."""
    image = formats.converted(guest("busybox"), tmp_path / "image", "vmdk")
    images.poke(image, 12, bytes(8))
    refused(image, 3, "header cannot be")
