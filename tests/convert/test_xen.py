# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln convert --to xen and --to all, and guests that come from Xen, without a hypervisor: what is
written is read by Xen's own programs (pygrub, readnotes), libvirt's schema and others than kmln.
tests/boot/test_xen.py starts them."""

import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import ext4reader
import guests
import images
import runner
import xenhost

UUID = "6b6d6c6e-0000-4000-8000-000000000001"
NAMES = ("", ".initramfs", ".kernel", ".libvirt.xml", ".xl.cfg")


@pytest.fixture
def to(kmln, small_home):
    """to(PLATFORM, IMAGE, OPTIONS..., **run): kmln convert IMAGE --to PLATFORM with the small kernel."""
    def call(platform, image, *options, home=small_home, **run):
        return kmln("convert", image, "--to", platform, *options, env={"KMLN_HOME": home}, timeout=120,
                    **run)
    return call


@pytest.fixture(scope="session")
def xen_tools():
    try:
        return xenhost.tools()
    except guests.Unavailable as error:
        runner.lacking(str(error), error.package)


def config(path):
    """An xl configuration as {key: value}; all that kmln writes is literal in Python as well."""
    text = Path(path).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {key: json.loads(value) for key, value in (line.split(" = ", 1) for line in lines)}


def facts(kmln, image):
    return json.loads(kmln("inspect", image, "--format", "json", expect=0).out)


def cat(image, path, offset=0):
    return images.tool("debugfs", "e2fsprogs", "-R", f"cat {path}", f"{image}?offset={offset}").decode()


def differs(before, after, offset=0):
    assert images.clean(after, offset)
    return ext4reader.changed(ext4reader.read(before), ext4reader.read(after, offset))


# --- to Xen

def test_domain(kmln, to, box, tmp_path):
    out = tmp_path / "out.img"
    before = images.fingerprint(box)
    to("xen", box, "-o", out, expect=0)
    assert images.fingerprint(box) == before
    assert sorted(os.listdir(tmp_path)) == sorted(["box.img", *("out.img" + name for name in NAMES)])
    # a bare filesystem is a good disk for Xen
    assert out.stat().st_size == box.stat().st_size and images.clean(out)
    assert to("xen", out, "--dry-run", expect=0).out == "nothing to do\n"
    said = facts(kmln, out)
    kernel = said["kernels"][0]
    assert kernel["entries"] == ["pc", "xen-pv", "xen-pvh"]
    assert said["platforms"]["xen"] == {"ready": True, "missing": []}
    assert said["platforms"]["uml"]["ready"]
    text = kmln("inspect", out, expect=0).out
    assert re.search(r"^xen +ready, as PV and PVH$", text, re.M), text
    assert config(f"{out}.xl.cfg") == {
        "name": "out", "type": "pvh", "kernel": f"{out}.kernel", "ramdisk": f"{out}.initramfs",
        "extra": f"root=UUID={UUID} rootfstype=ext4 rw net.ifnames=0 console=hvc0", "memory": 512,
        "vcpus": 1, "disk": [f"format=raw,vdev=xvda,access=rw,target={out}"],
        "on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
    for name, path in ((".kernel", kernel["image"]), (".initramfs", kernel["initramfs"])):
        assert Path(f"{out}{name}").read_bytes() == images.tool(
            "debugfs", "e2fsprogs", "-R", f"cat {path}", out)
    names = subprocess.run(["cpio", "-t", "--quiet"], stdin=open(f"{out}.initramfs", "rb"),
                           capture_output=True, text=True).stdout if shutil.which("cpio") else None
    if names:
        for driver in ("xen_blkfront", "xen_netfront", "virtio_blk", "virtio_net"):
            assert f"m/{driver}.ko\n" in names


@pytest.mark.parametrize("kind, machine, word", [("pv", "xenpv", "linux"), ("pvh", "xenpvh", "xenpvh")])
def test_libvirt(to, box, tmp_path, kind, machine, word):
    """An awkward name: nothing of it is a word to XML or to xl."""
    out = tmp_path / "a b<c>&'\"\\d,e.img"
    to("xen", box, "-o", out, "--xen-type", kind, expect=0)
    shutil.copy(f"{out}.libvirt.xml", tmp_path / "domain.xml")
    images.tool("virt-xml-validate", "libvirt-clients", tmp_path / "domain.xml", "domain")
    domain = ElementTree.parse(f"{out}.libvirt.xml").getroot()
    assert domain.get("type") == "xen" and domain.findtext("name") == "a-b-c-----d-e"
    assert domain.find("os/type").get("machine") == machine and domain.findtext("os/type") == word
    assert domain.findtext("os/kernel") == f"{out}.kernel"
    assert domain.findtext("os/initrd") == f"{out}.initramfs"
    assert domain.findtext("os/cmdline").endswith(" console=hvc0")
    assert domain.find("devices/disk/source").get("file") == str(out)
    said = config(f"{out}.xl.cfg")
    assert said["type"] == kind and said["name"] == "a-b-c-----d-e"
    assert said["disk"] == [f"format=raw,vdev=xvda,access=rw,target={out}"]
    assert said["kernel"] == f"{out}.kernel"


def test_schema_can_refuse(to, box, tmp_path):
    """The check of the test above is one that can fail."""
    to("xen", box, "-o", tmp_path / "out.img", expect=0)
    text = (tmp_path / "out.img.libvirt.xml").read_text().replace("<vcpu>", "<cpus>").replace(
        "</vcpu>", "</cpus>")
    (tmp_path / "wrong.xml").write_text(text)
    images.tool("virt-xml-validate", "libvirt-clients", tmp_path / "wrong.xml", "domain", expect=(3,))


def test_in_place_and_back(kmln, to, box):
    """Nothing is copied, no partition table is put in; undo leaves the guest as it was."""
    original = guests.copy(box, box.with_name("original.img"))
    size, inode = box.stat().st_size, box.stat().st_ino
    to("xen", box, "--in-place", expect=0)
    assert (box.stat().st_size, box.stat().st_ino) == (size, inode)
    assert all(os.path.exists(f"{box}{name}") for name in NAMES)
    difference = differs(original, box)
    assert not difference.removed and {
        path for path, fields in difference.changed.items() if "sha256" in fields} == {b"/etc/fstab"}
    kmln("undo", box, expect=0, timeout=120)
    assert not differs(original, box)


@pytest.mark.parametrize("init", ["systemd", "sysvinit"])
def test_debian(kmln, to, guest, kit_home, tmp_path, init):
    source, out = guest(init), tmp_path / "out.img"
    to("xen", source, "-o", out, home=kit_home, expect=0)
    assert to("xen", out, "--dry-run", home=kit_home, expect=0).out == "nothing to do\n"
    said = facts(kmln, out)
    assert said["platforms"]["xen"]["ready"]
    inittab = cat(out, "/etc/inittab")
    if init == "sysvinit":
        line = ("T0:2345:respawn:/bin/sh -c '[ -c /dev/hvc0 ] || exec sleep 86400; "
                "exec /sbin/getty -L hvc0 115200 vt100'")
        # sysvinit's own limit
        assert line in inittab.splitlines() and len(line.split(":", 3)[3]) < 127
        assert "hvc0" in {login["tty"] for login in said["consoles"]}
    assert not differs(source, out).removed
    kmln("undo", out, expect=0, timeout=120)
    assert not differs(source, out)


# --- to all

def test_all(kmln, to, box, tmp_path):
    out = tmp_path / "out.img"
    images.put(box, "/etc/securetty", "tty1\n")
    images.put(box, "/etc/inittab", "::sysinit:/etc/rc\ntty1::respawn:/sbin/getty 38400 tty1\n")
    original = guests.copy(box, tmp_path / "original.img")
    to("all", box, "-o", out, expect=0)
    assert to("all", out, "--dry-run", expect=0).out == "nothing to do\n"
    said = facts(kmln, out)
    assert all(said["platforms"][name]["ready"] for name in ("uml", "kvm", "qemu", "xen"))
    for platform in ("kvm", "xen"):
        assert to(platform, out, "--dry-run", expect=0).out == "nothing to do\n"
    lines = cat(out, "/etc/inittab", images.MIB).splitlines()[2:]
    assert lines == [
        "ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100",
        "::respawn:/bin/sh -c '[ -c /dev/hvc0 ] || exec sleep 86400; exec /sbin/getty -L hvc0 115200 vt100'"]
    assert cat(out, "/etc/securetty", images.MIB) == "tty1\nttyS0\nhvc0\n"
    # on a PC ttyS0 is /dev/console, in a domain hvc0, which stands there alone
    assert " console=hvc0 console=ttyS0,115200\n" in cat(out, "/boot/grub/grub.cfg", images.MIB)
    assert config(f"{out}.xl.cfg")["extra"].endswith("net.ifnames=0 console=hvc0")
    kmln("undo", out, expect=0, timeout=120)
    assert not differs(original, out)


def test_all_has_what_uml_needs(kmln, to, guest, kit_home, tmp_path):
    """A condition for services, and the host's modules: neither is in the way of the other platforms, and
    for each of them the guest is ready."""
    source = guests.copy(guest("systemd"), tmp_path / "source.img")
    wants, units = "/etc/systemd/system/multi-user.target.wants", "/etc/systemd/system"
    images.debugfs(source, f"symlink {wants}/irqbalance.service /lib/systemd/system/irqbalance.service")
    out = tmp_path / "out.img"
    to("all", source, "-o", out, home=kit_home, expect=0)
    assert not differs(source, out, images.MIB).removed
    assert "ConditionVirtualization=!uml" in cat(out, f"{units}/irqbalance.service.d/kmln-not-in-uml.conf", images.MIB)
    assert "ConditionVirtualization=uml\n" in cat(out, f"{units}/kmln-uml-modules.service", images.MIB)
    said = facts(kmln, out)["platforms"]
    assert {name: said[name]["ready"] for name in ("uml", "kvm", "qemu", "xen")} == dict.fromkeys(
        ("uml", "kvm", "qemu", "xen"), True), said
    assert to("all", out, "--dry-run", home=kit_home, expect=0).out == "nothing to do\n"
    # in KVM alone there is nothing of it
    to("kvm", source, "-o", tmp_path / "kvm.img", home=kit_home, expect=0)
    assert not any(b"not-in-uml" in name or b"kmln-uml" in name
                   for name in ext4reader.read(tmp_path / "kvm.img", images.MIB))
    kmln("undo", out, expect=0, timeout=120)
    assert not differs(source, out)


def test_kvm_then_xen_stays_kvm(kmln, to, box, guest):
    """What was added for one platform stays when another comes; and neither plans forth and back."""
    to("kvm", box, "--in-place", expect=0)
    to("xen", box, "--in-place", expect=0)
    for platform in ("kvm", "xen", "all"):
        assert to(platform, box, "--dry-run", expect=0).out == "nothing to do\n", platform
    kmln("undo", box, expect=0, timeout=120)
    assert not differs(guest("busybox"), box)


@pytest.mark.parametrize("form", ["disk", "direct", "uefi"])
def test_all_forms(to, box, tmp_path, form):
    out = tmp_path / "out.img"
    to("all", box, "-o", out, "--boot", form, expect=0)
    more = {"disk": [".boot.img"], "direct": [".json", ".run"], "uefi": []}[form]
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["box.img", *("out.img" + name for name in (*NAMES, *more))])
    if form == "direct":
        assert json.loads(Path(f"{out}.json").read_text())["cmdline"].endswith("console=ttyS0,115200")


# --- what Xen's own programs see

def pygrub(tools, image, folder):
    """(status, {kernel, ramdisk, args}, its words)"""
    if sys.version_info[:2] != (3, 11):
        runner.lacking("Xen's pygrub is built for Python 3.11")
    own = tools / f"usr/lib/xen-{xenhost.XEN}"
    lib = own / "lib/x86_64-linux-gnu"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, own / "bin/pygrub", "-q", "--output-format=simple", f"--output-directory={folder}",
         image], capture_output=True, text=True, stdin=subprocess.DEVNULL, env={
             **os.environ, "XEN_FSIMAGE_FSDIR": str(lib / "xenfsimage"), "PYTHONPATH": str(own / "lib/python"),
             "LD_LIBRARY_PATH": f"{tools}/usr/lib/x86_64-linux-gnu:{lib}"})
    return done.returncode, dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line), \
        done.stderr


@pytest.mark.network
@pytest.mark.parametrize("platform", ["xen", "all"])
def test_pygrub(to, box, xen_tools, tmp_path, platform):
    out = tmp_path / "out.img"
    status, _, _ = pygrub(xen_tools, box, tmp_path / "before")
    assert status != 0, "the guest has no menu yet"
    to(platform, box, "-o", out, expect=0)
    status, said, words = pygrub(xen_tools, out, tmp_path / "after")
    assert status == 0, words
    assert f"root=UUID={UUID} " in said["args"] and "console=hvc0" in said["args"]
    for key, name in (("kernel", ".kernel"), ("ramdisk", ".initramfs")):
        assert Path(said[key]).read_bytes() == Path(f"{out}{name}").read_bytes()


def readnotes(tools, elf):
    """The types of Xen's notes, by its own program."""
    own = tools / f"usr/lib/xen-{xenhost.XEN}"
    done = subprocess.run([own / "bin/readnotes", elf], capture_output=True, text=True, env={
        **os.environ, "LD_LIBRARY_PATH": f"{tools}/usr/lib/x86_64-linux-gnu:{own}/lib/x86_64-linux-gnu"})
    return set(re.findall(r"^([A-Z0-9_]+):", done.stdout, re.M))


