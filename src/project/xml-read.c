// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Documents: libxml2 sees to it that they are well-formed and valid, xml-tree.c makes the tree. It
 * is given bytes in memory and no way to more of them: whatever a document names is refused before
 * libxml2 would look for it, and looking for it fails.
 */
#include "project/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/valid.h>
#include <string.h>

#include "project/lex.h"
#include "project/xml-names.h"
#include "project/xml-place.h"
#include "project/xml-tree.h"

/* Bytes of a start tag. */
#define TAG_MAX (2 * KMLN_LINE_MAX)

enum refusal { FINE, DOCTYPE, DECLARATION, TOO_MANY };

/* One document that is being read; the parser's user data. */
struct document {
	xmlParserCtxtPtr parser;
	enum refusal refusal;
	int line; /* where that is */
	size_t parts;
	bool wrong; /* not well-formed, which has been reported */
	struct kmln_xml_reader *reader;
};

bool kmln_xml_is(const struct kmln_source *source)
{
	const char *p = source->text;

	if (kmln_ends(source->name, ".xml"))
		return true;
	if (kmln_starts(p, "\xef\xbb\xbf"))
		p += 3;
	return p[strspn(p, " \t\r\n")] == '<';
}

/* Nothing outside of the document is ever read. */
static xmlParserInputPtr deny(const char *url, const char *id, xmlParserCtxtPtr parser)
{
	(void)url;
	(void)id;
	(void)parser;
	return NULL;
}

/* --- what libxml2 tells while it reads */

static void refuse(void *parser, enum refusal refusal)
{
	struct document *document = ((xmlParserCtxtPtr)parser)->_private;

	if (!document->refusal) {
		document->refusal = refusal;
		document->line = document->parser->input ? document->parser->input->line : 1;
	}
	xmlStopParser(document->parser);
}

/* Only kmln's own DTD may be named. By its public identifier it may lie anywhere: nobody goes
 * there. */
static void on_doctype(
	void *parser, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
	bool ours = public_id ? kmln_eq((const char *)public_id, KMLN_XML_PUBLIC_ID)
			      : kmln_eq((const char *)system_id, KMLN_XML_SYSTEM_ID);

	if (!ours || !kmln_eq((const char *)name, KMLN_XML_ROOT))
		refuse(parser, DOCTYPE);
}

static void on_entity(void *parser, const xmlChar *name, int type, const xmlChar *public_id,
	const xmlChar *system_id, xmlChar *content)
{
	(void)name;
	(void)type;
	(void)public_id;
	(void)system_id;
	(void)content;
	refuse(parser, DECLARATION);
}

static void on_element_declaration(
	void *parser, const xmlChar *name, int type, xmlElementContentPtr content)
{
	(void)name;
	(void)type;
	(void)content;
	refuse(parser, DECLARATION);
}

static void on_attribute_declaration(void *parser, const xmlChar *element, const xmlChar *name,
	int type, int def, const xmlChar *value, xmlEnumerationPtr choices)
{
	(void)element;
	(void)name;
	(void)type;
	(void)def;
	(void)value;
	xmlFreeEnumeration(choices);
	refuse(parser, DECLARATION);
}

static void on_notation(
	void *parser, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
	(void)name;
	(void)public_id;
	(void)system_id;
	refuse(parser, DECLARATION);
}

static void on_unparsed_entity(void *parser, const xmlChar *name, const xmlChar *public_id,
	const xmlChar *system_id, const xmlChar *notation)
{
	(void)notation;
	on_notation(parser, name, public_id, system_id);
}

/* Counts what takes memory; false where it is too much. */
static bool count(void *parser, size_t parts)
{
	struct document *document = ((xmlParserCtxtPtr)parser)->_private;

	document->parts += parts;
	if (document->parts > KMLN_XML_PARTS_MAX)
		refuse(parser, TOO_MANY);
	return document->parts <= KMLN_XML_PARTS_MAX;
}

static void on_comment(void *parser, const xmlChar *text)
{
	if (count(parser, 1))
		xmlSAX2Comment(parser, text);
}

