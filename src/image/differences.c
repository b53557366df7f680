// SPDX-License-Identifier: GPL-2.0-or-later
/* Comparing facts; see differences.h. Nothing of the tree is read here. */
#include "image/differences.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int compare_keys(const struct kmln_package *a, const struct kmln_package *b)
{
	int order = strcmp(or_empty(a->name), or_empty(b->name));

	return order ? order : strcmp(or_empty(a->architecture), or_empty(b->architecture));
}

static int compare_packages(const void *a, const void *b)
{
	const struct kmln_package *x = *(const struct kmln_package *const *)a;
	const struct kmln_package *y = *(const struct kmln_package *const *)b;
	int order = compare_keys(x, y);

	return order ? order : strcmp(or_empty(x->version), or_empty(y->version));
}

static const struct kmln_package **sorted(const struct kmln_facts *facts, struct kmln_pool *pool)
{
	const struct kmln_package **list =
		kmln_pool_array(pool, facts->package_count + 1, sizeof(*list));

	for (size_t i = 0; i < facts->package_count; i++)
		list[i] = &facts->packages[i];
	if (facts->package_count)
		qsort(list, facts->package_count, sizeof(*list), compare_packages);
	return list;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(or_empty(a), or_empty(b)) == 0;
}

void kmln_packages_compare(const struct kmln_facts *a, const struct kmln_facts *b,
	struct kmln_pool *pool, struct kmln_package_change **changes, size_t *count)
{
	const struct kmln_package **in_a = sorted(a, pool), **in_b = sorted(b, pool);

	*changes = NULL;
	*count = 0;
	while (*in_a || *in_b) {
		int order = !*in_a ? 1 : !*in_b ? -1 : compare_keys(*in_a, *in_b);
		struct kmln_package_change change = {
			order <= 0 ? *in_a : NULL, order >= 0 ? *in_b : NULL};

		in_a += order <= 0;
		in_b += order >= 0;
		if (order == 0 && same_text(change.a->version, change.b->version) &&
			same_text(change.a->status, change.b->status))
			continue;
		*(struct kmln_package_change *)kmln_pool_append(
			pool, changes, count, sizeof(change)) = change;
	}
}

struct disks {
	struct kmln_pool *pool;
	struct kmln_disk_change **changes;
	size_t *count;
};

static void text(struct disks *disks, const char *what, const char *a, const char *b)
{
	if (same_text(a, b) && !a == !b)
		return;
	*(struct kmln_disk_change *)kmln_pool_append(disks->pool, disks->changes, disks->count,
		sizeof(struct kmln_disk_change)) = (struct kmln_disk_change){what, a, b};
}

static void number(struct disks *disks, const char *what, uint64_t a, uint64_t b)
{
	if (a != b)
		text(disks, what, kmln_pool_printf(disks->pool, "%llu", (unsigned long long)a),
			kmln_pool_printf(disks->pool, "%llu", (unsigned long long)b));
}

static const struct kmln_partition *find_partition(const struct kmln_facts *facts, unsigned number)
{
	for (size_t i = 0; i < facts->partition_count; i++)
		if (facts->partitions[i].number == number)
			return &facts->partitions[i];
	return NULL;
}

static const char *describe(struct disks *disks, const struct kmln_partition *p)
{
	return p ? kmln_pool_printf(disks->pool, "%llu bytes at %llu, %s",
			   (unsigned long long)p->range.size, (unsigned long long)p->range.offset,
			   p->type_name ? p->type_name : or_empty(p->type))
		 : NULL;
}

static void partition(
	struct disks *disks, const struct kmln_partition *a, const struct kmln_partition *b)
{
	unsigned n = a ? a->number : b->number;
#define FIELD(name) kmln_pool_printf(disks->pool, "partition %u %s", n, name)

	if (!a || !b) {
		text(disks, kmln_pool_printf(disks->pool, "partition %u", n), describe(disks, a),
			describe(disks, b));
		return;
	}
	number(disks, FIELD("start"), a->range.offset, b->range.offset);
	number(disks, FIELD("size"), a->range.size, b->range.size);
	text(disks, FIELD("type"), a->type, b->type);
	text(disks, FIELD("uuid"), a->uuid, b->uuid);
	text(disks, FIELD("name"), a->name, b->name);
	text(disks, FIELD("active"), a->active ? "yes" : "no", b->active ? "yes" : "no");
#undef FIELD
}

static void partitions(struct disks *disks, const struct kmln_facts *a, const struct kmln_facts *b)
{
	for (size_t i = 0; i < a->partition_count; i++)
		partition(disks, &a->partitions[i], find_partition(b, a->partitions[i].number));
	for (size_t i = 0; i < b->partition_count; i++)
		if (!find_partition(a, b->partitions[i].number))
			partition(disks, NULL, &b->partitions[i]);
}

/* The first sector is divided as an MBR is, whatever is in it. */
static int first_sector(struct disks *disks, const struct kmln_source *a,
	const struct kmln_source *b, struct kmln_error *err)
{
	static const struct {
		const char *what;
		size_t start, end;
	} parts[] = {
		{"first sector, boot code (bytes 0 to 439)", 0, 440},
		{"first sector, disk id (bytes 440 to 445)", 440, 446},
		{"first sector, partition table (bytes 446 to 509)", 446, 510},
		{"first sector, signature (bytes 510 and 511)", 510, 512},
	};
	char x[SECTOR], y[SECTOR];
	int r = kmln_device_read(a->disk.device, x, sizeof(x), 0, err);

	if (r == 0)
		r = kmln_device_read(b->disk.device, y, sizeof(y), 0, err);
	for (size_t i = 0; r == 0 && i < KMLN_COUNT(parts); i++) {
		KMLN_BUF struct kmln_buf in_a = {0}, in_b = {0};

		if (memcmp(x + parts[i].start, y + parts[i].start, parts[i].end - parts[i].start) ==
			0)
			continue;
		for (size_t at = parts[i].start; at < parts[i].end; at++) {
			kmln_buf_printf(&in_a, "%02x", (unsigned char)x[at]);
			kmln_buf_printf(&in_b, "%02x", (unsigned char)y[at]);
		}
		text(disks, parts[i].what, kmln_pool_strdup(disks->pool, in_a.data),
			kmln_pool_strdup(disks->pool, in_b.data));
	}
	return r;
}

int kmln_disks_compare(const struct kmln_source *a, const struct kmln_source *b,
	struct kmln_pool *pool, struct kmln_disk_change **changes, size_t *count,
	struct kmln_error *err)
{
	const struct kmln_facts *in_a = kmln_source_disk(a), *in_b = kmln_source_disk(b);
	struct disks disks = {pool, changes, count};

	*changes = NULL;
	*count = 0;
	if (!in_a || !in_b)
		return 0;
	number(&disks, "size", in_a->size, in_b->size);
	text(&disks, "partition table", in_a->table, in_b->table);
	text(&disks, "disk id", in_a->disk_id, in_b->disk_id);
	text(&disks, "boot code", in_a->boot, in_b->boot);
	partitions(&disks, in_a, in_b);
	return first_sector(&disks, a, b, err);
}
