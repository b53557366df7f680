// SPDX-License-Identifier: GPL-2.0-or-later
/* From the model to settings of guests; see host-settings.h. */
#include "cluster/host-settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/md5.h"
#include "cluster/further.h"
#include "project/read.h"

#define FILE_MAX (64u << 20)

const struct kmln_settings kmln_base_settings = {.agent = true};

void kmln_derived_uuid(
	char text[KMLN_UUID_TEXT], const char *project, const char *host, const char *name)
{
	KMLN_FREE char *key = kmln_printf("%s\n%s\n%s", project, host, name);
	char sum[KMLN_MD5_TEXT];

	kmln_md5(key, strlen(key), sum);
	snprintf(text, KMLN_UUID_TEXT, "%.8s-%.4s-4%.3s-8%.3s-%.12s", sum, sum + 8, sum + 13,
		sum + 17, sum + 20);
}

static bool has_address(const struct kmln_interface *interface, enum kmln_family family)
{
	return interface->addressing == KMLN_ADDRESS_STATIC && interface->ip[family].given;
}

static bool has_any_address(const struct kmln_host *host)
{
	for (size_t i = 0; i < host->interface_count; i++)
		if (has_address(&host->interfaces[i], KMLN_IPV4) ||
			has_address(&host->interfaces[i], KMLN_IPV6))
			return true;
	return false;
}

/* Each address of each host, under its name; names resolve in the whole project. */
static void list_hosts(struct kmln_shared *shared)
{
	struct kmln_pool *pool = shared->pool;

	for (size_t i = 0; i < shared->model->host_count; i++) {
		const struct kmln_host *host = shared->model->hosts[i];
		const char **names = kmln_pool_array(pool, 2, sizeof(*names));

		names[0] = host->name.text;
		for (size_t k = 0; k < host->interface_count; k++)
			for (unsigned f = 0; f < KMLN_FAMILIES; f++) {
				char address[KMLN_IP_TEXT];
				struct kmln_set_host *line;

				if (!has_address(&host->interfaces[k], f))
					continue;
				kmln_ip_text(address, &host->interfaces[k].ip[f], false);
				line = kmln_pool_append(
					pool, &shared->hosts, &shared->host_count, sizeof(*line));
				line->address = kmln_pool_strdup(pool, address);
				line->names = names;
			}
	}
}

void kmln_shared_init(struct kmln_shared *shared, const struct kmln_model *model,
	const char *folder, struct kmln_pool *pool)
{
	*shared = (struct kmln_shared){
		.pool = pool,
		.model = model,
		.folder = folder ? folder : "",
		.files = {.pool = pool},
		.sources = {.pool = pool},
		.memo = {.pool = pool},
	};
	list_hosts(shared);
}

/* The text of a row's column; NULL where it has none. */
static const char *cell(const struct kmln_row *row, unsigned column)
{
	return column < row->count ? row->cells[column].text : NULL;
}

static const char *const *texts(struct kmln_pool *pool, const struct kmln_rows *rows)
{
	const char **list = kmln_pool_array(pool, rows->count + 1, sizeof(*list));

	for (size_t i = 0; i < rows->count; i++)
		list[i] = cell(&rows->items[i], 0);
	return rows->count ? list : NULL;
}

/* crypt(5): "$id$...", or the thirteen characters of the oldest kind; "!" and "*" lock. */
static bool is_hash(const char *text)
{
	return text[0] == '$' || text[0] == '!' || text[0] == '*' || text[0] == '_' ||
	       strlen(text) == 13;
}

static void set_users(
	const struct kmln_host *host, struct kmln_pool *pool, struct kmln_settings *settings)
{
	struct kmln_set_user *users = kmln_pool_array(pool, host->users.count + 1, sizeof(*users));
	struct kmln_set_group *groups =
		kmln_pool_array(pool, host->group_count + 1, sizeof(*groups));

	for (size_t i = 0; i < host->users.count; i++) {
		const struct kmln_row *row = &host->users.items[i];
		const char *id = cell(row, KMLN_USER_ID), *secret = cell(row, KMLN_USER_HASH);

		users[i] = (struct kmln_set_user){
			.name = cell(row, KMLN_USER_NAME),
			.home = cell(row, KMLN_USER_HOME),
			.has_uid = id != NULL,
			.uid = id ? (uint32_t)row->cells[KMLN_USER_ID].number : 0,
		};
		if (secret && is_hash(secret))
			users[i].hash = secret;
		else
			users[i].password = secret;
	}
	for (size_t i = 0; i < host->group_count; i++)
		groups[i] = (struct kmln_set_group){
			.name = host->groups[i].name.text,
			.members = texts(pool, &host->groups[i].members),
		};
	settings->users = users;
	settings->user_count = host->users.count;
	settings->groups = groups;
	settings->group_count = host->group_count;
	if (host->root_passwd.text && is_hash(host->root_passwd.text))
		settings->root_hash = host->root_passwd.text;
	else
		settings->root_password = host->root_passwd.text;
}

