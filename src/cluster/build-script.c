// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scripts of a project: each executes kmln-node with all that its node needs. They are for any
 * shell, need nothing but the project's folder, and work by hand. Each word is quoted: nothing that
 * a file or a path says is ever anything but a word.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/helper.h"
#include "base/shell.h"
#include "cluster/build-parts.h"

/* ---- text ---- */

static bool is_plain(const char *word)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789@%_+=:,./-";

	return *word && !word[strspn(word, letters)];
}

static void add_word(struct kmln_buf *out, const char *word)
{
	if (is_plain(word))
		kmln_buf_str(out, word);
	else
		kmln_shell_quote(word, out);
}

/* A command in lines that end in backslashes, an option a line. */
static void add_command(struct kmln_buf *out, const struct kmln_strv *words)
{
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];

		if (i)
			kmln_buf_str(out, word[0] == '-' && word[1] ? " \\\n\t" : " ");
		add_word(out, word);
	}
	kmln_buf_str(out, "\n");
}

static void begin(
	struct kmln_buf *out, const char *does, const char *what, const struct kmln_store *store)
{
	kmln_buf_printf(out,
		"#!/bin/sh\n"
		"# %s %s of the project %s. Made by `kmln build`, which will make it anew.\n",
		does, what, store->project);
}

/* ---- a node ---- */

/* What the actions of one node come to. */
struct node {
	enum kmln_role role;
	const char *name; /* "lan" */
	const struct kmln_spawn *serve, *spawn;
	const char *ready;
	const struct kmln_action **taps;
	size_t tap_count;
};

struct making {
	const struct kmln_cluster *cluster;
	const struct kmln_store *store;
	struct kmln_scripts *scripts;
	const char *program; /* kmln-node */
};

/* "1 word" of --serve and --spawn: the environment in front of the vector. */
static void add_spawn(struct kmln_strv *argv, const char *option, const struct kmln_spawn *spawn)
{
	size_t count = 0;

	for (const char *const *w = spawn->env; *w; w++)
		count++;
	for (const char *const *w = spawn->argv; *w; w++)
		count++;
	kmln_strv_add(argv, option);
	kmln_strv_printf(argv, "%zu", count);
	for (const char *const *w = spawn->env; *w; w++)
		kmln_strv_add(argv, *w);
	for (const char *const *w = spawn->argv; *w; w++)
		kmln_strv_add(argv, *w);
}

static void add_node_command(const struct making *m, const struct node *node,
	const struct kmln_placed *placed, struct kmln_buf *out)
{
	const char *name = kmln_store_node(m->store, node->role, node->name);
	KMLN_STRV struct kmln_strv argv = {0};

	kmln_strv_adds(&argv, "exec", m->program, "--name", name, "--run",
		kmln_store_node_folder(m->store, name), "--log", kmln_store_log(m->store, name),
		NULL);
	if (placed) {
		const bool uml = kmln_eq(placed->platform->name, "uml");

		kmln_strv_adds(&argv, "--channel", uml ? "serial" : "virtio", NULL);
		if (uml && node->spawn->confined)
			kmln_strv_adds(&argv, "--transfer",
				kmln_transfer_path(m->cluster, placed, m->store->pool), NULL);
	}
	if (node->ready)
		kmln_strv_adds(&argv, "--ready", node->ready, NULL);
	if (!node->spawn->confined)
		kmln_strv_add(&argv, "--unconfined");
	if (node->spawn->type_ahead) {
		kmln_strv_add(&argv, "--type-ahead");
		kmln_strv_printf(&argv, "%zu", node->spawn->type_ahead);
	}
	for (size_t i = 0; i < node->spawn->link_count; i++) {
		kmln_strv_add(&argv, "--folder-link");
		kmln_strv_printf(
			&argv, "%s=%s", node->spawn->links[i].name, node->spawn->links[i].target);
	}
	if (node->serve)
		add_spawn(&argv, "--serve", node->serve);
	add_spawn(&argv, "--spawn", node->spawn);
	add_command(out, &argv);
}

/* A device of the host's is made for whoever runs the script, and noted: who stops the node takes
 * away what it notes. */
