// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From cards to places: grids first, then panels in rows and columns so that the picture is about
 * as wide as a screen, then blocks above them, then wires on tracks of their own.
 */
#include "project/graph-layout.h"

#include <limits.h>
#include <stdlib.h>

#define GAP 14 /* between cards */
#define PANEL_GAP 40 /* between columns of panels, and rows */
#define TRACK 11 /* between wires that run side by side */
#define ROWS_MAX 64

static int max(int a, int b)
{
	return a > b ? a : b;
}

/* So many columns that cards of this size make a frame about half as high again as wide. */
static size_t columns_for(size_t count, int card_width)
{
	size_t columns = 1;

	while (columns * columns * (size_t)card_width < count * 72 * 17 / 10)
		columns++;
	return columns < count || !count ? columns : count;
}

/* Gives the cards their places in the frame, whose corner is at 0, and the frame its size. */
static void lay_grid(struct kmln_graph_grid *grid, int card_width, int left, int top, int above_row)
{
	int y = top;

	grid->columns = columns_for(grid->count, card_width);
	grid->width = left + KMLN_GRAPH_PAD + (int)grid->columns * (card_width + GAP) - GAP;
	for (size_t i = 0; i < grid->count; i += grid->columns) {
		int height = 0;

		y += above_row;
		for (size_t c = i; c < i + grid->columns && c < grid->count; c++) {
			struct kmln_graph_card *card = grid->cards[c];

			card->x = left + (int)(c - i) * (card_width + GAP);
			card->y = y;
			card->width = card_width;
			height = max(height, card->height);
		}
		for (size_t c = i; c < i + grid->columns && c < grid->count; c++)
			grid->cards[c]->height = height;
		y += height + (above_row ? 0 : GAP);
	}
	grid->height = y + (above_row || !grid->count ? KMLN_GRAPH_PAD : KMLN_GRAPH_PAD - GAP);
}

static void lay_panel(struct kmln_graph_panel *panel, int card_width)
{
	int head = kmln_graph_name_width(panel->on ? panel->on->name.text : "on no switch") + 70;

	lay_grid(&panel->grid, card_width, KMLN_GRAPH_PAD + (panel->on ? KMLN_GRAPH_TRUNK : 0),
		panel->on ? KMLN_GRAPH_HEADER + (*panel->impairment ? KMLN_GRAPH_LINE : 0)
			  : KMLN_GRAPH_HEADER - 12,
		panel->on ? KMLN_GRAPH_RAIL : 0);
	head = max(head, kmln_graph_line_width(panel->what) + 76 +
				 (panel->on && kmln_eq(panel->on->uplink.text, "nat") ? 46 : 0));
	head = max(head, kmln_graph_line_width(panel->impairment) + 76);
	panel->grid.width = max(panel->grid.width, head);
}

static void lay_block(struct kmln_graph_block *block, int card_width)
{
	/* one host is a card of its own, without a frame around it */
	int frame = block->grid.count > 1 ? KMLN_GRAPH_PAD : 0;

	lay_grid(&block->grid, card_width, frame, frame, 0);
	if (!frame) {
		block->grid.width = card_width;
		block->grid.height = block->grid.cards[0]->height;
	}
}

static void move(struct kmln_graph_grid *grid, int x, int y)
{
	for (size_t i = 0; i < grid->count; i++) {
		grid->cards[i]->x += x - grid->x;
		grid->cards[i]->y += y - grid->y;
	}
	grid->x = x;
	grid->y = y;
}

/* About the size of the picture with so many columns of panels. */
static void measure(const struct kmln_graph_layout *layout, size_t columns, int *width, int *height)
{
	int blocks = 0;

	for (size_t b = 0; b < layout->block_count; b++)
		blocks = max(blocks, layout->blocks[b].grid.height + PANEL_GAP);
	*width = 0;
	*height = KMLN_GRAPH_TITLE + blocks;
	for (size_t c = 0; c < columns; c++) {
		int widest = 0;

		for (size_t p = c; p < layout->panel_count; p += columns)
			widest = max(widest, layout->panels[p].grid.width);
		*width += widest + PANEL_GAP;
	}
	for (size_t p = 0; p < layout->panel_count; p += columns) {
		int highest = 0;

		for (size_t c = p; c < p + columns && c < layout->panel_count; c++)
			highest = max(highest, layout->panels[c].grid.height);
		*height += highest + PANEL_GAP;
	}
}

