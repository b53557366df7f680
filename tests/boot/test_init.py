# SPDX-License-Identifier: GPL-2.0-or-later
"""The initramfs in real machines: Debian's kernels in QEMU's translator, and UML."""

import re
import shutil
import struct
import subprocess
import time
import uuid
import zlib
from types import SimpleNamespace

import pytest

import kernels
from runner import BUILD, need_program, run

pytestmark = [pytest.mark.boot, pytest.mark.network]

UUID = "6b6d6c6e-0000-4000-8000-00000000cafe"
GPT_PART = "0fc1d2e3-0001-4002-8003-0123456789ab"
MIB = 1 << 20

INIT = """#!/bin/busybox sh
busybox() { /bin/busybox "$@"; }
say() { echo "MARK $*"; }
say args "$*"
say root $(busybox grep ' / ' /proc/mounts | busybox grep -v ^rootfs)
say uptime $(busybox cut -d' ' -f1 /proc/uptime)
say net $(busybox ls /sys/class/net)
say modules $(busybox cut -d' ' -f1 /proc/modules)
say depth $(busybox cat /sys/module/virtio_blk/parameters/queue_depth)
say left $(busybox awk '$2 == "/" { print $3 }' /proc/mounts)
for link in /dev/ubd*; do
	[ -L $link ] && say alias $link $(busybox readlink $link)
done
# a panic says nothing of this
busybox poweroff -f
"""


@pytest.fixture(scope="session")
def qemu():
    return need_program("qemu-system-x86_64", "qemu-system-x86")


