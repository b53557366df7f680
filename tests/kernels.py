# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernels for the boot tests: fetched by apt, unpacked by kmln's own code, kept in the build
folder, so that each is fetched once."""

import shutil
import subprocess
from pathlib import Path

from lock import locked
from runner import BUILD, lacking, need_program, run

KIT = BUILD / "tests/boot/kit"
CACHE = BUILD / "guests/kernels"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Kernel:
    """An unpacked kernel with its modules.dep; `initramfs` is built by the kmln under test."""

    def __init__(self, folder):
        self.folder = folder
        self.image = next(folder.glob("boot/vmlinuz-*"))
        self.release = self.image.name.removeprefix("vmlinuz-")
        self.modules = next("/" + str(path.relative_to(folder))
                            for path in (folder / "usr/lib/modules", folder / "lib/modules")
                            if path.is_dir()) + "/" + self.release

    def initramfs(self, to):
        run([KIT, "initramfs", self.folder, self.modules, to], expect=0)
        return to


def _apt_options(suite, folder):
    """Options that make apt read `suite` alone, with lists of its own; none for this host's lists."""
    if not suite:
        return []
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    source = folder / "sources.list"
    source.write_text(f"deb [signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n")
    options = ["-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=/dev/null",
               "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
    done = subprocess.run(["apt-get", *options, "-qq", "update"], capture_output=True)
    if done.returncode:
        lacking(f"apt cannot read {suite}")
    return options


def _fetch(meta, suite, folder):
    """Downloads the kernel package that `meta` depends on; returns its path."""
    options = _apt_options(suite, folder)
    shown = subprocess.run(["apt-cache", *options, "depends", meta], capture_output=True, text=True)
    names = [line.split()[-1] for line in shown.stdout.splitlines() if "Depends: linux-image" in line]
    if not names:
        lacking(f"apt knows no package {meta}")
    done = subprocess.run(["apt-get", *options, "-qq", "download", names[0]], cwd=folder,
                          capture_output=True, text=True)
    if done.returncode:
        lacking(f"apt-get download {names[0]}: {done.stderr.strip()[-200:]}")
    return next(folder.glob("*.deb"))


def kernel(meta, suite=None):
    """The newest kernel behind the package `meta` ("linux-image-cloud-amd64")."""
    depmod = need_program("depmod", "kmod")
    place = CACHE / f"{suite or 'host'}-{meta}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / f"{place.name}.lock"):
        if not place.exists():
            new = Path(f"{place}.new")
            shutil.rmtree(new, ignore_errors=True)
            (new / "tree").mkdir(parents=True)
            package = _fetch(meta, suite, new)
            run([KIT, "unpack", package, new / "tree"], expect=0, timeout=120)
            tree = new / "tree"
            # depmod looks in lib/modules only
            if not (tree / "lib").exists():
                (tree / "lib").symlink_to("usr/lib")
            release = next((tree / "lib/modules").iterdir()).name
            run([depmod, "-b", tree, release], expect=0)
            tree.rename(place)
            shutil.rmtree(new)
    return Kernel(place)
