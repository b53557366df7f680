// SPDX-License-Identifier: GPL-2.0-or-later
/* Formats by their magic, and the headers of qcow2, VDI, VHD and QED; VMDK's is vmdk.c. */
#include "image/formats.h"

#include <string.h>

#include "image/formats-private.h"

struct magic {
	const char *format;
	size_t offset;
	const char *bytes;
	size_t size;
};

static const struct magic magics[] = {
	{"qcow2", 0, "QFI\xfb", 4},
	{"vmdk", 0, "KDMV", 4},
	{"vmdk", 0, "# Disk DescriptorFile", 21},
	{"vdi", 0x40, "\x7f\x10\xda\xbe", 4},
	{"vhdx", 0, "vhdxfile", 8},
	{"vhd", 0, "conectix", 8},
	{"qed", 0, "QED\0", 4},
	{"uml-cow", 0, "OOOM", 4},
	{"compressed (gzip)", 0, "\x1f\x8b\x08", 3},
	{"compressed (xz)", 0,
		"\xfd"
		"7zXZ",
		5},
	{"compressed (zstd)", 0, "\x28\xb5\x2f\xfd", 4},
};

const char *kmln_format_name(const void *bytes, size_t size)
{
	for (size_t i = 0; i < KMLN_COUNT(magics); i++)
		if (size >= magics[i].offset + magics[i].size &&
			memcmp((const char *)bytes + magics[i].offset, magics[i].bytes,
				magics[i].size) == 0)
			return magics[i].format;
	return "raw";
}

uint64_t kmln_field(const struct kmln_bytes *b, size_t offset, size_t width, bool big)
{
	uint64_t value = 0;

	if (offset > b->size || width > b->size - offset)
		return 0;
	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)b->data[offset + i] << 8 * (big ? width - 1 - i : i);
	return value;
}

int kmln_header_name(const struct kmln_bytes *b, uint64_t offset, uint64_t length,
	struct kmln_pool *pool, const char **name, struct kmln_error *err)
{
	uint64_t end;

	/* QEMU takes no longer ones either */
	if (length > 1023)
		return kmln_fail(err, KMLN_EINVALID,
			"damaged: it names a file with %llu bytes in its name",
			(unsigned long long)length);
	if (kmln_add_overflow(offset, length, &end) || end > b->size)
		return kmln_fail(
			err, KMLN_EINVALID, "damaged: the name of a file lies outside its header");
	if (!length || memchr(b->data + offset, 0, (size_t)length))
		return kmln_fail(err, KMLN_EINVALID, "damaged: it names a file whose name is %s",
			length ? "cut by a NUL" : "empty");
	*name = kmln_pool_memdup(pool, b->data + offset, (size_t)length);
	return 0;
}

/* ---- qcow2: big-endian; docs/interop/qcow2.txt of QEMU ---- */

enum {
	QCOW2_CORRUPT = 1 << 1,
	QCOW2_DATA_FILE = 1 << 2,
	QCOW2_KNOWN = 0x1f, /* dirty, corrupt, data file, compression type, extended L2 */
	QCOW2_END = 0,
};

#define QCOW2_BACKING_FORMAT 0xe2792acau
#define QCOW2_DATA_FILE_NAME 0x44415441u

/* Header extensions: a type, a length, so many bytes, padded to 8. */
static int qcow2_extensions(const struct kmln_bytes *b, uint64_t at, uint64_t end,
	struct kmln_pool *pool, struct kmln_header *header, struct kmln_error *err)
{
	int r = 0;

	while (r == 0 && at + 8 <= end) {
		uint64_t type = kmln_field(b, (size_t)at, 4, true);
		uint64_t length = kmln_field(b, (size_t)at + 4, 4, true);

		at += 8;
		if (type == QCOW2_END)
			break;
		if (length > end - at)
			return kmln_fail(err, KMLN_EINVALID,
				"damaged: an extension of its header does not end in it");
		if (type == QCOW2_BACKING_FORMAT)
			r = kmln_header_name(b, at, length, pool, &header->backing_format, err);
		else if (type == QCOW2_DATA_FILE_NAME)
			r = kmln_header_name(b, at, length, pool, &header->data, err);
		at += (length + 7) & ~7ull;
	}
	return r;
}

static int qcow2(const struct kmln_bytes *b, struct kmln_pool *pool, struct kmln_header *header,
	struct kmln_error *err)
{
	uint64_t version = kmln_field(b, 4, 4, true), features = 0, length = 72;
	uint64_t name = kmln_field(b, 8, 8, true), name_size = kmln_field(b, 16, 4, true);
	uint64_t cluster_bits = kmln_field(b, 20, 4, true), end;
	int r = 0;

