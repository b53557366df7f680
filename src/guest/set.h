/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of settings, one small thing a file (set-NAME.c), and what they are written with. A kind
 * says which paths it must know (look), then plans from facts alone. Texts that several kinds
 * change are changed in memory and become one edit each at the end; whatever a kind makes is noted
 * in the list /etc/kmln/settings, by which set.c takes back what no kind asked for any more.
 *
 * A new kind of setting is one file here and one line in settings.c.
 */
#ifndef KMLN_GUEST_SET_H
#define KMLN_GUEST_SET_H

#include "guest/set-text.h"
#include "guest/settings.h"

#define KMLN_SET_FOLDER "/etc/kmln"
#define KMLN_SET_STATE KMLN_SET_FOLDER "/settings"
#define KMLN_SET_BOOT KMLN_SET_FOLDER "/boot.sh"
#define KMLN_SET_STARTUP KMLN_SET_FOLDER "/startup.sh"
#define KMLN_SET_SHUTDOWN KMLN_SET_FOLDER "/shutdown.sh"

/* A line of the list of what kmln set. Kinds of lines: set.c has "own", "kept", "text", "link" and
 * "line"; the others belong to the kind of setting that writes them.
 */
#define KMLN_SET_WORDS 5
struct kmln_set_note {
	const char *kind; /* "own" */
	const char *words[KMLN_SET_WORDS]; /* the first is what it is about: a path, a user */
	size_t count;
	bool settled; /* somebody has dealt with it in this plan */
};

struct kmln_set_notes {
	struct kmln_set_note *items;
	size_t count;
};

/* A text of the guest that is being changed. */
struct kmln_set_text {
	const char *path, *real;
	const struct kmln_known_file *file;
	const char *by, *why; /* of the first kind that wanted something in it */
	bool wanted;
	uint32_t mode, uid, gid; /* if it is new */
	struct kmln_buf text;
	const char *ready; /* what it becomes instead, from elsewhere; or NULL */
	size_t ready_size;
	struct kmln_edit *edit; /* an edit of it that the plan had already; or NULL */
};

struct kmln_set {
	const struct kmln_facts *facts;
	const struct kmln_settings *settings;
	struct kmln_pool *pool;
	const char *by; /* the kind at work */
	struct kmln_set_notes before; /* the list as the guest has it */
	/* The rest is there while planning only. */
	struct kmln_edits *edits;
	struct kmln_set_notes after;
	struct kmln_set_text **texts;
	size_t text_count;
	struct kmln_buf boot; /* lines that kinds want run early at boot */
	struct kmln_buf start; /* and in front of the startup lines */
};

struct kmln_setting {
	const char *name;
	/* Adds paths whose content the plan depends on; called again once these are known. */
	void (*look)(const struct kmln_set *set, struct kmln_strv *paths);
	int (*plan)(struct kmln_set *set, struct kmln_error *err);
	/* Of which it only asks whether they are there: what is in them is not read. NULL-ended. */
	const char *const *programs;
};

extern const struct kmln_setting kmln_set_hostname, kmln_set_hosts, kmln_set_resolver,
	kmln_set_users, kmln_set_keys, kmln_set_network, kmln_set_files, kmln_set_mounts,
	kmln_set_modules, kmln_set_identity, kmln_set_agent, kmln_set_scripts, kmln_set_swap_file,
	kmln_set_packages;

/* ---- looking ---- */

/* A path and all folders above it. */
void kmln_set_look(struct kmln_strv *paths, const char *path);
/* What is known of a path; NULL where nobody has looked yet. */
const struct kmln_known_file *kmln_set_known(const struct kmln_set *set, const char *path);
/* True where something is at the path. */
bool kmln_set_there(const struct kmln_set *set, const char *path);
/* True for an absolute path without ".", "..", doubled slashes and control characters. */
bool kmln_set_is_path(const char *path);
/* The SHA-256 of content. */
const char *kmln_set_sum(struct kmln_pool *pool, const char *data, size_t size);

/* ---- the list ---- */

/* Reads set->before from the guest's list; what is no line of it is passed over. */
void kmln_set_read_notes(struct kmln_set *set);
struct kmln_set_note *kmln_set_before(
	const struct kmln_set *set, const char *kind, const char *about, const char *second);
/* Adds a line, once; words up to a NULL. */
void kmln_set_note(struct kmln_set *set, const char *kind, ...) __attribute__((sentinel));
/* The text of set->after, which it sorts. */
void kmln_set_print_notes(struct kmln_set *set, struct kmln_buf *out);

/* ---- changing ---- */

