// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The package databases that are text: dpkg's status and apk's installed, read as streams, and
 * pacman's folder of a file each. However long they are, only one paragraph's fields are held at a
 * time, and the packages that are kept are bounded in number and in bytes.
 */
#include "image/inspect.h"

#include <ctype.h>
#include <string.h>

#include "image/inspect-parts.h"

/* A distribution's whole archive has fewer than 100,000, a machine some thousands. */
#define PACKAGES_MAX 40000
#define PACKAGES_BYTES (8u << 20)
#define FIELD_MAX 8192 /* perl provides 3000 bytes of names */
/* a file with holes can claim to be endless */
#define DATABASE_MAX (1ull << 30)
#define DESC_MAX (256u << 10)

struct kmln_package_list {
	struct kmln_facts *facts;
	size_t left; /* bytes of text */
	bool full;
};

struct kmln_package_list *kmln_package_list_new(struct kmln_facts *facts)
{
	struct kmln_package_list *list = kmln_pool_alloc(facts->pool, sizeof(*list));

	*list = (struct kmln_package_list){facts, PACKAGES_BYTES, false};
	return list;
}

struct kmln_facts *kmln_package_facts(const struct kmln_package_list *list)
{
	return list->facts;
}

static size_t cost(const char *text)
{
	return text ? strlen(text) + 17 : 0;
}

bool kmln_package_add(struct kmln_package_list *list, const char *name, const char *version,
	const char *architecture, const char *status)
{
	struct kmln_facts *facts = list->facts;
	size_t bytes = cost(name) + cost(version) + cost(architecture) + cost(status);
	struct kmln_package *p;

	if (list->full)
		return false;
	if (facts->package_count == PACKAGES_MAX || bytes > list->left) {
		kmln_note_fact(facts, "more packages than can be listed: only the first %zu are",
			facts->package_count);
		list->full = facts->packages_cut = true;
		return false;
	}
	list->left -= bytes;
	p = kmln_pool_append(facts->pool, &facts->packages, &facts->package_count, sizeof(*p));
	p->name = kmln_pool_strdup(facts->pool, name);
	p->version = kmln_pool_strdup(facts->pool, version);
	p->architecture = kmln_pool_strdup(facts->pool, architecture);
	p->status = kmln_pool_strdup(facts->pool, status);
	return true;
}

/* ---- paragraphs ---- */

enum field { NAME, VERSION, ARCHITECTURE, STATUS, PROVIDES, CONFLICTS, BREAKS, FIELDS };

struct kmln_paragraphs {
	struct kmln_package_list *list;
	const char *names[FIELDS]; /* how the lines of interest begin */
	bool ignore_case;
	char line[FIELD_MAX]; /* the line that is being read, cut at its end */
	size_t used;
	char fields[FIELDS][FIELD_MAX];
};

struct kmln_paragraphs *kmln_dpkg_new(struct kmln_package_list *list)
{
	struct kmln_paragraphs *p = kmln_pool_alloc(list->facts->pool, sizeof(*p));

	p->list = list;
	p->names[NAME] = "Package:";
	p->names[VERSION] = "Version:";
	p->names[ARCHITECTURE] = "Architecture:";
	p->names[STATUS] = "Status:";
	p->names[PROVIDES] = "Provides:";
	p->names[CONFLICTS] = "Conflicts:";
	p->names[BREAKS] = "Breaks:";
	p->ignore_case = true;
	return p;
}

struct kmln_paragraphs *kmln_apk_new(struct kmln_package_list *list)
{
	struct kmln_paragraphs *p = kmln_pool_alloc(list->facts->pool, sizeof(*p));

	/* "a:" and "A:" are fields of their own */
	p->list = list;
	p->names[NAME] = "P:";
	p->names[VERSION] = "V:";
	p->names[ARCHITECTURE] = "A:";
	return p;
}