/* The number of columns that makes the picture most like a screen. */
static size_t choose_columns(const struct kmln_graph_layout *layout)
{
	size_t best = 1;
	long least = LONG_MAX;

	for (size_t columns = 1; columns <= layout->panel_count; columns++) {
		int width, height;
		long off;

		measure(layout, columns, &width, &height);
		/* empty corners count against it, too */
		off = labs(9L * width - 16L * height) +
		      200L * (long)((columns - layout->panel_count % columns) % columns);
		if (off < least && (layout->panel_count + columns - 1) / columns <= ROWS_MAX) {
			least = off;
			best = columns;
		}
	}
	return best;
}

static struct kmln_graph_panel *panel_of(
	struct kmln_graph_layout *layout, const struct kmln_switch *on)
{
	size_t p = 0;

	while (layout->panels[p].on != on)
		p++;
	return &layout->panels[p];
}

/* A block lies above the first of its panels, in the column in the middle of all of them. */
static void place_rows(struct kmln_graph_layout *layout, size_t columns)
{
	for (size_t p = 0; p < layout->panel_count; p++) {
		layout->panels[p].row = p / columns;
		layout->panels[p].column = p % columns;
	}
	for (size_t b = 0; b < layout->block_count; b++) {
		struct kmln_graph_block *block = &layout->blocks[b];

		block->row = panel_of(layout, block->on[0])->row;
		for (size_t s = 0; s < block->on_count; s++)
			block->column += panel_of(layout, block->on[s])->column;
		block->column /= block->on_count;
	}
}

static void make_wires(struct kmln_graph_layout *layout, struct kmln_pool *pool)
{
	for (size_t b = 0; b < layout->block_count; b++)
		for (size_t s = 0; s < layout->blocks[b].on_count; s++) {
			struct kmln_graph_wire *wire = kmln_pool_append(
				pool, &layout->wires, &layout->wire_count, sizeof(*wire));

			wire->block = &layout->blocks[b];
			wire->panel = panel_of(layout, layout->blocks[b].on[s]);
			wire->panel->wires++;
		}
}

/* How many wires run above a row of panels: those of its blocks, and those that arrive. */
static int tracks_above(const struct kmln_graph_layout *layout, size_t row)
{
	int count = 0;

	for (size_t w = 0; w < layout->wire_count; w++)
		count += layout->wires[w].block->row == row || layout->wires[w].panel->row == row;
	return count;
}

/* How many wires run down left of a column. */
static int lanes_before(const struct kmln_graph_layout *layout, size_t column)
{
	int count = 0;

	for (size_t w = 0; w < layout->wire_count; w++)
		count += layout->wires[w].panel->row != layout->wires[w].block->row &&
			 layout->wires[w].panel->column == column;
	return count;
}

/* The blocks of one place, side by side. */
static int blocks_width(const struct kmln_graph_layout *layout, size_t row, size_t column)
{
	int width = 0;

	for (size_t b = 0; b < layout->block_count; b++)
		if (layout->blocks[b].row == row && layout->blocks[b].column == column)
			width += layout->blocks[b].grid.width + (width ? PANEL_GAP : 0);
	return width;
}

/* Makes room for the blocks above a single row of panels, which stays in the middle. */
static void widen(struct kmln_graph_layout *layout)
{
	int wanted = 2 * KMLN_GRAPH_MARGIN - PANEL_GAP;
	int shift;

	for (size_t b = 0; b < layout->block_count; b++)
		wanted += layout->blocks[b].grid.width + PANEL_GAP;
	if (wanted <= layout->width)
		return;
	shift = (wanted - layout->width) / 2;
	layout->width = wanted;
	for (size_t p = 0; p < layout->panel_count; p++) {
		layout->panels[p].x += shift;
		layout->panels[p].column_x += shift;
	}
}

/* Columns from the left, each as wide as its widest panel, or, where lanes run between them, as the
 * blocks above one. */
static void place_columns(struct kmln_graph_layout *layout, size_t columns)
{
	int x = KMLN_GRAPH_MARGIN;

	for (size_t c = 0; c < columns; c++) {
		int widest = 0, panels = 0;

		for (size_t p = c; p < layout->panel_count; p += columns) {
			panels = max(panels, layout->panels[p].grid.width);
			if (columns < layout->panel_count)
				widest = max(widest, blocks_width(layout, p / columns, c));
		}
		widest = max(widest, panels);
		x += lanes_before(layout, c) * TRACK;
		for (size_t p = c; p < layout->panel_count; p += columns) {
			struct kmln_graph_panel *panel = &layout->panels[p];

			panel->column_x = x;
			panel->column_width = widest;
			panel->grid.width = panels;
			panel->x = x + (widest - panels) / 2;
		}
		x += widest + PANEL_GAP;
	}
	layout->width = x - PANEL_GAP + KMLN_GRAPH_MARGIN;
	if (columns == layout->panel_count)
		widen(layout);
}

