// SPDX-License-Identifier: GPL-2.0-or-later
/* Each parser of a guest's settings, whatever the text: the first byte says which. */
#include "fuzz.h"

#include "image/inspect-parts.h"
#include "image/inspect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const char *path;
		kmln_parse_fn parse;
	} parsers[] = {
		{"/etc/crypttab", kmln_parse_crypttab},
		{"/etc/securetty", kmln_parse_securetty},
		{"/etc/machine-id", kmln_parse_machine_id},
		{"/etc/selinux/config", kmln_parse_selinux},
		{"/etc/default/grub", kmln_parse_resume},
		{"/etc/init/tty1.conf", kmln_parse_upstart},
		{"/etc/network/interfaces", kmln_parse_ifupdown},
		{"/etc/systemd/network/lan.network", kmln_parse_networkd},
		{"/etc/sysconfig/network/ifcfg-eth0", kmln_parse_ifcfg},
		{"/etc/NetworkManager/system-connections/lan", kmln_parse_keyfile},
		{"/etc/netplan/lan.yaml", kmln_parse_netplan},
		{"/etc/systemd/network/lan.link", kmln_parse_link},
		{"/etc/udev/rules.d/70-persistent-net.rules", kmln_parse_udev_net},
		{"/boot/loader/entries/x.conf", kmln_parse_bls},
	};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_facts facts = {.pool = pool};

	/* a letter, so that an example can be read and typed */
	if (size < 1 || data[0] < 'a' || data[0] - 'a' >= (int)KMLN_COUNT(parsers))
		return 0;
	parsers[data[0] - 'a'].parse(
		&facts, parsers[data[0] - 'a'].path, fuzz_text(pool, data + 1, size - 1));
	return 0;
}
