# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of other formats than raw, made by qemu-img: what kmln sees in them is what it sees in the raw
image, their bytes are the same, and a name in an image leads nowhere without leave."""

import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import guests
import images
import machines
import runner

FORMATS = {
    "qcow2": ("-O", "qcow2"),
    "qcow2-v2": ("-O", "qcow2", "-o", "compat=0.10"),
    "qcow2-small": ("-O", "qcow2", "-o", "cluster_size=512"),
    "qcow2-big": ("-O", "qcow2", "-o", "cluster_size=2M"),
    "qcow2-packed": ("-c", "-O", "qcow2"),
    "qcow2-l2": ("-O", "qcow2", "-o", "extended_l2=on"),
    "vmdk": ("-O", "vmdk"),
    "vmdk-stream": ("-O", "vmdk", "-o", "subformat=streamOptimized"),
    "vmdk-flat": ("-O", "vmdk", "-o", "subformat=monolithicFlat"),
    "vmdk-2gb": ("-O", "vmdk", "-o", "subformat=twoGbMaxExtentFlat"),
    "vdi": ("-O", "vdi"),
    "vdi-static": ("-O", "vdi", "-o", "static=on"),
    "vhdx": ("-O", "vhdx"),
    "vhdx-fixed": ("-O", "vhdx", "-o", "subformat=fixed"),
    "vhd": ("-O", "vpc", "-o", "force_size=on"),
    "vhd-fixed": ("-O", "vpc", "-o", "subformat=fixed,force_size=on"),
    "qed": ("-O", "qed"),
}


def qemu_img(*argv, **options):
    return images.tool("qemu-img", "qemu-utils", *argv, **options)


def converted(source, to, name):
    qemu_img("convert", "-f", "raw", *FORMATS[name], source, to)
    return to


@pytest.fixture
def inspect(kmln):
    def call(image, *options):
        run = kmln("inspect", image, "--format", "json", *options, expect=0)
        assert run.err == ""
        return json.loads(run.out)
    return call


@pytest.fixture
def refused(kmln):
    """kmln inspect ends with this status, and one line that holds these words."""
    def call(image, status, *words, options=(), **more):
        run = kmln("inspect", image, *options, expect=status, timeout=30, **more)
        assert run.out == "" and run.err.startswith("kmln: ") and run.err.count("\n") == 1, run
        for word in words:
            assert word in run.err, run
        return run
    return call


@pytest.fixture(scope="module")
def disk(guest, tmp_path_factory):
    """A disk whose second partition is the guest, with another filesystem and a logical partition that
    lies behind the first MiB."""
    folder = tmp_path_factory.mktemp("disk")
    swap = folder / "swap"
    swap.write_bytes(bytes(4 << 20))
    subprocess.run(["/sbin/mkswap", "-U", "6b6d6c6e-0000-4000-8000-0000000000aa", swap], check=True,
                   capture_output=True)
    fat = folder / "fat"
    fat.write_bytes(bytes(4 << 20))
    xfs = images.disk(folder / "disk.raw", 100 << 20,
                      "label: dos\nlabel-id: 0x6b6d6c6e\nstart=2048, size=8192, type=82\n"
                      "start=10240, size=131072, type=83, bootable\n"
                      "start=143360, size=40960, type=5\nstart=145408, size=8192, type=82\n"
                      "start=161792, size=8192, type=82\n",
                      [(2048, swap), (10240, guest("busybox")), (161792, swap)])
    yield xfs
    for path in (swap, fat, xfs):
        path.unlink()


def same_disk(facts, raw):
    """But for what tells of the image file."""
    facts, raw = dict(facts), dict(raw)
    image = facts.pop("image")
    assert raw.pop("image")["size"] == image["size"]
    assert facts == raw
    return image


def contents(folder):
    """Every file of the folder, as it is on the disk: the host may give it its last blocks there."""
    found = {}
    for path in sorted(folder.glob("image*")):
        with open(path, "rb") as file:
            os.fsync(file)
            found[path] = path.stat().st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_inspect(inspect, disk, tmp_path, name):
    image = converted(disk, tmp_path / "image", name)
    before = contents(tmp_path)
    facts = same_disk(inspect(image), inspect(disk))
    assert facts["format"] == name.split("-")[0] and facts["backing"] is None
    own = [path for path in tmp_path.glob("*") if path.is_file()]
    assert facts["file_size"] == sum(path.stat().st_size for path in own)
    assert facts["allocated"] == sum(path.stat().st_blocks * 512 for path in own)
    assert contents(tmp_path) == before


def test_gpt(inspect, guest, tmp_path):
    """Of a GPT the second header lies at the end."""
    raw = images.disk(tmp_path / "gpt.raw", 96 << 20, "label: gpt\nstart=2048, size=131072, type=L\n",
                      [(2048, guest("busybox"))])
    image = converted(raw, tmp_path / "image", "qcow2")
    same_disk(inspect(image), inspect(raw))
    images.poke(raw, 512, bytes(512))
    image = converted(raw, tmp_path / "image", "qcow2")
    assert same_disk(inspect(image), inspect(raw))


def test_awkward(inspect, guest, tmp_path):
    raw = guest("awkward")
    same_disk(inspect(converted(raw, tmp_path / "image", "qcow2")), inspect(raw))


def test_text(kmln, guest, tmp_path):
    image = converted(guest("busybox"), tmp_path / "image", "qcow2")
    out = kmln("inspect", image, expect=0).out
    assert out.startswith("image        qcow2, 67.1 MB in a file of ")
    assert "\nbacking" not in out


# --- the bytes

def plain(kmln, image, out, *options, **more):
    """The disk's bytes as kmln convert reads them: a guest that needs nothing is copied as it is."""
    kmln("convert", "-q", image, "--to", "kvm", "-o", out, *options, expect=0, timeout=120, **more)
    return out


