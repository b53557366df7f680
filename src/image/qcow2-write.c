// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file: header, refcount table, refcount blocks, L1 table, L2 tables, data, each from a cluster
 * on. The whole of it is laid out before anything is written. Numbers are big endian.
 */
#include "image/qcow2-write.h"

#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define CLUSTER KMLN_QCOW2_CLUSTER
#define CLUSTER_BITS 16
#define MAGIC 0x514649fbu
#define VERSION 3u
#define HEADER_SIZE 104u
#define EXTENSION_BACKING 0xe2792acau
#define L2_ENTRIES (CLUSTER / 8)
#define REFCOUNTS (CLUSTER / 2) /* in a block: 16 bits each */
#define BACKING_MAX 1023u
#define ONCE (1ull << 63) /* its cluster has one user */
#define ZEROES 1ull /* reads as zeroes, and has no cluster */
#define BLOCK 4096u

struct header {
	uint32_t magic, version;
	uint64_t backing_offset;
	uint32_t backing_size, cluster_bits;
	uint64_t size;
	uint32_t crypt, l1_size;
	uint64_t l1_offset, refcounts_offset;
	uint32_t refcounts_clusters, snapshots;
	uint64_t snapshots_offset, incompatible, compatible, autoclear;
	uint32_t refcount_order, length;
};
_Static_assert(sizeof(struct header) == HEADER_SIZE, "no padding in it");

/* Where things are, in clusters of the file. */
struct layout {
	uint64_t table, table_count; /* of refcounts */
	uint64_t blocks, block_count;
	uint64_t l1, l1_count, l1_entries;
	uint64_t l2, l2_count;
	uint64_t data, data_count;
	uint64_t end;
};

void kmln_clusters_init(struct kmln_clusters *clusters, uint64_t disk_size)
{
	clusters->count = (disk_size + CLUSTER - 1) / CLUSTER;
	clusters->bits = kmln_malloc((size_t)(clusters->count / 8 + 1));
	memset(clusters->bits, 0, (size_t)(clusters->count / 8 + 1));
}

void kmln_clusters_fini(struct kmln_clusters *clusters)
{
	free(clusters->bits);
	clusters->bits = NULL;
}

void kmln_clusters_mark(struct kmln_clusters *clusters, uint64_t offset, uint64_t size)
{
	for (uint64_t n = offset / CLUSTER; n * CLUSTER < offset + size && n < clusters->count; n++)
		clusters->bits[n / 8] |= (unsigned char)(1u << n % 8);
}

static bool is_marked(const struct kmln_clusters *clusters, uint64_t n)
{
	return clusters->bits[n / 8] >> n % 8 & 1;
}

static uint64_t in_clusters(uint64_t bytes)
{
	return (bytes + CLUSTER - 1) / CLUSTER;
}

static struct layout lay_out(const struct kmln_clusters *clusters)
{
	struct layout l = {
		.l1_entries = (clusters->count + L2_ENTRIES - 1) / L2_ENTRIES,
		.table = 1,
	};
	uint64_t last = UINT64_MAX, rest;

	for (uint64_t n = 0; n < clusters->count; n++)
		if (is_marked(clusters, n)) {
			l.data_count++;
			l.l2_count += n / L2_ENTRIES != last;
			last = n / L2_ENTRIES;
		}
	l.l1_count = in_clusters(l.l1_entries * 8);
	rest = 1 + l.l1_count + l.l2_count + l.data_count;
	/* what counts is counted as well */
	do {
		l.end = rest + l.table_count + l.block_count;
		l.block_count = (l.end + REFCOUNTS - 1) / REFCOUNTS;
		l.table_count = in_clusters(l.block_count * 8);
	} while (rest + l.table_count + l.block_count != l.end);
	l.blocks = l.table + l.table_count;
	l.l1 = l.blocks + l.block_count;
	l.l2 = l.l1 + l.l1_count;
	l.data = l.l2 + l.l2_count;
	return l;
}

static int write_header(
	int fd, const struct layout *l, uint64_t size, const char *backing, struct kmln_error *err)
{
	const size_t name = strlen(backing);
	/* an extension is as long as it says, filled up to 8; the last one is empty */
	const uint32_t extensions[] = {htobe32(EXTENSION_BACKING), htobe32(3), 0, 0, 0, 0};
	const struct header header = {
		.magic = htobe32(MAGIC),
		.version = htobe32(VERSION),
		.backing_offset = htobe64(HEADER_SIZE + sizeof(extensions)),
		.backing_size = htobe32((uint32_t)name),
		.cluster_bits = htobe32(CLUSTER_BITS),
		.size = htobe64(size),
		.l1_size = htobe32((uint32_t)l->l1_entries),
		.l1_offset = htobe64(l->l1 * CLUSTER),
		.refcounts_offset = htobe64(l->table * CLUSTER),
		.refcounts_clusters = htobe32((uint32_t)l->table_count),
		.refcount_order = htobe32(4),
		.length = htobe32(HEADER_SIZE),
	};
	KMLN_BUF struct kmln_buf bytes = {0};

	kmln_buf_add(&bytes, &header, sizeof(header));
	kmln_buf_add(&bytes, extensions, sizeof(extensions));
	memcpy(bytes.data + HEADER_SIZE + 8, "raw", 3);
	kmln_buf_add(&bytes, backing, name);
	return kmln_pwrite_all(fd, bytes.data, bytes.size, 0, err);
}

