# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests that tests, demo and bench work on: made once, kept in build/guests, never written
again. Each is a bare ext4 image, with the fstab of an old UML guest. No root is needed.

The file's name holds a hash of its recipe, so that a changed recipe makes a new guest. A lock keeps
two workers from making the same one. A guest is given out read-only: copy() it to change it.

    busybox()             starts in seconds, prints "kmln guest ready", then is a root shell
    awkward()             busybox with one of every object that a conversion could damage
    debian("systemd")     Debian 12; root's password is ROOT_PASSWORD
    debian("sysvinit")
    created("trixie")     Debian 13 as kmln create makes it; and "bullseye", Debian 11
    kvm_host()            a host to run kmln on, with QEMU; see its function
    kernel_deb()          Debian's cloud kernel as a .deb, for the kernel kit
    package("kmod")       another package of Debian as a .deb
"""

import contextlib
import hashlib
import inspect
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lock import locked

ROOT = Path(__file__).resolve().parent.parent
PLACE = Path(os.environ.get("KMLN_GUESTS", ROOT / "build/guests"))
ROOT_PASSWORD = "kmln"
READY = "kmln guest ready"
SBIN_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
# In front of a command that must not outlive us, whatever ends us. (Of util-linux, on every Debian.)
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class Unavailable(Exception):
    """This host lacks what a guest is made with; `package` brings it (None: no package does)."""

    def __init__(self, reason, package=None):
        super().__init__(reason)
        self.package = package


def busybox():
    return _cached("busybox", _make_busybox, (_busybox_tree, _mke2fs, _debugfs))


def awkward():
    return _cached("awkward", _make_awkward, (_awkward_tree, _busybox_tree, _mke2fs, _debugfs))


def debian(init):
    return _cached(f"debian-{init}", lambda to: _make_debian(to, init),
                   (_make_debian, _tar_to_image, init))


def created(suite):
    program = Path(os.environ.get("KMLN_BUILD", ROOT / "build")) / "kmln"
    how = (ROOT / "src/convert/create.c").read_text()
    return _cached(f"created-{suite}", lambda to: _create(program, suite, to), (_create, suite, how))


def kvm_host():
    return _cached("kvm-host", _make_kvm_host, (_kvm_host_files,))


def kernel_deb():
    return _cached("linux-image-cloud-amd64", _fetch_kernel, (), suffix=".deb")


def newer_kernel_deb():
    """The cloud kernel of a later series, its modules compressed."""
    meta = "linux-image-6.12-cloud-amd64"
    return _cached(meta, lambda to: _fetch_kernel(to, meta), (_fetch_kernel, meta), suffix=".deb")


def package(name):
    return _cached(name, lambda to: _fetch_package(to, name), (_fetch_package, name), suffix=".deb")


def copy(guest, to):
    """A copy to be changed; holes stay holes."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", guest, to], check=True)
    os.chmod(to, 0o644)
    return Path(to)


def patient(image):
    """Lets a guest's systemd wait for devices longer than 90 seconds, after which it gives up the serial
    line: a translator on a busy machine needs them."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("[Manager]\nDefaultTimeoutStartSec=15min\nDefaultDeviceTimeoutSec=15min\n")
        file.flush()
        _debugfs(image, ["mkdir /etc/systemd/system.conf.d",
                         f"write {file.name} /etc/systemd/system.conf.d/patient.conf"])


def partitioned(guest, to, first_sector=2048):
    """A raw disk with an MBR whose one partition holds the guest's filesystem."""
    size = os.path.getsize(guest)
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", first_sector,
                        size // 512)
    mbr = bytearray(512)
    mbr[440:444] = b"KMLN"
    mbr[446:462] = entry
    mbr[510:512] = b"\x55\xaa"
    with open(to, "wb") as disk:
        disk.write(mbr)
    subprocess.run(["dd", f"if={guest}", f"of={to}", "bs=512", f"seek={first_sector}",
                    "conv=sparse,notrunc", "status=none"], check=True)
    os.truncate(to, first_sector * 512 + size)
    return Path(to)


# --- the cache

def _cached(name, maker, recipe, suffix=".img"):
    sources = [part if isinstance(part, str) else inspect.getsource(part) for part in (maker, *recipe)]
    key = hashlib.sha256("\0".join(sources).encode()).hexdigest()[:12]
    PLACE.mkdir(parents=True, exist_ok=True)
    path = PLACE / f"{name}-{key}{suffix}"
    if path.exists():
        return path
    with locked(PLACE / f"{name}.lock"):
        if not path.exists():
            for old in PLACE.glob(f"{name}-????????????{suffix}"):
                old.unlink()
            half = path.with_suffix(".half")
            half.unlink(missing_ok=True)
            start = time.monotonic()
            maker(half)
            half.chmod(0o444)
            half.rename(path)
            print(f"guest {path.name}: made in {time.monotonic() - start:.0f} s", file=sys.stderr)
    return path


