// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading a record; see record.h for its form. Whoever wrote the guest wrote the record, so every
 * field is checked for form, each kind has just its own fields, and numbers and lengths are
 * bounded. Whether a step could have written such an edit is asked later, in undo-vouch.c.
 */
#include "guest/record.h"

#include <string.h>

enum field {
	F_PATH,
	F_BY,
	F_MODE,
	F_UID,
	F_GID,
	F_OFFSET,
	F_SIZE,
	F_TIME,
	F_SUM,
	F_TARGET,
	F_WAS,
	F_WAS_MODE,
	F_WAS_UID,
	F_WAS_GID,
	F_WAS_SIZE,
	F_WAS_TIME,
	F_WAS_SUM,
	F_WHY,
	FIELDS
};

static const char *const field_names[] = {"path", "by", "mode", "uid", "gid", "offset", "size",
	"time", "sum", "target", "was", "was-mode", "was-uid", "was-gid", "was-size", "was-time",
	"was-sum", "why"};
_Static_assert(KMLN_COUNT(field_names) == FIELDS, "a name for each field");

#define B(field) (1u << (field))
#define B_BEFORE \
	(B(F_WAS_MODE) | B(F_WAS_UID) | B(F_WAS_GID) | B(F_WAS_SIZE) | B(F_WAS_TIME) | B(F_WAS_SUM))

/* What each kind must have, may have, and which text lines may follow it. */
static const struct {
	const char *name;
	unsigned must, may;
	const char *signs;
} kinds[] = {
	[KMLN_RECORD_SHIFT] = {"shift", B(F_OFFSET), 0, ""},
	[KMLN_RECORD_CUT] = {"cut", B(F_OFFSET) | B(F_SIZE) | B(F_WAS_SIZE), 0, ""},
	[KMLN_RECORD_KEEP] = {"keep", B(F_OFFSET) | B(F_SIZE), 0, "-"},
	[KMLN_RECORD_EXTEND] = {"extend", B(F_SIZE), 0, ""},
	[KMLN_RECORD_RESIZE] = {"resize", B(F_SIZE) | B(F_WAS_SIZE), 0, ""},
	[KMLN_RECORD_BYTES] = {"bytes", B(F_OFFSET) | B(F_SIZE) | B(F_SUM) | B(F_WAS), 0, "-"},
	[KMLN_RECORD_MKDIR] = {"mkdir", B(F_PATH) | B(F_MODE) | B(F_UID) | B(F_GID), 0, ""},
	[KMLN_RECORD_PUT] = {"put",
		B(F_PATH) | B(F_MODE) | B(F_UID) | B(F_GID) | B(F_SIZE) | B(F_WAS),
		B(F_TIME) | B(F_SUM) | B_BEFORE, "-"},
	[KMLN_RECORD_CHANGE] = {"change", B(F_PATH) | B(F_SIZE) | B(F_SUM) | B(F_WAS), B_BEFORE,
		"-+"},
	[KMLN_RECORD_APPEND] = {"append", B(F_PATH) | B(F_SIZE) | B(F_WAS_SIZE) | B(F_WAS_TIME), 0,
		"+"},
	[KMLN_RECORD_SYMLINK] = {"symlink",
		B(F_PATH) | B(F_TARGET) | B(F_UID) | B(F_GID) | B(F_WAS), B(F_WAS_TIME), "-"},
};
_Static_assert(KMLN_COUNT(kinds) == KMLN_RECORD_KINDS, "a row for each kind");

static const char *const was_names[] = {
	[KMLN_WAS_ABSENT] = "absent",
	[KMLN_WAS_KEPT] = "kept",
	[KMLN_WAS_UNKNOWN] = "unknown",
	[KMLN_WAS_ZERO] = "zero",
};

const char *kmln_record_kind_name(enum kmln_record_kind kind)
{
	return kinds[kind].name;
}

const char *kmln_record_was_name(enum kmln_record_was was)
{
	return was_names[was];
}

