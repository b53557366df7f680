// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two texts; see domain.h. Each value goes through the quoting of its own notation: what cannot
 * be quoted was refused before.
 */
#include "convert/domain.h"

#include <ctype.h>
#include <string.h>

#include "base/md5.h"
#include "base/utf8.h"

#define MEMORY_MIB 512
#define NAME_MAX_LENGTH 60u

int kmln_domain_check(const char *disk, const char *format, struct kmln_error *err)
{
	const char *const formats[] = {"raw", "qcow2", NULL};
	size_t i = 0;

	while (formats[i] && !kmln_eq(formats[i], format))
		i++;
	if (!formats[i])
		return kmln_fail(err, KMLN_EUSAGE,
			"Xen opens no image of the format %s: raw or qcow2 would do", format);
	for (size_t n, at = 0; disk[at]; at += n) {
		n = kmln_utf8_length(disk + at);
		if (!n || (unsigned char)disk[at] < ' ' || disk[at] == 0x7f)
			return kmln_fail(err, KMLN_EUSAGE,
				"%s: a name that is not UTF-8, or has control characters, cannot be "
				"written into a configuration of Xen",
				disk);
	}
	/* xl takes it for the end of the value */
	if (kmln_ends(disk, ","))
		return kmln_fail(
			err, KMLN_EUSAGE, "%s: Xen takes no disk whose name ends in a comma", disk);
	return 0;
}

char *kmln_domain_name(struct kmln_pool *pool, const char *image)
{
	const char *slash = strrchr(image, '/'), *from = slash ? slash + 1 : image;
	const char *dot = strrchr(from, '.');
	size_t size = dot && dot > from ? (size_t)(dot - from) : strlen(from);
	char *name = kmln_pool_printf(pool, "%s%.*s", isalpha((unsigned char)*from) ? "" : "guest-",
		(int)(size < NAME_MAX_LENGTH ? size : NAME_MAX_LENGTH), from);

	for (char *c = name; *c; c++)
		if ((unsigned char)*c >= 0x80 ||
			(!isalnum((unsigned char)*c) && !strchr("._-", *c)))
			*c = '-';
	return name;
}

char *kmln_domain_mac(struct kmln_pool *pool, const char *uuid)
{
	char sum[KMLN_MD5_TEXT];

	kmln_md5(uuid, strlen(uuid), sum);
	return kmln_pool_printf(pool, "00:16:3e:%.2s:%.2s:%.2s", sum, sum + 2, sum + 4);
}

int kmln_domain_type(const struct kmln_kernel *kernel, const char *wanted, const char **type,
	struct kmln_error *err)
{
	const bool pvh = kmln_kernel_starts(kernel, KMLN_ENTRY_XEN_PVH);
	const bool pv = kmln_kernel_starts(kernel, KMLN_ENTRY_XEN_PV);

	*type = wanted ? wanted : pvh ? "pvh" : "pv";
	if (kmln_eq(*type, "pv") ? pv : pvh)
		return 0;
	return kmln_fail(err, KMLN_EINVALID, "kernel %s has no notes that let Xen start it as %s%s",
		kernel->release, kmln_eq(*type, "pv") ? "PV" : "PVH",
		pv || pvh ? ", only as the other type" : "");
}

/* A string of xl's: in double quotes, with backslashes. */
static void xl_text(struct kmln_buf *out, const char *text)
{
	kmln_buf_str(out, "\"");
	for (; *text; text++)
		kmln_buf_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	kmln_buf_str(out, "\"");
}

static void xl_line(struct kmln_buf *out, const char *key, const char *text)
{
	kmln_buf_printf(out, "%s = ", key);
	xl_text(out, text);
	kmln_buf_str(out, "\n");
}

void kmln_domain_xl(const struct kmln_domain *domain, struct kmln_buf *out)
{
	KMLN_FREE char *disk = kmln_printf(
		"format=%s,vdev=xvda,access=rw,target=%s", domain->format, domain->disk);

	kmln_buf_str(out, "# A domain of Xen, written by kmln: xl create -c THIS_FILE\n");
	xl_line(out, "name", domain->name);
	kmln_buf_str(out, "# \"pvh\" or \"pv\"\n");
	xl_line(out, "type", domain->type);
	kmln_buf_str(out,
		"# in the place of the next three lines, to start what the guest's own menu names:\n"
		"# bootloader = \"pygrub\"\n");
	xl_line(out, "kernel", domain->kernel);
	xl_line(out, "ramdisk", domain->initramfs);
	xl_line(out, "extra", domain->words);
	kmln_buf_printf(out, "memory = %d\nvcpus = 1\ndisk = [ ", MEMORY_MIB);
	xl_text(out, disk);
	kmln_buf_str(out,
		" ]\n# a network card on a bridge of the host's; its address is this guest's own:\n");
	kmln_buf_printf(out, "# vif = [ \"mac=%s,bridge=xenbr0\" ]\n", domain->mac);
	kmln_buf_str(out, "on_poweroff = \"destroy\"\n"
			  "on_reboot = \"restart\"\n"
			  "on_crash = \"destroy\"\n");
}

static void xml_text(struct kmln_buf *out, const char *before, const char *text, const char *after)
{
	kmln_buf_str(out, before);
	for (; *text; text++) {
		const char *name = *text == '&'	   ? "&amp;"
				   : *text == '<'  ? "&lt;"
				   : *text == '>'  ? "&gt;"
				   : *text == '"'  ? "&quot;"
				   : *text == '\'' ? "&apos;"
						   : NULL;

		if (name)
			kmln_buf_str(out, name);
		else
			kmln_buf_add(out, text, 1);
	}
	kmln_buf_str(out, after);
}

void kmln_domain_libvirt(const struct kmln_domain *domain, struct kmln_buf *out)
{
	kmln_buf_str(out, "<!-- A domain of Xen, written by kmln: virsh define THIS_FILE -->\n"
			  "<domain type='xen'>\n");
	xml_text(out, "  <name>", domain->name, "</name>\n");
	kmln_buf_printf(
		out, "  <memory unit='MiB'>%d</memory>\n  <vcpu>1</vcpu>\n  <os>\n", MEMORY_MIB);
	kmln_buf_str(out, kmln_eq(domain->type, "pv")
				  ? "    <type arch='x86_64' machine='xenpv'>linux</type>\n"
				  : "    <type arch='x86_64' machine='xenpvh'>xenpvh</type>\n");
	xml_text(out, "    <kernel>", domain->kernel, "</kernel>\n");
	xml_text(out, "    <initrd>", domain->initramfs, "</initrd>\n");
	xml_text(out, "    <cmdline>", domain->words, "</cmdline>\n  </os>\n");
	kmln_buf_str(out, "  <on_poweroff>destroy</on_poweroff>\n"
			  "  <on_reboot>restart</on_reboot>\n"
			  "  <on_crash>destroy</on_crash>\n"
			  "  <devices>\n"
			  "    <disk type='file' device='disk'>\n");
	xml_text(out, "      <driver name='qemu' type='", domain->format, "'/>\n");
	xml_text(out, "      <source file='", domain->disk, "'/>\n");
	kmln_buf_str(out, "      <target dev='xvda' bus='xen'/>\n"
			  "    </disk>\n");
	kmln_buf_printf(out,
		"    <!-- <interface type='bridge'><mac address='%s'/><source "
		"bridge='xenbr0'/></interface> -->\n",
		domain->mac);
	kmln_buf_str(out, "    <console type='pty'>\n"
			  "      <target type='xen' port='0'/>\n"
			  "    </console>\n"
			  "  </devices>\n"
			  "</domain>\n");
}
