# SPDX-License-Identifier: GPL-2.0-or-later
"""Small helpers of the boot tests: guests that run a script of ours, an initramfs for QEMU, and a
look at processes."""

import os
import subprocess
import time
from pathlib import Path

import guests
import runner


def with_rc(image, script):
    """Puts the script in the place of a busybox guest's /etc/rc, which its init runs first."""
    rc = Path(f"{image}.rc")
    rc.write_text("#!/bin/sh\nexport PATH=/bin:/sbin\nmount -t proc proc /proc\n" + script)
    commands = f"rm /etc/rc\nwrite {rc} /etc/rc\nsif /etc/rc mode 0100755\nmkdir /mnt\n"
    subprocess.run([runner.need_program("debugfs", "e2fsprogs"), "-w", "-f", "-", image],
                   input=commands.encode(), check=True, capture_output=True)
    return image


def _newc(entries):
    """A cpio archive; entries are (name, mode, content)."""
    archive = b""
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        console = name == "dev/console"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 5 * console, 1 * console,
                  len(name) + 1, 0]
        archive += b"070701" + b"".join(b"%08X" % field for field in fields)
        archive += name.encode() + b"\0"
        archive += b"\0" * (-len(archive) % 4) + data
        archive += b"\0" * (-len(archive) % 4)
    return archive


def qemu_kernel(deb, folder, *more):
    """Debian's cloud kernel, and an initramfs that mounts /dev/vda and runs its /sbin/init; `more`:
    modules that are loaded as well."""
    tree = folder / "kernel"
    subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    names = ("virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev",
             "virtio_pci", "virtio_blk", *more)
    modules = {name: next(tree.rglob(f"{name}.ko")) for name in names}
    # twice: what the first needs from the second is there the second time
    loads = 2 * "".join(f"insmod /{name}.ko 2>/dev/null\n" for name in names)
    busybox = runner.need_program("busybox", "busybox-static")
    folders = [(name, 0o40755, b"") for name in ("bin", "dev", "root")]
    applets = [(f"bin/{name}", 0o120777, b"busybox")
               for name in ("sh", "insmod", "mount", "switch_root")]
    init = f"#!/bin/sh\nmount -t devtmpfs dev /dev\n{loads}mount -t ext4 /dev/vda /root\nexec switch_root /root /sbin/init\n"
    initramfs = folder / "initramfs"
    initramfs.write_bytes(_newc([
        *folders, *applets, ("dev/console", 0o20600, b""),
        ("bin/busybox", 0o100755, Path(busybox).read_bytes()), ("init", 0o100755, init.encode()),
        *((f"{name}.ko", 0o100644, path.read_bytes()) for name, path in modules.items())]))
    return next(tree.glob("boot/vmlinuz-*")), initramfs


def _stat(pid):
    """(parent, state, start time), or None where there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), fields[0], fields[19]


def start_time(pid):
    """When a process began, or None where there is none: tells it from a later one of the same pid."""
    stat = _stat(pid)
    return stat[2] if stat else None


def descendants(pid):
    """{pid: start time} of all processes below this one."""
    stats = {int(name): _stat(name) for name in os.listdir("/proc") if name.isdigit()}
    below, found = {pid}, {}
    while below:
        below = {p for p, stat in stats.items() if stat and stat[0] in below and p not in found}
        found.update({p: stats[p][2] for p in below})
    return found


def left_over(processes, seconds=5):
    """Those of descendants() that still run after so long; a zombie does not run."""
    end = time.monotonic() + seconds
    while True:
        left = [pid for pid, start in processes.items()
                if (stat := _stat(pid)) and stat[2] == start and stat[1] not in "ZX"]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def ready(path):
    """A condition for wait_for(): the guest's words are in this file of console output."""
    return lambda: guests.READY.encode() in path.read_bytes()
