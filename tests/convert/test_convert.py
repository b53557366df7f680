# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln convert: nothing of a guest is lost, nothing changes but what the plan names, and the disk is
one that others can read."""

import difflib
import os
import re
import struct

import pytest

import ext4reader
import guests
import images
import runner

FIRST = images.MIB
GOLDEN = runner.ROOT / "tests/convert/golden"


def planned(text):
    """From a plan's text: (paths made, files replaced, what a kernel's files lie below)."""
    made = re.findall(r"^(?:mkdir|put) +(/\S*) 0\d+ |^symlink +(/\S*) -> ", text, re.M)
    made = [put or link for put, link in made]
    replaced = re.findall(r"^(?:put|append) +(/\S*), [\d.]+ (?:bytes|kB)(?: in place of|  #)", text, re.M)
    below = re.findall(r"^put +(/\S*): \d+ files", text, re.M)
    lines = [line for line in text.splitlines()
             if line.startswith(("mkdir", "put", "symlink", "append"))]
    assert len(made) + len(replaced) + len(below) == len(lines), text
    return set(made), set(replaced), [path.rstrip("/") for path in below]


def assert_kept(before, out, plan, offset=FIRST):
    """The guest in `out` is the one in `before` but for what the plan's text names."""
    old, new = ext4reader.read(before), ext4reader.read(out, offset)
    made, replaced, below = planned(plan)
    difference = ext4reader.changed(old, new)
    assert not difference.removed
    for path in map(os.fsdecode, difference.added):
        assert path in made or any(f"{path}/".startswith(f"{folder}/") for folder in below), path
    assert made <= {os.fsdecode(path) for path in new}
    for path, fields in difference.changed.items():
        thing = old[path]
        if os.fsdecode(path) in replaced:
            assert set(fields) <= {"mtime", "size", "sha256", "holes"}, (path, fields)
        else:
            # a folder in which a folder was made has one link more
            assert thing.type == "folder" and set(fields) == {"links"}, (path, fields)
            assert any(os.path.dirname(m) == os.fsdecode(path) for m in made | set(below)), path
    for path in replaced:
        assert {"sha256", "mtime"} <= set(difference.changed[path.encode()]), path
    return old, new


def assert_untouched_inodes(before, out, plan):
    """What the plan does not name has the very inode it had: access and change times, blocks, all."""
    made, replaced, below = planned(plan)
    folders = {os.path.dirname(path) for path in (*made, *below)} | set(below)
    old, new = images.inodes(before), images.inodes(out, FIRST)
    differ = {os.fsdecode(path) for path in old if old[path] != new[path]}
    assert differ <= replaced | folders, differ - replaced - folders


def entry(image, number=1):
    """(status, first CHS, type, last CHS, first sector, sectors) of the MBR."""
    return struct.unpack("<B3sB3sII", images.peek(image, 0x1be + 16 * (number - 1), 16))


def chs(sector):
    cylinder, rest = divmod(sector, 255 * 63)
    if cylinder > 1023:
        return b"\xfe\xff\xff"
    head, sector = divmod(rest, 63)
    return bytes([head, sector + 1 | cylinder >> 2 & 0xc0, cylinder & 0xff])


def assert_disk(out, guest):
    """MBR, gap and partition 1 as a BIOS, GRUB and partitioning tools read them."""
    size = os.path.getsize(guest)
    uuid = images.superblock(guest)["Filesystem UUID"]
    mbr = images.peek(out, 0, 512)
    sectors = size // 512
    assert os.path.getsize(out) == FIRST + size
    assert entry(out) == (0x80, chs(2048), 0x83, chs(2048 + sectors - 1), 2048, sectors)
    assert mbr[0x1ce:0x1fe] == bytes(48) and mbr[0x1fe:] == b"\x55\xaa"
    disk_id = int(uuid[:8], 16)
    assert struct.unpack_from("<I", mbr, 0x1b8)[0] == disk_id

    with open("/usr/lib/grub/i386-pc/boot.img", "rb") as file:
        boot = bytearray(file.read())
    struct.pack_into("<Q", boot, 0x5c, 1)
    boot[0x66:0x68] = b"\x90\x90"
    assert mbr[:0x1b8] == bytes(boot[:0x1b8])
    assert mbr[0x64] == 0xff

    gap = images.peek(out, 512, FIRST - 512)
    core = gap.rstrip(b"\0")
    total = (len(core) + 511) // 512
    rest, count, segment = struct.unpack_from("<QHH", gap, 0x1f4)
    assert (rest, segment) == (2, 0x820)
    # the list says how many sectors follow; zeros at the end of the last cannot be told
    assert total - 1 <= count <= total and count + 2 <= 2048

    table = images.table(out)
    assert (table["label"], table["id"]) == ("dos", f"0x{disk_id:08x}")
    assert table["partitions"] == [{"node": f"{out}1", "start": 2048, "size": sectors, "type": "83",
                                    "bootable": True}]
    tags = images.tool("blkid", "util-linux", "-p", "-O", str(FIRST), "-o", "export", out).decode()
    assert f"UUID={uuid}\n" in tags and "TYPE=ext4\n" in tags