# --- busybox

def _program(name, package):
    found = shutil.which(name, path=SBIN_PATH)
    if not found:
        raise Unavailable(f"{name} is not installed", package)
    return found


def _run(argv, allowed=frozenset({0}), **options):
    done = subprocess.run([os.fspath(a) for a in argv], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, "PATH": SBIN_PATH,
                                                       "LC_ALL": "C"}, **options)
    if done.returncode not in allowed:
        words = done.stderr.decode(errors="replace")[-2000:]
        raise RuntimeError(f"{argv[0]} failed with status {done.returncode}: {words}")
    return done


def _as_root(argv):
    """argv as one who owns his files as root: in a user namespace where we are not root."""
    return argv if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", *argv]


def _scratch():
    base = tempfile.mkdtemp(prefix="kmln-guest-")
    os.chmod(base, 0o755)
    return Path(base)


def _mke2fs(tree, image, size, uuid_end):
    """An ext4 image with the folder's content, owned by root. Always the same UUID and hash seed."""
    _program("mke2fs", "e2fsprogs")
    _run(_as_root(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", tree,
                   "-U", f"6b6d6c6e-0000-4000-8000-{uuid_end:012d}",
                   "-E", f"hash_seed=6b6d6c6e-0000-4000-8001-{uuid_end:012d}", image, size]))


def _debugfs(image, commands):
    """Runs debugfs commands; any word on stderr but the version is an error."""
    done = _run([_program("debugfs", "e2fsprogs"), "-w", "-f", "-", image],
                input="\n".join(commands).encode() + b"\n")
    errors = [line for line in done.stderr.decode().splitlines() if not line.startswith("debugfs 1.")]
    if errors:
        raise RuntimeError(f"debugfs: {errors}")


