# SPDX-License-Identifier: GPL-2.0-or-later
"""LUKS, Btrfs, LVM and md, named. LUKS headers and Btrfs are made by their own programs; those of LVM and
md cannot make theirs without devices, so their documented layout is written here, and blkid says that it
is what it claims to be."""

import os
import struct
from pathlib import Path

import pytest

import guests
import images
import machines
import runner


def empty(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def volume(facts, **expected):
    """The only volume, which has these values and nothing else."""
    found, = facts["volumes"]
    assert found == {"partition": 0, "name": None, "uuid": None, "version": None, "level": None, "members": [],
                     "problem": None, **expected}
    return found


# --- LUKS

@pytest.mark.parametrize("version", ["1", "2"])
def test_luks(kmln, inspect, tmp_path, version):
    image = empty(tmp_path / "luks.img", 32 << 20)
    uuid = "12345678-1234-4234-8234-123456789abc"
    label = ["--label", "vault"] if version == "2" else []
    images.tool("cryptsetup", "cryptsetup-bin", "luksFormat", "-q", "--type", f"luks{version}", "--uuid", uuid,
                "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", *label, image, "-", stdin=b"secret")
    volume(inspect(image), type="luks", version=version, uuid=uuid, name="vault" if label else None)
    name = ", vault" if label else ""
    assert f"\nvolumes      luks {version}{name}, {uuid}\n" in kmln("inspect", image, expect=0).out


# --- Btrfs

def test_btrfs_converted(inspect, tmp_path):
    """btrfs-convert makes one subvolume, of the old filesystem."""
    image = tmp_path / "b.img"
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-b", "4096", image, "256M")
    images.tool("btrfs-convert", "btrfs-progs", image)
    uuid = images.tool("blkid", "util-linux", "-p", "-s", "UUID", "-o", "value", image).decode().strip()
    images.tool("btrfs", "btrfs-progs", "filesystem", "label", image, "new name")
    volume(inspect(image), type="btrfs", name="new name", uuid=uuid, members=["ext2_saved"])


def with_btrfs(box):
    """A busybox guest with the real btrfs program and its libraries."""
    program = runner.need_program("btrfs", "btrfs-progs")
    lines = images.tool("ldd", "libc-bin", program).decode().splitlines()
    files = [word for line in lines for word in line.split() if word.startswith("/")]
    commands = ["mkdir /lib64", "mkdir /lib/x86_64-linux-gnu", f"write {program} /bin/btrfs",
                "sif /bin/btrfs mode 0100755"]
    for file in files:
        to = f"/lib64/{Path(file).name}" if "ld-linux" in file else f"/lib/x86_64-linux-gnu/{Path(file).name}"
        commands += [f"write {os.path.realpath(file)} {to}", f"sif {to} mode 0100755"]
    return images.debugfs(box, *commands)


SCRIPT = """mount -t btrfs /dev/ubdb /mnt
cd /mnt
btrfs subvolume create @
btrfs subvolume create @home
mkdir -p a/b
btrfs subvolume create a/b/deep
mkdir @/snapshots
btrfs subvolume snapshot @home @/snapshots/1
for n in $(seq 1 60); do mkdir d$n; btrfs subvolume create d$n/s$n; done >/dev/null
btrfs subvolume delete d7/s7 >/dev/null
cd /
umount /mnt
echo 'all was made'
halt -f
"""


@pytest.mark.boot
@pytest.mark.parametrize("options", [[], ["-m", "single", "-n", "4096"]], ids=["plain", "single"])
def test_btrfs_subvolumes(kmln, inspect, guest, tmp_path, options):
    """Made by the kernel of a User-Mode Linux, in folders and in each other."""
    image = empty(tmp_path / "b.img", 256 << 20)
    images.tool("mkfs.btrfs", "btrfs-progs", "-q", "-L", "pool", *options, image)
    box = machines.with_rc(with_btrfs(guests.copy(guest("busybox"), tmp_path / "box.img")), SCRIPT)
    log = tmp_path / "log"
    with images.uml(box, log, f"ubd1={image}"):
        machines.wait_for(lambda: b"all was made" in log.read_bytes(), "the subvolumes", 90)
        machines.wait_for(lambda: b"halted" in log.read_bytes() or b"System halted" in log.read_bytes(),
                          "the end", 30)
    found, = inspect(image)["volumes"]
    assert found["name"] == "pool" and found["problem"] is None
    assert sorted(found["members"]) == sorted(
        ["@", "@home", "a/b/deep", "@/snapshots/1"] + [f"d{n}/s{n}" for n in range(1, 61) if n != 7])
    assert f"subvolumes {', '.join(found['members'][:8])} and {len(found['members']) - 8} more\n" in \
        kmln("inspect", image, expect=0).out
    if not options:
        damage(kmln, image, found["members"])


def damage(kmln, image, members):
    """The trees overwritten or the superblock's numbers absurd: what is said is true, or there is a problem."""
    head = bytearray(images.peek(image, 0x10000, 4096))
    whole = Path(image).read_bytes()
    for at, value in [(80, 1 << 63), (88, 5), (148, 1 << 31), (148, 3), (160, 0xffffffff), (198, 255), (199, 8)]:
        changed = bytearray(head)
        changed[at:at + 8] = struct.pack("<Q", value)
        # libblkid looks at the sum, which stands in front
        changed[:4] = struct.pack("<I", crc32c(changed[32:]))
        images.poke(image, 0x10000, changed)
        run = kmln("inspect", image, "--format", "json", expect={0, 3}, timeout=20)
        assert run.status == 3 or '"problem": "' in run.out or '"volumes": []' in run.out, (at, value)
    images.poke(image, 0x10000, head)
    # nodes with their own address in the head, and one byte after the other of one changed
    spots = [at for at in range(0x100000, len(whole), 4096)
             if int.from_bytes(whole[at + 48:at + 56], "little") and whole[at + 32:at + 48] == bytes(head[32:48])]
    assert len(spots) > 5
    for spot in spots[:12]:
        for at in (48, 96, 100, 101, 109, 118, 122):
            images.poke(image, spot + at, b"\xff")
        kmln("inspect", image, expect={0, 3}, timeout=20)
        images.poke(image, spot, whole[spot:spot + 4096])
    run = kmln("inspect", image, "--format", "json", expect=0)
    assert members[0] in run.out


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


# --- LVM

METADATA = """vg "wrong" = 1
# a comment with { braces
groupe-1 {
id = "AbCdEf-0123-4567-89ab-cdef-0123-456789"
seqno = 3
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
physical_volumes {
pv0 {
id = "x"
device = "/dev/\\"vda{"
}
}
logical_volumes {
root {
id = "y"
status = ["READ", "WRITE", "VISIBLE"]
segment1 {
start_extent = 0
type = "striped"
stripes = ["pv0", 0]
}
}
swap_1 {
status = ["READ", "WRITE", "VISIBLE"]
}
pool_tmeta {
status = ["READ", "WRITE"]
}
}
}
contents = "Text Format Volume Group"
"""


def lvm(text=METADATA, offset=512, area=4096, area_size=1044480, sector=1, text_size=None):
    """A physical volume of 4 MiB: label, header, one metadata area with its text at `offset` in it."""
    image = bytearray(4 << 20)
    header = b"0123456789abcdefghijklmnopqrstuv" + struct.pack("<Q", len(image))
    header += struct.pack("<QQQQ", 1 << 20, 0, 0, 0)
    header += struct.pack("<QQQQ", area, area_size, 0, 0) if area else bytes(16)
    label = struct.pack("<8sQII8s", b"LABELONE", sector, 0, 32, b"LVM2 001") + header
    label = label.ljust(512, b"\0")
    crc = 0xf597a6cf
    for byte in label[20:]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xedb88320 if crc & 1 else 0)
    image[512 * sector:512 * sector + 512] = label[:16] + struct.pack("<I", crc) + label[20:]
    if area:
        size = len(text) if text_size is None else text_size
        image[area:area + 72] = struct.pack("<I16sIQQ QQII", 0, b" LVM2 x[5A%r0N*>", 1, area, area_size,
                                            offset, size, 0, 0)
        data = text.encode()
        first = min(len(data), area_size - offset) if 512 <= offset < area_size else 0
        if 0 < first and area + offset + first <= len(image):
            image[area + offset:area + offset + first] = data[:first]
            image[area + 512:area + 512 + len(data) - first] = data[first:]
    return bytes(image)


