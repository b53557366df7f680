# SPDX-License-Identifier: GPL-2.0-or-later
"""Small ext4 images with just the files that a test of inspect is about, made by mke2fs of a folder."""

import os
from pathlib import Path

import images

# an ELF header is all that inspect looks at
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00" + bytes(44)
BASE = {"/bin/sh": PROGRAM, "/etc/hostname": "small\n"}


class Link(str):
    """The target of a symbolic link."""


def fill(folder, files):
    """Files, links (Link) and empty folders (None) below a folder of the host."""
    for path, content in files.items():
        to = Path(folder, path.lstrip("/"))
        to.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            to.mkdir(exist_ok=True)
        elif isinstance(content, Link):
            to.symlink_to(content)
        elif isinstance(content, (bytes, str)):
            to.write_bytes(content if isinstance(content, bytes) else content.encode())
        else:
            os.link(content, to)
    return folder


def image(tmp_path, files, size="32M", name="small.img"):
    """An image with BASE and these files: {path: bytes, text, Link, None (a folder), or a host's Path}."""
    folder = tmp_path / f"{name}.tree"
    folder.mkdir()
    fill(folder, {**BASE, **files})
    to = tmp_path / name
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-d", folder, to, size)
    return to
