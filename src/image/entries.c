// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bzImage says where its payload lies; that is an ELF, compressed, whose program headers stand at
 * its begin and say where its notes are. It is unpacked as far as there, and not kept. See
 * Documentation/x86/boot.rst of Linux, and xen/include/public/elfnote.h of Xen.
 */
#include "image/entries.h"

#include <elf.h>
#include <string.h>

#include "image/unpack.h"

/* A bzImage's real-mode code, in front of the payload; and the least that shall follow it. */
#define FRONT_MAX (1u << 20)
#define FRONT_MORE 512u
#define KERNELS_MAX 8
#define HEAD_MAX 4096u /* an ELF's headers: Linux has five */
#define NOTES_MAX (64u << 10)
/* Beyond these no notes are looked for: a compressed image of megabytes may unpack to terabytes. */
#define NOTES_END (256u << 20)

enum { NOTE_ENTRY = 1, NOTE_VIRT_BASE = 3, NOTE_PHYS32_ENTRY = 18 };

/* An ELF that comes in pieces, out of the payload of an image that comes in pieces. */
struct elf {
	struct kmln_file *file;
	uint64_t hole; /* zeros that the file has next */
	struct kmln_buf front; /* the image's first bytes */
	size_t front_at; /* where in them the payload begins; SIZE_MAX: they were given */
	uint64_t left; /* bytes of the payload */
	unsigned char head[HEAD_MAX];
	size_t head_size;
	bool known; /* the head was looked at */
	uint64_t at; /* of the next byte */
	uint64_t from, to; /* where the notes are; the same: nowhere */
	unsigned char *notes; /* NOTES_MAX bytes */
	struct kmln_entries *entries;
};

static uint16_t le16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const unsigned char *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const unsigned char *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static size_t padded(uint32_t size)
{
	return ((size_t)size + 3) & ~(size_t)3;
}

static void read_notes(const unsigned char *notes, size_t size, struct kmln_entries *entries)
{
	bool entry = false, base = false;

	for (size_t at = 0; size - at >= 12;) {
		uint32_t name = le32(notes + at), value = le32(notes + at + 4);
		uint32_t type = le32(notes + at + 8);
		size_t length = 12 + padded(name) + padded(value);

		if (length > size - at)
			break;
		if (name == 4 && memcmp(notes + at + 12, "Xen", 4) == 0) {
			entry = entry || type == NOTE_ENTRY;
			base = base || type == NOTE_VIRT_BASE;
			entries->xen_pvh = entries->xen_pvh || type == NOTE_PHYS32_ENTRY;
		}
		at += length;
	}
	entries->xen_pv = entries->xen_pv || (entry && base);
}