def _busybox_tree(tree):
    program = _program("busybox", "busybox-static")
    for folder in ("bin", "sbin", "etc", "proc", "sys", "dev", "tmp", "root", "run", "var/lib", "boot",
                   "lib/modules", "usr/bin", "home/ada"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(program, tree / "bin/busybox")
    for applet in _run([program, "--list"]).stdout.decode().split():
        if applet != "busybox":
            (tree / "bin" / applet).symlink_to("busybox")
    (tree / "sbin/init").symlink_to("../bin/busybox")
    (tree / "tmp").chmod(0o1777)
    (tree / "root").chmod(0o700)
    files = {
        "etc/fstab": "/dev/ubda / ext4 defaults 0 1\nproc /proc proc defaults 0 0\n",
        "etc/hostname": "box\n",
        "etc/os-release": 'NAME="kmln test guest"\nID=kmln-test\nVERSION_ID="1"\n'
                          'PRETTY_NAME="kmln test guest 1"\n',
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:Ada:/home/ada:/bin/sh\n",
        "etc/group": "root:x:0:\nada:x:1000:\n",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/inittab": "::sysinit:/etc/rc\n::respawn:-/bin/sh\n::ctrlaltdel:/bin/reboot\n"
                       "::shutdown:/bin/umount -a -r\n",
        "etc/rc": "#!/bin/sh\nexport PATH=/bin:/sbin\nmount -t proc proc /proc\n"
                  "mount -t sysfs sys /sys\nmount -t devtmpfs dev /dev 2>/dev/null\n"
                  "mount -o remount,rw /\nhostname -F /etc/hostname\n"
                  f'echo "{READY}: $(hostname), Linux $(uname -r)"\n',
    }
    for name, text in files.items():
        (tree / name).write_text(text)
    (tree / "etc/rc").chmod(0o755)
    return ["cd /dev", "mknod console c 5 1", "mknod null c 1 3", "mknod tty c 5 0",
            "mknod ttyS0 c 4 64", "cd /", "sif /home/ada uid 1000", "sif /home/ada gid 1000"]


def _make_busybox(image):
    base = _scratch()
    try:
        (base / "tree").mkdir()
        commands = _busybox_tree(base / "tree")
        _mke2fs(base / "tree", image, "64M", 1)
        _debugfs(image, commands)
    finally:
        shutil.rmtree(base)


# --- what a conversion could damage

def _stamp(path, field, seconds, nanoseconds):
    """debugfs commands that set a time: 32 bits of seconds, then 30 of nanoseconds and 2 of epoch."""
    low = seconds & 0xffffffff
    signed = low - (1 << 32) if low & 0x80000000 else low
    epoch = (seconds - signed) >> 32
    assert 0 <= epoch <= 3
    return [f"sif {path} {field} @{low:#x}",
            f"sif {path} {field}_extra {(nanoseconds << 2 | epoch):#x}"]


# path: seconds since 1970 of 1902-03-04, 1999-12-31, 2040-06-01 and 2400-02-29
AWKWARD_DATES = {
    "/awkward/date-1902": -2140646400,
    "/awkward/date-1999": 946598400,
    "/awkward/date-2040": 2222121600,
    "/awkward/date-2400": 13574563200,
}


def _awkward_tree(tree, base):
    """Fills tree with what a folder of any user can hold; returns debugfs commands for the rest."""
    odd = os.fsencode(tree) + b"/awkward"
    os.mkdir(odd)

    def put(name, content=b"content of it\n"):
        with open(odd + b"/" + name, "wb") as file:
            file.write(content)

    for name in (b"latin-\xe4\xf6\xfc", b"new\nline", b"escape\x1b[31m", b"blank and 'quotes\"",
                 b"\xff\xfe", b"n" * 255, "größe-日本".encode()):
        put(name, b"name " + name)
    put(b"hard-1", b"one inode, three names\n")
    os.link(odd + b"/hard-1", odd + b"/hard-2")
    os.mkdir(odd + b"/folder")
    os.link(odd + b"/hard-1", odd + b"/folder/hard-3")
    os.mkfifo(odd + b"/fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        # the name of a socket has little room, so it is bound with a short path
        here = os.getcwd()
        os.chdir(odd)
        sock.bind("socket")
        os.chdir(here)
    os.symlink(b"/etc/fstab", odd + b"/link-absolute")
    os.symlink(b"../../../../../../etc/passwd", odd + b"/link-outside")
    os.symlink(b"nowhere", odd + b"/link-dangling")
    os.symlink(b"link-loop", odd + b"/link-loop")
    os.symlink(b"x" * 59, odd + b"/link-59")
    os.symlink(b"y" * 60, odd + b"/link-60")
    os.symlink(b"z" * 4000, odd + b"/link-4000")
    for name in (b"setuid", b"capable", b"acl", b"immutable", b"append-only", b"owned", b"xattrs",
                 b"empty-xattr", b"date-1902", b"date-1999", b"date-2040", b"date-2400"):
        put(name)
    put(b"empty", b"")
    os.mkdir(odd + b"/default-acl")
    put(b"random", random.Random(1).randbytes(3_000_001))
    # 3 GiB with three islands of data: at the start, over a block's edge, and at the very end
    with open(odd + b"/sparse", "wb") as file:
        for offset, data in ((0, b"start"), ((1 << 31) - 3, b"middle"), ((3 << 30) - 4, b"end\n")):
            file.seek(offset)
            file.write(data)
    # so many pieces that the extents need a tree
    with open(odd + b"/pieces", "wb") as file:
        for i in range(700):
            file.seek(i * 3 * 4096)
            file.write(b"piece %d" % i)
    os.mkdir(odd + b"/many")
    for i in range(3000):
        with open(odd + b"/many/entry-%04d-with-a-name-of-some-length" % i, "wb") as file:
            if i % 100 == 0:
                file.write(b"%d\n" % i)

    def binary(name, content):
        path = base / name
        path.write_bytes(content)
        return path

    def acl(*entries):
        return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)

    nobody = 0xffffffff
    access = acl((1, 6, nobody), (2, 4, 1000), (4, 4, nobody), (16, 4, nobody), (32, 0, nobody))
    default = acl((1, 7, nobody), (2, 5, 1000), (4, 5, nobody), (16, 5, nobody), (32, 0, nobody))
    # version 2, effective: cap_net_raw permitted
    capability = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
    commands = [
        "cd /awkward",
        "mknod char c 10 200", "mknod block b 7 300", "mknod large c 4095 65535",
        "sif setuid mode 0104755",
        "sif owned uid 70000", "sif owned gid 80000",
        "sif folder mode 042775",
        f"ea_set -f {binary('cap', capability)} capable security.capability",
        f"ea_set -f {binary('acl', access)} acl system.posix_acl_access",
        f"ea_set -f {binary('dacl', default)} default-acl system.posix_acl_default",
        f"ea_set -f {binary('big', random.Random(2).randbytes(1500))} xattrs user.big",
        "ea_set xattrs user.small value",
        "ea_set xattrs trusted.of-root secret",
        "ea_set folder user.folder yes",
        f"ea_set -f {binary('none', b'')} empty-xattr user.empty",
        # extents (0x80000) with immutable (0x10) and append-only (0x20)
        "sif immutable flags 0x80010", "sif append-only flags 0x80020",
    ]
    for path, seconds in AWKWARD_DATES.items():
        for field in ("mtime", "atime", "ctime"):
            commands += _stamp(path, field, seconds, 123456789)
    return commands


def _make_awkward(image):
    base = _scratch()
    try:
        (base / "tree").mkdir()
        commands = _busybox_tree(base / "tree")
        commands += _awkward_tree(base / "tree", base)
        _mke2fs(base / "tree", image, "512M", 2)
        _debugfs(image, commands)
        # -D gives big folders the index that a running kernel would have given them; 1: it did so
        _run([_program("e2fsck", "e2fsprogs"), "-fyD", image], allowed={0, 1})
    finally:
        shutil.rmtree(base)


# --- Debian

def _make_debian(image, init):
    """Debian 12 as an old UML guest has it. Everything that is particular to how a Debian guest is
    made stands in this one function."""
    packages = {
        "systemd": "systemd-sysv,udev,dbus",
        "sysvinit": "sysvinit-core,sysv-rc,initscripts,udev",
    }[init]
    hook = (
        'set -e; chroot "$1" sh -c "echo root:%s | chpasswd"; '
        'echo old-%s >"$1/etc/hostname"; '
        'echo "/dev/ubda / ext4 defaults 0 1" >"$1/etc/fstab"; '
        'printf "auto lo\\niface lo inet loopback\\n\\nauto eth0\\niface eth0 inet dhcp\\n" '
        '>"$1/etc/network/interfaces"; rm -f "$1"/var/cache/apt/archives/*.deb'
    ) % (ROOT_PASSWORD, init)
    base = _scratch()
    try:
        with open(base / "guest.tar", "wb") as tar:
            _need_network()
            done = subprocess.run(
                [_program("mmdebstrap", "mmdebstrap"), "--quiet", "--variant=minbase",
                 f"--include={packages},ifupdown,iproute2,isc-dhcp-client,kmod,netbase",
                 "--aptopt=Acquire::Retries 3", f"--customize-hook={hook}", "bookworm", "-"],
                stdout=tar, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd="/",
                env={**os.environ, "PATH": SBIN_PATH, "LC_ALL": "C", "TMPDIR": str(base)})
        if done.returncode != 0:
            raise RuntimeError("mmdebstrap failed: " + done.stderr.decode(errors="replace")[-3000:])
        _tar_to_image(base, image, {"systemd": 3, "sysvinit": 4}[init])
    finally:
        _remove(base)


def _create(program, suite, image):
    _program("mmdebstrap", "mmdebstrap")
    _need_network()
    _run([program, "-q", "create", f"debian:{suite}", "-o", image, "--hostname", suite,
          "--root-password", ROOT_PASSWORD])


def _mapped(argv):
    """argv where files can have many owners: a namespace with all of our subordinate ids."""
    if os.geteuid() == 0:
        return argv
    return ["unshare", "--user", "--map-root-user", "--map-auto", *argv]


def _tar_to_image(base, image, uuid_end):
    script = ('set -e; mkdir "$1/tree"; tar -C "$1/tree" --numeric-owner --xattrs '
              '--xattrs-include="*" --exclude="./dev/*" -xpf "$1/guest.tar"; '
              'mke2fs -q -F -t ext4 -L root -U "$3" -E "hash_seed=$4" -d "$1/tree" "$2" 1G')
    _run(_mapped(["sh", "-c", script, "sh", base, image, f"6b6d6c6e-0000-4000-8000-{uuid_end:012d}",
                  f"6b6d6c6e-0000-4000-8001-{uuid_end:012d}"]))
    _debugfs(image, ["cd /dev", "mknod console c 5 1", "mknod null c 1 3"])


def _remove(base):
    """Removes a folder that may hold files of subordinate owners."""
    _run(_mapped(["rm", "-rf", base]))


def _need_network(host="deb.debian.org"):
    try:
        socket.create_connection((host, 80), timeout=20).close()
    except OSError as error:
        # a proxy may reach what we cannot
        if not any(os.environ.get(name) for name in ("http_proxy", "HTTP_PROXY")):
            raise Unavailable(f"no Debian mirror can be reached: {error}") from error


# --- a host

def _kvm_host_files():
    """No init system: it mounts a second disk and runs the script `start` there, once. ada is in
    group kvm, bob is not."""
    return {
        "sbin/init": "#!/bin/sh\nexport PATH=/bin:/sbin:/usr/bin:/usr/sbin\n"
                     "mkdir -p /dev/shm\nfor at in /dev/shm /tmp /run; do\n"
                     "\tmount -t tmpfs -o mode=1777 tmpfs $at\ndone\n"
                     "mount -o ro /dev/vdb /mnt\nsh /mnt/start\npoweroff -f\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:Ada:/home/ada:/bin/sh\n"
                      "bob:x:1001:1001:Bob:/home/ada:/bin/sh\n",
        "etc/group": "root:x:0:\nkvm:x:105:ada\nada:x:1000:\nbob:x:1001:\n",
    }


def _make_kvm_host(image):
    """The least of Debian in which kmln boots machines by QEMU: packages unpacked, not installed,
    and busybox for what an init needs. kmln and its libraries come on another disk."""
    packages = "qemu-system-x86,seabios,bubblewrap,busybox-static,e2fsprogs"
    unused = ("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/icons",
              "usr/bin/qemu-system-x86_64-microvm", "usr/libexec/qemu-system-i386")
    script = ('set -e; mkdir "$1/tree"; cd "$1/tree"; tar --exclude="./dev/*" -xpf "$1/host.tar"; '
              'cp -R "$1/files/." .; mkdir -p home/ada proc sys dev tmp run mnt root; '
              'for applet in $(bin/busybox --list); do '
              '[ -e bin/$applet ] || [ -e sbin/$applet ] || [ -e usr/bin/$applet ] || '
              '[ -e usr/sbin/$applet ] || ln -s busybox bin/$applet; done; '
              'chmod 755 sbin/init; chown 1000:1000 home/ada; image=$2; shift 2; rm -rf "$@"; '
              'mke2fs -q -F -t ext4 -d . "$image" 400M')
    base = _scratch()
    try:
        for name, text in _kvm_host_files().items():
            (base / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            (base / "files" / name).write_text(text)
        with open(base / "host.tar", "wb") as tar:
            _need_network()
            done = subprocess.run(
                [_program("mmdebstrap", "mmdebstrap"), "--quiet", "--variant=extract",
                 f"--include={packages}", "--aptopt=Acquire::Retries 3", "bookworm", "-"],
                stdout=tar, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd="/",
                env={**os.environ, "PATH": SBIN_PATH, "LC_ALL": "C", "TMPDIR": str(base)})
        if done.returncode != 0:
            raise RuntimeError("mmdebstrap failed: " + done.stderr.decode(errors="replace")[-3000:])
        _run(_mapped(["sh", "-c", script, "sh", base, image, *unused]))
    finally:
        _remove(base)


# --- a kernel

@contextlib.contextmanager
def _apt():
    """A folder and apt's options: the host's own sources and keys, with lists of our own: as any user,
    and without a word in the host's apt."""
    _need_network()
    base = _scratch()
    try:
        for folder in ("lists/partial", "cache/archives/partial"):
            (base / folder).mkdir(parents=True)
        (base / "status").touch()
        options = ["-q", "-o", f"Dir::State::Lists={base}/lists", "-o", f"Dir::Cache={base}/cache",
                   "-o", f"Dir::State::status={base}/status", "-o", "Debug::NoLocking=1",
                   "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]
        _run(["apt-get", *options, "update"])
        yield base, options
    finally:
        shutil.rmtree(base)


def _fetch_kernel(deb, meta="linux-image-cloud-amd64"):
    with _apt() as (base, options):
        shown = _run(["apt-cache", *options, "show", "--no-all-versions", meta]).stdout.decode()
        depends = next(line for line in shown.splitlines() if line.startswith("Depends:"))
        package = depends.split()[1].rstrip(",")
        _run(["apt-get", *options, "download", package], cwd=base)
        shutil.copy(next(base.glob("linux-image-*.deb")), deb)


def _fetch_package(deb, name):
    with _apt() as (base, options):
        _run(["apt-get", *options, "download", name], cwd=base)
        shutil.copy(next(base.glob(f"{name}_*.deb")), deb)


NAMES = {"busybox": busybox, "awkward": awkward, "systemd": lambda: debian("systemd"),
         "sysvinit": lambda: debian("sysvinit"), "trixie": lambda: created("trixie"),
         "bullseye": lambda: created("bullseye"), "kvm-host": kvm_host, "kernel": kernel_deb,
         "newer-kernel": newer_kernel_deb,
         **{name: lambda name=name: package(name) for name in ("linux-base", "kmod", "libkmod2")}}

if __name__ == "__main__":
    # python3 tests/guests.py NAME...: makes guests ahead of time and prints their paths
    for word in sys.argv[1:] or NAMES:
        print(NAMES[word]())
