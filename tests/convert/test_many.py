# SPDX-License-Identifier: GPL-2.0-or-later
"""Several images in one command."""

import os

import guests
import images


def test_several_images_into_a_folder(convert, guest, tmp_path):
    sources = [guests.copy(guest("busybox"), tmp_path / f"box{i}.img") for i in range(4)]
    out = tmp_path / "out"
    out.mkdir()
    result = convert(*sources, "-o", out, "-j", "2", expect=0)
    assert sorted(os.listdir(out)) == [source.name for source in sources]
    assert "4 images done" in result.err
    for source in sources:
        assert images.clean(out / source.name, images.MIB)
        assert f"{source}: kernel" in result.err


def test_one_that_fails_does_not_stop_the_others(convert, guest, tmp_path):
    good = [guests.copy(guest("busybox"), tmp_path / f"box{i}.img") for i in range(2)]
    bad = tmp_path / "bad.img"
    bad.write_text("no image")
    result = convert(good[0], bad, good[1], "--in-place", "-j", "3", expect=1)
    assert f"1 of 3 images failed: {bad}" in result.err
    assert f"kmln: {bad}: not an image" in result.err
    for image in good:
        assert images.clean(image, images.MIB)


def test_names_that_would_meet(convert, guest, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    sources = [guests.copy(guest("busybox"), tmp_path / folder / "box.img") for folder in "ab"]
    result = convert(*sources, "-o", tmp_path, expect=2)
    assert "written twice" in result.err
    assert "written twice" in convert(*sources, "-o", tmp_path / "one.raw", expect=2).err


def test_plans_of_several(convert, guest, tmp_path):
    sources = [guests.copy(guest("busybox"), tmp_path / f"box{i}.img") for i in range(2)]
    result = convert(*sources, "--dry-run", expect=0)
    assert [line for line in result.out.splitlines() if line.endswith(".img:")] == [f"{s}:" for s in sources]
    convert(*sources, "--dry-run", "--format", "json", expect=2)


def test_one_package_for_all(convert, guest, tmp_path):
    """Each adds the kernel to the cache and replaces what another one reads: nobody loses a file."""
    sources = [guests.copy(guest("systemd"), tmp_path / f"debian{i}.img") for i in range(2)]
    home = tmp_path / "home"
    convert(*sources, "--in-place", "-j", "2", "--kernel", guest("kernel"), home=home, expect=0)
    for source in sources:
        assert images.clean(source, images.MIB)
    # what is replaced is gone once nobody reads it
    convert(guest("systemd"), "--dry-run", "--kernel", guest("kernel"), home=home, expect=0)
    assert [name for name in os.listdir(home / "cache/kernels") if name.startswith(".")] == []
