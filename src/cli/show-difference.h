/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Differences of trees, packages and disks for people and as JSON; for kmln diff. */
#ifndef KMLN_CLI_SHOW_DIFFERENCE_H
#define KMLN_CLI_SHOW_DIFFERENCE_H

#include "image/differences.h"
#include "text/json.h"
#include "tree/compare.h"

/* "~ /etc/fstab  content, mtime: ... -> ..." and a newline. */
void kmln_difference_text(struct kmln_buf *out, const struct kmln_difference *difference);
/* `diff` may be NULL. */
struct kmln_json *kmln_difference_json(const struct kmln_difference *difference, const char *diff);

void kmln_package_change_text(struct kmln_buf *out, const struct kmln_package_change *change);
struct kmln_json *kmln_package_change_json(const struct kmln_package_change *change);

void kmln_disk_change_text(struct kmln_buf *out, const struct kmln_disk_change *change);
struct kmln_json *kmln_disk_change_json(const struct kmln_disk_change *change);

#endif