static const char *const *addresses(const struct kmln_interface *interface, struct kmln_pool *pool)
{
	const char **list = kmln_pool_array(pool, KMLN_FAMILIES + 1, sizeof(*list));
	size_t count = 0;

	for (unsigned f = 0; f < KMLN_FAMILIES; f++)
		if (has_address(interface, f)) {
			char text[KMLN_IP_TEXT];

			kmln_ip_text(text, &interface->ip[f], true);
			list[count++] = kmln_pool_strdup(pool, text);
		}
	return list;
}

static const char *gateway(
	const struct kmln_interface *interface, enum kmln_family family, struct kmln_pool *pool)
{
	char text[KMLN_IP_TEXT];

	if (!interface->gateway[family].given)
		return NULL;
	kmln_ip_text(text, &interface->gateway[family], false);
	return kmln_pool_strdup(pool, text);
}

static void set_network(
	const struct kmln_host *host, struct kmln_pool *pool, struct kmln_settings *settings)
{
	struct kmln_set_interface *list =
		kmln_pool_array(pool, host->interface_count + 1, sizeof(*list));
	const char **servers = kmln_pool_array(pool, KMLN_FAMILIES + 1, sizeof(*servers));
	size_t server_count = 0;

	for (size_t i = 0; i < host->interface_count; i++) {
		const struct kmln_interface *interface = &host->interfaces[i];
		char mac[KMLN_MAC_TEXT];

		kmln_mac_text(mac, interface->mac);
		list[i] = (struct kmln_set_interface){
			.name = interface->name.text,
			.mac = kmln_pool_strdup(pool, mac),
			.dhcp = interface->addressing == KMLN_ADDRESS_DHCP,
			.addresses = addresses(interface, pool),
			.gateway4 = gateway(interface, KMLN_IPV4, pool),
			.gateway6 = gateway(interface, KMLN_IPV6, pool),
			.manual = !interface->at_boot,
			.optional = true,
		};
		for (unsigned f = 0; f < KMLN_FAMILIES && !host->nameserver.text; f++)
			if (interface->on && interface->on->dns[f].given && !servers[f]) {
				char text[KMLN_IP_TEXT];

				kmln_ip_text(text, &interface->on->dns[f], false);
				servers[server_count++] = kmln_pool_strdup(pool, text);
			}
	}
	if (host->nameserver.text)
		servers[0] = host->nameserver.text;
	settings->nameservers = servers[0] ? servers : NULL;
	settings->interfaces = list;
	settings->interface_count = host->interface_count;
}

/* What a line of `files` brings: one file, or those of a folder. */
struct part {
	const char *below; /* its path in the folder; NULL: the line's source itself */
	bool runs;
	const struct kmln_buf *bytes;
};

struct source {
	struct part *parts;
	size_t count;
};

/* A file of the user's, read once. */
static int load_file(struct kmln_shared *shared, const char *folder, const char *path, size_t limit,
	const struct kmln_buf **bytes, struct kmln_error *err)
{
	const char *whole = kmln_pool_printf(shared->pool, "%s%s", folder, path);
	struct kmln_buf *kept = kmln_names_find(&shared->files, whole, strlen(whole));
	KMLN_BUF struct kmln_buf read = {0};
	int r;

	*bytes = kept;
	if (kept)
		return 0;
	r = kmln_project_read_inside(folder, path, limit, &read, err);
	if (r < 0)
		return r;
	kept = kmln_pool_alloc(shared->pool, sizeof(*kept));
	kept->data = kmln_pool_memdup(shared->pool, read.data ? read.data : "", read.size);
	kept->size = read.size;
	kmln_names_add(&shared->files, whole, strlen(whole), kept);
	*bytes = kept;
	return 0;
}

static int load_source(struct kmln_shared *shared, const char *folder, const char *path,
	struct source *source, struct kmln_error *err)
{
	struct kmln_inside *inside = NULL;
	size_t count = 0, left = FILE_MAX;
	int r = kmln_project_list_inside(folder, path, shared->pool, &inside, &count, err);

