# SPDX-License-Identifier: GPL-2.0-or-later
"""The fuzz targets: what is in their corpora goes through them in every build; libFuzzer looks for
more in the build that has it, KMLN_FUZZ_SECONDS long for each target."""

import os
import re
from pathlib import Path

import pytest

import runner

HERE = Path(__file__).resolve().parent
BUILT = runner.BUILD / "tests/fuzz"
SECONDS = int(os.environ.get("KMLN_FUZZ_SECONDS", 4))

TARGETS = re.search(r"fuzz_targets = \[(.*?)\]", (HERE / "meson.build").read_text(), re.S)[1]
TARGETS = sorted(re.findall(r"'([^']+)'", TARGETS))


def corpus(name):
    return sorted(path for path in (HERE / "corpus" / name).glob("*") if path.is_file())


def test_all_are_built():
    """A file that is a target is in the list, and a corpus belongs to a target."""
    files = {path.stem for path in HERE.glob("*.c") if "LLVMFuzzerTestOneInput(const" in path.read_text()}
    assert sorted(files) == TARGETS
    assert {path.name for path in (HERE / "corpus").iterdir()} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name, tmp_path):
    """All of it at once; where that fails, the last file that is named is the one."""
    inputs = corpus(name)
    assert inputs, f"{name} has no corpus: see make-corpus.py"
    program = BUILT / f"replay-{name}"
    result = runner.run([program, *inputs], cwd=tmp_path, expect=0, timeout=120)
    assert result.out == f"{len(inputs)} inputs\n"
    assert [Path(line) for line in result.err.splitlines()] == inputs


@pytest.mark.parametrize("name", TARGETS)
def test_corpus_is_small(name):
    """It is read by people and kept for ever."""
    for path in corpus(name):
        assert path.stat().st_size <= 128 << 10, path


@pytest.mark.slow
@pytest.mark.sanitizer
@pytest.mark.parametrize("name", TARGETS)
def test_search(name, tmp_path):
    """libFuzzer, with a leak, too much memory or more than ten seconds for one input as failures."""
    program = BUILT / f"fuzz-{name}"
    if not program.exists():
        pytest.skip("no build for libFuzzer: CC=clang and -Db_sanitize=address,undefined")
    (tmp_path / "found").mkdir()
    result = runner.run([program, f"-max_total_time={SECONDS}", "-timeout=10", "-rss_limit_mb=1024",
                         "-max_len=131072", "-print_final_stats=1", f"-artifact_prefix={tmp_path}/",
                         tmp_path / "found", HERE / "corpus" / name],
                        cwd=tmp_path, timeout=SECONDS + 90)
    bad = [path for path in tmp_path.iterdir() if path.is_file()]
    shown = "".join(f"\n{path.name}: {path.read_bytes()[:4096].hex()}" for path in bad)
    assert result.status == 0 and not bad, f"{result}{shown}"
    runs = int(re.search(r"number_of_executed_units: (\d+)", result.err)[1])
    # more than the corpus: it really searched
    assert runs > 2 * len(corpus(name)), result
