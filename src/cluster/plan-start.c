// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The processes of a cluster: switches, what hangs on them, machines. All of them see a switch's
 * folder under one and the same name, since its sockets are told from one to another by name.
 */
#include "cluster/plan.h"

#include <stdio.h>
#include <string.h>

#include "cluster/further.h"
#include "cluster/store.h"
#include "guest/step.h"
#include "image/nodes.h"
#include "image/storage.h"
#include "platform/uml.h"

#define MIB (1ull << 20)
/* UML's serial line stalls for good behind some 4,000 unread bytes. */
#define UML_TYPE_AHEAD 1024
/* What vde_switch has room for unless told. */
#define PORTS 32

static struct kmln_sandbox walls(const struct kmln_cluster *cluster, struct kmln_pool *pool)
{
	struct kmln_sandbox sandbox = cluster->walls;

	sandbox.pool = pool;
	sandbox.shm = MIB;
	return sandbox;
}

/* As it is called behind the walls, where /usr is the host's. */
static const char *share_program(struct kmln_sandbox *sandbox, const char *path)
{
	return kmln_starts(path, "/usr/")
		       ? path
		       : kmln_sandbox_share(sandbox, path, "program", KMLN_ACCESS_RUN);
}

static struct kmln_spawn *add_spawn(
	struct kmln_actions *actions, enum kmln_action_kind kind, const char *node, const char *why)
{
	struct kmln_spawn *spawn = kmln_pool_alloc(actions->pool, sizeof(*spawn));
	struct kmln_action *action = kmln_actions_add(actions, kind, node);

	action->why = why;
	action->spawn = spawn;
	return spawn;
}

/* `text` says it to people, `ready` to kmln-node. */
static void add_ready(
	struct kmln_actions *actions, const char *node, const char *text, const char *ready)
{
	struct kmln_action *action = kmln_actions_add(actions, KMLN_ACTION_READY, node);

	action->text = text;
	action->ready = ready;
}

static const char *node_name(struct kmln_pool *pool, enum kmln_role role, const char *name)
{
	return kmln_pool_printf(pool, "%s-%s", kmln_role_name(role), name);
}

/* ---- networks ---- */

/* A switch of the project's, or the private one at the end of an impaired cable. */
struct net {
	const char *name; /* of its folder: "net-lan", "wire-a-eth0" */
	const char *host; /* that folder on the host */
};

static struct net switch_net(
	const struct kmln_cluster *cluster, const struct kmln_switch *sw, struct kmln_pool *pool)
{
	struct net net = {.name = kmln_pool_printf(pool, "net-%s", sw->name.text)};

	net.host = sw->is_external ? sw->socket.text
				   : kmln_pool_printf(pool, "%s/%s", cluster->runtime, net.name);
	return net;
}

static bool is_impaired(const struct kmln_interface *interface)
{
	const struct kmln_impairment *i = &interface->impairment;

	return interface->on && (i->delay.number || i->loss.number || i->rate.number);
}

static struct net cable_net(const struct kmln_cluster *cluster, const struct kmln_host *host,
	const struct kmln_interface *interface, struct kmln_pool *pool)
{
	struct net net = {.name = kmln_pool_printf(
				  pool, "wire-%s.%s", host->name.text, interface->name.text)};

	net.host = kmln_pool_printf(pool, "%s/%s", cluster->runtime, net.name);
	return net;
}

/*
 * The switch itself, as a program behind these walls sees it. Somebody else's is where the file
 * says it is: the switch is told the names of its clients' sockets, and knows that folder by no
 * other.
 */
static const char *share_net(
	struct kmln_sandbox *sandbox, const struct net *net, bool external, struct kmln_pool *pool)
{
	if (external) {
		kmln_sandbox_share_as_is(sandbox, net->host, KMLN_ACCESS_WRITE);
		return net->host;
	}
	return kmln_pool_printf(pool, "%s/sw",
		kmln_sandbox_share(sandbox, net->host, net->name, KMLN_ACCESS_WRITE));
}

/* A device of the host's, which its machine opens as the user for whom it was made. */
static struct kmln_action *add_tap(struct kmln_actions *actions, struct kmln_sandbox *sandbox,
	const char *node, const char *name, const char *why)
{
	struct kmln_action *action = kmln_actions_add(actions, KMLN_ACTION_TAP, node);

	action->text = name;
	action->why = why;
	sandbox->host_network = true;
	kmln_sandbox_share_as_is(sandbox, "/dev/net/tun", KMLN_ACCESS_DEVICE);
	return action;
}

