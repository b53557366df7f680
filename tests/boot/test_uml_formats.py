# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks of other platforms on User-Mode Linux, as they are: raw ones by their partition, all others
through a storage daemon. Nothing is converted."""

import hashlib
import os
import signal
import subprocess
import time

import pytest

import formats
import guests
import images
import machines
import runner

pytestmark = pytest.mark.boot


@pytest.fixture
def disk(guest, tmp_path):
    runner.need_program("linux.uml", "user-mode-linux")
    return guests.partitioned(guest("busybox"), tmp_path / "disk.raw")


@pytest.fixture
def qcow2(disk, tmp_path):
    return formats.converted(disk, tmp_path / "disk.qcow2", "qcow2")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns


WRITE = "mount -o remount,rw / ; echo $((40 + 2)) > /root/answer; sync; cat /root/answer"


def boots(kmln, image, *options, **more):
    run = kmln("boot", "--on", "uml", image, *options, "--until", guests.READY, "--send", WRITE, "--until",
               "^42", "--timeout", "60", timeout=90, expect=0, **more)
    assert guests.READY in run.out
    return run


def answer(image, tmp_path):
    """What the guest wrote, read by others' code out of a raw copy; None: nothing."""
    flat, bare = tmp_path / "flat.raw", tmp_path / "bare.raw"
    formats.qemu_img("convert", "-O", "raw", image, flat)
    subprocess.run(["dd", f"if={flat}", f"of={bare}", "bs=1M", "skip=1", "status=none"], check=True)
    done = subprocess.run([runner.need_program("e2fsck", "e2fsprogs"), "-fp", bare], capture_output=True)
    assert done.returncode in (0, 1), done.stdout
    assert images.clean(bare)
    text = images.tool("debugfs", "e2fsprogs", "-R", "cat /root/answer", bare)
    return text.decode().strip() or None


@pytest.mark.parametrize("name", ["raw", "qcow2", "qcow2-l2", "vmdk", "vmdk-flat", "vdi", "vhdx", "qed"])
def test_boots_and_keeps_what_it_writes(kmln, disk, tmp_path, name):
    image = disk if name == "raw" else formats.converted(disk, tmp_path / "image", name)
    run = boots(kmln, image)
    assert "root=/dev/ubda1" in run.out if name == "raw" else "root is /dev/vda1" in run.out
    assert answer(image, tmp_path) == "42"


@pytest.mark.parametrize("name", ["raw", "qcow2", "vmdk-flat"])
def test_snapshot_leaves_the_image_as_it_is(kmln, disk, tmp_path, name):
    image = disk if name == "raw" else formats.converted(disk, tmp_path / "image", name)
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    for path in files:
        path.chmod(0o444)
    before = {path: digest(path) for path in files}
    boots(kmln, image, "--snapshot")
    assert {path: digest(path) for path in files} == before
    assert sorted(path for path in tmp_path.iterdir() if path.is_file()) == sorted(files)


def test_composite(kmln, disk, guest, tmp_path):
    """A disk that is put together of a head and the bare filesystem, which stays one."""
    box = guests.copy(guest("busybox"), tmp_path / "box.img")
    (tmp_path / "box.head").write_bytes(images.peek(disk, 0, images.MIB))
    image = formats.descriptor(tmp_path, 'RW 2048 FLAT "box.head" 0',
                               f'RW {box.stat().st_size // 512} FLAT "box.img" 0', kind="twoGbMaxExtentFlat")
    run = boots(kmln, image, "--allow-backing")
    assert "root is /dev/vda1" in run.out
    assert answer(image, tmp_path) == "42"
    assert "/dev/ubda " in boots(kmln, box).out


def test_a_gpt_disk_by_its_partition(kmln, guest, tmp_path):
    box = guest("busybox")
    size = box.stat().st_size
    start = 16384
    disk = images.disk(tmp_path / "gpt.raw", size + 16 * images.MIB,
                       f"label: gpt\nstart=2048, size=8192, type=U\nstart={start}, size={size // 512}, type=L\n",
                       [(start, box)])
    assert "root=/dev/ubda2" in boots(kmln, disk).out
    image = formats.converted(disk, tmp_path / "gpt.qcow2", "qcow2")
    assert "root is /dev/vda2" in boots(kmln, image).out


def test_a_root_named_by_another_platforms_device(kmln, disk, tmp_path):
    """The guest's fstab calls its root /dev/vda1: here that name is a link to the disk's own."""
    bare = tmp_path / "bare.img"
    subprocess.run(["dd", f"if={disk}", f"of={bare}", "bs=1M", "skip=1", "status=none"], check=True)
    images.put(bare, "/etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n")
    subprocess.run(["dd", f"if={bare}", f"of={disk}", "bs=1M", "seek=1", "conv=notrunc", "status=none"],
                   check=True)
    run = kmln("boot", "--on", "uml", disk, "--until", guests.READY, "--send", "ls -l /dev/vda1", "--until",
               "vda1 -> ", "--timeout", "60", timeout=90, expect=0)
    assert "kmln.alias=vda:ubda" in run.out


def test_overlay(kmln, disk, tmp_path):
    image = tmp_path / "over.qcow2"
    formats.qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk, image)
    before = digest(disk)
    run = kmln("boot", "--on", "uml", image, expect=3)
    assert "--allow-backing" in run.err
    boots(kmln, image, "--allow-backing")
    assert digest(disk) == before and answer(image, tmp_path) == "42"
    formats.qemu_img("check", "-f", "qcow2", image)


