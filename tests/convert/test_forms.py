# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln convert --boot uefi, disk, direct: what is made is read by others than kmln (sfdisk, sgdisk,
fsck.fat, mtools), a second plan is empty, and nothing is half there."""

import json
import os
import re
import shlex
import subprocess

import pytest

import ext4reader
import images
import runner

MIB = images.MIB
ESP, ROOT = 1 * MIB, 9 * MIB
UUID = "6b6d6c6e-0000-4000-8000-000000000001"
LOADER = "::/EFI/BOOT/BOOTX64.EFI"


def fat(image, offset):
    """mtools' name for the filesystem at this place."""
    return f"{image}@@{offset}"


def fat_file(image, offset, path):
    return images.tool("mtype", "mtools", "-i", fat(image, offset), path)


def fat_clean(image, offset, size, tmp_path):
    """fsck.fat knows no offsets: it gets a copy."""
    copy = tmp_path / "fat"
    copy.write_bytes(images.peek(image, offset, size))
    images.tool("fsck.fat", "dosfstools", "-n", "-V", copy)
    copy.unlink()


def gpt_sound(image):
    """Both copies of the table, by another program than the one whose library kmln reads with."""
    assert b"No problems found" in images.tool("sgdisk", "gdisk", "--verify", image)
    assert b"No errors detected" in images.tool("sfdisk", "fdisk", "--verify", image)


def assert_same_guest(before, out, offset=0):
    """All of the guest is there; what was added is the kernel's and the loader's."""
    old, new = ext4reader.read(before), ext4reader.read(out, offset)
    assert not old.keys() - new.keys()
    added = {os.fsdecode(path) for path in new.keys() - old.keys()}
    assert all(path.startswith(("/boot/", "/lib/modules/", "/etc/kmln", "/var/lib/kmln")) or path in ("/var", "/var/lib") for path in added)
    return added


@pytest.fixture
def both(convert):
    """both(SOURCE, OUT, OPTIONS...): plan, convert, and plan again; returns the first plan."""
    def call(source, out, *options):
        plan = convert(source, "--dry-run", *options, expect=0).out
        convert(source, "-o", out, *options, expect=0)
        again = [word for word in options if not str(word).endswith("M") and word != "--size"]
        assert convert(out, "--dry-run", *again, expect=0).out == "nothing to do\n"
        return plan
    return call


def test_uefi(kmln, convert, both, guest, tmp_path):
    source, out = guest("busybox"), tmp_path / "out.raw"
    before = images.fingerprint(source)
    plan = both(source, out, "--boot", "uefi")
    assert images.fingerprint(source) == before
    assert os.listdir(tmp_path) == ["out.raw"]
    assert re.match(r"shift   \+9437184 bytes in front", plan)
    assert "extend  +1048576 bytes behind" in plan
    gpt_sound(out)
    table = images.table(out)
    assert table["label"] == "gpt"
    assert {(p["node"].removeprefix(str(out)), p["start"], p["size"], p["type"], p["name"])
            for p in table["partitions"]} == {
        ("14", 34, 2014, "21686148-6449-6E6F-744E-656564454649", "bios boot"),
        ("15", 2048, 16384, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "esp"),
        ("1", 18432, 131072, "0FC63DAF-8483-4772-8E79-3D69D8477DE4", "root")}
    fat_clean(out, ESP, 8 * MIB, tmp_path)
    program = fat_file(out, ESP, LOADER)
    assert program[:2] == b"MZ" and f"search.fs_uuid {UUID} root".encode() in program
    assert images.clean(out, ROOT)
    assert_same_guest(source, out, ROOT)
    # a BIOS finds GRUB's boot code, and behind it the core in the partition for it
    assert images.peek(out, 0x5c, 8) == (34).to_bytes(8, "little")
    assert images.peek(out, 34 * 512 + 0x1f4, 8) == (35).to_bytes(8, "little")
    facts = json.loads(kmln("inspect", out, "--format", "json", expect=0).out)
    assert facts["platforms"]["kvm"] == {"ready": True, "missing": []}
    assert facts["partition_table"]["boot_code"] == "grub"
    assert facts["efi"] == {"partition": 15, "loader": True, "by_kmln": True, "problem": None}
    # what a disk starts by already is no reason to change it
    assert convert(out, "--dry-run", "--boot", "bios", expect=0).out == "nothing to do\n"
    # holes stay holes
    assert out.stat().st_blocks * 512 < os.stat(source).st_blocks * 512 + 24 * MIB


