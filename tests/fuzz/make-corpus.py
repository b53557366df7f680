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
import sqlite3
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import guests, vde  # noqa: E401,E402
from linecorpus import corpus_agent, corpus_frame, corpus_node_line  # noqa: E402,F401

ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "LC_ALL": "C"}


def run(*argv, **options):
    return subprocess.run([os.fspath(a) for a in argv], check=True, stdout=subprocess.PIPE,
                          env=ENVIRONMENT, **options).stdout


def guest_file(guest, path):
    return run("debugfs", "-R", f"cat {path}", guests.NAMES[guest](), stderr=subprocess.DEVNULL)


def qemu_img(*argv):
    """The head of an image of 64 MiB that qemu-img makes, and the text of its descriptor."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        run("truncate", "-s", "64M", Path(folder, "base"), cwd=folder)
        run("qemu-img", "create", "-q", *argv, path, "64M", cwd=folder)
        with open(path, "rb") as file:
            # the descriptor inside a VMDK is 10 KiB long; a text ends by itself
            return file.read(11264 if b"KDMV" in file.peek(4)[:4] else 1024)


def corpus_formats():
    return {
        "qcow2": qemu_img("-f", "qcow2"),
        "qcow2-v2": qemu_img("-f", "qcow2", "-o", "compat=0.10"),
        "qcow2-overlay": qemu_img("-f", "qcow2", "-b", "base", "-F", "raw"),
        "qcow2-data": qemu_img("-f", "qcow2", "-o", "data_file=data"),
        "vmdk": qemu_img("-f", "vmdk"),
        "vmdk-stream": qemu_img("-f", "vmdk", "-o", "subformat=streamOptimized"),
        "vmdk-flat": qemu_img("-f", "vmdk", "-o", "subformat=monolithicFlat"),
        "vdi": qemu_img("-f", "vdi"),
        "vhd": qemu_img("-f", "vpc"),
        "vhdx": b"vhdxfile",
        "qed": qemu_img("-f", "qed"),
    }


def corpus_vmdk():
    return {
        "flat": qemu_img("-f", "vmdk", "-o", "subformat=monolithicFlat"),
        "split": qemu_img("-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse"),
        "embedded": qemu_img("-f", "vmdk")[512:],
        "vmware": '# Disk DescriptorFile\r\nversion = 1\r\nencoding = "UTF-8"\r\nCID = 1\r\n'
                  'parentCID = ffffffff\r\ncreateType = "vmfs"\r\nRW 16 VMFS "disk-flat.vmdk"\r\n',
        "child": 'parentCID=1\nparentFileNameHint="../base.vmdk"\ncreateType="vmfsSparse"\n'
                 'RW 16 VMFSSPARSE "delta.vmdk"\n',
        "kinds": 'RDONLY 8 FLAT "a b" 9\nRW 8 ZERO\nNOACCESS 8 FLAT "c" 0\nRW 8 FLAT "" 1\n',
    }


def corpus_project():
    """All examples, all files with mistakes, and what is only of form."""
    folder = HERE.parent.parent
    found = {path.stem: path.read_bytes()
             for path in [*(folder / "examples").glob("*.*ln"), *(HERE.parent / "project").rglob("*.kmln")]}
    found["form"] = ('\ufeffglobal{project x;# c\r\n$a=b;$[c] = "d e"\n}#e\nhost{a{}b{mount{/a /b ext4 "x y"}}}\n'
                     'superclass s { startup{ f() { echo "${1}"; } # x\n} remove users\n replace shutdown {} }\n')
    found["broken"] = 'host { "a\n}\n} \\q ${x} $[ a"b a#b host x { switch y {\n\x01\xff'
    return found


def corpus_variables():
    return {
        "word": "\0a$a$[b]\\$c\\\\",
        "lenient": "\2$6$salt$hash",
        "line": "\1echo \\; $a ${b} $[a]x \\$a \\\\$a",
        "values": "\0$a = $b$b\n$b = $[c]\n$c = x y",
        "circle": "\0$a = $b\n$b = $[a]\n$c = $c",
    }


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


def corpus_frames():
    """Each frame behind its direction (0: from the switch) and two bytes of length."""
    def frames(*found):
        return b"".join(struct.pack("!BH", way, len(frame)) + frame for way, frame in found)
    four = b"\x52\x55\x0a\x09\x00\xfe\x02\0\0\0\0\1\x08\0"
    six = b"\x52\x56\0\0\0\xfe\x02\0\0\0\0\1\x86\xdd"
    arp = b"\xff" * 6 + b"\x02\0\0\0\0\1\x08\x06\0\1\x08\0\6\4\0\1\x02\0\0\0\0\1" + bytes(18)
    return {
        "arp": frames((0, arp)),
        "tcp": frames((0, four + vde.tcp("10.9.0.1", 1, "192.0.2.1", 80, vde.SYN)),
                      (0, six + vde.tcp("fd00:9::1", 1, "2001:db8::1", 80, vde.SYN)),
                      (0, four + vde.tcp("10.9.0.1", 1, "127.0.0.1", 80, vde.SYN))),
        "forward": frames((1, four + vde.udp("10.9.0.254", 5000, "10.9.0.1", 99, b"question")),
                          (0, four + vde.udp("10.9.0.1", 99, "10.9.0.254", 5000, b"answer")),
                          (1, four + vde.udp("127.0.0.1", 5000, "10.9.0.1", 99, b"another")),
                          (1, six + vde.udp("fd00:9::fe", 5000, "fd00:9::1", 99, b"question")),
                          (0, six + vde.udp("fd00:9::1", 99, "fd00:9::fe", 5000, b"answer"))),
        "dns": frames((0, four + vde.udp("10.9.0.1", 7, "10.9.0.253", 53, bytes(12))),
                      (0, four + vde.udp("0.0.0.0", 68, "255.255.255.255", 67, bytes(240)))),
        "neighbour": frames((0, six + vde.icmp6("fe80::1", "ff02::2", 133, bytes(4), hops=255)),
                            (0, six + vde.icmp6("fd00:9::1", "fd00:9::fe", 135, bytes(20), hops=255))),
    }


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


def _xen_elf():
    """The least ELF with the notes by which Xen starts a kernel."""
    notes = b"".join(struct.pack("<III4sQ", 4, 8, kind, b"Xen", 1 << 24) for kind in (1, 3, 18))
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, 1 << 24, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(notes), len(notes), 4) + notes


def _bzimage(payload):
    """The least image that carries it."""
    image = bytearray(1024)
    image[0x1f1], image[0x236] = 1, 1
    image[0x202:0x208] = b"HdrS\x0f\x02"
    struct.pack_into("<II", image, 0x248, 0, len(payload))
    return bytes(image) + payload


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
        "xen-elf": _xen_elf(),
        "xen-gzip": gzip.compress(_xen_elf(), mtime=0),
        "xen-bzimage": _bzimage(lzma.compress(_xen_elf(), check=lzma.CHECK_CRC32)),
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


def corpus_record():
    """As `kmln convert` writes them, with the line of every kind."""
    head, total = "kmln-record 1 version=0.1.0 platform=kvm\n", "0123456789abcdef" * 8
    uuid = "UUID=6b6d6c6e-0000-4000-8000-000000000001"
    before = ("was=kept was-mode=100644 was-uid=0 was-gid=0 was-size=30 was-time=1700000000.000000001 "
              f"was-sum={total}")
    return {
        "disk": head + "shift by=wrap offset=1048576 why=room for a partition table\n"
                f"bytes by=loader offset=0 size=512 sum={total} was=absent why=GRUB\n"
                f"bytes by=loader offset=512 size=512 sum={total} was=zero\n"
                "resize by=resize size=9 was-size=8\nextend by=wrap size=512\n",
        "cut": head.replace("kvm", "uml") + "cut by=unwrap offset=1048576 size=67108864 was-size=68157440\n"
               "keep by=unwrap offset=0 size=4\n-\\xeb\\x00\n-a\\\n"
               f"change path=/etc/fstab by=fstab size=62 sum={total} {before}\n"
               "-/dev/vdb /data ext4 rw 0 2\n+/dev/vdb /data ext4 rw,nofail 0 2\n"
               "put path=/etc/systemd/system/acpid.service.d/kmln-not-in-uml.conf by=uml-units mode=644 uid=0 gid=0 "
               f"size=3 sum={total} was=absent\n",
        "files": head + "put path=/boot/vmlinuz-6.1 by=kernel mode=644 uid=0 gid=0 size=7 "
                 "time=1700000000.000000000 was=absent why=the kernel itself\n"
                 "mkdir path=/lib/modules/6.1 by=kernel mode=755 uid=0 gid=0\n"
                 "symlink path=/lib/modules/6.1/a by=kernel target=b uid=0 gid=0 was=absent\n"
                 f"put path=/boot/grub/grub.cfg by=grub mode=644 uid=0 gid=0 size=3 sum={total} "
                 f"{before}\n-menuentry\\x09'Linux' {{ #\\xff}}\n-12345\\\n",
        "lines": head + f"change path=/etc/fstab by=fstab size=62 sum={total} {before}\n"
                 f"-/dev/ubda / ext4 defaults 0 1\n+{uuid} / ext4 defaults 0 1\n"
                 f"change path=/etc/inittab by=login size=62 sum={total} {before}\n-a\\\n+a\n"
                 "+T0:2345:respawn:/sbin/getty -L ttyS0 115200 vt100\n"
                 f"change path=/etc/securetty by=login size=62 sum={total} {before}\n+ttyS0\n",
        "packages": head + "append path=/var/lib/dpkg/status by=packages size=23 was-size=0 was-time=1.000000000\n+Package: a\n"
                    "+Version: 1\n",
    }


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


def corpus_packages():
    return {
        "apk": "C:Q1/4JYiMPdvlwsFf2kqYZoXvkLS9A=\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\na:0:0:755\n\n"
               "P:busybox\nV:1.36.1-r15\nA:x86_64\n",
        "pacman": "%NAME%\ndemo\n\n%VERSION%\n1:2.3-4\n\n%ARCH%\nany\n\n%DEPENDS%\nglibc\n",
    }


def corpus_rpm():
    """The header of a package that rpmbuild makes, as rpm stores it."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        (top / "x.spec").write_text("Name: hello\nVersion: 1.2\nRelease: 3\nEpoch: 4\nSummary: x\n"
                                    "License: GPL\nBuildArch: noarch\n%description\nx\n%files\n")
        run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}/build", top / "x.spec")
        package, = top.glob("build/RPMS/noarch/*.rpm")
        run("rpm", "--dbpath", top / "db", "--initdb")
        run("rpm", "--dbpath", top / "db", "-i", "--force-debian", "--justdb", "--nodeps", package)
        blob, = sqlite3.connect(top / "db/rpmdb.sqlite").execute("SELECT blob FROM Packages").fetchone()
    slots = struct.pack("<4sIII", b"Slot", 1, 256, -(-(len(blob) + 28) // 16)) + \
        struct.pack("<4sIII", b"Slot", 0, 0, 0) * 253
    file = struct.pack("<4sIIII12x", b"RpmP", 0, 1, 1, 2) + slots + \
        struct.pack("<4sIII", b"BlbS", 1, 1, len(blob)) + blob
    return {"header": blob, "file": file + bytes(-len(file) % 16 + 16)}


def corpus_settings():
    """The first letter chooses the parser; see settings.c."""
    return {
        "crypttab": "a# x\nvault UUID=3-4 none luks,discard\nplain /dev/vdc\n",
        "securetty": "bconsole\n# x\n tty1\n",
        "machine-id": "c0123456789abcdef0123456789abcdef\n",
        "selinux": "dSELINUX=enforcing\nSELINUXTYPE='targeted'\n",
        "resume": "eRESUME=UUID=1-2\nGRUB_CMDLINE_LINUX=\"quiet resume=/dev/sda2\"\n",
        "upstart": "fstart on stopped rc\nexec /sbin/getty -8 38400 /dev/tty1\n",
        "ifupdown": "gauto eth0\niface eth0 inet static\n address \\\n10.0.0.2/24\n"
                    " hwaddress ether 52:54:00:00:00:01\n",
        "networkd": "h[Match]\nMACAddress=52:54:00:00:00:01 52-54-00-00-00-02\n[Network]\nDHCP=yes\n"
                    "Address=192.0.2.1/24\n",
        "ifcfg": "iDEVICE=\"eth0\"\nBOOTPROTO=none\nIPADDR=192.0.2.3\nPREFIX=24\n"
                 "HWADDR=52:54:00:00:00:01\n",
        "keyfile": "j[connection]\ntype=ethernet\ninterface-name=e\n[ethernet]\n"
                   "mac-address=52:54:00:00:00:05\n[ipv4]\naddress1=192.0.2.9/24,192.0.2.1\nmethod=manual\n",
        "netplan": "knetwork:\n  version: 2\n  ethernets:\n    lan: &a\n      match: {macaddress: "
                   "'52:54:00:00:00:01'}\n      set-name: eth0\n      addresses: [192.0.2.7/24]\n"
                   "    b: *a\n",
        "link": "l[Match]\nMACAddress=52:54:00:00:00:03\n[Link]\nName=lan0\n",
        "udev": "mSUBSYSTEM==\"net\", ATTR{address}==\"52:54:00:00:00:08\", \\\n NAME=\"eth0\"\n",
        "bls": "ntitle Fedora\nversion 6\nlinux /v\ninitrd /a\ninitrd /b\noptions root=UUID=1 ro\n",
    }


def corpus_uki():
    sections = {b".osrel": b"PRETTY_NAME='x'\n", b".cmdline": b"quiet\0", b".uname": b"6.1", b".linux": b"K"}
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + \
        struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 16, 0) + bytes(16)
    at = len(head) + 40 * len(sections)
    body = b""
    for name, content in sections.items():
        head += struct.pack("<8sIIII16x", name, len(content), 0, len(content), at + len(body))
        body += content
    return {"small": head + body}


def corpus_volumes():
    """The first letter chooses the kind; see volumes.c."""
    text = ('vg {\nid = "x"\n# c\nlogical_volumes {\nroot {\nstatus = ["READ", "VISIBLE"]\n}\n}\n}\n').encode()
    label = struct.pack("<8sQII8s", b"LABELONE", 1, 0, 32, b"LVM2 001") + bytes(40) + \
        struct.pack("<QQQQQQQQ", 1 << 20, 0, 0, 0, 4096, 8192, 0, 0)
    lvm = bytes(512) + label
    area = struct.pack("<I16sIQQ QQII", 0, b" LVM2 x[5A%r0N*>", 1, 4096, 8192, 512, len(text), 0, 0)
    lvm = lvm.ljust(4096, b"\0") + (area.ljust(512, b"\0") + text).ljust(8192, b"\0")
    luks = b"LUKS\xba\xbe\0\2" + bytes(16) + b"vault".ljust(144, b"\0") + b"1234".ljust(344, b"\0")
    md = bytes(4096) + struct.pack("<IIII16s32sQi", 0xa92b4efc, 1, 0, 0, bytes(16), b"box:0", 0, 1).ljust(512, b"\0")
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "b")
        with open(image, "wb") as file:
            file.truncate(109 << 20)
        run("mkfs.btrfs", "-q", "-n", "4096", "-m", "single", image)
        with open(image, "rb") as file:
            file.seek(0x10000)
            super_ = file.read(4096)
    return {"lvm": b"a" + lvm, "luks": b"b" + luks, "md": b"c" + md, "btrfs": b"d" + super_, "text": b"e" + text}