def payload(image):
    start, length = struct.unpack_from("<II", image, 0x248)
    start += (image[0x1f1] + 1) * 512
    return start, image[start:start + length]


def with_payload(image, new):
    """The bzImage with another payload, as the kernel's own build would append its size."""
    start, _ = payload(image)
    image = bytearray(image[:start]) + new
    struct.pack_into("<I", image, 0x24c, len(new))
    return bytes(image)


def unlz4(data, tmp_path):
    """What a kernel's payload holds; its build appends the size."""
    (tmp_path / "payload").write_bytes(data[:-4])
    subprocess.run([runner.need_program("lz4", "lz4"), "-qdf", tmp_path / "payload", tmp_path / "plain"],
                   check=True)
    return (tmp_path / "plain").read_bytes()


@pytest.fixture
def with_kernel(box):
    """A guest with a kernel image, by the name of which it is one."""
    def put(content, name="vmlinuz-1.2.3"):
        return images.put(guests.copy(box, box.with_name("guest.img")), f"/boot/{name}", content)
    return put


@pytest.mark.network
def test_notes(kmln, with_kernel, guest, xen_tools, tmp_path):
    """As readnotes sees them, in each kind of payload that Debian has."""
    def entries(content, **more):
        return facts(kmln, with_kernel(content, **more))["kernels"][0]["entries"]

    subprocess.run(["dpkg-deb", "-x", guest("kernel"), tmp_path / "cloud"], check=True)
    cloud = next((tmp_path / "cloud/boot").glob("vmlinuz-*")).read_bytes()
    stock = next((xen_tools / "boot").glob("vmlinuz-*")).read_bytes()
    assert payload(cloud)[1][:4] == b"\x02\x21\x4c\x18", "lz4"
    assert payload(stock)[1][:4] == b"\xfd7zX", "xz"
    elf = unlz4(payload(cloud)[1], tmp_path)
    (tmp_path / "elf").write_bytes(elf)
    assert {"ENTRY", "VIRT_BASE", "PHYS32_ENTRY"} <= readnotes(xen_tools, tmp_path / "elf")
    for content in (cloud, stock, with_payload(cloud, gzip.compress(elf, 1)),
                    with_payload(cloud, images.tool("zstd", "zstd", "-1", stdin=elf) + b"size")):
        assert entries(content) == ["pc", "xen-pv", "xen-pvh"]
    # the ELF alone, and as kernels for Xen alone once came
    for content in (elf[:48 << 20], gzip.compress(elf, 1)):
        assert entries(content) == ["xen-pv", "xen-pvh"]
    # without one note after the other, as readnotes says too
    at = elf.index(b"\x04\0\0\0\x08\0\0\0\x01\0\0\0Xen\0")
    for kind, left in ((1, ["xen-pvh"]), (18, ["xen-pv"])):
        head = struct.pack("<III4s", 4, 8, kind, b"Xen\0")
        less = elf.replace(head, struct.pack("<III4s", 4, 8, kind, b"Nex\0"))
        assert less != elf
        (tmp_path / "elf").write_bytes(less)
        assert not {1: {"ENTRY"}, 18: {"PHYS32_ENTRY"}}[kind] & readnotes(xen_tools, tmp_path / "elf")
        assert entries(with_payload(cloud, gzip.compress(less, 1))) == ["pc", *left]
    # damaged in front of the notes, or cut
    start, data = payload(cloud)
    assert entries(cloud[:start + 1000]) == ["pc"]
    assert entries(cloud[:start] + os.urandom(len(data))) == ["pc"]
    assert at > 0


