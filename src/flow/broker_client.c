#include "flow/broker_client.h"

#include "base/carve.h"
#include "base/list.h"
#include "base/slots.h"
#include "os/pass.h"
#include "os/sock.h"
#include "wire/crypto.h"

enum {
	BATCH = 64,                  /* messages taken in one turn */
	VALID_S_MAX = 86400 + 60     /* no key set may be used for longer without a further word */
};

enum call_kind { CALL_INTROSPECT, CALL_TOKEN, CALL_KINDS };

/* A call that the broker owes an answer. Its tag in messages is slot and generation, so that an answer to another one is seen. */
struct call {
	struct list node;            /* in `waiting`, `over`, or none: flow has had its answer */
	uint64_t call;               /* flow's */
	int64_t until_ms;
	uint32_t generation;
	uint8_t kind;
	bool used, given;
};

struct broker_client {
	struct loop_item edge;       /* first: the loop hands it back; fd -1: none */
	const struct flow_settings *set;
	struct loop *loop;
	struct flow *flow;           /* NULL: `credential` hears of what came */
	void (*credential)(void *ctx, uint64_t call, struct span line);
	void *ctx;
	bool readable, writable;
	struct slots calls;
	struct list waiting;         /* oldest first: all wait equally long */
	struct list over;            /* lost with their edge: answered in the next turn */
	uint32_t open[CALL_KINDS];
	uint32_t generation;
	struct { bool asked, over; int64_t asked_ms, until_ms; } keys[AUTH_ISSUERS_MAX]; /* until_ms 0: there is no set from the broker */
	char *queue;                 /* [from, n): messages the socket did not take, each behind its length */
	size_t from, n;
	union broker_packet *in, *out; /* what has come, what is being said: flow may ask while it is being answered */
};

/* ---- memory ---- */

uint32_t broker_client_asks(const struct flow_settings *s)
{
	uint64_t most = s->requests + (uint64_t)s->listens * s->nservers + s->nservers;

	return most < BROKER_CLIENT_ASKS_MAX ? (uint32_t)most : BROKER_CLIENT_ASKS_MAX;
}

void broker_client_budget(const struct flow_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to)
{
	row(to, SPAN("edge to the broker"), slots_each(sizeof(struct broker_client)), 1);
	row(to, SPAN("questions to the broker"), slots_each(sizeof(struct call)), (uint64_t)broker_client_asks(s) * CALL_KINDS);
	row(to, SPAN("messages for the broker"), BROKER_CLIENT_QUEUE, 1);
	row(to, SPAN("message at hand"), slots_each(sizeof(union broker_packet)), 2);
}

size_t broker_client_need(const struct flow_settings *s)
{
	size_t total = 0;

	broker_client_budget(s, carve_sum, &total);
	return total;
}

struct broker_client *broker_client_place(void *mem, const struct flow_settings *s, struct loop *loop)
{
	char *at = mem;
	struct broker_client *c = carve(&at, slots_each(sizeof(struct broker_client)), 1);
	uint32_t calls = broker_client_asks(s) * CALL_KINDS;

	c->edge.fd = -1;
	c->set = s;
	c->loop = loop;
	slots_place(&c->calls, carve(&at, slots_each(sizeof(struct call)), calls), sizeof(struct call), calls);
	c->queue = carve(&at, BROKER_CLIENT_QUEUE, 1);
	c->in = carve(&at, slots_each(sizeof(union broker_packet)), 2);
	c->out = (union broker_packet *)(void *)((char *)c->in + slots_each(sizeof(union broker_packet)));
	list_init(&c->waiting);
	list_init(&c->over);
	return c;
}

void broker_client_serve(struct broker_client *c, struct flow *flow) { c->flow = flow; }

void broker_client_serve_other(struct broker_client *c, void (*credential)(void *ctx, uint64_t call, struct span line), void *ctx)
{
	c->credential = credential;
	c->ctx = ctx;
}

/* ---- the edge ---- */

static void on_edge(struct loop_item *item, unsigned events)
{
	struct broker_client *c = (struct broker_client *)(void *)item;

	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		c->readable = true;
	if (events & LOOP_WRITE)
		c->writable = true;
}