@pytest.mark.parametrize("place", [{}, {"offset": 9216}, {"offset": 1044480 - 100}, {"sector": 3}],
                         ids=["first", "later", "round", "sector"])
def test_lvm(kmln, inspect, tmp_path, place):
    image = tmp_path / "pv.img"
    image.write_bytes(lvm(**place))
    assert b'TYPE="LVM2_member"' in images.tool("blkid", "util-linux", "-p", image)
    volume(inspect(image), type="lvm", name="groupe-1", uuid="AbCdEf-0123-4567-89ab-cdef-0123-456789",
           members=["root", "swap_1"])
    text = kmln("inspect", image, expect=0).out
    assert "\nvolumes      lvm, groupe-1, AbCdEf-0123-4567-89ab-cdef-0123-456789\n" in text
    assert "\n             volumes root, swap_1\n" in text
    assert "is part of an LVM volume group" in text


@pytest.mark.parametrize("place, problem", [
    ({"offset": 0}, "it belongs to no volume group"),
    ({"area": 0}, "the metadata of its volume group is kept elsewhere"),
    ({"area": (4 << 20) - 100}, "its metadata cannot be read"),
    ({"area_size": 1 << 62}, "its metadata cannot be where it is said to be"),
    ({"offset": 1 << 62}, "its metadata cannot be where it is said to be"),
    ({"text_size": 1 << 62}, "its metadata cannot be where it is said to be"),
    ({"text_size": (1 << 64) - 1}, "its metadata cannot be where it is said to be"),
    ({"text": "\"" * 1000}, "its metadata is not understood"),
    ({"text": "{" * 100000 + "}"}, None),
    ({"text": "vg { logical_volumes {" + "".join(f"l{n} {{ status = [\"VISIBLE\"] }}" for n in range(2000))},
     "more volumes than can be listed"),
])
def test_lvm_hostile(inspect, tmp_path, place, problem):
    image = tmp_path / "pv.img"
    image.write_bytes(lvm(**place))
    found, = inspect(image)["volumes"]
    assert found["problem"] == problem and len(found["members"]) <= 1000
    images.within(64_000, "inspect", image)


