# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot loaders by their files, entries that are files of their own, kernels that somebody built, and
modules in every compression."""

import struct
import time

import pytest

import images
from trees import Link


def loaders(facts):
    return [(loader["type"], loader["config"]) for loader in facts["boot_loaders"]]


@pytest.mark.parametrize("path, kind", [
    ("/boot/grub/grub.cfg", "grub"), ("/boot/grub2/grub.cfg", "grub"), ("/boot/efi/EFI/fedora/grub.cfg", "grub"),
    ("/efi/EFI/debian/grub.cfg", "grub"), ("/boot/grub/menu.lst", "grub-legacy"),
    ("/boot/grub/grub.conf", "grub-legacy"), ("/etc/lilo.conf", "lilo"),
    ("/boot/syslinux/syslinux.cfg", "syslinux"), ("/boot/extlinux/extlinux.conf", "extlinux"),
    ("/boot/extlinux.conf", "extlinux"), ("/boot/loader/loader.conf", "systemd-boot"),
    ("/efi/loader/loader.conf", "systemd-boot")])
def test_loader(kmln, facts_of, path, kind):
    facts = facts_of({path: "x\n"})
    assert loaders(facts) == [(kind, path)]
    # what only EFI starts is no loader of a BIOS
    bios = None if "EFI" in path or "loader" in path else {"type": kind, "config": path, "by_kmln": True}
    assert facts["boot_loader"] == bios
    assert f"\nboot loader  {kind}, {path}\n" in kmln("inspect", facts_of.image, expect=0).out


def test_several_loaders(facts_of):
    """All of them; a second name of one file is not a second loader, and a folder is none."""
    facts = facts_of({"/boot/grub/menu.lst": "x", "/boot/grub/grub.conf": Link("menu.lst"),
                      "/etc/grub.conf": Link("../boot/grub/menu.lst"), "/etc/lilo.conf": "x",
                      "/boot/grub2/grub.cfg": None, "/boot/extlinux.conf": Link("nowhere")})
    assert loaders(facts) == [("grub-legacy", "/boot/grub/menu.lst"), ("lilo", "/etc/lilo.conf")]


def test_bls(facts_of):
    folder = "/boot/loader/entries"
    facts = facts_of({
        f"{folder}/a.conf": "# comment\ntitle   Fedora Linux 39\nversion\t6.5.6-300.fc39.x86_64\n"
                            "linux /vmlinuz-6.5.6\ninitrd /ucode.img\ninitrd /initramfs-6.5.6.img\n"
                            "options root=UUID=1 ro\noptions resume=UUID=2 quiet\ngrub_class fedora\nid\n",
        f"{folder}/b.conf": "efi /shell.efi\n", f"{folder}/c.conf": "", f"{folder}/d.conf.bak": "title no\n",
        f"{folder}/e.conf": Link("e.conf")})
    entries = facts["boot_entries"]
    assert entries[0] == {
        "type": "bls", "file": f"{folder}/a.conf", "title": "Fedora Linux 39", "version": "6.5.6-300.fc39.x86_64",
        "kernel": "/vmlinuz-6.5.6", "initramfs": "/ucode.img /initramfs-6.5.6.img",
        "options": "root=UUID=1 ro resume=UUID=2 quiet"}
    assert [(e["file"], e["kernel"]) for e in entries[1:]] == [(f"{folder}/b.conf", "/shell.efi"),
                                                               (f"{folder}/c.conf", None)]
    assert facts["swap"] == [{"device": "UUID=2", "source": f"{folder}/a.conf", "resume": True}]


# --- unified kernel images

SECTIONS = {".osrel": b'ID=test\nPRETTY_NAME="Test OS 1"\n\0', ".cmdline": b"root=LABEL=x quiet\n\0",
            ".uname": b"6.6.1-test\0", ".linux": b"K" * 70000, ".initrd": b"I" * 90000}


def pe(sections):
    """A PE file with these sections: {name: bytes, or (virtual size, raw size, raw offset)}."""
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 112, 0x22f) + bytes(112)
    body, at = b"", 4096
    for name, content in sections.items():
        numbers = content if isinstance(content, tuple) else (len(content), -(-len(content) // 512) * 512, at)
        head += struct.pack("<8sIIII16x", name.encode(), numbers[0], 0x10000, *numbers[1:])
        if not isinstance(content, tuple):
            body += content.ljust(numbers[1], b"\0")
            at += numbers[1]
    return head.ljust(4096, b"\0") + body


EXPECTED = {"type": "uki", "title": "Test OS 1", "version": "6.6.1-test", "kernel": ".linux",
            "initramfs": ".initrd", "options": "root=LABEL=x quiet"}


@pytest.mark.parametrize("place", ["/boot/EFI/Linux", "/efi/EFI/Linux", "/boot/efi/EFI/Linux"])
def test_uki(facts_of, place):
    facts = facts_of({f"{place}/test.efi": pe(SECTIONS), f"{place}/not.efi": b"MZ" + bytes(30),
                      f"{place}/readme.txt": pe(SECTIONS)})
    assert facts["boot_entries"] == [{**EXPECTED, "file": f"{place}/test.efi"}]
    assert facts["notes"] == []


def test_uki_by_other_tools(facts_of, tmp_path):
    """Put together as ukify does: objcopy adds the sections to a real EFI program, GRUB's."""
    images.tool("grub-mkimage", "grub-common", "-O", "x86_64-efi", "-p", "/", "-o", tmp_path / "stub.efi", "normal")
    options, at = [], 0x8000000
    for name, content in SECTIONS.items():
        (tmp_path / name).write_bytes(content)
        options += ["--add-section", f"{name}={tmp_path}/{name}", "--set-section-flags", f"{name}=data,readonly",
                    "--change-section-vma", f"{name}={at:#x}"]
        at += 0x1000000
    images.tool("objcopy", "binutils", *options, tmp_path / "stub.efi", tmp_path / "uki.efi")
    facts = facts_of({"/boot/efi/EFI/Linux/uki.efi": (tmp_path / "uki.efi").read_bytes()})
    entry, = facts["boot_entries"]
    assert {**entry, "file": None} == {**EXPECTED, "file": None}
    assert facts["notes"] == []