	if (r == -ENOTDIR) {
		source->parts = kmln_pool_alloc(shared->pool, sizeof(*source->parts));
		source->count = 1;
		return load_file(shared, folder, path, FILE_MAX, &source->parts[0].bytes, err);
	}
	source->parts = kmln_pool_array(shared->pool, count + 1, sizeof(*source->parts));
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct part *part = &source->parts[source->count++];

		*part = (struct part){.below = inside[i].path, .runs = inside[i].runs};
		r = load_file(shared, folder,
			kmln_pool_printf(shared->pool, "%s/%s", path, inside[i].path), left,
			&part->bytes, err);
		left -= r == 0 ? part->bytes->size : 0;
	}
	return r;
}

/* Below the project file or, where nothing is there, as MLN has it, in the folder of files that
 * projects share. */
static int load(struct kmln_shared *shared, const char *path, const struct source **found,
	struct kmln_error *err)
{
	const char *common = kmln_folder(shared->pool, KMLN_FOLDER_DATA, "files/");
	struct source *source = kmln_names_find(&shared->sources, path, strlen(path));
	struct kmln_error not_there;
	int r = 0;

	if (!source) {
		source = kmln_pool_alloc(shared->pool, sizeof(*source));
		r = load_source(shared, shared->folder, path, source, err);
		if (r == -ENOENT && load_source(shared, common, path, source, &not_there) == 0)
			r = 0;
		if (r == 0)
			kmln_names_add(&shared->sources, path, strlen(path), source);
	}
	*found = source;
	return r;
}

/* The mode of a line is that of each file; what was to be run in a folder is so in the guest. */
static struct kmln_set_file file_of(const struct part *part, const char *target,
	const struct kmln_row *row, struct kmln_pool *pool)
{
	const bool has_mode = cell(row, KMLN_FILE_MODE) != NULL;

	return (struct kmln_set_file){
		.path = part->below ? kmln_pool_printf(pool, "%s%s%s", target,
					      kmln_ends(target, "/") ? "" : "/", part->below)
				    : target,
		.data = part->bytes->data,
		.size = part->bytes->size,
		.mode = has_mode     ? (uint32_t)row->cells[KMLN_FILE_MODE].number
			: part->runs ? 0755
				     : 0644,
	};
}

/* The words of an authorized_keys line, which the language has apart. */
static const char *key_line(const struct kmln_row *row, struct kmln_pool *pool)
{
	KMLN_BUF struct kmln_buf line = {0};

	for (unsigned i = KMLN_KEY_KEYS; i < row->count; i++)
		kmln_buf_printf(&line, "%s%s", i == KMLN_KEY_KEYS ? "" : " ", row->cells[i].text);
	kmln_buf_str(&line, "\n");
	return kmln_pool_strdup(pool, line.data);
}

static int set_files(struct kmln_shared *shared, const struct kmln_host *host,
	struct kmln_pool *pool, struct kmln_settings *settings, struct kmln_error *err)
{
	struct kmln_set_file *files = NULL;
	size_t file_count = 0;
	struct kmln_set_keys *keys = kmln_pool_array(pool, host->ssh_keys.count + 1, sizeof(*keys));

	for (size_t i = 0; i < host->files.count; i++) {
		const struct kmln_row *row = &host->files.items[i];
		const char *target = cell(row, KMLN_FILE_TARGET);
		const struct source *source;

		if (load(shared, cell(row, KMLN_FILE_SOURCE), &source, err) < 0)
			return kmln_wrap(err, "host %s, files", host->name.text);
		for (size_t k = 0; k < source->count; k++)
			*(struct kmln_set_file *)kmln_pool_append(pool, &files, &file_count,
				sizeof(*files)) = file_of(&source->parts[k], target, row, pool);
	}
	for (size_t i = 0; i < host->ssh_keys.count; i++)
		keys[i] = (struct kmln_set_keys){
			cell(&host->ssh_keys.items[i], KMLN_KEY_USER),
			key_line(&host->ssh_keys.items[i], pool),
		};
	settings->files = files;
	settings->file_count = file_count;
	settings->keys = keys;
	settings->key_count = host->ssh_keys.count;
	return 0;
}

static void set_swaps(const struct kmln_shared *shared, const struct kmln_host *host,
	struct kmln_pool *pool, struct kmln_settings *settings)
{
	const char **swaps = kmln_pool_array(pool, 3, sizeof(*swaps));
	size_t count = 0;

	if (host->swap.number) {
		char uuid[KMLN_UUID_TEXT];

		kmln_derived_uuid(uuid, shared->model->project, host->name.text, "swap");
		swaps[count++] = kmln_pool_printf(pool, "UUID=%s", uuid);
	}
	if (host->internalswap.number)
		swaps[count++] = KMLN_SWAP_FILE;
	settings->swap_file = host->internalswap.number;
	settings->swaps = count ? swaps : NULL;
}

