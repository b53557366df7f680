# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of inspect share: its JSON, and small guests made of the files that are tested."""

import json

import pytest

import trees


@pytest.fixture
def inspect(kmln):
    """The JSON of kmln inspect, which has no words on stderr."""
    def call(image, **options):
        run = kmln("inspect", image, "--format", "json", expect=0, **options)
        assert run.err == ""
        return json.loads(run.out)
    return call


@pytest.fixture
def facts_of(inspect, tmp_path):
    """The facts of a guest with these files (see trees.image); the image is kept for `facts_of.image`."""
    def call(files, **options):
        call.image = trees.image(tmp_path, files, **options)
        return inspect(call.image)
    return call
