// SPDX-License-Identifier: GPL-2.0-or-later
/* One line, or one JSON object, for each difference; see show-difference.h. */
#include "cli/show-difference.h"

#include <stdio.h>
#include <string.h>

#include "cli/show-entry.h"
#include "plan/print.h"

#define HEX_SHOWN 32

static void add_flags(struct kmln_buf *out, uint32_t flags)
{
	kmln_buf_printf(out, "%s%s%s%s", flags ? "" : "none",
		flags & KMLN_FLAG_IMMUTABLE ? "immutable" : "", flags == 3 ? "+" : "",
		flags & KMLN_FLAG_APPEND ? "append-only" : "");
}

static void add_xattr(struct kmln_buf *out, char sign, const char *name)
{
	kmln_buf_printf(out, " %c", sign);
	kmln_plan_escape(out, name);
}

/* " +user.new ~security.capability", by walking both sorted lists. */
static void add_xattrs(
	struct kmln_buf *out, const struct kmln_xattrs *a, const struct kmln_xattrs *b)
{
	for (size_t i = 0, j = 0; i < a->count || j < b->count;) {
		int order = i == a->count   ? 1
			    : j == b->count ? -1
					    : strcmp(a->items[i].name, b->items[j].name);

		if (order < 0)
			add_xattr(out, '-', a->items[i].name);
		else if (order > 0)
			add_xattr(out, '+', b->items[j].name);
		else if (!kmln_xattr_same(&a->items[i], &b->items[j]))
			add_xattr(out, '~', a->items[i].name);
		i += order <= 0;
		j += order >= 0;
	}
}

static void add_time(struct kmln_buf *out, const struct kmln_stat *st)
{
	char text[KMLN_TIME_TEXT];

	kmln_time_text(text, st->mtime, st->mtime_ns, true);
	kmln_buf_str(out, text);
}

/* The value of one field that differs. */
static void add_value(
	struct kmln_buf *out, unsigned bit, const struct kmln_stat *st, const char *target)
{
	switch (bit) {
	case KMLN_DIFF_TYPE:
		kmln_buf_str(out, kmln_type_name(st->mode));
		break;
	case KMLN_DIFF_MODE:
		kmln_buf_printf(out, "%04o", st->mode & 07777);
		break;
	case KMLN_DIFF_OWNER:
		kmln_buf_printf(out, "%u:%u", st->uid, st->gid);
		break;
	case KMLN_DIFF_SIZE:
		kmln_buf_printf(out, "%llu", (unsigned long long)st->size);
		break;
	case KMLN_DIFF_TARGET:
		kmln_plan_escape(out, target);
		break;
	case KMLN_DIFF_DEVICE:
		kmln_buf_printf(out, "%u,%u", st->major, st->minor);
		break;
	case KMLN_DIFF_MTIME:
		add_time(out, st);
		break;
	case KMLN_DIFF_LINKS:
		kmln_buf_printf(out, "%u", st->links);
		break;
	case KMLN_DIFF_FLAGS:
		add_flags(out, st->flags);
		break;
	default:
		break;
	}
}

static void add_field(struct kmln_buf *out, unsigned bit, const struct kmln_difference *d)
{
	if (bit == KMLN_DIFF_CONTENT)
		return;
	if (bit == KMLN_DIFF_XATTRS) {
		kmln_buf_str(out, ":");
		add_xattrs(out, d->xattrs_a, d->xattrs_b);
		return;
	}
	if (bit == KMLN_DIFF_LINKS && d->a->links == d->b->links) {
		kmln_buf_str(out, ": other names are the same file");
		return;
	}
	kmln_buf_str(out, ": ");
	add_value(out, bit, d->a, d->target_a);
	kmln_buf_str(out, " -> ");
	add_value(out, bit, d->b, d->target_b);
}

/* What stands behind the path of something that one tree has alone. */
static void add_object(struct kmln_buf *out, const struct kmln_stat *st, const char *target)
{
	kmln_buf_printf(out, "  %s", kmln_type_name(st->mode));
	if (S_ISREG(st->mode))
		kmln_buf_printf(out, ", %llu bytes", (unsigned long long)st->size);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		kmln_buf_printf(out, " %u,%u", st->major, st->minor);
	if (target) {
		kmln_buf_str(out, " to ");
		kmln_plan_escape(out, target);
	}
}

void kmln_difference_text(struct kmln_buf *out, const struct kmln_difference *d)
{
	static const char signs[] = {[KMLN_ONLY_A] = '-',
		[KMLN_ONLY_B] = '+',
		[KMLN_DIFFERS] = '~',
		[KMLN_UNREADABLE] = '!'};
	const char *between = "  ";

	kmln_buf_printf(out, "%c ", signs[d->kind]);
	kmln_plan_escape(out, d->path);
	if (d->kind == KMLN_UNREADABLE) {
		kmln_buf_printf(out, "  cannot be read: ");
		kmln_plan_escape(out, d->problem);
	} else if (d->kind != KMLN_DIFFERS) {
		add_object(out, d->a ? d->a : d->b, d->target_a ? d->target_a : d->target_b);
	}
	for (unsigned i = 0; i < KMLN_DIFF_COUNT; i++)
		if (d->what & (1u << i)) {
			kmln_buf_printf(out, "%s%s", between, kmln_difference_name(i));
			add_field(out, 1u << i, d);
			between = ", ";
		}
	kmln_buf_str(out, "\n");
}

