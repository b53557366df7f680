// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of a plan; see print.h. */
#include "plan/print.h"

#include <stdio.h>

void kmln_plan_escape(struct kmln_buf *out, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			kmln_buf_printf(out, "\\x%02x", *c);
		else
			kmln_buf_add(out, c, 1);
	}
}

void kmln_plan_line(
	struct kmln_buf *out, const char *verb, const char *object, const char *by, const char *why)
{
	kmln_buf_printf(out, "%-7s ", verb);
	kmln_plan_escape(out, object);
	kmln_buf_printf(out, "  # %s%s%s\n", by, why ? ": " : "", why ? why : "");
}

void kmln_plan_detail(struct kmln_buf *out, const char *text)
{
	kmln_buf_str(out, "        ");
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
