# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of other formats than raw: what kmln sees in them is what it sees in the raw image, their bytes are
the same, others at the same image are noticed, and the daemon that reads them is held and leaves nothing."""

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import formats
import guests
import images
import machines
import runner


@pytest.fixture(scope="module")
def disk(guest, tmp_path_factory):
    """A disk whose second partition is the guest, with another filesystem and a logical partition that
    lies behind the first MiB."""
    folder = tmp_path_factory.mktemp("disk")
    swap = folder / "swap"
    swap.write_bytes(bytes(4 << 20))
    subprocess.run(["/sbin/mkswap", "-U", "6b6d6c6e-0000-4000-8000-0000000000aa", swap], check=True,
                   capture_output=True)
    fat = folder / "fat"
    fat.write_bytes(bytes(4 << 20))
    xfs = images.disk(folder / "disk.raw", 100 << 20,
                      "label: dos\nlabel-id: 0x6b6d6c6e\nstart=2048, size=8192, type=82\n"
                      "start=10240, size=131072, type=83, bootable\n"
                      "start=143360, size=40960, type=5\nstart=145408, size=8192, type=82\n"
                      "start=161792, size=8192, type=82\n",
                      [(2048, swap), (10240, guest("busybox")), (161792, swap)])
    yield xfs
    for path in (swap, fat, xfs):
        path.unlink()


def contents(folder):
    """Every file of the folder, as it is on the disk: the host may give it its last blocks there."""
    found = {}
    for path in sorted(folder.glob("image*")):
        with open(path, "rb") as file:
            os.fsync(file)
            found[path] = path.stat().st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()
    return found


@pytest.mark.parametrize("name", formats.FORMATS)
def test_inspect(inspect, disk, tmp_path, name):
    image = formats.converted(disk, tmp_path / "image", name)
    before = contents(tmp_path)
    facts = formats.same_disk(inspect(image), inspect(disk))
    assert facts["format"] == name.split("-")[0] and facts["backing"] is None
    own = [path for path in tmp_path.glob("*") if path.is_file()]
    assert facts["file_size"] == sum(path.stat().st_size for path in own)
    assert facts["allocated"] == sum(path.stat().st_blocks * 512 for path in own)
    assert contents(tmp_path) == before


def test_gpt(inspect, guest, tmp_path):
    """Of a GPT the second header lies at the end."""
    raw = images.disk(tmp_path / "gpt.raw", 96 << 20, "label: gpt\nstart=2048, size=131072, type=L\n",
                      [(2048, guest("busybox"))])
    image = formats.converted(raw, tmp_path / "image", "qcow2")
    formats.same_disk(inspect(image), inspect(raw))
    images.poke(raw, 512, bytes(512))
    image = formats.converted(raw, tmp_path / "image", "qcow2")
    assert formats.same_disk(inspect(image), inspect(raw))


def test_awkward(inspect, guest, tmp_path):
    raw = guest("awkward")
    formats.same_disk(inspect(formats.converted(raw, tmp_path / "image", "qcow2")), inspect(raw))


def test_text(kmln, guest, tmp_path):
    image = formats.converted(guest("busybox"), tmp_path / "image", "qcow2")
    out = kmln("inspect", image, expect=0).out
    assert out.startswith("image        qcow2, 67.1 MB in a file of ")
    assert "\nbacking" not in out


def test_composite(inspect, disk, guest, tmp_path):
    """A disk put together of a head and the filesystem where it lies; spaces in a name are no matter."""
    raw = guests.partitioned(guest("busybox"), tmp_path / "whole.raw")
    (tmp_path / "guest head").write_bytes(raw.read_bytes()[:1 << 20])
    guests.copy(guest("busybox"), tmp_path / "guest.img")
    image = formats.descriptor(tmp_path, 'RW 2048 FLAT "guest head" 0', 'RW  131072  FLAT "guest.img"',
                       kind="twoGbMaxExtentFlat")
    formats.same_disk(inspect(image), inspect(raw))
    # a part that lies in the middle of a file, used twice over
    image = formats.descriptor(tmp_path, 'RW 2048 FLAT "whole.raw" 0', 'RDONLY 131072 FLAT "whole.raw" 2048',
                               name="whole.vmdk")
    formats.same_disk(inspect(image), inspect(raw))


# --- the bytes

def plain(kmln, image, out, *options, **more):
    """The disk's bytes as kmln convert reads them: a guest that needs nothing is copied as it is."""
    kmln("convert", "-q", image, "--to", "kvm", "-o", out, *options, expect=0, timeout=120, **more)
    return out


