// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpm's database: the one home of librpm, which wants a folder on the host. The guest's file is
 * copied into a private folder, and a child reads it there: it has that folder and a pipe and
 * nothing else (Landlock, no other descriptors, limits on memory and time), so that a database made
 * to break librpm breaks the child alone. What it sends is plain text, bounded again here.
 *
 * No configuration is read, neither the host's nor the guest's; no scriptlet and no signature is
 * looked at. SUSE's "ndb" files, which many builds of librpm cannot open, are walked here; their
 * headers are librpm's to read.
 */
#include "image/inspect.h"

#include <endian.h>
#include <fcntl.h>
#include <poll.h>
#include <rpm/header.h>
#include <rpm/rpmdb.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmmacro.h>
#include <rpm/rpmts.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/landlock.h"
#include "base/log.h"
#include "image/inspect-parts.h"
#include "image/inspect-rpm.h"

#define COPY_MAX (512ull << 20)
#define MEMORY_MAX (768ull << 20) /* address space of the child: the copy is mapped whole */
#define CPU_SECONDS 20
#define LIMIT_MS 40000
#define WORD_MAX 512

/* A sanitizer's shadow takes more address space than any limit would leave it. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* What the child sends: records of one letter, PACKAGE with three texts that end in NUL behind it.
 */
enum { PACKAGE = 'P', WHOLE = 'W', DAMAGED = 'D' };

struct kind {
	const char *file, *log; /* the database, and what belongs to it; NULL: nothing */
	const char *backend; /* as librpm calls it; NULL: read here */
};

static const struct kind kinds[] = {
	{"rpmdb.sqlite", "rpmdb.sqlite-wal", "sqlite"},
	{"Packages.db", NULL, NULL},
	{"Packages", NULL, "bdb_ro"},
};

/* ---- in the child ---- */

static bool had_errors;

static int on_log(rpmlogRec record, rpmlogCallbackData data)
{
	(void)data;
	if (rpmlogRecPriority(record) <= RPMLOG_ERR)
		had_errors = true;
	return 0; /* print nothing */
}

static void send_word(FILE *to, const char *word)
{
	fprintf(to, "%.*s%c", WORD_MAX - 1, word ? word : "", '\0');
}

static void send_header(FILE *to, Header header)
{
	const char *name = headerGetString(header, RPMTAG_NAME);
	const char *version = headerGetString(header, RPMTAG_VERSION);
	const char *release = headerGetString(header, RPMTAG_RELEASE);
	KMLN_BUF struct kmln_buf full = {0};

	if (!name || !version || !release) {
		had_errors = true;
		return;
	}
	if (headerIsEntry(header, RPMTAG_EPOCH))
		kmln_buf_printf(
			&full, "%llu:", (unsigned long long)headerGetNumber(header, RPMTAG_EPOCH));
	kmln_buf_printf(&full, "%s-%s", version, release);
	fputc(PACKAGE, to);
	send_word(to, name);
	send_word(to, full.data);
	send_word(to, headerGetString(header, RPMTAG_ARCH));
}

static void read_by_librpm(FILE *to, const char *folder, const char *backend)
{
	KMLN_FREE char *kind = kmln_printf("_db_backend %s", backend);
	KMLN_BUF struct kmln_buf path = {0};
	rpmdbMatchIterator packages;
	rpmts set;

	rpmlogSetCallback(on_log, NULL);
	kmln_buf_str(&path, "_dbpath ");
	for (const char *p = folder; *p; p++)
		kmln_buf_printf(&path, *p == '%' ? "%%%%" : "%c", *p);
	rpmDefineMacro(NULL, path.data, 0);
	rpmDefineMacro(NULL, kind, 0);
	set = rpmtsCreate();
	rpmtsSetVSFlags(set, RPMVSF_MASK_NODIGESTS | RPMVSF_MASK_NOSIGNATURES | RPMVSF_NOHDRCHK);
	if (rpmtsOpenDB(set, O_RDONLY) != 0)
		had_errors = true;
	packages = had_errors ? NULL : rpmtsInitIterator(set, RPMDBI_PACKAGES, NULL, 0);
	for (Header header; (header = rpmdbNextIterator(packages));)
		send_header(to, header);
	rpmdbFreeIterator(packages);
	rpmtsFree(set);
}

