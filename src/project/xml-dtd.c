// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The DTD, made from the table of words: what is in one is in the other. Values are CDATA, since a
 * variable may stand for any of them; what they may be stands in the comments and is checked by
 * kmln. No attribute has a default: a document means the same with the DTD and without.
 */
#include "project/xml.h"

#include <stdio.h>
#include <string.h>

#include "project/xml-names.h"

#define WIDTH 90

struct dtd {
	struct kmln_buf *out;
	struct kmln_strv done; /* elements that have been declared */
	/* The element that each kind of block has been described with. */
	char described[KMLN_BLOCK_KINDS + 1][40];
};

/* Words filled into lines that begin with `indent` blanks, after what stands in the last line. */
static void fill(struct kmln_buf *out, unsigned indent, const char *text)
{
	const char *newline = strrchr(out->data, '\n');
	size_t column = strlen(newline ? newline + 1 : out->data);
	bool first = true;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > indent && column + 1 + n > WIDTH) {
			kmln_buf_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			kmln_buf_str(out, " ");
			column++;
		}
		first = false;
		kmln_buf_add(out, text, n);
		column += n;
		text += n + strspn(text + n, " ");
	}
}

/* "a size, like 64M or 1G; 128M where it is not given" */
static void describe_column(
	struct kmln_buf *text, const struct kmln_column *column, const char *fallback)
{
	if (column->type == KMLN_TYPE_CHOICE) {
		for (const char *const *c = column->choices; *c; c++)
			kmln_buf_printf(text, "%s%s",
				c == column->choices ? ""
				: c[1]		     ? ", "
						     : " or ",
				*c);
	} else if (column->type == KMLN_TYPE_NUMBER && column->most) {
		kmln_buf_printf(text, "a number from %llu to %llu",
			(unsigned long long)column->least, (unsigned long long)column->most);
	} else {
		kmln_buf_str(text, kmln_type_words(column->type));
	}
	if (column->rest)
		kmln_buf_str(text, "; several with blanks between them");
	if (fallback)
		kmln_buf_printf(text, "; %s where it is not given", fallback);
}

static void describe_attribute(struct kmln_buf *out, const char *name, const char *text)
{
	kmln_buf_printf(out, "\n     %s: ", name);
	fill(out, 9, text);
}

static void describe_keyword(struct kmln_buf *out, const struct kmln_keyword *k)
{
	KMLN_BUF struct kmln_buf text = {0};

	kmln_buf_printf(&text, "%s (", k->help);
	if (k->shape == KMLN_SHAPE_FLAG)
		kmln_buf_printf(&text, "on or off%s%s", k->fallback ? "; by default " : "",
			k->fallback ? k->fallback : "");
	else
		describe_column(&text, k->columns, k->fallback);
	kmln_buf_str(&text, ")");
	if (k->standing == KMLN_STANDING_IDLE)
		kmln_buf_printf(&text, " Without effect: %s.", k->why);
	describe_attribute(out, k->name, text.data);
}

static const char *help_of(const struct kmln_xml_element *element)
{
	switch (element->form) {
	case KMLN_XML_LINE:
		return "A line for a shell, as in text; backslashes in it are the shell's.";
	case KMLN_XML_USERS:
		return "A group of the guest.";
	case KMLN_XML_MEMBER:
		return "A user of the group.";
	case KMLN_XML_VARIABLE:
		return "A variable: $NAME and $[NAME] in attributes, texts and lines stand for "
		       "its value.";
	case KMLN_XML_INCLUDE:
		return "A file in the text notation whose items stand here.";
	case KMLN_XML_REMOVE:
		return "Drops what a host, superclass or interface inherits.";
	case KMLN_XML_REPLACE:
		return "Drops all inherited rows or lines of the one element in it, and puts "
		       "these in their place.";
	default:
		return element->keyword->help;
	}
}

struct attribute {
	const char *name, *help;
	bool needed;
};