/* Fills in where the notes are. A kernel for x86 is a little-endian ELF of 32 or 64 bits. */
static void read_head(struct elf *elf)
{
	const unsigned char *h = elf->head;
	const bool wide = h[EI_CLASS] == ELFCLASS64;
	uint64_t table;
	uint16_t count, size;

	elf->known = true;
	if (elf->head_size < sizeof(Elf64_Ehdr) || memcmp(h, ELFMAG, SELFMAG) != 0 ||
		h[EI_DATA] != ELFDATA2LSB || (!wide && h[EI_CLASS] != ELFCLASS32))
		return;
	elf->entries->arch = le16(h + 18) == EM_X86_64 ? "x86-64"
			     : le16(h + 18) == EM_386  ? "i386"
						       : "other";
	table = wide ? le64(h + 32) : le32(h + 28);
	size = le16(h + (wide ? 54 : 42));
	count = le16(h + (wide ? 56 : 44));
	if (size != (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return;
	for (uint16_t i = 0; i < count; i++) {
		uint64_t at = table + (uint64_t)i * size, from, length;

		if (table > HEAD_MAX || at + size > elf->head_size)
			return;
		if (le32(h + at) != PT_NOTE)
			continue;
		from = wide ? le64(h + at + 8) : le32(h + at + 4);
		length = wide ? le64(h + at + 32) : le32(h + at + 16);
		if (from > NOTES_END || length > NOTES_MAX)
			continue;
		elf->from = from;
		elf->to = from + length;
		return;
	}
}

/* Keeps what of the notes is in these bytes, which begin at `at`. */
static void keep_notes(struct elf *elf, const void *bytes, uint64_t at, size_t size)
{
	uint64_t from = at > elf->from ? at : elf->from;
	uint64_t to = at + size < elf->to ? at + size : elf->to;

	if (from < to)
		memcpy(elf->notes + (from - elf->from), (const char *)bytes + (from - at),
			to - from);
}

static void look_at_head(struct elf *elf)
{
	read_head(elf);
	keep_notes(elf, elf->head, 0, elf->head_size);
}

static int take(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct elf *elf = data;

	(void)err;
	if (!elf->known) {
		size_t n = sizeof(elf->head) - elf->head_size;

		n = size < n ? size : n;
		memcpy(elf->head + elf->head_size, bytes, n);
		elf->head_size += n;
		if (elf->head_size == sizeof(elf->head))
			look_at_head(elf);
	}
	keep_notes(elf, bytes, elf->at, size);
	elf->at += size;
	/* also where there are no notes */
	return elf->known && elf->at >= elf->to;
}

/* The next piece of the file; a hole is given as zeros, a block of them at a time. */
static int next_piece(struct elf *elf, const char **bytes, size_t *size, struct kmln_error *err)
{
	static const char zeros[4096];
	uint64_t length = 0;
	int r = 0;

	if (!elf->hole) {
		r = kmln_file_next(elf->file, bytes, &length, err);
		if (r < 0 || *bytes || !length) {
			*size = length;
			return r;
		}
		elf->hole = length;
	}
	*bytes = zeros;
	*size = elf->hole < sizeof(zeros) ? elf->hole : sizeof(zeros);
	elf->hole -= *size;
	return 0;
}

/* Fills `front` up to this size, or to the file's end. */
static int fill_front(struct elf *elf, size_t wanted, struct kmln_error *err)
{
	while (elf->front.size < wanted) {
		const char *bytes;
		size_t size;
		int r = next_piece(elf, &bytes, &size, err);

		if (r < 0 || !size)
			return r;
		kmln_buf_add(&elf->front, bytes, size);
	}
	return 0;
}

/* A kmln_packed_fn: the payload. */
static int give(void *data, const char **bytes, size_t *size, struct kmln_error *err)
{
	struct elf *elf = data;
	int r = 0;

	if (elf->front_at != SIZE_MAX) {
		*bytes = elf->front.data + elf->front_at;
		*size = elf->front.size - elf->front_at;
		elf->front_at = SIZE_MAX;
	} else {
		r = next_piece(elf, bytes, size, err);
	}
	if (*size > elf->left)
		*size = elf->left;
	elf->left -= *size;
	return r;
}

/* Where the payload of the image lies, of which `front` are the first bytes; false: nowhere. */
static bool find_payload(struct elf *elf)
{
	const unsigned char *bytes = (const unsigned char *)elf->front.data;
	uint64_t from;

	elf->front_at = 0;
	elf->left = UINT64_MAX;
	if (elf->front.size < 0x250 || memcmp(bytes + 0x202, "HdrS", 4) != 0)
		return elf->front.size > 0;
	elf->entries->pc = true;
	from = ((bytes[0x1f1] ? bytes[0x1f1] : 4u) + 1) * 512u + (uint64_t)le32(bytes + 0x248);
	elf->left = le32(bytes + 0x24c);
	elf->front_at = from < FRONT_MAX ? from : FRONT_MAX;
	/* older ones carry something else */
	return le16(bytes + 0x206) >= 0x208 && from < FRONT_MAX;
}

static int read_payload(struct elf *elf, struct kmln_error *err)
{
	struct kmln_error damaged;
	int r = fill_front(elf, 0x250, err);

	if (r < 0 || !find_payload(elf))
		return r;
	r = fill_front(elf, elf->front_at + FRONT_MORE, err);
	if (r < 0 || elf->front.size <= elf->front_at)
		return r;
	/* damage behind the notes is not met; in front of them there is nothing to be found */
	if (kmln_unpack(give, take, elf, &damaged) < 0)
		return 0;
	if (!elf->known)
		look_at_head(elf);
	if (elf->to > elf->from && elf->at >= elf->to)
		read_notes(elf->notes, elf->to - elf->from, elf->entries);
	return 0;
}

int kmln_entries_read(struct kmln_tree *tree, const char *path, struct kmln_entries *entries,
	struct kmln_error *err)
{
	KMLN_FREE unsigned char *notes = kmln_malloc(NOTES_MAX);
	KMLN_FREE struct elf *elf = kmln_malloc(sizeof(*elf));
	int r;

	*entries = (struct kmln_entries){0};
	*elf = (struct elf){.notes = notes, .entries = entries};
	r = kmln_tree_open(tree, path, &elf->file, err);
	if (r == 0)
		r = read_payload(elf, err);
	kmln_file_close(&elf->file);
	kmln_buf_fini(&elf->front);
	return r;
}

static int inspect_kernel(struct kmln_tree *tree, struct kmln_kernel *kernel,
	struct kmln_pool *pool, struct kmln_error *err)
{
	const char **list = kmln_pool_array(pool, 4, sizeof(char *));
	struct kmln_entries entries;
	size_t count = 0;
	int r = kmln_entries_read(tree, kernel->image, &entries, err);

	if (r < 0)
		return r;
	if (entries.pc)
		list[count++] = KMLN_ENTRY_PC;
	if (entries.xen_pv)
		list[count++] = KMLN_ENTRY_XEN_PV;
	if (entries.xen_pvh)
		list[count++] = KMLN_ENTRY_XEN_PVH;
	kernel->entries = list;
	/* a kernel for Xen alone is a compressed ELF, without a header that tells */
	if (!kernel->arch && count)
		kernel->arch = entries.arch;
	return 0;
}

int kmln_kernels_inspect(struct kmln_tree *tree, const char *release, bool with_files,
	struct kmln_pool *pool, struct kmln_kernel **kernels, size_t *count, struct kmln_error *err)
{
	int r = kmln_kernels_read(tree, release, with_files, pool, kernels, count, err);

	for (size_t i = 0, seen = 0; r == 0 && i < *count && seen < KERNELS_MAX; i++) {
		if (!(*kernels)[i].image)
			continue;
		r = inspect_kernel(tree, &(*kernels)[i], pool, err);
		seen++;
	}
	return r;
}
