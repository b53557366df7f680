// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The init of kmln's initramfs: loads the drivers that the machine has devices for, finds and
 * mounts the root filesystem, and becomes its init. It runs as the first process and never before
 * the kernel has unpacked the initramfs; when it cannot go on it says why and exits, so that the
 * kernel panics and whoever started the machine sees an end.
 */
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/root"
/* what statfs(2) says of an initramfs; linux/magic.h is not among musl's headers */
#define RAMFS_MAGIC 0x858458f6
#define TMPFS_MAGIC 0x01021994
#define WAIT_SECONDS 30
#define POLL_MS 50
#define ALIASES_MAX 16

struct options {
	const char *root, *types, *flags, *init;
	bool rw, quiet;
	bool served; /* UML's disk comes from a daemon of the host's */
	unsigned wait; /* seconds */
	const char *aliases[ALIASES_MAX]; /* "NEW:OLD" */
	size_t alias_count;
};

void say(const char *fmt, ...)
{
	char line[1024] = "kmln-init: ";
	size_t used = strlen(line);
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + used, sizeof(line) - used - 1, fmt, args);
	va_end(args);
	/* labels come from disks */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	/* one write, so that lines of the kernel do not fall into it */
	strcat(line, "\n");
	if (write(2, line, strlen(line)) < 0)
		return;
}

int read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), code;
	size_t used = 0;
	ssize_t n;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (used + 1 < room && (n = read(fd, text + used, room - 1 - used)) != 0) {
		if (n < 0) {
			code = errno;
			close(fd);
			return -code;
		}
		used += (size_t)n;
	}
	text[used] = '\0';
	close(fd);
	return (int)used;
}

static void mount_kernel_folder(const char *type, const char *folder)
{
	mkdir(folder, 0755);
	if (mount(type, folder, type, MS_NOSUID | (type[0] == 'd' ? 0 : MS_NOEXEC | MS_NODEV),
		    NULL) < 0)
		say("cannot mount %s: %s", folder, strerror(errno));
}

/* What the kernel opened for us may be another /dev/console than the one of devtmpfs. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		fd = open("/dev/kmsg", O_WRONLY);
	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* The next word of the kernel command line, its quotes taken out in place; NULL at the end. */