/* One of the project's, or (`sw` NULL) the private one at the end of an impaired cable. */
static void plan_switch(const struct kmln_cluster *cluster, const struct net *net,
	const struct kmln_switch *sw, const char *node, const char *why,
	struct kmln_actions *actions)
{
	struct kmln_sandbox sandbox = walls(cluster, actions->pool);
	KMLN_STRV struct kmln_strv argv = {0};
	const char *folder = kmln_sandbox_share(&sandbox, net->host, net->name, KMLN_ACCESS_WRITE);

	kmln_strv_adds(&argv, share_program(&sandbox, cluster->programs.vde_switch), "-s", NULL);
	kmln_strv_printf(&argv, "%s/sw", folder);
	kmln_strv_add(&argv, "-M");
	kmln_strv_printf(&argv, "%s/mgmt", folder);
	if (!sw || sw->is_hub)
		kmln_strv_add(&argv, "-x");
	/* one port more for an uplink, and one for a tap */
	if (sw && sw->ports + 2 > PORTS) {
		kmln_strv_add(&argv, "-n");
		kmln_strv_printf(&argv, "%zu", sw->ports + 2);
	}
	if (sw && (sw->tap.text || sw->bridge.text)) {
		const char *tap = sw->tap.text ? sw->tap.text : sw->bridge_name;

		add_tap(actions, &sandbox, node, tap,
			sw->bridge.text ? kmln_pool_printf(actions->pool, "in the bridge %s",
						  sw->bridge.text)
					: "between the switch and the host")
			->tap_bridge = sw->bridge.text;
		kmln_strv_adds(&argv, "-tap", tap, NULL);
	}
	kmln_sandbox_spawn(
		&sandbox, &argv, NULL, actions, add_spawn(actions, KMLN_ACTION_SPAWN, node, why));
	add_ready(actions, node, "sw/ctl can be connected to",
		kmln_pool_printf(actions->pool, "socket %s/sw/ctl", net->host));
}

/* wirefilter holds packets up each way: milliseconds, per cent, bytes a second. */
static int plan_cable(const struct kmln_cluster *cluster, const struct kmln_host *host,
	const struct kmln_interface *interface, struct kmln_actions *actions,
	struct kmln_error *err)
{
	struct kmln_pool *pool = actions->pool;
	const struct kmln_impairment *i = &interface->impairment;
	const struct net end = cable_net(cluster, host, interface, pool);
	const struct net main = switch_net(cluster, interface->on, pool);
	const char *name = kmln_pool_printf(pool, "%s.%s", host->name.text, interface->name.text);
	const char *node = node_name(pool, KMLN_ROLE_WIRE, name);
	struct kmln_sandbox sandbox = walls(cluster, pool);
	KMLN_STRV struct kmln_strv argv = {0};
	const char *near_end, *far_end;

	if (!cluster->programs.wirefilter)
		return kmln_fail(err, KMLN_ELACK,
			"wirefilter is not installed (Debian package vde-wirefilter)");
	plan_switch(cluster, &end, NULL, node_name(pool, KMLN_ROLE_END, name),
		"an end for the impaired cable", actions);
	near_end = share_net(&sandbox, &end, false, pool);
	far_end = share_net(&sandbox, &main, interface->on->is_external, pool);
	kmln_strv_adds(&argv, share_program(&sandbox, cluster->programs.wirefilter), "-v", NULL);
	kmln_strv_printf(&argv, "%s:%s", near_end, far_end);
	if (i->delay.number)
		kmln_strv_printf(&argv, "-d%g", (double)i->delay.number / 1e3);
	if (i->loss.number)
		kmln_strv_printf(&argv, "-l%g", (double)i->loss.number / 1e4);
	if (i->rate.number)
		kmln_strv_printf(&argv, "-b%llu", (unsigned long long)(i->rate.number / 8));
	kmln_sandbox_spawn(&sandbox, &argv, NULL, actions,
		add_spawn(actions, KMLN_ACTION_SPAWN, node,
			kmln_pool_printf(pool, "delay, loss and rate of the cable to %s",
				interface->on->name.text)));
	return 0;
}

