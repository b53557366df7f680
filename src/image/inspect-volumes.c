// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LVM, LUKS and md, by the headers at their known places. libblkid has said which of them it is;
 * here stand the names that people gave. All numbers are checked against the part they came from.
 */
#include "image/inspect-volumes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX 1000
#define METADATA_MAX (1u << 20) /* LVM's own default for the area as a whole */
#define NAME_MAX_ 128

bool kmln_volume_read(const struct kmln_part *part, void *to, size_t size, uint64_t offset)
{
	struct kmln_error ignored;
	uint64_t at;

	if (offset > part->range.size || size > part->range.size - offset ||
		kmln_add_overflow(part->range.offset, offset, &at))
		return false;
	return kmln_device_read(part->device, to, size, at, &ignored) == 0;
}

uint64_t kmln_le(const unsigned char *at, int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

bool kmln_volume_member(struct kmln_volume *v, struct kmln_pool *pool, const char *name)
{
	size_t room = v->member_count + 1;

	if (v->member_count >= MEMBERS_MAX) {
		v->problem = "more volumes than can be listed";
		return false;
	}
	/* the array always ends in NULL: at a power of two it is made anew */
	if ((room & (room - 1)) == 0) {
		const char **more = kmln_pool_array(pool, 2 * room, sizeof(char *));

		for (size_t i = 0; i < v->member_count; i++)
			more[i] = v->members[i];
		v->members = more;
	}
	((const char **)v->members)[v->member_count++] = kmln_pool_strdup(pool, name);
	return true;
}

/* A text in a field of fixed length, which need not end in NUL; "" gives NULL. */
static const char *field(struct kmln_pool *pool, const unsigned char *at, size_t size)
{
	size_t n = strnlen((const char *)at, size);

	return n ? kmln_pool_memdup(pool, at, n) : NULL;
}

/* ---- LUKS ---- */

void kmln_volume_luks(const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool)
{
	unsigned char head[512];

	if (!kmln_volume_read(part, head, sizeof(head), 0) ||
		memcmp(head, "LUKS\xba\xbe", 6) != 0) {
		v->problem = "its header cannot be read";
		return;
	}
	v->version = kmln_pool_printf(pool, "%u", (unsigned)head[6] << 8 | head[7]);
	v->uuid = field(pool, head + 168, 40);
	if (kmln_eq(v->version, "2"))
		v->name = field(pool, head + 24, 48);
}

/* ---- md ---- */

static const char *level_name(struct kmln_pool *pool, uint32_t level)
{
	return level == 0xffffffff   ? "linear"
	       : level == 0xfffffffc ? "multipath"
				     : kmln_pool_printf(pool, "raid%u", level);
}

static const char *uuid_text(struct kmln_pool *pool, const unsigned char *u)
{
	return kmln_pool_printf(pool,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		u[15]);
}

static bool has_md_magic(const unsigned char *super, unsigned major)
{
	return kmln_le(super, 4) == 0xa92b4efc && kmln_le(super + 4, 4) == major;
}

/* At 4 kB (1.2), at the beginning (1.1), 8 kB before the end (1.0), in the last 128 kB (0.90). */
void kmln_volume_md(const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool)
{
	const uint64_t size = part->range.size;
	const struct {
		const char *version;
		uint64_t offset;
	} places[] = {{"1.2", 4096}, {"1.1", 0},
		{"1.0", size > 8192 ? (size - 8192) & ~UINT64_C(4095) : 0}};
	unsigned char super[256], uuid[16];

	for (size_t i = 0; i < KMLN_COUNT(places); i++) {
		if (!kmln_volume_read(part, super, sizeof(super), places[i].offset) ||
			!has_md_magic(super, 1))
			continue;
		v->version = places[i].version;
		v->uuid = uuid_text(pool, super + 16);
		v->name = field(pool, super + 32, 32);
		v->level = level_name(pool, (uint32_t)kmln_le(super + 72, 4));
		return;
	}
	if (size >= 131072 &&
		kmln_volume_read(part, super, sizeof(super), (size & ~UINT64_C(65535)) - 65536) &&
		has_md_magic(super, 0)) {
		memcpy(uuid, super + 20, 4);
		memcpy(uuid + 4, super + 52, 12);
		/* as numbers of four bytes, the highest first */
		for (int i = 0; i < 16; i += 4) {
			uint32_t word = (uint32_t)kmln_le(uuid + i, 4);

			for (int b = 0; b < 4; b++)
				uuid[i + b] = (unsigned char)(word >> (24 - 8 * b));
		}
		v->version = "0.90";
		v->uuid = uuid_text(pool, uuid);
		v->level = level_name(pool, (uint32_t)kmln_le(super + 28, 4));
		return;
	}
	v->problem = "its superblock cannot be read";
}

/* ---- LVM ---- */

/* What is read next of LVM's text: a word or a quoted text in `word`, or one of "{}[]=,", or 0. */
static char next_token(const char **text, char word[NAME_MAX_])
{
	const char *p = *text;
	size_t n = 0;
	char kind;

	for (;;) {
		p += strspn(p, " \t\r\n\v\f"); /* what isspace() says: a word ends there */
		if (*p != '#')
			break;
		p += strcspn(p, "\n");
	}
	kind = *p;
	word[0] = '\0';
	if (*p == '"') {
		for (p++; *p && *p != '"'; p++) {
			if (*p == '\\' && p[1])
				p++;
			if (n < NAME_MAX_ - 1)
				word[n++] = *p;
		}
		p += *p == '"';
	} else if (*p && strchr("{}[]=,", *p)) {
		p++;
	} else if (*p) {
		kind = 'w';
		for (; *p && !isspace((unsigned char)*p) && !strchr("{}[]=,\"#", *p); p++)
			if (n < NAME_MAX_ - 1)
				word[n++] = *p;
	}
	word[n] = '\0';
	*text = p;
	return kind;
}

struct lvm_text {
	unsigned depth;
	bool in_volumes; /* in logical_volumes { */
	bool visible; /* the one that is being read is one for people */
	char volume[NAME_MAX_];
};

void kmln_parse_lvm(struct kmln_volume *v, struct kmln_pool *pool, const char *text)
{
	char word[NAME_MAX_], last[NAME_MAX_] = "", key[NAME_MAX_] = "";
	struct lvm_text at = {.depth = 0};

	for (char kind; (kind = next_token(&text, word));) {
		if (kind == '{') {
			at.depth++;
			if (at.depth == 1 && !v->name)
				v->name = kmln_pool_strdup(pool, last);
			else if (at.depth == 2)
				at.in_volumes = strcmp(last, "logical_volumes") == 0;
			else if (at.depth == 3) {
				strcpy(at.volume, last);
				at.visible = false;
			}
		} else if (kind == '}') {
			if (at.depth == 3 && at.in_volumes && at.visible &&
				!kmln_volume_member(v, pool, at.volume))
				return;
			if (at.depth == 0 || --at.depth == 0)
				return;
		} else if (kind == '=') {
			strcpy(key, last);
		} else if (kind == '"') {
			if (at.depth == 1 && strcmp(key, "id") == 0 && !v->uuid)
				v->uuid = kmln_pool_strdup(pool, word);
			else if (at.depth == 3 && strcmp(key, "status") == 0 &&
				 strcmp(word, "VISIBLE") == 0)
				at.visible = true;
		}
		if (kind == 'w')
			strcpy(last, word);
	}
}

/* The metadata is written round in its area, whose first 512 bytes are the head. */
static void read_metadata(
	const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool, uint64_t area)
{
	KMLN_FREE char *text = NULL;
	unsigned char head[512];
	uint64_t area_size, offset, size, first;

	if (!kmln_volume_read(part, head, sizeof(head), area) ||
		memcmp(head + 4, " LVM2 x[5A%r0N*>", 16) != 0) {
		v->problem = "its metadata cannot be read";
		return;
	}
	area_size = kmln_le(head + 32, 8);
	offset = kmln_le(head + 40, 8);
	size = kmln_le(head + 48, 8);
	if (!offset || !size) {
		v->problem = "it belongs to no volume group";
		return;
	}
	if (offset < 512 || area_size > part->range.size || offset >= area_size ||
		size > area_size - 512 || size > METADATA_MAX) {
		v->problem = "its metadata cannot be where it is said to be";
		return;
	}
	text = kmln_malloc((size_t)size + 1);
	first = area_size - offset < size ? area_size - offset : size;
	if (!kmln_volume_read(part, text, (size_t)first, area + offset) ||
		!kmln_volume_read(part, text + first, (size_t)(size - first), area + 512)) {
		v->problem = "its metadata cannot be read";
		return;
	}
	text[size] = '\0';
	kmln_parse_lvm(v, pool, text);
	if (!v->name)
		v->problem = "its metadata is not understood";
}

/* The label in one of the first four sectors; behind it lists of areas: of data, of metadata. */
void kmln_volume_lvm(const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool)
{
	unsigned char sector[512];

	for (unsigned i = 0; i < 4; i++) {
		uint64_t at, area = 0;
		int lists = 0;

		if (!kmln_volume_read(part, sector, sizeof(sector), UINT64_C(512) * i) ||
			memcmp(sector, "LABELONE", 8) != 0 ||
			memcmp(sector + 24, "LVM2 001", 8) != 0)
			continue;
		/* behind the group member's own uuid and size */
		at = kmln_le(sector + 20, 4) + 40;
		for (; lists < 2 && at + 16 <= sizeof(sector); at += 16) {
			uint64_t offset = kmln_le(sector + at, 8);

			if (!offset)
				lists++;
			else if (lists == 1 && !area)
				area = offset;
		}
		if (area)
			read_metadata(part, v, pool, area);
		else
			v->problem = "the metadata of its volume group is kept elsewhere";
		return;
	}
	v->problem = "its label cannot be read";
}

/* ---- all ---- */

void kmln_inspect_volumes(struct kmln_device *device, struct kmln_facts *facts)
{
	static const struct {
		const char *blkid, *type;
		void (*look)(const struct kmln_part *part, struct kmln_volume *v,
			struct kmln_pool *pool);
	} kinds[] = {{"LVM2_member", "lvm", kmln_volume_lvm},
		{"crypto_LUKS", "luks", kmln_volume_luks},
		{"linux_raid_member", "md", kmln_volume_md}, {"btrfs", "btrfs", kmln_volume_btrfs}};

	for (size_t i = 0; i < facts->filesystem_count; i++) {
		const struct kmln_filesystem *fs = &facts->filesystems[i];
		const struct kmln_part part = {device, fs->range};

		for (size_t k = 0; k < KMLN_COUNT(kinds); k++) {
			struct kmln_volume *v;

			if (!kmln_eq(fs->type, kinds[k].blkid))
				continue;
			v = kmln_pool_append(
				facts->pool, &facts->volumes, &facts->volume_count, sizeof(*v));
			v->partition = fs->partition;
			v->type = kinds[k].type;
			kinds[k].look(&part, v, facts->pool);
		}
	}
}
