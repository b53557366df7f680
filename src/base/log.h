/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the library has to say while it works. Everything goes to one callback, which the tool sets
 * (stderr); the library itself never prints.
 */
#ifndef KMLN_BASE_LOG_H
#define KMLN_BASE_LOG_H

#include "base/error.h"

enum kmln_level {
	KMLN_LOG_WARNING,
	KMLN_LOG_NOTE, /* what a user wants to know of long work or of a choice made for him */
	KMLN_LOG_DEBUG,
};

typedef void (*kmln_log_fn)(enum kmln_level level, const char *text);

void kmln_log_set(kmln_log_fn fn);
void kmln_warn(const char *fmt, ...) KMLN_PRINTF(1, 2);
void kmln_note(const char *fmt, ...) KMLN_PRINTF(1, 2);
void kmln_debug(const char *fmt, ...) KMLN_PRINTF(1, 2);

/*
 * Progress of long work: `done` of `total` (bytes or pieces); total 0 ends the line. The callback
 * draws it on a terminal, and only for work that lasts.
 */
typedef void (*kmln_progress_fn)(
	const char *what, unsigned long long done, unsigned long long total);
void kmln_progress_set(kmln_progress_fn fn);
void kmln_progress(const char *what, unsigned long long done, unsigned long long total);

#endif