@pytest.fixture(scope="module")
def ready(kmln_once, tmp_path_factory):
    """A guest that a conversion leaves as it is, since it has been converted already."""
    out = tmp_path_factory.mktemp("ready") / "ready.raw"
    kmln_once(out)
    yield out
    out.unlink()


@pytest.fixture(scope="module")
def kmln_once(guest, shared):
    def call(out):
        home = shared / "formats-home"
        runner.run([runner.BUILD / "kmln", "convert", "-q", guest("systemd"), "--to", "kvm", "-o", out,
                    "--kernel", guest("kernel")], env={"KMLN_HOME": home}, expect=0, timeout=240)
    return call


@pytest.mark.parametrize("name", ["qcow2", "vmdk-stream", "vmdk-flat", "vdi", "vhdx", "vhd"])
def test_copy(kmln, ready, tmp_path, name):
    image = converted(ready, tmp_path / "image", name)
    out = plain(kmln, image, tmp_path / "out.raw")
    subprocess.run(["cmp", out, ready], check=True)
    # holes stay holes
    assert os.stat(out).st_blocks <= os.stat(ready).st_blocks * 1.05


# --- what an image names

@pytest.fixture
def overlay(guest, tmp_path):
    """A qcow2 whose backing file is a raw guest in another folder."""
    (tmp_path / "base").mkdir()
    base = guests.copy(guest("busybox"), tmp_path / "base/guest.img")
    qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, tmp_path / "over.qcow2")
    return tmp_path / "over.qcow2"


def test_overlay(inspect, refused, kmln, guest, overlay, tmp_path):
    base = tmp_path / "base/guest.img"
    refused(overlay, 3, f"the backing file '{base}'", "--allow-backing")
    facts = same_disk(inspect(overlay, "--allow-backing"), inspect(guest("busybox")))
    assert facts["backing"] == str(base)
    assert facts["file_size"] == overlay.stat().st_size
    assert f"\nbacking      {base}\n" in kmln("inspect", "--allow-backing", overlay, expect=0).out
    for command in (["convert", overlay, "--to", "kvm", "-o", tmp_path / "out"], ["boot", overlay]):
        run = kmln(*command, expect=3)
        assert "--allow-backing" in run.err and not (tmp_path / "out").exists()


