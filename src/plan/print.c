// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of a plan; see print.h. */
#include "plan/print.h"

#include <stdio.h>

#include "base/utf8.h"

/* The bytes in front that need no look: nearly all there are. */
static size_t plain_length(const char *text)
{
	static const bool plain[256] = {[' ' ... '~'] = true, ['\t'] = true};
	size_t n = 0;

	while (plain[(unsigned char)text[n]])
		n++;
	return n;
}

void kmln_plan_escape(struct kmln_buf *out, const char *text)
{
	while (*text) {
		size_t n = plain_length(text);

		if (!n)
			n = kmln_utf8_printable(text);
		if (n)
			kmln_buf_add(out, text, n);
		else
			kmln_buf_printf(out, "\\x%02x", (unsigned char)*text);
		text += n ? n : 1;
	}
}

void kmln_plan_line(
	struct kmln_buf *out, const char *verb, const char *object, const char *by, const char *why)
{
	kmln_buf_printf(out, "%-7s ", verb);
	kmln_plan_escape(out, object);
	kmln_buf_printf(out, "  # %s%s", by, why ? ": " : "");
	kmln_plan_escape(out, why ? why : "");
	kmln_buf_str(out, "\n");
}

void kmln_plan_detail(struct kmln_buf *out, const char *text)
{
	kmln_buf_str(out, KMLN_PLAN_DETAIL);
	kmln_plan_escape(out, text);
	kmln_buf_str(out, "\n");
}

char *kmln_plan_bytes(struct kmln_pool *pool, uint64_t bytes)
{
	if (bytes < 10000)
		return kmln_pool_printf(pool, "%llu bytes", (unsigned long long)bytes);
	if (bytes < 10000000)
		return kmln_pool_printf(pool, "%.1f kB", (double)bytes / 1e3);
	return kmln_pool_printf(pool, "%.1f MB", (double)bytes / 1e6);
}
