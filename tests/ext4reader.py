# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads ext2, ext3 and ext4 without libext2fs, to prove that a conversion changed nothing but what its
plan names: kmln itself stands on libext2fs, so a proof must not.

    objects = read(IMAGE, offset=0)           {path as bytes: Object}
    changed(before, after) -> Difference      added, removed and changed paths, with what changed

All of an object that a user can see is compared: type, mode, owner, size, times with nanoseconds and
epoch, link target, device numbers, extended attributes (ACLs and capabilities are such), flags, number
of links and which names are one inode, the map of holes, and the SHA-256 of the content. Not
compared: inode numbers, block numbers, atime, ctime (both change when nothing was changed) and crtime.

Read-only, for clean filesystems: a journal that must be replayed is refused. Directories are read
linearly, also indexed ones. Inline data and block maps are known; encrypted and compressed are not."""

import hashlib
import struct
from dataclasses import dataclass, field

NAMED_TYPES = {0x1: "fifo", 0x2: "char", 0x4: "folder", 0x6: "block", 0x8: "file", 0xa: "link",
               0xc: "socket"}
ROOT_INODE = 2
# what says how an object is stored, and not what it is: indexed folder, big file, extents, inline
STORAGE_FLAGS = 0x1000 | 0x40000 | 0x80000 | 0x10000000
XATTR_PREFIXES = {1: b"user.", 2: b"system.posix_acl_access", 3: b"system.posix_acl_default",
                  4: b"trusted.", 6: b"security.", 7: b"system.", 8: b"system.richacl"}


class BadImage(Exception):
    """Not a filesystem that this reader understands."""


@dataclass
class Object:
    type: str
    mode: int
    uid: int
    gid: int
    links: int
    mtime: int  # nanoseconds since 1970
    flags: int
    size: int = 0
    target: bytes | None = None  # of a link
    device: tuple | None = None  # major and minor
    sha256: str | None = None  # of a file's content
    holes: int = 0  # bytes of a file that are in no block
    xattrs: dict = field(default_factory=dict)
    names: tuple = ()  # all paths of this inode, when there are several

    def differences(self, other):
        """The names of the fields in which two objects differ."""
        return [name for name in self.__dataclass_fields__
                if getattr(self, name) != getattr(other, name)]


@dataclass
class Difference:
    added: set
    removed: set
    changed: dict  # path: names of fields

    def __bool__(self):
        return bool(self.added or self.removed or self.changed)


_BEHIND = {}  # (digest of what was before, zeros): state of the sum


def _behind_zeros(digest, length):
    """The sum of what was summed and `length` zeros. Gigabytes of them are summed once: the images of
    a test hold the same sparse files."""
    zeros = bytes(1 << 20)
    key = digest.digest(), length
    if key in _BEHIND:
        return _BEHIND[key].copy()
    for at in range(0, length, len(zeros)):
        digest.update(zeros[:length - at])
    if length >= 1 << 28:
        _BEHIND[key] = digest.copy()
    return digest


def changed(before, after):
    """What differs between two results of read()."""
    return Difference(
        added=after.keys() - before.keys(),
        removed=before.keys() - after.keys(),
        changed={path: fields for path in before.keys() & after.keys()
                 if (fields := before[path].differences(after[path]))})


def read(image, offset=0):
    """All objects of the filesystem that starts at byte `offset` of the image."""
    with open(image, "rb") as file:
        return Filesystem(file, offset).walk()


class Filesystem:
    """One open filesystem. `label`, `uuid` and `free_blocks` are there to be asked."""

    def __init__(self, file, offset=0):
        self.file, self.offset = file, offset
        sb = self._bytes(1024, 1024)
        if len(sb) < 1024 or struct.unpack_from("<H", sb, 56)[0] != 0xef53:
            raise BadImage("no ext superblock")
        self.block_size = 1024 << struct.unpack_from("<I", sb, 24)[0]
        self.inodes_per_group, = struct.unpack_from("<I", sb, 40)
        self.incompat, = struct.unpack_from("<I", sb, 96)
        self.inode_size = struct.unpack_from("<H", sb, 88)[0] if struct.unpack_from("<I", sb, 76)[0] \
            else 128
        self.uuid = sb[104:120].hex()
        self.label = sb[120:136].rstrip(b"\0")
        first_data_block, = struct.unpack_from("<I", sb, 20)
        if self.incompat & 0x4:
            raise BadImage("the journal must be replayed first")
        if self.incompat & (0x1 | 0x8 | 0x10000):
            raise BadImage("compressed, encrypted, or a journal alone")
        if self.incompat & 0x10:
            raise BadImage("meta_bg is not known here")
        is_64 = bool(self.incompat & 0x80)
        self.free_blocks = struct.unpack_from("<I", sb, 12)[0] | (
            struct.unpack_from("<I", sb, 0x158)[0] << 32 if is_64 else 0)
        self.descriptor_size = struct.unpack_from("<H", sb, 0xfe)[0] if is_64 else 32
        self.descriptors = (first_data_block + 1) * self.block_size
        self.is_64 = is_64

    # --- bytes and inodes

    def _bytes(self, at, size):
        self.file.seek(self.offset + at)
        return self.file.read(size)

    def _block(self, number):
        return self._bytes(number * self.block_size, self.block_size)

    def _inode(self, number):
        group, index = divmod(number - 1, self.inodes_per_group)
        descriptor = self._bytes(self.descriptors + group * self.descriptor_size,
                                 self.descriptor_size)
        table, = struct.unpack_from("<I", descriptor, 8)
        if self.is_64 and self.descriptor_size >= 64:
            table |= struct.unpack_from("<I", descriptor, 40)[0] << 32
        return self._bytes(table * self.block_size + index * self.inode_size, self.inode_size)

    # --- where the content is: (first logical block, count, physical block) in order; holes left out

    def _extents(self, node, depth_limit=6):
        magic, count, _, depth = struct.unpack_from("<HHHH", node, 0)
        if magic != 0xf30a or depth_limit < 0:
            raise BadImage("bad extent node")
        for i in range(count):
            if depth:
                _, low, high = struct.unpack_from("<IIH", node, 12 + 12 * i)
                yield from self._extents(self._block(low | high << 32), depth_limit - 1)
            else:
                logical, length, high, low = struct.unpack_from("<IHHI", node, 12 + 12 * i)
                if length <= 32768:
                    # longer ones are allocated and not written: they read as zeros
                    yield logical, length, low | high << 32
                else:
                    yield logical, length - 32768, None

    def _mapped(self, pointers, level, first):
        """The old block map: pointers of one block of level `level`."""
        span = (self.block_size // 4) ** level
        for i, pointer in enumerate(pointers):
            if not pointer:
                continue
            if level == 0:
                yield first + i, 1, pointer
            else:
                below = struct.unpack(f"<{self.block_size // 4}I", self._block(pointer))
                yield from self._mapped(below, level - 1, first + i * span)

    def _runs(self, inode):
        flags, = struct.unpack_from("<I", inode, 32)
        if flags & 0x80000:
            yield from self._extents(inode[40:100])
            return
        pointers = struct.unpack_from("<15I", inode, 40)
        per = self.block_size // 4
        yield from self._mapped(pointers[:12], 0, 0)
        yield from self._mapped(pointers[12:13], 1, 12)
        yield from self._mapped(pointers[13:14], 2, 12 + per)
        yield from self._mapped(pointers[14:15], 3, 12 + per + per * per)

    def _inline(self, inode):
        """The content of an inode that holds it itself."""
        return inode[40:100] + self._xattrs(inode).get(b"system.data", b"")

    def _pieces(self, inode, size):
        """The content as (offset, bytes or None for written zeros); what no piece covers is a hole."""
        if struct.unpack_from("<I", inode, 32)[0] & 0x10000000:
            yield 0, self._inline(inode)[:size]
            return
        bs = self.block_size
        for logical, count, physical in self._runs(inode):
            for at in range(0, count * bs, 1 << 20):
                start = logical * bs + at
                length = min(1 << 20, count * bs - at, size - start)
                if length <= 0:
                    break
                if physical is None:
                    yield start, bytes(length)
                else:
                    yield start, self._bytes(physical * bs + at, length)

    def content(self, inode, size):
        data = bytearray(size)
        for start, piece in self._pieces(inode, size):
            data[start:start + len(piece)] = piece
        return bytes(data)

    def _digest(self, inode, size):
        """SHA-256 of the content, and how many bytes are holes."""
        digest, at, holes = hashlib.sha256(), 0, 0

        def skip(length):
            nonlocal digest
            digest = _behind_zeros(digest, length)

        for start, piece in self._pieces(inode, size):
            if start < at:
                raise BadImage("extents out of order")
            holes += start - at
            skip(start - at)
            digest.update(piece)
            at = start + len(piece)
        holes += size - at
        skip(size - at)
        return digest.hexdigest(), holes

    # --- extended attributes

    def _entries(self, area, first, base):
        """Entries from `first` on in area; values count from `base`."""
        at = first
        while at + 16 <= len(area) and area[at:at + 4] != b"\0\0\0\0":
            length, index, value_at, value_inode, size, _ = struct.unpack_from("<BBHIII", area, at)
            name = XATTR_PREFIXES.get(index, b"") + area[at + 16:at + 16 + length]
            if value_inode:
                stored = self._inode(value_inode)
                value = self.content(stored, size)
            else:
                value = area[base + value_at:base + value_at + size]
            yield name, value
            at += (16 + length + 3) & ~3

    def _xattrs(self, inode):
        found = {}
        if self.inode_size > 128:
            start = 128 + struct.unpack_from("<H", inode, 128)[0]
            if inode[start:start + 4] == b"\0\0\x02\xea":
                found.update(self._entries(inode, start + 4, start + 4))
        block = struct.unpack_from("<I", inode, 104)[0] | struct.unpack_from("<H", inode, 118)[0] << 32
        if block:
            area = self._block(block)
            if area[:4] != b"\0\0\x02\xea":
                raise BadImage("bad xattr block")
            found.update(self._entries(area, 32, 0))
        return found

    # --- objects

    def _time(self, inode, field_at, extra_at):
        seconds, = struct.unpack_from("<i", inode, field_at)
        if self.inode_size > 128 and struct.unpack_from("<H", inode, 128)[0] + 128 >= extra_at + 4:
            extra, = struct.unpack_from("<I", inode, extra_at)
            return (seconds + ((extra & 3) << 32)) * 10**9 + (extra >> 2)
        return seconds * 10**9

    def object(self, number):
        inode = self._inode(number)
        mode, uid, size, = struct.unpack_from("<HHI", inode, 0)
        gid, links = struct.unpack_from("<HH", inode, 24)
        uid |= struct.unpack_from("<H", inode, 120)[0] << 16
        gid |= struct.unpack_from("<H", inode, 122)[0] << 16
        flags, = struct.unpack_from("<I", inode, 32)
        kind = NAMED_TYPES.get(mode >> 12)
        if not kind:
            raise BadImage(f"inode {number} has mode {mode:o}")
        thing = Object(type=kind, mode=mode & 0o7777, uid=uid, gid=gid, links=links,
                       mtime=self._time(inode, 16, 0x88), flags=flags & ~STORAGE_FLAGS)
        thing.xattrs = {name: value for name, value in self._xattrs(inode).items()
                        if name != b"system.data"}
        if kind == "file":
            thing.size = size | struct.unpack_from("<I", inode, 108)[0] << 32
            thing.sha256, thing.holes = self._digest(inode, thing.size)
        elif kind == "link":
            thing.size = size
            # a short target stands where the block map would be
            short = size < 60 and not flags & 0x10000000 and not flags & 0x80000
            thing.target = inode[40:40 + size] if short else self.content(inode, size)
        elif kind in ("char", "block"):
            old, new = struct.unpack_from("<II", inode, 40)
            if old:
                thing.device = (old >> 8 & 0xff, old & 0xff)
            else:
                thing.device = (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xfff00)
        return thing

    def names(self, number):
        """(name, inode) of a folder, without "." and ".."."""
        inode = self._inode(number)
        size = struct.unpack_from("<I", inode, 4)[0]
        if struct.unpack_from("<I", inode, 32)[0] & 0x10000000:
            data = self._inline(inode)[:size]
            yield from self._dirents(data[4:60])
            yield from self._dirents(data[60:])
            return
        data = self.content(inode, size)
        for at in range(0, size, self.block_size):
            yield from self._dirents(data[at:at + self.block_size])

    @staticmethod
    def _dirents(block):
        at = 0
        while at + 8 <= len(block):
            inode, length, name_length = struct.unpack_from("<IHB", block, at)
            if length == 0 and len(block) == 65536:
                length = 65536
            if length < 8:
                raise BadImage("bad directory entry")
            name = block[at + 8:at + 8 + name_length]
            # index blocks look like one empty entry, checksums like one without a name
            if inode and name_length and name not in (b".", b".."):
                yield name, inode
            at += length

    def walk(self):
        """{path: Object} of the whole tree; b"/" is the root."""
        objects, paths = {}, {}
        todo = [(b"/", ROOT_INODE)]
        while todo:
            path, number = todo.pop()
            first = paths.setdefault(number, [])
            objects[path] = objects[first[0]] if first else self.object(number)
            first.append(path)
            if objects[path].type == "folder":
                if len(first) > 1:
                    raise BadImage("a folder with two names")
                todo += [(path.rstrip(b"/") + b"/" + name, inode)
                         for name, inode in self.names(number)]
        for same in paths.values():
            if len(same) > 1:
                objects[same[0]].names = tuple(sorted(same))
        return objects