def test_relative(inspect, guest, overlay, tmp_path):
    """A relative name is relative to the image's folder, wherever kmln runs; three layers."""
    qemu_img("rebase", "-u", "-F", "raw", "-b", "base/guest.img", overlay)
    qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "../over.qcow2", tmp_path / "base/top")
    raw = inspect(guest("busybox"))
    same_disk(inspect(overlay, "--allow-backing"), raw)
    same_disk(inspect(tmp_path / "base/top", "--allow-backing"), raw)
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        same_disk(inspect("over.qcow2", "--allow-backing"), raw)
    finally:
        os.chdir(here)


def test_data_file(inspect, refused, guest, tmp_path):
    image = tmp_path / "image"
    qemu_img("convert", "-O", "qcow2", "-o", f"data_file={tmp_path}/data", guest("busybox"), image)
    refused(image, 3, "the data file", "--allow-backing")
    facts = same_disk(inspect(image, "--allow-backing"), inspect(guest("busybox")))
    assert facts["file_size"] == sum((tmp_path / name).stat().st_size for name in ("image", "data"))


def test_vmdk_parent(inspect, refused, guest, tmp_path):
    base = converted(guest("busybox"), tmp_path / "base.vmdk", "vmdk")
    qemu_img("create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", base, tmp_path / "over.vmdk")
    refused(tmp_path / "over.vmdk", 3, "the backing file", "--allow-backing")
    same_disk(inspect(tmp_path / "over.vmdk", "--allow-backing"), inspect(guest("busybox")))


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
    assert b"backing file format: raw" in qemu_img("info", overlay)
    same_disk(inspect(overlay, "--allow-backing"), inspect(guest("busybox")))