static void add_net(struct kmln_strv *argv, const struct kmln_switch *sw, enum kmln_family family)
{
	const char digit = family == KMLN_IPV4 ? '4' : '6';
	char net[KMLN_IP_TEXT], gateway[KMLN_IP_TEXT], dns[KMLN_IP_TEXT];

	if (!sw->net[family].given)
		return;
	kmln_ip_text(net, &sw->net[family], true);
	kmln_ip_text(gateway, &sw->gateway[family], false);
	kmln_ip_text(dns, &sw->dns[family], false);
	kmln_strv_printf(argv, "--net%c", digit);
	kmln_strv_add(argv, net);
	kmln_strv_printf(argv, "--gateway%c", digit);
	kmln_strv_add(argv, gateway);
	kmln_strv_printf(argv, "--dns%c", digit);
	kmln_strv_add(argv, dns);
}

static void plan_uplink(const struct kmln_cluster *cluster, const struct kmln_switch *sw,
	struct kmln_actions *actions)
{
	const struct kmln_model *model = cluster->model;
	struct kmln_pool *pool = actions->pool;
	const struct net net = switch_net(cluster, sw, pool);
	const char *node = node_name(pool, KMLN_ROLE_UPLINK, sw->name.text);
	struct kmln_sandbox sandbox = walls(cluster, pool);
	KMLN_STRV struct kmln_strv argv = {0};
	const char *shared;

	sandbox.host_network = true;
	if (cluster->resolver)
		kmln_sandbox_share_as_is(&sandbox, cluster->resolver, KMLN_ACCESS_READ);
	shared = share_net(&sandbox, &net, sw->is_external, pool);
	kmln_strv_adds(
		&argv, share_program(&sandbox, cluster->programs.uplink), "--switch", shared, NULL);
	add_net(&argv, sw, KMLN_IPV4);
	add_net(&argv, sw, KMLN_IPV6);
	for (size_t i = 0; i < model->forward_count; i++) {
		const struct kmln_forward *f = &model->forwards[i];
		const bool v4 = f->interface->ip[KMLN_IPV4].given;
		char address[KMLN_IP_TEXT];

		if (f->interface->on != sw || (!v4 && !f->interface->ip[KMLN_IPV6].given))
			continue;
		kmln_ip_text(address, &f->interface->ip[v4 ? KMLN_IPV4 : KMLN_IPV6], false);
		kmln_strv_add(&argv, "--forward");
		kmln_strv_printf(&argv, v4 ? "%s:%u:%s:%u" : "%s:%u:[%s]:%u",
			f->udp ? "udp" : "tcp", f->from, address, f->to);
	}
	kmln_sandbox_spawn(&sandbox, &argv, NULL, actions,
		add_spawn(actions, KMLN_ACTION_SPAWN, node, "the way out, and the forwards"));
	add_ready(actions, node, "it says so", "words ready");
}

int kmln_plan_networks(
	const struct kmln_cluster *cluster, struct kmln_actions *actions, struct kmln_error *err)
{
	const struct kmln_model *model = cluster->model;
	int r = 0;

	for (size_t i = 0; i < model->switch_count; i++) {
		const struct kmln_switch *sw = model->switches[i];
		const struct net net = switch_net(cluster, sw, actions->pool);

		if (!sw->is_external)
			plan_switch(cluster, &net, sw,
				node_name(actions->pool, KMLN_ROLE_SWITCH, sw->name.text),
				sw->is_hub ? "a hub" : "a switch", actions);
	}
	for (size_t i = 0; i < model->switch_count; i++)
		if (kmln_eq(model->switches[i]->uplink.text, "nat"))
			plan_uplink(cluster, model->switches[i], actions);
	for (size_t i = 0; r == 0 && i < model->host_count; i++)
		for (size_t k = 0; r == 0 && k < model->hosts[i]->interface_count; k++)
			if (is_impaired(&model->hosts[i]->interfaces[k]))
				r = plan_cable(cluster, model->hosts[i],
					&model->hosts[i]->interfaces[k], actions, err);
	return r;
}

/* ---- machines ---- */

/* Of the host's end of a tap, in the net that the machine's own address is of. */
static const char *host_address(const struct kmln_interface *interface, struct kmln_pool *pool)
{
	struct kmln_ip ip;

	if (!interface->tun_address.text || !kmln_ip_parse(interface->tun_address.text, &ip))
		return NULL;
	if (strchr(interface->tun_address.text, '/'))
		return interface->tun_address.text;
	return kmln_pool_printf(pool, "%s/%u", interface->tun_address.text,
		interface->ip[ip.family].given ? interface->ip[ip.family].bits
		: ip.family == KMLN_IPV4       ? 24
					       : 64);
}