int kmln_host_settings(struct kmln_shared *shared, const struct kmln_host *host,
	struct kmln_pool *pool, struct kmln_settings *settings, struct kmln_error *err)
{
	*settings = (struct kmln_settings){
		.hostname = host->name.text,
		.hosts = shared->hosts,
		.host_count = shared->host_count,
		.in_hosts = has_any_address(host),
		.memo = &shared->memo,
		.modules = texts(pool, &host->modules),
		.packages = texts(pool, &host->packages),
		.startup = texts(pool, &host->startup),
		.shutdown = texts(pool, &host->shutdown),
		.empty_machine_id = true,
		.new_host_keys = true,
		.agent = true,
	};
	set_users(host, pool, settings);
	set_network(host, pool, settings);
	set_swaps(shared, host, pool, settings);
	return set_files(shared, host, pool, settings, err);
}

enum { USER, FILES, KEY, INTERFACE, MOUNT, KINDS };

struct all {
	struct kmln_set_user *users;
	struct kmln_set_file *files;
	struct kmln_set_keys *keys;
	struct kmln_set_interface *interfaces;
	struct kmln_set_mount *mounts;
	struct kmln_settings settings;
	struct kmln_names seen[KINDS];
};

static bool is_new(struct all *all, int kind, const char *name)
{
	return !kmln_names_add(&all->seen[kind], name, strlen(name), all);
}

static void add_all(struct all *all, const struct kmln_settings *s, struct kmln_pool *pool)
{
	struct kmln_settings *to = &all->settings;

	for (size_t i = 0; i < s->user_count; i++)
		if (is_new(all, USER, s->users[i].name))
			*(struct kmln_set_user *)kmln_pool_append(pool, &all->users,
				&to->user_count, sizeof(*all->users)) = s->users[i];
	for (size_t i = 0; i < s->file_count; i++)
		if (is_new(all, FILES, s->files[i].path))
			*(struct kmln_set_file *)kmln_pool_append(pool, &all->files,
				&to->file_count, sizeof(*all->files)) = s->files[i];
	for (size_t i = 0; i < s->key_count; i++)
		if (is_new(all, KEY, s->keys[i].user))
			*(struct kmln_set_keys *)kmln_pool_append(
				pool, &all->keys, &to->key_count, sizeof(*all->keys)) = s->keys[i];
	for (size_t i = 0; i < s->interface_count; i++)
		if (is_new(all, INTERFACE, s->interfaces[i].name))
			*(struct kmln_set_interface *)kmln_pool_append(pool, &all->interfaces,
				&to->interface_count, sizeof(*all->interfaces)) = s->interfaces[i];
	for (size_t i = 0; i < s->mount_count; i++)
		if (is_new(all, MOUNT, s->mounts[i].point))
			*(struct kmln_set_mount *)kmln_pool_append(pool, &all->mounts,
				&to->mount_count, sizeof(*all->mounts)) = s->mounts[i];
	to->hostname = s->hostname;
	to->modules = s->modules ? s->modules : to->modules;
	to->startup = s->startup ? s->startup : to->startup;
	to->shutdown = s->shutdown ? s->shutdown : to->shutdown;
	to->swaps = s->swaps ? s->swaps : to->swaps;
	to->swap_file = s->swap_file ? s->swap_file : to->swap_file;
	to->packages = s->packages ? s->packages : to->packages;
	to->nameservers = s->nameservers ? s->nameservers : to->nameservers;
}

int kmln_all_settings(struct kmln_shared *shared, const struct kmln_placed *hosts, size_t count,
	const struct kmln_base *base, struct kmln_settings *settings, struct kmln_error *err)
{
	struct all all = {.settings = {.empty_machine_id = true, .new_host_keys = true}};

	for (size_t i = 0; i < KINDS; i++)
		all.seen[i].pool = shared->pool;
	for (size_t i = 0; i < count; i++) {
		struct kmln_settings one;

		if (hosts[i].base != base)
			continue;
		if (kmln_host_settings(shared, hosts[i].host, shared->pool, &one, err) < 0)
			return -err->code;
		kmln_further_settings(&hosts[i], shared->pool, &one);
		add_all(&all, &one, shared->pool);
	}
	*settings = all.settings;
	settings->users = all.users;
	settings->files = all.files;
	settings->keys = all.keys;
	settings->interfaces = all.interfaces;
	settings->mounts = all.mounts;
	return 0;
}