def test_unreadable(kmln, guest, ordinary_user):
    """A file that the user may not read is not read for him: not by kmln, not by anybody."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of somebody else")
    secret = guests.copy(guest("busybox"), ordinary_user.home / "secret.img")
    secret.chmod(0o600)
    over = ordinary_user.home / "over.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, over)
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
    same_disk(inspect(overlay, "--allow-backing"), inspect(guest("busybox")))
    secret = guests.copy(guest("busybox"), tmp_path / "secret")
    qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, tmp_path / "evil")
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
    image = converted(guest("busybox"), tmp_path / "image", "qcow2")
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
        image = converted(guest("busybox"), tmp_path / "image", name)
        os.truncate(image, size)
        refused(image, 3, words)


def test_differencing(refused, guest, tmp_path):
    image = converted(guest("busybox"), tmp_path / "image", "vdi")
    images.poke(image, 0x4c, struct.pack("<I", 4))
    refused(image, 3, "differencing VDI", "VBoxManage")
    image = converted(guest("busybox"), tmp_path / "image", "vhd")
    images.poke(image, 60, struct.pack(">I", 4))
    refused(image, 3, "differencing VHD", "Merge-VHD")
    qemu_img("create", "-q", "-f", "qed", "-F", "raw", "-b", guest("busybox"), tmp_path / "qed")
    refused(tmp_path / "qed", 3, "QED image with a backing file")


def descriptor(tmp_path, *lines, kind="monolithicFlat", parent="ffffffff"):
    image = tmp_path / "disk.vmdk"
    image.write_text("\n".join([
        "# Disk DescriptorFile", "version=1", "CID=fffffffe", f"parentCID={parent}",
        f'createType="{kind}"', "", "# Extent description", *lines, "", "#DDB"]) + "\n")
    return image


def test_composite(inspect, disk, guest, tmp_path):
    """A disk put together of a head and the filesystem where it lies; spaces in a name are no matter."""
    raw = guests.partitioned(guest("busybox"), tmp_path / "whole.raw")
    (tmp_path / "the head").write_bytes(raw.read_bytes()[:1 << 20])
    guests.copy(guest("busybox"), tmp_path / "guest.img")
    image = descriptor(tmp_path, 'RW 2048 FLAT "the head" 0', 'RW  131072  FLAT "guest.img"',
                       kind="twoGbMaxExtentFlat")
    same_disk(inspect(image), inspect(raw))
    # a part that lies in the middle of a file, used twice over
    image = descriptor(tmp_path, 'RW 2048 FLAT "whole.raw" 0', 'RDONLY 131072 FLAT "whole.raw" 2048')
    same_disk(inspect(image), inspect(raw))


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
    ('RW 1 FLAT "../guest.img" 0', 3, "--allow-backing"), ('RW 1 FLAT "link" 0', 3, "--allow-backing"),
    ('RW 1 FLAT ".." 0', 3, "--allow-backing"), ('RW 1 FLAT "fifo" 0', 3, "--allow-backing"),
    ("\n".join(['RW 1 FLAT "guest.img" 0'] * 257), 3, "more than 256 extents"),
    ("\n".join(['RW 9007199254740991 FLAT "guest.img" 0'] * 4), 3, "longer than a disk can be"),
]


@pytest.mark.parametrize("lines, status, words", DESCRIPTORS)
def test_hostile_descriptor(refused, guest, tmp_path, lines, status, words):
    guests.copy(guest("busybox"), tmp_path / "guest.img")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    refused(descriptor(tmp_path, lines), status, words)


def test_extents_elsewhere(inspect, refused, guest, tmp_path):
    (tmp_path / "other").mkdir()
    guests.copy(guest("busybox"), tmp_path / "other/guest.img")
    image = descriptor(tmp_path, 'RW 131072 FLAT "other/guest.img" 0')
    refused(image, 3, "the extent 'other/guest.img'", "--allow-backing")
    same_disk(inspect(image, "--allow-backing"), inspect(guest("busybox")))
    (tmp_path / "zero").symlink_to("/dev/zero")
    refused(descriptor(tmp_path, 'RW 1 FLAT "zero" 0'), 3, "not a regular file",
            options=["--allow-backing"])


def test_split(refused, guest, tmp_path):
    qemu_img("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", guest("busybox"),
             tmp_path / "split.vmdk")
    refused(tmp_path / "split.vmdk", 3, "sparse files of their own", "qemu-img convert")
    refused(tmp_path / "split-s001.vmdk", 3, "one extent of a split VMDK")


def test_embedded_descriptor(refused, guest, tmp_path):
    """With a capacity of 0 QEMU would open the extents that the descriptor inside names."""
    image = converted(guest("busybox"), tmp_path / "image", "vmdk")
    images.poke(image, 12, bytes(8))
    refused(image, 3, "header cannot be")


# --- others at the same image

@pytest.mark.parametrize("name", ["qcow2", "vmdk", "vmdk-flat"])
def test_in_use(kmln, guest, tmp_path, name):
    """A machine that writes to it: convert and boot refuse, inspect warns."""
    image = converted(guest("busybox"), tmp_path / "image", name)
    fmt = name.split("-")[0]
    with held(image, fmt):
        run = kmln("inspect", image, expect=0)
        assert run.err == f"kmln: warning: {image} is in use: what is shown may be out of date\n"
        for command in (["convert", image, "--to", "kvm", "-o", tmp_path / "out"],
                        ["boot", "--on", "qemu", image]):
            run = kmln(*command, expect=1)
            assert "in use" in run.err and not (tmp_path / "out").exists()
    assert kmln("inspect", image, expect=0).err == ""


class held:
    """qemu-io with the image open for writing."""

    def __init__(self, image, fmt):
        self.argv = [runner.need_program("qemu-io", "qemu-utils"), "-f", fmt, image]
        self.image = image

    def __enter__(self):
        self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)
        self.child.stdin.write(b"read 0 512\n")
        self.child.stdin.flush()
        assert b"read 512" in self.child.stdout.readline()

    def __exit__(self, *_):
        self.child.communicate(b"quit\n")


def test_base_in_use(kmln, overlay, tmp_path):
    """A machine on the base of an overlay: what is read of both would fit together no longer."""
    with images.qemu(tmp_path / "base/guest.img"):
        run = kmln("inspect", "--allow-backing", overlay, expect=0)
        assert "in use" in run.err
        run = kmln("convert", "--allow-backing", overlay, "--to", "kvm", "-o", tmp_path / "out", expect=1)
        assert "in use" in run.err


def test_uml_on_extent(kmln, guest, tmp_path):
    """User-Mode Linux knows nothing of the descriptor; its lock on the filesystem's file counts."""
    guests.copy(guest("busybox"), tmp_path / "guest.img")
    image = descriptor(tmp_path, 'RW 131072 FLAT "guest.img" 0')
    with images.uml(tmp_path / "guest.img", tmp_path / "log"):
        images.wait_for_lock(tmp_path / "guest.img")
        run = kmln("convert", image, "--to", "kvm", "-o", tmp_path / "out", expect=1)
        assert "in use" in run.err


