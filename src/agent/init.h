/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of our initramfs init. It is its own static program: nothing but libc, no allocation
 * that grows, and nothing said while all goes well but one line.
 */
#ifndef KMLN_AGENT_INIT_H
#define KMLN_AGENT_INIT_H

#include <stdbool.h>
#include <stddef.h>

#define INIT_NAME_MAX 256
#define INIT_PATH_MAX 512

/* One line on the console, "kmln-init: " in front. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Reads a small file into `text` and ends it with a NUL; returns its length, or -errno. */
int read_text(const char *path, char *text, size_t room);

/* ---- init-load.c: drivers ---- */

/* Reads /modules and /aliases; a missing file is an initramfs without modules. */
void load_open(void);
/* A word MODULE.PARAMETER=VALUE of the kernel command line, for when that module is loaded. */
void load_parameter(const char *word);
/* Loads what the devices in /sys/bus ask for; returns how many modules were tried. */
unsigned load_for_devices(void);
/* Loads the driver of a filesystem, where it is carried. */
void load_filesystem(const char *type);
/* Says which modules failed and why. */
void load_report(void);

/* ---- init-disk.c: block devices and what is on them ---- */

struct disk {
	char path[INIT_PATH_MAX]; /* "/dev/vda1" */
	const char *type; /* "ext4" ...; NULL: nothing that is known */
	char uuid[37], label[257]; /* empty: none */
};

enum root_kind { ROOT_PATH, ROOT_UUID, ROOT_LABEL, ROOT_PARTUUID, ROOT_OTHER };

/* The kind of a root= value; *value is moved behind the prefix that names it. */
enum root_kind root_kind(const char **value);
/* Finds the disk; false where there is none now. */
bool disk_find(enum root_kind kind, const char *value, struct disk *disk);
/* Makes /dev/NEW a link to /dev/OLD, and the same for the partitions of OLD that exist. */
void disk_alias(const char *new_name, const char *old_name);
/* Says which block devices there are. */
void disk_report(void);

#endif
