#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make matrix: each way of a guest from one platform to another, and each way to start it, tried on real
guests; a table of what was booted and what was only inspected, with the seconds. $KMLN_BUILD: the build.

    tests/matrix.py [--everything] [--only GUEST,...] [--rows REGEX] [--limit SECONDS]

A cell says "booted, C + B s": converted in C seconds (0: nothing is converted), up in B: a login, or what
the guest's own start script says last. "inspected, C s": converted, found clean by e2fsck and ready by
kmln inspect; where nothing is converted, kmln boot --dry-run plans the machine. --everything boots
these too. Two guests are worked on at a time. A cell that fails is told in full, and the status is 1.
With --only the other guests are shown as they were measured last; with --rows the rows whose key the
expression finds are booted, and the others shown so. If the program ends, however it ends, so do its machines."""

import argparse
import datetime
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import guests
import images
import xenhost

KMLN = Path(os.environ.get("KMLN_BUILD", guests.ROOT / "build")) / "kmln"
KEPT = KMLN.parent / "matrix"
LIMIT = 900
XEN_LIMIT = 300


@dataclass
class Guest:
    name: str  # of guests.py
    title: str
    up: str  # what its console shows at last
    packaged: bool  # the cached kernel is not its own: it is to fetch one
    boots: str  # rows that are booted without --everything; "" is all


@dataclass
class Row:
    key: str
    title: str
    start: str  # the form that it begins with
    to: tuple = ()  # options of kmln convert; none: as it is
    on: str = "qemu"  # where it is started
    boot: tuple = ()  # further options of kmln boot
    form: str = ""  # the name of the result, for rows that begin with it
    what: str = "{}"  # what is started


QUICK = "^(bare-uml|kvm-bios|kvm-on-uml)$"
GUESTS = (
    Guest("busybox", "busybox", guests.READY, False, ""),
    Guest("systemd", "Debian 12, systemd", "login: $", False, "^(?!kvm-disk|kvm-to-xen|xen-to-kvm|all-(qemu|pv|pvh))"),
    # as old guests are: no login on the serial line until it is converted
    Guest("sysvinit", "Debian 12, sysvinit", "login: $", False, "^(kvm-bios|kvm-on-uml)$"),
    Guest("trixie", "Debian 13", "login: $", True, QUICK),
    Guest("bullseye", "Debian 11", "login: $", True, QUICK),
)
ROWS = (
    Row("bare-uml", "UML as it is, in UML", "uml", on="uml"),
    Row("bare-qemu", "UML as it is, in QEMU", "uml"),
    Row("kvm-bios", "UML to KVM, by BIOS", "uml", ("--to", "kvm"), form="kvm"),
    Row("kvm-uefi", "UML to KVM, by UEFI", "uml", ("--to", "kvm", "--boot", "uefi"),
        boot=("--firmware", "uefi")),
    Row("kvm-disk", "UML to KVM, by boot disk", "uml", ("--to", "kvm", "--boot", "disk"),
        boot=("--boot-disk", "{}.boot.img")),
    Row("kvm-direct", "UML to KVM, direct", "uml", ("--to", "kvm", "--boot", "direct"), what="{}.json"),
    Row("kvm-on-uml", "KVM as it is, raw, in UML", "kvm", on="uml"),
    Row("qcow2-on-uml", "KVM as it is, qcow2, in UML", "qcow2", on="uml"),
    Row("kvm-to-uml", "KVM to UML, a copy", "kvm", ("--to", "uml"), on="uml"),
    Row("kvm-to-uml-here", "KVM to UML, in place", "kvm", ("--to", "uml", "--in-place"), on="uml"),
    Row("xen-pv", "UML to Xen PV", "uml", ("--to", "xen", "--xen-type", "pv"), on="xen"),
    Row("xen-pvh", "UML to Xen PVH", "uml", ("--to", "xen"), on="xen", form="xen"),
    Row("kvm-to-xen", "KVM to Xen PVH", "kvm", ("--to", "xen"), on="xen"),
    Row("xen-to-uml", "Xen to UML", "xen", ("--to", "uml"), on="uml"),
    Row("xen-to-kvm", "Xen to KVM, by BIOS", "xen", ("--to", "kvm")),
    Row("all-uml", "UML to all, in UML", "uml", ("--to", "all"), on="uml", form="all"),
    Row("all-qemu", "the same image in QEMU", "all"),
    Row("all-pv", "the same image, Xen PV", "all", on="xen"),
    Row("all-pvh", "the same image, Xen PVH", "all", on="xen"),
)


class Failed(Exception):
    pass


def kmln(home, *argv):
    """Runs it; its output and the seconds."""
    start = time.monotonic()
    done = subprocess.run([*guests.DIES_WITH_US, KMLN, *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT,
                          env={**os.environ, "KMLN_HOME": str(home), "LC_ALL": "C.UTF-8"})
    out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    if done.returncode:
        raise Failed(f"kmln {shlex.join(map(str, argv))}: status {done.returncode}\n{out[-3000:]}\n{err[-3000:]}")
    return out, time.monotonic() - start


class Journey:
    """All cells of one guest, in a folder of its own."""

    def __init__(self, guest, folder, home, given):
        self.guest, self.folder, self.home, self.given = guest, folder, home, given
        self.forms, self.cells, self.errors, self.domains = {}, {}, [], []
        folder.mkdir()
        (folder / "xen").mkdir()

    def run(self):
        self.forms["uml"] = base = guests.copy(guests.NAMES[self.guest.name](), self.folder / "uml.img")
        if self.guest.name == "busybox":
            # room for a kernel with all its modules
            images.tool("resize2fs", "e2fsprogs", base, "300M")
        elif self.guest.name != "sysvinit":
            guests.patient(base)
        if self.guest.name in ("systemd", "sysvinit"):
            images.put(base, "/etc/network/interfaces", "auto lo\niface lo inet loopback\n")
        chosen = [row for row in ROWS if re.search(self.given.rows, row.key)]
        needed = {row.start for row in chosen}
        if "qcow2" in needed or any(row.start == "kvm" for row in chosen):
            needed.add("kvm")
        for row in ROWS:
            if row in chosen:
                self.cell(row)
            elif row.form in needed - {""}:
                self.made(row)
        if self.domains:
            self.xen()
        shutil.rmtree(self.folder)
        KEPT.mkdir(exist_ok=True)
        kept = KEPT / f"{self.guest.name}.json"
        before = json.loads(kept.read_text())["cells"] if kept.exists() and self.given.rows else {}
        kept.write_text(json.dumps({"date": str(datetime.date.today()), "cells": before | self.cells}))
        return self

    def say(self, row, words):
        self.cells[row.key] = words
        print(f"{self.guest.title}: {row.title}: {words}", file=sys.stderr, flush=True)

    def failed(self, row, error):
        self.errors.append(f"{self.guest.title}: {row.title}: {error}")
        self.say(row, "FAILED")

    def cell(self, row):
        try:
            image, took = self.made(row)
            if not (self.given.everything or self.given.rows or re.search(self.guest.boots, row.key)):
                self.inspect(row, image)
                self.say(row, f"inspected, {took:.1f} s" if row.to else "inspected")
            elif row.on == "xen":
                self.domains.append((row, image, took))
                return
            else:
                options = [word.format(image) for word in row.boot]
                _, up = kmln(self.home, "boot", "--snapshot", "--on", row.on, row.what.format(image), *options,
                             "--until", self.guest.up, "--timeout", LIMIT)
                self.say(row, f"booted, {took:.1f} + {up:.0f} s" if row.to else f"booted, 0 + {up:.0f} s")
            if row.to and not row.form:
                for path in self.folder.glob(f"{image.name}*"):
                    path.unlink()
        except (Failed, OSError, AssertionError, subprocess.SubprocessError) as error:
            self.failed(row, error)

    def made(self, row):
        """The image that the row starts, and the seconds to convert it."""
        if row.start == "qcow2" and "kvm" in self.forms:
            self.forms["qcow2"] = self.folder / "kvm.qcow2"
            images.tool("qemu-img", "qemu-utils", "convert", "-O", "qcow2", self.forms["kvm"], self.forms["qcow2"])
        if row.start not in self.forms:
            raise Failed(f"the conversion to {row.start} failed")
        start = self.forms[row.start]
        if not row.to:
            return start, 0
        folder = self.folder / "xen" if row.on == "xen" else self.folder
        image = folder / f"{row.key}.img"
        if "--in-place" in row.to:
            guests.copy(start, image)
            _, took = kmln(self.home, "-q", "convert", image, *row.to)
        else:
            _, took = kmln(self.home, "-q", "convert", start, *row.to, "-o", image)
        if row.form:
            self.forms[row.form] = image
        return image, took

    def inspect(self, row, image):
        if not row.to and row.on != "xen":
            kmln(self.home, "boot", "--dry-run", "--snapshot", "--on", row.on, image)
            return
        offset = images.MIB if images.peek(image, 510, 2) == b"\x55\xaa" else 0
        if "uefi" in row.to:
            offset = next(part["start"] * 512 for part in images.table(image)["partitions"]
                          if part["node"].endswith("img1"))
        if not images.clean(image, offset):
            raise Failed("e2fsck finds errors")
        told = json.loads(kmln(self.home, "inspect", image, "--format", "json")[0])["platforms"][
            "kvm" if row.on == "qemu" else row.on]
        beside = {"disk", "direct"} & set(row.to)
        # what starts it lies beside the image there
        if not told["ready"] and not beside:
            raise Failed(f"kmln inspect: not ready: {told['missing']}")

    # --- a real Xen, once for all domains of the guest

    def xen(self):
        script = f"LIMIT={self.given.limit}\n"
        for row, image, _ in self.domains:
            config = Path(f"{image}.xl.cfg")
            text = re.sub('^name = .*', f'name = "{row.key}"', config.read_text(), flags=re.M)
            if row.key == "all-pv":
                text = text.replace('type = "pvh"', 'type = "pv"')
            own = self.folder / "xen" / f"{row.key}.cfg"
            if image.parent != own.parent:
                for path in self.folder.glob(f"{image.name}*"):
                    guests.copy(path, own.parent / path.name)
                text = text.replace(str(image), str(own.parent / image.name))
            own.write_text(text)
            words = shlex.join([str(own), row.key, self.guest.up])
            script += f'at=$(date +%s); domain {words} && echo "dom0: {row.key} took $(($(date +%s) - at)) s"\n'
        try:
            said = xenhost.boot(self.folder / "xen", script, memory=512,
                                timeout=self.given.limit * len(self.domains) + 120)
        except (guests.Unavailable, RuntimeError, OSError) as error:
            for row, _, _ in self.domains:
                self.failed(row, error)
            return
        for row, _, took in self.domains:
            up = re.search(rf"^dom0: {row.key} took (\d+) s", said, re.M)
            if up:
                self.say(row, f"booted, {took:.1f} + {up[1]} s" if row.to else f"booted, 0 + {up[1]} s")
            else:
                self.failed(row, said[-4000:])


def table():
    """What was measured, now or before, in Markdown, columns aligned."""
    kept = {guest.title: json.loads(path.read_text())["cells"] for guest in GUESTS
            if (path := KEPT / f"{guest.name}.json").exists()}
    lines = [["", *kept]] + [[row.title, *(cells.get(row.key, "") for cells in kept.values())] for row in ROWS]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    shown = ["| " + " | ".join(word.ljust(width) for word, width in zip(line, widths)) + " |" for line in lines]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)


def machine():
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True).stdout.splitlines()
    return (f"{datetime.date.today()}, {os.cpu_count()} processors ({model[1] if model else platform.machine()}), "
            f"Linux {platform.release()}, {version[0] if version else 'no QEMU'}, no KVM used")


def end(place, status):
    """At once: threads that wait for machines would be waited for. The machines end with us."""
    shutil.rmtree(place, ignore_errors=True)
    os._exit(status)


def main():
    parser = argparse.ArgumentParser(prog="make matrix", description="What works where, tried.")
    parser.add_argument("--everything", action="store_true", help="boot also what is only inspected")
    parser.add_argument("--only", help="measure these guests: " + ", ".join(guest.name for guest in GUESTS))
    parser.add_argument("--rows", default="", metavar="REGEX", help="boot these rows: " +
                        ", ".join(row.key for row in ROWS))
    parser.add_argument("--limit", type=int, default=XEN_LIMIT, metavar="SECONDS",
                        help=f"what a domain of Xen may take to come up (default {XEN_LIMIT})")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [guest.name for guest in GUESTS]
    chosen = [guest for guest in GUESTS if guest.name in names]
    if len(chosen) != len(names):
        parser.error("there is no such guest")
    start = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="kmln-matrix-"))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, frame: end(place, 128 + number))
    try:
        cached, empty = place / "cached", place / "empty"
        kmln(cached, "-q", "kernel", "add", *(guests.NAMES[name]() for name in ("kernel", "linux-base", "kmod", "libkmod2")))
        with ThreadPoolExecutor(2) as pool:
            journeys = list(pool.map(lambda guest: Journey(
                guest, place / guest.name, empty if guest.packaged else cached, given).run(), chosen))
    finally:
        shutil.rmtree(place)
    print(table())
    print(f"\n{machine()}; {time.monotonic() - start:.0f} s in all")
    errors = [error for journey in journeys for error in journey.errors]
    for error in errors:
        print(f"\n{error}", file=sys.stderr)
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
