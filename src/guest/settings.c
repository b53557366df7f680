// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings of a new guest; see settings.h. The home of libcrypt. */
#include "guest/settings.h"

#include <crypt.h>
#include <ctype.h>
#include <string.h>

#define STEP "settings"

int kmln_settings_check(const struct kmln_settings *settings, struct kmln_error *err)
{
	const char *name = settings->hostname;
	size_t n = name ? strlen(name) : 0;

	if (settings->root_password && !*settings->root_password)
		return kmln_fail(err, KMLN_EUSAGE, "--root-password: it is empty");
	if (settings->root_password && strpbrk(settings->root_password, "\n\r"))
		return kmln_fail(err, KMLN_EUSAGE, "--root-password: it must be one line");
	if (!name)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && (name[i] != '-' || i == 0 || i == n - 1))
			n = 0;
	if (!n || n > 63)
		return kmln_fail(err, KMLN_EUSAGE,
			"--hostname: '%s' is no host name (letters, digits and -, 63 at most)",
			name);
	return 0;
}

static int put_text(struct kmln_planning *planning, const char *path, const char *why,
	const char *text, uint32_t mode, struct kmln_error *err)
{
	return kmln_want_file(planning, STEP, why, path, text, strlen(text), mode, false, err);
}

static int plan_name(struct kmln_planning *planning, const char *hostname, struct kmln_error *err)
{
	struct kmln_pool *pool = planning->edits->pool;
	int r = put_text(planning, "/etc/hostname", "its name",
		kmln_pool_printf(pool, "%s\n", hostname), 0644, err);

	if (r < 0)
		return r;
	return put_text(planning, "/etc/hosts", "its name",
		kmln_pool_printf(pool,
			"127.0.0.1\tlocalhost\n127.0.1.1\t%s\n\n::1\tlocalhost ip6-localhost ip6-loopback\n",
			hostname),
		0644, err);
}

/* root's line of shadow with another second field. */
static int plan_password(
	struct kmln_planning *planning, const char *password, struct kmln_error *err)
{
	const struct kmln_known_file *shadow = kmln_facts_file(planning->facts, "/etc/shadow");
	KMLN_BUF struct kmln_buf text = {0};
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data data = {0};
	const char *hash, *root, *end;

	if (!shadow->data)
		return kmln_fail(err, KMLN_EINVALID, "the guest has no /etc/shadow for a password");
	root = kmln_starts(shadow->data, "root:") ? shadow->data : strstr(shadow->data, "\nroot:");
	end = root ? strchr(root + strlen("\nroot:"), ':') : NULL;
	if (!end)
		return kmln_fail(
			err, KMLN_EINVALID, "the guest's /etc/shadow has no line for root");
	if (!crypt_gensalt_rn(NULL, 0, NULL, 0, salt, sizeof(salt)) ||
		!(hash = crypt_r(password, salt, &data)) || hash[0] == '*')
		return kmln_fail(err, EIO, "the password cannot be hashed");
	root += *root == '\n';
	kmln_buf_add(&text, shadow->data, (size_t)(root - shadow->data));
	kmln_buf_printf(&text, "root:%s%s", hash, end);
	return kmln_want_file(planning, STEP, "root's password", "/etc/shadow",
		kmln_pool_memdup(planning->edits->pool, text.data, text.size), text.size, 0640,
		true, err);
}

static int plan_key(struct kmln_planning *planning, const char *key, struct kmln_error *err)
{
	const struct kmln_known_file *keys =
		kmln_facts_file(planning->facts, "/root/.ssh/authorized_keys");
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_MKDIR,
		.by = STEP,
		.why = "root's ssh key",
		.path = "/root/.ssh",
		.mode = 0700,
		.mtime = KMLN_MTIME_NOW,
	};
	int r = 0;

	if (keys->real)
		return put_text(planning, keys->path, edit.why, key, 0600, err);
	r = kmln_edits_add(planning->edits, &edit, err);
	edit.kind = KMLN_EDIT_PUT;
	edit.path = "/root/.ssh/authorized_keys";
	edit.mode = 0600;
	edit.data = key;
	edit.size = strlen(key);
	return r < 0 ? r : kmln_edits_add(planning->edits, &edit, err);
}

int kmln_plan_settings(struct kmln_planning *planning, const struct kmln_settings *settings,
	struct kmln_error *err)
{
	const struct kmln_known_file *interfaces =
		kmln_facts_file(planning->facts, "/etc/network/interfaces");
	int r = plan_name(planning, settings->hostname ? settings->hostname : "debian", err);

	if (r == 0 && settings->root_password)
		r = plan_password(planning, settings->root_password, err);
	if (r == 0 && settings->ssh_key)
		r = plan_key(planning, settings->ssh_key, err);
	if (r == 0 && interfaces->real)
		r = put_text(planning, interfaces->path,
			"a network card is used where there is one",
			"auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet dhcp\n",
			0644, err);
	return r;
}