def assert_grub_reads(out, plan):
    """GRUB's own filesystem code finds what its configuration names."""
    def grub(*argv):
        return images.tool("grub-fstest", "grub-common", out, *argv)
    config = grub("cat", "(loop0,msdos1)/boot/grub/grub.cfg")
    kernel = re.search(rb"linux (\S+) root=", config)[1].decode()
    initramfs = re.search(rb"initrd (\S+)", config)[1].decode()
    assert f"menuentry '{'Linux ' + kernel.partition('vmlinuz-')[2]}'" in plan
    with open(out, "rb") as file:
        fs = ext4reader.Filesystem(file, FIRST)
        for path in (kernel, initramfs):
            number = ext4reader.ROOT_INODE
            for name in path.strip("/").split("/"):
                number = dict(fs.names(number))[name.encode()]
            size, = struct.unpack_from("<I", fs._inode(number), 4)
            assert grub("crc", f"(loop0,msdos1){path}")
            assert grub("cat", f"(loop0,msdos1){path}") == fs.content(fs._inode(number), size)


def whole(kmln, convert, tmp_path, source, home, plan_home=None):
    """The law, for one guest. Returns the plan's text and the new disk."""
    out = tmp_path / "out.raw"
    before = images.fingerprint(source)
    plan = convert(source, "--dry-run", home=home, expect=0).out
    assert not out.exists()
    done = convert(source, "-o", out, home=home, expect=0)
    assert done.out == ""
    assert images.fingerprint(source) == before
    assert sorted(os.listdir(tmp_path)) == ["out.raw"], "something was left behind"

    assert images.clean(out, FIRST)
    assert images.superblock(out, FIRST)["Filesystem state"] == "clean"
    again = convert(out, "--dry-run", home=home, expect=0)
    assert again.out == "nothing to do\n"
    assert out.stat().st_mode == 0o100644
    # holes stay holes: on the host's disk there is no more than was put in
    added = sum(float(size) * {"bytes": 1, "kB": 1e3, "MB": 1e6}[unit]
                for size, unit in re.findall(r"^put .* ([\d.]+) (\w+)(?:, from .*)?  #", plan, re.M))
    assert out.stat().st_blocks * 512 < os.stat(source).st_blocks * 512 + added * 1.1 + images.MIB
    assert_disk(out, source)
    assert_grub_reads(out, plan)
    return plan, out


def golden(name, text):
    """The plan as it is, but for sizes and releases that other kernels and hosts change."""
    text = re.sub(r"\d+\.\d+\.\d+-\d+-cloud-amd64", "RELEASE", text)
    text = re.sub(r"\d+ files, [\d.]+ [kM]B", "N files, N MB", text)
    text = re.sub(r"(initrd.img-RELEASE 0644 0:0), [\d.]+ kB", r"\1, N kB", text)
    text = re.sub(r"(grub.cfg 0644 0:0), \d+ bytes", r"\1, N bytes", text)
    text = re.sub(r"(append .*|(?:copyright|list) 0644 0:0), [\d.]+ (bytes|kB)", r"\1, N bytes", text)
    text = re.sub(r"(N files, N) bytes", r"\1 MB", re.sub(r"\d+ files, \d+ bytes", "N files, N bytes", text))
    text = re.sub(r", package (\S+) \S+  #", r", package \1 VERSION  #", text)
    text = re.sub(r"(conversion-1 0644 0:0), [\d.]+ (bytes|kB)", r"\1, N kB", text)
    text = re.sub(r"0x200 \+\d+ bytes", "0x200 +N bytes", text)
    path = GOLDEN / name
    if os.environ.get("KMLN_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), "".join(difflib.unified_diff(
        path.read_text().splitlines(True), text.splitlines(True)))


