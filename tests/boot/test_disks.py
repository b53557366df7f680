# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln boot --disk: further disks of a machine, on User-Mode Linux and in QEMU, of whatever format."""

import gzip
import hashlib
import os
import signal
import subprocess

import pytest

import formats
import guests
import images
import machines
import runner

pytestmark = pytest.mark.boot

SIZE = images.MIB


@pytest.fixture
def box(guest, tmp_path):
    runner.need_program("linux.uml", "user-mode-linux")
    return guests.copy(guest("busybox"), tmp_path / "box.img")


@pytest.fixture
def disks(tmp_path):
    """Three that say which they are: raw, qcow2, and a VMDK of two files."""
    made = []
    for name, kind in (("one", "raw"), ("two", "qcow2"), ("three", "vmdk-flat")):
        raw = tmp_path / f"{name}.raw"
        raw.write_bytes(f"disk {name}\n".encode().ljust(SIZE, b"\0"))
        made.append(raw if kind == "raw" else formats.converted(
            raw, tmp_path / f"{name}.{kind.split('-')[0]}", kind))
    return made


def given(disks):
    return [word for disk in disks for word in ("--disk", disk)]


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def written(disk, tmp_path):
    """What stands in the second sector, read by others' code."""
    flat = tmp_path / "flat.raw"
    formats.qemu_img("convert", "-O", "raw", disk, flat)
    return images.peek(flat, 512, 8)


# The guest says what it finds on each disk, and writes its name for it behind that.
LOOK = ("for d in {}; do echo \"$d: $(head -n 1 /dev/$d)\"; "
        "printf 'mine %s' $d | dd of=/dev/$d bs=512 seek=1 2>/dev/null; done; sync; echo looked $((1+1))")


def looks(kmln, on, image, disks, names, *options, **more):
    run = kmln("boot", "--on", on, image, *given(disks), *options, "--until", guests.READY, "--send",
               LOOK.format(" ".join(names)), "--until", "^looked 2", "--timeout", "150", timeout=200, expect=0, **more)
    for name, number in zip(names, ("one", "two", "three")):
        assert f"{name}: disk {number}\n" in run.out.replace("\r", ""), run
    return run


@pytest.mark.parametrize("first", ["raw", "qcow2"])
def test_uml(kmln, box, disks, tmp_path, first):
    """Raw ones as they are, the others by one daemon, which also serves a first disk that is not raw."""
    image = box if first == "raw" else formats.converted(box, tmp_path / "box.qcow2", "qcow2")
    names = ["ubdb", "vda", "vdb"] if first == "raw" else ["ubdb", "vdb", "vdc"]
    before = digests(tmp_path)
    looks(kmln, "uml", image, disks, names, "--snapshot")
    assert digests(tmp_path) == before
    looks(kmln, "uml", image, disks, names)
    assert [written(disk, tmp_path) for disk in disks] == [b"mine " + name.encode()[:3] for name in names]


def test_qemu(kmln, box, guest, disks, tmp_path):
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    kernel, initramfs = machines.qemu_kernel(guest("kernel"), tmp_path)
    names = ["vdb", "vdc", "vdd"]
    before = digests(tmp_path)
    looks(kmln, "qemu", box, disks, names, "--snapshot", "--kernel", kernel, "--initramfs", initramfs)
    assert digests(tmp_path) == before
    looks(kmln, "qemu", box, disks, names, "--kernel", kernel, "--initramfs", initramfs)
    assert [written(disk, tmp_path) for disk in disks] == [b"mine " + name.encode() for name in names]


def test_ordinary_user(ordinary_user, box, disks, tmp_path):
    image = ordinary_user.give(box)
    own = [ordinary_user.give(disk) for disk in disks[:2]]
    run = runner.run([ordinary_user.kmln, "boot", "--on", "uml", image, *given(own), "--until", guests.READY,
                      "--send", LOOK.format("ubdb vda"), "--until", "^looked 2", "--timeout", "60"],
                     user=ordinary_user, timeout=90)
    assert run.status == 0 and "vda: disk two" in run.out, run