DOCTYPE = '<!DOCTYPE project PUBLIC "-//KMLN//DTD Project 1.0//EN" "kmln-project.dtd"%s>'


def document(body, before=""):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{before}\n<project format="1">{body}</project>\n'


def corpus_project_xml():
    """Documents that are fine, and each way to do harm with XML that is known."""
    small = '<global project="p"/><host name="a" image="./i"/>'
    bomb = "".join(f'<!ENTITY b{i + 1} "{f"&b{i};" * 10}">' for i in range(9))
    entity = '<global project="&e;"/>'
    found = {
        "small": document(small),
        "doctype": document(small, DOCTYPE % ""),
        "comments": document("<!-- a -- b\n c --><global project='p'/>\n\n<?pi x?><!----><host name='a' image='i'>"
                             "<!--x--><startup><!--y--><line>&lt;&#38;</line></startup></host>").replace(" -- ", " "),
        "variables": document('<global project="p"><variable name="x" value="a b\\&quot;"/></global><superclass '
                              'name="s" memory="64M" image="$[x]"><users><user name="v"/></users></superclass>'
                              '<host name="n" count="3" superclass="s" after="&quot;b&quot;"><remove keyword="memory"/><replace><users><user name="u"/>'
                              '</users></replace></host><host name="b" image="x"/>'),
        "groups": document('<global project="p"/><host-group><host name="a" image="x"><groups><group name="g">'
                           '<member>u</member></group></groups><ready kind="port" what="22"/></host></host-group>'
                           '<switch-group><switch name="s" hub="on"><net>10.0.0.0/8</net></switch></switch-group>'),
        "cdata": document('<global project="p"><beforeHostsStart><line><![CDATA[a <b> & { c; }]]></line>'
                          '</beforeHostsStart></global>'),
        "braces": document('<global project="p"><beforeHostsStart><line>}</line></beforeHostsStart></global>'),
        "odd-words": document('<global project="p"/><host name="a" image="./a\\" owner="&quot;&#9;\\" after="&quot;"/>'),
        "control": document('<global project="&#10;&#x202e;"/>'),
        "unknown": document('<hosts/><host nam="a" xmlns:x="y" x:memory="1" xml:lang="de">text<x:line/></host>'),
        "include": document('<include path="/etc/passwd"/>' + small),
        "entity-bomb": document(entity.replace("&e;", "&b9;"), DOCTYPE % f' [<!ENTITY b0 "x">{bomb}]'),
        "entity-attribute": document(entity, DOCTYPE % ' [<!ENTITY e "p">]'),
        "entity-file": document(entity, DOCTYPE % ' [<!ENTITY e SYSTEM "file:///etc/passwd">]'),
        "entity-network": document(entity, DOCTYPE % ' [<!ENTITY e SYSTEM "http://127.0.0.1:9/x">]'),
        "entity-parameter": document(small, DOCTYPE % ' [<!ENTITY % e SYSTEM "file:///etc/passwd"> %e;]'),
        "entity-unknown": document("&e;<global project='p'>&f;</global>", DOCTYPE % ""),
        "entity-unknown-value": document(entity, DOCTYPE % ""),
        "entity-unparsed": document(small, DOCTYPE % ' [<!NOTATION n SYSTEM "x"><!ENTITY e SYSTEM "y" NDATA n>]'),
        "subset-empty": document(small, DOCTYPE % " []"),
        "subset-attributes": document(small, DOCTYPE % ' [<!ATTLIST host memory CDATA "1G">]'),
        "subset-elements": document(small, DOCTYPE % " [<!ELEMENT project ANY>]"),
        "doctype-foreign": document(small, '<!DOCTYPE project SYSTEM "http://127.0.0.1:9/evil.dtd">'),
        "doctype-file": document(small, '<!DOCTYPE project SYSTEM "/etc/passwd">'),
        "doctype-root": document(small, DOCTYPE.replace("project P", "host P") % ""),
        "xinclude": document('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>'),
        "stylesheet": document(small, '<?xml-stylesheet href="/etc/passwd"?>'),
        "nesting": document("<host>" * 2000 + "</host>" * 2000),
        "unclosed": document("<host>" * 300),
        "latin1": document(small).replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        "latin1-bytes": document('<global project="\u00fc"/>').replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        "utf7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-project format="1"/+AD4-',
        "utf16": document(small).replace("UTF-8", "UTF-16").encode("utf-16"),
        "utf16-lie": document(small).replace("UTF-8", "UTF-16"),
        "ebcdic": document(small).replace("UTF-8", "IBM037").encode("cp037"),
        "mark": "\ufeff" + document(small),
        "not-utf8": document(small).encode() + b"\xff\xfe",
        "nul": document(small).encode() + b"\0",
        "nul-inside": document(small).replace('"p"', '"p\0"'),
        "cut": document(small)[:-15],
        "two-roots": document(small) + "<project/>",
        "empty": "",
        "prolog-only": '<?xml version="1.0"?>',
        "doctype-open": '<!DOCTYPE project "',
        "long-name": document(f'<global project="{"a" * 300}"/>'),
        "names": document('<global project="../x"/><host name="a;b"/><host name="$(x)"/><host name="A"/><host name="a"/>'),
    }
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