def test_uefi_is_reproducible(convert, guest, tmp_path):
    """Ids come from the filesystem: the same twice, others for another guest."""
    made = []
    for name in ("a.raw", "b.raw"):
        convert(guest("busybox"), "-o", tmp_path / name, "--boot", "uefi", expect=0)
        made.append((images.peek(tmp_path / name, 0, ROOT), images.table(tmp_path / name)))
    assert made[0][0] == made[1][0]
    other = tmp_path / "other.img"
    subprocess.run(["cp", "--sparse=always", guest("busybox"), other], check=True)
    other.chmod(0o600)
    images.tool("tune2fs", "e2fsprogs", "-U", "12345678-1234-4234-8234-123456789abc", other)
    images.tool("e2fsck", "e2fsprogs", "-fy", other, expect=(0, 1))
    convert(other, "-o", tmp_path / "c.raw", "--boot", "uefi", expect=0)
    ids = [{table["id"], *(p["uuid"] for p in table["partitions"])}
           for table in (made[0][1], images.table(tmp_path / "c.raw"))]
    assert len(ids[0]) == 4 and not ids[0] & ids[1]


@pytest.mark.parametrize("size", ["129M", "300000001"])
def test_uefi_size(convert, guest, tmp_path, size):
    out = tmp_path / "out.raw"
    convert(guest("busybox"), "-o", out, "--boot", "uefi", "--size", size, expect=0)
    gpt_sound(out)
    assert images.clean(out, ROOT)
    sb = images.superblock(out, ROOT)
    length = int(sb["Block count"]) * int(sb["Block size"])
    assert length >= 129 * 10**6
    root = next(p for p in images.table(out)["partitions"] if p["name"] == "root")
    assert root["size"] * 512 >= length and out.stat().st_size % MIB == 0


def test_uefi_odd_length(both, guest, tmp_path):
    """A file that ends in the middle of a sector."""
    image, out = tmp_path / "odd.img", tmp_path / "out.raw"
    subprocess.run(["cp", "--sparse=always", guest("busybox"), image], check=True)
    image.chmod(0o600)
    os.truncate(image, (64 << 20) + 100)
    both(image, out, "--boot", "uefi")
    gpt_sound(out)
    assert images.clean(out, ROOT) and out.stat().st_size % MIB == 0


@pytest.fixture
def with_esp(guest, tmp_path):
    """with_esp(FAT bits, MiB): a GPT disk whose ESP, made by mkfs.fat, holds a file of somebody's."""
    def make(bits, mib, extra=""):
        disk = images.disk(tmp_path / "disk.raw", (mib + 68) * MIB,
                           f"label: gpt\nstart=2048, size={mib * 2048}, type=U\n"
                           f"start={(mib + 1) * 2048}, size=131072, type=L\n{extra}",
                           [((mib + 1) * 2048, guest("busybox"))])
        fs = tmp_path / "esp"
        with open(fs, "wb") as file:
            file.truncate(mib * MIB)
        images.tool("mkfs.fat", "dosfstools", "-F", str(bits), fs)
        (tmp_path / "mine").write_bytes(bytes(range(256)) * 400)
        images.tool("mmd", "mtools", "-i", fs, "::/EFI", "::/EFI/mine and long")
        for i in range(20):
            images.tool("mcopy", "mtools", "-i", fs, tmp_path / "mine", f"::/EFI/a long name {i}.bin")
        for i in range(0, 20, 2):
            images.tool("mdel", "mtools", "-i", fs, f"::/EFI/a long name {i}.bin")
        subprocess.run(["dd", f"if={fs}", f"of={disk}", "bs=1M", "seek=1", "conv=sparse,notrunc",
                        "status=none"], check=True)
        fs.unlink()
        return disk
    return make