def test_busybox(kmln, convert, guest, tmp_path, small_home):
    source = guest("busybox")
    plan, out = whole(kmln, convert, tmp_path, source, small_home)
    golden("busybox.txt", plan)
    _, new = assert_kept(source, out, plan)
    assert_untouched_inodes(source, out, plan)
    uuid = images.superblock(source)["Filesystem UUID"]
    fstab = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/fstab", f"{out}?offset={FIRST}")
    assert fstab == f"UUID={uuid} / ext4 defaults 0 1\nproc /proc proc defaults 0 0\n".encode()
    for path in (b"/etc/machine-id", b"/etc/passwd", b"/etc/inittab", b"/sbin/init"):
        assert path in new
    # what was put in is root's, and dated as in the kit
    module = next(path for path in new if path.endswith(b"/virtio_blk.ko"))
    assert (new[module].uid, new[module].gid, new[module].mode) == (0, 0, 0o644)
    kit = next(small_home.rglob("virtio_blk.ko"))
    assert new[module].mtime == kit.stat().st_mtime_ns


def test_awkward(kmln, convert, guest, tmp_path, small_home):
    """Everything that a conversion could damage is there, to the nanosecond."""
    source = guest("awkward")
    plan, out = whole(kmln, convert, tmp_path, source, small_home)
    old, _ = assert_kept(source, out, plan)
    assert_untouched_inodes(source, out, plan)
    # and the guest is as awkward as it was meant to be
    for path, seconds in guests.AWKWARD_DATES.items():
        assert old[path.encode()].mtime == seconds * 10**9 + 123456789
    assert old[b"/awkward/immutable"].flags & 0x10
    assert b"security.capability" in old[b"/awkward/capable"].xattrs
    assert old[b"/awkward/sparse"].holes > 3 << 29
    assert len(old[b"/awkward/hard-1"].names) == 3


@pytest.mark.parametrize("init", ["systemd", "sysvinit"])
def test_debian(kmln, convert, guest, tmp_path, kit_home, init):
    source = guest(init)
    plan, out = whole(kmln, convert, tmp_path, source, kit_home)
    golden(f"{init}.txt", plan)
    # with the name of each file
    plan = convert(source, "--dry-run", "-v", home=kit_home, expect=0).out
    old, _ = assert_kept(source, out, plan)
    assert_untouched_inodes(source, out, plan)
    assert b"/etc/machine-id" in old or init == "sysvinit"
    assert b"/etc/shadow" in old


@pytest.mark.parametrize("options", [
    "-t ext2 -r 0", "-t ext2", "-t ext3 -I 128", "-t ext3 -b 4096", "-t ext4 -I 128 -b 1024",
    "-t ext4 -O ^extents,^64bit", "-t ext4 -O ^metadata_csum,^dir_index,^filetype", "-t ext4 -b 2048",
    "-t ext4 -O ^has_journal,^flex_bg", "-t ext4 -O meta_bg,^resize_inode", "-t ext4 -O orphan_file",
    "-t ext4 -O metadata_csum_seed,verity,large_dir,stable_inodes,fast_commit",
    "-t ext4 -O quota,project -E quotatype=usrquota:grpquota:prjquota", "-t ext4 -O sparse_super2"])
def test_filesystems(convert, box_tree, tmp_path, options):
    """Old and new ones: without a journal, without extents, with inodes that know whole seconds."""
    image, out = tmp_path / "guest.img", tmp_path / "out.raw"
    images.tool("mke2fs", "e2fsprogs", "-q", *options.split(), "-d", box_tree, image, "64M")
    # mke2fs does not count for the quotas either
    images.tool("e2fsck", "e2fsprogs", "-fp", image, expect=(0, 1))
    plan = convert(image, "--dry-run", expect=0).out
    convert(image, "-o", out, expect=0)
    assert images.clean(out, FIRST)
    assert convert(out, "--dry-run", expect=0).out == "nothing to do\n"
    features = images.superblock(image)["Filesystem features"]
    assert images.superblock(out, FIRST)["Filesystem features"] == features
    assert f"rootfstype={options[3:7]} " in plan
    # which the independent reader does not know
    if "meta_bg" not in features:
        assert_kept(image, out, plan)
        assert_grub_reads(out, plan)


