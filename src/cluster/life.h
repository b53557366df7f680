/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a project that is built: in which order its nodes start, who waits for whom, starting
 * and stopping them, and what can be said of them. Nodes are started by their scripts alone, and
 * who lives is asked of the kernel and of the nodes themselves, never remembered: so all of this is
 * true and works after any process was killed.
 *
 * Nothing here prints. The commands (cli/life.h) show what kmln_life_tell is told.
 */
#ifndef KMLN_CLUSTER_LIFE_H
#define KMLN_CLUSTER_LIFE_H

#include <sys/types.h>

#include "cluster/store.h"
#include "project/model.h"
#include "text/json.h"

/* How it went with a node, in a command that starts or stops. */
enum kmln_outcome {
	KMLN_OUTCOME_NONE, /* nothing was to be done with it */
	KMLN_OUTCOME_READY,
	KMLN_OUTCOME_LATE, /* it runs, but was not ready in time */
	KMLN_OUTCOME_FAILED, /* it could not be started, or ended */
	KMLN_OUTCOME_LEFT, /* it was not started: what it needs is not ready */
	KMLN_OUTCOME_SHUT, /* it was stopped: by its guest itself */
	KMLN_OUTCOME_CUT, /* it was stopped: at once */
};

struct kmln_life_node {
	enum kmln_role role;
	const char *name; /* as its role has it: "a", "lan", "a.eth0" */
	const char *node; /* "host-a" */
	const struct kmln_host *host; /* NULL: it is none, or the model does not have it */
	const char *folder; /* under runtime/P/nodes/ */
	const char *script; /* that starts it */
	unsigned stage; /* nodes of one stage start together, 0 first */
	size_t *needs; /* places of those that must be ready before; all of earlier stages */
	size_t need_count;
	bool known; /* the model has it; else it is only found running, or has run */
	bool wanted; /* the command is about it */
	bool started; /* by this command: its script was executed */
	bool ran; /* and its program ran: its log is of this time, but for what it had before */
	off_t log_before; /* bytes of that */
	enum kmln_outcome outcome;
	int code; /* FAILED: of its cause */
	const char *why; /* where it is not as wanted: for people */
};

/* The stages of what stands between hosts; theirs follow. */
enum { KMLN_STAGE_SWITCHES, KMLN_STAGE_CABLES, KMLN_STAGE_HOSTS };

/* What a command is told while nodes start and stop. */
struct kmln_life_tell {
	void *data;
	/* A node has reached its outcome. */
	void (*settled)(void *data, const struct kmln_life_node *node);
	/*
	 * About once a second while something is waited for: for `node` for so many seconds, since
	 * `what` ("its agent to answer", NULL: unknown); `line` is the last of its console, or
	 * NULL. `left` more are waited for. With node NULL nothing is waited for any more.
	 */
	void (*waits)(void *data, const struct kmln_life_node *node, unsigned seconds,
		const char *what, const char *line, size_t left);
	/* A hook is about to run. */
	void (*hook)(void *data, const char *name);
};

struct kmln_life {
	struct kmln_pool *pool; /* borrowed */
	const struct kmln_store *store;
	const struct kmln_model *model; /* NULL: nobody knows any more */
	const char *place; /* the folder in which hooks run */
	struct kmln_life_tell tell;
	struct kmln_life_node *nodes; /* by stage, and in file order */
	size_t count;
	unsigned stages;
	int signals; /* readable when the user wants no more waiting (a signalfd); -1: never */
};

/* ---- life-order.c ---- */

/*
 * The nodes of a model in their order; pure. `model` NULL: none. Of a name in several roles each is
 * a node of its own.
 */
void kmln_life_order(struct kmln_life *life);
/* Adds the nodes that have a folder but no place in the model: they stop first. */
int kmln_life_add_found(struct kmln_life *life, struct kmln_error *err);
/*
 * Marks the hosts of these names (a name of counted hosts means all of them), or with none all
 * nodes. `with_cables`: also what they are plugged into. KMLN_EUSAGE for a name that is no host.
 */
int kmln_life_want(struct kmln_life *life, char *const *names, size_t count, bool with_cables,
	struct kmln_error *err);
/*
 * Marks what must stop when this node does and cannot be mended while it runs: cables and hosts
 * whose cards would hang on a switch that is gone.
 */
