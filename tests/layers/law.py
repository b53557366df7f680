# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules that the source keeps: who may include whom, where each library has its home, how a file
begins, what is not used. Each rule takes the root of a source tree and returns what breaks it, one
"file:line: words" each. test_layers.py runs them over kmln, and over small trees that break them."""

import re
import shutil
import subprocess
from pathlib import Path

# The rooms, lowest first, and the rooms that each stands on. Who may include X may include what X may.
ROOMS = {
    "base": [],
    "text": ["base"],
    "channel": ["base"],
    "plan": ["base"],
    "tree": ["plan"],
    "boot": ["tree"],
    "image": ["boot", "text", "run"],
    "run": ["tree"],
    "platform": ["plan", "text"],
    "project": ["platform", "text"],
    "guest": ["platform", "image"],
    "convert": ["guest", "image", "run"],
    "agent": ["boot", "run", "channel", "text"],
    "node": ["channel", "run", "text"],
    "cluster": ["project", "convert", "channel"],
    "uplink": ["base"],
    "cli": ["base", "text", "plan", "tree", "boot", "image", "run", "platform", "project",
            "guest", "convert", "cluster", "channel"],
}

# The agent's init program runs before anything else in a guest: libc alone.
ALONE = re.compile(r"agent/init[^/]*$")

# Library (as meson.build names it): how its headers begin, and its home.
HOMES = {
    "ext2fs": (("ext2fs/",), "image/"),
    "com_err": (("et/com_err.h", "com_err.h"), "image/"),
    "e2p": (("e2p/",), "image/"),
    "uuid": (("uuid/",), "image/"),
    "fdisk": (("libfdisk/",), "image/"),
    "blkid": (("blkid/",), "image/"),
    # compressed files are below images, archives above them
    "libarchive": (("archive.h", "archive_entry.h"), ("guest/archive", "image/unpack.c")),
    "libnbd": (("libnbd.h",), "image/nbd.c"),
    "jansson": (("jansson.h",), "text/json.c"),
    "nettle": (("nettle/",), "base/sum.c"),
    "rpm": (("rpm/",), "image/inspect-rpm.c"),
    "libxml-2.0": (("libxml/",), "project/xml-"),
    "slirp": (("slirp/", "libslirp.h"), "uplink/stack.c"),
    "vdeplug": (("libvdeplug.h",), "uplink/join.c"),
    "yaml-0.1": (("yaml.h",), "image/inspect-netplan.c"),
    # crypt(3) hashes passwords, in one file only: see rule_crypt
    "libcrypt": (("crypt.h",), ""),
}

LINES_MAX = 600
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def may_include(room):
    """The room itself and all rooms below it."""
    allowed = {room}
    for below in ROOMS[room]:
        allowed |= may_include(below)
    return allowed


def sources(root, *suffixes):
    """Files with these suffixes below src/, by their path there."""
    src = Path(root, "src")
    return sorted(p for p in src.rglob("*") if p.suffix in suffixes and p.is_file())


def includes(root):
    """(path below src, line number, quote, header)"""
    for path in sources(root, ".c", ".h"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if match := INCLUDE.match(line):
                yield str(path.relative_to(Path(root, "src"))), number, match[1], match[2]


def code_lines(path):
    """Lines without comments, strings and character constants; their number stays."""
    text = path.read_text()
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    blank = re.sub(pattern, lambda m: '""' + "\n" * m[0].count("\n"), text, flags=re.S)
    return enumerate(blank.splitlines(), 1)


def rule_includes(root):
    broken = []
    for path, line, quote, header in includes(root):
        room, target = path.split("/")[0], header.split("/")[0]
        where = f"{path}:{line}: "
        if quote == "<":
            continue
        if ALONE.search(path):
            if "/" in header or not header.startswith("init"):
                broken.append(f"{where}the init program includes {header}")
        elif room not in ROOMS:
            broken.append(f"{where}{room} is no room of the law")
        elif "/" not in header or target not in ROOMS:
            broken.append(f'{where}"{header}" is not "room/file.h"')
        elif target not in may_include(room):
            broken.append(f"{where}{room} may not include {target}")
        elif not Path(root, "src", header).exists():
            broken.append(f"{where}there is no {header}")
    return broken


def rule_libraries(root):
    return [f"{path}:{line}: <{header}> of {library} outside "
            + " or ".join(f"src/{place}" for place in ([home] if isinstance(home, str) else home))
            for path, line, _, header in includes(root)
            for library, (starts, home) in HOMES.items()
            if header.startswith(starts) and not path.startswith(home)]


def rule_crypt(root):
    users = sorted({path for path, _, _, header in includes(root) if header == "crypt.h"})
    return [f"{path}:1: crypt.h has one home, not {len(users)}" for path in users] if users[1:] else []


def rule_dependencies(root):
    """A library that meson.build names has a home in the table above."""
    text = Path(root, "meson.build").read_text()
    names = re.findall(r"(?:dependency|find_library)\('([^']+)'", text)
    return [f"meson.build:1: {name} has no home" for name in names if name not in HOMES]


def rule_built(root):
    """Each C file is in its room's meson.build."""
    return [f"{path.relative_to(root)}:1: not in {path.parent.name}/meson.build"
            for path in sources(root, ".c")
            if not (path.parent / "meson.build").exists()
            or f"'{path.name}'" not in (path.parent / "meson.build").read_text()]


