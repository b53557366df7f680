# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln undo: after it nothing is left of a conversion, all that others changed since stays, and a
record that a guest forged makes kmln write nothing."""

import json
import os
import re
import shutil

import pytest

import ext4reader
import guests
import images

FIRST = images.MIB
RECORD = "/var/lib/kmln/conversion-1"
UUID = "6b6d6c6e-0000-4000-8000-000000000001"


@pytest.fixture
def undo(kmln):
    def call(image, *options, **run):
        return kmln("undo", image, *options, timeout=120, **run)
    return call


@pytest.fixture
def converted(convert, box):
    """A busybox guest, converted in place."""
    convert(box, "--in-place", expect=0)
    return box


def cat(image, path, offset=FIRST):
    return images.tool("debugfs", "e2fsprogs", "-R", f"cat {path}", f"{image}?offset={offset}")


def edit(image, *commands, files=(), offset=FIRST):
    """What a guest could have done: debugfs on the filesystem in the disk."""
    bare = f"{image}.bare"
    with open(image, "rb") as disk, open(bare, "wb") as out:
        disk.seek(offset)
        shutil.copyfileobj(disk, out, 1 << 20)
    if commands:
        images.debugfs(bare, *commands)
    for path, content in files:
        images.put(bare, path, content)
    with open(image, "r+b") as disk, open(bare, "rb") as back:
        disk.seek(offset)
        shutil.copyfileobj(back, disk, 1 << 20)
    os.unlink(bare)


def differs(before, after, offset=0):
    assert images.clean(after, offset)
    return ext4reader.changed(ext4reader.read(before), ext4reader.read(after, offset))


def leftovers(image):
    folder = os.path.dirname(image)
    return [name for name in os.listdir(folder) if name.startswith(os.path.basename(image) + ".")]


# --- nothing is left

@pytest.mark.parametrize("name, home", [("busybox", "small_home"), ("awkward", "small_home"),
                                        ("systemd", "kit_home"), ("sysvinit", "kit_home")])
def test_as_before(convert, undo, guest, tmp_path, request, name, home):
    """Every object is as it was: in place, and in a copy that is made instead."""
    source = guest(name)
    disk, copy = tmp_path / "disk.raw", tmp_path / "copy.raw"
    convert(source, "-o", disk, home=request.getfixturevalue(home), expect=0)
    assert RECORD.encode() in ext4reader.read(disk, FIRST)
    before = images.fingerprint(disk)
    shown = undo(disk, "--dry-run", expect=0)
    assert f"remove  {RECORD}" in shown.out and "cut     -1048576 bytes in front, " in shown.out
    undo(disk, "-o", copy, expect=0)
    assert images.fingerprint(disk) == before
    undo(disk, expect=0)
    for result in (disk, copy):
        assert not differs(source, result)
        assert os.path.getsize(result) == os.path.getsize(source)
    again = undo(disk, expect=4)
    assert "nothing to undo" in again.err
    assert sorted(os.listdir(tmp_path)) == ["copy.raw", "disk.raw"]


def test_and_again(convert, undo, guest, box):
    """Converting after undoing makes the same plan, and the same record."""
    plan = convert(box, "--dry-run", expect=0).out
    convert(box, "--in-place", expect=0)
    record = cat(box, RECORD)
    undo(box, expect=0)
    assert convert(box, "--dry-run", expect=0).out == plan
    convert(box, "--in-place", expect=0)
    assert cat(box, RECORD) == record
    undo(box, expect=0)
    assert not differs(guest("busybox"), box)


@pytest.mark.parametrize("how", ["without inittab", "no newline", "own fstab", "no boot", "linked",
                                 "no var"])
def test_odd_guests(convert, undo, box, tmp_path, how):
    commands, files = {
        "without inittab": (["rm /etc/inittab"], {}),
        "no newline": ([], {"/etc/inittab": "# mine\n::sysinit:/etc/rc", "/etc/securetty": "tty1",
                            "/etc/fstab": "proc /proc proc\n/dev/ubda\t/ ext4 defaults"}),
        "own fstab": ([], {"/etc/fstab": "\t /dev/ubda  / ext4 noatime 0 1 # mine\n\n",
                           "/etc/securetty": "tty1\ntty2\n"}),
        "no boot": (["rmdir /boot", "rmdir /lib/modules", "rmdir /lib"], {}),
        "linked": (["rmdir /boot", "mkdir /srv/b", "symlink /boot srv/b", "rm /etc/fstab",
                    "symlink /etc/fstab ../srv/fstab"], {"/srv/fstab": "/dev/ubda / ext4 x 0 1\n"}),
        "no var": ([], {}),
    }[how]
    if how == "linked":
        commands = ["mkdir /srv", *commands] if b"/srv" not in ext4reader.read(box) else commands
    images.debugfs(box, *commands)
    for path, content in files.items():
        images.put(box, path, content)
    if how == "no var":
        for path, thing in sorted(ext4reader.read(box).items(), reverse=True):
            if path == b"/var" or path.startswith(b"/var/"):
                images.debugfs(box, f"{'rmdir' if thing.type == 'folder' else 'rm'} {path.decode()}")
    source = guests.copy(box, tmp_path / "source.img")
    convert(box, "--in-place", expect=0)
    assert convert(box, "--dry-run", expect=0).out == "nothing to do\n"
    undo(box, expect=0)
    assert not differs(source, box)
    assert os.path.getsize(source) == os.path.getsize(box)


def test_old_filesystem(convert, undo, box_tree, tmp_path):
    """Inodes that know whole seconds only."""
    image, source = tmp_path / "guest.img", tmp_path / "source.img"
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext3", "-I", "128", "-d", box_tree, image, "64M")
    images.tool("e2fsck", "e2fsprogs", "-fp", image, expect=(0, 1))
    guests.copy(image, source)
    convert(image, "--in-place", expect=0)
    undo(image, expect=0)
    assert not differs(source, image)


def test_uefi(convert, undo, guest, tmp_path):
    """A GPT with its partitions for GRUB goes as well, and the backup at the end."""
    disk = tmp_path / "disk.raw"
    convert(guest("busybox"), "--boot", "uefi", "-o", disk, expect=0)
    undo(disk, expect=0)
    assert not differs(guest("busybox"), disk)
    assert os.path.getsize(disk) == os.path.getsize(guest("busybox"))


def test_size(convert, undo, guest, tmp_path):
    """A filesystem that was made bigger stays so, and the plan says it."""
    disk = tmp_path / "disk.raw"
    convert(guest("busybox"), "-o", disk, "--size", "200M", expect=0)
    shown = undo(disk, "--dry-run", expect=0)
    assert re.search(r"^note    the filesystem keeps its size, \d+ bytes; it had 67108864 before$",
                     shown.out, re.M)
    undo(disk, expect=0)
    assert not differs(guest("busybox"), disk)


def test_disk_with_table(convert, undo, guest, tmp_path):
    """The gap and the boot sector get their bytes again; the table stays its owner's."""
    disk = images.disk(tmp_path / "disk.raw", 96 * images.MIB, "label: dos\nlabel-id: 0x12345678\n"
                       "start=16384, size=131072, type=83\n", [(16384, guest("busybox"))])
    images.poke(disk, 600, b"what was in the gap")
    images.poke(disk, 3, b"\0\x90old code")
    source = guests.copy(disk, tmp_path / "source.raw")
    convert(disk, "--in-place", expect=0)
    assert images.peek(disk, 600, 19) != b"what was in the gap"
    # in the guest a partition was added
    images.poke(disk, 0x1be + 16, bytes(4) + b"\x82" + bytes(3) + bytes([0, 8, 0, 0, 0, 8, 0, 0]))
    undo(disk, expect=0)
    assert images.peek(disk, 0, 0x1ce) == images.peek(source, 0, 0x1ce)
    assert images.peek(disk, 0x1ce + 4, 1) == b"\x82"
    assert images.peek(disk, 512, 16383 * 512) == images.peek(source, 512, 16383 * 512)
    assert not differs(guest("busybox"), disk, 16384 * 512)