static void free_call(struct broker_client *c, struct call *k)
{
	list_remove(&k->node);
	k->used = false;
	slots_give(&c->calls, k);
}

/* What waits is over; the next turn says so to flow. */
static void hang_up(struct broker_client *c)
{
	if (c->edge.fd < 0)
		return;
	loop_forget(c->loop, &c->edge);
	sock_close(c->edge.fd);
	c->edge.fd = -1;
	c->readable = c->writable = false;
	crypto_wipe(c->queue + c->from, c->n - c->from);
	c->from = c->n = 0;
	for (uint32_t i = 0; i < c->calls.fresh; i++) {
		struct call *k = slots_at(&c->calls, i);

		if (k->used && k->given)
			free_call(c, k);
	}
	while (!list_empty(&c->waiting))
		list_append(&c->over, c->waiting.next);
	memset(c->open, 0, sizeof c->open);
	for (unsigned i = 0; i < AUTH_ISSUERS_MAX; i++) {
		c->keys[i].over = c->keys[i].over || c->keys[i].asked;
		c->keys[i].asked = false;
	}
}

void broker_client_link(struct broker_client *c, int fd)
{
	hang_up(c);
	c->edge = (struct loop_item){ on_edge, fd };
	c->readable = true;
	if (!loop_add(c->loop, &c->edge)) {
		sock_close(fd);
		c->edge = (struct loop_item){ NULL, -1 };
	}
}

static bool put_off(struct broker_client *c, const union broker_packet *m, uint32_t size)
{
	if (BROKER_CLIENT_QUEUE - (c->n - c->from) < sizeof size + size)
		return false;
	if (BROKER_CLIENT_QUEUE - c->n < sizeof size + size) {
		size_t n = c->n - c->from;

		memmove(c->queue, c->queue + c->from, n);
		crypto_wipe(c->queue + n, c->n - n);
		c->from = 0;
		c->n = n;
	}
	memcpy(c->queue + c->n, &size, sizeof size);
	memcpy(c->queue + c->n + sizeof size, m, size);
	c->n += sizeof size + size;
	return true;
}

/* Sends what was put off as far as it goes. */
static void send_queue(struct broker_client *c)
{
	while (c->from < c->n && c->writable) {
		uint32_t size;

		memcpy(&size, c->queue + c->from, sizeof size);
		if (!pass_send(c->edge.fd, c->queue + c->from + sizeof size, size, -1)) {
			c->writable = false; /* full, or gone: then the reading side hears of it */
			return;
		}
		crypto_wipe(c->queue + c->from, sizeof size + size);
		c->from += sizeof size + size;
	}
	if (c->from == c->n)
		c->from = c->n = 0;
}

/* c->out, now or behind what waits already; wiped. */
static bool say(struct broker_client *c)
{
	uint32_t size = (uint32_t)broker_msg_size(c->out);
	bool sent = c->edge.fd >= 0 && c->from == c->n && pass_send(c->edge.fd, c->out, size, -1);

	if (!sent && c->edge.fd >= 0) {
		if (c->from == c->n)
			c->writable = false;
		sent = put_off(c, c->out, size);
	}
	crypto_wipe(c->out, size);
	return sent;
}

/* ---- asking ---- */

bool broker_client_ask_keys(struct broker_client *c, unsigned issuer)
{
	if (c->edge.fd < 0 || issuer >= AUTH_ISSUERS_MAX)
		return false;
	if (c->keys[issuer].asked) /* the answer is for everybody who waits for it */
		return true;
	c->out->ask_keys = (struct broker_ask_keys){ BROKER_ASK_KEYS, issuer };
	if (!say(c))
		return false;
	c->keys[issuer].asked = true;
	c->keys[issuer].asked_ms = c->loop->now_ms;
	return true;
}

/* NULL: too many are open, or there is no broker. */
static struct call *open_call(struct broker_client *c, enum call_kind kind, uint64_t call)
{
	struct call *k = NULL;

