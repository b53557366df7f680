# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that are none, damaged, in use, or of guests that cannot be converted; hosts that lack
something. Each with its words and its exit status, and nothing is lost."""

import gzip
import lzma
import os
import shutil
import signal
import stat
import struct
import subprocess
import zlib

import pytest

import ext4reader
import guests
import images
import runner

FIRST = images.MIB
KMLN = runner.BUILD / "kmln"


@pytest.fixture
def refused(kmln, convert, tmp_path):
    """refused(IMAGE, STATUS, WORDS...): neither inspect (which may name what it sees: inspect=0) nor
    convert take it; convert says why in one line and leaves nothing behind."""
    def call(image, status, *words, inspect=None, options=(), **run):
        before = sorted(os.listdir(tmp_path))
        result = convert(image, "-o", tmp_path / "out.raw", *options, **run)
        assert result.status == status, result
        assert result.out == ""
        last = result.err.splitlines()[-1]
        assert last.startswith("kmln: ") and all(word in last for word in words), result
        assert sorted(os.listdir(tmp_path)) == before
        kmln("inspect", image, expect=status if inspect is None else inspect)
        return result
    return call


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
    refused(tmp_path / "tiny", 3, "not an image of a machine")


def test_folder(refused, tmp_path):
    refused(tmp_path, 3, "not an image: it is neither a file nor a disk")


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


@pytest.mark.parametrize("name, options", [
    ("qcow2", "-f qcow2"), ("vmdk", "-f vmdk"), ("vmdk", "-f vmdk -o subformat=monolithicFlat"),
    ("vdi", "-f vdi"), ("vhdx", "-f vhdx"), ("vhd", "-f vpc"), ("qed", "-f qed")])
def test_other_formats(refused, tmp_path, name, options):
    images.tool("qemu-img", "qemu-utils", "create", *options.split(), tmp_path / "image", "64M")
    refused(tmp_path / "image", 3, f"a {name} image; kmln opens raw images: qemu-img convert -O raw")


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
    refused(disk, 3, "there is no root filesystem to convert", inspect=0)


def test_group_descriptors_gone(refused, box):
    images.poke(box, 2048, b"\xff" * 64)
    refused(box, 3, "box.img: there is no root filesystem to convert: the image as a whole (ext4) is "
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
    """The replay does not mend what is broken beside it."""
    with open(killed, "rb") as file:
        data = file.read()
    # a folder's name is made one of no inode, in place: nothing of it is in the journal
    at = data.index(b"default.script\0") if b"default.script\0" in data else data.index(b"ctrlaltdel")
    assert at
    images.poke(killed, 1024 + 0x3a, struct.pack("<H", 2))
    before = images.fingerprint(killed)
    result = refused(killed, 3, "killed.img: ", inspect=3)
    assert "superblock" in result.err
    assert images.fingerprint(killed) == before


# --- in use

@pytest.mark.boot
def test_in_use_by_uml(convert, box, tmp_path):
    runner.need_program("linux.uml", "user-mode-linux")
    log = tmp_path / "log"
    with images.uml(box, log, "init=/bin/sleep"):
        images.wait_for_lock(box)
        run = convert(box, "-o", tmp_path / "out.raw", expect=1)
        assert f"{box}: in use: a running machine (UML, QEMU) or another kmln has it open" in run.err
    assert not (tmp_path / "out.raw").exists()


def test_in_use_by_qemu(convert, box, tmp_path):
    with images.qemu(box):
        run = convert(box, "-o", tmp_path / "out.raw", expect=1)
        assert f"{box}: in use: a running machine (UML, QEMU) or another kmln has it open" in run.err
    assert not (tmp_path / "out.raw").exists()
    # one that only reads is no hindrance
    with images.qemu(box, ",snapshot=on"):
        convert(box, "-o", tmp_path / "out.raw", expect=0)


@pytest.mark.boot
def test_locked_while_converting(small_home, box, tmp_path):
    """As long as kmln reads the image, no machine can write to it; another kmln can read it."""
    uml = runner.need_program("linux.uml", "user-mode-linux")
    env = {**os.environ, "KMLN_HOME": os.fspath(small_home)}
    out = tmp_path / "out.raw"
    with subprocess.Popen([KMLN, "convert", box, "--to", "kvm", "-o", out], env=env,
                          stderr=subprocess.DEVNULL) as first:
        images.wait_for_lock(box)
        first.send_signal(signal.SIGSTOP)
        try:
            machine = runner.run([uml, "mem=32M", f"ubd0={box}", "root=/dev/ubda", "con0=null,fd:1",
                                  "con=none", "ssl=none"], timeout=30, env={"TMPDIR": tmp_path})
            assert machine.status != 0 and f"Failed to lock '{box}'" in machine.out + machine.err
            machine = runner.run(images.qemu_argv(box), timeout=30)
            assert machine.status == 1 and "Failed to get \"write\" lock" in machine.err
            runner.run([KMLN, "convert", box, "--to", "kvm", "-o", tmp_path / "second.raw"],
                       env={"KMLN_HOME": small_home}, expect=0)
            assert first.poll() is None
        finally:
            first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 0
    assert images.clean(out, FIRST)
    # and afterwards it is free
    with images.qemu(box):
        pass


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
        refused(image, 3, "there is no root filesystem to convert", f"{where} ({name})", words, inspect=0)
        shown = kmln("inspect", image, expect=0).out
        assert name in shown and words in shown


def test_swap_only(kmln, refused, tmp_path):
    with open(tmp_path / "swap", "wb") as file:
        file.truncate(4 << 20)
    images.tool("mkswap", "util-linux", "-q", tmp_path / "swap")
    refused(tmp_path / "swap", 3, "there is no root filesystem to convert", "(swap)", inspect=0)


def test_data_only(refused, tmp_path):
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", tmp_path / "data", "8M")
    refused(tmp_path / "data", 3, "there is no root filesystem to convert", "without /etc and programs",
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
    refused(gpt, 3, "the disk has a GPT and no boot loader", inspect=0)


def test_no_gap(refused, guest, tmp_path):
    """Old tables let the first partition begin at sector 63."""
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw", first_sector=63)
    refused(disk, 3, "only 32256 bytes are free in front of the first partition; GRUB needs", inspect=0)


def test_own_loader(refused, box, tmp_path):
    """A GRUB of the guest's own would go on starting the kernel it knows."""
    images.debugfs(box, "mkdir /boot/grub")
    images.put(box, "/boot/grub/grub.cfg", "menuentry Debian {\n}\n")
    disk = guests.partitioned(box, tmp_path / "disk.raw")
    images.poke(disk, 0x180, b"GRUB ")
    refused(disk, 3, "boots by a grub of its own, which would not start a kernel that kmln puts in",
            inspect=0)