def all_files(root):
    """The project's own text files."""
    for folder in ("src", "tests", "scripts", "man", "completions", "bench", ".ci"):
        for path in sorted(Path(root, folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
    for name in ("meson.build", "Makefile", "README.md", "CONTRIBUTING.md", "pytest.ini"):
        if Path(root, name).exists():
            yield Path(root, name)
    yield from sorted(Path(root, "docs").rglob("*.md"))


def text_of(path):
    """The text of a file, or None for one that is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def rule_openings(root):
    """The licence on the first line (behind #!); then, in code, a comment that says what lives here."""
    spdx = "SPDX-License-Identifier: GPL-2.0-or-later"
    broken = []
    for path in all_files(root):
        code = path.suffix in (".c", ".h", ".py")
        if not code and path.name != "meson.build" and "scripts" not in path.parts:
            continue
        if path.suffix == ".txt":
            continue
        lines = (text_of(path) or "").splitlines() + ["", "", ""]
        first = 1 if lines[0].startswith("#!") else 0
        where = f"{path.relative_to(root)}:1: "
        if spdx not in lines[first]:
            broken.append(where + "the licence is not on the first line")
        elif code and not lines[first + 1].startswith(("/*", '"""')):
            broken.append(where + "no opening comment")
    return broken


def _forbid(root, pattern, words):
    return [f"{path.relative_to(root)}:{number}: {words}" for path in sources(root, ".c", ".h")
            for number, line in code_lines(path) if re.search(pattern, line)]


def rule_goto(root):
    return _forbid(root, r"\bgoto\b", "goto")


def rule_shell(root):
    return _forbid(root, r"\b(system|popen|wordexp)\s*\(", "a shell")


def rule_length(root):
    return [f"{path.relative_to(root)}:{count}: longer than {LINES_MAX} lines"
            for path in all_files(root) if path.suffix in (".c", ".h", ".py")
            if (count := len(path.read_text().splitlines())) > LINES_MAX]


def rule_machine_paths(root):
    """No path of somebody's machine. Ada, Cat and Eve are the users of the test guests."""
    pattern = re.compile(r"/(?:home/(?!(?:ada|cat|eve|teacher)\b)|Users/)\w|" + re.escape(str(root)) + "/")
    return [f"{path.relative_to(root)}:{number}: path of a machine: {match[0]}"
            for path in all_files(root) if "layers" not in path.parts and (text := text_of(path))
            for number, line in enumerate(text.splitlines(), 1) if (match := pattern.search(line))]


def rule_leftovers(root):
    return [f"{path.relative_to(root)}:{number}: unfinished"
            for path in all_files(root) if "layers" not in path.parts and (text := text_of(path))
            for number, line in enumerate(text.splitlines(), 1)
            if re.search(r"\b(TODO|FIXME|HACK)\b", line)]


def rule_format(root):
    """What clang-format would change."""
    program = shutil.which("clang-format")
    files = sources(root, ".c", ".h") + sorted(Path(root, "tests").rglob("*.[ch]"))
    done = subprocess.run([program, "--dry-run", "--Werror", *files], capture_output=True, text=True,
                          check=False)
    broken = [line for line in done.stderr.splitlines() if "error:" in line]
    if done.returncode and not broken:
        broken = [done.stderr]
    return broken


RULES = {name.removeprefix("rule_"): rule for name, rule in list(globals().items())
         if name.startswith("rule_")}