/* Most packages have none of it, and share one empty text. */
static const char *keep(struct kmln_package_list *list, const char *text)
{
	if (!*text || cost(text) > list->left)
		return "";
	list->left -= cost(text);
	return kmln_pool_strdup(list->facts->pool, text);
}

/* Of the package that was added last. */
static void add_relations(struct kmln_paragraphs *p)
{
	struct kmln_facts *facts = p->list->facts;
	struct kmln_package *last = &facts->packages[facts->package_count - 1];

	for (int f = PROVIDES; f <= BREAKS; f++)
		facts->packages_cut |= cost(p->fields[f]) > p->list->left;
	last->provides = keep(p->list, p->fields[PROVIDES]);
	last->conflicts = keep(p->list, p->fields[CONFLICTS]);
	last->breaks = keep(p->list, p->fields[BREAKS]);
}

static void end_paragraph(struct kmln_paragraphs *p)
{
	const char *status = p->names[STATUS] ? p->fields[STATUS] : NULL;

	if (p->fields[NAME][0] &&
		kmln_package_add(p->list, p->fields[NAME], p->fields[VERSION],
			p->fields[ARCHITECTURE], status) &&
		p->names[PROVIDES])
		add_relations(p);
	for (int f = 0; f < FIELDS; f++)
		p->fields[f][0] = '\0';
}

static void end_line(struct kmln_paragraphs *p)
{
	p->line[p->used] = '\0';
	p->used = 0;
	if (!p->line[0]) {
		end_paragraph(p);
		return;
	}
	for (int f = 0; f < FIELDS && p->names[f]; f++) {
		size_t length = strlen(p->names[f]);
		const char *value = p->line + length;

		if ((p->ignore_case ? strncasecmp : strncmp)(p->line, p->names[f], length) != 0)
			continue;
		while (isblank((unsigned char)*value))
			value++;
		strcpy(p->fields[f], value); /* the line is no longer than a field */
	}
}

bool kmln_paragraphs_feed(struct kmln_paragraphs *p, const char *bytes, size_t size)
{
	while (size && !p->list->full) {
		const char *end = memchr(bytes, '\n', size);
		size_t length = end ? (size_t)(end - bytes) : size;
		size_t room = FIELD_MAX - 1 - p->used;

		for (size_t i = 0; i < length && i < room; i++)
			if (bytes[i])
				p->line[p->used++] = bytes[i];
		if (end) {
			end_line(p);
			length++;
		}
		bytes += length;
		size -= length;
	}
	return !p->list->full;
}

void kmln_paragraphs_end(struct kmln_paragraphs *p)
{
	end_line(p);
	end_paragraph(p);
}

struct stream {
	struct kmln_paragraphs *paragraphs;
	struct kmln_facts *facts;
	const char *path;
	uint64_t read; /* bytes of the file so far */
};

static int read_piece(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct stream *stream = data;

	(void)err;
	stream->read += size;
	if (stream->read > DATABASE_MAX) {
		kmln_note_fact(stream->facts,
			"%s is longer than 1 GiB: only its beginning was read", stream->path);
		return 1;
	}
	return kmln_paragraphs_feed(stream->paragraphs, bytes, size) ? 0 : 1;
}

/* 1 where the database is there, 0 where not, negative where the filesystem is damaged. */
static int read_stream(struct kmln_tree *tree, struct kmln_facts *facts, const char *path,
	struct kmln_paragraphs *paragraphs, struct kmln_error *err)
{
	struct stream stream = {paragraphs, facts, path, 0};
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error missing;
	struct kmln_stat st;
	int r;

	if (kmln_tree_resolve(tree, path, &real, &missing) < 0 ||
		kmln_tree_stat(tree, real.data, &st, &missing) < 0 || !S_ISREG(st.mode))
		return 0;
	r = kmln_tree_read(tree, real.data, read_piece, &stream, err);
	if (r < 0)
		return r;
	kmln_paragraphs_end(paragraphs);
	return 1;
}

