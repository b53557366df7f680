# SPDX-License-Identifier: GPL-2.0-or-later
"""Images for the tests of inspect and convert: editing guests with debugfs, disks with tables made by
sfdisk, images that a machine holds open, and looks at a result that owe nothing to kmln."""

import contextlib
import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import ext4reader
import runner

SECTOR = 512
MIB = 1 << 20


def tool(name, package, *argv, stdin=b"", expect=(0,)):
    """Runs a program of the host and returns its output as bytes."""
    done = subprocess.run([runner.need_program(name, package), *map(os.fspath, argv)], input=stdin,
                          capture_output=True, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode in expect, (name, argv, done.returncode, done.stdout, done.stderr)
    return done.stdout


# --- editing

def debugfs(image, *commands):
    """Changes an image; any word of debugfs's on stderr is a failure."""
    done = subprocess.run([runner.need_program("debugfs", "e2fsprogs"), "-w", "-f", "-", image],
                          input="\n".join(commands).encode() + b"\n", capture_output=True)
    words = [line for line in done.stderr.splitlines() if not line.startswith(b"debugfs 1.")]
    assert done.returncode == 0 and not words, words
    return image


def put(image, path, content, mode=0o644):
    """A file in the guest with this content, in the place of what has its name."""
    source = Path(f"{image}.put")
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    # rm of a name that is not there is an error: ask before
    there = tool("debugfs", "e2fsprogs", "-R", f"stat {path}", image)
    debugfs(image, *([f"rm {path}"] if b"Inode:" in there else []), f"write {source} {path}",
            f"sif {path} mode 0100{mode:03o}")
    source.unlink()
    return image


def call_kernel(image, old, new):
    """Gives a kernel another release: it knows itself what it is called, by a text that its header
    points to."""
    content = bytearray(image.read_bytes())
    at = 0x200 + int.from_bytes(content[0x20e:0x210], "little")
    end = content.index(0, at)
    text = bytes(content[at:end]).replace(old.encode(), new.encode(), 1)[:end - at]
    content[at:end] = text + bytes(end - at - len(text))
    image.write_bytes(content)


def clean(image, offset=0):
    """True where e2fsck finds nothing."""
    return subprocess.run([runner.need_program("e2fsck", "e2fsprogs"), "-fn", f"{image}?offset={offset}"],
                          capture_output=True).returncode == 0


def superblock(image, offset=0):
    """{name: value} of dumpe2fs -h."""
    text = tool("dumpe2fs", "e2fsprogs", "-h", f"{image}?offset={offset}").decode()
    return dict(re.findall(r"^([^:\n]+): +(.*)$", text, re.M))


def poke(image, offset, data):
    with open(image, "r+b") as file:
        file.seek(offset)
        file.write(data)


def peek(image, offset, size):
    with open(image, "rb") as file:
        file.seek(offset)
        return file.read(size)


# --- disks

def disk(to, size, script, parts=()):
    """A raw disk, its table made by sfdisk; `parts`: (first sector, image to be put there)."""
    with open(to, "wb") as file:
        file.truncate(size)
    tool("sfdisk", "fdisk", "-q", to, stdin=script.encode())
    for start, source in parts:
        subprocess.run(["dd", f"if={source}", f"of={to}", "bs=512", f"seek={start}",
                        "conv=sparse,notrunc", "status=none"], check=True)
    return to


def table(image):
    """sfdisk's view of a disk."""
    return json.loads(tool("sfdisk", "fdisk", "--json", image))["partitiontable"]


# --- what must not change

def fingerprint(path):
    """Length, time and all data of a file; holes are not read."""
    st = os.stat(path)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        at = 0
        while at < st.st_size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            os.lseek(file.fileno(), at, os.SEEK_SET)
            while at < end:
                data = os.read(file.fileno(), min(MIB, end - at))
                # a page of zeros may lie on the disk or in a hole
                if data.strip(b"\0"):
                    digest.update(at.to_bytes(8, "big") + data)
                at += len(data)
    return st.st_size, st.st_mtime_ns, st.st_mode, digest.hexdigest()


def within(limit, *argv, env=None):
    """Runs kmln, which must succeed, and with it its children, in at most `limit` kB of memory at once."""
    # the peak of a child begins with its parent's: a small parent is put between
    script = ("import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True, stdout=-3)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    peak = int(runner.run([sys.executable, "-c", script, "sh", "-c", '"$@"; exit $?', "sh",
                           runner.BUILD / "kmln", *argv], env=env, timeout=120, expect=0).out)
    assert peak > 1000 and runner.fits(peak, limit), f"{peak} kB, not {limit}: {argv}"


def inodes(image, offset=0):
    """{path: the inode's bytes}: not only what users see, but all times and where the data lies."""
    found = {}
    with open(image, "rb") as file:
        fs = ext4reader.Filesystem(file, offset)
        todo = [(b"/", ext4reader.ROOT_INODE)]
        while todo:
            path, number = todo.pop()
            found[path] = fs._inode(number)
            if struct.unpack_from("<H", found[path])[0] >> 12 == 0x4:
                todo += [(path.rstrip(b"/") + b"/" + name, inode) for name, inode in fs.names(number)]
    return found


# --- machines that hold an image

@contextlib.contextmanager
def uml(image, log, *words, memory="64M"):
    """User-Mode Linux on an image, its console in the file `log`; killed at the end."""
    program = runner.need_program("linux.uml", "user-mode-linux")
    folder = Path(log).parent
    with open(log, "wb") as out:
        machine = subprocess.Popen(
            [program, f"mem={memory}", f"ubd0={image}", "root=/dev/ubda", "rw", "con0=null,fd:1", "con=none",
             "ssl=none", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            start_new_session=True,
            # where it keeps its memory, and its control socket
            env={**os.environ, "TMPDIR": os.fspath(folder), "HOME": os.fspath(folder)})
        try:
            yield machine
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(machine.pid, signal.SIGKILL)
            machine.wait()


def qemu_argv(image, options=""):
    """A QEMU that opens an image as a disk and then waits: nothing is run in it."""
    return [runner.need_program("qemu-system-x86_64", "qemu-system-x86"), "-accel", "tcg", "-M",
            "microvm", "-m", "32", "-S", "-display", "none", "-serial", "none", "-monitor", "stdio",
            "-drive", f"file={image},format=raw,if=none,id=d{options}", "-device",
            "virtio-blk-device,drive=d"]


@contextlib.contextmanager
def qemu(image, options=""):
    """As qemu_argv(), once it has the image open."""
    with subprocess.Popen(qemu_argv(image, options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as machine:
        try:
            # its monitor answers when the machine is made
            machine.stdin.write(b"info status\n")
            machine.stdin.flush()
            for line in machine.stdout:
                if b"VM status" in line:
                    break
            else:
                raise AssertionError(f"QEMU ended with status {machine.wait()}")
            yield machine
        finally:
            machine.kill()


def wait_for_lock(image, seconds=20):
    """Until some process has a lock on the image."""
    inode = os.stat(image).st_ino
    end = time.monotonic() + seconds
    while not re.search(rf":{inode} ", Path("/proc/locks").read_text()):
        assert time.monotonic() < end, "nobody locked the image"
        time.sleep(0.02)
