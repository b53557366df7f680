# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln diff: each kind of difference is found, named and nothing else is; another reader of ext4, and the
host's own view of folders, are the judges."""

import functools
import json
import os
import struct
import subprocess

import pytest

import ext4reader
import guests
import images
import runner
import treeview


@pytest.fixture
def diff(kmln):
    """The JSON of kmln diff; `expect` is 4 where nothing else is said."""
    def call(a, b, *options, expect=4, **run):
        return json.loads(kmln("diff", a, b, *options, "--format", "json", expect=expect, **run).out)
    return call


@pytest.fixture
def pair(guest, tmp_path):
    """The awkward guest, and a copy to be changed."""
    return guest("awkward"), guests.copy(guest("awkward"), tmp_path / "b.img")


def by_path(result):
    assert len({c["path"] for c in result["tree"]}) == len(result["tree"])
    return {c["path"]: c for c in result["tree"]}


@functools.cache
def read(image, _):
    """The guests are read once only: that takes the other reader seconds."""
    return ext4reader.read(image)


def judged(a, b):
    """What another reader says: {path: (change, what)}."""
    before, after = read(os.fspath(a), os.stat(a).st_mtime_ns), ext4reader.read(b)
    return treeview.differences(before, after)


def said(result):
    return {path: (c["change"], set(c["what"]) if "what" in c else None)
            for path, c in by_path(result).items()}


def test_same(kmln, diff, guest, tmp_path):
    for name in ("busybox", "awkward"):
        assert kmln("diff", guest(name), guest(name), expect=0).out == "no differences\n"
    image = guests.copy(guest("busybox"), tmp_path / "copy.img")
    result = diff(guest("busybox"), image, expect=0)
    assert result == {"tree": [], "packages": [], "fstab": None, "disk": [], "summary": {
        "same": True, "added": 0, "removed": 0, "changed": 0, "unreadable": 0}}
    assert kmln("diff", "-q", image, image, expect=0).out == ""


# one change each, and what it is
CHANGES = {
    "/awkward/setuid": ("sif /awkward/setuid mode 0100600", "mode"),
    "/awkward/owned": ("sif /awkward/owned uid 70001", "owner"),
    "/awkward/fifo": ("sif /awkward/fifo gid 7", "owner"),
    # one nanosecond, an epoch of 136 years, a second
    "/awkward/date-2040": ("sif /awkward/date-2040 mtime_extra 0x1d6f3459", "mtime"),
    "/awkward/date-1999": ("sif /awkward/date-1999 mtime_extra 0x1d6f3455", "mtime"),
    "/awkward/folder": ("sif /awkward/folder mtime @1", "mtime"),
    "/awkward/block": ("sif /awkward/block block[1] 77", "device"),
    "/awkward/link-dangling": ("sif /awkward/link-dangling block[0] 0x21212121", "target"),
    "/awkward/xattrs": ("ea_set /awkward/xattrs user.small other", "xattrs"),
    "/awkward/char": ("ea_set /awkward/char trusted.x 1", "xattrs"),
    "/awkward/capable": ("ea_rm /awkward/capable security.capability", "xattrs"),
    "/awkward/acl": ("ea_rm /awkward/acl system.posix_acl_access", "xattrs"),
    "/awkward/immutable": ("sif /awkward/immutable flags 0x80000", "flags"),
    "/awkward/random": ("sif /awkward/random flags 0x80020", "flags"),
    "/awkward/empty": ("sif /awkward/empty size 1", "size content"),
    "/awkward/socket": ("sif /awkward/socket mode 0010644", "type"),
    "/awkward/hard-1": ("sif /awkward/hard-1 links_count 4", "links"),
}


