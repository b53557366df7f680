#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# init-path.sh INIT HEADER: writes the header that tells initramfs-init.S where the built init is.
set -eu
printf '#define INIT_PATH "%s"\n' "$1" >"$2"
