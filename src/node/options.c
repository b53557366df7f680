// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading the command line of kmln-node; see options.h. */
#include "node/options.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct kmln_node_options *options;
	struct kmln_pool *pool;
	char **argv;
	int argc, at;
};

static const char *const channels[] = {"none", "serial", "virtio", NULL};
static const char *const restarts[] = {"no", "on-failure", "always", NULL};

static int number(const char *text, unsigned long most, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *value <= most ? 0 : -1;
}

static int choose(const char *option, const char *const *words, const char *text, unsigned *choice,
	struct kmln_error *err)
{
	for (*choice = 0; words[*choice]; (*choice)++)
		if (kmln_eq(words[*choice], text))
			return 0;
	return kmln_fail(err, KMLN_EUSAGE, "%s %s: there is no such", option, text);
}

/* A word of an environment: NAME=value. */
static bool is_variable(const char *word)
{
	size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	return n && word[n] == '=' && !(word[0] >= '0' && word[0] <= '9');
}

/* COUNT WORD...: its environment, then its vector, NULL-ended copies of both. */
static int take_spawn(
	struct reading *r, const char *option, struct kmln_spawn *spawn, struct kmln_error *err)
{
	unsigned long count;
	const char **words;
	size_t env = 0;

	if (r->at >= r->argc || number(r->argv[r->at], 65536, &count) < 0 || !count)
		return kmln_fail(err, KMLN_EUSAGE, "%s needs a number of words", option);
	r->at++;
	if ((unsigned long)(r->argc - r->at) < count)
		return kmln_fail(
			err, KMLN_EUSAGE, "%s: there are only %d words", option, r->argc - r->at);
	words = kmln_pool_array(r->pool, count + 2, sizeof(*words));
	while (env < count && is_variable(r->argv[r->at + (int)env]))
		env++;
	memcpy(words, r->argv + r->at, env * sizeof(*words));
	memcpy(words + env + 1, r->argv + r->at + env, (count - env) * sizeof(*words));
	if (env == count || words[env + 1][0] != '/')
		return kmln_fail(err, KMLN_EUSAGE, "%s: the program is no absolute path", option);
	r->at += (int)count;
	spawn->env = words;
	spawn->argv = words + env + 1;
	return 0;
}

static int check_regex(const char *text, struct kmln_error *err)
{
	char words[128];
	regex_t regex;
	int r = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);

	if (r == 0) {
		regfree(&regex);
		return 0;
	}
	regerror(r, &regex, words, sizeof(words));
	return kmln_fail(
		err, KMLN_EUSAGE, "'%s' is no extended regular expression: %s", text, words);
}

/* One word, or one and what belongs to it behind a blank. */
static int take_ready(struct reading *r, const char *when, struct kmln_error *err)
{
	struct kmln_node_options *o = r->options;
	const char *blank = strchr(when, ' '), *what = blank ? blank + 1 : "";
	unsigned long port;

	o->ready_text = what;
	o->waits_for = kmln_pool_strdup(r->pool, when);
	if (kmln_eq(when, "none")) {
		o->ready = KMLN_NODE_READY_NONE;
		o->waits_for = NULL;
	} else if (kmln_eq(when, "agent")) {
		o->ready = KMLN_NODE_READY_AGENT;
	} else if (kmln_starts(when, "port ") && number(what, 65535, &port) == 0 && port) {
		o->ready = KMLN_NODE_READY_PORT;
		o->ready_port = (unsigned)port;
	} else if (kmln_starts(when, "console ") && *what) {
		o->ready = KMLN_NODE_READY_CONSOLE;
		return check_regex(what, err);
	} else if (kmln_starts(when, "words ") && *what) {
		o->ready = KMLN_NODE_READY_WORDS;
	} else if (kmln_starts(when, "socket /")) {
		o->ready = KMLN_NODE_READY_SOCKET;
	} else {
		return kmln_fail(err, KMLN_EUSAGE, "--ready %s: there is no such", when);
	}
	return 0;
}

