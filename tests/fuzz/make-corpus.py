#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tests/fuzz/make-corpus.py [TARGET...]: writes the examples that fuzzing begins with into
corpus/TARGET/. They are cut from real things: the test guests, Debian's kernel, what sfdisk, mke2fs,
dpkg-deb and tar make. What fuzzing found lies beside them, named found-HASH, and regressions by what
they broke; neither is touched here. A new target is one more function, corpus_NAME (with '_' for '-'),
that returns {name: bytes or text}."""

import gzip
import io
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import guests  # noqa: E402

ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "LC_ALL": "C"}


def run(*argv, **options):
    return subprocess.run([os.fspath(a) for a in argv], check=True, stdout=subprocess.PIPE,
                          env=ENVIRONMENT, **options).stdout


def guest_file(guest, path):
    return run("debugfs", "-R", f"cat {path}", guests.NAMES[guest](), stderr=subprocess.DEVNULL)


def corpus_fstab():
    return {
        "uml": guest_file("systemd", "/etc/fstab"),
        "busybox": guest_file("busybox", "/etc/fstab"),
        "debian": "# /etc/fstab: static file system information.\n#\n"
                  "# <file system> <mount point>   <type>  <options>       <dump>  <pass>\n"
                  "UUID=6B6D6C6E-0000-4000-8000-000000000001 /  ext4  errors=remount-ro 0 1\n"
                  "LABEL=root\t/mnt\\040a\text4\tnoauto\n/dev/sr0 /media/cdrom0 udf,iso9660 user 0 0",
        "labels": "LABEL=root / ext4\nPARTUUID=554d4c31-01 /boot ext2 ro\ntmpfs /tmp tmpfs\r\n/swap none swap",
    }


def corpus_inittab():
    return {
        "sysvinit": guest_file("sysvinit", "/etc/inittab"),
        "busybox": guest_file("busybox", "/etc/inittab"),
        "alpine": "::sysinit:/sbin/openrc sysinit\ntty1::respawn:/sbin/getty 38400 tty1\n"
                  "#ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100\n::ctrlaltdel:/sbin/reboot\n",
        "uml": "id:2:initdefault:\n0:2345:respawn:/sbin/getty 38400 tty0\n"
               "c0:1235:respawn:/sbin/agetty -8 /dev/console\nT0:23:off:/sbin/getty",
    }


def corpus_os_release():
    return {
        "debian": guest_file("systemd", "/usr/lib/os-release"),
        "busybox": guest_file("busybox", "/etc/os-release"),
        "fedora": 'NAME="Fedora Linux"\nVERSION="39 (Thirty Nine)"\nID=fedora\nVERSION_ID=39\n'
                  'PRETTY_NAME="Fedora Linux 39 (Thirty Nine)"\nVERSION_CODENAME=""\n',
        "ubuntu": "PRETTY_NAME='Ubuntu 22.04'\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22\\.04\"",
    }


def corpus_dpkg_status():
    status = guest_file("systemd", "/var/lib/dpkg/status").decode()
    some = "\n\n".join(part for part in status.split("\n\n")
                       if part.startswith(("Package: bash\n", "Package: libc6\n")))
    return {
        "debian": some + "\n",
        "removed": "Package: gone\nStatus: deinstall ok config-files\nArchitecture:all\nVersion: 1:2-3\n\n"
                   "package:lower\nSTATUS: install ok installed\n\nVersion: 1\n",
        "long-field": "Package: " + "x" * 600 + "\nVersion: 1",
    }


def corpus_network():
    return {
        "ifupdown": guest_file("systemd", "/etc/network/interfaces"),
        "static": "auto eth0\niface eth0 inet static\n\taddress 10.0.0.7/24\n\tgateway 10.0.0.1\n"
                  "iface eth0 inet6 auto\n",
        "netplan": "network:\n  version: 2\n  ethernets:\n    lan:\n      match: {macaddress: \"52:54:00:12:34:56\"}\n"
                   "      set-name: eth0\n      dhcp4: yes\n      addresses: [10.0.0.7/24, \"fd00::7/64\"]\n",
        "keyfile": "[connection]\nid=lan\ntype=ethernet\ninterface-name=eth0\n[ethernet]\n"
                   "mac-address=52:54:00:12:34:56\n[ipv4]\nmethod=manual\naddress1=10.0.0.7/24,10.0.0.1\n",
        "ifcfg": "DEVICE=eth0\nBOOTPROTO=static\nIPADDR='10.0.0.7'\nHWADDR=52:54:00:12:34:56\nONBOOT=yes\n",
        "udev": 'SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="52:54:00:12:34:56", NAME="eth0"\n',
        "link": "[Match]\nMACAddress=52:54:00:12:34:56\n[Link]\nName=lan0\n",
        "networkd": "[Match]\nName=eth0\n[Network]\nDHCP=yes\nAddress=10.0.0.7/24\n",
    }


def corpus_grub():
    return {
        "debian": "set timeout=5\nif [ -s $prefix/grubenv ]; then\n  load_env\nfi\nmenuentry 'Debian' "
                  "--class debian {\n\tinsmod ext2\n\tsearch --no-floppy --fs-uuid --set=root "
                  "6b6d6c6e-0000-4000-8000-000000000001\n\tlinux /boot/vmlinuz-6.1.0-1-test "
                  "root=UUID=6b6d6c6e-0000-4000-8000-000000000001 ro quiet\n\tinitrd "
                  "/boot/initrd.img-6.1.0-1-test\n}\n",
        "kmln": "# Written by kmln, and written again by it\nset timeout=1\nmenuentry 'Linux' {\n"
                "\tlinux /boot/vmlinuz-6.1.0-1-test root=/dev/vda1 rw console=ttyS0\n}\n",
        "bls": "title Fedora Linux\nversion 6.1\nlinux /vmlinuz-6.1\ninitrd /initramfs-6.1.img\n"
               "options root=UUID=6b6d6c6e-0000-4000-8000-000000000001 ro\n",
        "legacy": "default 0\ntimeout 5\ntitle Debian\nroot (hd0,0)\nkernel /vmlinuz root=/dev/hda1 ro\n"
                  "initrd /initrd.img\n",
    }


def corpus_apt_sources():
    return {
        "debian": guest_file("systemd", "/etc/apt/sources.list"),
        "options": "deb [arch=amd64 signed-by=\"/usr/share/keyrings/a.gpg\"] http://deb.debian.org/debian "
                   "bookworm main contrib # and more\ndeb-src http://deb.debian.org/debian bookworm main\n"
                   "deb file:/srv/archive ./\ndeb [trusted=yes] https://x.org:8080/~b sid main\r\n",
        "deb822": "Types: deb deb-src\nURIs: http://deb.debian.org/debian https://x.org/d\n"
                  "Suites: bookworm bookworm-updates\nComponents: main contrib\n"
                  "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\nTypes: deb\nEnabled: no\n"
                  "URIs: http://y.org\nSuites: sid\nComponents: main\n# end\n",
    }


def _kernel_tree(folder):
    run("dpkg-deb", "-x", guests.kernel_deb(), folder)
    return folder, next(folder.glob("lib/modules/*"))


def corpus_modules():
    with tempfile.TemporaryDirectory() as scratch:
        tree, modules = _kernel_tree(Path(scratch))
        run("depmod", "-b", tree, modules.name)
        wanted = ("virtio", "ext4", "crc32c", "jbd2", "failover", "nvme")

        def lines(name):
            text = (modules / name).read_text().splitlines(keepends=True)
            return f"=== {name}\n" + "".join(
                line for line in text if any(word in line for word in wanted))[:3000]
        debian = "".join(map(lines, ("modules.dep", "modules.builtin", "modules.alias", "modules.softdep")))
    return {
        "debian": debian,
        "cycle": "=== modules.dep\nkernel/a.ko: kernel/b.ko kernel/virtio_blk.ko\nkernel/b.ko: kernel/a.ko\n"
                 "kernel/virtio_blk.ko.xz:\n../../etc/x.ko:\n=== modules.alias\nalias crc32c a-generic\n"
                 "=== modules.softdep\nsoftdep b pre: crc32c a post: b\n=== modules.builtin\n"
                 "kernel/fs/ext4/ext4.ko\n",
    }


def corpus_kernel():
    with tempfile.TemporaryDirectory() as scratch:
        tree, _ = _kernel_tree(Path(scratch))
        bzimage = next(tree.glob("boot/vmlinuz-*")).read_bytes()[:1024]
    ours = io.BytesIO()
    with gzip.GzipFile("kmln-initramfs", "wb", fileobj=ours, mtime=0) as file:
        file.write(b"070701")
    return {
        "bzimage": bzimage,
        "bzimage-cut": bzimage[:0x238],
        "arm64": b"MZ" + b"\0" * 0x36 + b"ARMd" + b"\0" * 8,
        "vmlinux": struct.pack("<16sHHI", b"\x7fELF\2\1\1", 2, 62, 1),
        "initramfs-ours": ours.getvalue(),
        "initramfs-gzip": gzip.compress(b"070701" + b"0" * 104, mtime=0),
    }


def _disk(script, size, keep):
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(size)
        run("sfdisk", "-q", "--force", file.name, input=script.encode())
        return Path(file.name).read_bytes()[:keep]


def corpus_partitions():
    mib = 1 << 20
    gpt = _disk("label: gpt\nlabel-id: 6B6D6C6E-0000-4000-8000-000000000009\n"
                "start=2048, size=1M, type=U, name=esp, uuid=6B6D6C6E-0000-4000-8000-00000000000A\n"
                "size=2M, type=L, name=\"größe\", uuid=6B6D6C6E-0000-4000-8000-00000000000B\n",
                64 * mib, 1536)
    unsummed = bytearray(gpt)
    for at in (512 + 0x10, 512 + 0x58):
        unsummed[at:at + 4] = bytes(4)
    small = bytearray(unsummed)
    # as many entries as are here
    small[512 + 0x50:512 + 0x54] = struct.pack("<I", 4)
    return {
        "mbr": _disk("label: dos\nlabel-id: 0x554d4c31\nstart=2048, type=83, bootable\n", 64 * mib, 512),
        "mbr-logical": _disk("label: dos\nlabel-id: 1\nstart=8, size=8, type=83\nstart=16, size=100, type=5\n"
                             "start=17, size=7, type=82\nstart=25, size=7, type=83\n", 64 * mib, 64 * 512),
        "gpt": gpt,
        "gpt-no-checksum": bytes(small),
        "gpt-lost": gpt[:512] + bytes(512),
        "ext-boot-sector": bytes(510) + b"\x55\xaa",
    }


def _image(kind, *options):
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        for folder in ("etc", "sbin", "boot", "var/lib/dpkg", "lib/modules/1"):
            (tree / folder).mkdir(parents=True)
        files = {
            "etc/fstab": "/dev/ubda / ext4 defaults 0 1\n",
            "etc/os-release": "ID=debian\n",
            "etc/inittab": "1:2:respawn:/sbin/getty tty1\n",
            "sbin/busybox": b"\x7fELF\2\1\1" + bytes(9) + b"\2\0\x3e\0",
            "var/lib/dpkg/status": "Package: a\nVersion: 1\n",
            "lib/modules/1/modules.dep": "a.ko: b.ko\nb.ko:\n",
            "boot/vmlinuz-1": b"\x7fELF\2\1\1" + bytes(9) + b"\2\0\x3e\0",
        }
        for name, content in files.items():
            (tree / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        (tree / "sbin/init").symlink_to("busybox")
        (tree / "etc/hostname").symlink_to("/" + "x/../" * 20 + "etc/fstab")
        image = Path(scratch, "image")
        run("mke2fs", "-q", "-F", "-t", kind, "-b", "1024", "-N", "40", "-m", "0", *options, "-d", tree,
            "-U", "6b6d6c6e-0000-4000-8000-000000000005", "-E",
            "root_owner=0:0,hash_seed=6b6d6c6e-0000-4000-8001-000000000005", image, "80k")
        return image.read_bytes()


def corpus_image():
    ext2 = _image("ext2", "-I", "128", "-O", "none")
    summed = _image("ext4", "-O", "^has_journal,^resize_inode")
    unsummed = bytearray(summed)
    unsummed[2044:2048] = bytes(4)
    mbr = bytearray(512)
    mbr[446:462] = struct.pack("<B3sB3sII", 0x80, bytes(3), 0x83, bytes(3), 2, len(ext2) // 512)
    mbr[510:512] = b"\x55\xaa"
    return {
        "ext2": ext2,
        "ext4": summed,
        "ext4-no-checksum": bytes(unsummed),
        "ext4-inline": _image("ext4", "-O", "^has_journal,^resize_inode,^metadata_csum,inline_data"),
        "disk": bytes(mbr) + bytes(512) + ext2,
    }


def corpus_deb():
    found = {}
    for kind in ("xz", "gzip"):
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch, "tree")
            (tree / "DEBIAN").mkdir(parents=True)
            (tree / "DEBIAN/control").write_text(
                "Package: linux-image-6.1.0-1-test\nVersion: 6.1-1\nArchitecture: amd64\n"
                "Maintainer: A <a@b>\nDescription: a kernel\n")
            (tree / "boot").mkdir()
            (tree / "boot/vmlinuz-6.1.0-1-test").write_text("kernel\n")
            run("dpkg-deb", "--root-owner-group", f"-Z{kind}", "-b", tree, Path(scratch, "a.deb"))
            found[kind] = Path(scratch, "a.deb").read_bytes()
    return found


def _tar(form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, bufsize=512) as tar:
        def add(name, kind, content=b"", **fields):
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(content)
            for key, value in fields.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(content))
        add("./", tarfile.DIRTYPE, mode=0o755)
        add("./etc/" + "n" * 120, tarfile.REGTYPE, b"text\n", uid=70000)
        add("./link", tarfile.LNKTYPE, linkname="./etc/" + "n" * 120)
        add("./soft", tarfile.SYMTYPE, linkname="../../etc/passwd")
        add("./null", tarfile.CHRTYPE, devmajor=1, devminor=3)
        if form == tarfile.PAX_FORMAT:
            add("./größe", tarfile.REGTYPE, b"x", pax_headers={
                "SCHILY.xattr.user.a": "value", "mtime": "-1.5",
                "SCHILY.acl.access": "user::rw-,user:7:r--,group::r--,mask::r--,other::---"})
    return out.getvalue().rstrip(b"\0") + bytes(1024)


def corpus_tar():
    with tempfile.TemporaryDirectory() as scratch:
        with open(Path(scratch, "holes"), "wb") as file:
            file.write(b"a")
            file.seek(1 << 20)
            file.write(b"end")
        sparse = run("tar", "-C", scratch, "--sparse", "--owner=0", "--group=0", "-b1", "-cf", "-", "holes")
    return {
        "gnu": _tar(tarfile.GNU_FORMAT),
        "pax": _tar(tarfile.PAX_FORMAT),
        "gnu-sparse": sparse.rstrip(b"\0") + bytes(1024),
        "gzip": gzip.compress(_tar(tarfile.GNU_FORMAT), mtime=0),
    }


def corpus_compressed():
    module = b"\x7fELF" + bytes(60) + b"vermagic=6.1.0-1-test SMP mod_unload modversions\0" * 4
    return {
        "xz": lzma.compress(module, check=lzma.CHECK_CRC32),
        "gzip": gzip.compress(module, mtime=0),
        "zstd": run("zstd", "-q", "-c", input=module),
        "plain": module,
    }


def corpus_settings():
    return {
        "crypttab": "# name device key options\nroot_crypt UUID=12345678-1234-4234-8234-123456789abc none luks\n",
        "securetty": "console\ntty1\nttyS0\n",
        "upstart": "# tty1\nstart on stopped rc RUNLEVEL=[2345]\nrespawn\nexec /sbin/getty -8 38400 tty1\n",
        "selinux": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
        "machine-id": guest_file("busybox", "/etc/machine-id"),
        "resume": "RESUME=UUID=12345678-1234-4234-8234-123456789abc\n"
                  "GRUB_CMDLINE_LINUX=\"quiet resume=/dev/sda2\"\n",
    }


def corpus_apk():
    return {"alpine": "C:Q1abcdefghijklmnopqrstuvwxyz0=\nP:busybox\nV:1.36.1-r15\nA:x86_64\nS:513086\n"
                      "T:Size optimized toolbox\nF:bin\nR:busybox\na:0:0:755\n\nP:musl\nV:1.2.4-r2\nA:x86_64\n"}


def corpus_pacman():
    return {"arch": "%NAME%\nbash\n\n%VERSION%\n5.2.026-2\n\n%ARCH%\nx86_64\n\n%DESC%\nThe shell\n"}


def corpus_rpm():
    """One header by rpm's own hand, in the layout of SUSE's database, which Debian's rpm does not write."""
    with tempfile.TemporaryDirectory() as scratch:
        spec = Path(scratch, "a.spec")
        spec.write_text("Name: tiny\nVersion: 1\nRelease: 1\nSummary: s\nLicense: GPL\nBuildArch: noarch\n"
                        "%description\nd\n%files\n")
        run("rpmbuild", "--quiet", "-bb", "--define", f"_topdir {scratch}", "--define", f"_rpmdir {scratch}", spec)
        package = next(Path(scratch).rglob("tiny-*.rpm")).read_bytes()

    def header_end(at):
        entries, size = struct.unpack(">II", package[at + 8:at + 16])
        return at + 16 + 16 * entries + size
    main_header = -(-header_end(96) // 8) * 8
    blob = package[main_header + 8:header_end(main_header)]
    blocks = -(-(28 + len(blob)) // 16)
    slots = [struct.pack("<4sIII", b"Slot", 1, 256, blocks)] + [struct.pack("<4s12x", b"Slot")] * 253
    body = struct.pack("<4sIII", b"BlbS", 1, 1, len(blob)) + blob
    body = body.ljust(blocks * 16 - 12, b"\0") + struct.pack("<II4s", 0, len(blob), b"BlbE")
    return {"ndb": struct.pack("<4sIIII12x", b"RpmP", 0, 1, 1, 2) + b"".join(slots) + body}


def corpus_image_header():
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        def create(name, kind, *options, size="1M", keep=1024):
            path = Path(scratch, name)
            run("qemu-img", "create", "-q", "-f", kind, *options, path, *([size] if size else []))
            found[name] = path.read_bytes()[:keep]
        create("qcow2", "qcow2")
        create("qcow2-overlay", "qcow2", "-b", Path(scratch, "qcow2"), "-F", "qcow2", size=None)
        found["qcow2-overlay"] = found["qcow2-overlay"].replace(scratch.encode(), b"/" * len(scratch))
        create("qcow2-data", "qcow2", "-o", f"data_file={scratch}/data")
        found["qcow2-data"] = found["qcow2-data"].replace(scratch.encode(), b"/" * len(scratch))
        create("vmdk-sparse", "vmdk", keep=1536)
        create("vmdk-flat", "vmdk", "-o", "subformat=monolithicFlat")
        create("vmdk-split", "vmdk", "-o", "subformat=twoGbMaxExtentFlat")
        create("vdi", "vdi", keep=512)
        create("vhd", "vpc")
        create("vhdx", "vhdx", keep=64 << 10)
        create("qed", "qed", keep=512)
    return found


def corpus_uki():
    sections = {".cmdline": b"root=UUID=6b6d6c6e-0000-4000-8000-000000000001 ro", ".uname": b"6.1.0-1-test",
                ".osrel": b"ID=debian\nPRETTY_NAME=\"Debian 12\"\n", ".linux": b"MZ" + bytes(62)}
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack(
        "<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 16, 0) + struct.pack("<H", 0x20b) + bytes(14)
    table, body, at = b"", b"", len(head) + 40 * len(sections)
    for name, content in sections.items():
        table += struct.pack("<8sIIIIIIHHI", name.encode(), len(content), at, len(content), at + len(body), 0, 0,
                             0, 0, 0x40000040)
        body += content
    return {"systemd": head + table + body}


def corpus_volumes():
    uuid = "12345678-1234-4234-8234-123456789abc"
    found = {"lvm-text": 'vg0 {\nid = "abc123"\nseqno = 1\nlogical_volumes {\nroot {\nstatus = ["READ", '
                         '"VISIBLE"]\n}\n# hidden\npool {\nstatus = ["READ"]\n}\n}\n}\n'}
    with tempfile.NamedTemporaryFile() as file:
        for version, keep in (("1", 1024), ("2", 8192)):
            file.truncate(32 << 20)
            run("cryptsetup", "luksFormat", "-q", "--type", f"luks{version}", "--uuid", uuid, "--pbkdf", "pbkdf2",
                "--pbkdf-force-iterations", "1000", file.name, "-", input=b"secret")
            found[f"luks{version}"] = Path(file.name).read_bytes()[:keep]
        file.truncate(0)
        file.truncate(128 << 20)
        run("mkfs.btrfs", "-q", "-L", "pool", "-U", uuid, file.name)
        found["btrfs"] = Path(file.name).read_bytes()[:(64 << 10) + 4096]
    label = bytearray(8192)
    label[512:544] = b"LABELONE" + struct.pack("<QII8s", 1, 0, 32, b"LVM2 001")
    label[544:576] = b"a" * 32
    label[576:640] = struct.pack("<QQQQQQQQ", 1 << 20, 1 << 20, 0, 0, 0, 4096, 4096, 0)
    text = found["lvm-text"].encode()
    label[4096:4136] = struct.pack("<I16sIQQ", 0, b" LVM2 x[5A%r0N*>", 1, 4096, 4096)
    label[4136:4160] = struct.pack("<QQII", 512, len(text), 0, 0)
    label[4608:4608 + len(text)] = text
    found["lvm"] = bytes(label)
    md = bytearray(8192)
    md[4096:4112] = struct.pack("<IIII", 0xa92b4efc, 1, 0, 0)
    md[4112:4160] = b"\x12" * 16 + b"host:array".ljust(32, b"\0")
    md[4168:4176] = struct.pack("<II", 1, 0)
    found["md"] = bytes(md)
    return found


def main():
    makers = {name.removeprefix("corpus_").replace("_", "-"): maker
              for name, maker in globals().items() if name.startswith("corpus_")}
    for target in sys.argv[1:] or makers:
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in makers[target]().items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        print(f"{target}: {len(list(folder.iterdir()))} files")


if __name__ == "__main__":
    main()