void kmln_life_hanging(const struct kmln_life *life, size_t node, bool *marks);

/* ---- life-start.c ---- */

struct kmln_life_start {
	unsigned jobs; /* that start at once; 0: all of a stage */
	unsigned timeout; /* seconds that each may take to be ready */
	bool hooks;
};
/*
 * Starts the wanted nodes that do not run, stage by stage, each when the former is ready, and waits
 * for those that run but are not ready. KMLN_ENO where one was not ready in time, the cause's code
 * where one failed; the others are started all the same, but for those that need it. EINTR where
 * the user has seen enough: all goes on running.
 */
int kmln_life_start(
	struct kmln_life *life, const struct kmln_life_start *wish, struct kmln_error *err);

/* ---- life-stop.c ---- */

struct kmln_life_stop {
	unsigned timeout; /* seconds for a guest to shut down */
	bool now; /* nobody is asked */
	bool hooks;
};
/*
 * Ends the wanted nodes in reverse order, hosts of a stage all at once: by the guest itself where
 * it answers in time, else at once; where even its keeper does not answer, that one is killed.
 * Nothing of such a node is left.
 */
int kmln_life_stop(
	struct kmln_life *life, const struct kmln_life_stop *wish, struct kmln_error *err);
/* Takes the runtime folder away, which nothing may use any more: EBUSY where a node lives. */
int kmln_life_clear(struct kmln_life *life, struct kmln_error *err);

/* ---- life-hooks.c ---- */

/*
 * Runs the project's own lines for this place, unless that was done since it was last stopped whole
 * (runtime/P/hooks remembers). One shell runs all lines of a hook; its first line that fails ends
 * it. EIO where it fails.
 */
int kmln_life_hook(struct kmln_life *life, enum kmln_hook hook, struct kmln_error *err);
/* True where any hook was run since the project was last stopped whole. */
bool kmln_life_hooked(const struct kmln_life *life);

/* ---- life-status.c ---- */

/* What a node says of itself; texts are owned, NULL where they are not known. */
struct kmln_life_status {
	bool ready, ending;
	char *waits_for, *agent, *last_line;
	int64_t pid, up_ms, memory, cpu_ms, restarts; /* of the program; memory in bytes */
};
void kmln_life_status_fini(struct kmln_life_status *status);
/* Out of the object that docs/life.md describes; what was there before is freed. */
void kmln_life_status_take(struct kmln_life_status *status, const struct kmln_json *object);

/* How a node that does not run came to its end; text is the pool's. */
struct kmln_life_end {
	bool failed;
	const char *why, *last_line; /* or NULL */
};
/* False where nothing is known: it never ran, or was stopped with the whole project. */
bool kmln_life_end_read(struct kmln_pool *pool, const char *folder, struct kmln_life_end *end);

enum kmln_life_state {
	KMLN_STATE_NOT_BUILT,
	KMLN_STATE_STOPPED,
	KMLN_STATE_STARTING, /* it runs, and is not ready */
	KMLN_STATE_READY,
	KMLN_STATE_STOPPING,
	KMLN_STATE_FAILED,
	KMLN_STATE_SILENT, /* its keeper lives, but does not answer */
};
const char *kmln_life_state_name(enum kmln_life_state state);

struct kmln_life_view {
	const struct kmln_life_node *node;
	enum kmln_life_state state;
	const char *why; /* STARTING: what it waits for; FAILED: the cause; or NULL */
	const char *platform, *platform_why; /* of hosts that are built */
	struct kmln_life_status status; /* of those that run */
	/* It runs, but a switch that it was plugged into ended since: its card leads nowhere. Why,
	 * for people; NULL: all is well, as far as the wanted nodes say. */
	const char *loose;
	struct kmln_strv addresses; /* as the guest has them, "eth0 10.0.0.1/24"; else as planned */
};
/*
 * Looks at the wanted nodes: *views, one for each, the caller's to free with
 * kmln_life_views_free(). None is waited for longer than `limit_ms`.
 */
int kmln_life_look(struct kmln_life *life, unsigned limit_ms, struct kmln_life_view **views,
	size_t *count, struct kmln_error *err);
void kmln_life_views_free(struct kmln_life_view *views, size_t count);

#endif
