#include "role/keeper.h"

#include "os/file.h"
#include "os/pass.h"
#include "os/proc.h"
#include "os/secret.h"
#include "os/sock.h"
#include "role/log.h"
#include "role/signing.h"
#include "wire/crypto.h"
#include "wire/private_key.h"

struct edge {
	struct loop_item item;   /* first member: events find the edge by it */
	unsigned number;         /* the worker's; CONF_WORKERS_MAX: the broker's */
	int64_t second;          /* of the monotonic clock */
	unsigned signs;          /* in that second */
};

struct keeper {
	struct edge edges[KEEPER_EDGES]; /* by number */
};

/* What nobody else may see. */
struct secret {
	char text[PRIVATE_KEY_TEXT_MAX + 1];
	_Alignas(64) char bench[8192];
	struct private_key keys[];
};

static struct keeper *keeper;
static struct secret *secret;
static const struct material *material;
static struct entry *self;
static enum phase phase = PHASE_STARTING;
static unsigned signs_a_second;
static struct metrics *metrics;

size_t keeper_need(void) { return sizeof(struct keeper); }

size_t keeper_secret_need(const struct material *m)
{
	return sizeof(struct secret) + m->nkeys * sizeof secret->keys[0];
}

/* How many descriptors it may hold open besides its key files, its channel, its loop and the three standard ones. */
static unsigned keeper_files(const struct conf *c)
{
	/* The edge of a worker that is started again comes before the old one is closed. */
	return 2 * (c->workers + 1) + 2;
}

/* ---- edges ---- */

static void name_edge(struct buf *b, const struct edge *e)
{
	if (e->number == CONF_WORKERS_MAX) {
		BUF_LIT(b, "the broker");
		return;
	}
	BUF_LIT(b, "worker ");
	buf_u64(b, e->number);
}

static void end_edge(struct edge *e)
{
	loop_forget(&self->loop, &e->item);
	sock_close(e->item.fd);
	e->item.fd = -1;
}

static void refuse(struct edge *e, const char *why)
{
	struct buf *b = log_begin(LOG_ERROR);

	metrics_add(metrics, METRIC_SIGNATURES_REFUSED, 1);
	name_edge(b, e);
	BUF_LIT(b, " asked ");
	buf_put(b, span_z(why));
	BUF_LIT(b, ": it gets no signatures any more");
	log_end();
	end_edge(e);
}

static bool too_often(struct edge *e)
{
	int64_t second = self->loop.now_ms / 1000;

	if (second != e->second) {
		e->second = second;
		e->signs = 0;
	}
	if (e->signs == signs_a_second) {
		struct buf *b = log_begin(LOG_WARN);

		name_edge(b, e);
		BUF_LIT(b, " asked for more signatures than there are in a second");
		log_end();
	}
	return e->signs++ >= signs_a_second;
}

/* One question a time and edge, so that each gets its turn. */
static void on_edge(struct loop_item *item, unsigned events)
{
	struct edge *e = (struct edge *)item;
	struct msg_signed answer = { .type = MSG_SIGNED };
	struct msg_sign m;
	const char *why;
	int fd;
	long n = pass_take(item->fd, &m, sizeof m, &fd);

	(void)events;
	if (n == PASS_NONE)
		return;
	if (n == PASS_END) {
		end_edge(e);
		return;
	}
	why = signing_wrong(&m, n, material->nkeys);
	if (fd >= 0) {
		sock_close(fd);
		why = "with a descriptor";
	}
	if (!why && material->keys[m.key].of_broker != (e->number == CONF_WORKERS_MAX))
		why = "for a key of others";
	if (why) {
		refuse(e, why);
		return;
	}
	answer.serial = m.serial;
	if (!too_often(e))
		answer.n = (uint32_t)private_key_sign(&secret->keys[m.key], (enum tls_hash)m.hash, span_of((const char *)m.digest, m.n),
			answer.signature);
	metrics_add(metrics, answer.n > 0 ? METRIC_SIGNATURES_MADE : METRIC_SIGNATURES_NONE, 1);
	if (!pass_answer(item->fd, &answer, sizeof answer))
		end_edge(e);
}

