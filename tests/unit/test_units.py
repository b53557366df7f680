# SPDX-License-Identifier: GPL-2.0-or-later
"""Each test_NAME.c here is one item: its executable is run, and its words are shown when it fails."""

import re
from pathlib import Path

import pytest

import runner

SOURCES = sorted(Path(__file__).parent.glob("test_*.c"))


@pytest.mark.parametrize("name", [source.stem for source in SOURCES])
def test_unit(name, tmp_path):
    program = runner.BUILD / "tests/unit" / name
    assert program.exists(), f"{name} is not built: is it in tests/unit/meson.build?"
    result = runner.run([program], cwd=tmp_path, expect=0, timeout=120,
                        env={"KMLN_HOME": tmp_path / "home", "TMPDIR": tmp_path})
    # a program that ran no test proves nothing
    ran = re.search(r"\[==========\] (?:.*: )?(\d+) test\(s\) run\.", result.out + result.err)
    assert ran and int(ran[1]) > 0, result