static char *next_word(char **rest)
{
	char *from = *rest + strspn(*rest, " \t\n"), *start = from, *to = from;
	bool quoted = false;

	if (!*from)
		return NULL;
	for (; *from && (quoted || !strchr(" \t\n", *from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return start;
}

static const char *after(const char *word, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(word, prefix, length) == 0 ? word + length : NULL;
}

static void parse(char *line, struct options *o)
{
	const char *value;

	for (char *word; (word = next_word(&line));) {
		if (strcmp(word, "--") == 0)
			return; /* the rest is init's, and in our argv already */
		else if (strcmp(word, "ro") == 0 || strcmp(word, "rw") == 0)
			o->rw = word[1] == 'w';
		else if (strcmp(word, "quiet") == 0)
			o->quiet = true;
		else if ((value = after(word, "root=")))
			o->root = value;
		else if ((value = after(word, "rootfstype=")))
			o->types = value;
		else if ((value = after(word, "rootflags=")))
			o->flags = value;
		else if ((value = after(word, "init=")))
			o->init = value;
		else if ((value = after(word, "rootdelay=")))
			/* as elsewhere: it only makes the waiting longer */
			o->wait = strtoul(value, NULL, 10) > o->wait
					  ? (unsigned)strtoul(value, NULL, 10)
					  : o->wait;
		else if ((value = after(word, "kmln.alias=")) && o->alias_count < ALIASES_MAX)
			o->aliases[o->alias_count++] = value;
		else {
			o->served = o->served || after(word, "virtio_uml.device=");
			load_parameter(word);
		}
	}
}

/*
 * The daemon that serves UML's disk (QEMU 7.2) tells at first that it keeps nothing back, although
 * it does. The kernel would then never ask it to write that to its disk, and what a guest has
 * synced would be lost with the daemon. Said in this way, both know of it.
 */
static void tell_of_cache(const struct disk *disk)
{
	/* of the disk itself, or of the one that a partition is on */
	static const char *const places[] = {"", "/.."};
	const char *name = strrchr(disk->path, '/');
	bool told = false;

	for (size_t i = 0; name && !told && i < sizeof(places) / sizeof(places[0]); i++) {
		char path[sizeof(disk->path) + 64];
		int fd;

		snprintf(path, sizeof(path), "/sys/class/block%s%s/cache_type", name, places[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		told = fd >= 0 && write(fd, "write back", strlen("write back")) > 0;
		if (fd >= 0)
			close(fd);
	}
	if (!told)
		say("%s cannot be told that it is to be flushed", disk->path);
}

static void make_aliases(const struct options *o)
{
	for (size_t i = 0; i < o->alias_count; i++) {
		char name[INIT_NAME_MAX];
		const char *colon = strchr(o->aliases[i], ':');

		if (!colon || (size_t)(colon - o->aliases[i]) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(colon - o->aliases[i]), o->aliases[i]);
		disk_alias(name, colon + 1);
	}
}

/* Waits for the root disk: drivers come first, and one driver's devices may ask for another. */
static bool wait_for_root(const struct options *o, struct disk *disk)
{
	const char *value = o->root;
	enum root_kind kind = root_kind(&value);
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		while (load_for_devices())
			;
		make_aliases(o);
		if (disk_find(kind, value, disk) && (disk->type || o->types))
			return true;
		usleep(POLL_MS * 1000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < (time_t)o->wait);
	return false;
}

/*
 * Splits rootflags= as mount(8) does: words that every filesystem knows become flags, the others
 * are put together again for the filesystem itself.
 */
static unsigned long split_flags(const struct options *o, char *own, size_t room)
{
	static const struct {
		const char *word;
		unsigned long flag;
	} words[] = {
		{"noatime", MS_NOATIME},
		{"nodiratime", MS_NODIRATIME},
		{"relatime", MS_RELATIME},
		{"strictatime", MS_STRICTATIME},
		{"lazytime", MS_LAZYTIME},
		{"nosuid", MS_NOSUID},
		{"nodev", MS_NODEV},
		{"noexec", MS_NOEXEC},
		{"sync", MS_SYNCHRONOUS},
		{"dirsync", MS_DIRSYNC},
		{"defaults", 0},
	};
	const size_t count = sizeof(words) / sizeof(words[0]);
	unsigned long flags = o->rw ? 0 : MS_RDONLY;

	own[0] = '\0';
	for (const char *p = o->flags ? o->flags : ""; *p;) {
		size_t length = strcspn(p, ","), used = strlen(own), i = 0;

		while (i < count &&
			(strlen(words[i].word) != length || strncmp(words[i].word, p, length) != 0))
			i++;
		if (i < count)
			flags |= words[i].flag;
		else
			snprintf(
				own + used, room - used, "%s%.*s", used ? "," : "", (int)length, p);
		p += length + (p[length] == ',');
	}
	return flags;
}

static int mount_as(const struct options *o, const struct disk *disk, const char *type)
{
	char own[1024];
	unsigned long flags = split_flags(o, own, sizeof(own));

	load_filesystem(type);
	return mount(disk->path, ROOT, type, flags, own) == 0 ? 0 : errno;
}

/* rootfstype= may name several, with commas. Returns the type that was mounted, or NULL. */
static const char *mount_root(const struct options *o, const struct disk *disk)
{
	static char types[INIT_NAME_MAX];
	char *rest = types;
	int code = 0;

	snprintf(types, sizeof(types), "%s", o->types ? o->types : disk->type);
	for (char *type; (type = strsep(&rest, ","));) {
		code = mount_as(o, disk, type);
		/* a kernel whose ext4 driver does not serve the older two by name */
		if (code == ENODEV && (strcmp(type, "ext2") == 0 || strcmp(type, "ext3") == 0))
			code = mount_as(o, disk, "ext4");
		if (code == 0)
			return type;
		say("cannot mount %s as %s%s%s: %s", disk->path, type,
			o->flags ? " with rootflags=" : "", o->flags ? o->flags : "",
			strerror(code));
	}
	return NULL;
}

static void move_into_root(const char *folder)
{
	char to[64];

	snprintf(to, sizeof(to), ROOT "%s", folder);
	if (mount(folder, to, NULL, MS_MOVE, NULL) == 0)
		return;
	say("cannot move %s into the root filesystem: %s", folder, strerror(errno));
	umount2(folder, MNT_DETACH);
}

/* Frees the memory of the initramfs; other filesystems are not entered. */
static void empty_folder(int fd, dev_t device, int depth)
{
	DIR *dir = fdopendir(fd);

	if (!dir)
		return;
	for (const struct dirent *e; (e = readdir(dir));) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
			fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != device)
			continue;
		if (S_ISDIR(st.st_mode)) {
			int sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			if (sub >= 0 && depth < 8)
				empty_folder(sub, device, depth + 1);
			else if (sub >= 0)
				close(sub);
		}
		unlinkat(fd, e->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
	}
	closedir(dir);
}

/* Only an initramfs is ever emptied. */
static bool on_initramfs(void)
{
	struct statfs fs;

	return getpid() == 1 && statfs("/", &fs) == 0 &&
	       (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
}

static bool switch_root(void)
{
	struct stat st;
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	move_into_root("/dev");
	move_into_root("/proc");
	move_into_root("/sys");
	if (fd >= 0 && fstat(fd, &st) == 0)
		empty_folder(fd, st.st_dev, 0);
	if (chdir(ROOT) == 0 && mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 &&
		chdir("/") == 0)
		return true;
	say("cannot change to the root filesystem: %s", strerror(errno));
	return false;
}

static const char *find_init(const struct options *o)
{
	static const char *const usual[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};

	if (o->init && access(o->init, X_OK) == 0)
		return o->init;
	if (o->init) {
		say("init=%s: %s", o->init, strerror(errno));
		return NULL;
	}
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (access(usual[i], X_OK) == 0)
			return usual[i];
	say("no init in the root filesystem: looked for /sbin/init, /etc/init, /bin/init, /bin/sh");
	return NULL;
}

static int give_up(void)
{
	disk_report();
	load_report();
	/* the kernel panics as soon as we end: let a slow serial line finish */
	tcdrain(2);
	usleep(300000);
	return 1;
}

int main(int argc, char **argv)
{
	static char line[8192];
	struct options o = {.wait = WAIT_SECONDS};
	struct disk disk = {0};
	const char *type, *init;

	(void)argc;
	if (!on_initramfs()) {
		say("this program is the first process of kmln's initramfs, and nothing else");
		return 1;
	}
	mount_kernel_folder("devtmpfs", "/dev");
	open_console();
	mount_kernel_folder("proc", "/proc");
	mount_kernel_folder("sysfs", "/sys");
	mkdir(ROOT, 0755);

	read_text("/proc/cmdline", line, sizeof(line));
	load_open();
	parse(line, &o);
	if (!o.root || !*o.root) {
		say("no root= on the kernel command line");
		return give_up();
	}
	if (!wait_for_root(&o, &disk)) {
		if (*disk.path)
			say("root=%s is %s, where no known filesystem was found in %u s", o.root,
				disk.path, o.wait);
		else
			say("root=%s was not found in %u s", o.root, o.wait);
		return give_up();
	}
	if (o.served)
		tell_of_cache(&disk);
	type = mount_root(&o, &disk);
	if (!type)
		return give_up();
	/* disks that came after the root */
	make_aliases(&o);
	if (!switch_root())
		return give_up();
	init = find_init(&o);
	if (init) {
		if (!o.quiet)
			say("root is %s (%s), UUID %s, starting %s", disk.path, type,
				*disk.uuid ? disk.uuid : "unknown", init);
		argv[0] = (char *)init;
		execv(init, argv);
		say("cannot start %s: %s", init, strerror(errno));
	}
	tcdrain(2);
	usleep(300000);
	return 1;
}