/* The tap that a bridge is to have of a machine is named by its card's address: 15 letters. */
static void plug_tap(const struct kmln_host *host, const struct kmln_interface *interface,
	struct kmln_sandbox *sandbox, struct kmln_card *card, struct kmln_actions *actions)
{
	struct kmln_pool *pool = actions->pool;
	const unsigned char *mac = interface->mac;
	struct kmln_action *tap;

	card->link = KMLN_LINK_TAP;
	card->to = interface->tun_iface.text ? interface->tun_iface.text
					     : kmln_pool_printf(pool, "km%02x%02x%02x%02x%02x",
						       mac[1], mac[2], mac[3], mac[4], mac[5]);
	tap = add_tap(actions, sandbox, host->name.text, card->to,
		interface->bridge.text
			? kmln_pool_printf(pool, "in the bridge %s", interface->bridge.text)
		: interface->tun_address.text ? kmln_pool_printf(pool, "the host's end has %s",
							interface->tun_address.text)
					      : "between the machine and the host");
	tap->tap_bridge = interface->bridge.text;
	tap->tap_address = host_address(interface, pool);
}

static int plug(const struct kmln_cluster *cluster, const struct kmln_host *host,
	struct kmln_sandbox *sandbox, struct kmln_launch *launch, struct kmln_actions *actions,
	struct kmln_error *err)
{
	struct kmln_card *cards =
		kmln_pool_array(sandbox->pool, host->interface_count + 1, sizeof(*cards));

	for (size_t i = 0; i < host->interface_count; i++) {
		const struct kmln_interface *interface = &host->interfaces[i];
		const bool impaired = is_impaired(interface);
		struct net net;

		memcpy(cards[i].mac, interface->mac, sizeof(cards[i].mac));
		if (interface->slirp.text)
			return kmln_fail(err, KMLN_EUSAGE,
				"host %s, %s: slirp is not supported; a switch with `uplink nat` leads "
				"outside without root",
				host->name.text, interface->name.text);
		if (interface->tun_iface.text || interface->bridge.text) {
			plug_tap(host, interface, sandbox, &cards[i], actions);
			continue;
		}
		if (!interface->on)
			continue;
		net = impaired ? cable_net(cluster, host, interface, sandbox->pool)
			       : switch_net(cluster, interface->on, sandbox->pool);
		cards[i].link = KMLN_LINK_VDE;
		cards[i].to = share_net(
			sandbox, &net, !impaired && interface->on->is_external, sandbox->pool);
	}
	launch->cards = cards;
	launch->card_count = host->interface_count;
	return 0;
}

/* The overlay over the prepared image, as if both were open. */
static struct kmln_layers *layers_of(const struct kmln_cluster *cluster,
	const struct kmln_placed *placed, struct kmln_pool *pool)
{
	struct kmln_layers *layers = kmln_pool_alloc(pool, sizeof(*layers));
	struct kmln_layer *top = kmln_pool_alloc(pool, sizeof(*top));
	struct kmln_layer *base = kmln_pool_alloc(pool, sizeof(*base));

	*base = (struct kmln_layer){
		.path = placed->base->prepared,
		.fd = -1,
		.header = {.format = "raw", .driver = "raw"},
	};
	*top = (struct kmln_layer){
		.path = kmln_disk_path(cluster, placed, pool),
		.fd = -1,
		.writable = true,
		.header = {.format = "qcow2", .driver = "qcow2"},
		.backing = base,
	};
	layers->pool = pool;
	layers->count = 2;
	layers->items = kmln_pool_array(pool, 2, sizeof(*layers->items));
	layers->items[0] = top;
	layers->items[1] = base;
	return layers;
}

/* UML gets its disk from a daemon, and with it the driver for that. */
static int start_uml(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_sandbox *sandbox, struct kmln_launch *launch, struct kmln_actions *actions,
	struct kmln_error *err)
{
	struct kmln_pool *pool = actions->pool;
	const char *name = placed->host->name.text;
	const char *served = kmln_pool_printf(pool, "%s/disk-%s", cluster->runtime, name);
	const struct kmln_storage_disk disk = {
		.layers = layers_of(cluster, placed, pool),
		.size = placed->size,
		.walls = &cluster->walls,
		.program = cluster->programs.storage,
		.folder = served,
		.socket_folder = served,
	};
	int r = kmln_storage_plan(
		&disk, pool, add_spawn(actions, KMLN_ACTION_SERVE, name, "its disk"), err);