def test_a_daemon_that_is_killed_ends_the_machine(box, disks, tmp_path):
    """Also where it serves a further disk alone."""
    log = tmp_path / "console"
    with open(log, "wb") as out, open(tmp_path / "err", "wb") as err:
        child = subprocess.Popen([runner.BUILD / "kmln", "boot", "--on", "uml", box, "--disk", disks[1]],
                                 stdin=subprocess.PIPE, stdout=out, stderr=err)
    try:
        machines.wait_for(machines.ready(log), "the guest")
        below = machines.descendants(child.pid)
        daemon, = formats.daemons(child.pid)
        os.kill(daemon, signal.SIGKILL)
        assert child.wait(timeout=20) == 1
        assert "the machine has lost its disk" in (tmp_path / "err").read_text()
        assert not machines.left_over(below)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        child.stdin.close()


def test_refused(kmln, box, disks, tmp_path):
    """Each in words, and nothing is written."""
    overlay = tmp_path / "over.qcow2"
    formats.qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", disks[0], overlay)
    fixed = formats.converted(disks[0], tmp_path / "fixed.vhd", "vhd-fixed")
    link = tmp_path / "link.raw"
    link.symlink_to(disks[0])
    (tmp_path / "packed").write_bytes(gzip.compress(bytes(1 << 20)))
    before = digests(tmp_path)
    for options, status, words in (
            (given([tmp_path / "nowhere"]), 1, "nowhere: No such file"),
            (given([box]), 2, "it is a disk of this machine already"),
            (given([disks[0], link]), 2, "it is a disk of this machine already"),
            (given([overlay]), 3, "--allow-backing"),
            (given([fixed]), 3, "a fixed VHD"),
            (given([tmp_path / "packed"]), 3, "compressed (gzip)"),
            (given([tmp_path]), 3, "neither a file nor a disk"),
            (given(disks * 6), 2, "more than 15")):
        run = kmln("boot", "--on", "uml", box, *options, "--until", "x", expect=status)
        assert words in run.err, run
    assert digests(tmp_path) == before
    run = kmln("boot", "--on", "xen", box, *given([disks[1]]), "--until", "x", expect=2)
    assert "it reads raw images only" in run.err, run
    with formats.held(disks[1], "qcow2"):
        run = kmln("boot", "--on", "uml", box, *given([disks[1]]), "--until", "x", expect=1)
        assert "in use" in run.err, run


def test_dry_run(kmln, box, disks):
    """Nobody's path stands in a machine's command line, and --allow-backing holds for further disks too."""
    for on in ("uml", "qemu"):
        run = kmln("boot", "--on", on, "--dry-run", "--kernel" if on == "qemu" else "--append",
                   "/bin/true" if on == "qemu" else "quiet", box, *given(disks), expect=0)
        command = run.out.replace(" \\\n", " ")
        lines = [line for line in command.splitlines() if "linux.uml" in line or "qemu-system" in line]
        assert lines
        assert (" ubd1d=/kmln/disk1 virtio_uml.device=/kmln/served/disk1:2 virtio_uml.device=/kmln/served/disk2:2"
                if on == "uml" else "file=/kmln/disk1,file.locking=on") in " ".join(command.split())


@pytest.mark.slow
def test_debian_mounts_it(kmln, guest, tmp_path):
    """A guest whose fstab wants a disk beside its root: without it it is not up, with it its files are
    there."""
    runner.need_program("linux.uml", "user-mode-linux")
    image = guests.copy(guest("systemd"), tmp_path / "guest.img")
    tree = tmp_path / "home"
    tree.mkdir()
    (tree / "letter").write_text("dear diary\n")
    home = tmp_path / "home.img"
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-L", "letters", "-d", tree, home, "16M")
    home = formats.converted(home, tmp_path / "home.qcow2", "qcow2")
    fstab = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/fstab", image).decode()
    images.put(image, "/etc/fstab", f"{fstab}LABEL=letters /srv ext4 defaults 0 2\n")
    guests.patient(image)
    kmln("boot", "--on", "uml", image, "--disk", home, "--timeout", "300", "--until", "login: ", "--send", "root",
         "--until", "Password: ", "--send", guests.ROOT_PASSWORD, "--until", ":~# ", "--send",
         "stty -echo; dmesg -n 1; PS1='ready> '", "--until", "^ready> $", "--send", "cat /srv/letter",
         "--until", "^dear diary",
         timeout=350, expect=0)
