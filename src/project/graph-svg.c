// SPDX-License-Identifier: GPL-2.0-or-later
/* A picture as SVG: no script, no link, nothing from elsewhere; every text is escaped. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "project/graph-layout.h"

#define COLORS 8 /* of switches; then they begin again */
#define RADIUS 7 /* of a wire's corners */

static const char style[] =
	"text{font-family:system-ui,\"Segoe UI\",\"Helvetica Neue\",\"DejaVu Sans\",sans-serif;"
	"fill:#0f172a}\n"
	".paper{fill:#fff}\n"
	".title{font-size:26px;font-weight:700}\n"
	".size,.what,.line{font-size:12px}\n"
	".what,.line{font-family:ui-monospace,\"DejaVu Sans Mono\",Menlo,Consolas,monospace}\n"
	".size,.what{fill:#64748b}\n"
	".size{font-size:14px}\n"
	".line{fill:#334155}\n"
	".name{font-size:14px;font-weight:700}\n"
	".head{font-size:16px;font-weight:700}\n"
	".bad{fill:#b45309}\n"
	".badge text{font-size:11px;font-weight:700;fill:#fff;text-anchor:middle}\n"
	".panel{fill:currentColor;fill-opacity:.06;stroke:currentColor;stroke-opacity:.45;"
	"stroke-width:1.5}\n"
	".frame{fill:#f1f5f9;stroke:#94a3b8;stroke-width:1.5}\n"
	".card{fill:#fff;stroke:#cbd5e1;stroke-width:1.2}\n"
	".wire{fill:none;stroke:currentColor;stroke-width:2.4;stroke-linecap:round}\n"
	".under{fill:none;stroke:#fff;stroke-width:7}\n"
	".impaired{stroke:#d97706;stroke-dasharray:3 4}\n"
	".full{fill:currentColor}\n"
	".icon{fill:none;stroke:#fff;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}\n"
	".c0{color:#2563eb}.c1{color:#db2777}.c2{color:#059669}.c3{color:#ea580c}\n"
	".c4{color:#7c3aed}.c5{color:#0891b2}.c6{color:#dc2626}.c7{color:#4d7c0f}\n"
	".none{color:#64748b}\n"
	".auto{fill:#64748b}.UML{fill:#b45309}.KVM{fill:#15803d}.QEMU{fill:#1d4ed8}\n"
	".Xen{fill:#7e22ce}.container{fill:#0f766e}\n"
	"@media (prefers-color-scheme:dark){\n"
	"text{fill:#f1f5f9}.paper{fill:#0b1220}.size,.what{fill:#94a3b8}.line{fill:#cbd5e1}\n"
	".bad{fill:#fbbf24}.frame{fill:#111c30;stroke:#475569}.card{fill:#16223a;stroke:#3b4a63}\n"
	".under{stroke:#0b1220}.impaired{stroke:#fbbf24}.icon{stroke:#0b1220}\n"
	".panel{fill-opacity:.1}.badge text{fill:#0b1220}\n"
	".c0{color:#60a5fa}.c1{color:#f472b6}.c2{color:#34d399}.c3{color:#fb923c}\n"
	".c4{color:#a78bfa}.c5{color:#22d3ee}.c6{color:#f87171}.c7{color:#a3e635}\n"
	".none{color:#94a3b8}\n"
	".auto{fill:#94a3b8}.UML{fill:#fbbf24}.KVM{fill:#4ade80}.QEMU{fill:#93c5fd}\n"
	".Xen{fill:#d8b4fe}.container{fill:#5eead4}\n"
	"}\n";

struct drawing {
	struct kmln_buf *out;
	const struct kmln_graph_layout *layout;
};

static void escaped(struct kmln_buf *out, const char *text, size_t size)
{
	for (const char *p = text; p < text + size; p++) {
		const char *instead = *p == '&'	  ? "&amp;"
				      : *p == '<' ? "&lt;"
				      : *p == '>' ? "&gt;"
				      : *p == '"' ? "&quot;"
						  : NULL;

		if (instead)
			kmln_buf_str(out, instead);
		else
			kmln_buf_add(out, *p == '\t' ? " " : p, 1);
	}
}

/* A line of text that is cut where it is wider than `width`. */
static void text(struct drawing *d, const char *class, int x, int y, const char *words, int width,
	int (*measure)(const char *text))
{
	size_t size = strlen(words);
	bool cut = false;

	while (size && measure(words) > width) {
		KMLN_FREE char *front = kmln_printf("%.*s", (int)size, words);

		if (measure(front) + (cut ? 8 : 0) <= width)
			break;
		cut = true;
		/* off goes a whole character */
		while (--size && ((unsigned char)words[size] & 0xc0) == 0x80)
			;
	}
	kmln_buf_printf(d->out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, x, y);
	escaped(d->out, words, size);
	kmln_buf_printf(d->out, "%s</text>\n", cut ? "…" : "");
}

static void tooltip(struct drawing *d, const char *words)
{
	kmln_buf_str(d->out, "<title>");
	escaped(d->out, words, strlen(words));
	kmln_buf_str(d->out, "</title>\n");
}