static void link_edge(const struct msg_link *l, int fd)
{
	unsigned number = l->of == ROLE_BROKER ? CONF_WORKERS_MAX : l->peer;
	struct edge *e = &keeper->edges[number < KEEPER_EDGES ? number : 0];

	if (!(l->of == ROLE_BROKER && l->peer == 0) && !(l->of == ROLE_WORKER && l->peer < CONF_WORKERS_MAX))
		role_end("a link to a role that asks for no signatures");
	if (e->item.fd >= 0)
		end_edge(e);
	*e = (struct edge){ { on_edge, fd }, number, 0, 0 };
	/* Level-triggered: one packet an event, whatever else waits. */
	if (!loop_add_level(&self->loop, &e->item)) {
		sock_close(fd);
		e->item.fd = -1;
	}
}

/* ---- keys ---- */

static _Noreturn void wrong_key(const struct conf *c, const struct material_key *k, struct span what, bool foreign)
{
	struct buf *b = log_begin(LOG_ERROR);
	char mem[FILE_PATH_MAX];
	struct buf path = buf_on(mem, sizeof mem);
	const char *why;

	material_place(b, c, k->file);
	buf_put(b, what);
	if (foreign) {
		BUF_LIT(b, " in ");
		material_path(&path, c, k->cert, &why);
		buf_put(b, buf_span(&path));
	}
	log_end();
	proc_exit(ENTRY_EXIT_WALLS);
}

static void read_keys(const struct conf *c)
{
	for (unsigned i = 0; i < material->nkeys; i++) {
		const struct material_key *from = &material->keys[i];
		long n = file_from_start(from->fd, secret->text, sizeof secret->text);
		enum private_key_error e;

		if (n < 0)
			wrong_key(c, from, SPAN("cannot be read"), false);
		if (n == (long)sizeof secret->text)
			wrong_key(c, from, SPAN("it is larger than a private key can be"), false);
		e = private_key_read(&secret->keys[i], secret->bench, span_of(secret->text, (size_t)n));
		crypto_wipe(secret->text, sizeof secret->text);
		if (e == PRIVATE_KEY_OK)
			e = private_key_of(&secret->keys[i], from->leaf);
		if (e != PRIVATE_KEY_OK)
			wrong_key(c, from, private_key_error_text(e), e == PRIVATE_KEY_FOREIGN);
		sock_close(from->fd);
	}
}

/* ---- the role ---- */

static void handle(const union msg *m, int fd)
{
	switch (m->type) {
	case MSG_START:
		phase = PHASE_SERVING;
		role_ready(self);
		break;
	case MSG_LINK:
		link_edge(&m->link, fd);
		break;
	case MSG_DRAIN: /* those who ask are gone */
		proc_exit(0);
	}
}

void keeper_run(struct keeper_start *k)
{
	struct entry *e = k->entry;
	bool hidden;

	log_name(e->name);
	secret = secret_map(keeper_secret_need(k->material), &hidden);
	if (!secret || private_key_bench() > sizeof secret->bench) {
		log_line(LOG_ERROR, SPAN("no memory for private keys"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	secret_stack();
	if (!hidden)
		e->missing |= JAIL_NO_SECRET_MEMORY;
	for (unsigned i = 0; i < k->material->nkeys; i++)
		e->keep[e->nkeep++] = &k->material->keys[i].fd;
	e->list = &seccomp_keeper;
	e->need = keeper_need();
	e->files = keeper_files(k->conf);
	role_enter(e);

	self = e;
	material = k->material;
	metrics = k->metrics;
	signs_a_second = k->signs_a_second ? k->signs_a_second : KEEPER_SIGNS_A_SECOND;
	keeper = e->memory;
	for (unsigned i = 0; i < KEEPER_EDGES; i++)
		keeper->edges[i].item.fd = -1;
	read_keys(k->conf);
	if (!role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot watch its channel"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(&e->loop, -1))
		;
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