ABSURD = 0xfffffff0


@pytest.mark.parametrize("changes, expected", [
    ({".cmdline": (ABSURD, ABSURD, 4096)}, {"options": None}),
    ({".cmdline": (10, 10, ABSURD)}, {"options": None}),
    ({".cmdline": (20000, 20000, 4096)}, {"options": None}),
    ({".uname": (ABSURD, 512, ABSURD)}, {"version": None}),
    ({".osrel": (512, 512, 0x7fffffff)}, {"title": None}),
    ({".linux": (ABSURD, ABSURD, ABSURD)}, {}),
    ({".initrd": (0, ABSURD, 4096)}, {}),
])
def test_uki_with_absurd_sections(facts_of, changes, expected):
    facts = facts_of({"/boot/EFI/Linux/x.efi": pe({**SECTIONS, **changes})})
    entry, = facts["boot_entries"]
    assert entry == {**EXPECTED, **expected, "file": "/boot/EFI/Linux/x.efi"}
    assert facts["notes"] == ["/boot/EFI/Linux/x.efi: sections of it cannot be where they claim"]


def test_uki_broken_heads(facts_of):
    """Cut off at each place of the head, or with absurd numbers in it: not an entry, and no crash."""
    whole = pe(SECTIONS)
    files = {f"/boot/EFI/Linux/{n:03}.efi": whole[:n * 8] for n in range(50)}
    for n, (at, value) in enumerate([(60, ABSURD), (60, 0x7fffffff), (60, 0), (70, 0xffff), (84, 0xffff)]):
        broken = bytearray(whole)
        broken[at:at + (4 if at == 60 else 2)] = struct.pack("<I" if at == 60 else "<H", value)
        files[f"/boot/efi/EFI/Linux/x{n}.efi"] = bytes(broken)
    began = time.monotonic()
    facts = facts_of(files)
    assert time.monotonic() - began < 10
    assert facts["boot_entries"] == [] and facts["notes"] == []
    images.within(64_000, "inspect", facts_of.image)


