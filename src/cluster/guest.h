/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of a guest that runs, through its agent: what is there, content both ways. The guest is
 * hostile: its names and sizes are bytes to be judged by who takes them, and of its transfer folder
 * nothing is opened that kmln has not made itself.
 */
#ifndef KMLN_CLUSTER_GUEST_H
#define KMLN_CLUSTER_GUEST_H

#include <sys/types.h>

#include "cluster/stream.h"

struct kmln_guest {
	const char *name; /* of the host, borrowed */
	const char *folder; /* of its node, borrowed */
	struct kmln_control control;
	int transfer; /* the folder that the guest sees as well; -1: none */
};
#define KMLN_GUEST_NONE ((struct kmln_guest){.control = KMLN_CONTROL_NONE, .transfer = -1})
#define KMLN_GUEST KMLN_CLEANUP(kmln_guest_close)

/* Asks the node how the guest is reached best; guest->control is connected already. */
int kmln_guest_prepare(struct kmln_guest *guest, struct kmln_error *err);
void kmln_guest_close(struct kmln_guest *guest);

enum kmln_guest_kind { KMLN_GUEST_FILE, KMLN_GUEST_FOLDER, KMLN_GUEST_LINK, KMLN_GUEST_OTHER };

/* As the guest says: all of it may be a lie. */
struct kmln_guest_entry {
	enum kmln_guest_kind kind;
	const char *path; /* below what was listed; "" is that itself. Any bytes */
	const char *target; /* of a link, any bytes; else NULL */
	mode_t mode; /* the lower twelve bits */
	uint64_t size;
};

/*
 * What is at `path` (links followed) and, with `below`, all that is below it, folders before what
 * is in them; else each() is called once. It may copy meanwhile: the list has a line of its own.
 */
int kmln_guest_list(struct kmln_guest *guest, const char *path, bool below,
	int (*each)(void *data, const struct kmln_guest_entry *entry, struct kmln_error *err),
	void *data, struct kmln_error *err);
/* 1 and its kind, mode and size (links followed; no texts), 0 where nothing is there. */
int kmln_guest_stat(struct kmln_guest *guest, const char *path, struct kmln_guest_entry *entry,
	struct kmln_error *err);

/* Told of bytes that were copied. */
struct kmln_copied {
	void (*tell)(void *data, uint64_t bytes); /* so many more; or NULL */
	void *data;
};

/* Writes the content of a file to `fd`, from its position on. `size` is what it should have. */
int kmln_guest_get(struct kmln_guest *guest, const char *path, uint64_t size, int fd,
	const struct kmln_copied *copied, struct kmln_error *err);
/*
 * A file with what `fd` gives, from its position on to its end; its size, or UINT64_MAX where that
 * is not known. It replaces what is there once it is complete.
 */
int kmln_guest_put(struct kmln_guest *guest, const char *path, mode_t mode, int fd, uint64_t size,
	const struct kmln_copied *copied, struct kmln_error *err);
/* From one guest to another. */
int kmln_guest_relay(struct kmln_guest *from, const char *path, uint64_t size,
	struct kmln_guest *to, const char *to_path, mode_t mode, const struct kmln_copied *copied,
	struct kmln_error *err);
/* A folder (it may be there already), a symbolic link (it replaces one). */
int kmln_guest_make_folder(
	struct kmln_guest *guest, const char *path, mode_t mode, struct kmln_error *err);
int kmln_guest_make_link(
	struct kmln_guest *guest, const char *path, const char *target, struct kmln_error *err);

/* guest-share.c: the transfer folder. */

/* Files from here on go through it, bytes. */
#define KMLN_SHARE_FROM 65536
/* Of a name in it: 32 digits. */
#define KMLN_SHARE_NAME 40

/* A file without a name in it, on the host; to be filled and shared. Returns its descriptor. */
int kmln_share_make(const struct kmln_guest *guest, struct kmln_error *err);
/* Gives it a name that no guest can have foreseen. */
int kmln_share_name(
	const struct kmln_guest *guest, int fd, char name[KMLN_SHARE_NAME], struct kmln_error *err);
/* Takes the name away again, whatever the guest has put there meanwhile. */
void kmln_share_unname(const struct kmln_guest *guest, const char *name);
/* Removes what commands that were killed have left there. */
void kmln_share_sweep(int folder);

/* guest-bytes.c: what requests and entries are made of. */

/* {"do": what, "path": path}, or "bytes" with it in hexadecimal. */
struct kmln_json *kmln_guest_request(const char *what, const char *path);
/* Sets a text that may be any bytes, under one name or the other. */
void kmln_guest_set_bytes(
	struct kmln_json *object, const char *key, const char *hex_key, const char *bytes);
/* An entry out of a line of a list; its texts are in `texts`. KMLN_EINVALID for what is none. */
int kmln_guest_entry_read(const char *line, size_t size, struct kmln_buf texts[2],
	struct kmln_guest_entry *entry, struct kmln_error *err);
/* Copies from one descriptor to another, at most `limit` bytes, in the cheapest way. */
int kmln_copy_bytes(
	int from, int to, uint64_t limit, const struct kmln_copied *copied, struct kmln_error *err);

#endif