static uint32_t number(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

/*
 * ndb: pages of slots of 16 bytes ("Slot", package, first block, blocks), the first two of them the
 * file's head ("RpmP", version, generation, pages); a package is "BlbS", its number, a generation,
 * the header's length, and the header, from block (of 16 bytes) on.
 */
void kmln_parse_rpm_slots(FILE *to, const unsigned char *bytes, size_t size)
{
	size_t slots;

	if (size < 4096 || memcmp(bytes, "RpmP", 4) != 0 || number(bytes + 4) != 0 ||
		number(bytes + 12) > size / 4096) {
		had_errors = true;
		return;
	}
	slots = (size_t)number(bytes + 12) * 256;
	for (size_t i = 2; i < slots; i++) {
		const unsigned char *slot = bytes + i * 16;
		uint64_t at = (uint64_t)number(slot + 8) * 16;
		uint64_t room = (uint64_t)number(slot + 12) * 16;
		Header header;

		if (memcmp(slot, "Slot", 4) == 0 && !at)
			continue;
		if (memcmp(slot, "Slot", 4) != 0 || at > size || room > size - at || room < 28 ||
			memcmp(bytes + at, "BlbS", 4) != 0 || number(bytes + at + 12) > room - 28) {
			had_errors = true;
			continue;
		}
		header = headerImport(
			(void *)(bytes + at + 16), number(bytes + at + 12), HEADERIMPORT_COPY);
		if (!header) {
			had_errors = true;
			continue;
		}
		send_header(to, header);
		headerFree(header);
	}
}

static void read_ndb(FILE *to, const char *folder)
{
	KMLN_FREE char *path = kmln_printf("%s/Packages.db", folder);
	struct kmln_error ignored;
	KMLN_FD int fd = kmln_open(path, O_RDONLY, 0, &ignored);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	void *bytes =
		size <= 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);

	rpmlogSetCallback(on_log, NULL);
	if (bytes == MAP_FAILED)
		had_errors = true;
	else
		kmln_parse_rpm_slots(to, bytes, (size_t)size);
}

static void limit(int what, uint64_t to)
{
	const struct rlimit limit = {to, to};

	setrlimit((__rlimit_resource_t)what, &limit);
}

/* Gives up all but the folder and descriptor 3, which is the pipe. */
static bool confine(const char *folder, int to)
{
	KMLN_LANDLOCK struct kmln_landlock walls = {.fd = -1};
	struct kmln_error ignored;
	int nothing = open("/dev/null", O_RDWR);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* the pipe may lie on one of the first three where they were closed */
	to = fcntl(to, F_DUPFD, 4);
	if (nothing < 0 || to < 0 || dup2(to, 3) < 0)
		return false;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(nothing, fd) < 0)
			return false;
	if (close_range(4, ~0u, 0) < 0)
		return false;
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, CPU_SECONDS);
	limit(RLIMIT_FSIZE, COPY_MAX);
	limit(RLIMIT_NOFILE, 32);
	if (!SANITIZED)
		limit(RLIMIT_AS, MEMORY_MAX);
	/* sqlite keeps a map of its log beside the database */
	return kmln_landlock_open(&walls, &ignored) == 0 &&
	       kmln_landlock_allow(&walls, folder, KMLN_ACCESS_WRITE, &ignored) == 0 &&
	       kmln_landlock_enforce(&walls, &ignored) == 0;
}

_Noreturn static void child(const char *folder, const struct kind *kind, int pipe)
{
	FILE *to;

	if (!confine(folder, pipe) || !(to = fdopen(3, "w")))
		_exit(1);
	if (kind->backend)
		read_by_librpm(to, folder, kind->backend);
	else
		read_ndb(to, folder);
	fputc(had_errors ? DAMAGED : WHOLE, to);
	_exit(fflush(to) == 0 ? 0 : 1);
}

/* ---- here ---- */

struct answer {
	struct kmln_package_list *list;
	char words[3][WORD_MAX];
	int word; /* which one comes now; -1: a letter */
	size_t used;
	int end; /* WHOLE or DAMAGED, once it came */
	bool full;
};

static void take(struct answer *answer, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size && !answer->end && !answer->full; i++) {
		char byte = bytes[i];

		if (answer->word < 0) {
			if (byte == PACKAGE)
				answer->word = 0;
			else
				answer->end = byte;
		} else if (byte) {
			if (answer->used < WORD_MAX - 1)
				answer->words[answer->word][answer->used++] = byte;
		} else {
			answer->words[answer->word][answer->used] = '\0';
			answer->used = 0;
			if (++answer->word < 3)
				continue;
			answer->word = -1;
			answer->full = !kmln_package_add(answer->list, answer->words[0],
				answer->words[1], answer->words[2], NULL);
		}
	}
}

static int left_ms(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return LIMIT_MS - (int)((now.tv_sec - start->tv_sec) * 1000 +
				  (now.tv_nsec - start->tv_nsec) / 1000000);
}