def test_each_attribute(diff, kmln, pair):
    a, b = pair
    images.debugfs(b, *(command for command, _ in CHANGES.values()))
    result = diff(a, b)
    want = {path: ("changed", set(what.split())) for path, (_, what) in CHANGES.items()}
    want["/awkward/hard-2"] = want["/awkward/folder/hard-3"] = want["/awkward/hard-1"]
    assert said(result) == want == judged(a, b)
    assert not result["packages"] and result["fstab"] is None and not result["disk"]
    # the other way round: the same, and values exchanged
    back = diff(b, a)
    assert said(back) == said(result)
    for path, change in by_path(result).items():
        assert (change["a"], change["b"]) == (by_path(back)[path]["b"], by_path(back)[path]["a"])
    text = kmln("diff", a, b, expect=4).out
    for line in ("setuid  mode: 4755 -> 0600", "owned  owner: 70000:80000 -> 70001:80000",
                 "date-2040  mtime: 2040-06-01T00:00:00.123456789Z -> 2040-06-01T00:00:00.123456790Z",
                 "block  device: 7,300 -> 0,77", "link-dangling  target: nowhere -> !!!!ere",
                 "xattrs  xattrs: ~user.small", "char  xattrs: +trusted.x",
                 "capable  xattrs: -security.capability", "immutable  flags: immutable -> none",
                 "random  flags: none -> append-only", "empty  size: 0 -> 1, content",
                 "socket  type: socket -> fifo", "hard-2  links: 3 -> 4"):
        assert f"\n~ /awkward/{line}\n" in f"\n{text}", line
    assert text.endswith("0 added, 0 removed, 19 changed\n")


def test_content(diff, kmln, pair, tmp_path):
    """One bit, in the middle and at the end of a hole; and nothing but the bit."""
    a, b = pair
    with open(b, "r+b") as file:
        fs = ext4reader.Filesystem(file)
        runs = list(fs._runs(fs._inode(dict(fs.names(dict(fs.names(2))[b"awkward"]))[b"random"])))
        place = runs[-1][2] * 4096 + (runs[-1][1] - 1) * 4096
        last = images.peek(b, place + 100, 1)
        images.poke(b, place + 100, bytes([last[0] ^ 1]))
    assert said(diff(a, b)) == {"/awkward/random": ("changed", {"content"})} == judged(a, b)
    assert diff(a, b, "--no-content", expect=0)["tree"] == []
    # written zeros and a hole are the same bytes
    islands = tmp_path / "zeros"
    islands.write_bytes(b"x" * 4096 + bytes(1 << 20) + b"y" * 4096)
    images.put(b, "/etc/zeros", islands.read_bytes())
    with open(islands, "r+b") as file:
        os.posix_fallocate(file.fileno(), 0, 1)
    subprocess.run(["cp", "--sparse=always", islands, tmp_path / "holes"], check=True)
    other = guests.copy(b, tmp_path / "other.img")
    images.debugfs(other, "rm /etc/zeros", f"write {tmp_path / 'holes'} /etc/zeros")
    assert diff(b, other, "--no-mtime", expect=0)["tree"] == []


def test_names(diff, kmln, pair):
    """What is added and removed, with all in it; a folder in the place of a file; other hard links."""
    a, b = pair
    images.debugfs(b, "rm /awkward/empty", "mkdir /awkward/new", "mkdir /awkward/new/er",
                   "cd /awkward/new/er", "symlink link target", "mknod null c 1 3", "cd /",
                   "rm /awkward/setuid", "mkdir /awkward/setuid", "cd /awkward/setuid",
                   "mknod fifo p", "cd /", "unlink /awkward/hard-2",
                   "ln /awkward/random /awkward/hard-2", "sif /awkward/hard-1 links_count 2",
                   "sif /awkward/random links_count 2")
    result = diff(a, b)
    want = judged(a, b)
    want["/awkward/setuid/fifo"] = ("added", None)
    assert said(result) == want
    assert "links" in want["/awkward/hard-2"][1] and "content" in want["/awkward/hard-2"][1]
    changes = by_path(result)
    assert changes["/awkward/new/er/null"]["b"]["major"] == 1
    assert changes["/awkward/new/er/link"]["b"]["target"] == "target"
    assert changes["/awkward/empty"]["a"]["size"] == 0 and "b" not in changes["/awkward/empty"]
    text = kmln("diff", a, b, expect=4).out
    assert "\n+ /awkward/new  folder with 3 objects, 0 bytes\n" in text
    assert "- /awkward/empty  file, 0 bytes\n" in text
    assert "~ /awkward/setuid  type: file -> folder\n" in text
    assert "+ /awkward/new/er/null  char 1,3\n" in kmln("diff", "-v", a, b, expect=4).out