def test_two_conversions(convert, undo, guest, tmp_path, kit_home):
    """The second put in another kernel and wrote GRUB's configuration again: both go."""
    big = guests.copy(guest("systemd"), tmp_path / "guest.img")
    other = tmp_path / "kernel"
    kit = next((kit_home / "cache/kernels").glob("[0-9]*"))
    convert(big, "--in-place", home=kit_home, expect=0)
    for path in kit.rglob("*"):
        to = other / os.fspath(path.relative_to(kit)).replace(kit.name, "9.9.9-other").replace("usr/lib", "lib")
        if path.is_file():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)
    images.call_kernel(other / "boot/vmlinuz-9.9.9-other", kit.name, "9.9.9-other")
    convert(big, "--in-place", "--kernel", other, home=tmp_path / "home", expect=0)
    names = ext4reader.read(big, FIRST)
    assert b"/var/lib/kmln/conversion-2" in names and b"/boot/vmlinuz-9.9.9-other" in names
    undo(big, expect=0)
    assert not differs(guest("systemd"), big)


def test_dirty(convert, undo, killed, tmp_path):
    """A guest that was not shut down: its journal is replayed first."""
    convert(killed, "-o", tmp_path / "disk.raw", expect=0)
    undo(tmp_path / "disk.raw", expect=0)
    assert b"/root/last-words" in ext4reader.read(tmp_path / "disk.raw")


