// SPDX-License-Identifier: GPL-2.0-or-later
/* The log callback. Text is cleaned of control bytes by passing through an error's buffer. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static kmln_log_fn log_fn;
static kmln_progress_fn progress_fn;

void kmln_log_set(kmln_log_fn fn)
{
	log_fn = fn;
}

void kmln_progress_set(kmln_progress_fn fn)
{
	progress_fn = fn;
}

void kmln_progress(const char *what, unsigned long long done, unsigned long long total)
{
	if (progress_fn)
		progress_fn(what, done, total);
}

KMLN_PRINTF(2, 0)
static void say(enum kmln_level level, const char *fmt, va_list args)
{
	struct kmln_error clean;
	char text[sizeof(clean.text)];

	if (!log_fn)
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	kmln_fail(&clean, 0, "%s", text);
	log_fn(level, clean.text);
}

#define SAY(name, level) \
	void name(const char *fmt, ...) \
	{ \
		va_list args; \
\
		va_start(args, fmt); \
		say(level, fmt, args); \
		va_end(args); \
	}

SAY(kmln_warn, KMLN_LOG_WARNING)
SAY(kmln_note, KMLN_LOG_NOTE)
SAY(kmln_debug, KMLN_LOG_DEBUG)