@pytest.fixture(scope="session")
def filesystem(tmp_path_factory):
    """A bare ext4 filesystem with busybox and an init that says what it sees."""
    folder = tmp_path_factory.mktemp("guest")
    root = folder / "root"
    for name in ("bin", "sbin", "dev", "proc", "sys", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy(need_program("busybox", "busybox-static"), root / "bin/busybox")
    (root / "sbin/init").write_text(INIT)
    (root / "sbin/init").chmod(0o755)
    image = folder / "fs.img"
    run(["mke2fs", "-q", "-t", "ext4", "-U", UUID, "-L", "kmln root", "-d", root, image, "16M"],
        expect=0)
    return image


def mbr(content):
    """One partition at 1 MiB; disk id 6b6d6c6e."""
    entry = struct.pack("<B3sB3sII", 0x80, b"\x20\x21\x00", 0x83, b"\xfe\xff\xff", 2048,
                        len(content) // 512)
    sector = bytes(0x1b8) + b"\x6e\x6c\x6d\x6b\0\0" + entry.ljust(64, b"\0") + b"\x55\xaa"
    return sector.ljust(MIB, b"\0") + content


def gpt(content):
    """One partition at 1 MiB; the backup at the end is left out, which the kernel only warns of."""
    last = 2048 + len(content) // 512 - 1
    linux = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le
    entries = struct.pack("<16s16sQQQ72s", linux, uuid.UUID(GPT_PART).bytes_le, 2048, last, 0,
                          "root".encode("utf-16-le")).ljust(128 * 128, b"\0")

    def header(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, 1, last + 2048,
                           34, last + 2014, bytes(15) + b"\1", 2, 128, 128, zlib.crc32(entries))
    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xee, b"\xff\xff\xff", 1, last + 2048)
    sector = bytes(0x1be) + protective.ljust(64, b"\0") + b"\x55\xaa"
    head = sector + header(zlib.crc32(header(0))).ljust(512, b"\0") + entries
    return head.ljust(MIB, b"\0") + content + bytes(MIB)


@pytest.fixture(scope="session")
def disks(filesystem, tmp_path_factory):
    """The same filesystem bare, and as partition 1 of an MBR and of a GPT disk."""
    folder = tmp_path_factory.mktemp("disks")
    content = filesystem.read_bytes()
    (folder / "mbr.img").write_bytes(mbr(content))
    (folder / "gpt.img").write_bytes(gpt(content))
    return {"bare": filesystem, "mbr": folder / "mbr.img", "gpt": folder / "gpt.img"}


@pytest.fixture(scope="session", params=["linux-image-cloud-amd64", "linux-image-amd64"],
                ids=["cloud", "generic"])
def kernel(request):
    return kernels.kernel(request.param)


@pytest.fixture(scope="session")
def cloud():
    return kernels.kernel("linux-image-cloud-amd64")


def virtio(disk):
    return ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on"]


def on_device(disk, *devices):
    return ["-drive", f"file={disk},format=raw,if=none,id=d,snapshot=on",
            *(word for device in devices for word in ("-device", device))]


@pytest.fixture
def boot(qemu, tmp_path):
    """boot(kernel, append, [qemu options]): the console, and the guest's words by their names."""
    def call(kernel, append, options):
        image = kernel.initramfs(tmp_path / "initramfs")
        result = run([qemu, "-accel", "tcg", "-machine", "pc", "-m", "256", "-nodefaults",
                      "-display", "none", "-serial", "stdio", "-no-reboot",
                      "-kernel", kernel.image, "-initrd", image,
                      "-append", f"console=ttyS0 panic=-1 {append}", *options],
                     expect=0, timeout=150)
        return console(result.out)
    return call


def console(text):
    text = text.replace("\r", "")
    marks = dict(re.findall(r"^MARK (\S+) ?(.*)$", text, re.M))
    lines = re.findall(r"kmln-init: (.*)$", text, re.M)
    return SimpleNamespace(text=text, marks=marks, lines=lines, panic="Kernel panic" in text)


def check_root(seen, device, options="ro"):
    assert "root" in seen.marks, seen.text
    words = seen.marks["root"].split()
    assert words[:3] == [device, "/", "ext4"] and options in words[3].split(","), seen.text
    # no message but the one, and nothing of the initramfs is left mounted
    assert seen.lines == [f"root is {device} (ext4), UUID {UUID}, starting /sbin/init"], seen.text
    assert not seen.panic
    print(f"uptime at init: {seen.marks['uptime']} s")


def test_sizes(kernel, tmp_path):
    image = kernel.initramfs(tmp_path / "one").read_bytes()
    limit = 2_500_000 if "cloud" in kernel.release else 5_000_000
    assert len(image) < limit
    assert kernel.initramfs(tmp_path / "two").read_bytes() == image
    assert image.startswith(b"070701")


def test_device_name(kernel, boot, disks):
    seen = boot(kernel, "root=/dev/vda", [*virtio(disks["bare"]), "-nic", "user,model=virtio-net-pci"])
    check_root(seen, "/dev/vda")
    assert "eth0" in seen.marks["net"].split()
    # nothing that this machine has no device for
    modules = seen.marks["modules"].split()
    assert "virtio_blk" in modules and "virtio_net" in modules
    assert not {"nvme", "scsi_mod", "xen_blkfront", "virtio_mmio"} & set(modules)


def test_uuid_and_rw(kernel, boot, disks):
    seen = boot(kernel, f"ro root=UUID={UUID.upper()} rw", virtio(disks["bare"]))
    check_root(seen, "/dev/vda", "rw")


def test_partition(kernel, boot, disks):
    seen = boot(kernel, "root=/dev/vda1", virtio(disks["mbr"]))
    check_root(seen, "/dev/vda1")


def test_nvme(kernel, boot, disks):
    seen = boot(kernel, f"root=UUID={UUID}", on_device(disks["mbr"], "nvme,drive=d,serial=1"))
    check_root(seen, "/dev/nvme0n1p1")


def test_virtio_scsi(kernel, boot, disks):
    seen = boot(kernel, "root=/dev/sda1",
                on_device(disks["gpt"], "virtio-scsi-pci", "scsi-hd,drive=d"))
    check_root(seen, "/dev/sda1")
    assert {"virtio_scsi", "sd_mod"} <= set(seen.marks["modules"].split())


@pytest.mark.parametrize("disk,root", [
    ("mbr", "PARTUUID=6b6d6c6e-01"),
    ("gpt", "PARTUUID=" + GPT_PART),
    ("mbr", '"LABEL=kmln root"'),
    ("gpt", f"/dev/disk/by-uuid/{UUID}"),
])
def test_other_names(cloud, boot, disks, disk, root):
    seen = boot(cloud, f"root={root}", virtio(disks[disk]))
    check_root(seen, "/dev/vda1")


def test_alias(cloud, boot, disks):
    """An unconverted guest, whose fstab and command line say ubda, on a virtio disk."""
    seen = boot(cloud, "kmln.alias=ubda:vda root=/dev/ubda1", virtio(disks["mbr"]))
    assert re.findall(r"MARK alias (.*)", seen.text) == ["/dev/ubda vda", "/dev/ubda1 vda1"]
    # the kernel shows the name that was mounted
    check_root(seen, "/dev/ubda1")


def test_words_for_init(cloud, boot, disks):
    seen = boot(cloud, "root=/dev/vda quiet rootwait rootdelay=1 rootfstype=ext3,ext4 "
                "rootflags=noatime,errors=panic virtio-blk.queue_depth=32 single -- last",
                virtio(disks["bare"]))
    assert seen.marks["args"].split() == ["single", "last"]
    assert {"noatime", "errors=panic"} <= set(seen.marks["root"].split()[3].split(","))
    assert seen.marks["depth"] == "32"
    # quiet; and ext3 cannot mount this one
    assert seen.lines == ["cannot mount /dev/vda as ext3 with rootflags=noatime,errors=panic: "
                          "Invalid argument"], seen.text


def test_missing_root(kernel, boot, disks):
    start = time.monotonic()
    seen = boot(kernel, "root=UUID=00000000-dead-4000-8000-000000000000", virtio(disks["mbr"]))
    assert time.monotonic() - start > 30
    assert seen.panic and not seen.marks
    assert seen.lines[0] == "root=UUID=00000000-dead-4000-8000-000000000000 was not found in 30 s"
    assert "there is /dev/vda: no known filesystem" in seen.lines
    assert (f"there is /dev/vda1: ext4, UUID {UUID}, LABEL kmln root, PARTUUID 6b6d6c6e-01"
            in seen.lines)


def test_no_disk_and_no_root(cloud, boot):
    seen = boot(cloud, "", [])
    assert seen.panic
    assert seen.lines == ["no root= on the kernel command line", "there is no block device"]


def test_missing_init(cloud, boot, disks):
    seen = boot(cloud, "root=/dev/vda init=/sbin/none", virtio(disks["bare"]))
    assert seen.panic and seen.lines == ["init=/sbin/none: No such file or directory"]


def test_failing_module(cloud, boot, disks, tmp_path):
    """A module that the kernel refuses: the reason stands on the console."""
    broken = tmp_path / "tree"
    modules = broken / "lib/modules" / cloud.release
    shutil.copytree(cloud.folder / "lib/modules" / cloud.release, modules)
    blk = next(modules.rglob("virtio_blk.ko"))
    blk.write_bytes(blk.read_bytes().replace(b"vermagic=6.", b"vermagic=5."))
    (broken / "boot").mkdir()
    (broken / "boot" / cloud.image.name).symlink_to(cloud.image)
    seen = boot(kernels.Kernel(broken), "root=/dev/vda", virtio(disks["bare"]))
    assert seen.panic
    assert "the driver virtio_blk was not loaded: Key was rejected by service" in seen.lines, seen.text


@pytest.mark.slow
@pytest.mark.parametrize("meta", ["linux-image-cloud-amd64", "linux-image-amd64"])
def test_next_debian(boot, disks, meta, tmp_path):
    """Debian 13: the modules are compressed."""
    kernel = kernels.kernel(meta, "trixie")
    assert list(kernel.folder.rglob("virtio_blk.ko.xz"))
    seen = boot(kernel, f"root=UUID={UUID}", virtio(disks["mbr"]))
    check_root(seen, "/dev/vda1")


def test_uml_on_vhost_user(filesystem, tmp_path):
    """UML's kernel has all but virtio_blk built in."""
    uml = need_program("linux.uml", "user-mode-linux")
    daemon = need_program("qemu-storage-daemon", "qemu-system-common")
    release = run([uml, "--version"], expect=0).out.strip()
    image = tmp_path / "initramfs"
    run([kernels.KIT, "initramfs", "/", f"/usr/lib/uml/modules/{release}", image], expect=0)
    disk = shutil.copy(filesystem, tmp_path / "disk.img")
    socket = tmp_path / "sock"
    server = subprocess.Popen([
        daemon, "--blockdev", f"driver=file,filename={disk},node-name=f",
        "--blockdev", "driver=raw,file=f,node-name=q", "--export",
        f"type=vhost-user-blk,id=e,node-name=q,addr.type=unix,addr.path={socket},writable=on"])
    try:
        for _ in range(100):
            if socket.exists():
                break
            time.sleep(0.05)
        result = run([uml, "mem=128M", f"virtio_uml.device={socket}:2", f"initrd={image}",
                      "root=/dev/vda", "con0=null,fd:1", "con=null"], timeout=60)
    finally:
        server.terminate()
        server.wait()
    seen = console(result.out)
    check_root(seen, "/dev/vda")
    assert seen.marks["modules"].split() == ["virtio_blk"]


def test_init_is_small_and_static():
    init = BUILD / "src/agent/kmln-init"
    assert init.stat().st_size < 800_000
    # an address sanitizer build does not touch it
    assert b"__asan" not in init.read_bytes()
    assert run([init], expect=1).err == (
        "kmln-init: this program is the first process of kmln's initramfs, and nothing else\n")