/* The attributes of elements that are in no table. */
static const struct attribute *own_attributes(const struct kmln_xml_element *element)
{
	static const struct attribute variable[] = {
		{"name", "its name: letters, digits and _", true},
		{"value", "what it stands for", true},
		{.name = NULL},
	};
	static const struct attribute include[] = {
		{"path", "where it is, from the folder of the file that includes it", true},
		{.name = NULL},
	};
	static const struct attribute removed[] = {
		{"keyword", "the name of an attribute or element", true},
		{"which",
			"of a list or of interfaces: one alone, by its key or name; of lines: "
			"the line",
			false},
		{.name = NULL},
	};
	static const struct attribute none[] = {{.name = NULL}};

	switch (element->form) {
	case KMLN_XML_VARIABLE:
		return variable;
	case KMLN_XML_INCLUDE:
		return include;
	case KMLN_XML_REMOVE:
		return removed;
	default:
		return none;
	}
}

static bool has_text(const struct kmln_xml_element *element)
{
	const struct kmln_column *columns = kmln_xml_row_columns(element);

	return element->form == KMLN_XML_LINE || (columns && !columns[1].name);
}

static void describe_name(struct kmln_buf *out, const struct kmln_xml_element *element)
{
	if (kmln_xml_has_name(element))
		describe_attribute(out, "name",
			kmln_type_words(element->form == KMLN_XML_USERS
						? KMLN_TYPE_USER
						: element->keyword->name_type));
}

static void describe_help(struct kmln_buf *out, const struct kmln_xml_element *element)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (element->form == KMLN_XML_GROUP)
		kmln_buf_printf(
			&text, "Several of <%s> that belong together.", element->keyword->name);
	else if (element->form == KMLN_XML_ROW)
		kmln_buf_printf(&text, "One of <%s>.", element->keyword->name);
	else
		kmln_buf_str(&text, help_of(element));
	if (element->form == KMLN_XML_KEYWORD && element->keyword->standing == KMLN_STANDING_IDLE)
		kmln_buf_printf(&text, " Without effect: %s.", element->keyword->why);
	kmln_buf_printf(out, "\n<!-- %s\n     ", element->name);
	fill(out, 5, text.data);
}

/* Whether another element has the same inside, which has been described there. */
static bool described(struct dtd *dtd, const struct kmln_xml_element *element,
	const struct kmln_xml_inside *inside)
{
	char *first = dtd->described[inside->block];

	if (inside->replace || !kmln_xml_attribute_next(inside->block, NULL))
		return false;
	if (*first) {
		kmln_buf_printf(
			dtd->out, "\n\n     Its attributes are those of <%s>. -->\n", first);
		return true;
	}
	snprintf(first, sizeof(dtd->described[0]), "%s", element->name);
	return false;
}

static void describe(struct dtd *dtd, const struct kmln_xml_element *element,
	const struct kmln_xml_inside *inside)
{
	const struct kmln_column *columns = kmln_xml_row_columns(element);
	struct kmln_buf *out = dtd->out;
	size_t size;

	describe_help(out, element);
	if (described(dtd, element, inside))
		return;
	kmln_buf_str(out, "\n");
	size = out->size;
	describe_name(out, element);
	for (const struct attribute *a = own_attributes(element); a->name; a++)
		describe_attribute(out, a->name, a->help);
	for (; columns && columns->name; columns++) {
		KMLN_BUF struct kmln_buf text = {0};

		describe_column(&text, columns, NULL);
		if (columns->optional)
			kmln_buf_str(&text, "; may be absent");
		describe_attribute(out, has_text(element) ? "text" : columns->name, text.data);
	}
	for (const struct kmln_keyword *k = NULL;
		!inside->replace && (k = kmln_xml_attribute_next(inside->block, k));)
		describe_keyword(out, k);
	/* without attributes no empty line */
	if (out->size == size)
		out->data[--out->size] = '\0';
	kmln_buf_str(out, " -->\n");
}

struct content {
	struct kmln_buf list;
};

static bool add_content(void *data, const struct kmln_xml_element *element)
{
	struct content *content = data;

	kmln_buf_printf(&content->list, "%s%s", content->list.size ? " | " : "", element->name);
	return true;
}

static void declare_element(struct kmln_buf *out, const struct kmln_xml_element *element,
	const struct kmln_xml_inside *inside)
{
	struct content content = {{0}};

	kmln_buf_printf(out, "<!ELEMENT %s ", element->name);
	kmln_xml_elements(inside, add_content, &content);
	if (content.list.size) {
		kmln_buf_str(out, "(");
		fill(out, 12 + (unsigned)strlen(element->name), content.list.data);
		kmln_buf_str(out, inside->replace ? ")" : ")*");
	} else {
		kmln_buf_str(out, has_text(element) ? "(#PCDATA)" : "EMPTY");
	}
	kmln_buf_str(out, ">\n");
	kmln_buf_fini(&content.list);
}

