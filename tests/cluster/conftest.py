# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of clusters share: a KMLN_HOME with a small image, and projects in it."""

import os
import shutil

import pytest

import guests
import runner
# fixtures, used by their names
from convert.conftest import kit_home, small_home, small_kernel  # noqa: F401
from lock import locked


@pytest.fixture(scope="session")
def prepared_home(shared, small_home, guest):  # noqa: F811
    """A KMLN_HOME with the busybox guest as the image `default`, and its portable copy."""
    place = shared / "cluster-home"
    with locked(shared / "cluster-home.lock"):
        if not place.exists():
            shutil.copytree(small_home, place, symlinks=True)
            (place / "data/images").mkdir(parents=True)
            guests.copy(guest("busybox"), place / "data/images/default.img")
            (shared / "first.kmln").write_text("global { project first }\nhost a { platform uml }\n")
            runner.run([runner.BUILD / "kmln", "build", "-q", shared / "first.kmln"],
                       env={"KMLN_HOME": place}, expect=0, timeout=120)
            shutil.rmtree(place / "data/projects")
    return place


class Home:
    """A KMLN_HOME of a test's own. Its portable copies are those of all tests, until it makes others."""

    def __init__(self, path, kmln, folder):
        self.path, self._kmln, self.folder = path, kmln, folder
        self.env = {"KMLN_HOME": path}
        self.projects = path / "data/projects"

    def kmln(self, *args, env=None, **options):
        return self._kmln(*args, env={**self.env, **(env or {})}, timeout=options.pop("timeout", 120), **options)

    def write(self, text, name="p.kmln"):
        path = self.folder / name
        path.write_text(text)
        return path

    def build(self, text, *options, expect=0, **run):
        """Builds a project of this text; `platform uml` for hosts that say none."""
        return self.kmln("build", self.write(text), "--platform", "uml", *options, expect=expect, **run)

    def project(self, name="p"):
        return self.projects / name

    def disk(self, host="a", project="p"):
        return self.project(project) / "hosts" / host / "disk.qcow2"

    def raw(self, host="a", project="p"):
        """The disk as a raw file, after qemu-img has found nothing wrong with it."""
        qemu_img = runner.need_program("qemu-img", "qemu-utils")
        to = self.folder / f"{project}-{host}.raw"
        runner.run([qemu_img, "check", "-q", self.disk(host, project)], expect=0)
        runner.run([qemu_img, "convert", "-O", "raw", self.disk(host, project), to], expect=0)
        return to

    def changes(self, text, *options):
        """What a build would change: {host or node: kind}."""
        out = self.kmln("build", "-n", self.write(text), *options, expect=0).out
        words = [line.split(":")[0].split() for line in out.splitlines()]
        return {line[-1]: line[0] for line in words}


@pytest.fixture
def home(prepared_home, kmln, tmp_path):
    path = tmp_path / "home"
    # as it is: the copy's name has the inode of the image in it
    os.mkdir(path)
    for name in ("cache", "data"):
        os.mkdir(path / name)
    for name in ("cache/kernels", "cache/prepared", "data/images"):
        os.symlink(prepared_home / name, path / name)
    return Home(path, kmln, tmp_path)
