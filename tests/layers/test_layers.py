# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of law.py over kmln's source, and the proof that each of them can fail."""

import importlib.util
import shutil
from pathlib import Path

import pytest

import runner

pytestmark = pytest.mark.source

spec = importlib.util.spec_from_file_location("law", Path(__file__).with_name("law.py"))
law = importlib.util.module_from_spec(spec)
spec.loader.exec_module(law)


@pytest.mark.parametrize("name", law.RULES)
def test_law(name):
    if name == "format":
        runner.need_program("clang-format", "clang-format")
    broken = law.RULES[name](runner.ROOT)
    assert not broken, "\n".join(["", *broken])


HEAD = "// SPDX-License-Identifier: GPL-2.0-or-later\n/* What lives here. */\n"

# rule, file below the root, its text, and the words that must be complained of
BREAKERS = [
    ("includes", "src/base/x.c", '#include "plan/edits.h"\n', "base may not include plan"),
    ("includes", "src/plan/x.c", '#include "tree/tree.h"\n', "plan may not include tree"),
    ("includes", "src/run/x.c", '#  include "image/disk.h"\n', "run may not include image"),
    ("includes", "src/platform/x.c", '#include "tree/tree.h"\n', "platform may not include tree"),
    ("includes", "src/agent/init-x.c", '#include "base/mem.h"\n', "the init program includes"),
    ("includes", "src/attic/x.c", '#include "base/mem.h"\n', "no room of the law"),
    ("includes", "src/tree/x.c", '#include "tree.h"\n', 'not "room/file.h"'),
    ("includes", "src/tree/x.c", '#include "base/nothing.h"\n', "there is no base/nothing.h"),
    ("libraries", "src/convert/x.c", "#include <ext2fs/ext2fs.h>\n", "ext2fs outside src/image/"),
    ("libraries", "src/guest/x.c", "#include <archive.h>\n", "outside src/guest/archive"),
    ("libraries", "src/cli/x.c", "#include <jansson.h>\n", "outside src/text/json.c"),
    ("dependencies", "meson.build", "x = dependency('libcurl')\n", "libcurl has no home"),
    ("built", "src/base/x.c", HEAD, "not in base/meson.build"),
    ("openings", "src/base/x.c", "/* What lives here. */\n", "licence"),
    ("openings", "src/base/x.c", HEAD.splitlines()[0] + "\nint x;\n", "no opening comment"),
    ("openings", "scripts/x", "#!/bin/sh\nexit\n", "licence"),
    ("goto", "src/base/x.c", HEAD + "int f(void)\n{\n\tgoto out;\n}\n", ":5: goto"),
    ("shell", "src/base/x.c", HEAD + 'int f(void)\n{\n\treturn system("ls");\n}\n', "shell"),
    ("length", "src/base/x.c", HEAD + "\n" * 600, "longer than"),
    ("machine_paths", "docs/x.md", "see /home/somebody/kmln\n", "path of a machine"),
    ("leftovers", "src/base/x.c", HEAD + "/* TODO: all */\n", "unfinished"),
    ("format", "src/base/x.c", HEAD + "int f( void ) { return 0; }\n", "error:"),
]


@pytest.mark.parametrize("name, path, text, words", BREAKERS,
                         ids=[f"{name}-{i}" for i, (name, *_) in enumerate(BREAKERS)])
def test_law_can_fail(name, path, text, words, tmp_path):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "meson.build").touch()
    shutil.copy(runner.ROOT / ".clang-format", tmp_path)
    (tmp_path / path).write_text(text)
    broken = law.RULES[name](tmp_path)
    assert len(broken) >= 1 and words in broken[0], broken


def test_two_homes_of_crypt(tmp_path):
    for room in ("guest", "cli"):
        (tmp_path / "src" / room).mkdir(parents=True)
        (tmp_path / "src" / room / "x.c").write_text("#include <crypt.h>\n")
    assert len(law.rule_crypt(tmp_path)) == 2
    (tmp_path / "src/cli/x.c").write_text("")
    assert not law.rule_crypt(tmp_path)


def test_words_in_comments_and_strings_are_no_code(tmp_path):
    (tmp_path / "src/base").mkdir(parents=True)
    (tmp_path / "src/base/x.c").write_text(
        HEAD + '/* no goto here,\n * and no system("x") */\nconst char *t = "goto \\" system(";\n')
    assert not law.rule_goto(tmp_path) and not law.rule_shell(tmp_path)