/* The path's place in the guest, links on the way followed; also below folders that are new. */
int kmln_set_place(
	struct kmln_set *set, const char *path, const char **real, struct kmln_error *err);
/* Makes a folder and those above it, where they are missing. */
int kmln_set_folder(struct kmln_set *set, const char *path, uint32_t mode, uint32_t uid,
	uint32_t gid, const char *why, struct kmln_error *err);
/* A file of kmln's own with this content, mode and owner. What others had there is kept. */
int kmln_set_own(struct kmln_set *set, const struct kmln_set_file *file, const char *why,
	struct kmln_error *err);
/* The same for a text of root's. */
int kmln_set_own_text(struct kmln_set *set, const char *path, const struct kmln_buf *text,
	uint32_t mode, const char *why, struct kmln_error *err);
/* A symbolic link of kmln's own. */
int kmln_set_link(struct kmln_set *set, const char *path, const char *target, const char *why,
	struct kmln_error *err);
/* A file or link of others goes, where it is there. */
int kmln_set_remove(
	struct kmln_set *set, const char *path, const char *why, struct kmln_error *err);

/* The text of a file to be changed, empty where there is none. */
int kmln_set_text(struct kmln_set *set, const char *path, uint32_t mode, const char *why,
	struct kmln_set_text **text, struct kmln_error *err);
/* The same for taking something out: NULL where there is no such text. */
struct kmln_set_text *kmln_set_text_there(struct kmln_set *set, const char *path);
/* Gives the text kmln's block of this name; an empty body takes it out. */
int kmln_set_block(struct kmln_set *set, const char *path, const char *name,
	const struct kmln_buf *body, bool at_top, const char *why, struct kmln_error *err);
/*
 * In place of the first line that begins with `head` (any but a comment where it is ""); added
 * where there is none. What stood there is noted.
 */
int kmln_set_line(struct kmln_set *set, const char *path, const char *head, const char *line,
	const char *why, struct kmln_error *err);

/* Ends a plan: what nobody settled is taken back, texts become edits, the list is written. */
int kmln_set_finish(struct kmln_set *set, struct kmln_error *err);
void kmln_set_fini(struct kmln_set *set);
/* Of set-back.c, for set.c: takes back files, links and copies. */
int kmln_set_take_back(struct kmln_set *set, struct kmln_error *err);
/* Of set.c, for set-back.c: the edit itself, no questions asked; nothing where the path is edited
 * already. */
int kmln_set_put(struct kmln_set *set, const struct kmln_set_file *file, const char *why, bool anew,
	bool unshown, struct kmln_error *err);
/* Where the content of a file that is replaced is kept. */
const char *kmln_set_copy_path(struct kmln_pool *pool, const char *path);

/* ---- the rest of kinds that others ask ---- */

/* A hash for a password; its salt follows from `about`. NULL: libcrypt cannot. */
const char *kmln_set_hash(struct kmln_pool *pool, const char *password, const char *about);
/* True where the hash is one of this password. */
bool kmln_set_hash_is(const char *hash, const char *password);
/* The user's line in passwd as it will be. */
int kmln_set_user_home(struct kmln_set *set, const char *user, const char **home, uint32_t *uid,
	uint32_t *gid, struct kmln_error *err);
/* For looking: the home that a user will have; NULL: it is not known. */
const char *kmln_set_user_home_now(const struct kmln_set *set, const char *user);
/* The first address "ADDRESS/BITS" of all interfaces, without the bits, of a family; or NULL. */
const char *kmln_set_own_address(const struct kmln_set *set, bool v6);

/* Kinds of network systems, set-net-*.c: each writes all interfaces. */
int kmln_set_ifupdown(struct kmln_set *set, bool wanted, struct kmln_error *err);
int kmln_set_networkd(struct kmln_set *set, struct kmln_error *err);
int kmln_set_netplan(struct kmln_set *set, struct kmln_error *err);
int kmln_set_keyfile(struct kmln_set *set, struct kmln_error *err);
int kmln_set_ifcfg(struct kmln_set *set, struct kmln_error *err);
void kmln_set_net_script(struct kmln_set *set);
bool kmln_set_is_v6(const char *address);
/*
 * True where the plan says which IPv6 addresses it has. Routers that advertise themselves are not
 * heard then: with an address of their net the guest would speak from that one.
 */
bool kmln_set_is_fixed_v6(const struct kmln_set_interface *n);
/* "10.0.0.1" and 24 of "10.0.0.1/24". */
const char *kmln_set_split(struct kmln_pool *pool, const char *address, unsigned *bits);

#endif