/* None of them means anything. */
static void on_instruction(void *parser, const xmlChar *target, const xmlChar *data)
{
	(void)target;
	(void)data;
	count(parser, 1);
}

static void on_element(void *parser, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
	int namespace_count, const xmlChar **namespaces, int attribute_count, int defaulted,
	const xmlChar **attributes)
{
	if (count(parser, 1 + (size_t)attribute_count + (size_t)namespace_count))
		xmlSAX2StartElementNs(parser, name, prefix, uri, namespace_count, namespaces,
			attribute_count, defaulted, attributes);
}

/* libxml2's words as ours: one line, no full stop. */
static char *words_of(struct kmln_pool *pool, const char *message)
{
	size_t n = message ? strlen(message) : 0;

	while (n && strchr(" .\n", message[n - 1]))
		n--;
	return n ? kmln_pool_memdup(pool, message, n) : kmln_pool_strdup(pool, "damaged");
}

/* The place of a column that libxml2 names, which may be beyond its line. */
static struct kmln_place place_at(const struct kmln_source *source, int line, int column)
{
	const char *p = source->text;
	size_t size;

	for (int i = 1; i < line && p; i++) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	size = p ? strcspn(p, "\n") : 0;
	return (struct kmln_place){
		.source = source,
		.line = (uint32_t)(line > 0 ? line : 1),
		.column = column > 0 && (size_t)column <= size ? (uint32_t)column
							       : (uint32_t)size + 1,
		.length = 1,
	};
}

/* The first that is wrong is reported; the others mostly follow from it. */
static void on_error(void *data, xmlErrorPtr error)
{
	struct document *document = ((xmlParserCtxtPtr)data)->_private;
	struct kmln_xml_reader *reader = document->reader;

	if (document->refusal || document->wrong || error->level < XML_ERR_ERROR)
		return;
	document->wrong = true;
	/* its limit is 256, and its advice to have none */
	if (error->message && kmln_starts(error->message, "Excessive depth")) {
		kmln_report_error(reader->report, "too-deep",
			place_at(reader->source, error->line, error->int2),
			"elements are nested too deep");
		return;
	}
	kmln_report_error(reader->report, "xml-syntax",
		place_at(reader->source, error->line, error->int2),
		"this is no well-formed XML: %s", words_of(reader->report->pool, error->message));
}

/* --- reading and validating */

static void report_refusal(const struct document *document)
{
	const struct kmln_place at = place_at(document->reader->source, document->line, 1);
	struct kmln_report *report = document->reader->report;

	if (document->refusal == TOO_MANY) {
		kmln_report_error(report, "too-many", at,
			"the document is too big: at most %u elements, attributes and comments",
			KMLN_XML_PARTS_MAX);
		return;
	}
	if (document->refusal == DECLARATION) {
		kmln_report_error(report, "xml-doctype", at,
			"a document declares no elements, attributes and entities of its own");
		return;
	}
	kmln_report_error(report, "xml-doctype", at, "the DOCTYPE is not that of a project");
	kmln_report_note(report, (struct kmln_place){0},
		"it is <!DOCTYPE %s PUBLIC \"%s\" \"%s\">, or absent", KMLN_XML_ROOT,
		KMLN_XML_PUBLIC_ID, KMLN_XML_SYSTEM_ID);
}

