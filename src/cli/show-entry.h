/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects of a tree for people and as JSON, as `ls`, `diff` and `compare` show them; and standard
 * output that may be long. */
#ifndef KMLN_CLI_SHOW_ENTRY_H
#define KMLN_CLI_SHOW_ENTRY_H

#include "text/json.h"
#include "tree/tree.h"

/* "drwxr-xr-x" */
void kmln_mode_text(char text[11], uint32_t mode);
/* "file", "folder", "link", "char", "block", "fifo", "socket" or "unknown". */
const char *kmln_type_name(uint32_t mode);
/* "2026-11-23T08:16:53Z", or with nanoseconds "...53.123456789Z". */
#define KMLN_TIME_TEXT 48
void kmln_time_text(char text[KMLN_TIME_TEXT], int64_t seconds, uint32_t ns, bool with_ns);
/* Appends a value as "text", or as 0x and hexadecimal digits where it is none. */
void kmln_value_text(struct kmln_buf *out, const char *value, size_t size);
/* Path, type, mode, owner, links, size, time, device, target, flags. Path and target may be NULL.
 */
struct kmln_json *kmln_entry_json(const char *path, const struct kmln_stat *st, const char *target);
/* An object: names, and values in hexadecimal. */
struct kmln_json *kmln_xattrs_json(const struct kmln_xattrs *xattrs);
/* The list of names of flags. */
struct kmln_json *kmln_flags_json(uint32_t flags);

/* Before long output: who closes the other end of a pipe ends kmln without words. */
void kmln_out_start(void);
/* Fails where something could not be written. */
int kmln_out_check(struct kmln_error *err);
/* The same once all is said. */
int kmln_out_finish(struct kmln_error *err);

#endif