	if (version != 2 && version != 3)
		return kmln_fail(err, KMLN_EINVALID,
			"version %llu of the format, which kmln does not read; copy it with "
			"qemu-img convert",
			(unsigned long long)version);
	if (b->size < (version == 3 ? 104 : 72) || cluster_bits < 9 || cluster_bits > 21)
		return kmln_fail(err, KMLN_EINVALID, "damaged: its header cannot be");
	if (kmln_field(b, 32, 4, true))
		return kmln_fail(err, KMLN_EINVALID, "encrypted; copy it with qemu-img convert");
	if (version == 3) {
		features = kmln_field(b, 72, 8, true);
		length = kmln_field(b, 100, 4, true);
	}
	if (features & ~(uint64_t)QCOW2_KNOWN)
		return kmln_fail(err, KMLN_EINVALID,
			"it has features that this version of kmln does not know (%#llx)",
			(unsigned long long)(features & ~(uint64_t)QCOW2_KNOWN));
	if (features & QCOW2_CORRUPT)
		header->read_only = "it is marked as corrupt: qemu-img check -r all mends that";
	end = (uint64_t)1 << cluster_bits;
	if (length < (version == 3 ? 104 : 72) || length > end || name > end)
		return kmln_fail(err, KMLN_EINVALID, "damaged: its header cannot be");
	if (name) {
		end = name;
		r = kmln_header_name(b, name, name_size, pool, &header->backing, err);
	}
	if (end > b->size)
		end = b->size;
	if (r == 0)
		r = qcow2_extensions(b, length, end, pool, header, err);
	if (r == 0 && (features & QCOW2_DATA_FILE) && !header->data)
		r = kmln_fail(err, KMLN_EINVALID,
			"its data lies in another file, and it does not say in which");
	if (!(features & QCOW2_DATA_FILE))
		header->data = NULL;
	return r;
}

/* ---- the others ---- */

static int vdi(const struct kmln_bytes *b, struct kmln_error *err)
{
	uint64_t type = kmln_field(b, 0x4c, 4, false);

	if (type == 1 || type == 2) /* dynamic, fixed */
		return 0;
	return kmln_fail(err, KMLN_EINVALID,
		"a differencing VDI, of which the rest is in other files; "
		"VBoxManage clonemedium makes one whole file of them");
}

static int vhd(const struct kmln_bytes *b, struct kmln_error *err)
{
	uint64_t type = kmln_field(b, 60, 4, true);

	if (type == 3) /* dynamic; fixed ones are known by their end */
		return 0;
	if (type == 4)
		return kmln_fail(err, KMLN_EINVALID,
			"a differencing VHD, of which the rest is in other files; merge it with "
			"its parent first (Merge-VHD, VBoxManage clonemedium)");
	return kmln_fail(err, KMLN_EINVALID, "damaged: a VHD of no known type");
}

static int qed(const struct kmln_bytes *b, struct kmln_error *err)
{
	if (kmln_field(b, 16, 8, false) & 1) /* features: a backing file */
		return kmln_fail(err, KMLN_EINVALID,
			"a QED image with a backing file; make one file of them: "
			"qemu-img convert -O qcow2 FILE NEW");
	return 0;
}

int kmln_header_parse(const void *bytes, size_t size, struct kmln_pool *pool,
	struct kmln_header *header, struct kmln_error *err)
{
	const struct kmln_bytes b = {bytes, size};

	*header = (struct kmln_header){.format = kmln_format_name(bytes, size)};
	header->driver = header->format;
	if (kmln_eq(header->format, "qcow2"))
		return qcow2(&b, pool, header, err);
	if (kmln_eq(header->format, "vmdk"))
		return kmln_vmdk_header(&b, pool, header, err);
	if (kmln_eq(header->format, "vdi"))
		return vdi(&b, err);
	if (kmln_eq(header->format, "qed"))
		return qed(&b, err);
	if (kmln_eq(header->format, "vhdx"))
		return 0;
	if (!kmln_eq(header->format, "vhd"))
		return kmln_fail(err, KMLN_EINVALID, "not an image of a format that kmln reads");
	header->driver = "vpc";
	return vhd(&b, err);
}

bool kmln_vhd_fixed(const unsigned char sector[512], uint64_t file_size)
{
	const struct kmln_bytes b = {sector, 512};
	uint32_t sum = 0;

	if (memcmp(sector, "conectix", 8) != 0 || kmln_field(&b, 60, 4, true) != 2 ||
		kmln_field(&b, 48, 8, true) != file_size - 512)
		return false;
	/* a checksum of all bytes but its own */
	for (size_t i = 0; i < 512; i++)
		sum += i >= 64 && i < 68 ? 0 : sector[i];
	return ~sum == kmln_field(&b, 64, 4, true);
}