/* Where a block would best stand: above the middle of its panels. */
static int wish(struct kmln_graph_layout *layout, const struct kmln_graph_block *block)
{
	int sum = 0;

	for (size_t s = 0; s < block->on_count; s++) {
		const struct kmln_graph_panel *panel = panel_of(layout, block->on[s]);

		sum += panel->x + panel->grid.width / 2;
	}
	return sum / (int)block->on_count - block->grid.width / 2;
}

/* The leftmost block of this place that has not been placed; NULL: all have. */
static struct kmln_graph_block *next_block(
	struct kmln_graph_layout *layout, size_t row, size_t column)
{
	struct kmln_graph_block *next = NULL;

	for (size_t b = 0; b < layout->block_count; b++) {
		struct kmln_graph_block *block = &layout->blocks[b];

		/* those that are placed have a y */
		if (block->row == row && block->column == column && !block->grid.y &&
			(!next || block->wish < next->wish))
			next = block;
	}
	return next;
}

/* The blocks above one panel, side by side; returns how high they are. */
static int place_blocks(
	struct kmln_graph_layout *layout, const struct kmln_graph_panel *panel, int y)
{
	int x = panel->column_x +
		(panel->column_width - blocks_width(layout, panel->row, panel->column)) / 2;
	struct kmln_graph_block *block;
	int height = 0;

	while ((block = next_block(layout, panel->row, panel->column))) {
		move(&block->grid, x, y);
		x += block->grid.width + PANEL_GAP;
		height = max(height, block->grid.height);
	}
	return height;
}

static int by_wish(const void *a, const void *b)
{
	const struct kmln_graph_block *const *one = a, *const *two = b;

	return ((*one)->wish > (*two)->wish) - ((*one)->wish < (*two)->wish);
}

/* With a single row of panels there are no lanes to be kept free: each block stands above the
 * middle of its panels, as near as the others let it. */
static void loosen_blocks(struct kmln_graph_layout *layout, struct kmln_pool *pool)
{
	struct kmln_graph_block **order =
		kmln_pool_array(pool, layout->block_count + 1, sizeof(struct kmln_graph_block *));
	int from = KMLN_GRAPH_MARGIN, to = layout->width - KMLN_GRAPH_MARGIN;

	for (size_t b = 0; b < layout->block_count; b++) {
		order[b] = &layout->blocks[b];
		to -= layout->blocks[b].grid.width + (b ? PANEL_GAP : 0);
	}
	qsort(order, layout->block_count, sizeof(struct kmln_graph_block *), by_wish);
	for (size_t b = 0; b < layout->block_count; b++) {
		struct kmln_graph_grid *grid = &order[b]->grid;
		int x = max(from, order[b]->wish);

		/* `to`: where it must begin for the rest to fit */
		move(grid, x < to ? x : to, grid->y);
		from = grid->x + grid->width + PANEL_GAP;
		to += grid->width + PANEL_GAP;
	}
}

/* Wires leave a block in the order of where they go. */
static int by_panel(const void *a, const void *b)
{
	const struct kmln_graph_wire *const *one = a, *const *two = b;
	int left = (*one)->panel->grid.x, right = (*two)->panel->grid.x;

	return left != right ? (left > right) - (left < right)
			     : ((*one)->panel > (*two)->panel) - ((*one)->panel < (*two)->panel);
}

static void leave_blocks(struct kmln_graph_layout *layout, struct kmln_pool *pool)
{
	struct kmln_graph_wire **order =
		kmln_pool_array(pool, layout->wire_count + 1, sizeof(struct kmln_graph_wire *));

	for (size_t b = 0; b < layout->block_count; b++) {
		const struct kmln_graph_block *block = &layout->blocks[b];
		size_t count = 0;

		for (size_t w = 0; w < layout->wire_count; w++)
			if (layout->wires[w].block == block)
				order[count++] = &layout->wires[w];
		qsort(order, count, sizeof(struct kmln_graph_wire *), by_panel);
		for (size_t i = 0; i < count; i++) {
			order[i]->x =
				block->grid.x + block->grid.width * (int)(i + 1) / (int)(count + 1);
			order[i]->y = block->grid.y + block->grid.height;
		}
	}
}

static int by_x(const void *a, const void *b)
{
	const struct kmln_graph_wire *const *one = a, *const *two = b;

	return ((*one)->x > (*two)->x) - ((*one)->x < (*two)->x);
}

