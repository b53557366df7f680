/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the readers of a guest's settings share, and their parsers, so that others (fuzzers) can
 * call them on any text.
 *
 * A parser takes one file's text, NUL-ended, and adds to the facts what it understands; it opens
 * nothing and cannot fail. What a guest can make kmln hold is bounded twice: by the bytes of
 * settings that are read in all (struct kmln_look), and by the length of each list.
 */
#ifndef KMLN_IMAGE_INSPECT_PARTS_H
#define KMLN_IMAGE_INSPECT_PARTS_H

#include "image/facts.h"
#include "tree/tree.h"

#define KMLN_LIST_MAX 2000 /* of interfaces, services ... : a machine has some dozens */
#define KMLN_LOOK_MAX (8u << 20) /* bytes of settings in all */
#define KMLN_LOOK_FILE_MAX (256u << 10) /* of one file */

/* Reading settings, with what may still be read. */
struct kmln_look {
	struct kmln_tree *tree;
	struct kmln_facts *facts;
	size_t left; /* bytes */
};

/* Says in facts->notes what was not read, once for each text. */
void kmln_note_fact(struct kmln_facts *facts, const char *fmt, ...) KMLN_PRINTF(2, 3);
/* As kmln_pool_append(), or NULL, with a note, where the list is long enough: `what` names it. */
void *kmln_list_add(
	struct kmln_facts *facts, void *array, size_t *count, size_t size, const char *what);

/* The file's text, NUL-ended; false where there is none, or it is too long (a note says so). */
bool kmln_look_text(struct kmln_look *look, const char *path, struct kmln_buf *text);
/* The names of a folder, sorted; none where there is no such folder. */
void kmln_look_names(struct kmln_look *look, const char *folder, struct kmln_strv *names);
/* The type bits (S_IFMT) of what is at the path, links followed; 0: nothing. */
uint32_t kmln_look_type(struct kmln_look *look, const char *path);

typedef void (*kmln_parse_fn)(struct kmln_facts *facts, const char *path, const char *text);
/* Parses the file, if it is there. */
bool kmln_look_parse(struct kmln_look *look, const char *path, kmln_parse_fn parse);
/* Parses each file of the folder whose name ends in `suffix`. */
void kmln_look_folder(
	struct kmln_look *look, const char *folder, const char *suffix, kmln_parse_fn parse);

/* ---- words and lines ---- */

/* The next word of *text, blanks around it gone, or NULL. Changes the text. */
char *kmln_next_word(char **text);
/* The text without blanks at both ends; changes it. NULL gives NULL. */
char *kmln_trim(char *text);
/* As kmln_trim(), and without one pair of quotes around it. */
char *kmln_unquote(char *text);
/* The value of KEY= in a line of words ("root=/dev/x ro"), in the pool; or NULL. */
const char *kmln_word_value(struct kmln_pool *pool, const char *words, const char *key);
/* "52:54:00:12:34:56" in lower case, in the pool; NULL for what is no hardware address. */
const char *kmln_mac(struct kmln_pool *pool, const char *text);

/*
 * A file of [section]s with key=value lines, as systemd and GLib read them. Calls `fn` for each
 * line with a value, blanks and quotes around it gone; and with key NULL at each "[section]".
 */
typedef void (*kmln_ini_fn)(void *data, const char *section, const char *key, char *value);
void kmln_ini(const char *text, kmln_ini_fn fn, void *data);

/* ---- parsers ---- */

void kmln_parse_os_release(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_fstab(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_crypttab(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_securetty(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_machine_id(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_selinux(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_resume(struct kmln_facts *facts, const char *path, const char *text);
/* facts->init says in which dialect it is. */
void kmln_parse_inittab(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_upstart(struct kmln_facts *facts, const char *path, const char *text);

void kmln_parse_ifupdown(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_networkd(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_ifcfg(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_keyfile(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_netplan(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_link(struct kmln_facts *facts, const char *path, const char *text);
void kmln_parse_udev_net(struct kmln_facts *facts, const char *path, const char *text);

void kmln_parse_bls(struct kmln_facts *facts, const char *path, const char *text);
/*
 * A unified kernel image: gives up to `size` bytes at an offset of the file, which is `file_size`
 * bytes long. Fewer bytes come back only at its end.
 */
typedef ssize_t (*kmln_window_fn)(void *data, void *to, size_t size, uint64_t offset);
void kmln_parse_uki(struct kmln_facts *facts, const char *path, kmln_window_fn window, void *data,
	uint64_t file_size);

/* ---- package databases: read as streams ---- */

struct kmln_package_list; /* packages being gathered, with what room is left */
struct kmln_package_list *kmln_package_list_new(struct kmln_facts *facts);
struct kmln_facts *kmln_package_facts(const struct kmln_package_list *list);
/* False where the list is full: a note was made, and reading may end. Texts may be NULL. */
bool kmln_package_add(struct kmln_package_list *list, const char *name, const char *version,
	const char *architecture, const char *status);

/* Paragraphs of lines; feed pieces of any size, then end. */
struct kmln_paragraphs;
struct kmln_paragraphs *kmln_dpkg_new(struct kmln_package_list *list);
struct kmln_paragraphs *kmln_apk_new(struct kmln_package_list *list);
/* False once nothing more is wanted. */
bool kmln_paragraphs_feed(struct kmln_paragraphs *paragraphs, const char *bytes, size_t size);
void kmln_paragraphs_end(struct kmln_paragraphs *paragraphs);

/* One package's desc file of pacman. */
void kmln_pacman_desc(struct kmln_package_list *list, const char *text);

/* The parts, for inspect.c and each other. */
int kmln_inspect_rpm(
	struct kmln_tree *tree, struct kmln_package_list *list, struct kmln_error *err);
void kmln_inspect_network(struct kmln_look *look);
void kmln_inspect_services(struct kmln_look *look);
void kmln_inspect_marks(struct kmln_look *look);
void kmln_inspect_loaders(struct kmln_look *look);

#endif