static int take_link(struct reading *r, const char *text, struct kmln_error *err)
{
	struct kmln_spawn *spawn = &r->options->spawn;
	const char *equals = strchr(text, '=');
	struct kmln_action_link *links = (struct kmln_action_link *)spawn->links, *link;

	if (!equals || equals == text || memchr(text, '/', (size_t)(equals - text)))
		return kmln_fail(err, KMLN_EUSAGE, "--folder-link %s: no NAME=TARGET", text);
	link = kmln_pool_append(r->pool, &links, &spawn->link_count, sizeof(*links));
	link->name = kmln_pool_memdup(r->pool, text, (size_t)(equals - text));
	link->target = equals + 1;
	spawn->links = links;
	return 0;
}

static int take_value(
	struct reading *r, const char *option, const char *value, struct kmln_error *err)
{
	struct kmln_node_options *o = r->options;
	unsigned choice = 0;
	unsigned long count;
	int code = 0;

	if (kmln_eq(option, "--name")) {
		o->name = value;
	} else if (kmln_eq(option, "--run")) {
		o->run = value;
	} else if (kmln_eq(option, "--log")) {
		o->log = value;
	} else if (kmln_eq(option, "--transfer")) {
		o->transfer = value;
	} else if (kmln_eq(option, "--fresh")) {
		kmln_strv_add(&o->fresh, value);
	} else if (kmln_eq(option, "--channel")) {
		code = choose(option, channels, value, &choice, err);
		o->channel = choice;
	} else if (kmln_eq(option, "--restart")) {
		code = choose(option, restarts, value, &choice, err);
		o->restart = choice;
	} else if (kmln_eq(option, "--ready")) {
		code = take_ready(r, value, err);
	} else if (kmln_eq(option, "--folder-link")) {
		code = take_link(r, value, err);
	} else if (kmln_eq(option, "--type-ahead")) {
		if (number(value, 1 << 20, &count) < 0)
			return kmln_fail(err, KMLN_EUSAGE, "--type-ahead %s: no number", value);
		o->spawn.type_ahead = count;
	} else {
		code = kmln_fail(err, KMLN_EUSAGE, "there is no option '%s'", option);
	}
	return code;
}

static int take(struct reading *r, struct kmln_error *err)
{
	struct kmln_node_options *o = r->options;
	const char *option = r->argv[r->at++];

	if (kmln_eq(option, "--foreground"))
		o->foreground = true;
	else if (kmln_eq(option, "--unconfined"))
		o->spawn.confined = false;
	else if (kmln_eq(option, "--open"))
		o->spawn.open = true;
	else if (kmln_eq(option, "--spawn"))
		return take_spawn(r, option, &o->spawn, err);
	else if (kmln_eq(option, "--serve"))
		return take_spawn(r, option, &o->serve, err);
	else if (r->at >= r->argc)
		return kmln_fail(err, KMLN_EUSAGE, "%s needs a value", option);
	else
		return take_value(r, option, r->argv[r->at++], err);
	return 0;
}

static int check(struct kmln_node_options *o, struct kmln_error *err)
{
	const bool agent = o->ready == KMLN_NODE_READY_AGENT || o->ready == KMLN_NODE_READY_PORT;

	if (!o->name || !*o->name || !o->run || !o->log || !o->spawn.argv)
		return kmln_fail(err, KMLN_EUSAGE, "--name, --run, --log and --spawn are needed");
	if (strchr(o->name, '/') || o->run[0] != '/' || o->log[0] != '/')
		return kmln_fail(err, KMLN_EUSAGE,
			"--name is a word, and --run and --log are absolute paths");
	if (agent && o->channel == KMLN_CHANNEL_NONE)
		return kmln_fail(err, KMLN_EUSAGE, "--ready %s needs a --channel", o->waits_for);
	o->spawn.channels = o->channel == KMLN_CHANNEL_NONE ? 0 : KMLN_CHANNELS;
	o->spawn.split = o->channel == KMLN_CHANNEL_SERIAL;
	return 0;
}

int kmln_node_options(struct kmln_node_options *options, struct kmln_pool *pool, int argc,
	char **argv, struct kmln_error *err)
{
	struct reading r = {options, pool, argv, argc, 1};
	int code = 0;

	*options = (struct kmln_node_options){
		.spawn.confined = true,
		.serve.confined = true,
	};
	for (int i = 1; i < argc && !kmln_eq(argv[i], "--spawn") && !kmln_eq(argv[i], "--serve");
		i++)
		if (kmln_eq(argv[i], "--help"))
			options->help = true;
	while (code == 0 && !options->help && r.at < argc)
		code = take(&r, err);
	return code < 0 || options->help ? code : check(options, err);
}
