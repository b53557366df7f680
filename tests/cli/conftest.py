# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of inspect share: its JSON, and small guests made of the files that are tested."""

import json

import pytest

import formats
import guests
import trees


@pytest.fixture
def inspect(kmln):
    """The JSON of kmln inspect, which has no words on stderr."""
    def call(image, *more, **options):
        run = kmln("inspect", image, "--format", "json", *more, expect=0, **options)
        assert run.err == ""
        return json.loads(run.out)
    return call


@pytest.fixture
def facts_of(inspect, tmp_path):
    """The facts of a guest with these files (see trees.image); the image is kept for `facts_of.image`."""
    def call(files, **options):
        call.image = trees.image(tmp_path, files, **options)
        return inspect(call.image)
    return call


@pytest.fixture
def refused(kmln):
    """kmln inspect ends with this status, and one line that holds these words."""
    def call(image, status, *words, options=(), **more):
        run = kmln("inspect", image, *options, expect=status, timeout=30, **more)
        assert run.out == "" and run.err.startswith("kmln: ") and run.err.count("\n") == 1, run
        for word in words:
            assert word in run.err, run
        return run
    return call


@pytest.fixture
def overlay(guest, tmp_path):
    """A qcow2 whose backing file is a raw guest in another folder."""
    (tmp_path / "base").mkdir()
    base = guests.copy(guest("busybox"), tmp_path / "base/guest.img")
    formats.qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, tmp_path / "over.qcow2")
    return tmp_path / "over.qcow2"