/* Each cluster of the file has one user. */
static int write_refcounts(int fd, const struct layout *l, struct kmln_error *err)
{
	KMLN_FREE uint64_t *table = kmln_malloc((size_t)l->block_count * 8);
	KMLN_FREE uint16_t *counts = kmln_malloc((size_t)l->end * 2);
	int r;

	for (uint64_t i = 0; i < l->block_count; i++)
		table[i] = htobe64((l->blocks + i) * CLUSTER);
	for (uint64_t i = 0; i < l->end; i++)
		counts[i] = htobe16(1);
	r = kmln_pwrite_all(fd, table, (size_t)l->block_count * 8, l->table * CLUSTER, err);
	return r < 0 ? r
		     : kmln_pwrite_all(fd, counts, (size_t)l->end * 2, l->blocks * CLUSTER, err);
}

static bool is_zero(const char *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* What of a cluster is zero stays a hole of the file. 1: all of it is. */
static int write_cluster(int fd, uint64_t at, struct kmln_device *device, uint64_t number,
	char *bytes, struct kmln_error *err)
{
	const uint64_t left = device->size - number * CLUSTER;
	const size_t size = left < CLUSTER ? (size_t)left : CLUSTER;
	int r = kmln_device_read(device, bytes, size, number * CLUSTER, err);

	if (r < 0)
		return r;
	memset(bytes + size, 0, CLUSTER - size);
	if (is_zero(bytes, CLUSTER))
		return 1;
	for (size_t i = 0; r == 0 && i < CLUSTER; i += BLOCK)
		if (!is_zero(bytes + i, BLOCK))
			r = kmln_pwrite_all(fd, bytes + i, BLOCK, at * CLUSTER + i, err);
	return r;
}

static int write_data(int fd, const struct layout *l, struct kmln_device *device,
	const struct kmln_clusters *clusters, struct kmln_error *err)
{
	KMLN_FREE uint64_t *l1 = kmln_malloc((size_t)l->l1_entries * 8 + 8);
	KMLN_FREE uint64_t *l2 = kmln_malloc(CLUSTER);
	KMLN_FREE char *bytes = kmln_malloc(CLUSTER);
	uint64_t next_l2 = l->l2, next = l->data;
	int r = 0;

	memset(l1, 0, (size_t)l->l1_entries * 8 + 8);
	for (uint64_t t = 0; r >= 0 && t < l->l1_entries; t++) {
		uint64_t n = t * L2_ENTRIES, end = n + L2_ENTRIES;
		bool any = false;

		memset(l2, 0, CLUSTER);
		for (; r >= 0 && n < end && n < clusters->count; n++) {
			if (!is_marked(clusters, n))
				continue;
			any = true;
			r = write_cluster(fd, next, device, n, bytes, err);
			/* also one of zeroes keeps its place: what is laid out stays true */
			l2[n % L2_ENTRIES] =
				htobe64(next++ * CLUSTER | ONCE | (r > 0 ? ZEROES : 0));
		}
		if (r < 0 || !any)
			continue;
		l1[t] = htobe64(next_l2 * CLUSTER | ONCE);
		r = kmln_pwrite_all(fd, l2, CLUSTER, next_l2++ * CLUSTER, err);
	}
	return r < 0 ? r : kmln_pwrite_all(fd, l1, (size_t)l->l1_entries * 8, l->l1 * CLUSTER, err);
}

int kmln_qcow2_write(int fd, const char *backing, struct kmln_device *device,
	const struct kmln_clusters *clusters, struct kmln_error *err)
{
	const struct layout l = lay_out(clusters);
	int r;

	if (strlen(backing) > BACKING_MAX)
		return kmln_fail(err, KMLN_EUSAGE,
			"%s: too long for the name of a backing file, which has at most %u bytes",
			backing, BACKING_MAX);
	if (ftruncate(fd, (off_t)(l.end * CLUSTER)) < 0)
		return kmln_fail_sys(err, errno, "make room");
	r = write_data(fd, &l, device, clusters, err);
	if (r == 0)
		r = write_refcounts(fd, &l, err);
	return r < 0 ? r : write_header(fd, &l, device->size, backing, err);
}

int kmln_qcow2_size(const char *path, uint64_t *size, struct kmln_error *err)
{
	KMLN_FD int fd = kmln_open(path, O_RDONLY, 0, err);
	struct header header;
	int r = fd < 0 ? fd : kmln_pread_all(fd, &header, sizeof(header), 0, err);

	if (r == 0 && (be32toh(header.magic) != MAGIC || be32toh(header.version) != VERSION))
		r = kmln_fail(err, KMLN_EINVALID, "not a qcow2 image");
	*size = r == 0 ? be64toh(header.size) : 0;
	return r < 0 && fd >= 0 ? kmln_wrap(err, "%s", path) : r;
}