	if (c->edge.fd >= 0 && c->open[kind] < broker_client_asks(c->set))
		k = slots_take(&c->calls);
	if (!k)
		return NULL;
	*k = (struct call){ .call = call, .until_ms = c->loop->now_ms + BROKER_CLIENT_MS, .generation = ++c->generation, .kind = (uint8_t)kind, .used = true };
	list_init(&k->node);
	list_append(&c->waiting, &k->node);
	c->open[kind]++;
	return k;
}

static uint64_t tag_of(struct broker_client *c, const struct call *k) { return (uint64_t)k->generation << 32 | slots_index(&c->calls, k); }

static bool ask(struct broker_client *c, struct call *k)
{
	if (say(c))
		return true;
	c->open[k->kind]--;
	free_call(c, k);
	return false;
}

bool broker_client_introspect(struct broker_client *c, unsigned issuer, uint64_t call, struct span token)
{
	struct call *k = token.n > 0 && token.n <= BROKER_TEXT_MAX ? open_call(c, CALL_INTROSPECT, call) : NULL;

	if (!k)
		return false;
	c->out->introspect.head = (struct broker_introspect){ BROKER_INTROSPECT, issuer, tag_of(c, k), (uint32_t)token.n, 0 };
	memcpy(c->out->introspect.text.p, token.p, token.n);
	return ask(c, k);
}

bool broker_client_token(struct broker_client *c, unsigned server, unsigned tenant, uint64_t call, struct span subject, bool again)
{
	struct call *k;
	size_t n = server < c->set->nservers && c->set->servers[server].exchange ? subject.n : 0;

	k = n <= BROKER_TEXT_MAX ? open_call(c, CALL_TOKEN, call) : NULL;
	if (!k)
		return false;
	c->out->token_ask.head = (struct broker_token_ask){ BROKER_TOKEN_ASK, server, tag_of(c, k), tenant, again, (uint32_t)n, 0 };
	if (n > 0)
		memcpy(c->out->token_ask.text.p, subject.p, n);
	return ask(c, k);
}

/* ---- being answered ---- */

static void give(struct broker_client *c, const struct call *k, struct span text)
{
	if (c->credential)
		c->credential(c->ctx, k->call, text);
	else if (k->kind == CALL_TOKEN)
		flow_credential(c->flow, k->call, text);
	else
		flow_introspected(c->flow, k->call, text);
}

static const char *answered(struct broker_client *c, uint64_t tag, enum call_kind kind, struct span text)
{
	uint32_t slot = (uint32_t)tag;
	struct call *k = slot < c->calls.fresh ? slots_at(&c->calls, slot) : NULL;
	struct call was;

	if (!k || !k->used || k->kind != kind || k->generation != tag >> 32)
		return "an answer that nobody waits for";
	was = *k;
	c->open[kind]--;
	free_call(c, k); /* first: flow may ask anew at once */
	if (!was.given)
		give(c, &was, text);
	return NULL;
}

static const char *keys_came(struct broker_client *c, const struct broker_keys *m)
{
	bool asked;

	if (m->issuer >= c->set->auth.nissuers || m->valid_s > VALID_S_MAX)
		return "keys of an issuer that is not there, or for too long";
	asked = c->keys[m->issuer].asked;
	c->keys[m->issuer].asked = false;
	if (m->state != BROKER_KEYS_NONE)
		c->keys[m->issuer].until_ms = c->loop->now_ms + (int64_t)m->valid_s * 1000;
	if (m->state == BROKER_KEYS_HERE)
		flow_keys(c->flow, m->issuer, &m->set);
	else if (asked)
		flow_keys(c->flow, m->issuer, NULL);
	return NULL;
}

static const char *handle(struct broker_client *c, const union broker_packet *m, size_t n)
{
	const char *wrong = broker_msg_wrong(m, n, false);
	bool there;

	if (wrong)
		return wrong;
	switch (m->type) {
	case BROKER_KEYS:
		return keys_came(c, &m->keys);
	case BROKER_INTROSPECTED:
		there = m->introspected.head.there;
		return answered(c, m->introspected.head.call, CALL_INTROSPECT, span_of(there ? m->introspected.text.p : NULL, m->introspected.head.n));
	default:
		there = m->token.head.there;
		return answered(c, m->token.head.call, CALL_TOKEN, span_of(there ? m->token.text.p : NULL, m->token.head.n));
	}
}

