# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln compare: the two columns say what inspect says, and the conversion is the plan of convert."""

import json
import os

import pytest

import ext4reader
import guests
import images
import treeview


@pytest.fixture
def compare(kmln):
    def call(*args, expect=0, **options):
        return json.loads(kmln("compare", *args, "--format", "json", expect=expect, **options).out)
    return call


def layout(image):
    """{top: (folders, others, bytes)} by another reader."""
    found = {}
    for path, thing in ext4reader.read(image).items():
        if path == b"/":
            continue
        top = b"/" + path.split(b"/")[1]
        folders, others, size = found.get(top, (0, 0, 0))
        below = path != top
        found[top] = (folders + (below and thing.type == "folder"),
                      others + (below and thing.type != "folder"),
                      size + (thing.size if thing.type == "file" else 0))
    return {treeview.shown(path): counts for path, counts in found.items()}


def test_sides(compare, kmln, guest, tmp_path):
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    result = compare(guest("awkward"), disk)
    for side, image in (("a", guest("awkward")), ("b", disk)):
        assert result[side]["path"] == os.fspath(image)
        facts = json.loads(kmln("inspect", image, "--format", "json", expect=0).out)
        # the host decides when it gives a new file its blocks
        for seen in (facts, result[side]["facts"]):
            assert seen["image"].pop("allocated") > 0
        assert result[side]["facts"] == facts
        assert sum(t["bytes"] for t in result[side]["layout"]) == result[side]["bytes"]
    assert {t["path"]: (t["folders"], t["others"], t["bytes"]) for t in result["a"]["layout"]} == layout(
        guest("awkward"))
    assert result["packages"] == []


def test_text(kmln, guest, tmp_path):
    disk = guests.partitioned(guest("busybox"), tmp_path / "disk.raw")
    images.poke(disk, 0, b"\xeb\x63GRUB")
    out = kmln("compare", guest("busybox"), disk, "--to", "uml", expect=0).out
    rows = {line[:14].strip(): line[15:] for line in out.splitlines() if line[:14].strip()}
    assert rows["partitions"].split() == ["none", "mbr"]
    assert rows["first sector"].split() == ["no", "code", "grub"]
    assert rows["hostname"].split() == ["box", "box"]
    assert rows["fstab"].count("/dev/ubda on / (ext4)") == 2
    assert "files, " in rows["/bin"]
    # both columns begin where they always do
    assert rows["hostname"].rindex("box") == rows["partitions"].index("mbr") == 42


def test_conversion_without_a_plan(compare, guest, kmln, tmp_path):
    """What is missing is known without a kernel; the rest says why not."""
    result = compare(guest("busybox"), guest("busybox"), "--to", "xen")["conversion"]
    assert result["to"] == "xen" and not result["ready"] and "kvm only" in result["no_plan"]
    assert any("xen_blkfront" in words for words in result["missing"])
    root = tmp_path
    images.tool("debugfs", "e2fsprogs", "-R", f"rdump / {root}", guest("busybox"))
    result = compare(root, guest("busybox"), "--to", "kvm")
    assert result["a"]["facts"]["image"]["format"] == "folder"
    assert "a disk image (it is a folder)" in result["conversion"]["missing"]
    assert "a folder cannot be converted" in result["conversion"]["no_plan"]
    assert "--to: 'vmware' is not one of" in kmln("compare", root, root, "--to", "vmware", expect=2).err


def test_hostile_text(kmln, guest, tmp_path):
    """Names of a guest are text, in the table as elsewhere."""
    image = guests.copy(guest("busybox"), tmp_path / "a.img")
    images.put(image, "/etc/hostname", b"evil\x1b[2Jname\n")
    images.put(image, "/etc/os-release", b"PRETTY_NAME='\xff\x9b2J " + b"long " * 60 + b"'\n")
    out = kmln("compare", image, guest("busybox"), expect=0).out
    assert "evil\\x1b[2Jname" in out and "\x1b" not in out
    assert max(map(len, out.splitlines())) < 120


def test_damage(kmln, guest, tmp_path):
    image = guests.copy(guest("busybox"), tmp_path / "a.img")
    images.poke(image, treeview.block_of(image, "/home"), b"\xff" * 64)
    run = kmln("compare", image, guest("busybox"), expect=1)
    assert "1 objects could not be read" in run.err and "/home" in run.out


@pytest.mark.network
def test_packages_and_plan(compare, kmln, guest, tmp_path):
    """The plan is that of convert, and nothing is written or fetched for it."""
    a, b = guest("systemd"), guest("sysvinit")
    home = {"KMLN_HOME": tmp_path / "home"}
    before = images.fingerprint(a)
    result = compare(a, b, "--to", "kvm", env=home)
    assert "kernel" in result["conversion"]["no_plan"] or result["conversion"]["add"]
    names = {p["name"]: (p["a"], p["b"]) for p in result["packages"]}
    assert names["systemd"][1] is None and names["sysvinit-core"][0] is None

    kmln("kernel", "add", guest("kernel"), env=home, expect=0)
    converted = tmp_path / "b.raw"
    kmln("convert", b, "--to", "kvm", "-o", converted, env=home, expect=0)
    result = compare(a, converted, env=home)["conversion"]
    plan = json.loads(kmln("convert", a, "--to", "kvm", "--dry-run", "--format", "json", env=home,
                           expect=0).out)["edits"]
    assert result["to"] == "kvm" and result["no_plan"] is None
    told = "\n".join(result["add"] + result["change"])
    for edit in plan:
        if "path" in edit and not edit.get("from_kernel") and edit["step"] != "kernel":
            assert edit["path"] in told
    assert any(text.startswith("/etc/fstab") for text in result["change"])
    assert f"{len(ext4reader.read(a)) - 2} of " in result["leave"][0]
    out = kmln("compare", a, converted, env=home, expect=0).out
    assert "A on kvm, for which B is ready:" in out and "and 8 more (-v)" in out
    assert "and 8 more" not in kmln("compare", "-v", a, converted, env=home, expect=0).out
    # a guest that is ready
    assert "nothing is missing" in kmln("compare", converted, converted, env=home, expect=0).out
    assert images.fingerprint(a) == before
    images.within(64_000, "compare", a, converted, env={**os.environ, **home})