# --- md

def md(version, size, name=b"box:0", level=1):
    """The superblock of an array, and where it lies."""
    uuid = bytes(range(16))
    if version == "0.90":
        words = [0xa92b4efc, 0, 90, 0, 0, 0x00010203, 0, level & 0xffffffff, 100, 2, 2, 0, 0,
                 0x04050607, 0x08090a0b, 0x0c0d0e0f]
        return (size & ~65535) - 65536, struct.pack("<16I", *words).ljust(4096, b"\0")
    at = {"1.0": (size - 8192) & ~4095, "1.1": 0, "1.2": 4096}[version]
    data = bytearray(4096)
    struct.pack_into("<II", data, 0, 0xa92b4efc, 1)
    data[16:32] = uuid
    data[32:32 + len(name)] = name
    struct.pack_into("<QiIQII", data, 64, 1, level, 0, 100, 0, 2)
    struct.pack_into("<QQQ", data, 128, 2048, 100, at // 512)
    struct.pack_into("<I", data, 216, sum(struct.unpack("<64I", data[:256])) % (1 << 32))
    struct.pack_into("<I", data, 220, 0)
    return at, bytes(data)


@pytest.mark.parametrize("version", ["0.90", "1.0", "1.1", "1.2"])
@pytest.mark.parametrize("level, name", [(1, "raid1"), (-1, "linear"), (10, "raid10")])
def test_md(inspect, tmp_path, version, level, name):
    image = empty(tmp_path / "md.img", 8 << 20)
    images.poke(image, *md(version, 8 << 20, level=level))
    shown = images.tool("blkid", "util-linux", "-p", image)
    assert b'TYPE="linux_raid_member"' in shown
    uuid = "00010203-0405-0607-0809-0a0b0c0d0e0f"
    if version != "0.90":
        assert f'UUID="{uuid}"'.encode() in shown and b'LABEL="box:0"' in shown
    volume(inspect(image), type="md", version=version, level=name, uuid=uuid,
           name=None if version == "0.90" else "box:0")


def test_in_a_partition(inspect, tmp_path):
    """Each volume says where it lies; the first one's metadata does not reach into the next partition."""
    pv, raid = tmp_path / "pv", empty(tmp_path / "md", 8 << 20)
    pv.write_bytes(lvm(area_size=1 << 62))
    images.poke(raid, *md("1.0", 8 << 20))
    disk = images.disk(tmp_path / "disk.raw", 32 << 20, "label: gpt\nstart=2048, size=8192\n"
                       "start=20480, size=16384\n", [(2048, pv), (20480, raid)])
    assert [(v["partition"], v["type"], v["version"]) for v in inspect(disk)["volumes"]] == [
        (1, "lvm", None), (2, "md", "1.0")]