# --- the daemon

def daemons(pid):
    """Processes of qemu-storage-daemon below this one."""
    found = {}
    for child, start in machines.descendants(pid).items():
        try:
            name = Path(f"/proc/{child}/comm").read_text().strip()
        except OSError:
            continue
        if name.startswith("qemu-storage"):
            found[child] = start
    return found


class slow:
    """kmln convert of a qcow2, stopped while it reads: its daemon serves, and waits."""

    def __init__(self, image, folder, env):
        self.out = folder / "out.raw"
        self.tmp = folder / "tmp"
        self.tmp.mkdir()
        self.argv = [runner.BUILD / "kmln", "convert", "-q", image, "--to", "kvm", "-o", self.out]
        self.env = {**os.environ, "TMPDIR": str(self.tmp), **env}

    def __enter__(self):
        self.child = subprocess.Popen(self.argv, env=self.env, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 20
        while not (found := daemons(self.child.pid)) and time.monotonic() < end:
            assert self.child.poll() is None, self.child.communicate()
            time.sleep(0.001)
        self.daemons = found
        self.all = machines.descendants(self.child.pid)
        assert found
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()


@pytest.mark.parametrize("delay", [0, 0.02, 0.1, 0.3])
def test_daemon_killed(ready, shared, tmp_path, delay):
    """At some moment in the middle: a clear error, and nothing is left."""
    image = converted(ready, tmp_path / "image", "qcow2")
    with slow(image, tmp_path, {"KMLN_HOME": str(shared / "formats-home")}) as run:
        time.sleep(delay)
        alive = run.child.poll() is None
        for pid in run.daemons:
            os.kill(pid, signal.SIGKILL)
        out, err = run.child.communicate(timeout=30)
        # it may have been done with reading already
        if run.child.returncode == 0:
            assert delay and run.out.exists()
        else:
            assert alive and run.child.returncode == 1, err
            assert "qemu-storage-daemon" in err or "Input/output error" in err, err
            assert not run.out.exists()
        assert not machines.left_over(run.all)
        assert not list(run.tmp.iterdir())
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "kmln-home") in (
        ["image", "tmp"], ["image", "out.raw", "tmp"])


def test_kmln_killed(ready, shared, tmp_path):
    image = converted(ready, tmp_path / "image", "qcow2")
    with slow(image, tmp_path, {"KMLN_HOME": str(shared / "formats-home")}) as run:
        run.child.kill()
        run.child.wait()
        assert not machines.left_over(run.all)
        machines.wait_for(lambda: not list(run.tmp.iterdir()), "the private folder is gone", 10)
    assert not (tmp_path / "out.raw").exists()