struct parser {
	struct kmln_pool *pool;
	struct kmln_record *record;
	struct kmln_buf old, new; /* text lines of the last item */
	unsigned line;
};

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes the writer's escapes; false for what it would not have written. */
static bool unescape(struct kmln_buf *out, const char *text, size_t size, bool blanks)
{
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '\\') {
			if (size - i < 4 || text[i + 1] != 'x' || hex(text[i + 2]) < 0 ||
				hex(text[i + 3]) < 0)
				return false;
			c = (char)(hex(text[i + 2]) << 4 | hex(text[i + 3]));
			i += 3;
		} else if (!(c > 0x20 && c < 0x7f) && !(blanks && (c == ' ' || c == '\t'))) {
			return false;
		}
		kmln_buf_add(out, &c, 1);
	}
	return true;
}

static bool number(const char *text, uint64_t max, unsigned base, uint64_t *value)
{
	*value = 0;
	if (!*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (*text < '0' || (unsigned)(*text - '0') >= base ||
			kmln_mul_overflow(*value, base, value) ||
			kmln_add_overflow(*value, (unsigned)(*text - '0'), value) || *value > max)
			return false;
	}
	return true;
}

static bool number32(const char *text, uint32_t max, unsigned base, uint32_t *value)
{
	uint64_t wide;
	bool good = number(text, max, base, &wide);

	*value = good ? (uint32_t)wide : 0;
	return good;
}

#define SECONDS_MAX (1ull << 40)

/* "-12.000000005": the nanoseconds count forward, as in an inode. */
static bool moment(const char *text, int64_t *seconds, uint32_t *ns)
{
	bool before = *text == '-';
	char whole[24], part[10];
	const char *dot = strchr(text, '.');
	uint64_t value;

	text += before;
	if (!dot || dot - text >= (ptrdiff_t)sizeof(whole) || strlen(dot + 1) != 9)
		return false;
	memcpy(whole, text, (size_t)(dot - text));
	whole[dot - text] = '\0';
	memcpy(part, dot + 1, sizeof(part));
	if (strspn(part, "0123456789") != 9 || !number(whole, SECONDS_MAX, 10, &value))
		return false;
	*seconds = before ? -(int64_t)value : (int64_t)value;
	*ns = 0;
	for (size_t i = 0; i < 9; i++)
		*ns = *ns * 10 + (uint32_t)(part[i] - '0');
	return true;
}

static bool is_sum(const char *text)
{
	return strlen(text) == 128 && strspn(text, "0123456789abcdef") == 128;
}

/* Absolute, without a component that is empty, "." or "..". */
static bool is_path(const char *text)
{
	if (text[0] != '/' || strlen(text) >= 4096)
		return false;
	while (*text) {
		size_t n = strcspn(text + 1, "/");

		if (!n || n > 255 || (n == 1 && text[1] == '.') ||
			(n == 2 && text[1] == '.' && text[2] == '.'))
			return false;
		text += n + 1;
	}
	return true;
}

static bool was_value(const char *text, enum kmln_record_was *was)
{
	for (size_t i = 0; i < KMLN_COUNT(was_names); i++)
		if (kmln_eq(text, was_names[i])) {
			*was = (enum kmln_record_was)i;
			return true;
		}
	return false;
}

static bool set_field(struct kmln_record_item *item, enum field field, const char *value)
{
	switch (field) {
	case F_PATH:
		item->path = value;
		return is_path(value);
	case F_BY:
		item->by = value;
		return *value;
	case F_MODE:
		return number32(value, 07777, 8, &item->mode);
	case F_UID:
		return number32(value, UINT32_MAX, 10, &item->uid);
	case F_GID:
		return number32(value, UINT32_MAX, 10, &item->gid);
	case F_OFFSET:
		return number(value, INT64_MAX, 10, &item->offset);
	case F_SIZE:
		return number(value, INT64_MAX, 10, &item->size);
	case F_TIME:
		item->timed = true;
		return moment(value, &item->mtime, &item->mtime_ns);
	case F_SUM:
		item->sum = value;
		return is_sum(value);
	case F_TARGET:
		item->target = value;
		return *value;
	case F_WAS:
		return was_value(value, &item->was);
	case F_WAS_MODE:
		return number32(value, 0177777, 8, &item->was_mode);
	case F_WAS_UID:
		return number32(value, UINT32_MAX, 10, &item->was_uid);
	case F_WAS_GID:
		return number32(value, UINT32_MAX, 10, &item->was_gid);
	case F_WAS_SIZE:
		return number(value, INT64_MAX, 10, &item->was_size);
	case F_WAS_TIME:
		return moment(value, &item->was_mtime, &item->was_mtime_ns);
	case F_WAS_SUM:
		item->was_sum = value;
		return is_sum(value);
	case F_WHY:
		item->why = value;
		return true;
	case FIELDS:
		break;
	}
	return false;
}

