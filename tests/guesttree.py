# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests as folders: taken out of an image with all owners, entered by chroot, compared. As an ordinary
user this happens in a user namespace with the subordinate ids, so that owners can be many there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import guests
import runner

SBIN = {"PATH": runner.PATH, "LC_ALL": "C"}


class Tree:
    """A guest's files in `folder`."""

    def __init__(self, folder):
        self.folder = Path(folder)

    @classmethod
    def of(cls, image, folder, first=0):
        """Those of the filesystem at byte `first` of the image. Device nodes are left out."""
        folder.mkdir()
        bare = Path(f"{folder}.img")
        subprocess.run(["dd", f"if={image}", f"of={bare}", "bs=1M", f"skip={first >> 20}", "conv=sparse",
                        "status=none"], check=True)
        tree = cls(folder)
        tree.run("debugfs", "-R", f"rdump / {folder}", bare)
        tree.run("sh", "-c", 'rm -rf "$1"/dev/* && : >"$1/dev/null" && chmod 666 "$1/dev/null"', "sh", folder)
        bare.unlink()
        return tree

    def run(self, *argv, expect=(0,), **options):
        """A program of the host, as root of these files; its output as text."""
        done = subprocess.run(guests._mapped([os.fspath(a) for a in argv]), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              env={**os.environ, **SBIN}, errors="replace", **options)
        assert done.returncode in expect, (argv, done.returncode, done.stdout[-4000:])
        return done.stdout

    def guest(self, script, expect=(0,)):
        """A shell script in the guest."""
        return self.run("unshare", "--mount", "chroot", self.folder, "/bin/sh", "-c", script, expect=expect)

    def read(self, path):
        return self.run("cat", f"{self.folder}{path}")

    def write(self, path, text, mode=0o644):
        self.run("sh", "-c", 'printf %s "$2" >"$1" && chmod "$3" "$1"', "sh", f"{self.folder}{path}", text,
                 f"{mode:o}")

    def paragraphs(self, path):
        """The paragraphs of a text, in any order."""
        return sorted(p.strip("\n") for p in re.split(r"\n{2,}", self.read(path)) if p.strip())

    def copy(self, folder):
        self.run("cp", "-a", "--reflink=auto", self.folder, folder)
        return Tree(folder)

    def listing(self):
        """{path: type, mode, owner, size of files, target of links}."""
        out = self.run("find", self.folder, "-xdev", "-printf", r"%P\t%y %m %U:%G %l %s\n")
        found = {}
        for line in out.splitlines():
            path, _, what = line.partition("\t")
            found[path] = what.rpartition(" ")[0] if what[:1] in "dl" else what
        return found

    def differs_from(self, other):
        """Paths that are not the same in both: other kind, owner, mode, content; or in one only."""
        mine, theirs = self.listing(), other.listing()
        names = {p for p in mine.keys() | theirs.keys() if mine.get(p) != theirs.get(p)}
        out = self.run("diff", "-rq", "--no-dereference", self.folder, other.folder, expect=(0, 1))
        return names | set(re.findall(rf"^Files {re.escape(str(self.folder))}/(.*) and .* differ$", out, re.M))

    def package(self, name, to):
        """An installed package as a .deb again, out of its files and what dpkg keeps of it."""
        base = Path(f"{to}.tree")
        info = f"{self.folder}/var/lib/dpkg/info/{name}"
        paragraph = next(p for p in self.paragraphs("/var/lib/dpkg/status")
                         if p.startswith(f"Package: {name}\n"))
        control = re.sub(r"^(Status: .*|Conffiles:(\n .*)*)\n", "", paragraph, flags=re.M)
        (base / "DEBIAN").mkdir(parents=True)
        self.run("sh", "-c", 'for f in "$1".*; do [ "${f##*.}" = list ] || cp -p "$f" "$2/DEBIAN/${f##*.}"; done; '
                 'cd "$3"; while read -r f; do [ -d "./$f" ] || printf "%s\\n" ".$f"; done <"$1.list" | '
                 'tar -cf - -T - | tar -xf - -C "$2"', "sh", info, base, self.folder)
        (base / "DEBIAN/control").write_text(control + "\n")
        self.run("dpkg-deb", "--root-owner-group", "-b", base, to)
        shutil.rmtree(base)
        return to

    def image(self, to, size="1G"):
        """A bare filesystem with these files."""
        self.run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", self.folder, to, size)
        return to

    def remove(self):
        self.run("rm", "-rf", self.folder)