# --- bad input

@pytest.fixture
def kernel_folder(small_kernel, tmp_path):
    """kernel_folder(CHANGE): the small kernel with another image."""
    def make(change):
        folder = tmp_path / "kernel"
        shutil.copytree(small_kernel, folder, symlinks=True)
        image = next((folder / "boot").glob("vmlinuz-*"))
        image.write_bytes(change(image.read_bytes()))
        return folder
    return make


def empty_home(tmp_path):
    return tmp_path / "home"


@pytest.mark.parametrize("platform, status", [("xen", 3), ("all", 3), ("kvm", 0)])
def test_kernel_without_notes(to, box, kernel_folder, tmp_path, platform, status):
    folder = kernel_folder(lambda image: image[:payload(image)[0]] + bytes(len(payload(image)[1])))
    run = to(platform, box, "-o", tmp_path / "out.img", "--kernel", folder, home=empty_home(tmp_path),
             expect=status)
    if status:
        assert "no notes that let Xen start it" in run.err, run
        assert not (tmp_path / "out.img").exists()


@pytest.mark.parametrize("platform", ["xen", "kvm", "all"])
def test_uml_binary_as_kernel(to, box, kernel_folder, tmp_path, platform):
    program = Path(runner.need_program("linux.uml", "user-mode-linux")).read_bytes()
    folder = kernel_folder(lambda image: program)
    run = to(platform, box, "-o", tmp_path / "out.img", "--kernel", folder, home=empty_home(tmp_path),
             expect=3)
    assert "User-Mode Linux" in run.err, run
    assert not (tmp_path / "out.img").exists()