/* One attribute; the first opens the list. */
static void add_attribute(
	struct kmln_buf *out, const char *element, bool *any, const char *name, bool needed)
{
	if (!*any)
		kmln_buf_printf(out, "<!ATTLIST %s", element);
	*any = true;
	kmln_buf_printf(out, "\n          %s CDATA %s", name, needed ? "#REQUIRED" : "#IMPLIED");
}

static void declare_attributes(struct kmln_buf *out, const struct kmln_xml_element *element,
	const struct kmln_xml_inside *inside)
{
	const struct kmln_column *columns = kmln_xml_row_columns(element);
	bool any = false;

	if (kmln_xml_has_name(element))
		add_attribute(out, element->name, &any, "name", true);
	for (const struct attribute *a = own_attributes(element); a->name; a++)
		add_attribute(out, element->name, &any, a->name, a->needed);
	for (; columns && columns->name && !has_text(element); columns++)
		add_attribute(out, element->name, &any, columns->name, !columns->optional);
	for (const struct kmln_keyword *k = NULL;
		!inside->replace && (k = kmln_xml_attribute_next(inside->block, k));)
		add_attribute(out, element->name, &any, k->name, false);
	if (any)
		kmln_buf_str(out, ">\n");
}

struct level {
	struct dtd *dtd;
	const struct kmln_xml_inside *from;
};

/* An element with all that stands in it. */
static bool declare(void *data, const struct kmln_xml_element *element)
{
	const struct level *level = data;
	struct dtd *dtd = level->dtd;
	struct kmln_xml_inside inside;
	struct level below = {.dtd = dtd, .from = &inside};

	if (kmln_strv_has(&dtd->done, element->name))
		return true;
	kmln_strv_add(&dtd->done, element->name);
	if (!kmln_xml_opens(element, level->from, &inside))
		inside = (struct kmln_xml_inside){.block = KMLN_BLOCK_KINDS};
	describe(dtd, element, &inside);
	declare_element(dtd->out, element, &inside);
	declare_attributes(dtd->out, element, &inside);
	kmln_xml_elements(&inside, declare, &below);
	return true;
}

void kmln_xml_dtd(struct kmln_buf *out)
{
	static const struct kmln_xml_inside root = {.block = KMLN_BLOCK_FILE};
	struct dtd dtd = {.out = out};
	struct level level = {.dtd = &dtd, .from = &root};
	struct content content = {{0}};

	kmln_buf_str(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n"
		"<!-- Projects of kmln, in XML, version " KMLN_XML_FORMAT ".\n"
		"     Made from kmln's table of words by scripts/generate: change that, not this "
		"file.\n\n"
		"     <!DOCTYPE " KMLN_XML_ROOT " PUBLIC \"" KMLN_XML_PUBLIC_ID "\" "
		"\"" KMLN_XML_SYSTEM_ID "\">\n\n"
		"     A document says what the text notation says, word by word. Words hold "
		"variables and\n"
		"     escapes as they do there between double quotes: $name and $[name] are "
		"variables; \\$, \\\\\n"
		"     and \\\" stand for the character. A list in an attribute has blanks between "
		"its words; a\n"
		"     word with a blank in it stands in double quotes. The comment of an element "
		"names its\n"
		"     attributes, and what their values are once variables are replaced. -->\n");
	kmln_buf_str(out, "\n<!-- " KMLN_XML_ROOT "\n"
			  "     A cluster. The root of each document.\n\n"
			  "     format: the version of the notation, which is " KMLN_XML_FORMAT
			  " -->\n<!ELEMENT " KMLN_XML_ROOT " (");
	kmln_xml_elements(&root, add_content, &content);
	fill(out, 12 + (unsigned)strlen(KMLN_XML_ROOT), content.list.data);
	kmln_buf_str(out, ")*>\n<!ATTLIST " KMLN_XML_ROOT "\n          format (" KMLN_XML_FORMAT
			  ") #REQUIRED>\n");
	kmln_xml_elements(&root, declare, &level);
	kmln_buf_fini(&content.list);
	kmln_strv_fini(&dtd.done);
}
