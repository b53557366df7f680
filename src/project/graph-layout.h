/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where everything of a picture lies, in pixels. A panel holds a switch with the hosts that are on
 * it alone; hosts on the same several switches are a block above the first of them, from which a
 * wire leads to each of those panels. For graph-*.c alone.
 */
#ifndef KMLN_PROJECT_GRAPH_LAYOUT_H
#define KMLN_PROJECT_GRAPH_LAYOUT_H

#include "project/graph.h"

/* Sizes that both the layout and the drawing know. */
enum {
	KMLN_GRAPH_MARGIN = 28,
	KMLN_GRAPH_TITLE = 74, /* what the title takes at the top */
	KMLN_GRAPH_HEADER = 54, /* the head of a panel */
	KMLN_GRAPH_PAD = 18,
	KMLN_GRAPH_RAIL = 22, /* above each row of cards: the wire they hang on */
	KMLN_GRAPH_TRUNK = 22, /* left of the cards of a panel: what leads to the rails */
	KMLN_GRAPH_NAME = 32, /* the first line of a card */
	KMLN_GRAPH_LINE = 17, /* each other line */
};

struct kmln_graph_line {
	const char *text;
	const struct kmln_switch *on; /* a dot of its colour stands in front; NULL: none */
	bool impairment;
};

/* A host. */
struct kmln_graph_card {
	const struct kmln_host *host;
	int x, y, width, height;
	struct kmln_graph_line *lines;
	size_t line_count;
	bool impaired; /* its own link, beyond what the switch does */
	size_t block; /* on several switches: number of the block, else SIZE_MAX */
};

/* Hosts side by side, in rows: those of a panel or of a block. */
struct kmln_graph_grid {
	struct kmln_graph_card **cards;
	size_t count, columns;
	int x, y, width, height; /* of the whole frame */
};

struct kmln_graph_panel {
	const struct kmln_switch *on; /* NULL: hosts on no switch */
	size_t number; /* of the switch, for its colour */
	const char *what, *impairment; /* lines of the head */
	struct kmln_graph_grid grid;
	size_t row, column;
	int x; /* of the frame, before it is moved there */
	int column_x, column_width;
	size_t wires, wires_drawn; /* that end at its top */
};

struct kmln_graph_block {
	const struct kmln_switch **on; /* at least two, in the order of the model */
	size_t on_count;
	struct kmln_graph_grid grid;
	size_t row, column; /* of panels, above which it lies */
	int wish; /* its x, if it were alone */
};

/* From a block to a panel: down to a track, along it, and down; by way of a lane between columns
 * where rows of panels lie between. */
struct kmln_graph_wire {
	const struct kmln_graph_block *block;
	struct kmln_graph_panel *panel;
	int x, y; /* at the block */
	int track; /* y of the track below the block */
	int lane; /* x of the lane; 0: none is needed */
	int last_track; /* y of the track above the panel, with a lane */
	int end_x, end_y; /* at the panel */
};

struct kmln_graph_layout {
	int width, height;
	struct kmln_graph_card *cards; /* one a host, in the order of the model */
	size_t card_count;
	int card_width;
	struct kmln_graph_panel *panels;
	size_t panel_count;
	struct kmln_graph_block *blocks;
	size_t block_count;
	struct kmln_graph_wire *wires;
	size_t wire_count;
};

void kmln_graph_lay_out(
	struct kmln_graph_layout *layout, struct kmln_pool *pool, const struct kmln_model *model);
/* Columns of text as wide as they are drawn, in pixels: names, and lines of other text. */
int kmln_graph_name_width(const char *text);
int kmln_graph_line_width(const char *text);
/* graph-cards.c: the cards with their lines, and what hangs together. */
void kmln_graph_make_cards(
	struct kmln_graph_layout *layout, struct kmln_pool *pool, const struct kmln_model *model);

#endif