def test_an_ordinary_user(ordinary_user, qcow2, tmp_path):
    image = ordinary_user.give(qcow2)
    run = runner.run([ordinary_user.kmln, "boot", "--on", "uml", image, "--until", guests.READY, "--timeout",
                      "60"], user=ordinary_user, timeout=90)
    assert run.status == 0 and guests.READY in run.out, run


def test_dry_run_shows_the_daemon_and_starts_nothing(kmln, qcow2):
    before = digest(qcow2)
    out = kmln("boot", "--on", "uml", qcow2, "--dry-run", expect=0).out
    assert out.startswith("serve   machine") and "type=vhost-user-blk" in out
    assert "virtio_uml.device=/kmln/served/disk:2" in out and "ubd0" not in out
    assert digest(qcow2) == before


class Running:
    """kmln boot on an image, its guest up."""

    def __init__(self, image, tmp_path, *options):
        self.log = tmp_path / "console"
        with open(self.log, "wb") as log, open(tmp_path / "err", "wb") as err:
            self.child = subprocess.Popen(
                [runner.BUILD / "kmln", "boot", "--on", "uml", image, *options], stdin=subprocess.PIPE,
                stdout=log, stderr=err, env={**os.environ, "TMPDIR": str(tmp_path / "scratch")})
        machines.wait_for(machines.ready(self.log), "the guest")
        self.below = machines.descendants(self.child.pid)
        (self.daemon,) = formats.daemons(self.child.pid)

    def errors(self, tmp_path):
        return (tmp_path / "err").read_text()


@pytest.fixture
def running(qcow2, tmp_path):
    (tmp_path / "scratch").mkdir()
    machine = Running(qcow2, tmp_path)
    yield machine
    if machine.child.poll() is None:
        machine.child.kill()
    machine.child.wait()
    machine.child.stdin.close()


def whole(image, tmp_path):
    """No lock, nothing damaged, nothing of a private folder left."""
    machines.wait_for(lambda: not list((tmp_path / "scratch").rglob("*/*")), "the end of all folders", 10)
    formats.qemu_img("check", "-q", "-f", "qcow2", image)
    answer(image, tmp_path)


def test_it_locks_its_image(kmln, running, qcow2):
    for command in (["boot", "--on", "uml"], ["convert", "--to", "kvm", "--in-place"]):
        run = kmln(*command, qcow2, expect=1)
        assert "in use" in run.err, run


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_killed_kmln(running, qcow2, tmp_path, number):
    running.child.send_signal(number)
    running.child.wait()
    assert not machines.left_over(running.below)
    whole(qcow2, tmp_path)


def test_a_daemon_that_is_killed_ends_the_machine(running, qcow2, tmp_path):
    start = time.monotonic()
    os.kill(running.daemon, signal.SIGKILL)
    assert running.child.wait(timeout=20) == 1
    assert time.monotonic() - start < 10
    assert "the machine has lost its disk: qemu-storage-daemon, which serves the image, ended" in \
        running.errors(tmp_path)
    assert not machines.left_over(running.below)
    whole(qcow2, tmp_path)


def test_a_machine_that_ends_ends_its_daemon(running, qcow2, tmp_path):
    running.child.stdin.write(b"poweroff -f\n")
    running.child.stdin.flush()
    assert running.child.wait(timeout=30) == 0, running.errors(tmp_path)
    assert not machines.left_over(running.below)
    whole(qcow2, tmp_path)


def test_a_kernel_that_is_killed(running, qcow2, tmp_path):
    os.kill(min(formats.below(running.child.pid, "linux")), signal.SIGKILL)
    assert running.child.wait(timeout=30) == 1
    assert not machines.left_over(running.below)
    whole(qcow2, tmp_path)


def test_the_guest_reaches_no_file_beside_its_disk(kmln, qcow2, tmp_path):
    """Root in the guest, by hostfs: the socket's folder holds nothing but the socket, and the image is
    not in its view."""
    script = "mount -t hostfs none /mnt -o / && ls -l /mnt/kmln /mnt/kmln/served; echo listed $((1+1))"
    run = kmln("boot", "--on", "uml", qcow2, "--until", guests.READY, "--send", "mkdir -p /mnt; " + script,
               "--until", "^listed 2", "--timeout", "60", timeout=90, expect=0)
    assert qcow2.name not in run.out.split(guests.READY)[1]


def test_without_the_daemon(kmln, qcow2, tmp_path):
    """Where qemu-storage-daemon is not installed, the package is named."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("linux.uml", "bwrap", "e2fsck"):
        os.symlink(runner.need_program(name, name), path / name)
    run = kmln("boot", "--on", "uml", qcow2, env={"PATH": path}, expect=5)
    assert "qemu-system-common" in run.err


def test_without_uml(kmln, disk, tmp_path):
    path = tmp_path / "bin"
    path.mkdir()
    os.symlink(runner.need_program("bwrap", "bubblewrap"), path / "bwrap")
    run = kmln("boot", "--on", "uml", disk, env={"PATH": path}, expect=5)
    assert "linux.uml is not installed (Debian package user-mode-linux)" in run.err