@pytest.mark.parametrize("bits, mib", [(12, 4), (16, 16), (32, 40)])
def test_existing_esp(kmln, convert, both, guest, with_esp, tmp_path, bits, mib):
    """The loader goes between what is there, over free pieces; nothing else changes."""
    disk, out = with_esp(bits, mib), tmp_path / "out.raw"
    run = convert(disk, "-o", out, expect=3)
    assert "--boot uefi uses that" in run.err and not out.exists()
    plan = both(disk, out, "--boot", "uefi")
    assert "shift" not in plan and out.stat().st_size == disk.stat().st_size
    assert images.peek(out, 0, 2048 * 512) == images.peek(disk, 0, 2048 * 512)
    gpt_sound(out)
    fat_clean(out, MIB, mib * MIB, tmp_path)
    assert fat_file(out, MIB, LOADER)[:2] == b"MZ"
    for i in range(1, 20, 2):
        assert fat_file(out, MIB, f"::/EFI/a long name {i}.bin") == (tmp_path / "mine").read_bytes()
    assert_same_guest(guest("busybox"), out, (mib + 1) * MIB)
    assert "ready" in re.search(r"^kvm +(.*)", kmln("inspect", out, expect=0).out, re.M)[1]


def test_full_esp(convert, with_esp, tmp_path):
    disk = with_esp(12, 2)
    (tmp_path / "filler").write_bytes(bytes(700_000))
    images.tool("mcopy", "mtools", "-i", fat(disk, MIB), tmp_path / "filler", "::/filler")
    run = convert(disk, "-o", tmp_path / "out.raw", "--boot", "uefi", expect=1)
    assert "the EFI system partition: the FAT filesystem is full" in run.err
    assert not (tmp_path / "out.raw").exists()


def test_damaged_esp(kmln, convert, with_esp, tmp_path):
    """Clusters that lead out of the partition, in a circle, or nowhere."""
    disk = with_esp(16, 16)
    for at, junk in ((MIB + 512 * 4, b"\x02\x00" * 4000), (MIB + 11, b"\xff" * 40)):
        images.poke(disk, at, junk)
        kmln("inspect", disk, expect=0)
        run = convert(disk, "-o", tmp_path / "out.raw", "--boot", "uefi")
        assert run.status in (0, 1, 3), run
        (tmp_path / "out.raw").unlink(missing_ok=True)


def test_loader_of_the_guests_own(convert, with_esp, tmp_path):
    """A disk that starts by somebody's loader is left as it is."""
    disk = with_esp(32, 40)
    (tmp_path / "theirs").write_bytes(b"MZ their own loader")
    images.tool("mmd", "mtools", "-i", fat(disk, MIB), "::/EFI/BOOT")
    images.tool("mcopy", "mtools", "-i", fat(disk, MIB), tmp_path / "theirs", LOADER)
    run = convert(disk, "--dry-run", "--boot", "uefi", expect=3)
    assert "boots by a boot loader of its own" in run.err


def test_gpt_with_bios_boot(convert, both, guest, tmp_path):
    """--boot bios on a GPT: GRUB's core goes into the partition that is there for it."""
    disk = images.disk(tmp_path / "disk.raw", 80 * MIB,
                       "label: gpt\nstart=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\n"
                       "start=8192, size=131072, type=L\n", [(8192, guest("busybox"))])
    out = tmp_path / "out.raw"
    both(disk, out)
    gpt_sound(out)
    assert images.peek(out, 0x5c, 8) == (2048).to_bytes(8, "little")
    assert images.peek(out, 512, 33 * 512) == images.peek(disk, 512, 33 * 512)
    assert_same_guest(guest("busybox"), out, 8192 * 512)
    run = convert(disk, "--dry-run", "--boot", "uefi", expect=3)
    assert "without an EFI system partition" in run.err