static void read_edge(struct broker_client *c)
{
	static const char lost[] = "the broker is gone";
	char mem[160];
	struct buf line = buf_on(mem, sizeof mem);
	const char *wrong = NULL;

	for (unsigned i = 0; i < BATCH && c->readable && !wrong; i++) {
		int fd;
		long n = pass_take(c->edge.fd, c->in, sizeof *c->in, &fd);

		if (n == PASS_NONE) {
			c->readable = false;
			return;
		}
		if (n > 0 && fd < 0)
			wrong = handle(c, c->in, (size_t)n);
		else
			wrong = n == PASS_END ? lost : "a packet that is too long, or with a descriptor";
		if (fd >= 0)
			sock_close(fd);
		crypto_wipe(c->in, n > 0 ? (size_t)n : sizeof *c->in);
	}
	if (!wrong)
		return;
	hang_up(c);
	BUF_LIT(&line, "closes its edge to the broker: ");
	buf_put(&line, span_z(wrong));
	if (wrong != lost && c->set->log)
		c->set->log(buf_span(&line));
}

static void answer_lost(struct broker_client *c)
{
	while (!list_empty(&c->over)) {
		struct call *k = LIST_OWNER(c->over.next, struct call, node);
		struct call was = *k;

		free_call(c, k);
		give(c, &was, span_of(NULL, 0));
	}
	for (unsigned i = 0; i < AUTH_ISSUERS_MAX; i++) {
		bool over = c->keys[i].over;

		c->keys[i].over = false;
		if (over)
			flow_keys(c->flow, i, NULL);
	}
}

/* A broker that does not answer in time is as good as none for who waits; its late answer is let go by. */
static void answer_late(struct broker_client *c)
{
	int64_t now = c->loop->now_ms;

	while (!list_empty(&c->waiting)) {
		struct call *k = LIST_OWNER(c->waiting.next, struct call, node);

		if (now < k->until_ms)
			break;
		list_remove(&k->node);
		k->given = true;
		give(c, k, span_of(NULL, 0));
	}
	for (unsigned i = 0; i < AUTH_ISSUERS_MAX; i++) {
		if (c->keys[i].asked && now >= c->keys[i].asked_ms + BROKER_CLIENT_MS) {
			c->keys[i].asked = false;
			flow_keys(c->flow, i, NULL);
		}
		if (c->keys[i].until_ms != 0 && now >= c->keys[i].until_ms) {
			c->keys[i].until_ms = 0;
			c->in->keys.set.n = 0;
			flow_keys(c->flow, i, &c->in->keys.set);
		}
	}
}

static int64_t next_ms(const struct broker_client *c)
{
	int64_t next = INT64_MAX;

	if (!list_empty(&c->waiting))
		next = LIST_OWNER(c->waiting.next, struct call, node)->until_ms;
	for (unsigned i = 0; i < AUTH_ISSUERS_MAX; i++) {
		if (c->keys[i].asked && c->keys[i].asked_ms + BROKER_CLIENT_MS < next)
			next = c->keys[i].asked_ms + BROKER_CLIENT_MS;
		if (c->keys[i].until_ms != 0 && c->keys[i].until_ms < next)
			next = c->keys[i].until_ms;
	}
	return next;
}

int broker_client_tick(struct broker_client *c)
{
	int64_t next, now = c->loop->now_ms;

	if (c->edge.fd >= 0 && c->readable)
		read_edge(c);
	if (c->edge.fd >= 0)
		send_queue(c);
	answer_lost(c);
	answer_late(c);
	if ((c->edge.fd >= 0 && c->readable) || !list_empty(&c->over))
		return 0;
	next = next_ms(c);
	if (next == INT64_MAX)
		return -1;
	return next <= now ? 0 : next - now < INT32_MAX ? (int)(next - now) : INT32_MAX;
}
