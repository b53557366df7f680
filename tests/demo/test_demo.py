# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo that a newcomer runs, as a test: its own words are its checks."""

import re
import shutil

import pytest

import runner


@pytest.mark.slow
@pytest.mark.boot
@pytest.mark.network
def test_demo(tmp_path):
    for program, package in (("mmdebstrap", "mmdebstrap"), ("linux.uml", "user-mode-linux"),
                             ("qemu-system-x86_64", "qemu-system-x86")):
        runner.need_program(program, package)
    for program in ("kmln", "kmln-node"):
        shutil.copy(runner.BUILD / program, tmp_path)
    result = runner.run([runner.ROOT / "scripts/demo"], expect=0, timeout=900,
                        env={"KMLN_BUILD": tmp_path, "KMLN_HOME": tmp_path / "home"})
    steps = re.findall(r"^== (\d+\.\d) s$", result.out, re.M)
    assert len(steps) == 8, result
    assert "The guest moved with all it held" in result.out
