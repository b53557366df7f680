// SPDX-License-Identifier: GPL-2.0-or-later
/* The disks of a cluster: portable copies of images, overlays over them, and the settings of each
 * host as edits on its overlay. */
#include "cluster/plan.h"

#include "cluster/further.h"
#include "guest/step.h"

const char *kmln_disk_path(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_pool *pool)
{
	return kmln_pool_printf(
		pool, "%s/hosts/%s/disk.qcow2", cluster->folder, placed->host->name.text);
}

const char *kmln_swap_path(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_pool *pool)
{
	return kmln_pool_printf(pool, "%s/hosts/%s/swap", cluster->folder, placed->host->name.text);
}

const char *kmln_transfer_path(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_pool *pool)
{
	return kmln_pool_printf(
		pool, "%s/hosts/%s/transfer", cluster->folder, placed->host->name.text);
}

void kmln_plan_base(const struct kmln_base *base, struct kmln_actions *actions)
{
	struct kmln_action *action;

	if (!base->missing)
		return;
	action = kmln_actions_add(actions, KMLN_ACTION_PREPARE, "image");
	action->path = base->prepared;
	action->from = base->path;
	action->edits = &base->edits;
	action->why = "starts on every platform; made once, for all hosts and projects";
}

/* The filesystem grows with its disk; offline, before the settings are put in. */
static int plan_size(
	const struct kmln_placed *placed, struct kmln_edits *edits, struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_RESIZE,
		.by = "size",
		.why = "as the file says",
		.size = placed->size,
	};

	if (placed->size <= placed->base->size)
		return 0;
	if (placed->base->facts->table)
		return kmln_fail(err, KMLN_EUSAGE,
			"host %s: size: the image %s has partitions, and kmln makes the filesystem of a "
			"bare image bigger only",
			placed->host->name.text, placed->base->path);
	return kmln_edits_add(edits, &edit, err);
}

/* As far as a project can say: what other people's switches and devices lead to is unknown. */
static bool leads_outside(const struct kmln_host *host)
{
	for (size_t i = 0; i < host->interface_count; i++) {
		const struct kmln_interface *interface = &host->interfaces[i];
		const struct kmln_switch *on = interface->on;

		if (interface->tun_iface.text || interface->bridge.text ||
			(!on && interface->switch_name.text) ||
			interface->gateway[KMLN_IPV4].given || interface->gateway[KMLN_IPV6].given)
			return true;
		if (on && (kmln_eq(on->uplink.text, "nat") || on->is_external || on->tap.text ||
				  on->bridge.text))
			return true;
	}
	return false;
}

static void note_packages(const struct kmln_host *host, struct kmln_edits *edits)
{
	if (host->packages.count && !leads_outside(host))
		kmln_edits_note(edits,
			"packages: no way outside is planned for this host (uplink nat on its switch): "
			"it can install only what its own disk brings");
}

static int plan_settings(const struct kmln_placed *placed, struct kmln_shared *shared,
	struct kmln_edits *edits, struct kmln_error *err)
{
	const struct kmln_goal goal = {0};
	KMLN_STRV struct kmln_strv missing = {0};
	struct kmln_planning planning = {
		.facts = placed->base->facts,
		.platform = placed->platform,
		.goal = &goal,
		.edits = edits,
		.missing = &missing,
	};
	struct kmln_settings settings;
	int r = kmln_host_settings(shared, placed->host, edits->pool, &settings, err);

	if (r == 0)
		kmln_further_settings(placed, edits->pool, &settings);
	if (r == 0)
		r = kmln_settings_check(&settings, err);
	if (r == 0)
		r = kmln_plan_settings(&planning, &settings, err);
	return r < 0 ? kmln_wrap(err, "host %s", placed->host->name.text) : 0;
}

int kmln_plan_build(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_shared *shared, struct kmln_edits *edits, struct kmln_actions *actions,
	struct kmln_error *err)
{
	const char *name = placed->host->name.text;
	struct kmln_action *action = kmln_actions_add(actions, KMLN_ACTION_OVERLAY, name);
	int r;

	action->path = kmln_disk_path(cluster, placed, actions->pool);
	action->from = placed->base->prepared;
	action->size = placed->size;
	if (placed->host->swap.number) {
		action = kmln_actions_add(actions, KMLN_ACTION_CREATE, name);
		action->path = kmln_swap_path(cluster, placed, actions->pool);
		action->size = placed->host->swap.number;
		action->why = "to swap on";
	}
	r = plan_size(placed, edits, err);
	if (r == 0)
		r = plan_settings(placed, shared, edits, err);
	note_packages(placed->host, edits);
	if (r < 0 || !edits->count)
		return r;
	action = kmln_actions_add(actions, KMLN_ACTION_EDIT, name);
	action->path = kmln_disk_path(cluster, placed, actions->pool);
	action->edits = edits;
	return 0;
}
