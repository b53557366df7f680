// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a setting may be. Values come from files of people and end up in lines of a guest's files:
 * what could end its line, its field or its quotes is refused here, or quoted where it is written.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "guest/set.h"

/* Of letters, digits and these, and not longer. */
static bool is_word(const char *text, const char *also, size_t most)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (!(isalnum((unsigned char)text[i]) && (unsigned char)text[i] < 128) &&
			!strchr(also, text[i]))
			return false;
	return n && n <= most;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text) && *text != '\t')
			return true;
	return false;
}

static int refuse(struct kmln_error *err, const char *what, const char *value, const char *rule)
{
	return kmln_fail(err, KMLN_EUSAGE, "%s: '%s' %s", what, value, rule);
}

static bool is_address(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

bool kmln_set_is_v6(const char *address)
{
	return strchr(address, ':');
}

const char *kmln_set_split(struct kmln_pool *pool, const char *address, unsigned *bits)
{
	const char *slash = strchr(address, '/');

	*bits = slash ? (unsigned)atoi(slash + 1) : kmln_set_is_v6(address) ? 128 : 32;
	return slash ? kmln_pool_memdup(pool, address, (size_t)(slash - address))
		     : kmln_pool_strdup(pool, address);
}

static bool is_address_with_bits(const char *text)
{
	const char *slash = strchr(text, '/');
	KMLN_FREE char *address = NULL;
	size_t n = slash ? strlen(slash + 1) : 0;

	if (!slash || n < 1 || n > 3 || strspn(slash + 1, "0123456789") != n)
		return false;
	address = strndup(text, (size_t)(slash - text));
	return is_address(address) && atoi(slash + 1) <= (kmln_set_is_v6(address) ? 128 : 32);
}

static bool is_mac(const char *mac)
{
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? mac[i] != ':' : !isxdigit((unsigned char)mac[i]))
			return false;
	return !mac[17];
}

static int check_hostname(const char *name, struct kmln_error *err)
{
	size_t n = strlen(name);

	if (!is_word(name, "-", 63) || name[0] == '-' || name[n - 1] == '-')
		return refuse(err, "--hostname", name,
			"is no host name (letters, digits and -, 63 at most)");
	return 0;
}

static int check_hosts(const struct kmln_settings *s, struct kmln_error *err)
{
	const bool known = s->memo && s->memo->checked;

	for (size_t i = 0; !known && i < s->host_count; i++) {
		const struct kmln_set_host *h = &s->hosts[i];

		if (!is_address(h->address))
			return refuse(err, "hosts", h->address, "is no address");
		if (!h->names || !h->names[0])
			return refuse(err, "hosts", h->address, "has no name");
		for (const char *const *n = h->names; *n; n++)
			if (!is_word(*n, "-._", 253))
				return refuse(err, "hosts", *n, "is no name of a host");
	}
	if (s->memo)
		s->memo->checked = true;
	for (const char *const *n = s->nameservers; n && *n; n++)
		if (!is_address(*n))
			return refuse(err, "nameserver", *n, "is no address");
	return 0;
}

static bool is_account(const char *name)
{
	return is_word(name, "-._", 32) && name[0] != '-' && name[0] != '.' &&
	       !isdigit((unsigned char)name[0]);
}

static int check_secret(
	const char *what, const char *password, const char *hash, struct kmln_error *err)
{
	if (password && !*password)
		return kmln_fail(err, KMLN_EUSAGE, "%s: it is empty", what);
	if (password && has_control(password))
		return kmln_fail(err, KMLN_EUSAGE, "%s: it must be one line", what);
	if (hash && !is_word(hash, "$./=,+-_!*", 500))
		return kmln_fail(
			err, KMLN_EUSAGE, "%s: a hash has letters, digits and $./ only", what);
	return 0;
}

static bool is_field(const char *path)
{
	return kmln_set_is_path(path) && !strchr(path, ':');
}

static int check_users(const struct kmln_settings *s, struct kmln_error *err)
{
	int r = check_secret("--root-password", s->root_password, s->root_hash, err);

	for (size_t i = 0; r == 0 && i < s->user_count; i++) {
		const struct kmln_set_user *u = &s->users[i];

		if (!is_account(u->name))
			return refuse(err, "user", u->name, "is no name of a user");
		if (u->home && !is_field(u->home))
			return refuse(err, "home", u->home, "is no plain absolute path");
		if (u->has_uid && u->uid == UINT32_MAX)
			return kmln_fail(
				err, KMLN_EUSAGE, "user %s: the number is too big", u->name);
		for (size_t k = 0; k < i; k++)
			if (strcmp(s->users[k].name, u->name) == 0)
				return refuse(err, "user", u->name, "is there twice");
		r = check_secret(u->name, u->password, u->hash, err);
	}
	for (size_t i = 0; r == 0 && i < s->group_count; i++) {
		const struct kmln_set_group *g = &s->groups[i];

		if (!is_account(g->name))
			return refuse(err, "group", g->name, "is no name of a group");
		for (const char *const *m = g->members; m && *m; m++)
			if (!is_account(*m))
				return refuse(err, "group", *m, "is no name of a user");
	}
	return r;
}