def test_json(undo, converted):
    before = images.fingerprint(converted)
    plan = json.loads(undo(converted, "--dry-run", "--format", "json", expect=0).out)
    edits = {edit.get("path", edit["edit"]): edit for edit in plan["edits"]}
    assert edits[RECORD]["edit"] == "remove" and edits["cut"]["offset"] == FIRST
    assert "+/dev/ubda / ext4" in edits["/etc/fstab"]["diff"]
    assert images.fingerprint(converted) == before


# --- others changed something meanwhile

def test_used_guest(undo, guest, converted):
    """Lines and packages of others stay where they are, and only kmln's own goes."""
    fstab = cat(converted, "/etc/fstab").decode()
    status = "Package: mine\nStatus: install ok installed\nVersion: 1\n\n"
    modules = next(path.decode() for path in ext4reader.read(converted, FIRST)
                   if re.fullmatch(rb"/lib/modules/[^/]+", path))
    edit(converted, "mkdir /var/lib/dpkg", f"mkdir {modules}/updates",
         files=[("/etc/fstab", "# others\n" + fstab + "/dev/vdb /srv ext4 defaults 0 2\n"),
                ("/var/lib/dpkg/status", status), (f"{modules}/modules.dep", "written by depmod\n"),
                (f"{modules}/modules.weakdep", "new in depmod\n"),
                (f"{modules}/updates/mine.ko", b"\x7fELF mine"), ("/boot/grub/custom.cfg", "mine\n")])
    shown = undo(converted, "--dry-run", expect=0)
    assert "note    /boot/grub stays: there is something in it that kmln did not put there" in shown.out
    undo(converted, expect=0)
    difference = differs(guest("busybox"), converted)
    added = {path.decode() for path in difference.added}
    assert added >= {f"{modules}/updates/mine.ko", "/var/lib/dpkg/status", "/boot/grub/custom.cfg"}
    assert not any("kmln" in path or "vmlinuz" in path or path.endswith("virtio_blk.ko")
                   for path in added)
    assert not difference.removed
    assert cat(converted, "/etc/fstab", 0).decode() == (
        "# others\n/dev/ubda / ext4 defaults 0 1\nproc /proc proc defaults 0 0\n"
        "/dev/vdb /srv ext4 defaults 0 2\n")


def test_packages(convert, undo, guest, tmp_path, kit_home):
    """In dpkg's status the packages of others stay, in whatever order dpkg has written them."""
    disk, other = tmp_path / "disk.raw", tmp_path / "other.raw"
    convert(guest("systemd"), "-o", disk, home=kit_home, expect=0)
    status = cat(disk, "/var/lib/dpkg/status").decode().rstrip("\n").split("\n\n")
    mine = "Package: mine\nStatus: install ok installed\nVersion: 1\nArchitecture: all"
    edit(disk, files=[("/var/lib/dpkg/status", "\n\n".join([*status[::-1], mine]) + "\n\n")])
    guests.copy(disk, other)
    undo(disk, expect=0)
    before = images.tool("debugfs", "e2fsprogs", "-R", "cat /var/lib/dpkg/status", guest("systemd"))
    kept = cat(disk, "/var/lib/dpkg/status", 0).decode().rstrip("\n").split("\n\n")
    assert sorted(kept) == sorted([*before.decode().rstrip("\n").split("\n\n"), mine])
    difference = differs(guest("systemd"), disk)
    assert set(difference.changed) == {b"/var/lib/dpkg/status"}
    assert not difference.added and not difference.removed
    # the guest has upgraded one of them
    ours = next(p for p in status if p.startswith("Package: kmln-guest\n"))
    later = re.sub("(?m)^Version: .*", "Version: 999", ours)
    edit(other, files=[("/var/lib/dpkg/status",
                        "\n\n".join(later if p == ours else p for p in status) + "\n\n")])
    before = images.fingerprint(other)
    run = undo(other, expect=1)
    assert "/var/lib/dpkg/status: package kmln-guest has another version: 999" in run.err
    assert images.fingerprint(other) == before