def test_wrong_command_line(to, box, tmp_path):
    for options, words in ((("--boot", "uefi"), "no firmware"), (("-O", "vmdk"), "opens no image"),
                           (("--xen-type", "hvm"), "--xen-type")):
        run = to("xen", box, "-o", tmp_path / "out.img", *options, expect=2)
        assert words in run.err, run
    assert "--xen-type" in to("kvm", box, "-o", tmp_path / "out.img", "--xen-type", "pv", expect=2).err
    for name in ("line\nfeed.img", os.fsdecode(b"\xff.img"), "comma.img,"):
        run = to("xen", box, "-o", tmp_path / name, expect=2)
        assert run.err
    assert sorted(os.listdir(tmp_path)) == ["box.img"]


def test_files_beside_are_not_overwritten(to, box, tmp_path):
    (tmp_path / "out.img.xl.cfg").write_text("mine\n")
    run = to("xen", box, "-o", tmp_path / "out.img", expect=1)
    assert "out.img.xl.cfg is there already" in run.err
    assert sorted(os.listdir(tmp_path)) == ["box.img", "out.img.xl.cfg"]
    to("xen", box, "-o", tmp_path / "out.img", "--force", expect=0)


def test_no_xen_here(kmln, to, box, tmp_path):
    """This host is no dom0: said with the package, before anything is started."""
    if Path("/proc/xen/capabilities").exists():
        pytest.skip("this host runs under Xen")
    to("xen", box, "-o", tmp_path / "out.img", expect=0)
    run = kmln("boot", "--on", "xen", tmp_path / "out.img", "--until", "x", expect=5)
    assert "Debian package xen-system-amd64" in run.err


