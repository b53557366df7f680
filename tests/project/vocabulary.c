// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vocabulary [dtd]: the table of words as JSON, or the DTD that is made from it, for
 * scripts/generate and for tests that make random projects: what is in the table is covered.
 */
#include <stdio.h>
#include <string.h>

#include "project/words.h"
#include "project/xml-names.h"
#include "project/xml.h"
#include "text/json.h"

static const char *const blocks[KMLN_BLOCK_KINDS + 1] = {
	[KMLN_BLOCK_FILE] = "file",
	[KMLN_BLOCK_GLOBAL] = "global",
	[KMLN_BLOCK_SWITCH] = "switch",
	[KMLN_BLOCK_HOST] = "host",
	[KMLN_BLOCK_SUPERCLASS] = "superclass",
	[KMLN_BLOCK_NETWORK] = "network",
	[KMLN_BLOCK_GROUPS] = "groups",
	[KMLN_BLOCK_AUTOENUM] = "autoenum",
	[KMLN_BLOCK_KVM] = "kvm",
	[KMLN_BLOCK_ROWS] = "rows",
	[KMLN_BLOCK_LINES] = "lines",
	[KMLN_BLOCK_SWITCHES] = "switches",
	[KMLN_BLOCK_HOSTS] = "hosts",
	[KMLN_BLOCK_SUPERCLASSES] = "superclasses",
	[KMLN_BLOCK_KINDS] = "any",
};

static const char *const types[KMLN_TYPES] = {
	[KMLN_TYPE_TEXT] = "text",
	[KMLN_TYPE_SECRET] = "secret",
	[KMLN_TYPE_PATTERN] = "pattern",
	[KMLN_TYPE_HOST_NAME] = "host-name",
	[KMLN_TYPE_SWITCH_NAME] = "switch-name",
	[KMLN_TYPE_CLASS_NAME] = "class-name",
	[KMLN_TYPE_DEVICE] = "device",
	[KMLN_TYPE_USER] = "user",
	[KMLN_TYPE_PROGRAM] = "program",
	[KMLN_TYPE_HOST] = "host",
	[KMLN_TYPE_SWITCH] = "switch",
	[KMLN_TYPE_SUPERCLASS] = "superclass",
	[KMLN_TYPE_IMAGE] = "image",
	[KMLN_TYPE_PATH] = "path",
	[KMLN_TYPE_INSIDE] = "inside",
	[KMLN_TYPE_GUEST_PATH] = "guest-path",
	[KMLN_TYPE_NUMBER] = "number",
	[KMLN_TYPE_SIZE] = "size",
	[KMLN_TYPE_RATE] = "rate",
	[KMLN_TYPE_TIME] = "time",
	[KMLN_TYPE_SHARE] = "share",
	[KMLN_TYPE_MODE] = "mode",
	[KMLN_TYPE_ADDRESS] = "address",
	[KMLN_TYPE_IP] = "ip",
	[KMLN_TYPE_NETMASK] = "netmask",
	[KMLN_TYPE_NET] = "net",
	[KMLN_TYPE_MAC] = "mac",
	[KMLN_TYPE_FORWARD] = "forward",
	[KMLN_TYPE_CHOICE] = "choice",
};

static const char *const shapes[] = {
	[KMLN_SHAPE_FLAG] = "flag",
	[KMLN_SHAPE_VALUE] = "value",
	[KMLN_SHAPE_ROWS] = "rows",
	[KMLN_SHAPE_LINES] = "lines",
	[KMLN_SHAPE_BLOCK] = "block",
};

static const char *const standings[] = {
	[KMLN_STANDING_MLN] = "mln",
	[KMLN_STANDING_NEW] = "new",
	[KMLN_STANDING_IDLE] = "idle",
	[KMLN_STANDING_REFUSED] = "refused",
};

static const char *const merges[] = {
	[KMLN_MERGE_NEAREST] = "nearest",
	[KMLN_MERGE_APPEND] = "append",
	[KMLN_MERGE_KEYED] = "keyed",
	[KMLN_MERGE_OWN] = "own",
};

static void text(struct kmln_json *object, const char *key, const char *value)
{
	if (value)
		kmln_json_set(object, key, kmln_json_text(value));
}

static void flag(struct kmln_json *object, const char *key, bool value)
{
	kmln_json_set(object, key, kmln_json_bool(value));
}

static void column(struct kmln_json *list, const struct kmln_column *c)
{
	struct kmln_json *o = kmln_json_add(list, kmln_json_object());

	text(o, "name", c->name);
	text(o, "type", types[c->type]);
	flag(o, "optional", c->optional);
	flag(o, "rest", c->rest);
	kmln_json_set(o, "least", kmln_json_number(c->least));
	kmln_json_set(o, "most", kmln_json_number(c->most));
	if (c->choices) {
		struct kmln_json *choices = kmln_json_set(o, "choices", kmln_json_array());

		for (const char *const *choice = c->choices; *choice; choice++)
			kmln_json_add(choices, kmln_json_text(*choice));
	}
}

static void keyword(struct kmln_json *list, const struct kmln_keyword *k)
{
	struct kmln_json *o = kmln_json_add(list, kmln_json_object());
	struct kmln_json *in, *columns;

	text(o, "name", k->name);
	in = kmln_json_set(o, "in", kmln_json_array());
	for (unsigned b = 0; b < KMLN_BLOCK_KINDS; b++)
		if (k->in & (1u << b))
			kmln_json_add(in, kmln_json_text(blocks[b]));
	text(o, "shape", shapes[k->shape]);
	text(o, "standing", standings[k->standing]);
	text(o, "merge", merges[k->merge]);
	flag(o, "repeated", k->repeated);
	flag(o, "named", k->named);
	flag(o, "attribute", kmln_xml_is_attribute(k));
	if (k->named)
		text(o, "name_type", types[k->name_type]);
	if (k->shape >= KMLN_SHAPE_ROWS)
		text(o, "opens", blocks[k->opens]);
	if (k->grouped)
		text(o, "grouped", blocks[k->grouped]);
	kmln_json_set(o, "key", kmln_json_number(k->key));
	text(o, "row", k->row);
	columns = kmln_json_set(o, "columns", kmln_json_array());
	for (const struct kmln_column *c = k->columns; c && c->name; c++)
		column(columns, c);
	text(o, "fallback", k->fallback);
	text(o, "help", k->help);
	text(o, "why", k->why);
}

int main(int argc, char **argv)
{
	struct kmln_error err;
	struct kmln_json *root, *list;

	if (argc > 1 && kmln_eq(argv[1], "dtd")) {
		KMLN_BUF struct kmln_buf dtd = {0};

		kmln_xml_dtd(&dtd);
		return fwrite(dtd.data, 1, dtd.size, stdout) != dtd.size;
	}
	root = kmln_json_object();
	list = kmln_json_set(root, "keywords", kmln_json_array());
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));)
		keyword(list, k);
	return kmln_json_print_free(root, stdout, &err) < 0;
}