	launch->program =
		share_program(sandbox, placed->kernel ? placed->kernel : cluster->programs.uml);
	launch->served = true;
	launch->disk = kmln_pool_printf(pool, "%s/" KMLN_STORAGE_SOCKET,
		kmln_sandbox_share(sandbox, served, "served", KMLN_ACCESS_READ));
	/* our initramfs has the modules of the kernel that kmln would have chosen */
	launch->built_in = placed->kernel && !placed->ramdisk;
	if (!launch->built_in)
		launch->initramfs = kmln_sandbox_share(sandbox,
			placed->ramdisk ? placed->ramdisk : cluster->uml_initramfs, "initramfs",
			KMLN_ACCESS_READ);
	launch->cmdline = kmln_pool_printf(pool, "%s%s", placed->base->uml_words,
		placed->kernel || placed->ramdisk ? "" : " kmln.modules");
	/* the fast way for what is copied; outside of the walls hostfs would see all the host's
	 * files by their own names, and this one not by its */
	if (sandbox->confined)
		kmln_sandbox_share(sandbox, kmln_transfer_path(cluster, placed, pool), "transfer",
			KMLN_ACCESS_WRITE);
	sandbox->channels = 2;
	sandbox->shm = placed->memory + 64 * MIB;
	return r;
}

/* The one that was put into the guest, or the host's own: without an initramfs that finds a UUID,
 * the root is the disk's. */
static void share_kernel(
	const struct kmln_placed *placed, struct kmln_sandbox *sandbox, struct kmln_launch *launch)
{
	const char *prepared = placed->base->prepared;
	const char *kernel = placed->kernel
				     ? placed->kernel
				     : kmln_pool_printf(sandbox->pool, "%s.kernel", prepared);
	const char *initramfs = placed->kernel
					? placed->ramdisk
					: kmln_pool_printf(sandbox->pool, "%s.initramfs", prepared);

	launch->kernel = kmln_sandbox_share(sandbox, kernel, "kernel", KMLN_ACCESS_READ);
	if (initramfs)
		launch->initramfs =
			kmln_sandbox_share(sandbox, initramfs, "initramfs", KMLN_ACCESS_READ);
	launch->cmdline = initramfs ? kmln_kernel_words(sandbox->pool, placed->base->facts)
				    : "console=tty0 console=ttyS0,115200";
}

static int start_qemu(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_sandbox *sandbox, struct kmln_launch *launch, struct kmln_error *err)
{
	struct kmln_pool *pool = sandbox->pool;
	const struct kmln_nodes nodes = {layers_of(cluster, placed, pool), sandbox, false};
	KMLN_BUF struct kmln_buf json = {0};
	int r = kmln_nodes_disk(&nodes, true, NULL, &json, err);

	if (r < 0)
		return r;
	launch->program = share_program(sandbox, cluster->programs.qemu);
	launch->disk = launch->run;
	launch->nodes = kmln_pool_strdup(pool, json.data);
	share_kernel(placed, sandbox, launch);
	if (kmln_eq(placed->platform->name, "kvm"))
		kmln_sandbox_share_as_is(sandbox, "/dev/kvm", KMLN_ACCESS_DEVICE);
	sandbox->channels = 2;
	sandbox->shm = 64 * MIB;
	return 0;
}

static void add_host_ready(const struct kmln_host *host, struct kmln_actions *actions)
{
	struct kmln_pool *pool = actions->pool;
	const struct kmln_row *row = host->ready.count ? &host->ready.items[0] : NULL;
	const char *kind = row ? row->cells[KMLN_READY_KIND].text : "agent";
	const char *what =
		row && row->count > KMLN_READY_WHAT ? row->cells[KMLN_READY_WHAT].text : NULL;
	const char *node = host->name.text;

	if (kmln_eq(kind, "port"))
		add_ready(actions, node,
			kmln_pool_printf(pool, "port %s can be connected to", what),
			kmln_pool_printf(pool, "port %s", what));
	else if (kmln_eq(kind, "console"))
		add_ready(actions, node, kmln_pool_printf(pool, "its console shows %s", what),
			kmln_pool_printf(pool, "console %s", what));
	else if (kmln_eq(kind, "none"))
		add_ready(actions, node, "it runs", "none");
	else
		add_ready(actions, node, "its agent answers", "agent");
}

