#include "elder/elder_priv.h"

#include "base/carve.h"

enum { SLOW_SWEEP_MS = 2000 };

struct sizes {
	uint32_t questions, buckets;
	size_t owners, sessions, posts, calls, question, bucket, store, table, text, out, body;
};

static struct sizes sizes(const struct elder_settings *s)
{
	struct sizes z = { .questions = 2 * s->calls + 3 * s->sessions, .buckets = s->sessions };

	z.owners = carve_up(slots_need(sizeof(struct owner), s->sessions));
	z.sessions = carve_up(slots_need(sizeof(struct session), s->sessions));
	z.posts = carve_up(slots_need(sizeof(struct post), s->calls));
	z.calls = carve_up(slots_need(sizeof(struct call), s->calls));
	z.question = carve_up(z.questions * sizeof(struct question));
	z.bucket = carve_up(z.buckets * (sizeof(struct session *) + sizeof(struct owner *)));
	z.store = carve_up(store_need(s->kept));
	z.table = carve_up(json_table_need(s->tokens));
	z.text = carve_up(s->reply_max + ELDER_GROWTH + 4096); /* nothing longer is kept */
	z.out = carve_up((s->reply_max > s->body_max ? s->reply_max : s->body_max) + 65536);
	z.body = carve_up(s->body_max + 4096);
	return z;
}

void elder_budget(const struct elder_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to)
{
	struct sizes z = sizes(s);

	row(to, SPAN("sessions"), slots_each(sizeof(struct session)) + slots_each(sizeof(struct owner)), s->sessions);
	row(to, SPAN("requests"), slots_each(sizeof(struct call)) + slots_each(sizeof(struct post)), s->calls);
	row(to, SPAN("questions"), sizeof(struct question), z.questions);
	row(to, SPAN("what waits or is kept"), store_need(s->kept), 1);
	row(to, SPAN("JSON tokens"), json_table_need(s->tokens), 2);
	row(to, SPAN("scratch"), z.text + z.out + z.body, 1);
}

size_t elder_need(const struct elder_settings *s)
{
	struct sizes z = sizes(s);

	return carve_up(sizeof(struct elder)) + z.owners + z.sessions + z.posts + z.calls + z.question + z.bucket + z.store + 2 * z.table + z.text + z.out + z.body;
}

struct elder *elder_place(void *mem, const struct elder_settings *s)
{
	struct sizes z = sizes(s);
	struct elder *e = mem;
	char *at = (char *)mem + carve_up(sizeof *e);

	e->set = s;
	slots_place(&e->owners, at, sizeof(struct owner), s->sessions);
	at += z.owners;
	slots_place(&e->sessions, at, sizeof(struct session), s->sessions);
	at += z.sessions;
	slots_place(&e->posts, at, sizeof(struct post), s->calls);
	at += z.posts;
	slots_place(&e->calls, at, sizeof(struct call), s->calls);
	at += z.calls;
	e->questions = (struct question *)(void *)at;
	e->nquestions = z.questions;
	for (uint32_t i = 0; i < z.questions; i++)
		e->questions[i].next_free = i + 1 < z.questions ? i + 1 : UINT32_MAX;
	at += z.question;
	e->buckets = (struct session **)(void *)at;
	e->nbuckets = z.buckets;
	e->owner_buckets = (struct owner **)(void *)(at + z.buckets * sizeof(struct session *));
	at += z.bucket;
	store_place(&e->store, at, s->kept, s->kept_each);
	at += z.store;
	e->table = json_table_place(at, s->tokens, s->seed);
	at += z.table;
	e->own_table = json_table_place(at, s->tokens, s->seed);
	at += z.table;
	e->text = at;
	e->text_cap = z.text;
	at += z.text;
	e->out = at;
	e->out_cap = z.out;
	e->answer_cap = s->reply_max + ELDER_GROWTH;
	at += z.out;
	e->body = at;
	e->body_cap = z.body;
	list_init(&e->recent);
	crypto_drbg_start(&e->random, s->entropy, sizeof s->entropy);
	return e;
}

uint32_t elder_sessions(const struct elder *e) { return e->sessions.used; }
uint32_t elder_calls(const struct elder *e) { return e->calls.used; }

void elder_worker_joined(struct elder *e, unsigned worker)
{
	if (worker < ELDER_WORKERS)
		e->up[worker] = true;
}

static void post_lost(struct post *p) { p->attached = false; }

static void get_lost(struct session *s, int64_t now_ms)
{
	s->get.attached = false;
	s->get.gone_ms = now_ms;
}

void elder_worker_lost(struct elder *e, unsigned worker, int64_t now_ms)
{
	if (worker < ELDER_WORKERS)
		e->up[worker] = false;
	for (struct list *n = e->recent.next; n != &e->recent; n = n->next) {
		struct session *s = LIST_OWNER(n, struct session, node);

		if (s->get.attached && s->get.worker == worker)
			get_lost(s, now_ms);
		for (struct list *x = s->posts.next; x != &s->posts; x = x->next)
			if (LIST_OWNER(x, struct post, node)->worker == worker)
				post_lost(LIST_OWNER(x, struct post, node));
	}
}

void elder_client_gone(struct elder *e, unsigned worker, uint64_t call, int64_t now_ms)
{
	for (struct list *n = e->recent.next; n != &e->recent; n = n->next) {
		struct session *s = LIST_OWNER(n, struct session, node);

		if (s->get.attached && s->get.worker == worker && s->get.http == call) {
			get_lost(s, now_ms);
			return;
		}
		for (struct list *x = s->posts.next; x != &s->posts; x = x->next) {
			struct post *p = LIST_OWNER(x, struct post, node);

			if (p->attached && p->worker == worker && p->http == call) {
				post_lost(p);
				return;
			}
		}
	}
}

void elder_lacks(struct elder *e, uint64_t number, uint64_t scopes)
{
	struct question *q = question_find(e, number);

	if (q)
		q->scopes = scopes;
}

void elder_message(struct elder *e, uint64_t number, struct span json, int64_t now_ms)
{
	struct question *q = question_find(e, number);

	if (q && q->call)
		elder_call_message(e, q->call, json, now_ms);
	else if (q && q->session)
		listening_message(e, q->session, number, json, now_ms);
}

void elder_over(struct elder *e, uint64_t number, struct span why, int64_t now_ms)
{
	struct question *q = question_find(e, number);
	struct call *c;
	struct session *s;
	uint64_t scopes;

	if (!q)
		return;
	c = q->call;
	s = q->session;
	scopes = q->scopes;
	question_free(e, q);
	if (c)
		elder_call_over(e, c, why);
	else if (s)
		listening_over(e, s, number, scopes, now_ms);
}

int elder_tick(struct elder *e, int64_t now_ms)
{
	if (now_ms >= e->sweep_ms) {
		session_sweep(e, now_ms);
		e->sweep_ms = now_ms + ELDER_SWEEP_MS;
	}
	return e->sessions.used == 0 ? -1 : e->calls.used > 0 ? (int)(e->sweep_ms - now_ms) : SLOW_SWEEP_MS;
}
