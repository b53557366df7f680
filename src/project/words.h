/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vocabulary of project files, in one table: each keyword, the blocks it may stand in, what
 * follows it, its default, what it means. The parser, the checks and their suggestions, the model,
 * the XML notation with its DTD, the documents and the editor files are all made from this table:
 * a new keyword is a line in words-*.c, a member of the model and, where it refers to something, a
 * check.
 */
#ifndef KMLN_PROJECT_WORDS_H
#define KMLN_PROJECT_WORDS_H

#include "base/mem.h"

/* What the items of a block are. */
enum kmln_block {
	KMLN_BLOCK_FILE, /* the file itself */
	KMLN_BLOCK_GLOBAL,
	KMLN_BLOCK_SWITCH,
	KMLN_BLOCK_HOST,
	KMLN_BLOCK_SUPERCLASS, /* as a host, but for its name, its count and what waits for whom */
	KMLN_BLOCK_NETWORK, /* one network interface */
	KMLN_BLOCK_GROUPS, /* named blocks of users */
	KMLN_BLOCK_AUTOENUM,
	KMLN_BLOCK_KVM, /* MLN's settings of its KVM extension */
	/* The items of these are no keywords but rows, with the columns of the keyword that opens
	 * them; or shell lines. */
	KMLN_BLOCK_ROWS,
	KMLN_BLOCK_LINES,
	/* Named blocks of one kind: host { a { } b { } }. */
	KMLN_BLOCK_SWITCHES,
	KMLN_BLOCK_HOSTS,
	KMLN_BLOCK_SUPERCLASSES,
	KMLN_BLOCK_KINDS
};
#define KMLN_IN(block) (1u << KMLN_BLOCK_##block)
#define KMLN_IN_MACHINE (KMLN_IN(HOST) | KMLN_IN(SUPERCLASS))

/* What one word is. The unit is that of `number` in struct kmln_value. */
enum kmln_type {
	KMLN_TYPE_TEXT, /* anything but nothing */
	KMLN_TYPE_SECRET, /* a password or its hash: $name that is no variable stays */
	KMLN_TYPE_PATTERN, /* an extended regular expression; $ as above */
	KMLN_TYPE_HOST_NAME, /* what a machine may be called: letters, digits, -, at most 63 */
	KMLN_TYPE_SWITCH_NAME, /* that, also with _ and . inside, at most 32 */
	KMLN_TYPE_CLASS_NAME, /* letters, digits, _ . -, at most 63 */
	KMLN_TYPE_DEVICE, /* a network device: at most 15, no blank, slash or colon */
	KMLN_TYPE_USER, /* of a guest: lower-case letters, digits, _ -, at most 32 */
	KMLN_TYPE_PROGRAM, /* a package or a kernel module: letters, digits, + . _ : - */
	KMLN_TYPE_HOST, /* refers to a host, or to all of a counted one */
	KMLN_TYPE_SWITCH, /* refers to a switch, or is the absolute path of a socket */
	KMLN_TYPE_SUPERCLASS, /* refers to a superclass */
	KMLN_TYPE_IMAGE, /* a root image: the name of one in kmln's folder, or a path */
	KMLN_TYPE_PATH, /* on the host */
	KMLN_TYPE_INSIDE, /* below the project's folder: relative, without .. */
	KMLN_TYPE_GUEST_PATH, /* in the guest: absolute, without .. */
	KMLN_TYPE_NUMBER, /* from `least` to `most` */
	KMLN_TYPE_SIZE, /* bytes: 64M, 1G, with MLN's units */
	KMLN_TYPE_RATE, /* bits a second: 10Mbit */
	KMLN_TYPE_TIME, /* microseconds: 20ms, 1.5s */
	KMLN_TYPE_SHARE, /* millionths: 5%, 0.1% */
	KMLN_TYPE_MODE, /* of a file, octal */
	KMLN_TYPE_ADDRESS, /* an address, with or without /bits; dhcp, auto, none */
	KMLN_TYPE_IP, /* an address */
	KMLN_TYPE_NETMASK, /* 255.255.255.0 */
	KMLN_TYPE_NET, /* 10.0.0.0/24, fd00::/64 */
	KMLN_TYPE_MAC, /* 02:00:00:00:00:01 */
	KMLN_TYPE_FORWARD, /* HOSTPORT:GUESTPORT, with /udp or /tcp behind */
	KMLN_TYPE_CHOICE, /* one of `choices` */
	KMLN_TYPES
};