/* What it swaps on, then what it mounts, in the order that further.h counts in. */
static void add_disks(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_sandbox *sandbox, struct kmln_launch *launch)
{
	struct kmln_pool *pool = sandbox->pool;
	const char **disks = kmln_pool_array(pool, placed->disk_count + 2, sizeof(*disks));
	size_t count = 0;

	if (placed->host->swap.number)
		disks[count++] = kmln_sandbox_share(
			sandbox, kmln_swap_path(cluster, placed, pool), "swap", KMLN_ACCESS_WRITE);
	for (size_t i = 0; i < placed->disk_count; i++) {
		const struct kmln_further *disk = &placed->disks[i];

		if (disk->read_only)
			launch->read_only_disks |= 1u << count;
		disks[count++] = kmln_sandbox_share(sandbox, disk->path,
			kmln_pool_printf(pool, "disk%zu", i + 1),
			disk->read_only ? KMLN_ACCESS_READ : KMLN_ACCESS_WRITE);
	}
	launch->disks = count ? disks : NULL;
}

int kmln_plan_start(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_actions *actions, struct kmln_error *err)
{
	struct kmln_pool *pool = actions->pool;
	const bool uml = kmln_eq(placed->platform->name, "uml");
	const char *name = placed->host->name.text;
	struct kmln_sandbox sandbox = walls(cluster, pool);
	KMLN_STRV struct kmln_strv argv = {0};
	struct kmln_launch launch = {
		.memory = placed->memory,
		.cpus = placed->cpus,
		.partition = placed->base->facts->root ? placed->base->facts->root->partition : 0,
		.channel = true,
		.run = kmln_sandbox_run(&sandbox),
	};
	struct kmln_spawn *spawn;
	int r;

	if (!placed->platform->launch || placed->platform->domains)
		return kmln_fail(err, KMLN_ELACK, "host %s: %s machines cannot be started yet",
			name, placed->platform->name);
	add_disks(cluster, placed, &sandbox, &launch);
	r = uml ? start_uml(cluster, placed, &sandbox, &launch, actions, err)
		: start_qemu(cluster, placed, &sandbox, &launch, err);
	if (r == 0)
		r = plug(cluster, placed->host, &sandbox, &launch, actions, err);
	if (r == 0)
		r = placed->platform->launch(&launch, &argv, err);
	if (r < 0)
		return kmln_wrap(err, "host %s", name);
	spawn = add_spawn(actions, KMLN_ACTION_SPAWN, name,
		kmln_pool_printf(pool, "on %s: %s", placed->platform->name, placed->why));
	kmln_sandbox_spawn(
		&sandbox, &argv, uml && sandbox.confined ? KMLN_SANDBOX_SHM : NULL, actions, spawn);
	if (uml)
		spawn->type_ahead = UML_TYPE_AHEAD;
	add_host_ready(placed->host, actions);
	return 0;
}

static const char *const hook_names[KMLN_HOOKS] = {
	[KMLN_HOOK_BEFORE_PROJECT_START] = "beforeProjectStart",
	[KMLN_HOOK_BEFORE_HOSTS_START] = "beforeHostsStart",
	[KMLN_HOOK_AFTER_HOSTS_START] = "afterHostsStart",
	[KMLN_HOOK_AFTER_PROJECT_START] = "afterProjectStart",
	[KMLN_HOOK_BEFORE_PROJECT_STOP] = "beforeProjectStop",
	[KMLN_HOOK_BEFORE_HOSTS_STOP] = "beforeHostsStop",
	[KMLN_HOOK_AFTER_HOSTS_STOP] = "afterHostsStop",
	[KMLN_HOOK_AFTER_PROJECT_STOP] = "afterProjectStop",
};

const char *kmln_hook_name(enum kmln_hook hook)
{
	return hook_names[hook];
}

void kmln_plan_hook(
	const struct kmln_cluster *cluster, enum kmln_hook hook, struct kmln_actions *actions)
{
	const struct kmln_rows *lines = &cluster->model->global.hooks[hook];

	for (size_t i = 0; i < lines->count; i++) {
		struct kmln_action *action =
			kmln_actions_add(actions, KMLN_ACTION_RUN, hook_names[hook]);

		action->text = lines->items[i].cells[0].text;
		action->why = "the file's own line, for this host's shell";
	}
}