static void reach_panels(struct kmln_graph_layout *layout, struct kmln_pool *pool)
{
	struct kmln_graph_wire **order =
		kmln_pool_array(pool, layout->wire_count + 1, sizeof(struct kmln_graph_wire *));

	for (size_t w = 0; w < layout->wire_count; w++)
		order[w] = &layout->wires[w];
	qsort(order, layout->wire_count, sizeof(struct kmln_graph_wire *), by_x);
	for (size_t w = 0; w < layout->wire_count; w++) {
		struct kmln_graph_panel *panel = order[w]->panel;

		order[w]->end_x = panel->grid.x + panel->grid.width * (int)(++panel->wires_drawn) /
							  (int)(panel->wires + 1);
		order[w]->end_y = panel->grid.y;
	}
}

/* Wires that go to the left lie the higher the further left they begin, and the other way round:
 * so those that go the same way do not cross. */
static int height_of(const struct kmln_graph_wire *wire)
{
	return wire->end_x < wire->x ? wire->x : INT_MAX - wire->x;
}

static int by_height(const void *a, const void *b)
{
	const struct kmln_graph_wire *const *one = a, *const *two = b;

	return (height_of(*one) > height_of(*two)) - (height_of(*one) < height_of(*two));
}

/* Each wire its own tracks above a row. */
static void lay_tracks(
	struct kmln_graph_layout *layout, struct kmln_pool *pool, size_t row, int bottom)
{
	struct kmln_graph_wire **order =
		kmln_pool_array(pool, layout->wire_count + 1, sizeof(struct kmln_graph_wire *));
	int y = bottom - PANEL_GAP / 2 - tracks_above(layout, row) * TRACK;
	size_t count = 0;

	for (size_t w = 0; w < layout->wire_count; w++)
		if (layout->wires[w].block->row == row || layout->wires[w].panel->row == row)
			order[count++] = &layout->wires[w];
	qsort(order, count, sizeof(struct kmln_graph_wire *), by_height);
	for (size_t i = 0; i < count; i++, y += TRACK) {
		if (order[i]->block->row == row)
			order[i]->track = y;
		else
			order[i]->last_track = y;
	}
}

static void lay_lanes(struct kmln_graph_layout *layout, size_t columns)
{
	for (size_t c = 0; c < columns && c < layout->panel_count; c++) {
		int lane = layout->panels[c].column_x - PANEL_GAP / 3;

		for (size_t w = 0; w < layout->wire_count; w++) {
			struct kmln_graph_wire *wire = &layout->wires[w];

			if (wire->panel->row == wire->block->row || wire->panel->column != c)
				continue;
			wire->lane = lane;
			lane -= TRACK;
		}
	}
}

void kmln_graph_lay_out(
	struct kmln_graph_layout *layout, struct kmln_pool *pool, const struct kmln_model *model)
{
	int y = KMLN_GRAPH_TITLE, bottoms[ROWS_MAX] = {0};
	size_t columns, rows;

	*layout = (struct kmln_graph_layout){0};
	kmln_graph_make_cards(layout, pool, model);
	for (size_t p = 0; p < layout->panel_count; p++)
		lay_panel(&layout->panels[p], layout->card_width);
	for (size_t b = 0; b < layout->block_count; b++)
		lay_block(&layout->blocks[b], layout->card_width);
	columns = choose_columns(layout);
	rows = (layout->panel_count + columns - 1) / columns;
	place_rows(layout, columns);
	make_wires(layout, pool);
	place_columns(layout, columns);
	for (size_t b = 0; b < layout->block_count; b++)
		layout->blocks[b].wish = wish(layout, &layout->blocks[b]);
	for (size_t row = 0; row < rows; row++) {
		size_t first = row * columns, behind = first + columns;
		int tracks = tracks_above(layout, row), highest = 0, blocks = 0;

		behind = behind < layout->panel_count ? behind : layout->panel_count;
		for (size_t p = first; p < behind; p++)
			blocks = max(blocks, place_blocks(layout, &layout->panels[p], y));
		y += blocks + (tracks ? tracks * TRACK + PANEL_GAP : 0);
		bottoms[row] = y;
		for (size_t p = first; p < behind; p++) {
			move(&layout->panels[p].grid, layout->panels[p].x, y);
			highest = max(highest, layout->panels[p].grid.height);
		}
		y += highest + PANEL_GAP;
	}
	layout->height = y - (rows ? PANEL_GAP : 0) + KMLN_GRAPH_MARGIN;
	if (rows == 1)
		loosen_blocks(layout, pool);
	leave_blocks(layout, pool);
	reach_panels(layout, pool);
	for (size_t row = 0; row < rows; row++)
		lay_tracks(layout, pool, row, bottoms[row]);
	lay_lanes(layout, columns);
	layout->width = max(layout->width, kmln_graph_name_width(model->project) * 2 + 260);
}
