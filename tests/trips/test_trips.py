# SPDX-License-Identifier: GPL-2.0-or-later
"""The way back. A guest in the form of one platform is converted to another and back again, in copies
and in place. Nothing is removed on the way, nothing differs but what the two plans named before, and
after kmln undo nothing differs at all from the guest of which the first form was made. kmln diff and
a reader that shares no code with kmln must say the same of it.

A form is made once a session, from a bare guest as User-Mode Linux has it, and never written."""

import functools
import json
import os

import pytest

import ext4reader
import guests
import images
import runner
import treeview
from lock import locked

PLATFORMS = ("uml", "kvm", "xen")
TRIPS = [(start, there) for start in PLATFORMS for there in PLATFORMS if start != there]


def first(image):
    """Where the root filesystem of a form begins: a disk's table stays on the way from KVM to Xen."""
    return images.MIB if images.peek(image, 510, 2) == b"\x55\xaa" else 0


@functools.cache
def _read(path):
    return ext4reader.read(path, first(path))


def read(image):
    """All objects of an image; of one that nobody writes they are read once."""
    if os.stat(image).st_mode & 0o200:
        return ext4reader.read(image, first(image))
    return _read(os.fspath(image))


@pytest.fixture
def form(shared, guest, request):
    """form(GUEST, PLATFORM): the guest made for the platform, read-only."""
    def get(name, platform):
        if platform == "uml":
            return guest(name)
        made = shared / f"form-{name}-{platform}.img"
        with locked(f"{made}.lock"):
            if not made.exists():
                half = shared / f"half-{name}-{platform}.img"
                runner.run([runner.BUILD / "kmln", "-q", "convert", guest(name), "--to", platform, "-o", half],
                           env={"KMLN_HOME": home(request, name)}, timeout=120, expect=0)
                half.chmod(0o444)
                half.rename(made)
        return made
    return get


def home(request, name):
    """The small kernel for small guests; a Debian is told of a real one."""
    return request.getfixturevalue("small_home" if name in ("busybox", "awkward") else "kit_home")


@pytest.fixture
def leg(kmln, request):
    """leg(NAME, IMAGE, PLATFORM, OUT): converts, in place where OUT is IMAGE; the paths that its plan,
    made before, names as changed."""
    def go(name, image, platform, out):
        options = ["--in-place"] if out == image else ["-o", out]
        call = functools.partial(kmln, "convert", image, "--to", platform, *options, timeout=120, expect=0,
                                 env={"KMLN_HOME": home(request, name)})
        plan = json.loads(call("--dry-run", "--format", "json").out)
        # files beside the image may be there from the way before
        call("--force")
        return {os.fsencode(edit["path"]) for edit in plan["edits"] if "path" in edit}
    return go


def parents(paths):
    return {path.rpartition(b"/")[0] or b"/" for path in paths}


def only_what_was_planned(start, back, named):
    """Nothing is gone; what is new or changed was named, and what was named is there."""
    difference = ext4reader.changed(start, back)
    assert not difference.removed, difference.removed
    assert not difference.added - named, difference.added - named
    # a folder counts the folders in it
    counts = parents(path for path in difference.added if back[path].type == "folder")
    changed = {path: fields for path, fields in difference.changed.items()
               if path not in named and not (path in counts and fields == ["links"])}
    assert not changed, changed
    assert not named - back.keys(), named - back.keys()
    return difference


def both_agree(kmln, a, b, before, after):
    """kmln diff names what the other reader names, and nothing else."""
    want = treeview.differences(before, after)
    result = json.loads(kmln("diff", a, b, "--only", "tree", "--format", "json", timeout=120,
                             expect=4 if want else 0).out)
    said = {c["path"]: (c["change"], set(c["what"]) if "what" in c else None) for c in result["tree"]}
    assert len(said) == len(result["tree"]) and said == want


def travel(kmln, leg, form, name, trip, where, in_place):
    """There and back and undone; what is different is judged at each end."""
    start, there = trip
    origin = form(name, "uml")
    image = form(name, start)
    away, back = where / "there.img", where / "back.img"
    if in_place:
        away = back = guests.copy(image, back)
        named = leg(name, back, there, back)
        assert images.clean(back, first(back))
    else:
        named = leg(name, image, there, away)
        assert images.clean(away, first(away))
    named |= leg(name, away, start, back)
    assert images.clean(back, first(back))
    before, after = read(image), read(back)
    difference = only_what_was_planned(before, after, named)
    both_agree(kmln, image, back, before, after)
    kmln("undo", back, timeout=120, expect=0)
    assert images.clean(back) and os.path.getsize(back) == os.path.getsize(origin)
    assert not ext4reader.changed(read(origin), read(back))
    assert kmln("diff", origin, back, timeout=120, expect=0).out == "no differences\n"
    return difference


@pytest.mark.parametrize("in_place", [False, True], ids=["copy", "in-place"])
@pytest.mark.parametrize("trip", TRIPS, ids="-".join)
@pytest.mark.parametrize("name", ["busybox", "awkward"])
def test_trip(kmln, leg, form, tmp_path, name, trip, in_place):
    travel(kmln, leg, form, name, trip, tmp_path, in_place)


@pytest.mark.slow
@pytest.mark.parametrize("trip", TRIPS, ids="-".join)
@pytest.mark.parametrize("name, in_place", [("systemd", True), ("sysvinit", False)])
def test_debian(kmln, leg, form, tmp_path, name, trip, in_place):
    """With packages that dpkg is told of, and taken from it again."""
    travel(kmln, leg, form, name, trip, tmp_path, in_place)


@pytest.mark.parametrize("command", ["rm /etc/group", "sif /home/ada uid 1001", "sif /etc/passwd mtime @1",
                                     "write /dev/null /etc/new", "sif /tmp mode 040777"])
def test_the_judge_sees_what_no_plan_names(guest, tmp_path, command):
    image = guests.copy(guest("busybox"), tmp_path / "back.img")
    only_what_was_planned(read(guest("busybox")), read(image), set())
    images.debugfs(image, command)
    with pytest.raises(AssertionError):
        only_what_was_planned(read(guest("busybox")), read(image), set())
