#include "elder/elder_priv.h"

#include "base/text.h"

/* Its bytes are random, so any of them are a hash. */
static struct session **bucket(struct elder *e, const uint8_t id[ELDER_ID])
{
	return &e->buckets[text_le((const char *)id, 4) % e->nbuckets];
}

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void spell(const uint8_t id[ELDER_ID], char text[ELDER_ID_TEXT])
{
	for (unsigned i = 0; i < ELDER_ID / 3; i++) {
		uint32_t v = (uint32_t)id[3 * i] << 16 | (uint32_t)id[3 * i + 1] << 8 | id[3 * i + 2];

		for (unsigned k = 0; k < 4; k++)
			text[4 * i + k] = letters[v >> (18 - 6 * k) & 63];
	}
}

static bool unspell(struct span text, uint8_t id[ELDER_ID])
{
	if (text.n != ELDER_ID_TEXT)
		return false;
	for (unsigned i = 0; i < ELDER_ID / 3; i++) {
		uint32_t v = 0;

		for (unsigned k = 0; k < 4; k++) {
			const char *at = memchr(letters, text.p[4 * i + k], 64);

			if (!at)
				return false;
			v = v << 6 | (uint32_t)(at - letters);
		}
		id[3 * i] = (uint8_t)(v >> 16);
		id[3 * i + 1] = (uint8_t)(v >> 8);
		id[3 * i + 2] = (uint8_t)v;
	}
	return true;
}

struct session *session_find(struct elder *e, struct span id, const uint8_t *principal)
{
	uint8_t raw[ELDER_ID];

	if (span_absent(id) || !unspell(id, raw))
		return NULL;
	for (struct session *s = *bucket(e, raw); s; s = s->next)
		if (crypto_equal(s->id, raw, ELDER_ID)) /* another's is as good as none */
			return crypto_equal(s->owner->principal, principal, ELDER_PRINCIPAL_N) && !s->opening ? s : NULL;
	return NULL;
}

bool session_busy(const struct session *s)
{
	return s->get.attached || !list_empty(&s->posts) || !list_empty(&s->calls);
}

/* Room for one more of this caller: its own longest unused one gives way if it has as many as it may. If all are taken, one that has been silent for
 * long does, or one of who has most, if that is more than this one will have, or its own. */
static bool make_room(struct elder *e, const uint8_t *principal, int64_t now_ms)
{
	struct owner *o = owner_find(e, principal);
	struct session *own = NULL, *any = NULL, *most = NULL;
	uint32_t n = o ? o->sessions : 0;

	if (n < e->set->sessions_each && e->sessions.used < e->sessions.count)
		return true;
	for (struct list *x = e->recent.next; x != &e->recent; x = x->next) {
		struct session *s = LIST_OWNER(x, struct session, node);

		if (session_busy(s))
			continue;
		if (!own && s->owner == o)
			own = s;
		if (!any && now_ms - s->used_ms >= ELDER_BUSY_MS)
			any = s;
		if (s->owner->sessions > (most ? most->owner->sessions : n + 1))
			most = s;
	}
	if (n < e->set->sessions_each)
		own = any ? any : most ? most : own;
	if (own)
		session_end(e, own);
	return own != NULL;
}

struct session *session_new(struct elder *e, const uint8_t *principal, int64_t now_ms)
{
	struct session *s = make_room(e, principal, now_ms) ? slots_take(&e->sessions) : NULL;
	struct session **at;

	if (!s)
		return NULL;
	memset(s, 0, sizeof *s);
	list_init(&s->node);
	list_init(&s->posts);
	list_init(&s->calls);
	store_log_start(&s->log);
	crypto_drbg_take(&e->random, s->id, sizeof s->id);
	spell(s->id, s->id_text);
	s->owner = owner_join(e, principal);
	s->opening = true;
	at = bucket(e, s->id);
	s->next = *at;
	*at = s;
	session_touch(e, s, now_ms);
	return s;
}

void session_touch(struct elder *e, struct session *s, int64_t now_ms)
{
	s->used_ms = now_ms;
	list_append(&e->recent, &s->node);
}

void session_end(struct elder *e, struct session *s)
{
	struct session **at = bucket(e, s->id);

	while (!list_empty(&s->calls))
		elder_call_free(e, LIST_OWNER(s->calls.next, struct call, node));
	while (!list_empty(&s->posts))
		post_cut(e, LIST_OWNER(s->posts.next, struct post, node), 404);
	get_detach(e, s);
	question_drop(e, s->listen);
	question_drop(e, s->listen_next);
	for (unsigned i = 0; i < s->nuris; i++)
		owner_drop(e, s->owner, &s->uris[i]);
	store_log_drop(&e->store, &s->log);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	list_remove(&s->node);
	owner_leave(e, s->owner);
	crypto_wipe(s->identity, sizeof s->identity);
	slots_give(&e->sessions, s);
}

void session_sweep(struct elder *e, int64_t now_ms)
{
	for (struct list *x = e->recent.next, *next; x != &e->recent; x = next) {
		struct session *s = LIST_OWNER(x, struct session, node);

		next = x->next;
		for (struct list *c = s->calls.next, *after; c != &s->calls; c = after) {
			after = c->next;
			elder_call_due(e, LIST_OWNER(c, struct call, node), now_ms);
			if (s->calls.next == &s->calls)
				break;
		}
		listening_sweep(e, s, now_ms);
		if (session_busy(s)) /* its place among the others stays: they are only longer there */
			s->used_ms = now_ms;
		else if (s->opening /* its initialize has failed */ || now_ms - s->used_ms >= e->set->idle_ms)
			session_end(e, s);
	}
}
