# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic between machines of a cluster, beside what the same guests do that are started by hand on a switch
of the same program. For bench/cluster, whose Home it is given; a megabyte is 10^6 bytes."""

import contextlib
import os
import re
import socket
import statistics
import subprocess
from pathlib import Path

import guests
import runner
import vde

SEND = int(os.environ.get("SEND", "24")) << 20  # bytes; a few seconds on a machine that is at rest
PORT = 9
# who listens says when all of it has come
LISTEN = f"(nc -ll -p {PORT} -e sh -c 'cat >/dev/null; echo all' </dev/null >/dev/null 2>&1 &)"
PAIRS = (("u", "v"), ("u", "q"), ("q", "u"))
NAMES = {"u": "UML", "v": "UML", "q": "QEMU"}
ADDRESSES = {"u": "10.1.9.1", "v": "10.1.9.2", "q": "10.1.9.3"}
MEMORY = {"u": 64, "v": 64, "q": 192}


def send(run, sender, to):
    """MB/s by the sender's own clock, after some that are not counted. run(HOST, COMMAND): what it prints."""
    # the words that are looked for are not those that a console shows as they are typed
    dd = f"dd if=/dev/zero bs=65536 count={{}} 2>/dev/null | nc {ADDRESSES[to]} {PORT}"
    run(sender, dd.format(16))
    out = run(sender, "read from x </proc/uptime; " + dd.format(SEND >> 16) + "; read to x </proc/uptime; "
              "echo \"$from-$to\"")
    if "all" not in out:
        raise RuntimeError(f"{sender} to {to}: {out}")
    start, end = map(float, re.search(r"([\d.]+)-([\d.]+)", out).groups())
    return SEND / 1e6 / (end - start)


class Hand(vde.Guest):
    """A guest that nobody keeps; run() gives commands to its shell."""

    def __init__(self, folder, name, argv, descriptors=()):
        self.log = Path(folder) / f"{name}.console"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc",
                 *map(str, argv)], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": "/dev/shm"}, start_new_session=True, pass_fds=descriptors)
        self.commands = 0
        self._wait(re.compile(guests.READY), 120)
        # the shell of the console is there a moment later
        self.run("true")

    def plug(self, device, address):
        self.run(f"ip addr add {address}/16 dev {device}; ip link set dev {device} up", expect=0)


def uml(folder, name, image, card, descriptors=()):
    program = runner.need_program("linux.uml", "user-mode-linux")
    return Hand(folder, name, [
        program, f"umid={name}", f"uml_dir={folder}/uml", f"mem={MEMORY[name]}M", "rw", "root=/dev/ubda",
        f"ubd0={folder}/{name}.cow,{image}", "quiet", "loglevel=3", "con=none", "ssl=none", "ssl0=fd:0,fd:1",
        "console=ttyS0", card], descriptors)


def qemu(folder, name, prepared, card, descriptors=()):
    program = runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    return Hand(folder, name, [
        program, "-accel", "tcg", "-cpu", "max", "-m", f"{MEMORY[name]}", "-nodefaults", "-display", "none",
        "-serial", "stdio", "-no-reboot", "-kernel", f"{prepared}.kernel", "-initrd", f"{prepared}.initramfs",
        "-append", "console=ttyS0 quiet loglevel=3 root=/dev/vda rw", "-drive",
        f"file={prepared},if=virtio,format=raw,snapshot=on", "-netdev", f"{card[0]},id=n0", "-device",
        f"virtio-net-pci,netdev=n0,mac={card[1]}"], descriptors)


def mac(name):
    return f"02:00:00:00:00:0{'uvq'.index(name) + 1}"


@contextlib.contextmanager
def by_hand(folder, image, prepared):
    """Machines on a switch; gives run(HOST, COMMAND)."""
    machines = {}
    with vde.switch(folder / "sw"):
        try:
            for name in "uv":
                machines[name] = uml(folder, name, image, f"eth0=vde,{folder}/sw,{mac(name)}")
            machines["q"] = qemu(folder, "q", prepared, (f"vde,sock={folder}/sw", mac("q")))
            for name, machine in machines.items():
                machine.plug("eth0", ADDRESSES[name])
                machine.run(LISTEN)
            yield lambda host, command: machines[host].run(command, timeout=120)[1]
        finally:
            for machine in machines.values():
                machine.close()


def by_cable(folder, image, prepared, runs):
    """The same without a switch: two ends of a pair of sockets."""
    found = {}
    for pair in (("u", "v"), ("u", "q")):
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        machines = {}
        try:
            for name, end in zip(pair, ends):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                fd = end.fileno()
                machines[name] = \
                    uml(folder, name, image, f"vec0:transport=fd,fd={fd},mac={mac(name)}", (fd,)) \
                    if name != "q" else \
                    qemu(folder, name, prepared, (f"dgram,local.type=fd,local.str={fd}", mac(name)), (fd,))
                machines[name].plug("vec0" if name != "q" else "eth0", ADDRESSES[name])
                machines[name].run(LISTEN)
            for way in (pair, pair[::-1]):
                found[way] = [send(lambda host, command: machines[host].run(command, timeout=120)[1], *way)
                              for _ in range(runs)]
        finally:
            for machine in machines.values():
                machine.close()
            for end in ends:
                end.close()
    return found


@contextlib.contextmanager
def by_kmln(home):
    """The same, kept by kmln."""
    project = home.project("traffic", "".join(
        f"host {name} {{ superclass base; platform {NAMES[name].lower()}; memory {MEMORY[name]}M\n"
        f"network eth0 {{ address {ADDRESSES[name]} }} }}\n" for name in MEMORY))
    home.kmln("up", "-f", project)
    try:
        def run(host, command):
            return home.kmln("exec", "-p", "traffic", host, "sh", "-c", command)
        for name in MEMORY:
            run(name, LISTEN)
        yield run
    finally:
        home.kmln("down", "-f", project)


def traffic(home, runs, show, cable=False):
    """Prints the lines of bench/cluster's part `traffic` by show(WHAT, TEXT)."""
    folder = home.folder / "traffic-by-hand"
    folder.mkdir()
    kmln, hand = {pair: [] for pair in PAIRS}, {pair: [] for pair in PAIRS}
    with by_kmln(home) as ours:
        prepared = next((home.folder / "home/cache/prepared").glob("*.raw"))
        with by_hand(folder, home.folder / "guest.img", prepared) as theirs:
            # by turns, and each as often the first, so that what else the host does is the same for both
            for turn in range(runs):
                for pair in PAIRS:
                    for speeds, run in ((kmln, ours), (hand, theirs))[::-1 if turn % 2 else 1]:
                        speeds[pair].append(send(run, *pair))
    for pair in PAIRS:
        name = " to ".join(NAMES[end] for end in pair)
        ours, theirs = statistics.median(kmln[pair]), statistics.median(hand[pair])
        show(f"{name}, kmln", f"{ours:8.1f} MB/s  (from {min(kmln[pair]):.1f} to {max(kmln[pair]):.1f})")
        show(f"{name}, by hand", f"{theirs:8.1f} MB/s  (from {min(hand[pair]):.1f} to {max(hand[pair]):.1f})")
        show("  kmln / by hand", f"{ours / theirs:8.2f}")
    for pair, speeds in (by_cable(folder, home.folder / "guest.img", prepared, runs) if cable else {}).items():
        name = " to ".join(NAMES[end] for end in pair)
        show(f"{name}, no switch", f"{statistics.median(speeds):8.1f} MB/s  "
             f"(from {min(speeds):.1f} to {max(speeds):.1f})")