# --- kernels

def bzimage(version, at=0x3000, size=20000):
    """The parts of a bzImage's head that tell its release."""
    image = bytearray(size)
    image[0x1fe:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    image[0x20e:0x210] = struct.pack("<H", at)
    image[0x236] = 1
    text = version.encode() + b"\0"
    image[0x200 + at:0x200 + at + len(text)] = text
    return bytes(image)


def kernels(facts):
    return {k["release"]: (k["image"], k["initramfs"], k["modules"]) for k in facts["kernels"]}


def modules(release, folder="/usr/lib/modules", suffix=".ko"):
    return {f"{folder}/{release}/modules.dep": f"kernel/drivers/block/virtio_blk{suffix}:\n",
            f"{folder}/{release}/kernel/drivers/block/virtio_blk{suffix}": b"x"}


LIB = {"/lib": Link("usr/lib")}


def test_arch_linux(facts_of):
    """The file's name tells no release: the kernel's own head does, and its initramfs is found."""
    facts = facts_of({**LIB, **modules("6.6.1-arch1-1", suffix=".ko.zst"),
                      "/boot/vmlinuz-linux": bzimage("6.6.1-arch1-1 (linux@archlinux) #1 SMP"),
                      "/boot/initramfs-linux.img": b"x", "/boot/initramfs-linux-fallback.img": b"x"})
    assert kernels(facts) == {"6.6.1-arch1-1": ("/boot/vmlinuz-linux", "/boot/initramfs-linux.img",
                                                "/usr/lib/modules/6.6.1-arch1-1")}
    assert facts["kernels"][0]["compression"] == "zst" and facts["kernels"][0]["drivers"] == ["virtio_blk"]


def test_kernels_of_odd_names(facts_of):
    facts = facts_of({
        **LIB, **modules("4.4.302-mine"), "/boot/bzImage": bzimage("4.4.302-mine (root@box) #7"),
        "/boot/kernel": bzimage("2.6.18"), "/boot/vmlinuz": Link("kernel"),
        "/boot/other": bzimage("../../etc (x)"), "/boot/memtest86+": bzimage("x", at=0),
        "/boot/behind": bzimage("5.0", at=0xfff0, size=66000), "/boot/no kernel": bzimage("5.1"),
        "/boot/text": "hello\n", "/boot/cut": bzimage("5.2")[:0x210]})
    assert kernels(facts) == {"4.4.302-mine": ("/boot/bzImage", None, "/usr/lib/modules/4.4.302-mine"),
                              "2.6.18": ("/boot/kernel", None, None)}
    assert [k["arch"] for k in facts["kernels"]] == ["x86-64", "x86-64"]


def test_old_kernel_beside_its_copy(facts_of):
    facts = facts_of({"/boot/vmlinuz-6.1": bzimage("6.1 (x)"), "/boot/vmlinuz-6.1.old": bzimage("6.1 (x)"),
                      "/boot/initrd.img-6.1": b"x", "/boot/initrd.img-6.1.old": b"x"})
    assert kernels(facts) == {"6.1": ("/boot/vmlinuz-6.1", "/boot/initrd.img-6.1", None)}


def test_real_kernel(facts_of, guest, tmp_path):
    """Debian's own, under a name that tells nothing."""
    images.tool("dpkg-deb", "dpkg", "-x", guest("kernel"), tmp_path / "deb")
    image, = tmp_path.glob("deb/boot/vmlinuz-*")
    facts = facts_of({"/boot/linux": image}, size="64M")
    assert kernels(facts) == {image.name.removeprefix("vmlinuz-"): ("/boot/linux", None, None)}


@pytest.mark.parametrize("suffix, kind", [(".ko", "none"), (".ko.gz", "gz"), (".ko.xz", "xz"), (".ko.zst", "zst")])
def test_compressed_modules(facts_of, suffix, kind):
    kernel, = facts_of({**LIB, **modules("6.1", suffix=suffix), "/boot/vmlinuz-6.1": bzimage("6.1")})["kernels"]
    assert (kernel["compression"], kernel["drivers"], kernel["indexed"]) == (kind, ["virtio_blk"], True)
