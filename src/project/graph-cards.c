// SPDX-License-Identifier: GPL-2.0-or-later
/* What is drawn of each host, and which hosts are drawn together. */
#include <string.h>

#include "base/utf8.h"
#include "project/graph-layout.h"

/* A card is as wide as the longest line of all, within reason. */
#define CARD_LEAST 132
#define CARD_MOST 380

static int width_of(const char *text, int tenths)
{
	int n = 0;

	while (*text) {
		size_t size = kmln_utf8_length(text);

		text += size ? size : 1;
		n++;
	}
	return (n * tenths + 9) / 10;
}

int kmln_graph_name_width(const char *text)
{
	return width_of(text, 91);
}

int kmln_graph_line_width(const char *text)
{
	return width_of(text, 78);
}

static void add_line(struct kmln_pool *pool, struct kmln_graph_card *card, const char *text,
	const struct kmln_switch *on, bool impairment)
{
	struct kmln_graph_line *line;

	if (!*text && !on)
		return;
	line = kmln_pool_append(pool, &card->lines, &card->line_count, sizeof(*line));
	*line = (struct kmln_graph_line){text, on, impairment};
}

static void add_interface(struct kmln_pool *pool, struct kmln_graph_card *card,
	const struct kmln_interface *interface, bool several)
{
	const char *elsewhere = kmln_graph_elsewhere(pool, interface);
	const char *impairment = kmln_graph_impairment(
		pool, &interface->impairment, interface->on ? &interface->on->impairment : NULL);
	const struct kmln_switch *dot = several ? interface->on : NULL;
	char text[KMLN_IP_TEXT];
	bool first = true;

	for (int f = 0; f < KMLN_FAMILIES; f++) {
		if (!interface->ip[f].given)
			continue;
		kmln_ip_text(text, &interface->ip[f], false);
		add_line(pool, card,
			several && first
				? kmln_pool_printf(pool, "%s %s", interface->name.text, text)
				: kmln_pool_strdup(pool, text),
			dot, false);
		first = false;
	}
	if (first && (several || *elsewhere || interface->addressing == KMLN_ADDRESS_DHCP))
		add_line(pool, card,
			kmln_pool_printf(pool, "%s%s", interface->name.text,
				interface->addressing == KMLN_ADDRESS_DHCP ? " dhcp" : ""),
			dot, false);
	add_line(pool, card, elsewhere, NULL, false);
	if (*impairment)
		add_line(pool, card, impairment, NULL, true);
	card->impaired = card->impaired || *impairment;
}

static void make_card(
	struct kmln_pool *pool, struct kmln_graph_card *card, const struct kmln_host *host)
{
	card->host = host;
	card->block = SIZE_MAX;
	for (size_t i = 0; i < host->interface_count; i++)
		add_interface(pool, card, &host->interfaces[i], host->interface_count > 1);
	card->height = KMLN_GRAPH_NAME + (int)card->line_count * KMLN_GRAPH_LINE +
		       (card->line_count ? 8 : 4);
	card->width = kmln_graph_name_width(host->name.text) +
		      kmln_graph_line_width(kmln_graph_platform(host)) + 46;
	for (size_t i = 0; i < card->line_count; i++) {
		int width = kmln_graph_line_width(card->lines[i].text) + 24 +
			    (card->lines[i].on ? 14 : 0);

		card->width = width > card->width ? width : card->width;
	}
}

/* The switches of a host in the order of the model, each once; their number. */
static size_t switches_of(const struct kmln_model *model, const struct kmln_host *host,
	const struct kmln_switch **on, size_t most)
{
	size_t count = 0;

	for (size_t s = 0; s < model->switch_count && count < most; s++)
		for (size_t i = 0; i < host->interface_count; i++)
			if (host->interfaces[i].on == model->switches[s]) {
				on[count++] = model->switches[s];
				break;
			}
	return count;
}

/* The block of hosts on these switches, made where there is none yet. */
static size_t block_of(struct kmln_graph_layout *layout, struct kmln_pool *pool,
	const struct kmln_switch **on, size_t count)
{
	struct kmln_graph_block *block;

	for (size_t b = 0; b < layout->block_count; b++)
		if (layout->blocks[b].on_count == count &&
			memcmp(layout->blocks[b].on, on, count * sizeof(*on)) == 0)
			return b;
	block = kmln_pool_append(pool, &layout->blocks, &layout->block_count, sizeof(*block));
	block->on = (const struct kmln_switch **)kmln_pool_memdup(pool, on, count * sizeof(*on));
	block->on_count = count;
	return layout->block_count - 1;
}

static void put(struct kmln_graph_grid *grid, struct kmln_pool *pool, struct kmln_graph_card *card)
{
	struct kmln_graph_card **slot =
		kmln_pool_append(pool, &grid->cards, &grid->count, sizeof(*slot));

	*slot = card;
}

static struct kmln_graph_panel *panel_of(
	const struct kmln_graph_layout *layout, const struct kmln_switch *on)
{
	for (size_t p = 0; p < layout->panel_count; p++)
		if (layout->panels[p].on == on)
			return &layout->panels[p];
	return NULL;
}

static void add_panel(
	struct kmln_graph_layout *layout, struct kmln_pool *pool, const struct kmln_switch *on)
{
	struct kmln_graph_panel *panel =
		kmln_pool_append(pool, &layout->panels, &layout->panel_count, sizeof(*panel));

	panel->on = on;
	panel->number = layout->panel_count - 1;
	panel->what = on ? kmln_graph_switch(pool, on) : "";
	panel->impairment = on ? kmln_graph_impairment(pool, &on->impairment, NULL) : "";
}

void kmln_graph_make_cards(
	struct kmln_graph_layout *layout, struct kmln_pool *pool, const struct kmln_model *model)
{
	const struct kmln_switch **on =
		kmln_pool_array(pool, model->switch_count + 1, sizeof(const void *));
	struct kmln_graph_panel *alone;

	layout->cards = kmln_pool_array(pool, model->host_count + 1, sizeof(*layout->cards));
	layout->card_count = model->host_count;
	for (size_t s = 0; s < model->switch_count; s++)
		add_panel(layout, pool, model->switches[s]);
	layout->card_width = CARD_LEAST;
	for (size_t h = 0; h < model->host_count; h++) {
		struct kmln_graph_card *card = &layout->cards[h];
		size_t count = switches_of(model, model->hosts[h], on, model->switch_count);

		make_card(pool, card, model->hosts[h]);
		if (card->width > layout->card_width)
			layout->card_width = card->width < CARD_MOST ? card->width : CARD_MOST;
		if (count > 1) {
			card->block = block_of(layout, pool, on, count);
			put(&layout->blocks[card->block].grid, pool, card);
			continue;
		}
		alone = panel_of(layout, count ? on[0] : NULL);
		if (!alone) {
			add_panel(layout, pool, NULL);
			alone = &layout->panels[layout->panel_count - 1];
		}
		put(&alone->grid, pool, card);
	}
}