/* NULL where it is not well-formed or refused, which is then reported. */
static xmlDocPtr parse(struct kmln_xml_reader *reader)
{
	const struct kmln_source *source = reader->source;
	xmlParserCtxtPtr parser = xmlNewParserCtxt();
	struct document document = {.parser = parser, .reader = reader};
	xmlDocPtr tree;

	if (!parser)
		abort();
	parser->_private = &document;
	parser->sax->internalSubset = on_doctype;
	parser->sax->externalSubset = NULL;
	parser->sax->entityDecl = on_entity;
	parser->sax->elementDecl = on_element_declaration;
	parser->sax->attributeDecl = on_attribute_declaration;
	parser->sax->notationDecl = on_notation;
	parser->sax->unparsedEntityDecl = on_unparsed_entity;
	parser->sax->startElementNs = on_element;
	parser->sax->comment = on_comment;
	parser->sax->processingInstruction = on_instruction;
	parser->sax->serror = on_error;
	tree = xmlCtxtReadMemory(parser, source->text, (int)source->size, source->name, "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_COMPACT);
	xmlFreeParserCtxt(parser);
	if (document.refusal)
		report_refusal(&document);
	else if (!tree && !document.wrong)
		kmln_report_error(reader->report, "xml-syntax", place_at(source, 1, 1),
			"this is no well-formed XML");
	if (!tree || (!document.refusal && !document.wrong))
		return tree;
	xmlFreeDoc(tree);
	return NULL;
}

/* What xml-tree.c has said already is said better; this is what it has missed. */
static void on_invalid(void *data, xmlErrorPtr error)
{
	struct kmln_xml_reader *reader = data;
	const xmlNode *node = error->node;

	if (!reader->invalid)
		kmln_xml_invalid(reader, "xml-invalid",
			kmln_xml_place_of(reader->source, node).name, "%s",
			words_of(reader->report->pool, error->message));
}

static void validate(struct kmln_xml_reader *reader, xmlDocPtr document)
{
	KMLN_BUF struct kmln_buf text = {0};
	xmlValidCtxtPtr validator = xmlNewValidCtxt();
	xmlParserInputBufferPtr input;
	xmlDtdPtr dtd;

	kmln_xml_dtd(&text);
	input = xmlParserInputBufferCreateMem(text.data, (int)text.size, XML_CHAR_ENCODING_NONE);
	dtd = input ? xmlIOParseDTD(NULL, input, XML_CHAR_ENCODING_NONE) : NULL;
	if (!validator || !dtd)
		abort();
	xmlSetStructuredErrorFunc(reader, on_invalid);
	if (!xmlValidateDtd(validator, document, dtd) && !reader->invalid)
		kmln_xml_invalid(reader, "xml-invalid", place_at(reader->source, 1, 1),
			"the document is not valid");
	xmlSetStructuredErrorFunc(NULL, NULL);
	xmlFreeDtd(dtd);
	xmlFreeValidCtxt(validator);
}

/* What is wrong with the bytes, before libxml2 sees them. */
static bool good_bytes(struct kmln_xml_reader *reader)
{
	struct kmln_place at;

	switch (kmln_xml_prolog(reader->source, &at)) {
	case KMLN_XML_PROLOG_ENCODING:
		kmln_report_error(reader->report, "xml-encoding", at,
			"documents are in UTF-8, not in another encoding");
		return false;
	case KMLN_XML_PROLOG_SUBSET:
		kmln_report_error(reader->report, "xml-doctype", at,
			"a document declares no elements, attributes and entities of its own");
		return false;
	case KMLN_XML_PROLOG_FINE:
		break;
	}
	if (kmln_xml_short_tags(reader->source, TAG_MAX, &at))
		return true;
	kmln_report_error(reader->report, "too-long", at,
		"a tag and the text behind it of more than %u bytes", TAG_MAX);
	return false;
}

void kmln_xml_parse(struct kmln_syntax *syntax, struct kmln_report *report,
	const struct kmln_source *source, struct kmln_node *parent, kmln_include_fn include,
	void *data)
{
	struct kmln_xml_reader reader = {
		.syntax = syntax,
		.report = report,
		.source = source,
		.include = include,
		.data = data,
	};
	size_t errors = report->errors;
	xmlDocPtr document = NULL;

	xmlSetExternalEntityLoader(deny);
	/* bytes that no text may hold are none for libxml2 to see */
	if (kmln_lex_check(report, source) && report->errors == errors && good_bytes(&reader))
		document = parse(&reader);
	parent->broken = !document;
	if (!document)
		return;
	kmln_xml_place_all(syntax->pool, source, document);
	kmln_xml_tree(&reader, xmlDocGetRootElement(document), parent);
	validate(&reader, document);
	xmlFreeDoc(document);
}
