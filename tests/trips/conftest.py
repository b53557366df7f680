# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of trips share with those of conversions: kernels for guests."""

# fixtures, used by their names
from convert.conftest import kit_home, small_home, small_kernel  # noqa: F401