def test_gpt_with_neither(convert, guest, tmp_path):
    disk = images.disk(tmp_path / "disk.raw", 80 * MIB, "label: gpt\nstart=8192, size=131072, type=L\n",
                       [(8192, guest("busybox"))])
    run = convert(disk, "--dry-run", expect=3)
    assert "no BIOS boot partition" in run.err and "--boot disk" in run.err
    convert(disk, "-o", tmp_path / "out.raw", "--boot", "disk", expect=0)


def test_disk(convert, both, guest, tmp_path):
    source, out = guest("busybox"), tmp_path / "out.raw"
    boot = tmp_path / "out.raw.boot.img"
    plan = both(source, out, "--boot", "disk")
    assert sorted(os.listdir(tmp_path)) == ["out.raw", "out.raw.boot.img"]
    assert not re.search("^(shift|bytes|extend)", plan, re.M) and "/boot/grub" not in plan
    assert out.stat().st_size == os.stat(source).st_size
    assert images.clean(out)
    added = assert_same_guest(source, out)
    table = images.table(boot)
    size = boot.stat().st_size
    assert [(p["start"], p["size"], p["type"], p["bootable"]) for p in table["partitions"]] == [
        (2048, size // 512 - 2048, "e", True)]
    fat_clean(boot, MIB, size - MIB, tmp_path)
    config = fat_file(boot, MIB, "::/boot/grub/grub.cfg").decode()
    assert f"linux /vmlinuz root=UUID={UUID} " in config and "initrd /initrd.img\n" in config
    kernel = next(path for path in added if path.startswith("/boot/vmlinuz-"))
    initramfs = next(path for path in added if path.startswith("/boot/initrd"))
    for path, name in ((kernel, "vmlinuz"), (initramfs, "initrd.img")):
        inside = images.tool("debugfs", "e2fsprogs", "-R", f"cat {path}", out)
        assert fat_file(boot, MIB, f"::/{name}") == inside
    assert size < len(inside) + 20 * MIB


@pytest.mark.parametrize("feature", ["inline_data", "casefold", "bigalloc", "ea_inode"])
def test_what_grub_cannot_read(convert, both, box_tree, tmp_path, feature):
    image = tmp_path / "guest.img"
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-O", feature, "-d", box_tree, image, "96M")
    for form in ("bios", "uefi"):
        run = convert(image, "--dry-run", "--boot", form, expect=3)
        assert f"the feature {feature}" in run.err and "--boot disk" in run.err
    both(image, tmp_path / "out.raw", "--boot", "disk")
    assert images.clean(tmp_path / "out.raw")
    # which the independent reader does not know
    if feature != "bigalloc":
        assert_same_guest(image, tmp_path / "out.raw")
    fstab = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/fstab", tmp_path / "out.raw")
    assert fstab.startswith(b"UUID=")


def test_direct(convert, both, guest, tmp_path):
    """An awkward name: nothing of it is a word to the shell, to QEMU or to JSON."""
    source, out = guest("busybox"), tmp_path / "-a 'b',\"$(c):d.raw"
    both(source, out, "--boot", "direct")
    names = [out.name + suffix for suffix in ("", ".initramfs", ".json", ".kernel", ".run")]
    assert sorted(os.listdir(tmp_path)) == names
    assert (out.stat().st_mode, os.stat(f"{out}.run").st_mode & 0o777) == (0o100644, 0o755)
    added = assert_same_guest(source, out)
    kernel = next(path for path in added if path.startswith("/boot/vmlinuz-"))
    with open(f"{out}.kernel", "rb") as file:
        assert file.read() == images.tool("debugfs", "e2fsprogs", "-R", f"cat {kernel}", out)
    with open(f"{out}.json", encoding="utf-8") as file:
        said = json.load(file)
    assert said.pop("cmdline").startswith(f"root=UUID={UUID} ")
    assert said == {"disk": out.name, "kernel": f"{out.name}.kernel", "format": "raw",
                    "initramfs": f"{out.name}.initramfs"}
    # the script's own idea of its arguments: with a QEMU that prints them
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "qemu-system-x86_64").write_text('#!/bin/sh\npwd; printf "%s\\n" "$@"\n')
    (fake / "qemu-system-x86_64").chmod(0o755)
    os.symlink(f"{out}.run", fake / "link")
    for name in (f"{out}.run", fake / "link"):
        words = runner.run([name, "-m", "1G"], cwd="/", expect=0, env={
            "PATH": f"{fake}:{os.environ['PATH']}"}).out.splitlines()
        assert words[0] == str(tmp_path) and words[-2:] == ["-m", "1G"]
        assert words[words.index("-kernel") + 1] == f"./{out.name}.kernel"
        assert words[words.index("-initrd") + 1] == f"./{out.name}.initramfs"
        # a comma of the name's is written twice, so it does not end it
        drive = f"if=virtio,format=raw,file=./{out.name}".replace("',", "',,")
        assert drive + ",file.locking=on" in words
    assert shlex.split(open(f"{out}.run", encoding="utf-8").read(), comments=True)


@pytest.mark.parametrize("form, suffix", [("disk", ".boot.img"), ("direct", ".run")])
def test_files_beside_are_not_replaced(convert, guest, tmp_path, form, suffix):
    out = tmp_path / "out.raw"
    (tmp_path / f"out.raw{suffix}").write_text("precious")
    run = convert(guest("busybox"), "-o", out, "--boot", form, expect=1)
    assert f"out.raw{suffix} is there already; --force replaces it" in run.err
    assert os.listdir(tmp_path) == [f"out.raw{suffix}"]
    convert(guest("busybox"), "-o", out, "--boot", form, "--force", expect=0)
    assert (tmp_path / f"out.raw{suffix}").read_bytes()[:8] != b"precious"


@pytest.mark.parametrize("form", ["disk", "direct"])
def test_nothing_half(convert, guest, tmp_path, form):
    """Where the image cannot be made, nothing beside it appears."""
    run = convert(guest("busybox"), "-o", tmp_path / "out.raw", "--boot", form, "--size", "1M", expect=2)
    assert "has 67108864 bytes already" in run.err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("form", ["uefi", "disk", "direct"])
def test_in_place(convert, box, guest, tmp_path, form):
    """The same result without a copy; files beside it come by the journal, complete."""
    convert(box, "--in-place", "--boot", form, expect=0)
    convert(guest("busybox"), "-o", tmp_path / "copy.raw", "--boot", form, expect=0)
    assert box.stat().st_size == (tmp_path / "copy.raw").stat().st_size
    names = {"uefi": [], "disk": [".boot.img"],
             "direct": [".initramfs", ".json", ".kernel", ".run"]}[form]
    assert sorted(os.listdir(tmp_path)) == sorted(
        [*(box.name + n for n in ["", *names]), *("copy.raw" + n for n in ["", *names])])
    for name in names:
        mine, other = (open(f"{f}{name}", "rb").read() for f in (box, tmp_path / "copy.raw"))
        assert mine == other.replace(b"copy.raw", box.name.encode())
        assert os.stat(f"{box}{name}").st_mode == os.stat(tmp_path / f"copy.raw{name}").st_mode
    if form == "uefi":
        gpt_sound(box)
        assert images.peek(box, 0, ROOT) == images.peek(tmp_path / "copy.raw", 0, ROOT)
    assert convert(box, "--dry-run", "--boot", form, expect=0).out == "nothing to do\n"


def test_memory(guest, tmp_path, kit_home):
    """A boot disk with kernel and all: no more than any conversion."""
    for form in ("uefi", "disk"):
        images.within(64_000, "convert", guest("systemd"), "--to", "kvm", "-o",
                      tmp_path / f"{form}.raw", "--boot", form, env={"KMLN_HOME": kit_home})