static void listen_to(int from, struct answer *answer)
{
	struct timespec start;
	char bytes[8192];

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!answer->end && !answer->full) {
		struct pollfd p = {from, POLLIN, 0};
		int left = left_ms(&start);
		ssize_t n;

		if (left <= 0)
			return;
		if (poll(&p, 1, left) <= 0)
			continue;
		n = read(from, bytes, sizeof(bytes));
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (n > 0)
			take(answer, bytes, (size_t)n);
	}
}

static int ask_child(
	const char *folder, const struct kind *kind, struct answer *answer, struct kmln_error *err)
{
	KMLN_FD int from = -1, to = -1;
	int pipes[2], status;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	from = pipes[0];
	to = pipes[1];
	pid = fork();
	if (pid < 0)
		return kmln_fail_sys(err, errno, "fork");
	if (pid == 0)
		child(folder, kind, to);
	kmln_close_cleanup(&to);
	listen_to(from, answer);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	kmln_debug("the reader of the rpm database ended with status %#x", status);
	return 0;
}

struct copy {
	int fd;
	uint64_t size;
};

static int copy_piece(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct copy *copy = data;
	int r;

	if (size > COPY_MAX - copy->size)
		return kmln_fail(err, EFBIG, "longer than %llu MiB", COPY_MAX >> 20);
	r = kmln_pwrite_all(copy->fd, bytes, size, copy->size, err);
	copy->size += size;
	return r;
}

/* `name` is one of ours, the same in the guest and in the private folder. */
static int copy_out(struct kmln_tree *tree, const char *from, const char *folder, const char *name,
	struct kmln_error *err)
{
	KMLN_FREE char *guest = kmln_printf("%s/%s", from, name);
	KMLN_FREE char *host = kmln_printf("%s/%s", folder, name);
	KMLN_BUF struct kmln_buf real = {0};
	KMLN_FD int fd = -1;
	struct copy copy = {0};
	struct kmln_stat st;
	int r = kmln_tree_resolve(tree, guest, &real, err);

	if (r == 0)
		r = kmln_tree_stat(tree, real.data, &st, err);
	if (r < 0)
		return r;
	if (!S_ISREG(st.mode))
		return kmln_fail(err, ENOENT, "%s: not a regular file", guest);
	if (st.size > COPY_MAX)
		return kmln_fail(err, EFBIG, "%s: longer than %llu MiB", guest, COPY_MAX >> 20);
	fd = kmln_open(host, O_WRONLY | O_CREAT | O_EXCL, 0600, err);
	if (fd < 0)
		return fd;
	copy.fd = fd;
	return kmln_tree_read(tree, real.data, copy_piece, &copy, err);
}

/* 1: that database is there; 0: it is not. Where it cannot be read a note says why. */
static int read_one(struct kmln_tree *tree, const char *from, const struct kind *kind,
	struct kmln_package_list *list, struct kmln_facts *facts)
{
	KMLN_PRIVATE struct kmln_private folder = {0};
	KMLN_FREE char *path = kmln_printf("%s/%s", from, kind->file);
	KMLN_BUF struct kmln_buf real = {0};
	struct answer answer = {.list = list, .word = -1};
	struct kmln_error err;
	struct kmln_stat st;
	int r;

	if (kmln_tree_resolve(tree, path, &real, &err) < 0 ||
		kmln_tree_stat(tree, real.data, &st, &err) < 0 || !S_ISREG(st.mode))
		return 0;
	r = kmln_private_open(&folder, &err);
	if (r == 0)
		r = copy_out(tree, from, folder.path, kind->file, &err);
	if (r == 0 && kind->log) {
		struct kmln_error missing;

		r = copy_out(tree, from, folder.path, kind->log, &missing);
		if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
			r = 0;
		else if (r < 0)
			err = missing;
	}
	if (r == 0)
		r = ask_child(folder.path, kind, &answer, &err);
	if (r < 0)
		kmln_note_fact(facts, "the rpm database cannot be read: %s", err.text);
	else if (answer.end != WHOLE && !answer.full)
		kmln_note_fact(facts,
			"the rpm database %s/%s is damaged: not all packages could be read", from,
			kind->file);
	return 1;
}

int kmln_inspect_rpm(struct kmln_tree *tree, struct kmln_package_list *list, struct kmln_error *err)
{
	static const char *const places[] = {"/usr/lib/sysimage/rpm", "/var/lib/rpm"};
	int found = 0;

	(void)err;
	for (size_t p = 0; !found && p < KMLN_COUNT(places); p++)
		for (size_t k = 0; !found && k < KMLN_COUNT(kinds); k++)
			found = read_one(
				tree, places[p], &kinds[k], list, kmln_package_facts(list));
	return found;
}
