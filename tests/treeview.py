# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees for the tests of ls, cat, diff and compare: what others than kmln say of them, and images that
no kernel would make."""

import hashlib
import os
import stat
import struct
import subprocess
from pathlib import Path

import ext4reader
import images

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFCHR: "char",
         stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
FLAGS = {0x10: "immutable", 0x20: "append-only"}
# fields of ext4reader's objects, as kmln diff calls them
WORDS = {"type": "type", "mode": "mode", "uid": "owner", "gid": "owner", "links": "links",
         "mtime": "mtime", "flags": "flags", "size": "size", "target": "target", "device": "device",
         "sha256": "content", "xattrs": "xattrs", "names": "links"}


def shown(name):
    """A name as kmln's JSON has it: what is no UTF-8 is \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def differences(before, after):
    """What kmln diff must say of two results of ext4reader: {path: (change, what)}."""
    found = ext4reader.changed(before, after)
    want = {shown(p): ("added", None) for p in found.added}
    want |= {shown(p): ("removed", None) for p in found.removed}
    for path, fields in found.changed.items():
        what = {WORDS[field] for field in fields if field in WORDS}
        if before[path].type == "folder":
            what.discard("links")
        if "type" in what:
            what = {"type"}
        # where data lies in a file is how it is stored, and a link's size is its target's
        if before[path].type == "link":
            what.discard("size")
        if what:
            want[shown(path)] = ("changed", what)
    return want


def acl(stored):
    """An ACL as getxattr gives it, from the form in which ext4 stores it."""
    assert stored[:4] == struct.pack("<I", 1)
    out, at = struct.pack("<I", 2), 4
    while at < len(stored):
        tag, permissions = struct.unpack_from("<HH", stored, at)
        at += 4
        who = 0xffffffff
        if tag in (2, 8):
            who, = struct.unpack_from("<I", stored, at)
            at += 4
        out += struct.pack("<HHI", tag, permissions, who)
    return out


def xattrs_of(thing):
    """{name: hexadecimal} of an object of ext4reader."""
    return {name.decode(): (acl(value) if name.startswith(b"system.posix_acl") else value).hex()
            for name, value in thing.xattrs.items()}


def expected(thing):
    """What kmln ls --sums --xattrs --format json must say of an object of ext4reader."""
    want = {"type": thing.type, "mode": f"{thing.mode:04o}", "uid": thing.uid, "gid": thing.gid,
            "links": thing.links, "mtime": thing.mtime // 10**9, "mtime_ns": thing.mtime % 10**9,
            "xattrs": xattrs_of(thing)}
    if thing.type == "file":
        want |= {"size": thing.size, "sha256": thing.sha256}
    if thing.target is not None:
        want["target"] = shown(thing.target)
    if thing.device:
        want["major"], want["minor"] = thing.device
    flags = [name for bit, name in FLAGS.items() if thing.flags & bit]
    if flags:
        want["flags"] = flags
    return want


def expected_of_host(path):
    """The same of a file of the host."""
    st = os.lstat(path)
    kind = TYPES[stat.S_IFMT(st.st_mode)]
    want = {"type": kind, "mode": f"{stat.S_IMODE(st.st_mode):04o}", "uid": st.st_uid,
            "gid": st.st_gid, "links": st.st_nlink, "inode": st.st_ino, "size": st.st_size,
            "stored": st.st_blocks * 512, "mtime": st.st_mtime_ns // 10**9,
            "mtime_ns": st.st_mtime_ns % 10**9,
            "xattrs": {name: os.getxattr(path, name, follow_symlinks=False).hex()
                       for name in os.listxattr(path, follow_symlinks=False)}}
    if kind == "file":
        want["sha256"] = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
    if kind == "link":
        want["target"] = shown(os.readlink(path))
    if kind in ("char", "block"):
        want["major"], want["minor"] = os.major(st.st_rdev), os.minor(st.st_rdev)
    return want


def host_paths(root):
    """All that is below a folder, as paths inside it."""
    root = os.fsencode(root)
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            whole = os.path.join(folder, name)
            yield whole[len(root):], whole


def fill(root):
    """A folder with all that any user can make, and every byte that a name can hold."""
    root = os.fsencode(root)
    os.makedirs(root + b"/etc/deep/er")
    for byte in range(1, 256):
        if byte != ord("/"):
            with open(root + b"/etc/byte-%c-" % byte, "wb") as file:
                file.write(bytes([byte]) * byte)
    os.symlink(b"../etc", root + b"/etc/up")
    os.symlink(b"loop-b", root + b"/etc/loop-a")
    os.symlink(b"loop-a", root + b"/etc/loop-b")
    os.symlink(b"/etc/deep", root + b"/absolute")
    os.mkfifo(root + b"/fifo")
    os.link(root + b"/etc/byte-a-", root + b"/etc/deep/second name")
    os.setxattr(root + b"/etc/byte-b-", b"user.one", b"1")
    os.setxattr(root + b"/etc/byte-b-", b"user.bytes", bytes(range(256)))
    os.chmod(root + b"/etc/deep", 0o2770)
    os.chmod(root + b"/etc/byte-c-", 0o4711)
    os.utime(root + b"/etc/deep/er", ns=(0, -1234567891))
    os.utime(root + b"/etc/byte-d-", ns=(0, 4 * 10**18 + 7))
    with open(root + b"/etc/sparse", "wb") as file:
        for at in (0, 5 << 20, (20 << 20) - 1):
            file.seek(at)
            file.write(b"data")
    with open(root + b"/etc/hollow", "wb") as file:
        file.truncate(3 << 20)
    return root


def plain_image(path, size="64M", *options):
    """An empty filesystem without the checksums that would guard it against being written by hand."""
    images.tool("mke2fs", "e2fsprogs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum,^dir_index",
                "-b", "4096", *options, path, size)
    images.debugfs(path, "mkdir etc", "mkdir usr", "mkdir usr/bin")
    return path


def crowded(path, entries):
    """An image whose /etc/many has so many entries, all names of one file. The folder is written as a
    file first: its blocks are made here."""
    plain_image(path, f"{entries * 24 // 1000000 * 2 + 16}M")
    scratch = Path(f"{path}.entries")
    scratch.write_bytes(b"")
    images.debugfs(path, f"write {scratch} etc/one")
    inode = int(images.tool("debugfs", "e2fsprogs", "-R", "stat etc/one", path)
                .split(b"Inode: ")[1].split()[0])
    per_block = 4096 // 24
    with open(scratch, "wb") as file:
        for first in range(0, entries, per_block):
            block = bytearray()
            for number in range(first, min(first + per_block, entries)):
                # names are neither in order nor of one length
                name = b"n%d" % (number * 7919 % entries)
                block += struct.pack("<IHBB", inode, 24, len(name), 1) + name.ljust(16, b"\0")
            last = len(block) - 24
            struct.pack_into("<H", block, last + 4, 4096 - last)
            file.write(block.ljust(4096, b"\0"))
    images.debugfs(path, f"write {scratch} etc/many", "sif etc/many mode 040755",
                   "sif etc/one links_count 60000")
    scratch.unlink()
    return path


def block_of(image, path):
    """Where the first block of an object begins."""
    first = images.tool("debugfs", "e2fsprogs", "-R", f"blocks {path}", image).split()[0]
    return int(first) * int(images.superblock(image)["Block size"])


def copy_tree(source, to):
    """A copy with everything that the host can keep."""
    subprocess.run(["cp", "-a", "--sparse=always", os.fsdecode(source) + "/.", to], check=True)
    return to