@pytest.fixture(scope="module")
def ready(kmln_once, tmp_path_factory):
    """A guest that a conversion leaves as it is, since it has been converted already."""
    out = tmp_path_factory.mktemp("ready") / "ready.raw"
    kmln_once(out)
    yield out
    out.unlink()


@pytest.fixture(scope="module")
def kmln_once(guest, shared):
    def call(out):
        home = shared / "formats-home"
        runner.run([runner.BUILD / "kmln", "convert", "-q", guest("systemd"), "--to", "kvm", "-o", out,
                    "--kernel", guest("kernel")], env={"KMLN_HOME": home}, expect=0, timeout=240)
    return call


@pytest.mark.parametrize("name", ["qcow2", "vmdk-stream", "vmdk-flat", "vdi", "vhdx", "vhd"])
def test_copy(kmln, ready, tmp_path, name):
    image = formats.converted(ready, tmp_path / "image", name)
    out = plain(kmln, image, tmp_path / "out.raw")
    subprocess.run(["cmp", out, ready], check=True)
    # holes stay holes
    assert os.stat(out).st_blocks <= os.stat(ready).st_blocks * 1.05


# --- others at the same image

@pytest.mark.parametrize("name", ["qcow2", "vmdk", "vmdk-flat"])
def test_in_use(kmln, guest, tmp_path, name):
    """A machine that writes to it: convert and boot refuse, inspect warns."""
    image = formats.converted(guest("busybox"), tmp_path / "image", name)
    fmt = name.split("-")[0]
    with formats.held(image, fmt):
        run = kmln("inspect", image, expect=0)
        assert run.err == f"kmln: warning: {image} is in use: what is shown may be out of date\n"
        for command in (["convert", image, "--to", "kvm", "-o", tmp_path / "out"],
                        ["boot", "--on", "qemu", image]):
            run = kmln(*command, expect=1)
            assert "in use" in run.err and not (tmp_path / "out").exists()
    assert kmln("inspect", image, expect=0).err == ""


def test_base_in_use(kmln, overlay, tmp_path):
    """A machine on the base of an overlay: what is read of both would fit together no longer."""
    with images.qemu(tmp_path / "base/guest.img"):
        run = kmln("inspect", "--allow-backing", overlay, expect=0)
        assert "in use" in run.err
        run = kmln("convert", "--allow-backing", overlay, "--to", "kvm", "-o", tmp_path / "out", expect=1)
        assert "in use" in run.err


def test_uml_on_extent(kmln, guest, tmp_path):
    """User-Mode Linux knows nothing of the descriptor; its lock on the filesystem's file counts."""
    guests.copy(guest("busybox"), tmp_path / "guest.img")
    image = formats.descriptor(tmp_path, 'RW 131072 FLAT "guest.img" 0')
    with images.uml(tmp_path / "guest.img", tmp_path / "log"):
        images.wait_for_lock(tmp_path / "guest.img")
        run = kmln("convert", image, "--to", "kvm", "-o", tmp_path / "out", expect=1)
        assert "in use" in run.err


# --- the daemon