def grown(image):
    """The kernel's image, and what must be said of it."""
    path = next(path.decode() for path in ext4reader.read(image, FIRST) if b"/vmlinuz-" in path)
    return path, b"another kernel"


@pytest.mark.parametrize("what", ["kernel", "fstab", "grub", "table", "loader"])
def test_edited(undo, converted, what):
    """What of kmln's own was edited since is named, and nothing is done; --force takes it back."""
    path, content = {"kernel": grown(converted), "grub": ("/boot/grub/grub.cfg", "# mine\n"),
                     "fstab": ("/etc/fstab", f"UUID={UUID} / ext4 noatime 0 1\n")}.get(what, (None, None))
    if path:
        edit(converted, files=[(path, content)])
    elif what == "loader":
        images.poke(converted, 0x20, b"another loader")
    else:
        images.poke(converted, 0x1be + 16,
                    bytes(4) + b"\x83" + bytes(3) + bytes([0, 4, 0, 0, 0, 2, 0, 0]))
    before = images.fingerprint(converted)
    for options in ([], ["--dry-run"]):
        run = undo(converted, *options, expect=1)
        assert (path or "the disk") in run.err.splitlines()[-1] and "--force" in run.err
        assert images.fingerprint(converted) == before
    assert not leftovers(converted)
    undo(converted, "--force", expect=0)
    offset = FIRST if what == "table" else 0
    assert images.clean(converted, offset)
    names = ext4reader.read(converted, offset)
    assert not any(b"kmln" in name or b"vmlinuz" in name for name in names)
    if what == "fstab":
        assert cat(converted, path, 0).decode() == content


def test_removed_by_the_guest(undo, converted, guest):
    """What is gone already needs nothing."""
    path, _ = grown(converted)
    edit(converted, f"rm {path}")
    undo(converted, expect=0)
    assert not differs(guest("busybox"), converted)


# --- records that a guest forged

HEAD = "kmln-record 1 version=0.1.0 platform=kvm\n"
SUM = "0" * 128
KEPT = f"was=kept was-mode=100644 was-uid=0 was-gid=0 was-size=2 was-time=1.000000000 was-sum={SUM}"
FORGED = {
    "shadow": f"put path=/etc/shadow by=grub mode=644 uid=0 gid=0 size=1 sum={SUM} was=absent\n",
    "passwd": f"put path=/etc/passwd by=grub mode=644 uid=0 gid=0 size=1 sum={SUM} {KEPT}\n-x\n",
    "outside": "mkdir path=/boot/../../etc by=kernel mode=755 uid=0 gid=0\n",
    "relative": "mkdir path=boot by=kernel mode=755 uid=0 gid=0\n",
    "nonsense": "mkdir path=//// by=kernel mode=755 uid=0 gid=0\n",
    "numbers": "shift by=wrap offset=18446744073709551615\n",
    "shift": "shift by=wrap offset=1073741824\n",
    "bytes": f"bytes by=loader offset=9223372036854775296 size=1024 sum={SUM} was=zero\n",
    "fstab": f"change path=/etc/fstab by=fstab size=1 sum={SUM} {KEPT}\n-evil\n+UUID={UUID} / x\n",
    # below folders that nobody looked at
    "modules": f"change path=/x/modules by=xen-modules size=1 sum={SUM} {KEPT}\n-xenblk\n+# kmln, not under Xen: xenblk\n",
    "resume": f"change path=/conf.d/resume by=resume size=1 sum={SUM} {KEPT}\n-RESUME=/dev/vda2\n+RESUME=UUID={UUID}\n",
    "text": "\x7fELF\0\1\2",
    "empty": "",
    "long": "mkdir path=/boot by=kernel mode=755 uid=0 gid=0\n" * 1_000_000,
    "many": "+\n" * 5_000_000,
}