static const char *color_of(struct drawing *d, const struct kmln_switch *on)
{
	static const char *const classes[COLORS] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};

	for (size_t p = 0; on && p < d->layout->panel_count; p++)
		if (d->layout->panels[p].on == on)
			return classes[d->layout->panels[p].number % COLORS];
	return "none";
}

/* A pill with the platform; `right` is its right edge. */
static int badge(struct drawing *d, const char *platform, int right, int y)
{
	int width = kmln_graph_line_width(platform) + 14;

	kmln_buf_printf(d->out,
		"<g class=\"badge\"><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"18\" "
		"rx=\"9\"/><text x=\"%d\" y=\"%d\">%s</text></g>\n",
		platform, right - width, y, width, right - width / 2, y + 13, platform);
	return width;
}

static void draw_card(struct drawing *d, const struct kmln_graph_card *card)
{
	const char *platform = kmln_graph_platform(card->host);
	int used, y = card->y + KMLN_GRAPH_NAME + 12;

	kmln_buf_str(d->out, "<g>");
	tooltip(d, card->host->name.text);
	kmln_buf_printf(d->out,
		"<rect class=\"card\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"9\"/>\n",
		card->x, card->y, card->width, card->height);
	used = badge(d, platform, card->x + card->width - 9, card->y + 9);
	text(d, "name", card->x + 12, card->y + 23, card->host->name.text, card->width - used - 28,
		kmln_graph_name_width);
	for (size_t i = 0; i < card->line_count; i++, y += KMLN_GRAPH_LINE) {
		const struct kmln_graph_line *line = &card->lines[i];
		int x = card->x + 12 + (line->on ? 14 : 0);

		if (line->on)
			kmln_buf_printf(d->out,
				"<g class=\"%s\"><circle class=\"full\" cx=\"%d\" cy=\"%d\" "
				"r=\"4.5\"/></g>\n",
				color_of(d, line->on), card->x + 17, y - 4);
		text(d, line->impairment ? "line bad" : "line", x, y, line->text,
			card->x + card->width - x - 8, kmln_graph_line_width);
	}
	kmln_buf_str(d->out, "</g>\n");
}

/* The wire of a panel: down its left side, a rail above each row, a stub to each card. */
static void draw_rails(struct drawing *d, const struct kmln_graph_panel *panel)
{
	const struct kmln_graph_grid *grid = &panel->grid;
	int trunk = grid->x + KMLN_GRAPH_PAD + 13, top = grid->y + 43;

	for (size_t i = 0; i < grid->count; i += grid->columns) {
		size_t last = i + grid->columns < grid->count ? i + grid->columns : grid->count;
		int rail = grid->cards[i]->y - KMLN_GRAPH_RAIL / 2 - 1;

		kmln_buf_printf(d->out, "<path class=\"wire\" d=\"M%d %dV%dQ%d %d %d %dH%d\"/>\n",
			trunk, top, rail - RADIUS, trunk, rail, trunk + RADIUS, rail,
			grid->cards[last - 1]->x + grid->cards[last - 1]->width / 2);
		for (size_t c = i; c < last; c++)
			kmln_buf_printf(d->out, "<path class=\"wire%s\" d=\"M%d %dV%d\"/>\n",
				grid->cards[c]->impaired ? " impaired" : "",
				grid->cards[c]->x + grid->cards[c]->width / 2, rail,
				grid->cards[c]->y);
	}
}

/* Two arrows for a switch, a star for a hub. */
static void draw_icon(struct drawing *d, const struct kmln_switch *s, int x, int y)
{
	kmln_buf_printf(d->out,
		"<rect class=\"full\" x=\"%d\" y=\"%d\" width=\"28\" height=\"28\" rx=\"8\"/>"
		"<path class=\"icon\" transform=\"translate(%d %d)\" d=\"%s\"/>\n",
		x, y, x, y,
		s->is_hub
			? "M14 7v14M8 10.5l12 7M20 10.5l-12 7"
			: "M7 10.5h13m-3.5-3.5l3.5 3.5-3.5 3.5M21 18h-13m3.5-3.5l-3.5 3.5 3.5 3.5");
}

static void draw_panel(struct drawing *d, const struct kmln_graph_panel *panel)
{
	const struct kmln_graph_grid *grid = &panel->grid;
	int x = grid->x + KMLN_GRAPH_PAD, y = grid->y, room = grid->width - 2 * KMLN_GRAPH_PAD;

	kmln_buf_printf(d->out, "<g class=\"%s\">", color_of(d, panel->on));
	tooltip(d, panel->on ? panel->on->name.text : "on no switch");
	kmln_buf_printf(d->out,
		"<rect class=\"panel\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"16\"/>\n",
		grid->x, y, grid->width, grid->height);
	if (panel->on) {
		draw_rails(d, panel);
		draw_icon(d, panel->on, x, y + 15);
		x += 38;
		room -= 38;
	}
	if (panel->on && kmln_eq(panel->on->uplink.text, "nat"))
		kmln_buf_printf(d->out,
			"<path class=\"full\" transform=\"translate(%d %d)\" d=\"M9 20h17a6.5 6.5 0 "
			"0 0 .6-13 9 9 0 0 0-17-1A7 7 0 0 0 9 20z\"/>\n",
			grid->x + grid->width - 52, y + 12);
	text(d, "head", x, y + (*panel->what || !panel->on ? 26 : 34),
		panel->on ? panel->on->name.text : "on no switch", room, kmln_graph_name_width);
	if (*panel->what)
		text(d, "what", x, y + 43, panel->what, room, kmln_graph_line_width);
	if (*panel->impairment)
		text(d, "line bad", x, y + 43 + KMLN_GRAPH_LINE, panel->impairment, room,
			kmln_graph_line_width);
	kmln_buf_str(d->out, "</g>\n");
}

