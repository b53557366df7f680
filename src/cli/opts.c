// SPDX-License-Identifier: GPL-2.0-or-later
/* The option tables as a parser: long and short forms, "--name=value", "--" ends the options. */
#include "cli/cli.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

int kmln_parse_size(const char *text, uint64_t *bytes, struct kmln_error *err)
{
	static const char units[] = "KMGT";
	uint64_t value, scale = 1;
	const char *unit;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || errno)
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is not a size (like 512M or 2G)", text);
	if (*end && (unit = strchr(units, *end))) {
		scale = (uint64_t)1 << (10 * (unit - units + 1));
		end++;
		if (kmln_starts(end, "iB"))
			end += 2;
	}
	if (*end)
		return kmln_fail(err, KMLN_EUSAGE,
			"'%s' is not a size: '%s' is no unit (K, M, G, T)", text, end);
	if (kmln_mul_overflow(value, scale, bytes) || *bytes > INT64_MAX)
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is too big for a size", text);
	return 0;
}

static int parse_number(const char *text, uint64_t *number, struct kmln_error *err)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno)
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is not a number", text);
	return 0;
}

static int parse_choice(
	const struct kmln_opt *opt, const char *text, const char **value, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf known = {0};

	for (const char *const *c = opt->choices; *c; c++) {
		if (kmln_eq(*c, text)) {
			*value = *c;
			return 0;
		}
		kmln_buf_printf(&known, "%s%s", known.size ? ", " : "", *c);
	}
	return kmln_fail(err, KMLN_EUSAGE, "'%s' is not one of %s", text, known.data);
}

static void add_list(struct kmln_strv *list, const char *text)
{
	KMLN_FREE char *copy = kmln_strdup(text);
	char *rest = copy;

	for (char *item; (item = strsep(&rest, ","));)
		if (*item)
			kmln_strv_add(list, item);
}

static int set_value(
	const struct kmln_opt *opt, void *values, const char *text, struct kmln_error *err)
{
	void *slot = (char *)values + opt->offset;
	int r = 0;

	switch (opt->kind) {
	case KMLN_OPT_FLAG:
		*(bool *)slot = true;
		break;
	case KMLN_OPT_TEXT:
	case KMLN_OPT_FILE:
	case KMLN_OPT_FOLDER:
		*(const char **)slot = text;
		break;
	case KMLN_OPT_SIZE:
		r = kmln_parse_size(text, slot, err);
		break;
	case KMLN_OPT_NUMBER:
		r = parse_number(text, slot, err);
		break;
	case KMLN_OPT_CHOICE:
		r = parse_choice(opt, text, slot, err);
		break;
	case KMLN_OPT_FILES:
		kmln_strv_add(slot, text);
		break;
	case KMLN_OPT_LIST:
		add_list(slot, text);
		break;
	case KMLN_OPT_STEPS:
		kmln_strv_printf(slot, "%s=%s", opt->name, text);
		break;
	}
	return r < 0 ? kmln_wrap(err, "--%s", opt->name) : 0;
}

static int unknown(const struct kmln_command *command, const char *word, struct kmln_error *err)
{
	KMLN_FREE char *name = kmln_strdup(word + strspn(word, "-"));
	size_t best = SIZE_MAX;
	const char *near = NULL;

	name[strcspn(name, "=")] = '\0';
	for (const struct kmln_opt *o = command->opts; o->name; o++) {
		size_t distance = kmln_distance(name, o->name);

		if (distance < best) {
			best = distance;
			near = o->name;
		}
	}
	if (near)
		return kmln_fail(err, KMLN_EUSAGE, "no option %s; did you mean --%s?", word, near);
	return kmln_fail(
		err, KMLN_EUSAGE, "no option %s (kmln %s --help lists them)", word, command->name);
}

static const struct kmln_opt *find(
	const struct kmln_opt *opts, const char *word, const char **value)
{
	for (const struct kmln_opt *o = opts; o->name; o++) {
		size_t n = strlen(o->name);

		*value = NULL;
		if (word[1] == '-' && strncmp(word + 2, o->name, n) == 0 &&
			(word[2 + n] == '\0' || word[2 + n] == '=')) {
			*value = word[2 + n] ? word + 3 + n : NULL;
			return o;
		}
		if (word[1] != '-' && o->letter && word[1] == o->letter) {
			*value = word[2] ? word + 2 : NULL;
			return o;
		}
	}
	return NULL;
}

bool kmln_opts_loudness(const char *word)
{
	if (kmln_eq(word, "-q") || kmln_eq(word, "--quiet"))
		kmln_verbosity = -1;
	else if (kmln_eq(word, "-v") || kmln_eq(word, "--verbose"))
		kmln_verbosity = 1;
	else
		return false;
	return true;
}

/* True for an option that all commands take, which is then carried out. */
static bool global_option(const char *word, bool *help)
{
	if (!kmln_eq(word, "-h") && !kmln_eq(word, "--help"))
		return kmln_opts_loudness(word);
	*help = true;
	return true;
}

/* Flags may share one dash: -lR. The word is used up to the first that is none, which may have a
 * value. */
static void take_flags(const struct kmln_command *command, void *values, char *word, bool *help)
{
	while (word[1] && word[2]) {
		const char first[] = {'-', word[1], '\0'};
		const struct kmln_opt *opt;
		const char *value;

		if (!global_option(first, help)) {
			opt = find(command->opts, first, &value);
			if (!opt || opt->kind != KMLN_OPT_FLAG)
				return;
			*(bool *)((char *)values + opt->offset) = true;
		}
		memmove(word + 1, word + 2, strlen(word + 1));
	}
}

int kmln_opts_parse(const struct kmln_command *command, void *values, int argc, char **argv,
	int *first, bool *help, struct kmln_error *err)
{
	int args = 0;

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *value;
		const struct kmln_opt *opt;
		int r;

		if (kmln_eq(word, "--")) {
			while (++i < argc)
				argv[args++] = argv[i];
			break;
		}
		if (word[0] != '-' || !word[1]) {
			argv[args++] = argv[i];
			if (args != command->rest_from)
				continue;
			while (++i < argc)
				argv[args++] = argv[i];
			break;
		}
		if (word[1] != '-')
			take_flags(command, values, argv[i], help);
		if (global_option(word, help))
			continue;
		opt = find(command->opts, word, &value);
		if (!opt)
			return unknown(command, word, err);
		if (opt->kind == KMLN_OPT_FLAG && value)
			return kmln_fail(err, KMLN_EUSAGE, "--%s takes no value", opt->name);
		if (opt->kind != KMLN_OPT_FLAG && !value) {
			if (i + 1 >= argc)
				return kmln_fail(err, KMLN_EUSAGE, "--%s needs a value: %s",
					opt->name, opt->arg);
			value = argv[++i];
		}
		r = set_value(opt, values, value, err);
		if (r < 0)
			return r;
	}
	*first = args;
	return 0;
}

void kmln_opts_fini(const struct kmln_command *command, void *values)
{
	for (const struct kmln_opt *o = command->opts; o && o->name; o++)
		if (o->kind == KMLN_OPT_LIST || o->kind == KMLN_OPT_STEPS ||
			o->kind == KMLN_OPT_FILES)
			kmln_strv_fini((struct kmln_strv *)((char *)values + o->offset));
}