static int check_keys(const struct kmln_settings *s, struct kmln_error *err)
{
	for (size_t i = 0; i < s->key_count; i++) {
		KMLN_FREE char *copy = kmln_strdup(s->keys[i].text);
		char *rest = copy, *line;

		if (!is_account(s->keys[i].user))
			return refuse(err, "ssh key", s->keys[i].user, "is no name of a user");
		while ((line = strsep(&rest, "\n")))
			if (has_control(line) || kmln_block_is_mark(line))
				return refuse(err, "ssh key", line, "is no line of a key");
	}
	return 0;
}

static int check_interface(const struct kmln_set_interface *n, struct kmln_error *err)
{
	if (!is_word(n->name, "-._", 15) || n->name[0] == '-' || n->name[0] == '.' ||
		strcmp(n->name, "lo") == 0)
		return refuse(err, "network", n->name, "is no name of an interface");
	if (n->mac && !is_mac(n->mac))
		return refuse(err, "mac", n->mac, "is no hardware address");
	for (const char *const *a = n->addresses; a && *a; a++)
		if (!is_address_with_bits(*a))
			return refuse(
				err, "address", *a, "is no address with its bits, 10.0.0.1/24");
	if (n->gateway4 && (!is_address(n->gateway4) || kmln_set_is_v6(n->gateway4)))
		return refuse(err, "gateway", n->gateway4, "is no IPv4 address");
	if (n->gateway6 && (!is_address(n->gateway6) || !kmln_set_is_v6(n->gateway6)))
		return refuse(err, "gateway", n->gateway6, "is no IPv6 address");
	return 0;
}

static int check_network(const struct kmln_settings *s, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->interface_count; i++) {
		r = check_interface(&s->interfaces[i], err);
		for (size_t k = 0; r == 0 && k < i; k++)
			if (strcmp(s->interfaces[k].name, s->interfaces[i].name) == 0)
				r = refuse(err, "network", s->interfaces[i].name, "is there twice");
	}
	return r;
}

static bool is_fstab_word(const char *word)
{
	return *word && !has_control(word) && strlen(word) <= 1024;
}

static int check_files(const struct kmln_settings *s, struct kmln_error *err)
{
	for (size_t i = 0; i < s->file_count; i++) {
		const struct kmln_set_file *f = &s->files[i];

		if (!kmln_set_is_path(f->path) || !f->path[1] ||
			kmln_starts(f->path, KMLN_SET_FOLDER "/"))
			return refuse(err, "file", f->path, "is no place for a file");
		if (f->mode & ~07777u)
			return kmln_fail(err, KMLN_EUSAGE, "file %s: mode %o", f->path, f->mode);
		for (size_t k = 0; k < i; k++)
			if (strcmp(s->files[k].path, f->path) == 0)
				return refuse(err, "file", f->path, "is there twice");
	}
	for (size_t i = 0; i < s->mount_count; i++) {
		const struct kmln_set_mount *m = &s->mounts[i];

		if (!is_fstab_word(m->device) || (m->type && !is_fstab_word(m->type)) ||
			(m->options && !is_fstab_word(m->options)))
			return refuse(err, "mount", m->device, "is no line of fstab");
		if (!kmln_set_is_path(m->point) || !m->point[1])
			return refuse(err, "mount", m->point, "is no plain absolute path");
	}
	for (const char *const *w = s->swaps; w && *w; w++)
		if (!is_fstab_word(*w))
			return refuse(err, "swap", *w, "is no device");
	return 0;
}

static int check_lines(const char *const *lines, const char *what, struct kmln_error *err)
{
	for (; lines && *lines; lines++)
		if (has_control(*lines))
			return refuse(err, what, *lines, "is more than one line");
	return 0;
}

int kmln_settings_check(const struct kmln_settings *s, struct kmln_error *err)
{
	int r = s->hostname ? check_hostname(s->hostname, err) : 0;

	if (r == 0)
		r = check_hosts(s, err);
	if (r == 0)
		r = check_users(s, err);
	if (r == 0)
		r = check_keys(s, err);
	if (r == 0)
		r = check_network(s, err);
	if (r == 0)
		r = check_files(s, err);
	for (const char *const *m = s->modules; r == 0 && m && *m; m++)
		if (!is_word(*m, "-_", 64) || **m == '-')
			r = refuse(err, "module", *m, "is no name of a kernel module");
	for (const char *const *p = s->packages; r == 0 && p && *p; p++)
		if (!is_word(*p, "+._:-", 128) || !isalnum((unsigned char)**p))
			r = refuse(err, "package", *p, "is no name of a package");
	if (r == 0 && s->swap_file && s->swap_file < KMLN_SWAP_FILE_MIN)
		r = kmln_fail(err, KMLN_EUSAGE, "a file to swap on has at least %u bytes",
			KMLN_SWAP_FILE_MIN);
	if (r == 0)
		r = check_lines(s->startup, "startup", err);
	return r < 0 ? r : check_lines(s->shutdown, "shutdown", err);
}