struct point {
	int x, y;
};

static int toward(int from, int to, int by)
{
	int way = abs(to - from) / 2 < by ? abs(to - from) / 2 : by;

	return to > from ? from + way : from - way;
}

/* A line along these points, each beside or below the one before, with round corners. */
static void path_data(struct kmln_buf *out, const struct point *p, size_t count)
{
	kmln_buf_printf(out, "M%d %d", p[0].x, p[0].y);
	for (size_t i = 1; i + 1 < count; i++)
		kmln_buf_printf(out, "L%d %dQ%d %d %d %d", toward(p[i].x, p[i - 1].x, RADIUS),
			toward(p[i].y, p[i - 1].y, RADIUS), p[i].x, p[i].y,
			toward(p[i].x, p[i + 1].x, RADIUS), toward(p[i].y, p[i + 1].y, RADIUS));
	kmln_buf_printf(out, "L%d %d", p[count - 1].x, p[count - 1].y);
}

static void draw_wire(struct drawing *d, const struct kmln_graph_wire *w)
{
	KMLN_BUF struct kmln_buf data = {0};
	const struct point near[] = {
		{w->x, w->y}, {w->x, w->track}, {w->end_x, w->track}, {w->end_x, w->end_y}};
	const struct point far[] = {{w->x, w->y}, {w->x, w->track}, {w->lane, w->track},
		{w->lane, w->last_track}, {w->end_x, w->last_track}, {w->end_x, w->end_y}};

	if (w->lane)
		path_data(&data, far, KMLN_COUNT(far));
	else
		path_data(&data, near, KMLN_COUNT(near));
	kmln_buf_printf(d->out,
		"<g class=\"%s\"><path class=\"under\" d=\"%s\"/><path class=\"wire\" "
		"d=\"%s\"/><circle class=\"full\" cx=\"%d\" cy=\"%d\" r=\"4\"/><circle "
		"class=\"full\" cx=\"%d\" cy=\"%d\" r=\"4\"/></g>\n",
		color_of(d, w->panel->on), data.data, data.data, w->x, w->y, w->end_x, w->end_y);
}

static void draw_block(struct drawing *d, const struct kmln_graph_block *block)
{
	const struct kmln_graph_grid *grid = &block->grid;

	if (grid->count > 1)
		kmln_buf_printf(d->out,
			"<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
			"rx=\"16\"/>\n",
			grid->x, grid->y, grid->width, grid->height);
}

/* The platforms there are, at the right of the title. */
static void draw_legend(struct drawing *d)
{
	static const char *const order[] = {"container", "Xen", "QEMU", "KVM", "UML", "auto"};
	int right = d->layout->width - KMLN_GRAPH_MARGIN;

	for (size_t i = 0; i < KMLN_COUNT(order); i++)
		for (size_t c = 0; c < d->layout->card_count; c++)
			if (kmln_eq(kmln_graph_platform(d->layout->cards[c].host), order[i])) {
				right -= badge(d, order[i], right, 26) + 8;
				break;
			}
}

void kmln_graph_svg(struct kmln_buf *out, const struct kmln_model *model)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *size = kmln_graph_size(pool, model);
	struct kmln_graph_layout layout;
	struct drawing d = {.out = out, .layout = &layout};

	kmln_graph_lay_out(&layout, pool, model);
	kmln_buf_printf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" role=\"img\">\n",
		layout.width, layout.height, layout.width, layout.height);
	tooltip(&d, kmln_pool_printf(pool, "%s: %s", model->project, size));
	kmln_buf_printf(out, "<style>\n%s</style>\n", style);
	kmln_buf_str(out, "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n");
	text(&d, "title", KMLN_GRAPH_MARGIN, 40, model->project, layout.width * 2 / 3,
		kmln_graph_name_width);
	text(&d, "size", KMLN_GRAPH_MARGIN, 60, size, layout.width, kmln_graph_line_width);
	draw_legend(&d);
	for (size_t p = 0; p < layout.panel_count; p++)
		draw_panel(&d, &layout.panels[p]);
	for (size_t b = 0; b < layout.block_count; b++)
		draw_block(&d, &layout.blocks[b]);
	for (size_t c = 0; c < layout.card_count; c++)
		draw_card(&d, &layout.cards[c]);
	for (size_t w = 0; w < layout.wire_count; w++)
		draw_wire(&d, &layout.wires[w]);
	kmln_buf_str(out, "</svg>\n");
}