def test_memory(guest, tmp_path, kit_home):
    """64 MB at most, whatever the image's size."""
    images.within(64_000, "convert", guest("systemd"), "--to", "kvm", "-o", tmp_path / "out.raw",
                  env={"KMLN_HOME": kit_home})


def test_already_converted(convert, guest, tmp_path):
    """A disk that is ready is copied as it is, byte for byte."""
    once, twice = tmp_path / "once.raw", tmp_path / "twice.raw"
    convert(guest("busybox"), "-o", once, expect=0)
    convert(once, "-o", twice, expect=0)
    size, _, mode, digest = images.fingerprint(once)
    assert images.fingerprint(twice)[0::2] == (size, mode)
    assert images.fingerprint(twice)[3] == digest


@pytest.fixture
def second_partition(guest, tmp_path):
    """A disk without boot loader whose second partition holds the root."""
    disk = images.disk(tmp_path / "disk.raw", 96 * images.MIB, "label: dos\nlabel-id: 0x12345678\n"
                       "start=4096, size=8192, type=82\nstart=16384, size=131072, type=83\n",
                       [(16384, guest("busybox"))])
    images.poke(disk, 4096 * 512, b"what is in the other partition")
    return disk


def test_disk_without_loader(convert, guest, second_partition, tmp_path):
    """A partitioned disk keeps its table and its partitions; GRUB goes into the gap."""
    source, out = second_partition, tmp_path / "out.raw"
    plan = convert(source, "--dry-run", expect=0).out
    assert "shift" not in plan and "the partition table kept" in plan
    convert(source, "-o", out, expect=0)
    assert os.path.getsize(out) == os.path.getsize(source)
    assert images.peek(out, 0x1b8, 72) == images.peek(source, 0x1b8, 72)
    assert images.peek(out, 4096 * 512, 8192 * 512) == images.peek(source, 4096 * 512, 8192 * 512)
    assert images.clean(out, 16384 * 512)
    assert convert(out, "--dry-run", expect=0).out == "nothing to do\n"
    assert_kept(guest("busybox"), out, plan, 16384 * 512)


@pytest.mark.boot
def test_second_partition_boots(kmln, convert, second_partition, tmp_path):
    """GRUB looks for its files in the partition that holds the root, whichever that is."""
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    out = tmp_path / "out.raw"
    convert(second_partition, "-o", out, expect=0)
    kmln("boot", out, "--on", "qemu", "--memory", "128M", "--snapshot", "--until",
         "Command line:.* root=UUID=6b6d6c6e", "--timeout", "100", timeout=120, expect=0)


@pytest.mark.parametrize("size", ["200M", "300000001", "129M", "64M", "68157440"])
def test_size(convert, guest, tmp_path, size):
    """--size: at least that, and the whole filesystem is there to its end."""
    out = tmp_path / "out.raw"
    convert(guest("busybox"), "-o", out, "--size", size, expect=0)
    sb = images.superblock(out, FIRST)
    length = int(sb["Block count"]) * int(sb["Block size"])
    asked = int(size.replace("M", "000000")) if "M" in size else int(size)
    assert length >= max(asked, 64 << 20)
    assert length <= max(asked, 64 << 20) * 1.05 + 2 * images.MIB
    assert images.clean(out, FIRST)
    # the partition holds it, and the file holds the partition
    *_, start, sectors = entry(out)
    assert sectors * 512 >= length
    assert os.path.getsize(out) == start * 512 + sectors * 512
    assert convert(out, "--dry-run", expect=0).out == "nothing to do\n"
    old, new = ext4reader.read(guest("busybox")), ext4reader.read(out, FIRST)
    assert not old.keys() - new.keys()