static int bad(const struct parser *parser, struct kmln_error *err, const char *what)
{
	return kmln_fail(err, KMLN_EINVALID, "line %u: %s", parser->line, what);
}

static bool find_field(const char *text, size_t size, enum field *field)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (strlen(field_names[i]) == size && memcmp(field_names[i], text, size) == 0) {
			*field = (enum field)i;
			return true;
		}
	return false;
}

/* The fields behind the kind's name. */
static int parse_fields(struct parser *parser, struct kmln_record_item *item, const char *text,
	size_t size, unsigned *seen, struct kmln_error *err)
{
	while (size) {
		KMLN_BUF struct kmln_buf value = {0};
		const char *equals;
		enum field field;
		size_t n;

		if (*text != ' ')
			return bad(parser, err, "a blank is missing");
		text++;
		size--;
		equals = memchr(text, '=', size);
		if (!equals || !find_field(text, (size_t)(equals - text), &field) ||
			(*seen & B(field)))
			return bad(parser, err, "a field that is not known, or there twice");
		size -= (size_t)(equals + 1 - text);
		text = equals + 1;
		for (n = 0; n < size && (field == F_WHY || text[n] != ' '); n++)
			;
		if (!unescape(&value, text, n, field == F_WHY) ||
			(value.size && memchr(value.data, 0, value.size)) ||
			!set_field(item, field,
				kmln_pool_memdup(
					parser->pool, value.data ? value.data : "", value.size)))
			return bad(parser, err, "a value that cannot be one");
		*seen |= B(field);
		text += n;
		size -= n;
	}
	return 0;
}

/* What belongs together is there, and nothing else. */
static int check_fields(const struct parser *parser, const struct kmln_record_item *item,
	unsigned seen, struct kmln_error *err)
{
	unsigned must = kinds[item->kind].must | B(F_BY);
	unsigned may = must | kinds[item->kind].may | B(F_WHY);

	if (item->kind == KMLN_RECORD_PUT)
		must |= item->timed ? B(F_TIME) : B(F_SUM);
	if (item->kind == KMLN_RECORD_PUT && item->timed)
		may &= ~B(F_SUM);
	if ((may & B(F_WAS_SUM)) && item->was == KMLN_WAS_KEPT)
		must |= B_BEFORE;
	else if (may & B(F_WAS_SUM))
		may &= ~B_BEFORE;
	if (item->was == KMLN_WAS_ZERO && item->kind != KMLN_RECORD_BYTES)
		return bad(parser, err, "only bytes of the disk can have been zeros");
	if (item->was == KMLN_WAS_UNKNOWN && item->kind != KMLN_RECORD_PUT &&
		item->kind != KMLN_RECORD_BYTES)
		return bad(parser, err, "only files and bytes can have been there unread");
	if ((seen & must) != must || (seen & ~may))
		return bad(parser, err, "a field is missing, or has no meaning there");
	return 0;
}

/* The text lines of the last item are complete. */
static int end_item(struct parser *parser, struct kmln_error *err)
{
	struct kmln_record_item *item;
	bool whole;

	if (!parser->record->count)
		return 0;
	item = &parser->record->items[parser->record->count - 1];
	whole = item->kind == KMLN_RECORD_PUT || item->kind == KMLN_RECORD_BYTES ||
		item->kind == KMLN_RECORD_SYMLINK;
	item->old = kmln_pool_memdup(
		parser->pool, parser->old.data ? parser->old.data : "", parser->old.size);
	item->old_size = parser->old.size;
	item->new = kmln_pool_memdup(
		parser->pool, parser->new.data ? parser->new.data : "", parser->new.size);
	item->new_size = parser->new.size;
	kmln_buf_fini(&parser->old);
	kmln_buf_fini(&parser->new);
	if (whole && item->was != KMLN_WAS_KEPT && item->old_size)
		return bad(parser, err, "text of something that was not there");
	if (item->kind == KMLN_RECORD_PUT && item->was == KMLN_WAS_KEPT &&
		item->was_size != item->old_size)
		return bad(parser, err, "the text before is not as long as it was");
	if (((item->kind == KMLN_RECORD_BYTES && item->was == KMLN_WAS_KEPT) ||
		    item->kind == KMLN_RECORD_KEEP) &&
		item->size != item->old_size)
		return bad(parser, err, "the bytes before are not as many as they were");
	if (item->kind != KMLN_RECORD_BYTES && item->kind != KMLN_RECORD_KEEP &&
		memchr(item->old, 0, item->old_size))
		return bad(parser, err, "a NUL in a text");
	if (memchr(item->new, 0, item->new_size))
		return bad(parser, err, "a NUL in a text");
	if (item->kind == KMLN_RECORD_APPEND && item->size != item->new_size)
		return bad(parser, err, "the text is not as long as it was");
	return 0;
}