@pytest.mark.parametrize("delay", [0, 0.02, 0.1, 0.3])
def test_daemon_killed(ready, shared, tmp_path, delay):
    """At some moment in the middle: a clear error, and nothing is left."""
    image = formats.converted(ready, tmp_path / "image", "qcow2")
    with formats.slow(image, tmp_path, {"KMLN_HOME": str(shared / "formats-home")}) as run:
        time.sleep(delay)
        alive = run.child.poll() is None
        for pid in run.daemons:
            os.kill(pid, signal.SIGKILL)
        out, err = run.child.communicate(timeout=30)
        # it may have been done with reading already
        if run.child.returncode == 0:
            assert delay and run.out.exists()
        else:
            assert alive and run.child.returncode == 1, err
            assert "qemu-storage-daemon" in err or "Input/output error" in err, err
            assert not run.out.exists()
        assert not machines.left_over(run.all)
        assert not list(run.tmp.iterdir())
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "kmln-home") in (
        ["image", "tmp"], ["image", "out.raw", "tmp"])


def test_kmln_killed(ready, shared, tmp_path):
    image = formats.converted(ready, tmp_path / "image", "qcow2")
    with formats.slow(image, tmp_path, {"KMLN_HOME": str(shared / "formats-home")}) as run:
        run.child.kill()
        run.child.wait()
        assert not machines.left_over(run.all)
        machines.wait_for(lambda: not list(run.tmp.iterdir()), "the private folder is gone", 10)
    assert not (tmp_path / "out.raw").exists()


def test_no_daemon(kmln, guest, tmp_path):
    image = formats.converted(guest("busybox"), tmp_path / "image", "qcow2")
    (tmp_path / "bin").mkdir()
    run = kmln("inspect", image, env={"PATH": str(tmp_path / "bin")}, expect=5)
    assert "qemu-storage-daemon is not installed (Debian package qemu-system-common)" in run.err


def test_no_bubblewrap(kmln, guest, tmp_path):
    """Without namespaces Landlock alone holds the daemon, and that is said to who asks."""
    image = formats.converted(guest("busybox"), tmp_path / "image", "qcow2")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/qemu-storage-daemon").symlink_to(
        runner.need_program("qemu-storage-daemon", "qemu-system-common"))
    run = kmln("inspect", "-v", image, env={"PATH": str(tmp_path / "bin")}, expect=(0, 5))
    if run.status == 5:
        runner.lacking("this kernel's Landlock is too old")
    assert "Landlock alone" in run.err and "qcow2" in run.out


def test_no_namespaces(guest, tmp_path):
    image = formats.converted(guest("busybox"), tmp_path / "image", "qcow2")
    run = runner.run(["unshare", "--user", "--map-root-user", "sh", "-c",
                      'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh",
                      runner.BUILD / "kmln", "-v", "inspect", image], expect=(0, 5))
    if run.status == 5:
        runner.lacking("this kernel's Landlock is too old")
    assert "Landlock alone" in run.err and "qcow2" in run.out


def test_confined(ready, shared, tmp_path):
    """What the daemon has in its view: its image and no other file of the user's."""
    image = formats.converted(ready, tmp_path / "image", "qcow2")
    (tmp_path / "secret").write_text("SECRET")
    with formats.slow(image, tmp_path, {"KMLN_HOME": str(shared / "formats-home")}) as run:
        # what is looked at does not go away
        run.child.send_signal(signal.SIGSTOP)
        pid = next(iter(run.daemons))
        root = Path(f"/proc/{pid}/root")
        assert not (root / str(tmp_path / "secret").lstrip("/")).exists()
        assert not (root / "etc/passwd").exists()
        assert os.path.samefile(root / "kmln/file0", image)
        # its other walls: no new rights, a network of its own
        status = Path(f"/proc/{pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")


def test_ordinary_user(kmln, guest, ordinary_user, tmp_path):
    image = ordinary_user.give(formats.converted(guest("busybox"), tmp_path / "image", "qcow2"))
    assert "qcow2" in kmln("inspect", image, user=ordinary_user, expect=0).out


def test_long_tmpdir(kmln, guest, tmp_path):
    """The name of a socket has room for 107 bytes only."""
    image = formats.converted(guest("busybox"), tmp_path / "image", "qcow2")
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    kmln("inspect", image, env={"TMPDIR": str(folder)}, expect=0)
    assert not list(folder.iterdir())


def test_memory(ready, tmp_path):
    image = formats.converted(ready, tmp_path / "image", "qcow2")
    images.within(64_000, "inspect", image)