/* A word behind a keyword, or of a row. */
struct kmln_column {
	const char *name; /* for documents, messages and XML: "home"; NULL ends the columns */
	enum kmln_type type;
	bool optional;
	bool rest; /* as many as there are; the last column */
	uint64_t least, most; /* KMLN_TYPE_NUMBER; most 0: no limit but 63 bits */
	const char *const *choices; /* KMLN_TYPE_CHOICE; NULL-ended */
};

enum kmln_shape {
	KMLN_SHAPE_FLAG, /* the keyword alone, or with `on`, `off`, 1 or 0 */
	KMLN_SHAPE_VALUE, /* columns behind it */
	KMLN_SHAPE_ROWS, /* { rows }, each with the columns */
	KMLN_SHAPE_LINES, /* { shell lines } */
	KMLN_SHAPE_BLOCK, /* { items } */
};

/* How a keyword behaves where it stands twice, in the block or in a chain of superclasses. */
enum kmln_merge {
	KMLN_MERGE_NEAREST, /* once in a block; the nearest definition wins */
	KMLN_MERGE_APPEND, /* lines in order, the furthest superclass first; each is kept */
	KMLN_MERGE_KEYED, /* as appended, but a row whose `key` column equals an inherited one's
			   * takes its place */
	KMLN_MERGE_OWN, /* not inherited */
};

enum kmln_standing {
	KMLN_STANDING_MLN, /* as in MLN */
	KMLN_STANDING_NEW, /* kmln's own */
	KMLN_STANDING_IDLE, /* read and kept, but without effect: a warning, with `why` */
	KMLN_STANDING_REFUSED, /* an error, "not supported", with `why` */
};

struct kmln_keyword {
	const char *name;
	unsigned in; /* KMLN_IN() of the blocks it may stand in */
	enum kmln_shape shape;
	enum kmln_standing standing;
	enum kmln_merge merge;
	bool repeated; /* VALUE: may stand several times in one block, each once a row */
	bool named; /* BLOCK: a name stands before the {: `name_type` */
	enum kmln_type name_type;
	enum kmln_block opens; /* BLOCK, ROWS and LINES: what stands inside */
	enum kmln_block grouped; /* BLOCK that may also stand without name, holding named ones */
	unsigned key; /* KEYED: the column that tells rows apart */
	const char *row; /* ROWS: what one of them is called in XML */
	const struct kmln_column *columns; /* NULL: none */
	const char *
		fallback; /* the value where nothing is given, as it would be written; NULL: none */
	/* Where the model keeps it, in the struct of its block: a struct kmln_value for a FLAG and
	 * a VALUE of one word that is not repeated, else a struct kmln_rows. Blocks have none. */
	size_t offset;
	const char *help; /* a sentence, for documents */
	const char *why; /* IDLE, REFUSED: a clause, what to do instead */
};

/* All keywords, in the order of documents: the first for NULL, NULL behind the last. */
const struct kmln_keyword *kmln_keyword_next(const struct kmln_keyword *keyword);

/*
 * The keyword of this name in a block; where a name is both a block and an item (kvm), `block` says
 * which. NULL: there is none.
 */
const struct kmln_keyword *kmln_keyword_find(enum kmln_block in, const char *name, bool block);
/* One of this name that stands elsewhere, for messages. */
const struct kmln_keyword *kmln_keyword_elsewhere(const char *name);
/* A number for each, from 0 in the order of the table, below KMLN_KEYWORDS_MAX: for arrays. */
unsigned kmln_keyword_number(const struct kmln_keyword *keyword);
#define KMLN_KEYWORDS_MAX 192
/* The columns of the rows in a named block of `groups`. */
extern const struct kmln_column kmln_group_columns[];
/* How a block is called in messages: "a host", "the file". */
const char *kmln_block_name(enum kmln_block block);
/* What a word of a type is called in messages and documents: "a size, like 64M or 1G". */
const char *kmln_type_words(enum kmln_type type);
/* Whether a bare $name without a variable stays as it is: see kmln_word_expand(). */
bool kmln_type_lenient(enum kmln_type type);
/* True where the model keeps a struct kmln_value and not rows. */
bool kmln_keyword_single(const struct kmln_keyword *keyword);
/*
 * The two words that stand before a keyword in a host, a superclass and an interface:
 *   remove KEYWORD [WHICH]    drops what is inherited: the value, the block, all rows, or the row
 *                             whose key is WHICH (a line: whose text is WHICH)
 *   replace KEYWORD { }       drops all inherited rows or lines, then adds these
 */
#define KMLN_WORD_REMOVE "remove"
#define KMLN_WORD_REPLACE "replace"

#endif
