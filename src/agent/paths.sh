#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# paths.sh HEADER NAME FILE ...: writes the header that tells assembler sources where files lie.
set -eu
header=$1
shift
while [ $# -gt 1 ]; do
	printf '#define %s "%s"\n' "$1" "$2"
	shift 2
done >"$header"