static void add_tap(const struct making *m, const struct node *node,
	const struct kmln_action *action, struct kmln_buf *out)
{
	const char *name = action->text;
	const char *notes = kmln_pool_printf(m->store->pool, "%s/taps", m->store->runtime);
	KMLN_BUF struct kmln_buf dev = {0}, note = {0}, folder = {0};

	add_word(&dev, name);
	add_word(&folder, notes);
	add_word(&note, kmln_pool_printf(m->store->pool, "%s/%s", notes, name));
	kmln_buf_printf(out, "if ! ip link show dev %s >/dev/null 2>&1; then\n\tmkdir -p %s\n",
		dev.data, folder.data);
	kmln_buf_printf(out, "\techo %s > %s\n", kmln_store_node(m->store, node->role, node->name),
		note.data);
	kmln_buf_printf(out, "\tip tuntap add dev %s mode tap user \"$(id -u)\"", dev.data);
	if (action->tap_address) {
		kmln_buf_printf(out, " &&\n\t\tip address add ");
		add_word(out, action->tap_address);
		kmln_buf_printf(out, " dev %s", dev.data);
	}
	if (action->tap_bridge) {
		kmln_buf_printf(out, " &&\n\t\tip link set dev %s master ", dev.data);
		add_word(out, action->tap_bridge);
	}
	kmln_buf_printf(out,
		" &&\n\t\tip link set dev %s up || {\n"
		"\t\tip tuntap del dev %s mode tap 2>/dev/null\n"
		"\t\trm -f %s\n"
		"\t\techo \"$0: the network device %s cannot be made, which needs root\" >&2\n"
		"\t\texit 5\n\t}\nfi\n",
		dev.data, dev.data, note.data, dev.data);
}

/* Folders that the programs are given; the runtime folder may have been lost with a reboot. */
static void add_folders(const struct making *m, const struct node *node,
	const struct kmln_placed *placed, struct kmln_buf *out)
{
	struct kmln_pool *pool = m->store->pool;
	const char *name = kmln_store_node(m->store, node->role, node->name);
	KMLN_STRV struct kmln_strv argv = {0};

	kmln_strv_adds(&argv, "mkdir", "-p", NULL);
	kmln_strv_add(&argv, kmln_store_node_folder(m->store, name));
	kmln_strv_printf(&argv, "%s/logs", m->store->folder);
	if (node->role == KMLN_ROLE_SWITCH)
		kmln_strv_printf(&argv, "%s/net-%s", m->store->runtime, node->name);
	if (node->role == KMLN_ROLE_END)
		kmln_strv_printf(&argv, "%s/wire-%s", m->store->runtime, node->name);
	if (placed && node->serve)
		kmln_strv_printf(&argv, "%s/disk-%s", m->store->runtime, node->name);
	if (placed)
		kmln_strv_add(&argv, kmln_transfer_path(m->cluster, placed, pool));
	kmln_buf_str(out, "umask 077\n");
	for (size_t i = 0; i < argv.count; i++) {
		kmln_buf_str(out, i ? " " : "");
		add_word(out, argv.items[i]);
	}
	kmln_buf_str(out, " || exit 1\n");
}

static void add_script(const struct making *m, const struct node *node,
	const struct kmln_placed *placed, bool starts, const struct kmln_buf *text)
{
	const unsigned order = placed ? (unsigned)placed->host->boot_order.number : 0;

	*(struct kmln_script *)kmln_pool_append(m->scripts->pool, &m->scripts->items,
		&m->scripts->count, sizeof(struct kmln_script)) = (struct kmln_script){
		.path = kmln_store_script(
			m->store, starts ? "start" : "stop", node->role, node->name, order),
		.text = kmln_pool_strdup(m->scripts->pool, text->data),
		.node = kmln_store_node(m->store, node->role, node->name),
		.placed = placed,
		.starts = starts,
	};
}

/* kmln looks for the project where it was built, whoever calls. */
static void add_environment(struct kmln_buf *out)
{
	static const char *const names[] = {"KMLN_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"};

	for (size_t i = 0; i < KMLN_COUNT(names); i++) {
		const char *value = getenv(names[i]);

		if (!value || value[0] != '/')
			continue;
		kmln_buf_printf(out, "%s=", names[i]);
		add_word(out, value);
		kmln_buf_printf(out, "\nexport %s\n", names[i]);
	}
}

static void make_stop(
	const struct making *m, const struct node *node, const struct kmln_placed *placed)
{
	KMLN_BUF struct kmln_buf text = {0};
	KMLN_STRV struct kmln_strv argv = {0};

	begin(&text, "Stops", kmln_store_node(m->store, node->role, node->name), m->store);
	add_environment(&text);
	kmln_strv_adds(&argv, "exec", m->cluster->walls.self, NULL);
	if (placed)
		kmln_strv_adds(&argv, "stop", "-p", m->store->project, node->name, NULL);
	else
		kmln_strv_adds(&argv, "_end", m->store->project,
			kmln_store_node(m->store, node->role, node->name), NULL);
	add_command(&text, &argv);
	add_script(m, node, placed, false, &text);
}

static void make_scripts(
	const struct making *m, const struct node *node, const struct kmln_placed *placed)
{
	KMLN_BUF struct kmln_buf text = {0};

	begin(&text, "Starts", kmln_store_node(m->store, node->role, node->name), m->store);
	add_folders(m, node, placed, &text);
	for (size_t i = 0; i < node->tap_count; i++)
		add_tap(m, node, node->taps[i], &text);
	add_node_command(m, node, placed, &text);
	add_script(m, node, placed, true, &text);
	make_stop(m, node, placed);
}