def test_size_with_a_small_last_group(convert, guest, tmp_path):
    """Blocks of 4 kB make groups of 128 MiB; one of a single MiB at the end is left out."""
    image = tmp_path / "guest.img"
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-b", "4096", image, "100M")
    images.debugfs(image, "mkdir etc", "mkdir sbin", "mkdir bin")
    images.put(image, "/sbin/init", open(runner.need_program("busybox", "busybox-static"), "rb").read(),
               0o755)
    for size in ("129M", "136M", "257M"):
        out = tmp_path / f"{size}.raw"
        convert(image, "-o", out, "--size", size, expect=0)
        assert images.clean(out, FIRST)
        assert convert(out, "--dry-run", expect=0).out == "nothing to do\n"


def test_size_only_grows(convert, guest, tmp_path):
    run = convert(guest("busybox"), "-o", tmp_path / "out.raw", "--size", "1M", expect=2)
    assert "has 67108864 bytes already" in run.err
    assert not (tmp_path / "out.raw").exists()


def test_size_of_a_disk(convert, guest, tmp_path):
    source = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    run = convert(source, "-o", tmp_path / "out.raw", "--size", "1G", expect=2)
    assert "has a partition table already" in run.err
    assert not (tmp_path / "out.raw").exists()


def test_too_small(convert, box, tmp_path):
    """A guest without room says how much it needs, and that much is enough."""
    filler = tmp_path / "filler"
    filler.write_bytes(os.urandom(48 << 20))
    images.debugfs(box, f"write {filler} /filler")
    run = convert(box, "-o", tmp_path / "out.raw", expect=1)
    found = re.search(r"too small: (\d+) bytes are to be added, (\d+) are free; --size (\d+M)", run.err)
    assert found and int(found[1]) > int(found[2]), run
    assert not (tmp_path / "out.raw").exists()
    convert(box, "-o", tmp_path / "out.raw", "--size", found[3], expect=0)
    assert images.clean(tmp_path / "out.raw", FIRST)


def test_force(convert, guest, tmp_path):
    out = tmp_path / "out.raw"
    out.write_text("precious")
    run = convert(guest("busybox"), "-o", out, expect=1)
    assert run.err.endswith(f"kmln: {out} is there already; --force replaces it\n")
    assert out.read_text() == "precious"
    convert(guest("busybox"), "-o", out, "--force", expect=0)
    assert images.clean(out, FIRST)
    assert os.listdir(tmp_path) == ["out.raw"]


def test_journal(convert, killed, tmp_path):
    """The journal is replayed on the copy: what the guest wrote last is there, and the source is as
    it was."""
    out = tmp_path / "out.raw"
    before = images.fingerprint(killed)
    run = convert(killed, "-o", out, expect=0)
    assert "its journal is replayed, and the image stays as it is" in run.err
    assert images.fingerprint(killed) == before
    assert images.clean(out, FIRST)
    new = ext4reader.read(out, FIRST)
    words = images.tool("debugfs", "e2fsprogs", "-R", "cat /root/last-words", f"{out}?offset={FIRST}")
    assert words == b"written before the kill\n"
    assert b"/root/new/hostname" in new and b"/etc/hostname" not in new
    assert sorted(os.listdir(tmp_path)) == ["killed.img", "out.raw"]
    # a plan alone looks at the recovered guest as well, and leaves nothing behind
    out.unlink()
    assert "put     /etc/fstab" in convert(killed, "--dry-run", expect=0).out
    assert os.listdir(tmp_path) == ["killed.img"]
    assert images.fingerprint(killed) == before


def test_ordinary_user(kmln, guest, small_kernel, ordinary_user):
    """No root, no group, no capability; the source may be one that the user can only read."""
    mine = ordinary_user.give(guest("busybox"), "guest.img")
    mine.chmod(0o400)
    shown = kmln("inspect", mine, user=ordinary_user, expect=0)
    assert "kmln test guest 1" in shown.out and shown.err == ""
    out = ordinary_user.home / "out.raw"
    kmln("kernel", "add", small_kernel, user=ordinary_user, expect=0)
    kmln("convert", mine, "--to", "kvm", "-o", out, user=ordinary_user, timeout=120, expect=0)
    assert images.clean(out, FIRST)
    assert out.stat().st_uid == ordinary_user.uid
    assert sorted(path.name for path in ordinary_user.home.iterdir()) == [
        "guest.img", "kmln", "out.raw"]
