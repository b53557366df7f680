# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln ls and kmln cat: what they say of images and folders is what others say of them, hostile names
stay names, and damage is told and walked around."""

import hashlib
import json
import os
import time

import pytest

import ext4reader
import guests
import images
import runner
import treeview


@pytest.fixture
def ls(kmln):
    """{path: object} of kmln ls --format json; a list has each path once."""
    def call(*args, **options):
        run = kmln("ls", *args, "--format", "json", **{"expect": 0, **options})
        found = json.loads(run.out)
        assert len({o["path"] for o in found}) == len(found)
        return {o["path"]: o for o in found}
    return call


def same(want, have):
    """Whether an object is as expected; keys of `have` that others do not know may stand there."""
    return want == {key: value for key, value in have.items()
                    if key not in {"path", "inode", "stored", "size"} or key in want}


@pytest.mark.parametrize("name", ["busybox", "awkward"])
def test_as_another_reader_sees_it(ls, guest, name):
    image = guest(name)
    want = {treeview.shown(path): treeview.expected(thing)
            for path, thing in ext4reader.read(image).items() if path != b"/"}
    have = ls("-Rsx", image)
    assert have.keys() == want.keys()
    wrong = {path: (want[path], have[path]) for path in want if not same(want[path], have[path])}
    assert not wrong


def test_stored_bytes(ls, guest):
    """Holes are not stored."""
    found = ls(guest("awkward"), "/awkward")
    assert found["/awkward/sparse"]["size"] == 3 << 30
    assert 4096 <= found["/awkward/sparse"]["stored"] <= 65536
    assert found["/awkward/empty"]["stored"] == 0


def test_a_folder_of_the_host(ls, tmp_path):
    root = treeview.fill(tmp_path / "root")
    have = ls("-Rsx", os.fsdecode(root))
    want = {treeview.shown(path): treeview.expected_of_host(whole) for path, whole in treeview.host_paths(root)}
    assert have.keys() == want.keys()
    wrong = {path: (want[path], have[path]) for path in want if not same(want[path], have[path])}
    assert not wrong
    assert len([path for path in have if "/etc/byte-" in path]) == 254


def test_an_ordinary_user(kmln, ordinary_user, guest):
    """Nobody has to be root; what the user may not read is told, and the rest listed."""
    image = ordinary_user.give(guest("busybox"))
    assert "fstab\n" in kmln("ls", image, "/etc", user=ordinary_user, expect=0).out
    runner.run(["sh", "-c", "mkdir -p t/open t/closed; echo x >t/open/f; echo y >t/g; chmod 0 t/closed t/g"],
               user=ordinary_user, expect=0)
    run = kmln("ls", "-Rs", "t", user=ordinary_user, expect=1)
    assert hashlib.sha256(b"x\n").hexdigest() + "  /open/f\n" in run.out and "  /g\n" in run.out
    assert "/closed: open: Permission denied" in run.err and "2 objects" in run.err
    runner.run(["chmod", "-R", "u+rwx", "t"], user=ordinary_user, expect=0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make them")
def test_owners_and_devices_of_a_folder(ls, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    os.mknod(root / "null", 0o020644, os.makedev(1, 3))
    os.mknod(root / "disk", 0o060600, os.makedev(259, 70000))
    (root / "file").write_text("x")
    os.chown(root / "file", 70000, 80000)
    os.setxattr(root / "file", "trusted.of-root", b"\0secret")
    for path, thing in ls("-x", root).items():
        want = treeview.expected_of_host(f"{root}{path}")
        want.pop("sha256", None)
        assert same(want, thing)


def test_text(kmln, guest):
    image = guest("awkward")
    out = kmln("ls", image, "/awkward", expect=0).out
    assert "new\\x0aline\n" in out and "escape\\x1b[31m\n" in out and "größe-日本\n" in out
    names = out.splitlines()
    assert [n for n in names if "\\x" not in n] == sorted(
        (n for n in names if "\\x" not in n), key=str.encode)
    out = kmln("ls", "-l", image, "/awkward", expect=0).out
    assert "-rwsr-xr-x   1     0     0          14 2026-" in out
    assert "c---------   1     0     0     10, 200 2026-" in out
    assert "link-dangling -> nowhere\n" in out and "immutable [immutable]\n" in out
    out = kmln("ls", "--full-time", image, "/awkward/date-2400", expect=0).out
    assert out == "-rw-r--r--   1     0     0          14 2400-02-29T00:00:00.123456789Z " \
                  "/awkward/date-2400\n"
    out = kmln("ls", "-x", image, "/awkward/xattrs", expect=0).out
    assert '\n        trusted.of-root="secret"\n' in out and "\n        user.big=0x" in out


def test_paths(kmln, guest):
    image = guest("awkward")
    assert kmln("ls", image, expect=0).out == kmln("ls", image, "//etc/./../", expect=0).out
    assert kmln("ls", image, "bin/../etc/fstab", expect=0).out == "bin/../etc/fstab\n"
    # a link to a folder is that folder, and with -d itself
    images_etc = kmln("ls", image, "/awkward/../etc", expect=0).out
    assert "fstab\n" in images_etc
    assert kmln("ls", "-ld", image, "/sbin/init", expect=0).out.endswith("/sbin/init -> ../bin/busybox\n")
    assert kmln("ls", "-d", image, "/", expect=0).out == "/\n"
    for path, words in [("/nowhere", "No such file"), ("/etc/fstab/x", "Not a directory"),
                        ("/awkward/link-loop", "Too many levels"), ("/x" * 2500, "path of 5")]:
        run = kmln("ls", image, path, expect=1)
        assert words in run.err and not run.out
    # links lead nowhere but into the guest
    assert kmln("cat", image, "/awkward/link-outside", expect=0).out.startswith("root:x:0:0")


def test_cat(kmln, guest, tmp_path):
    image = guest("awkward")
    reader = ext4reader.read(image)
    for path in (b"/awkward/random", b"/awkward/pieces", b"/awkward/empty", b"/bin/busybox",
                 b"/awkward/new\nline", b"/awkward/\xff\xfe"):
        out = kmln("cat", image, os.fsdecode(path), expect=0).out_bytes
        assert hashlib.sha256(out).hexdigest() == reader[path].sha256
    assert kmln("cat", image, "/etc/hostname", "etc/hostname", expect=0).out == "box\nbox\n"
    for path in ("/dev/null", "/awkward/block", "/awkward/fifo", "/awkward/socket", "/etc"):
        assert "not a regular file" in kmln("cat", image, path, expect=1).err
    assert "No such file" in kmln("cat", image, "/awkward/link-dangling", expect=1).err
    treeview.fill(tmp_path / "root")
    assert "not a regular file" in kmln("cat", tmp_path / "root", "/fifo", timeout=10, expect=1).err
    assert kmln("cat", tmp_path / "root", "/absolute/second name", expect=0).out == "a" * 97


@pytest.mark.parametrize("options", [["-O", "^extents,^64bit"], ["-O", "inline_data"], ["-b", "1024"],
                                     ["-b", "1024", "-O", "^extents,^64bit"]])
def test_other_ways_of_storing(kmln, ls, tmp_path, options):
    """Block maps of all levels, content in inodes, small blocks."""
    root = treeview.fill(tmp_path / "root")
    os.mkdir(root + b"/sbin")
    with open(root + b"/sbin/init", "wb") as file:
        # beyond the single and the double indirect blocks
        for at in (0, 300 << 10, 5 << 20, 70 << 20, 600 << 20):
            file.seek(at)
            file.write(b"%d" % at * 3000)
    image = tmp_path / "image"
    images.tool("mke2fs", "e2fsprogs", "-q", "-F", "-t", "ext4", "-d", os.fsdecode(root), *options,
                image, "128M")
    have = ls("-Rsx", image)
    have.pop("/lost+found")
    assert have.keys() == {treeview.shown(path) for path, _ in treeview.host_paths(root)}
    for path, whole in treeview.host_paths(root):
        want = treeview.expected_of_host(whole)
        # what mke2fs -d does not take over: nanoseconds, early times, and where it is stored
        for key in ("inode", "stored", "mtime", "mtime_ns", "links"):
            want.pop(key)
        if want["type"] == "folder":
            want.pop("size")
        thing = have[treeview.shown(path)]
        assert want == {key: thing[key] for key in want}, path


def test_output_that_cannot_be_written(kmln, guest, tmp_path):
    image = guest("awkward")
    program = runner.BUILD / "kmln"
    for words in ("cat $1 /awkward/random", "ls -R $1", "ls -R --format json $1"):
        run = runner.run(["sh", "-c", f'"$0" {words} >/dev/full', program, image], expect=1)
        assert "standard output: " in run.err and "No space left" in run.err
    # who has read enough hears no complaint, and nobody waits for 3 GiB
    start = time.monotonic()
    run = runner.run(["bash", "-c", '"$0" cat "$1" /awkward/sparse | head -c 5', program, image],
                     expect=0, timeout=20)
    assert run.out == "start" and run.err == "" and time.monotonic() - start < 10


def test_memory(guest):
    """A file of 3 GiB passes through little memory."""
    images.within(16_000, "cat", guest("awkward"), "/awkward/sparse")
    images.within(16_000, "ls", "-Rsx", guest("awkward"))


def test_partition(kmln, guest, tmp_path):
    second = treeview.plain_image(tmp_path / "second.img", "16M")
    images.debugfs(second, "mkdir only-here", "rmdir usr/bin")
    disk = images.disk(tmp_path / "disk.raw", 160 << 20, "label: gpt\nstart=2048,size=131072\n"
                       "start=133120,size=32768\nstart=165888,size=2048\n",
                       [(2048, guest("busybox")), (133120, second)])
    assert "fstab\n" in kmln("ls", disk, "/etc", expect=0).out
    assert "only-here\n" in kmln("ls", disk, "-p", "2", expect=0).out
    assert kmln("ls", disk, "-p1", expect=0).out == kmln("ls", disk, expect=0).out
    assert "partition 3 holds no filesystem" in kmln("ls", disk, "--partition=3", expect=3).err
    assert "no partitions" in kmln("ls", tmp_path, "-p", "1", expect=2).err
    assert "no root filesystem" in kmln("cat", second, "/etc/x", expect=3).err


# --- damage and malice

def test_a_path_longer_than_any(kmln, tmp_path):
    """17 folders of 250 bytes: the path ends where paths end, and what is beside is listed."""
    image = treeview.plain_image(tmp_path / "deep.img")
    images.debugfs(image, *[command for _ in range(17) for command in
                            (f"mkdir {'d' * 250}", f"cd {'d' * 250}")])
    run = kmln("ls", "-R", image, expect=1)
    assert max(map(len, run.out.splitlines())) == 16 * 251
    assert "/etc\n" in run.out and "a path of 4267 bytes" in run.err


def test_folders_in_themselves(kmln, ls, tmp_path):
    """Each folder is entered once, however many names damage has given it."""
    image = treeview.plain_image(tmp_path / "loop.img")
    images.debugfs(image, "mkdir etc/a", "ln etc etc/a/up", "ln etc etc/a/up-too", "ln etc/a etc/b")
    run = kmln("ls", "-R", image, expect=1, timeout=10)
    assert len(run.out.splitlines()) < 12
    assert "in two places" in run.err


def test_a_damaged_folder(kmln, guest, tmp_path):
    """One that cannot be read does not hide the others."""
    image = guests.copy(guest("awkward"), tmp_path / "a.img")
    images.poke(image, treeview.block_of(image, "/home"), b"\xff" * 64)
    run = kmln("ls", "-R", image, expect=1)
    assert "/home: a checksum is wrong" in run.err
    assert "/awkward/random\n" in run.out and "/usr/bin\n" in run.out


@pytest.mark.slow
def test_a_million_entries(kmln, tmp_path):
    image = treeview.crowded(tmp_path / "crowd.img", 1_000_000)
    out = kmln("ls", image, "/etc/many", expect=0, timeout=60).out
    names = out.splitlines()
    assert len(names) == 1_000_000 and names == sorted(names)
    assert kmln("ls", "-d", image, "/etc/many/n999999", expect=0).out == "/etc/many/n999999\n"
    images.within(64_000, "ls", "-lR", image)
    images.within(100_000, "diff", image, image)
