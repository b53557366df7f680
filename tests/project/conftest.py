# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of projects share with those of conversions: a kernel for guests."""

# fixtures, used by their names
from convert.conftest import kit_home, small_home, small_kernel  # noqa: F401