def test_links_that_are_no_longer_one_file(diff, tmp_path):
    """The same numbers of links, other groups."""
    for name, groups in (("a", ("12", "34")), ("b", ("13", "24"))):
        (tmp_path / name).mkdir()
        for first, second in groups:
            (tmp_path / name / first).write_text("same")
            os.link(tmp_path / name / first, tmp_path / name / second)
    result = diff(tmp_path / "a", tmp_path / "b", "--no-mtime")
    assert {p for p in said(result)} == {"/", "/2", "/3", "/4"} - {"/"}
    assert all(what == {"links"} for _, what in said(result).values())


def test_folders(diff, kmln, tmp_path):
    root = treeview.fill(tmp_path / "a")
    treeview.copy_tree(root, tmp_path / "b")
    assert diff(tmp_path / "a", tmp_path / "b", expect=0)["summary"]["same"]
    b = tmp_path / "b/etc"
    (b / "byte-e-").write_text("other")
    os.utime(b / "byte-f-", ns=(0, 1))
    (b / "byte-g-").chmod(0o600)
    os.setxattr(b / "byte-h-", "user.new", b"1")
    (b / "up").unlink()
    (b / "up").symlink_to("elsewhere")
    (b / "deep/second name").unlink()
    with open(b / "hollow", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    result = diff(tmp_path / "a", tmp_path / "b", "--no-mtime")
    assert said(result) == {
        "/etc/byte-a-": ("changed", {"links"}), "/etc/byte-e-": ("changed", {"size", "content"}),
        "/etc/byte-g-": ("changed", {"mode"}), "/etc/byte-h-": ("changed", {"xattrs"}),
        "/etc/up": ("changed", {"target"}), "/etc/deep/second name": ("removed", None),
        "/etc/hollow": ("changed", {"content"})}
    assert "disk" not in result
    # a file's own second
    assert said(diff(tmp_path / "a", tmp_path / "b"))["/etc/byte-f-"] == ("changed", {"mtime"})


def test_an_image_and_its_folder(diff, guest, tmp_path):
    """A tree unpacked by debugfs has the same content, and that is seen across the two kinds."""
    images.tool("debugfs", "e2fsprogs", "-R", f"rdump /etc {tmp_path}", guest("busybox"))
    assert diff(guest("busybox"), tmp_path, "--path", "/etc", "--no-mtime",
                expect={0, 4})["summary"]["added"] == 0
    for change in diff(guest("busybox"), tmp_path, "--path", "/etc", "--no-mtime",
                       expect={0, 4})["tree"]:
        assert set(change["what"]) <= {"owner", "mode"}


def test_options(diff, kmln, pair):
    a, b = pair
    images.put(b, "/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\nproc /proc proc defaults 0 0\n")
    images.debugfs(b, "sif /awkward/folder/hard-3 mode 0100600", "sif /bin/busybox mode 0100700")
    everything = said(diff(a, b))
    assert {"/etc/fstab", "/bin/busybox", "/awkward/hard-1"} <= everything.keys()
    assert all(p.startswith("/awkward/") for p in said(diff(a, b, "--path", "/awkward")))
    assert said(diff(a, b, "--path", "awkward/folder/")).keys() == {"/awkward/folder/hard-3"}
    assert "No such file" in kmln("diff", a, b, "--path", "/no/where", expect=1).err
    left = said(diff(a, b, "--ignore", "/etc,hard-?", "-i", "/b*/busybox"))
    assert left == {}
    assert "/bin/busybox" in said(diff(a, b, "--ignore", "/*busybox"))
    result = diff(a, b, "--only", "fstab")
    assert result.keys() == {"fstab", "summary"}
    assert "-/dev/ubda / ext4" in result["fstab"] and "+/dev/sda1 / ext4" in result["fstab"]
    assert diff(a, b, "--only", "packages,disk", expect=0).keys() == {"packages", "disk", "summary"}
    assert "is not one of" in kmln("diff", a, b, "--only", "trees", expect=2).err
    assert "+/dev/sda1" in by_path(diff(a, b, "--text"))["/etc/fstab"]["diff"]
    assert "        +/dev/sda1" in kmln("diff", "-t", a, b, expect=4).out
    run = kmln("diff", "-q", a, b, expect=4)
    assert run.out == run.err == ""
    assert "/etc/fstab" in said(diff(a, b, "--no-content"))


def test_packages(diff, kmln, guest, tmp_path):
    def status(*packages):
        return "\n".join(f"Package: {n}\nStatus: {s}\nArchitecture: amd64\nVersion: {v}\n"
                         for n, v, s in packages)
    ok = "install ok installed"
    sides = []
    for name, packages in (("a", [("same", "1", ok), ("gone", "1", ok), ("newer", "1:1~rc1", ok),
                                  ("half", "1", ok)]),
                           ("b", [("half", "1", "install ok half-configured"), ("newer", "1:1", ok),
                                  ("same", "1", ok), ("added", "2\x1b[2J", ok)])):
        image = guests.copy(guest("busybox"), tmp_path / name)
        images.debugfs(image, "mkdir /var/lib/dpkg")
        sides.append(images.put(image, "/var/lib/dpkg/status", status(*packages)))
    result = diff(*sides, "--only", "packages")["packages"]
    assert [(p["name"], p["a"] and p["a"]["version"], p["b"] and p["b"]["version"]) for p in result] == [
        ("added", None, "2\x1b[2J"), ("gone", "1", None), ("half", "1", "1"), ("newer", "1:1~rc1", "1:1")]
    text = kmln("diff", *sides, "-o", "packages", expect=4).out
    assert "~ package newer:amd64  1:1~rc1 -> 1:1\n" in text and "+ package added:amd64  2\\x1b[2J" in text
    assert "status: install ok installed -> install ok half-configured" in text


def test_disks(diff, kmln, guest, tmp_path):
    bare = guest("busybox")
    disk = guests.partitioned(bare, tmp_path / "disk.raw")
    result = diff(bare, disk)
    assert result["tree"] == [] and result["summary"]["same"] is False
    what = {c["what"]: (c["a"], c["b"]) for c in result["disk"]}
    assert what["size"] == ("67108864", "68157440")
    assert what["partition table"] == (None, "mbr")
    assert what["partition 1"] == (None, "67108864 bytes at 1048576, Linux")
    assert what["first sector, signature (bytes 510 and 511)"] == ("0000", "55aa")
    other = guests.copy(disk, tmp_path / "other.raw")
    images.poke(other, 0, b"\xeb\x63GRUB")
    images.poke(other, 450, b"\x0c")
    images.poke(other, 446, b"\x00")
    result = diff(disk, other, "--only", "disk")
    assert {c["what"] for c in result["disk"]} == {
        "boot code", "partition 1 type", "partition 1 active", "first sector, boot code (bytes 0 to 439)",
        "first sector, partition table (bytes 446 to 509)"}
    assert "~ disk  partition 1 type: 83 -> 0c\n" in kmln("diff", disk, other, expect=4).out
    # the same bytes elsewhere: the tree does not care where it lies
    assert diff(bare, disk, "--only", "tree", expect=0)["summary"]["same"]
    assert diff(disk, other, "-p", "1", "-o", "tree", expect=0)["tree"] == []


def test_damage(diff, kmln, pair):
    """What cannot be read is told, the exit says so, and the rest is compared."""
    a, b = pair
    images.debugfs(b, "sif /awkward/random mode 0100600")
    images.poke(b, treeview.block_of(b, "/home"), b"\xff" * 64)
    inode = int(images.tool("debugfs", "e2fsprogs", "-R", "stat /awkward/pieces", b)
                .split(b"Inode: ")[1].split()[0])
    # the tree of extents lies in a block of its own
    with open(b, "rb") as file:
        node = struct.unpack_from("<IIIH", ext4reader.Filesystem(file)._inode(inode), 40 + 12)[1]
    images.poke(b, node * 4096 + 14, b"\xff\xff\xff\xff")
    result = diff(a, b, expect=1)
    changes = by_path(result)
    assert changes["/awkward/random"]["what"] == ["mode"]
    assert changes["/home"]["change"] == "unreadable" and "damaged" in changes["/home"]["problem"]
    assert changes["/awkward/pieces"]["change"] == "unreadable"
    assert result["summary"]["unreadable"] == 2 and len(changes) == 3
    run = kmln("diff", a, b, expect=1)
    assert "! /home  cannot be read: " in run.out and "2 objects could not be compared" in run.err


def test_loops_and_depths(kmln, tmp_path):
    """Folders in themselves and endless paths end, on both sides at once."""
    image = treeview.plain_image(tmp_path / "loop.img")
    images.debugfs(image, "mkdir etc/a", "ln etc etc/a/up", "ln etc etc/a/up-too",
                   *[command for _ in range(17) for command in
                     (f"mkdir {'d' * 250}", f"cd {'d' * 250}")])
    run = kmln("diff", image, image, "-o", "tree", expect=1, timeout=20)
    assert "in two places" in run.out and "a path of 4267 bytes" in run.out
    empty = tmp_path / "empty"
    (empty / "etc").mkdir(parents=True)
    run = kmln("diff", empty, image, "-o", "tree", "-v", expect=1, timeout=20)
    assert "+ /etc/a/up" in run.out


def test_memory(guest):
    """However many entries are the same."""
    images.within(16_000, "diff", guest("awkward"), guest("awkward"))


@pytest.mark.parametrize("form", ["qcow2", "vmdk"])
def test_other_formats(diff, kmln, guest, tmp_path, form):
    """The same disk in another format is the same guest."""
    other = tmp_path / f"a.{form}"
    images.tool("qemu-img", "qemu-utils", "convert", "-O", form, guest("awkward"), other)
    result = diff(guest("awkward"), other, expect={0, 4})
    assert result["tree"] == [] and result["fstab"] is None
    # a format may round the size of a disk up
    assert {c["what"] for c in result["disk"]} <= {"size"}
    assert kmln("ls", "-Rsx", other, expect=0).out == kmln("ls", "-Rsx", guest("awkward"), expect=0).out
    assert kmln("cat", other, "/etc/hostname", expect=0).out == "box\n"


@pytest.mark.network
def test_debian(diff, guest):
    """All of a real guest, as another reader sees it; and in little memory."""
    result = diff(guest("systemd"), guest("sysvinit"))
    assert said(result) == judged(guest("systemd"), guest("sysvinit"))
    assert {p["name"] for p in result["packages"]} >= {"systemd", "sysvinit-core"}
    images.within(32_000, "ls", "-Rsx", guest("systemd"))


def test_wrong_sources(kmln, guest, tmp_path):
    (tmp_path / "text").write_text("no image\n" * 1000)
    assert "neither a partition table nor" in kmln("diff", guest("busybox"), tmp_path / "text",
                                                   expect=3).err
    assert "No such file" in kmln("diff", tmp_path / "none", guest("busybox"), expect=1).err
    assert "needs A B" in kmln("diff", guest("busybox"), expect=2).err
    run = runner.run(["sh", "-c", '"$0" diff "$1" "$2" >/dev/full', runner.BUILD / "kmln",
                      guest("busybox"), guest("awkward")], expect=1)
    assert "standard output" in run.err