struct kmln_json *kmln_difference_json(const struct kmln_difference *d, const char *diff)
{
	static const char *const names[] = {[KMLN_ONLY_A] = "removed",
		[KMLN_ONLY_B] = "added",
		[KMLN_DIFFERS] = "changed",
		[KMLN_UNREADABLE] = "unreadable"};
	struct kmln_json *o = kmln_json_object(), *list;

	kmln_json_set(o, "path", kmln_json_text(d->path));
	kmln_json_set(o, "change", kmln_json_text(names[d->kind]));
	if (d->problem)
		kmln_json_set(o, "problem", kmln_json_text(d->problem));
	if (d->kind == KMLN_DIFFERS) {
		list = kmln_json_set(o, "what", kmln_json_array());
		for (unsigned i = 0; i < KMLN_DIFF_COUNT; i++)
			if (d->what & (1u << i))
				kmln_json_add(list, kmln_json_text(kmln_difference_name(i)));
	}
	if (d->a)
		kmln_json_set(o, "a", kmln_entry_json(NULL, d->a, d->target_a));
	if (d->b)
		kmln_json_set(o, "b", kmln_entry_json(NULL, d->b, d->target_b));
	if (d->xattrs_a)
		kmln_json_set(o, "xattrs_a", kmln_xattrs_json(d->xattrs_a));
	if (d->xattrs_b)
		kmln_json_set(o, "xattrs_b", kmln_xattrs_json(d->xattrs_b));
	if (diff)
		kmln_json_set(o, "diff", kmln_json_text(diff));
	return o;
}

static char sign_of(const void *a, const void *b)
{
	return a && b ? '~' : a ? '-' : '+';
}

void kmln_package_change_text(struct kmln_buf *out, const struct kmln_package_change *change)
{
	const struct kmln_package *a = change->a, *b = change->b, *any = a ? a : b;

	kmln_buf_printf(out, "%c package ", sign_of(a, b));
	kmln_plan_escape(out, any->name);
	if (any->architecture && *any->architecture) {
		kmln_buf_str(out, ":");
		kmln_plan_escape(out, any->architecture);
	}
	kmln_buf_str(out, "  ");
	kmln_plan_escape(out, any->version ? any->version : "");
	if (a && b && !kmln_eq(a->version, b->version)) {
		kmln_buf_str(out, " -> ");
		kmln_plan_escape(out, b->version ? b->version : "");
	}
	if (a && b && a->status && b->status && !kmln_eq(a->status, b->status)) {
		kmln_buf_str(out, ", status: ");
		kmln_plan_escape(out, a->status);
		kmln_buf_str(out, " -> ");
		kmln_plan_escape(out, b->status);
	}
	kmln_buf_str(out, "\n");
}

static struct kmln_json *package_json(const struct kmln_package *p)
{
	struct kmln_json *o;

	if (!p)
		return kmln_json_text(NULL);
	o = kmln_json_object();
	kmln_json_set(o, "version", kmln_json_text(p->version));
	kmln_json_set(o, "status", kmln_json_text(p->status));
	return o;
}

struct kmln_json *kmln_package_change_json(const struct kmln_package_change *change)
{
	const struct kmln_package *any = change->a ? change->a : change->b;
	struct kmln_json *o = kmln_json_object();

	kmln_json_set(o, "name", kmln_json_text(any->name));
	kmln_json_set(o, "architecture", kmln_json_text(any->architecture));
	kmln_json_set(o, "a", package_json(change->a));
	kmln_json_set(o, "b", package_json(change->b));
	return o;
}

static void add_side(struct kmln_buf *out, const char *text)
{
	if (!text) {
		kmln_buf_str(out, "none");
		return;
	}
	if (strlen(text) <= HEX_SHOWN * 2) {
		kmln_plan_escape(out, text);
		return;
	}
	/* only bytes of the first sector are so long */
	kmln_buf_printf(out, "%.*s...", HEX_SHOWN, text);
}

void kmln_disk_change_text(struct kmln_buf *out, const struct kmln_disk_change *change)
{
	kmln_buf_printf(out, "%c disk  %s: ", sign_of(change->a, change->b), change->what);
	add_side(out, change->a);
	kmln_buf_str(out, " -> ");
	add_side(out, change->b);
	kmln_buf_str(out, "\n");
}

struct kmln_json *kmln_disk_change_json(const struct kmln_disk_change *change)
{
	struct kmln_json *o = kmln_json_object();

	kmln_json_set(o, "what", kmln_json_text(change->what));
	kmln_json_set(o, "a", kmln_json_text(change->a));
	kmln_json_set(o, "b", kmln_json_text(change->b));
	return o;
}
