/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings of a guest: name, hosts, users, network, files, what is run at boot. Edits, like all
 * changes: planned from facts, and none for a guest that has the settings already.
 *
 * What others have written stays. kmln's own is in marked blocks of files that others write too, in
 * files of its own, and in the list /etc/kmln/settings; a setting that is no longer there is taken
 * back by it when the next plan is made.
 */
#ifndef KMLN_GUEST_SETTINGS_H
#define KMLN_GUEST_SETTINGS_H

#include "guest/step.h"
#include "tree/tree.h"

/* A line of /etc/hosts. */
struct kmln_set_host {
	const char *address; /* IPv4 or IPv6 */
	const char *const *names; /* NULL-ended, one or more */
};

struct kmln_set_user {
	const char *name;
	/* Plain, or a hash as crypt(5) has them. Both NULL: a new user is locked, one that is there
	 * keeps what he has.
	 */
	const char *password, *hash;
	const char *home; /* NULL: by his name in /home, or what he has */
	bool has_uid;
	uint32_t uid; /* else the next one that is free */
};

struct kmln_set_group {
	const char *name;
	const char *const *members; /* NULL-ended, or NULL: none; added to those that it has */
};

struct kmln_set_keys {
	const char *user;
	const char *text; /* lines of an authorized_keys file */
};

struct kmln_set_interface {
	const char *name; /* "eth0" */
	const char *mac; /* "52:54:00:12:34:56"; the name follows it. NULL: the name is the kernel's
			  */
	bool dhcp;
	const char *const *addresses; /* "10.0.0.1/24", "fd00::1/64"; NULL-ended, or NULL */
	const char *gateway4, *gateway6; /* or NULL */
	bool manual; /* not brought up at boot */
	bool optional; /* the guest boots without waiting for it */
};

/* A file from elsewhere, put in place of what is there. */
struct kmln_set_file {
	const char *path; /* absolute, inside the guest */
	const char *data;
	size_t size;
	uint32_t mode, uid, gid;
	const char *sum; /* its SHA-256, where the caller has it; or NULL */
};

struct kmln_set_mount {
	const char *device, *point;
	const char *type, *options; /* NULL: "auto", "defaults" */
};

/*
 * For many guests with the same hosts: what was made for one is given to the next, as long as both
 * come from the same facts. Zeroed but for the pool, which outlives their plans.
 */
struct kmln_set_memo {
	struct kmln_pool *pool;
	bool checked; /* the hosts */
	const char *before, *after; /* the text of /etc/hosts in the facts, and what it became */
	size_t after_size;
	const char *agent_sum; /* the SHA-256 of the agent's program; NULL: not asked for yet */
	/* What is known of these facts' files, by path. */
	const struct kmln_facts *facts;
	const struct kmln_known_file **files;
	size_t file_count;
};

#define KMLN_SWAP_FILE "/kmln.swap"
#define KMLN_SWAP_FILE_MIN 40960u /* mkswap(8) makes none that is smaller */

/* Plain data, the caller's. Zeroed: no setting at all. Lists of texts end with NULL, or are NULL.
 */
struct kmln_settings {
	const char *hostname; /* NULL: what it has */
	const struct kmln_set_host *hosts; /* of the project, its own line among them */
	size_t host_count;
	bool in_hosts; /* one of them is the guest; false: that is looked for */
	struct kmln_set_memo *memo; /* of the hosts; or NULL */
	const char *const *nameservers; /* addresses; before those that the guest has */
	const char *root_password, *root_hash; /* as a user's */
	const struct kmln_set_user *users;
	size_t user_count;
	const struct kmln_set_group *groups;
	size_t group_count;
	const struct kmln_set_keys *keys;
	size_t key_count;
	const struct kmln_set_interface *interfaces;
	size_t interface_count;
	const struct kmln_set_file *files;
	size_t file_count;
	const struct kmln_set_mount *mounts;
	size_t mount_count;
	const char *const *swaps; /* devices or files */
	uint64_t swap_file; /* bytes of a file to swap on, KMLN_SWAP_FILE; 0: none */
	const char *const *packages; /* installed by the guest itself when it has a network */
	const char *const *modules; /* loaded at boot */
	const char *const *startup, *const *shutdown; /* lines for the guest's shell, in order */
	bool agent; /* kmln-agent, by which the host reaches it */
	bool empty_machine_id; /* a copy of a guest makes itself another */
	bool new_host_keys; /* ssh's are removed, and made anew when it boots */
	bool itself; /* it has done these two already, or will: what it has is its own */
};

/* KMLN_EUSAGE for a value that cannot be what it is given for, or could end its line. */
int kmln_settings_check(const struct kmln_settings *settings, struct kmln_error *err);

/*
 * Adds to the facts what planning these settings must know of the guest's tree: beyond
 * kmln_inspect(), once for each plan.
 */
void kmln_settings_inspect(
	struct kmln_tree *tree, struct kmln_facts *facts, const struct kmln_settings *settings);

/*
 * Adds the edits that give the guest of planning->facts just these settings. Pure: a hash of a
 * plain password has a salt made from the guest's own UUID and names. An edit that planning->edits
 * has already of a text is continued, not contradicted.
 */
int kmln_plan_settings(struct kmln_planning *planning, const struct kmln_settings *settings,
	struct kmln_error *err);

/* The name of the system that sets up the guest's network, as struct kmln_known_interface has it;
 * or "none". For facts that kmln_settings_inspect() has added to. */
const char *kmln_settings_network(const struct kmln_facts *facts);

#endif