/* Takes one action into its node. */
static void take(struct kmln_pool *pool, const struct kmln_action *action, struct node *node)
{
	switch (action->kind) {
	case KMLN_ACTION_TAP:
		*(const struct kmln_action **)kmln_pool_append(
			pool, &node->taps, &node->tap_count, sizeof(*node->taps)) = action;
		break;
	case KMLN_ACTION_SERVE:
		node->serve = action->spawn;
		break;
	case KMLN_ACTION_SPAWN:
		node->spawn = action->spawn;
		break;
	case KMLN_ACTION_READY:
		node->ready = action->ready;
		break;
	default:
		break;
	}
}

/* "switch-lan" is a switch called lan. */
static struct node node_of(const char *id)
{
	struct node node = {.name = id};

	for (enum kmln_role role = KMLN_ROLE_HOST; role <= KMLN_ROLE_WIRE; role++) {
		const char *name = kmln_role_name(role);

		if (kmln_starts(id, name) && id[strlen(name)] == '-') {
			node.role = role;
			node.name = id + strlen(name) + 1;
		}
	}
	return node;
}

/* The actions of a node follow each other. */
static int make_networks(const struct making *m, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_actions actions = {.pool = pool, .by = "build"};
	int r = kmln_plan_networks(m->cluster, &actions, err);

	for (size_t i = 0; r == 0 && i < actions.count;) {
		const char *id = actions.items[i].node;
		struct node node = node_of(id);

		for (; i < actions.count && kmln_eq(actions.items[i].node, id); i++)
			take(pool, &actions.items[i], &node);
		make_scripts(m, &node, NULL);
	}
	return r;
}

static int make_host(
	const struct making *m, const struct kmln_placed *placed, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_actions actions = {.pool = pool, .by = "build"};
	struct node node = {.role = KMLN_ROLE_HOST, .name = placed->host->name.text};
	int r = kmln_plan_start(m->cluster, placed, &actions, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < actions.count; i++)
		take(pool, &actions.items[i], &node);
	make_scripts(m, &node, placed);
	return 0;
}

int kmln_scripts_make(const struct kmln_cluster *cluster, const struct kmln_store *store,
	struct kmln_scripts *scripts, struct kmln_error *err)
{
	struct making making = {.cluster = cluster, .store = store, .scripts = scripts};
	int r;

	*scripts = (struct kmln_scripts){.pool = cluster->pool};
	r = kmln_find_helper(cluster->pool, "kmln-node", &making.program, err);
	if (r == 0)
		r = make_networks(&making, err);
	for (size_t i = 0; r == 0 && i < cluster->model->host_count; i++)
		r = make_host(&making, &cluster->hosts[i], err);
	return r;
}

/* ---- what is there ---- */

int kmln_scripts_stale(const struct kmln_store *store, const struct kmln_scripts *scripts,
	struct kmln_strv *names, struct kmln_error *err)
{
	DIR *dir = opendir(store->folder);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : kmln_fail_sys(err, errno, "%s", store->folder);
	while ((entry = readdir(dir))) {
		bool known = false;

		if (!kmln_ends(entry->d_name, ".sh") ||
			(!kmln_starts(entry->d_name, "start_") &&
				!kmln_starts(entry->d_name, "stop_")))
			continue;
		for (size_t i = 0; !known && i < scripts->count; i++)
			known = kmln_eq(strrchr(scripts->items[i].path, '/') + 1, entry->d_name);
		if (!known)
			kmln_strv_add(names, entry->d_name);
	}
	closedir(dir);
	return 0;
}

/* The next word; blanks, newlines and backslashes at the ends of lines are between words. */
static const char *next_word(const char **at, size_t *size)
{
	const char *word = *at + strspn(*at, " \t\n\\");

	*size = strcspn(word, " \t\n");
	*at = word + *size;
	return word;
}

/* "mem=128M" and "mem=256M" */
static bool is_same_setting(const char *a, size_t a_size, const char *b, size_t b_size)
{
	const char *equals = memchr(a, '=', a_size);
	size_t n = equals ? (size_t)(equals - a) + 1 : 0;

	return n && n < b_size && memcmp(a, b, n) == 0;
}

/* The first words may be a consequence of what people would say: that is looked for as well. */
const char *kmln_scripts_difference(struct kmln_pool *pool, const char *old, const char *new)
{
	const char *first = NULL, *option = "";
	size_t option_size = 0;

	for (;;) {
		size_t old_size, new_size;
		const char *a = next_word(&old, &old_size), *b = next_word(&new, &new_size);
		const bool same = old_size == new_size && memcmp(a, b, old_size) == 0;

		if (!old_size || !new_size)
			return first ? first : "its script";
		if (!same && is_same_setting(a, old_size, b, new_size))
			return kmln_pool_printf(
				pool, "%.*s -> %.*s", (int)old_size, a, (int)new_size, b);
		if (!same && !first)
			first = kmln_pool_printf(pool, "%.*s%s%.*s -> %.*s", (int)option_size,
				option, option_size ? " " : "", (int)old_size, a, (int)new_size, b);
		option = b;
		option_size = b[0] == '-' ? new_size : 0;
	}
}