/* ---- pacman ---- */

/* "%NAME%", and the value on the next line. */
void kmln_pacman_desc(struct kmln_package_list *list, const char *text)
{
	static const char *const names[] = {
		[NAME] = "%NAME%", [VERSION] = "%VERSION%", [ARCHITECTURE] = "%ARCH%"};
	KMLN_FREE char *copy = kmln_strdup(text);
	char *rest = copy, *line, *fields[STATUS] = {0};

	while (kmln_next_line(&rest, &line)) {
		for (int f = 0; f < STATUS; f++) {
			char *value;

			if (!fields[f] && kmln_eq(line, names[f]) &&
				kmln_next_line(&rest, &value)) {
				fields[f] = value;
				if (strlen(value) >= FIELD_MAX)
					value[FIELD_MAX - 1] = '\0';
				break;
			}
		}
	}
	if (fields[NAME] && *fields[NAME])
		kmln_package_add(list, fields[NAME], fields[VERSION], fields[ARCHITECTURE], NULL);
}

static int read_pacman(struct kmln_tree *tree, struct kmln_package_list *list)
{
	static const char *const folder = "/var/lib/pacman/local";
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error err;
	uint64_t total = 0;
	int r = kmln_tree_names(tree, folder, &names, &err);

	if (r < 0) {
		if (r == -KMLN_EINVALID)
			kmln_note_fact(list->facts, "%s", err.text);
		return r == -KMLN_EINVALID;
	}
	for (size_t i = 0; i < names.count && !list->full; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s/desc", folder, names.items[i]);
		KMLN_BUF struct kmln_buf text = {0};

		r = kmln_tree_load(tree, path, DESC_MAX, &text, &err);
		total += text.size;
		if (r == -ENOENT || r == -ENOTDIR)
			continue; /* ALPM_DB_VERSION beside the folders */
		if (r < 0 || total > DATABASE_MAX / 8)
			kmln_note_fact(list->facts, "%s: not all packages could be read", folder);
		if (total > DATABASE_MAX / 8)
			break;
		if (r == 0)
			kmln_pacman_desc(list, text.data);
	}
	return 1;
}

/* ---- which one ---- */

static int read_dpkg(struct kmln_tree *tree, struct kmln_package_list *list, struct kmln_error *err)
{
	return read_stream(tree, list->facts, "/var/lib/dpkg/status", kmln_dpkg_new(list), err);
}

static int read_apk(struct kmln_tree *tree, struct kmln_package_list *list, struct kmln_error *err)
{
	static const char *const places[] = {"/lib/apk/db/installed", "/usr/lib/apk/db/installed"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < KMLN_COUNT(places); i++)
		r = read_stream(tree, list->facts, places[i], kmln_apk_new(list), err);
	return r;
}

static int read_pacman_db(
	struct kmln_tree *tree, struct kmln_package_list *list, struct kmln_error *err)
{
	(void)err;
	return read_pacman(tree, list);
}

/*
 * A guest may have the tools of another distribution, whose database is then empty: the first that
 * has packages counts, else the first that is there.
 */
int kmln_inspect_packages(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	static const struct {
		const char *name;
		int (*read)(struct kmln_tree *tree, struct kmln_package_list *list,
			struct kmln_error *err);
	} managers[] = {{"dpkg", read_dpkg}, {"rpm", kmln_inspect_rpm}, {"apk", read_apk},
		{"pacman", read_pacman_db}};
	struct kmln_package_list *list = kmln_package_list_new(facts);

	for (size_t i = 0; i < KMLN_COUNT(managers) && !facts->package_count; i++) {
		int r = managers[i].read(tree, list, err);

		if (r < 0)
			return r;
		if (r > 0 && (!facts->package_manager || facts->package_count))
			facts->package_manager = managers[i].name;
	}
	return 0;
}
