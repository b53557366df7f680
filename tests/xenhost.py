# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Xen: its hypervisor and a small dom0 in QEMU's translator, out of Debian's packages. Nothing
is installed and nothing needs root. What is costly is made once and kept beside the guests.

    boot(FOLDER, SCRIPT)   starts it; dom0 finds a copy of FOLDER under the same path and runs the
                           shell text SCRIPT; returns what dom0 said
    DOMAIN                 a shell function for SCRIPT: domain CONFIG NAME MARKER... starts a domain
                           and waits until all markers stand on its console
    tools()                the unpacked packages, for pygrub and readnotes

dom0 lives in memory: busybox, Xen's tools, the modules they need. The processor is one that QEMU 7.2
emulates well enough for Xen (qemu64 with SVM and nested pages): of more modern ones dom0 dies.
"""

import hashlib
import inspect
import lzma
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import guests
from lock import locked

XEN = "4.17"
LIBRARIES = ("libxenmisc4.17", "libxenstore4", "libxengnttab1", "libxencall1", "libxenevtchn1",
             "libxenforeignmemory1", "libxentoollog1", "libxentoolcore1", "libxendevicemodel1",
             "libxenhypfs1", "libyajl2")
PACKAGES = (f"xen-hypervisor-{XEN}-amd64", f"xen-utils-{XEN}", "xen-utils-common", "xenstore-utils",
            "busybox-static", "bash", "util-linux", *LIBRARIES)
KERNEL = "linux-image-amd64"
MODULES = ("xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs", "xen-blkback",
           "xen-netback", "loop", "virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "bridge")
PROGRAMS = ("xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0", "libxl-save-helper")
DOM0_MEMORY = 400

INIT = f"""#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/
busybox mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/hvc0 >/dev/hvc0 2>&1
# Xen's scripts wait for ever for a lock without /dev/stdin
ln -s /proc/self/fd /dev/fd
for i in 0:stdin 1:stdout 2:stderr; do ln -s /proc/self/fd/${{i%:*}} /dev/${{i#*:}}; done
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/xen /run/xenstored /run/xen-hotplug
for module in {' '.join(MODULES)}; do modprobe $module; done
mount -t xenfs xenfs /proc/xen
ifconfig lo up
xenstored --pid-file=/run/xenstored.pid
until xenstore-write /kmln up 2>/dev/null; do sleep 0.2; done
xen-init-dom0
xenconsoled --pid-file=/run/xenconsoled.pid --log=guest --log-dir=/var/log/xen/console
echo "dom0: up"
sh /payload/run
echo "dom0: done"
echo o >/proc/sysrq-trigger
sleep 60
"""

# A domain's console log may end without its last line feed; a marker is a word of grep -E.
DOMAIN = r"""
domain() {
    config=$1; name=$2; shift 2
    log=/var/log/xen/console/guest-$name.log
    rm -f $log; touch $log
    echo "dom0: create $name"
    if ! xl create "$config"; then
        tail -n 20 /var/log/xen/xen-hotplug.log 2>/dev/null
        echo "dom0: $name was not created"
        return 1
    fi
    for marker; do
        end=$(($(date +%s) + ${LIMIT:-120}))
        until grep -qE "$marker" $log; do
            if [ $(date +%s) -gt $end ] || ! xl domid $name >/dev/null 2>&1; then
                echo "dom0: $name never said $marker"
                tail -n 60 $log
                xl destroy $name
                return 1
            fi
            sleep 0.5
        done
        echo "dom0: $name said $(grep -oE "$marker" $log | tail -n 1)"
    done
    xl list
    if [ "${KEEP:-}" ]; then return; fi
    xl destroy $name
}
"""


class Unavailable(guests.Unavailable):
    """No Xen can be made here."""


# --- the parts

def tools():
    """The folder of all packages, unpacked."""
    return _made() / "tools"


def _made():
    recipe = "".join(inspect.getsource(part) for part in (_make, _dom0, _fetch, _Archive))
    key = hashlib.sha256((recipe + INIT + repr((PACKAGES, MODULES, PROGRAMS))).encode()).hexdigest()[:12]
    place = guests.PLACE / f"xen-{key}"
    guests.PLACE.mkdir(parents=True, exist_ok=True)
    with locked(guests.PLACE / "xen.lock"):
        if not place.exists():
            for old in guests.PLACE.glob("xen-????????????*"):
                shutil.rmtree(old)
            half = Path(f"{place}.half")
            half.mkdir()
            start = time.monotonic()
            _make(half)
            half.rename(place)
            print(f"xen: made in {time.monotonic() - start:.0f} s", file=sys.stderr)
    return place


def _fetch(to):
    """Unpacks all packages below `to`."""
    with guests._apt() as (base, options):
        shown = guests._run(["apt-cache", *options, "show", "--no-all-versions", KERNEL]).stdout.decode()
        depends = next(line for line in shown.splitlines() if line.startswith("Depends:"))
        guests._run(["apt-get", *options, "download", depends.split()[1].rstrip(","), *PACKAGES], cwd=base)
        for deb in sorted(base.glob("*.deb")):
            guests._run(["dpkg-deb", "-x", deb, to])


def _make(place):
    tree = place / "tools"
    tree.mkdir()
    _fetch(tree)
    hypervisor = next((tree / "boot").glob(f"xen-{XEN}*.gz"))
    # QEMU's -kernel takes a multiboot ELF, not a compressed one
    (place / "xen").write_bytes(guests._run(["gzip", "-dc", hypervisor]).stdout)
    # an ELF spares Xen the unpacking, which is slow in the translator
    image = next((tree / "boot").glob("vmlinuz-*")).read_bytes()
    start, = struct.unpack_from("<I", image, 0x248)
    payload = image[(image[0x1f1] + 1) * 512 + start:]
    (place / "vmlinux").write_bytes(lzma.LZMADecompressor().decompress(payload))
    (place / "dom0.cpio").write_bytes(_dom0(tree))
    # dom0 has those that it needs; all of them are most of what was unpacked
    shutil.rmtree(tree / "lib/modules")


class _Archive:
    """A newc archive in which all belongs to root."""

    def __init__(self):
        self.parts, self.names = [], set()

    def add(self, path, mode, data=b""):
        path = path.strip("/")
        if path in self.names:
            return
        parent = os.path.dirname(path)
        if parent and parent not in self.names:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.names.add(path)
        self._put(path, mode, data)

    def _put(self, path, mode, data):
        name = os.fsencode(path) + b"\0"
        fields = (len(self.names), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        self.parts += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]

    def file(self, path, source):
        source = Path(source)
        self.add(path, stat.S_IFREG | (0o755 if os.access(source, os.X_OK) else 0o644), source.read_bytes())

    def link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def end(self):
        self._put("TRAILER!!!", 0, b"")
        return b"".join(self.parts)


def libraries(programs, folders=()):
    """Paths of all shared objects of these programs, and the loader; `folders` are looked in first."""
    found = {}
    env = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, folders))}
    for program in programs:
        done = subprocess.run(["ldd", program], capture_output=True, text=True, env=env)
        if done.returncode:
            continue
        for name, path in re.findall(r"^\s*(\S+)(?: => (\S+))? \(0x", done.stdout, re.M):
            if path or name.startswith("/"):
                found[os.path.basename(name)] = path or name
        missing = re.findall(r"(\S+) => not found", done.stdout)
        assert not missing, (program, missing)
    return found


def _dom0(tree):
    archive = _Archive()
    own = tree / f"usr/lib/xen-{XEN}"
    where = [tree / "usr/lib/x86_64-linux-gnu", own / "lib/x86_64-linux-gnu"]
    for folder in ("proc", "sys", "dev", "run", "tmp", "mnt", "root", "etc", "var/lib/xen",
                   "var/lib/xenstored", "var/log/xen/console", "lib64"):
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.link("var/run", "../run")
    archive.link("var/lock", "../run/lock")
    archive.add("init", stat.S_IFREG | 0o755, INIT.encode())
    programs = [own / "bin" / name for name in PROGRAMS]
    programs += [path for path in (tree / "usr/bin").glob("xenstore*") if not path.is_symlink()]
    for path in programs:
        archive.file(str(path.relative_to(tree)), path)
    for name in PROGRAMS:
        archive.link(f"usr/sbin/{name}", f"../lib/xen-{XEN}/bin/{name}")
    for path in (tree / "usr/bin").glob("xenstore*"):
        if path.is_symlink():
            archive.link(str(path.relative_to(tree)), os.readlink(path))
    # Xen's scripts are bash's, and lock with a real flock
    archive.file("bin/bash", tree / "bin/bash")
    archive.file("usr/bin/flock", tree / "usr/bin/flock")
    archive.file("bin/busybox", tree / "bin/busybox")
    for applet in guests._run([tree / "bin/busybox", "--list"]).stdout.decode().split():
        if applet not in ("bash", "flock", "busybox"):
            archive.link(f"bin/{applet}", "busybox")
    archive.link("sbin/modprobe", "../bin/busybox")
    for name, path in libraries([*programs, tree / "bin/bash", tree / "usr/bin/flock"], where).items():
        archive.file(f"lib64/{name}" if name.startswith("ld-linux") else
                     f"lib/x86_64-linux-gnu/{name}", path)
    # pthread_cancel opens it by name
    archive.file("lib/x86_64-linux-gnu/libgcc_s.so.1", "/lib/x86_64-linux-gnu/libgcc_s.so.1")
    for path in sorted((tree / "etc/xen").rglob("*")):
        if path.is_symlink():
            archive.link(str(path.relative_to(tree)), os.readlink(path))
        elif path.is_file():
            archive.file(str(path.relative_to(tree)), path)
    _modules(archive, next((tree / "lib/modules").iterdir()))
    return archive.end()


def _modules(archive, modules):
    """What dom0 loads, and an index of it."""
    guests._run(["depmod", "-b", modules.parent.parent.parent, modules.name])
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[Path(path).name.split(".")[0].replace("-", "_")] = [path, *rest.split()]
    wanted = {path for name in MODULES for path in
              needs.get(name.replace("-", "_"), ())}
    for path in wanted:
        archive.file(f"lib/modules/{modules.name}/{path}", modules / path)
    kept = [line for line in (modules / "modules.dep").read_text().splitlines()
            if line.partition(":")[0] in wanted]
    archive.add(f"lib/modules/{modules.name}/modules.dep", stat.S_IFREG | 0o644,
                "".join(line + "\n" for line in kept).encode())
    archive.file(f"lib/modules/{modules.name}/modules.builtin", modules / "modules.builtin")


# --- running it

def boot(folder, script, *, memory=256, timeout=300, extra=(), cpu=""):
    """Boots Xen and dom0 with room for domains of `memory` MiB. `folder` is put on a disk, which dom0
    mounts under the very same path; `extra`: (path in dom0, path of a file) more. Returns dom0's
    console as text; the folder itself stays as it is."""
    place, folder = _made(), Path(folder).resolve()
    work = folder.parent / f"{folder.name}.xen"
    work.mkdir()
    try:
        disk, initrd = work / "disk.img", work / "dom0.cpio"
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        guests._run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", folder, disk,
                     f"{size * 11 // 10 // 1024 + 32768}k"])
        archive = _Archive()
        # names may hold all but a newline and a quote's end: the script has them quoted
        quoted = "'" + str(folder).replace("'", "'\\''") + "'"
        text = f"mkdir -p {quoted}\nmount -t ext4 /dev/vda {quoted}\n{DOMAIN}\n{script}\n"
        archive.add("payload/run", stat.S_IFREG | 0o755, text.encode())
        for path, source in extra:
            archive.file(path, source)
        with open(initrd, "wb") as file:
            file.write((place / "dom0.cpio").read_bytes() + archive.end())
        return _run(place, disk, initrd, DOM0_MEMORY + 304 + memory, timeout, cpu)
    finally:
        shutil.rmtree(work)


def _run(place, disk, initrd, memory, timeout, cpu):
    argv = [*guests.DIES_WITH_US, guests._program("qemu-system-x86_64", "qemu-system-x86"), "-accel", "tcg,tb-size=256",
            "-machine", "q35", "-cpu", f"qemu64,+svm,+npt{cpu}", "-smp", "1", "-m", str(memory),
            "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", place / "xen",
            "-append", f"console=com1 com1=115200,8n1 dom0_mem={DOM0_MEMORY}M,max:{DOM0_MEMORY}M "
                       "dom0_max_vcpus=1 cpuidle=0 noreboot",
            # a comma divides what Xen is given, and is written twice in a path
            "-initrd", f"{place}/vmlinux console=hvc0 quiet panic=-1,{str(initrd).replace(',', ',,')}",
            "-drive", f"if=none,id=a,format=raw,file={str(disk).replace(',', ',,')},snapshot=on",
            "-device", "virtio-blk-pci,drive=a"]
    said, end = b"", time.monotonic() + timeout
    machine = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    os.set_blocking(machine.stdout.fileno(), False)
    try:
        # a panic of Xen's does not end the machine
        while machine.poll() is None and time.monotonic() < end and not re.search(
                rb"Panic on CPU|Manual reset required", said[-20000:]):
            time.sleep(0.2)
            said += machine.stdout.read() or b""
        said += machine.stdout.read() or b""
    finally:
        if machine.poll() is None:
            os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()
    return said.decode(errors="replace").replace("\r", "")


if __name__ == "__main__":
    # python3 tests/xenhost.py: makes the parts ahead of time
    print(_made())