# --- links that lead out of the guest

@pytest.fixture
def host_folder(tmp_path):
    """A folder of the host that must stay as it is."""
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "fstab").write_text("the host's\n")
    (folder / "boot").mkdir()
    (folder / "lib").mkdir()
    (folder / "lib/modules").mkdir()

    def look():
        return sorted((os.fspath(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))
    before = look()
    yield folder
    assert look() == before
    assert (folder / "fstab").read_text() == "the host's\n"


def outward(path, way):
    return os.fspath(path) if way == "absolute" else "../../../../.." + os.fspath(path)


ways = pytest.mark.parametrize("way", ["absolute", "relative"])


def as_systemd(image):
    """A guest that needs a line for / in its fstab; busybox does without."""
    images.debugfs(image, "rm /sbin/init", "mkdir /lib/systemd", "symlink /sbin/init /lib/systemd/systemd")
    images.put(image, "/lib/systemd/systemd", b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00", 0o755)


@ways
def test_fstab_out_of_the_guest(refused, box, host_folder, way):
    images.debugfs(box, "rm /etc/fstab", f"symlink /etc/fstab {outward(host_folder / 'fstab', way)}")
    as_systemd(box)
    refused(box, 3, "in the guest, /etc/fstab leads nowhere", "mend that link first", inspect=0)


@ways
@pytest.mark.parametrize("name", ["boot", "lib"])
def test_folders_out_of_the_guest(refused, box, host_folder, way, name):
    images.debugfs(box, *(["rmdir /lib/modules"] if name == "lib" else []), f"rmdir /{name}",
                   f"symlink /{name} {outward(host_folder / name, way)}")
    refused(box, 3, f"in the guest, /{name} leads nowhere", "mend that link first", inspect=0)


@ways
def test_links_resolved_in_the_guest(convert, box, host_folder, tmp_path, way):
    """The same names exist in the guest: there the files are changed and put, and GRUB finds them."""
    inside = [f"mkdir {folder}" for folder in
              (*(os.fspath(p) for p in reversed(host_folder.parents[:-1]) if os.fspath(p) != "/tmp"),
               host_folder, host_folder / "boot", host_folder / "lib", host_folder / "lib/modules")]
    images.debugfs(box, *inside, "rmdir /boot", "rmdir /lib/modules", "rmdir /lib",
                   f"symlink /boot {outward(host_folder / 'boot', way)}",
                   f"symlink /lib {outward(host_folder / 'lib', way)}", "rm /etc/fstab",
                   f"symlink /etc/fstab {outward(host_folder / 'fstab', way)}")
    images.put(box, f"{host_folder}/fstab", "/dev/ubda / ext4 defaults 0 1\n")
    out = tmp_path / "out.raw"
    convert(box, "-o", out, expect=0)
    assert images.clean(out, FIRST)
    assert convert(out, "--dry-run", expect=0).out == "nothing to do\n"
    new = ext4reader.read(out, FIRST)
    assert new[b"/boot"].type == new[b"/lib"].type == new[b"/etc/fstab"].type == "link"
    below = [os.fsdecode(path) for path in new]
    assert any(path.startswith(f"{host_folder}/boot/vmlinuz-") for path in below)
    assert any(path.startswith(f"{host_folder}/lib/modules/6") for path in below)
    fstab = images.tool("debugfs", "e2fsprogs", "-R", f"cat {host_folder}/fstab", f"{out}?offset={FIRST}")
    assert fstab.startswith(b"UUID=")
    assert images.tool("grub-fstest", "grub-common", out, "cat",
                       "(loop0,msdos1)/boot/grub/grub.cfg").startswith(b"# Written by kmln")


@pytest.mark.parametrize("link, target, made", [
    ("/boot", "srv", "/srv/grub/grub.cfg"), ("/boot", "../../../var/boot", "/var/boot/grub/grub.cfg"),
    ("/lib", "/usr/lib", "/usr/lib/modules")])
def test_link_to_a_folder_not_made_yet(convert, box, tmp_path, link, target, made):
    """The folder is made where the link points, and all that goes below it lands there."""
    images.debugfs(box, *(["rmdir /lib/modules"] if link == "/lib" else []), f"rmdir {link}",
                   f"symlink {link} {target}")
    out = tmp_path / "out.raw"
    convert(box, "-o", out, expect=0)
    assert images.clean(out, FIRST)
    assert convert(out, "--dry-run", expect=0).out == "nothing to do\n"
    new = ext4reader.read(out, FIRST)
    assert new[link.encode()].type == "link"
    assert made.encode() in new


def test_no_boot_and_no_lib(convert, box, tmp_path):
    images.debugfs(box, "rmdir /boot", "rmdir /lib/modules", "rmdir /lib")
    out = tmp_path / "out.raw"
    convert(box, "-o", out, expect=0)
    assert images.clean(out, FIRST)
    assert b"/boot/grub/grub.cfg" in ext4reader.read(out, FIRST)


@pytest.mark.parametrize("link", ["/boot", "/lib", "/boot/grub"])
def test_loops(refused, box, link):
    images.debugfs(box, *{"/lib": ["rmdir /lib/modules", "rmdir /lib"], "/boot": ["rmdir /boot"],
                          "/boot/grub": []}[link],
                   f"symlink {link} {os.path.basename(link)}")
    refused(box, 3, f"in the guest, {link}", "leads nowhere", "Too many levels of symbolic links",
            inspect=0)


@pytest.mark.parametrize("path", ["/boot", "/boot/grub", "/lib/modules"])
def test_files_in_the_way(refused, box, path):
    images.debugfs(box, *{"/boot": ["rmdir /boot"], "/boot/grub": [],
                          "/lib/modules": ["rmdir /lib/modules"]}[path])
    images.put(box, path, b"in the way")
    refused(box, 3, f"in the guest, {path} is not a folder", inspect=0)


@pytest.mark.parametrize("padding, words", [(b"\0" * 100, "it is no text: a NUL byte is in it"),
                                            (b"#" * (2 << 20), "it is too long")], ids=["nul", "long"])
def test_fstab_that_cannot_be_read(refused, box, padding, words):
    """What cannot be read as a whole is not written again without its end."""
    as_systemd(box)
    images.put(box, "/etc/fstab", b"/dev/ubda / ext4 defaults 0 1\n" + padding)
    refused(box, 3, f"in the guest, /etc/fstab cannot be read: {words}", inspect=0)


def test_hostile_names_in_messages(convert, box, tmp_path):
    """A guest's bytes in errors and plans do not steer the terminal."""
    evil = "\x1b]0;owned\x07\x1b[2J"
    for commands, files, status in (
            (["rmdir /boot", f"symlink /boot /{evil}/boot"], {}, 3),
            ([], {"/etc/fstab": "# \x1b]0;owned\n/dev/ubda / ext4 \x1b[2J 0 1\n"}, 0)):
        image = guests.copy(box, f"{box}.evil")
        images.debugfs(image, *commands)
        for path, content in files.items():
            images.put(image, path, content)
        run = convert(image, "--dry-run", expect=status)
        assert "\\x1b]0;owned" in run.out + run.err
        for line in (run.out + run.err).split("\n"):
            assert all(c == "\t" or c.isprintable() for c in line), repr(line)


# --- the output

def test_output_is_the_image(convert, box, tmp_path):
    before = images.fingerprint(box)
    os.link(box, tmp_path / "hard")
    os.symlink(box, tmp_path / "soft")
    for name in (box, tmp_path / "hard", tmp_path / "soft"):
        for force in ([], ["--force"]):
            run = convert(box, "-o", name, *force, expect=2)
            assert "would be written over itself" in run.err
    assert images.fingerprint(box)[0:2] == before[0:2]


def test_output_in_no_folder(convert, box, tmp_path):
    run = convert(box, "-o", tmp_path / "no/where/out.raw", expect=1)
    assert f"kmln: {tmp_path}/no/where/out.raw: No such file or directory\n" in run.err
    (tmp_path / "file").touch()
    run = convert(box, "-o", tmp_path / "file/out.raw", expect=1)
    assert "Not a directory" in run.err


def test_output_is_no_file(convert, box, tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    os.symlink("nowhere", tmp_path / "link")
    for name in ("folder", "fifo", "link"):
        for force in ([], ["--force"]):
            run = convert(box, "-o", tmp_path / name, *force, expect=1)
            assert f"{tmp_path / name} is there already" in run.err
    assert sorted(os.listdir(tmp_path)) == ["box.img", "fifo", "folder", "link"]


def test_output_folder_closed(kmln, guest, ordinary_user):
    image = ordinary_user.give(guest("busybox"), "guest.img")
    run = kmln("convert", image, "--to", "kvm", "-o", "/usr/out.raw", user=ordinary_user,
               env={"KMLN_HOME": ordinary_user.home})
    # without a kernel it may not come that far
    assert run.status in (1, 5) and not os.path.exists("/usr/out.raw")


def in_namespace(script, *argv, home=None, **options):
    """Runs kmln with these arguments after a shell script, as root of a mount namespace."""
    runner.need_program("unshare", "util-linux")
    maybe = [] if os.geteuid() == 0 else ["--map-root-user"]
    return runner.run(["unshare", "-m", *maybe, "sh", "-c", f'set -e\n{script}\nexec "$@"', "sh", KMLN, *argv],
                      env={"KMLN_HOME": home}, timeout=120, **options)


@pytest.mark.parametrize("megabytes", [1, 6, 12, 16])
def test_disk_full(small_home, box, tmp_path, megabytes):
    """At whatever point the disk is full, it is said, and the room is given back."""
    full = tmp_path / "full"
    full.mkdir()
    script = f"mount -t tmpfs -o size={megabytes}M none {full}\n" \
        '"$@" && exit 0; status=$?; ls -A ' f"{full}; df --output=used {full} | tail -n 1; exit $status"
    run = in_namespace(script, "convert", box, "--to", "kvm", "-o", full / "out.raw", home=small_home,
                       expect=1)
    assert "No space left on device" in run.err, run
    assert run.err.splitlines()[-1].startswith(f"kmln: {full}/out.raw: ")
    assert run.out.split() == ["0"]


def test_file_size_limit(small_home, box, tmp_path):
    run = in_namespace("trap '' XFSZ; ulimit -f 10000", "convert", box, "--to", "kvm", "-o",
                       tmp_path / "out.raw", home=small_home, expect=1)
    assert "File too large" in run.err
    assert os.listdir(tmp_path) == ["box.img"]


# --- the host lacks something

HIDE_KERNELS = ("for folder in /boot /lib/modules; do [ ! -d $folder ] || "
                "mount -t tmpfs none $folder; done")


def test_no_kernel(box, tmp_path):
    """No kit, no kernel of the host, and a guest that knows no archive."""
    run = in_namespace(HIDE_KERNELS, "convert", box, "--to", "kvm", "-o", tmp_path / "out.raw",
                       home=tmp_path / "home", expect=5)
    assert "no kernel is in the guest, the cache or the host" in run.err and "--kernel" in run.err
    images.debugfs(box, "mkdir /var/lib/dpkg", "mkdir /etc/apt")
    images.put(box, "/var/lib/dpkg/status", "Package: x\nVersion: 1\n")
    for sources in ("", "deb file:/etc x main\n"):
        images.put(box, "/etc/apt/sources.list", sources)
        run = in_namespace(HIDE_KERNELS, "convert", box, "--to", "kvm", "-o", tmp_path / "out.raw",
                           home=tmp_path / "home", expect=5)
        assert "no kernel was to be had from the guest's package archives (give one by --kernel): " \
            "the guest names no package archive that can be reached" in run.err
    assert not (tmp_path / "out.raw").exists()


@pytest.mark.parametrize("program, package, options", [
    ("grub-mkimage", "grub-common", []), ("e2fsck", "e2fsprogs", []),
    ("resize2fs", "e2fsprogs", ["--size", "128M"])])
def test_tool_missing(small_home, box, tmp_path, program, package, options):
    """What is in no folder of programs, kmln's own places included."""
    full = runner.need_program(program, package)
    (tmp_path / "no program").touch()
    run = in_namespace(f"mount --bind '{tmp_path}/no program' {os.path.realpath(full)}", "convert", box,
                       "--to", "kvm", "-o", tmp_path / "out.raw", *options, home=small_home, expect=5)
    assert run.err.endswith(f"{program} is not installed (Debian package {package})\n")
    assert sorted(os.listdir(tmp_path)) == ["box.img", "no program"]


def test_grub_images_missing(small_home, box, tmp_path):
    run = in_namespace("mount -t tmpfs none /usr/lib/grub/i386-pc", "convert", box, "--to", "kvm", "-o",
                       tmp_path / "out.raw", home=small_home, expect=5)
    assert "Debian package grub-pc-bin" in run.err


# --- the command line

@pytest.mark.parametrize("args, words", [
    (["convert"], "convert: needs IMAGE"),
    (["convert", "IMAGE"], "for which platform? --to kvm"),
    (["convert", "IMAGE", "--to", "kvm"], "into which file? -o OUT, or --dry-run"),
    (["convert", "IMAGE", "--to", "vmware", "-n"], "vmware"),
    (["convert", "IMAGE", "--to", "uml", "-n"], "uml"),
    (["convert", "IMAGE", "--to", "kvm", "-o"], "output"),
    (["convert", "IMAGE", "--to", "kvm", "-n", "--size", "big"], "'big' is not a size"),
    (["convert", "IMAGE", "--to", "kvm", "-n", "--size", "99999999999T"], "size"),
    (["convert", "IMAGE", "other", "--to", "kvm", "-n"], "one argument too many"),
    (["convert", "IMAGE", "--to", "kvm", "--nosuch"], "nosuch"),
    (["inspect"], "inspect: needs IMAGE"),
    (["inspect", "IMAGE", "IMAGE"], "one argument too many"),
    (["inspect", "IMAGE", "--format", "xml"], "xml"),
    (["kernel"], "kernel: needs"), (["kernel", "remove"], "list or add, not 'remove'"),
    (["kernel", "add"], "which .deb file or folder?"), (["kernel", "list", "x"], "takes no argument")])
def test_command_line(kmln, box, args, words):
    run = kmln(*[box if arg == "IMAGE" else arg for arg in args], expect=2)
    assert words in run.err and run.out == ""
