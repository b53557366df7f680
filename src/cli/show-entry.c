// SPDX-License-Identifier: GPL-2.0-or-later
/* How an object of a tree is shown; see show-entry.h. */
#include "cli/show-entry.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

struct kind {
	uint32_t type;
	char letter;
	const char *name;
};

static const struct kind kinds[] = {
	{S_IFREG, '-', "file"},
	{S_IFDIR, 'd', "folder"},
	{S_IFLNK, 'l', "link"},
	{S_IFCHR, 'c', "char"},
	{S_IFBLK, 'b', "block"},
	{S_IFIFO, 'p', "fifo"},
	{S_IFSOCK, 's', "socket"},
};

static const struct kind *kind_of(uint32_t mode)
{
	static const struct kind unknown = {0, '?', "unknown"};

	for (size_t i = 0; i < KMLN_COUNT(kinds); i++)
		if ((mode & S_IFMT) == kinds[i].type)
			return &kinds[i];
	return &unknown;
}

const char *kmln_type_name(uint32_t mode)
{
	return kind_of(mode)->name;
}

void kmln_mode_text(char text[11], uint32_t mode)
{
	static const char bits[] = "rwxrwxrwx";

	text[0] = kind_of(mode)->letter;
	for (int i = 0; i < 9; i++)
		text[1 + i] = mode & (0400u >> i) ? bits[i] : '-';
	if (mode & S_ISUID)
		text[3] = mode & 0100 ? 's' : 'S';
	if (mode & S_ISGID)
		text[6] = mode & 0010 ? 's' : 'S';
	if (mode & S_ISVTX)
		text[9] = mode & 0001 ? 't' : 'T';
	text[10] = '\0';
}

void kmln_time_text(char text[KMLN_TIME_TEXT], int64_t seconds, uint32_t ns, bool with_ns)
{
	char day[32], fraction[16] = "";
	time_t time = (time_t)seconds;
	struct tm tm;

	if (with_ns)
		snprintf(fraction, sizeof(fraction), ".%09u", ns % 1000000000);
	/* a folder's file may claim any time */
	if (gmtime_r(&time, &tm) && strftime(day, sizeof(day), "%FT%T", &tm))
		snprintf(text, KMLN_TIME_TEXT, "%s%sZ", day, fraction);
	else
		snprintf(text, KMLN_TIME_TEXT, "@%lld%s", (long long)seconds, fraction);
}

static void add_hex(struct kmln_buf *out, const char *value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		kmln_buf_printf(out, "%02x", (unsigned char)value[i]);
}

void kmln_value_text(struct kmln_buf *out, const char *value, size_t size)
{
	bool plain = true;

	for (size_t i = 0, n; plain && i < size; i += n) {
		/* a value has a NUL behind it, so nothing is read beyond */
		n = kmln_utf8_printable(value + i);
		plain = n && value[i] != '"' && value[i] != '\\';
	}
	if (plain) {
		kmln_buf_printf(out, "\"%.*s\"", (int)size, value);
		return;
	}
	kmln_buf_str(out, "0x");
	add_hex(out, value, size);
}

struct kmln_json *kmln_flags_json(uint32_t flags)
{
	struct kmln_json *list = kmln_json_array();

	if (flags & KMLN_FLAG_IMMUTABLE)
		kmln_json_add(list, kmln_json_text("immutable"));
	if (flags & KMLN_FLAG_APPEND)
		kmln_json_add(list, kmln_json_text("append-only"));
	return list;
}

struct kmln_json *kmln_xattrs_json(const struct kmln_xattrs *xattrs)
{
	struct kmln_json *object = kmln_json_object();

	for (size_t i = 0; i < xattrs->count; i++) {
		KMLN_BUF struct kmln_buf hex = {0};

		kmln_buf_add(&hex, "", 0);
		add_hex(&hex, xattrs->items[i].value, xattrs->items[i].size);
		kmln_json_set(object, xattrs->items[i].name, kmln_json_text(hex.data));
	}
	return object;
}

struct kmln_json *kmln_entry_json(const char *path, const struct kmln_stat *st, const char *target)
{
	struct kmln_json *o = kmln_json_object();
	char text[KMLN_TIME_TEXT];

	if (path)
		kmln_json_set(o, "path", kmln_json_text(path));
	kmln_json_set(o, "type", kmln_json_text(kmln_type_name(st->mode)));
	snprintf(text, sizeof(text), "%04o", st->mode & 07777);
	kmln_json_set(o, "mode", kmln_json_text(text));
	kmln_json_set(o, "uid", kmln_json_number(st->uid));
	kmln_json_set(o, "gid", kmln_json_number(st->gid));
	kmln_json_set(o, "links", kmln_json_number(st->links));
	kmln_json_set(o, "inode", kmln_json_number(st->inode));
	kmln_json_set(o, "size", kmln_json_number(st->size));
	kmln_json_set(o, "stored", kmln_json_number(st->stored));
	kmln_json_set(o, "mtime", kmln_json_signed(st->mtime));
	kmln_json_set(o, "mtime_ns", kmln_json_number(st->mtime_ns));
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode)) {
		kmln_json_set(o, "major", kmln_json_number(st->major));
		kmln_json_set(o, "minor", kmln_json_number(st->minor));
	}
	if (target)
		kmln_json_set(o, "target", kmln_json_text(target));
	if (st->flags)
		kmln_json_set(o, "flags", kmln_flags_json(st->flags));
	return o;
}

void kmln_out_start(void)
{
	signal(SIGPIPE, SIG_DFL);
}

int kmln_out_check(struct kmln_error *err)
{
	int code = errno;

	return ferror(stdout) ? kmln_fail_sys(err, code ? code : EIO, "standard output") : 0;
}

int kmln_out_finish(struct kmln_error *err)
{
	if (fflush(stdout) == 0)
		return kmln_out_check(err);
	return kmln_fail_sys(err, errno ? errno : EIO, "standard output");
}
