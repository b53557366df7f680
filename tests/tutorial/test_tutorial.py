# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/tutorial.md, carried out: its commands in their order, in an empty folder, by an ordinary user;
what stands below a command is what it prints, and its picture is the one that kmln draws.

KMLN_GOLDEN=write takes the picture over."""

import os
import re

import pytest

import runner

PAGE = runner.ROOT / "docs/tutorial.md"
PICTURE = runner.ROOT / "docs/tutorial-lab.svg"
BLOCK = re.compile(r"^```(console|kmln)\n(.*?)^```$", re.M | re.S)
NAMED = re.compile(r"Write this as `([a-z.]+)`")


def steps(text):
    """("file", name, content) and ("run", command, lines that it prints) in the page's order."""
    last = 0
    for block in BLOCK.finditer(text):
        kind, body = block.groups()
        if kind == "kmln":
            yield "file", NAMED.search(text, last, block.start()).group(1), body
        else:
            for piece in re.split(r"^\$ ", body, flags=re.M)[1:]:
                command, _, printed = piece.partition("\n")
                yield "run", command, printed.splitlines()
        last = block.end()


NUMBER = r"\d+(?:\.\d+)?"
TIME = r"\b(?:\d+[hm])*\d+s\b"
# what a number may be followed by: a machine is faster than another, and a table wider
UNIT = {"kB": "[kMG]B", "MB": "[kMG]B"}


def pattern(line):
    """A printed line, with any numbers (and as many blanks) where it has some."""
    words = re.split(rf"({TIME}|{NUMBER}|\s+|\.\.\.|\b[kM]B\b)", line)
    return "".join(".*" if word == "..." else UNIT[word] if word in UNIT else r"\s+" if word.isspace()
                   else TIME if re.fullmatch(TIME, word) else NUMBER if re.fullmatch(NUMBER, word)
                   else re.escape(word) for word in words)


def matches(expected, printed):
    """Whether the lines are those of the page, where "..." stands for any number of them."""
    lines = [r"(?:.*\n)*" if line == "..." else pattern(line) + r"\s*\n" for line in expected]
    return re.fullmatch("".join(lines), "".join(line + "\n" for line in printed))


def test_the_test_sees_differences():
    assert matches(["...", "a  12 s", "..."], ["x", "a 7.5 s", "y"])
    assert matches(["up 52s 9.5 MB"], ["up 1m05s 870 kB"]) and not matches(["up 52s"], ["up x"])
    assert matches([], []) and not matches([], ["x"])
    assert not matches(["a 12 s"], ["b 12 s"]) and not matches(["a", "..."], ["b", "a"])


@pytest.mark.slow
@pytest.mark.boot
@pytest.mark.network
def test_tutorial(ordinary_user):
    folder = ordinary_user.home
    env = {"PATH": f"{ordinary_user.build}:{runner.PATH}", "KMLN_HOME": folder / "home"}
    runs = 0
    try:
        for kind, what, content in steps(PAGE.read_text()):
            if kind == "file":
                (folder / what).write_text(content)
                continue
            if what.startswith("cd "):
                folder = folder / what[3:]
                continue
            result = runner.run(["sh", "-c", f"{what} 2>&1"], expect=0, timeout=900, cwd=folder,
                                env=env, user=ordinary_user)
            assert matches(content, result.out.splitlines()), \
                f"{what}\nthe page has:\n" + "\n".join(content) + f"\nand it printed:\n{result.out}"
            runs += 1
        drawn = (folder / "lab.svg").read_text()
    finally:
        runner.run([ordinary_user.kmln, "down", "-p", "lab", "--now"], env=env, user=ordinary_user)
    assert runs > 15
    if os.environ.get("KMLN_GOLDEN") == "write":
        PICTURE.write_text(drawn)
    assert drawn == PICTURE.read_text()
