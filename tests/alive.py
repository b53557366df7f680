# SPDX-License-Identifier: GPL-2.0-or-later
"""What lives of a project, without asking kmln: out of /proc alone. For tests that kill."""

import os
import socket
import stat
import struct
import time
from pathlib import Path

import machines
import nodes

KEEPER, SWITCH, SERVER, MACHINE, UPLINK, OTHER = "node", "switch", "storage", "machine", "uplink", "other"


def _read(pid, what):
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


class Process:
    def __init__(self, pid, argv, start):
        self.pid, self.argv, self.start = pid, argv, start

    def node(self):
        """What a keeper keeps: "host-a"."""
        return os.fsdecode(self.argv[self.argv.index(b"--name") + 1])

    def kind(self):
        words = self.argv
        program = os.path.basename(words[0])
        if program == b"kmln-node":
            return KEEPER
        if program == b"vde_switch":
            return SWITCH
        if program == b"kmln-uplink":
            return UPLINK
        if program == b"qemu-storage-daemon":
            return SERVER
        if program.startswith(b"qemu-system") or program == b"linux.uml":
            return MACHINE
        return OTHER

    def __repr__(self):
        return f"{self.pid} {b' '.join(self.argv)[:160]!r}"


def processes(home):
    """{pid: Process} of all that runs for this KMLN_HOME: its path is in their argument vector, in their
    environment, or, behind walls, among their mounts. Zombies do not run."""
    words, found = os.fsencode(home), {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        argv = _read(name, "cmdline")
        if not argv:
            continue
        if words in argv or words + b"\0" in _read(name, "environ") or words in _read(name, "mountinfo"):
            start = machines.start_time(name)
            if start:
                found[int(name)] = Process(int(name), argv.rstrip(b"\0").split(b"\0"), start)
    return found


def keepers(home):
    """{"host-a": pid}: whose lock is held, by a process that is there."""
    found = {}
    for lock in Path(home).glob("run/*/nodes/*/lock"):
        with open(lock, "rb+") as file:
            pid = nodes.runner_lock(file)
        if pid:
            found[lock.parent.name] = pid
    return found


def sockets(home):
    """Paths of the sockets below it, and those that the kernel still knows by that path."""
    found = {str(path) for path in Path(home).rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)}
    for line in Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]:
        path = line.split(maxsplit=7)[7:]
        if path and path[0].startswith(f"{home}/"):
            found.add(path[0])
    return found


def devices():
    return set(os.listdir("/sys/class/net"))


def locks(home):
    """Files below it that somebody holds a lock of."""
    inodes = {}
    for path in Path(home).rglob("*"):
        if path.is_file():
            about = path.stat()
            inodes[f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"] = path
    held = set()
    for line in Path("/proc/locks").read_text().splitlines():
        for word in line.split():
            if word in inodes:
                held.add(inodes[word])
    return held


def settled(home, seconds=10):
    """Waits until all that runs belongs to a keeper that lives, and each keeper has its lock: what was
    killed needs a moment to be gone. Gives what is wrong, or nothing."""
    end = time.monotonic() + seconds
    while True:
        wrong = strays(home)
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(0.05)


def strays(home):
    """Processes for this KMLN_HOME that no keeper has below it."""
    found, held = processes(home), set(keepers(home).values())
    mine = set(held)
    for pid in held:
        mine.update(machines.descendants(pid))
    return [process for pid, process in found.items()
            if pid not in mine and machines.start_time(pid) == process.start]


def nothing_left(home, seconds=5):
    """What a project that is down has left behind; empty when all is well."""
    end = time.monotonic() + seconds
    while True:
        left = [*processes(home).values(), *sockets(home), *locks(home), *Path(home).glob("run/*")]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def free_port():
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
