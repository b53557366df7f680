# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests whose links lead out of their root, or nowhere, or in circles: they are resolved in the guest
alone, and the host's files of these names stay as they are. Files that stand in the way."""

import os

import pytest

import ext4reader
import guests
import images

FIRST = images.MIB


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