def test_no_daemon(kmln, guest, tmp_path):
    image = converted(guest("busybox"), tmp_path / "image", "qcow2")
    (tmp_path / "bin").mkdir()
    run = kmln("inspect", image, env={"PATH": str(tmp_path / "bin")}, expect=5)
    assert "qemu-storage-daemon is not installed (Debian package qemu-system-common)" in run.err


def test_no_bubblewrap(kmln, guest, tmp_path):
    """Without namespaces Landlock alone holds the daemon, and that is said to who asks."""
    image = converted(guest("busybox"), tmp_path / "image", "qcow2")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/qemu-storage-daemon").symlink_to(
        runner.need_program("qemu-storage-daemon", "qemu-system-common"))
    run = kmln("inspect", "-v", image, env={"PATH": str(tmp_path / "bin")}, expect=(0, 5))
    if run.status == 5:
        runner.lacking("this kernel's Landlock is too old")
    assert "Landlock alone" in run.err and "qcow2" in run.out


def test_no_namespaces(guest, tmp_path):
    image = converted(guest("busybox"), tmp_path / "image", "qcow2")
    run = runner.run(["unshare", "--user", "--map-root-user", "sh", "-c",
                      'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh",
                      runner.BUILD / "kmln", "-v", "inspect", image], expect=(0, 5))
    if run.status == 5:
        runner.lacking("this kernel's Landlock is too old")
    assert "Landlock alone" in run.err and "qcow2" in run.out


def test_confined(guest, tmp_path):
    """What the daemon has in its view: its image and no other file of the user's."""
    image = converted(guest("busybox"), tmp_path / "image", "qcow2")
    (tmp_path / "secret").write_text("SECRET")
    # kmln is stopped as soon as the daemon runs: what is looked at does not go away
    child = subprocess.Popen([runner.BUILD / "kmln", "inspect", image], stdout=subprocess.DEVNULL)
    try:
        machines.wait_for(lambda: daemons(child.pid) or child.poll() is not None, "a daemon")
        child.send_signal(signal.SIGSTOP)
        pid = next(iter(daemons(child.pid)), None)
        if pid is None:
            pytest.skip("it was done before it could be stopped")
        root = Path(f"/proc/{pid}/root")
        assert not (root / str(tmp_path / "secret").lstrip("/")).exists()
        assert not (root / "etc/passwd").exists()
        assert os.path.samefile(root / "kmln/file0", image)
        # Landlock and its other walls: no new rights, a network of its own
        status = Path(f"/proc/{pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    finally:
        child.send_signal(signal.SIGCONT)
        child.kill()
        child.wait()


def test_ordinary_user(kmln, guest, ordinary_user, tmp_path):
    image = ordinary_user.give(converted(guest("busybox"), tmp_path / "image", "qcow2"))
    assert "qcow2" in kmln("inspect", image, user=ordinary_user, expect=0).out


def test_long_tmpdir(kmln, guest, tmp_path):
    """The name of a socket has room for 107 bytes only."""
    image = converted(guest("busybox"), tmp_path / "image", "qcow2")
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    kmln("inspect", image, env={"TMPDIR": str(folder)}, expect=0)
    assert not list(folder.iterdir())


def test_memory(ready, tmp_path):
    image = converted(ready, tmp_path / "image", "qcow2")
    script = ("import resource, subprocess, sys\n"
              "subprocess.run(sys.argv[1:], check=True, stdout=-3)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    if b"__asan_init" in (runner.BUILD / "kmln").read_bytes():
        pytest.skip("a sanitizer's memory is not kmln's")
    run = runner.run([sys.executable, "-c", script, runner.BUILD / "kmln", "inspect", image], expect=0)
    assert 1000 < int(run.out) < 64_000
