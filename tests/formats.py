# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers of the tests of image formats: images made by qemu-img, processes that hold one, and kmln while
its storage daemon runs."""

import fcntl
import os
import signal
import struct
import subprocess
import time
from pathlib import Path

import images
import machines
import runner

F_OFD_GETLK = 36


def qemu_img(*argv, **options):
    return images.tool("qemu-img", "qemu-utils", *argv, **options)


FORMATS = {
    "qcow2": ("-O", "qcow2"),
    "qcow2-v2": ("-O", "qcow2", "-o", "compat=0.10"),
    "qcow2-small": ("-O", "qcow2", "-o", "cluster_size=512"),
    "qcow2-big": ("-O", "qcow2", "-o", "cluster_size=2M"),
    "qcow2-packed": ("-c", "-O", "qcow2"),
    "qcow2-l2": ("-O", "qcow2", "-o", "extended_l2=on"),
    "vmdk": ("-O", "vmdk"),
    "vmdk-stream": ("-O", "vmdk", "-o", "subformat=streamOptimized"),
    "vmdk-flat": ("-O", "vmdk", "-o", "subformat=monolithicFlat"),
    "vmdk-2gb": ("-O", "vmdk", "-o", "subformat=twoGbMaxExtentFlat"),
    "vdi": ("-O", "vdi"),
    "vdi-static": ("-O", "vdi", "-o", "static=on"),
    "vhdx": ("-O", "vhdx"),
    "vhdx-fixed": ("-O", "vhdx", "-o", "subformat=fixed"),
    "vhd": ("-O", "vpc", "-o", "force_size=on"),
    "vhd-fixed": ("-O", "vpc", "-o", "subformat=fixed,force_size=on"),
    "qed": ("-O", "qed"),
}


def converted(source, to, name):
    qemu_img("convert", "-f", "raw", *FORMATS[name], source, to)
    return to


def same_disk(facts, raw):
    """But for what tells of the image file."""
    facts, raw = dict(facts), dict(raw)
    image = facts.pop("image")
    assert raw.pop("image")["size"] == image["size"]
    assert facts == raw
    return image


def descriptor(tmp_path, *lines, kind="monolithicFlat", parent="ffffffff", name="guest.vmdk"):
    image = tmp_path / name
    image.write_text("\n".join([
        "# Disk DescriptorFile", "version=1", "CID=fffffffe", f"parentCID={parent}",
        f'createType="{kind}"', "", "# Extent description", *lines, "", "#DDB"]) + "\n")
    return image


class held:
    """qemu-io with the image open for writing."""

    def __init__(self, image, fmt):
        self.argv = [runner.need_program("qemu-io", "qemu-utils"), "-f", fmt, image]
        self.image = image

    def __enter__(self):
        self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)
        self.child.stdin.write(b"read 0 512\n")
        self.child.stdin.flush()
        assert b"read 512" in self.child.stdout.readline()

    def __exit__(self, *_):
        self.child.communicate(b"quit\n")


def write_locked(path):
    """Somebody has the image open as a QEMU does that writes to it: byte 101."""
    with open(path, "rb") as file:
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 101, 1, 0)
        answer = fcntl.fcntl(file, F_OFD_GETLK, asked)
    return struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK


def below(pid, program):
    """{pid: start time} of the processes below this one whose program's name begins so."""
    found = {}
    for child, start in machines.descendants(pid).items():
        try:
            name = Path(f"/proc/{child}/comm").read_text().strip()
        except OSError:
            continue
        if name.startswith(program):
            found[child] = start
    return found


def daemons(pid):
    return below(pid, "qemu-storage")


class slow:
    """kmln convert of a qcow2, stopped while it reads: its daemon serves, and waits."""

    def __init__(self, image, folder, env):
        self.out = folder / "out.raw"
        self.tmp = folder / "tmp"
        self.tmp.mkdir()
        self.argv = [runner.BUILD / "kmln", "convert", "-q", image, "--to", "kvm", "-o", self.out]
        self.env = {**os.environ, "TMPDIR": str(self.tmp), **env}

    def __enter__(self):
        self.child = subprocess.Popen(self.argv, env=self.env, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 20
        while not (found := daemons(self.child.pid)) and time.monotonic() < end:
            assert self.child.poll() is None, self.child.communicate()
            time.sleep(0.001)
        self.daemons = found
        self.all = machines.descendants(self.child.pid)
        assert found
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()


class stopped_in_place:
    """kmln convert --in-place of an image, stopped while its daemon has the image open for writing."""

    def __init__(self, image, folder):
        self.image = image
        self.argv = [runner.BUILD / "kmln", "convert", "-q", image, "--to", "kvm", "--in-place"]
        self.env = {**os.environ, "KMLN_HOME": str(folder / "no-kernels"), "TMPDIR": str(folder)}

    def start(self):
        return subprocess.Popen(self.argv, env=self.env, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def __enter__(self):
        self.child = self.start()
        end = time.monotonic() + 30
        # not sooner than its locks, which come before anything is read
        while not write_locked(self.image):
            assert time.monotonic() < end, "the daemon's lock: not within 30 s"
            # it lacks a kernel, and is quick to say so: on a busy machine before we have looked
            if self.child.poll() is not None:
                self.child = self.start()
            time.sleep(0.001)
        self.child.send_signal(signal.SIGSTOP)
        return self.child

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