# --- from Xen

def from_xen(box, **files):
    """As Xen's tools and administrators leave a guest."""
    for path, content in {
            "/etc/fstab": "/dev/xvda1 / ext4 noatime 0 1\nproc /proc proc defaults 0 0\n"
                          "/dev/xvda2 none swap sw 0 0\n",
            "/etc/inittab": "::sysinit:/etc/rc\nhvc0::respawn:/sbin/getty 38400 hvc0\n",
            "/etc/securetty": "hvc0\n",
            "/etc/modules": "# at boot\nloop\nxen-netfront\n",
            "/etc/modprobe.conf": "alias eth0 xennet\nalias scsi_hostadapter xenblk\noptions loop max_loop=8",
            **files}.items():
        images.put(box, path, content)
    return box


@pytest.mark.parametrize("init", ["busybox", "sysvinit"])
def test_from_xen(kmln, to, box, tmp_path, init):
    """A partition used as a whole disk becomes a partition of a disk again; hvc0's login gets one on
    ttyS0 beside it; each change is taken back."""
    if init == "sysvinit":
        images.debugfs(box, "rm /sbin/init")
        images.put(box, "/sbin/init", b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00" + bytes(44), 0o755)
        from_xen(box, **{"/etc/inittab": "id:2:initdefault:\nh0:2345:respawn:/sbin/getty 38400 hvc0\n"})
    else:
        from_xen(box)
    original = guests.copy(box, tmp_path / "original.img")
    assert facts(kmln, box)["platforms"]["kvm"]["ready"] is False
    run = to("kvm", box, "--in-place", expect=0)
    assert "fstab:3 wants /dev/xvda2" in run.err, "a disk that is not part of this image"
    assert to("kvm", box, "--dry-run", expect=0).out == "nothing to do\n"
    assert cat(box, "/etc/fstab", images.MIB).splitlines() == [
        f"UUID={UUID} / ext4 noatime 0 1", "proc /proc proc defaults 0 0", "/dev/xvda2 none swap sw 0 0"]
    assert cat(box, "/etc/modules", images.MIB) == \
        "# at boot\nloop\n# kmln, not under Xen: xen-netfront\n"
    assert cat(box, "/etc/modprobe.conf", images.MIB) == (
        "# kmln, not under Xen: alias eth0 xennet\n# kmln, not under Xen: alias scsi_hostadapter xenblk\n"
        "options loop max_loop=8")
    inittab = cat(box, "/etc/inittab", images.MIB)
    assert "hvc0" in inittab.splitlines()[1]
    assert inittab.splitlines()[2].endswith("respawn:/sbin/getty -L ttyS0 115200 vt100")
    assert cat(box, "/etc/securetty", images.MIB) == "hvc0\nttyS0\n"
    said = facts(kmln, box)["platforms"]
    assert said["kvm"]["ready"] and said["uml"]["ready"]
    kmln("undo", box, expect=0, timeout=120)
    assert not differs(original, box)


def test_partitions_by_uuid(kmln, to, box, tmp_path):
    """Swap, a data disk and what is encrypted, on the same disk, called as Xen calls them."""
    from_xen(box, **{
        "/etc/fstab": "/dev/xvda1 / ext4 noatime 0 1\n/dev/xvda2 none swap sw 0 0\n"
                      "  /dev/xvda3\t/srv ext4 defaults 0 2\n/dev/xvdb1 /mnt ext4 nofail 0 0\n",
        "/etc/crypttab": "# safe\nsafe /dev/xvda4 none luks\nother /dev/xvdb2 none luks\n"})
    # what it is resumed from, in the places where Debian has that
    images.debugfs(box, "mkdir /etc/initramfs-tools", "mkdir /etc/initramfs-tools/conf.d", "mkdir /etc/default")
    resume = {"/etc/initramfs-tools/conf.d/resume": "# by hand\nRESUME=%s\n",
              "/etc/default/grub": "# resume=/dev/xvda2\nGRUB_CMDLINE_LINUX=\"quiet resume=%s noresume=/dev/xvda2\"\n"
                                   "GRUB_CMDLINE_LINUX_DEFAULT=\"resume=/dev/xvdb2\"\n"}
    for path, text in resume.items():
        images.put(box, path, text % "/dev/xvda2")
    swap, data, safe = (tmp_path / name for name in ("swap", "data", "safe"))
    for path in (swap, data, safe):
        with open(path, "wb") as file:
            file.truncate(32 * images.MIB)
    images.tool("mkswap", "util-linux", "-U", "11111111-2222-4333-8444-555555555555", swap)
    images.tool("mke2fs", "e2fsprogs", "-q", "-U", "21111111-2222-4333-8444-555555555555", data)
    images.tool("cryptsetup", "cryptsetup-bin", "luksFormat", "-q", "--type", "luks1", "--uuid",
                "31111111-2222-4333-8444-555555555555", "--pbkdf-force-iterations", "1000", "--key-file",
                "-", safe, stdin=b"secret")
    disk = images.disk(tmp_path / "disk.raw", 200 * images.MIB,
                       "label: dos\nstart=2048, size=131072, type=83\nsize=65536, type=82\n"
                       "size=65536, type=83\nsize=65536, type=83\n",
                       [(2048, box), (133120, swap), (198656, data), (264192, safe)])
    original = guests.copy(disk, tmp_path / "original.raw")
    to("kvm", disk, "--in-place", expect=0)
    assert cat(disk, "/etc/fstab", images.MIB) == (
        f"UUID={UUID} / ext4 noatime 0 1\nUUID=11111111-2222-4333-8444-555555555555 none swap sw 0 0\n"
        "  UUID=21111111-2222-4333-8444-555555555555\t/srv ext4 defaults 0 2\n"
        "/dev/xvdb1 /mnt ext4 nofail 0 0\n")
    assert cat(disk, "/etc/crypttab", images.MIB) == (
        "# safe\nsafe UUID=31111111-2222-4333-8444-555555555555 none luks\nother /dev/xvdb2 none luks\n")
    for path, text in resume.items():
        assert cat(disk, path, images.MIB) == text % "UUID=11111111-2222-4333-8444-555555555555"
    assert to("kvm", disk, "--dry-run", expect=0).out == "nothing to do\n"
    kmln("undo", disk, expect=0, timeout=120)
    assert images.clean(disk, images.MIB)
    assert not ext4reader.changed(ext4reader.read(original, images.MIB), ext4reader.read(disk, images.MIB))


def test_forged_record(kmln, to, box):
    """A record that has undo write more than the steps would is refused, and nothing is written."""
    from_xen(box)
    to("xen", box, "--in-place", expect=0)
    to("kvm", box, "--in-place", expect=0)
    record = "/var/lib/kmln/conversion-2"
    text = cat(box, record, images.MIB)
    assert "-xen-netfront" in text
    forged = text.replace("-xen-netfront", "-evil")
    bare = box.with_name("bare.img")
    bare.write_bytes(images.peek(box, images.MIB, box.stat().st_size - images.MIB))
    images.put(bare, record, forged)
    with open(box, "r+b") as file:
        file.seek(images.MIB)
        file.write(bare.read_bytes())
    before = images.fingerprint(box)
    run = kmln("undo", box, expect=3, timeout=120)
    assert "not a change that kmln makes" in run.err
    assert images.fingerprint(box) == before


def test_kernel_for_xen_alone(kmln, to, with_kernel, small_kernel, tmp_path):
    """An ELF that only Xen starts is not taken for KVM; another kernel comes beside it."""
    image = next((small_kernel / "boot").glob("vmlinuz-*")).read_bytes()
    elf = unlz4(payload(image)[1], tmp_path)
    guest = with_kernel(gzip.compress(elf[:25 << 20], 6), "vmlinuz-2.6.18-xen")
    before = facts(kmln, guest)["kernels"][0]
    assert before["release"] == "2.6.18-xen" and before["entries"] == ["xen-pv", "xen-pvh"]
    to("kvm", guest, "-o", tmp_path / "out.img", "--size", "100M", expect=0)
    said = facts(kmln, tmp_path / "out.img")
    assert len(said["kernels"]) == 2 and said["platforms"]["kvm"]["ready"]
    assert "vmlinuz-2.6.18-xen" not in cat(tmp_path / "out.img", "/boot/grub/grub.cfg", images.MIB)

