// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages: the guest's own package manager installs them, in the guest, in front of its startup
 * lines. No other program knows all that a package asks for, and none of a guest's runs on the
 * host. It is done once for each list, when it has succeeded; until then each boot tries again.
 */
#include <string.h>

#include "guest/set.h"

#define SCRIPT KMLN_SET_FOLDER "/packages.sh"
#define DONE "/var/lib/kmln/packages"
#define LOG "/var/log/kmln-packages.log"
#define WHY "packages it installs when it has a network"

/* A minute or two, for a network that is slow to come; then the startup lines run without them. */
static const char body[] = "[ \"$(cat " DONE " 2>/dev/null)\" = \"$want\" ] && exit 0\n"
			   "mkdir -p /var/lib/kmln /var/log\n"
			   "exec >>" LOG " 2>&1 </dev/null\n"
			   "echo \"$(date): $want\"\n"
			   "export DEBIAN_FRONTEND=noninteractive LC_ALL=C\n"
			   "has() { command -v \"$1\" >/dev/null; }\n"
			   "add() {\n"
			   "\tif has apt-get; then apt-get -q update && apt-get -q -y "
			   "-o Dpkg::Options::=--force-confold install $want\n"
			   "\telif has dnf; then dnf -y install $want\n"
			   "\telif has yum; then yum -y install $want\n"
			   "\telif has zypper; then zypper --non-interactive install $want\n"
			   "\telif has apk; then apk update && apk add $want\n"
			   "\telif has pacman; then pacman -Sy --noconfirm --needed $want\n"
			   "\telse echo 'no package manager that kmln knows'; exit 1\n"
			   "\tfi\n"
			   "}\n"
			   "for wait in 0 2 4 8 16 32; do\n"
			   "\tsleep $wait\n"
			   "\tif add; then\n"
			   "\t\techo \"$want\" >" DONE "\n"
			   "\t\techo \"$(date): done\"\n"
			   "\t\texit 0\n"
			   "\tfi\n"
			   "done\n"
			   "echo \"$(date): not installed; the next boot tries again\"\n"
			   "exit 1\n";

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	(void)set;
	kmln_set_look(paths, SCRIPT);
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};
	const size_t before = set->edits->count;
	int r;

	if (!set->settings->packages || !set->settings->packages[0])
		return 0;
	kmln_buf_str(&text, "# written by kmln\nwant='");
	for (const char *const *p = set->settings->packages; *p; p++)
		kmln_buf_printf(&text, "%s%s", p == set->settings->packages ? "" : " ", *p);
	kmln_buf_printf(&text, "'\n%s", body);
	kmln_buf_str(&set->start, "/bin/sh " SCRIPT "\n");
	r = kmln_set_own_text(set, SCRIPT, &text, 0700, WHY, err);
	if (r == 0 && set->edits->count > before && !set->facts->package_manager)
		kmln_edits_note(
			set->edits, "packages: the guest has no package manager that kmln knows");
	return r;
}

const struct kmln_setting kmln_set_packages = {.name = "packages", .look = look, .plan = plan};