@pytest.mark.parametrize("forged", FORGED)
def test_forged(undo, box, forged):
    images.debugfs(box, *(f"mkdir {path}" for path in ("/var", "/var/lib", "/var/lib/kmln")
                          if path.encode() not in ext4reader.read(box)))
    images.put(box, RECORD, ("" if forged == "empty" else HEAD) + FORGED[forged])
    before = images.fingerprint(box)
    for options in ([], ["--force"], ["-o", f"{box}.out"]):
        run = undo(box, *options, expect=3)
        assert RECORD in run.err and len(run.err) < 2000
        assert images.fingerprint(box) == before
    assert not leftovers(box)


def test_forged_memory(box):
    """A record that goes on for ever costs next to nothing."""
    images.debugfs(box, "mkdir /var/lib/kmln")
    images.put(box, RECORD, HEAD + FORGED["long"][:30_000_000])
    images.within(64_000, "inspect", box)


@pytest.mark.parametrize("how", ["folder", "record"])
def test_linked_records(undo, converted, tmp_path, how):
    """Records are where kmln puts them, and not where a link leads."""
    (tmp_path / "host").mkdir()
    if how == "folder":
        commands = ["mkdir /elsewhere", f"rm {RECORD}", "rmdir /var/lib/kmln",
                    "symlink /var/lib/kmln /elsewhere"]
    else:
        commands = [f"rm {RECORD}", f"symlink {RECORD} {tmp_path}/host/record"]
    edit(converted, *commands)
    before = images.fingerprint(converted)
    assert "/var/lib/kmln" in undo(converted, expect=3).err
    assert images.fingerprint(converted) == before
    assert list((tmp_path / "host").iterdir()) == []


def test_link_on_the_way(undo, converted):
    """A folder that has become a link since: what it leads to is not touched."""
    modules = next(path.decode() for path in ext4reader.read(converted, FIRST)
                   if re.fullmatch(rb"/lib/modules/[^/]+", path))
    edit(converted, f"mkdir {modules}/elsewhere", "mkdir /keep", "mkdir /keep/kernel",
         f"symlink {modules}/elsewhere/kernel /keep/kernel")
    undo(converted, expect=0)
    names = ext4reader.read(converted)
    assert b"/keep/kernel" in names and f"{modules}/elsewhere/kernel".encode() in names


# --- the rest of the command

def test_nothing_to_undo(undo, box):
    before = images.fingerprint(box)
    assert "nothing to undo" in undo(box, expect=4).err
    assert images.fingerprint(box) == before


def test_names(undo, converted, tmp_path):
    out = tmp_path / "out.raw"
    out.write_text("precious")
    assert undo(converted, "-o", out, expect=1).err.endswith("--force replaces it\n")
    assert out.read_text() == "precious"
    undo(converted, "-o", converted, expect=2)
    undo(converted, "-o", out, "--force", expect=0)
    assert images.clean(out)


def test_in_use(undo, converted):
    with images.qemu(converted):
        assert "in use" in undo(converted, expect=1).err


def test_host_that_cannot_cut(convert, undo, guest):
    """Where a file cannot be cut in front a new one takes its name, mode and owner."""
    folder = "/dev/shm"
    if not os.path.isdir(folder):
        pytest.skip("no tmpfs")
    disk = f"{folder}/kmln-undo-{os.getpid()}.raw"
    try:
        convert(guest("busybox"), "-o", disk, expect=0)
        os.chmod(disk, 0o640)
        assert "written anew" in undo(disk, expect=0).err
        assert os.stat(disk).st_mode & 0o7777 == 0o640
        assert not differs(guest("busybox"), disk)
    finally:
        os.unlink(disk)


def test_memory(convert, guest, tmp_path, kit_home):
    disk = tmp_path / "disk.raw"
    convert(guest("systemd"), "-o", disk, home=kit_home, expect=0)
    images.within(64_000, "undo", disk)