static int parse_text(struct parser *parser, const char *line, size_t size, struct kmln_error *err)
{
	struct kmln_buf *to = *line == '-' ? &parser->old : &parser->new;
	const struct kmln_record *record = parser->record;
	bool open = size > 1 && line[size - 1] == '\\';

	if (!record->count || !strchr(kinds[record->items[record->count - 1].kind].signs, *line))
		return bad(parser, err, "a text line that belongs to nothing");
	if (to->size && to->data[to->size - 1] != '\n')
		return bad(parser, err, "a text line behind one without an end");
	if (!unescape(to, line + 1, size - 1 - open, true))
		return bad(parser, err, "a byte that should be escaped");
	if (!open)
		kmln_buf_str(to, "\n");
	return 0;
}

static int parse_item(struct parser *parser, const char *line, size_t size, struct kmln_error *err)
{
	struct kmln_record *record = parser->record;
	struct kmln_record_item *item;
	unsigned seen = 0;
	size_t n = 0;
	int r = end_item(parser, err);

	if (r < 0)
		return r;
	if (record->count >= KMLN_RECORD_ITEMS_MAX)
		return bad(parser, err, "more changes than a conversion makes");
	while (n < size && line[n] != ' ')
		n++;
	for (size_t i = 0; i < KMLN_RECORD_KINDS; i++) {
		if (strlen(kinds[i].name) != n || memcmp(kinds[i].name, line, n) != 0)
			continue;
		item = kmln_pool_append(
			parser->pool, &record->items, &record->count, sizeof(*item));
		item->kind = (enum kmln_record_kind)i;
		item->line = parser->line;
		r = parse_fields(parser, item, line + n, size - n, &seen, err);
		return r < 0 ? r : check_fields(parser, item, seen, err);
	}
	return bad(parser, err, "a kind of change that is not known");
}

#define HEAD "kmln-record 1 version="
#define PLATFORM " platform="

static int parse_head(struct parser *parser, const char *line, size_t size, struct kmln_error *err)
{
	const char *text = kmln_pool_memdup(parser->pool, line, size);
	const char *version = text + strlen(HEAD), *platform;

	if (!kmln_starts(text, HEAD) || !(platform = strstr(version, PLATFORM)) || size > 200)
		return bad(parser, err, "not a record that this kmln knows");
	parser->record->version =
		kmln_pool_memdup(parser->pool, version, (size_t)(platform - version));
	parser->record->platform = platform + strlen(PLATFORM);
	return 0;
}

static void parser_fini(struct parser *parser)
{
	kmln_buf_fini(&parser->old);
	kmln_buf_fini(&parser->new);
}

int kmln_record_parse(const char *text, size_t size, struct kmln_pool *pool,
	struct kmln_record *record, struct kmln_error *err)
{
	KMLN_CLEANUP(parser_fini) struct parser parser = {.pool = pool, .record = record};
	int r = 0;

	*record = (struct kmln_record){0};
	if (size > KMLN_RECORD_MAX)
		return kmln_fail(err, KMLN_EINVALID, "longer than a record can be");
	for (parser.line = 1; size; parser.line++) {
		const char *nl = memchr(text, '\n', size);
		size_t n = nl ? (size_t)(nl - text) : size;

		if (!nl)
			return bad(&parser, err, "it has no end");
		if (parser.line == 1)
			r = parse_head(&parser, text, n, err);
		else if (n && (*text == '-' || *text == '+'))
			r = parse_text(&parser, text, n, err);
		else
			r = parse_item(&parser, text, n, err);
		if (r < 0)
			return r;
		text += n + 1;
		size -= n + 1;
	}
	if (parser.line == 1)
		return bad(&parser, err, "it is empty");
	return end_item(&parser, err);
}
