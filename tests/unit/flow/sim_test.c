/*
 * Worlds: a flow between scripted clients and scripted upstreams, on the network of sim.h. Every client uses the same id and the same
 * progress token, and marks each request with a word of its own that its upstream sends back: an answer that went astray shows.
 * In some worlds the clients are of two tenants with opposite rights, and the upstreams want credentials; in some of them one name is refused
 * to all, so that names are looked up: then what is refused and what is not there are asked for too, and no upstream may hear of it.
 *
 * In one world of six clients come over TLS, and some upstreams are asked over it; resets, garbage, half handshakes and ends without
 * close_notify are among what happens there.
 *
 *     sim_test [SEED [COUNT]]      only those worlds, and what happens in them
 */
#include <stdarg.h>
#include <stdlib.h>

#include "flow/flow_priv.h"
#include "os/sock.h"
#include "tap.h"
#include "unit/flow/sim.h"
#include "unit/flow/sim_tls.h"
#include "wire/crypto.h"

enum { CLIENTS = 12, ASKS = 5, TENANTS = 2, ERRANDS = 256, MARKS = 4096, QUESTIONS = 4096, UPS = 3, GUARD = 4096, TURNS_MAX = 400000 };

enum ask { ASK_CALL, ASK_READ, ASK_LIST, ASK_DISCOVER, ASK_LISTEN, ASK_BAD, ASK_KINDS };

struct text {
	char *p;
	size_t n, cap;
};

struct client {
	struct sim_conn *c;
	unsigned n, sent, answered;      /* requests */
	enum ask kind[ASKS];
	unsigned mark[ASKS];
	unsigned server[ASKS];
	bool missing[ASKS];              /* a tool that is not there, or not for it */
	struct text out, in;
	size_t out_at, in_at;
	int64_t starts_ms, leaves_ms;    /* leaves: for a listen that has what it wants */
	bool pipelined, one_byte, half, halved, old;
	bool stranger;                   /* speaks no TLS, or half of a handshake, to a TLS port */
	int abort_in;                    /* acts until it breaks off; -1: never */
	unsigned tenant;
	bool modest;                     /* asks little, and only where it may */
	bool closing;                    /* an answer said so */
	bool done;
	unsigned good;                   /* answers with a result */
};

enum then { THEN_KEEP, THEN_CLOSE, THEN_RESET };

struct voice { /* the upstream's end of a connection */
	struct sim_conn *c;
	int server;
	struct text in, out;
	size_t skip;
	int64_t at_ms;
	enum then then;
	bool busy, stalled, mute;        /* mute: dead for this script */
	int tenant;                      /* whose credential came first on it; -1: none yet */
};

struct errand { /* a credential that is being got */
	uint64_t call;
	unsigned server, tenant;
	bool again, absent;
	int64_t at_ms;                   /* 0: done */
};

struct question {
	struct sim_conn *c;
	uint64_t id;
	unsigned mark;
	int server;
	int tenant;                      /* of who asks; -1: the gate on its own account, or it is not known yet */
	bool listen, catalog, answered, cancelled;
};

static struct world {
	uint64_t seed;
	bool hostile, tiny, calm, draining, secure;
	bool tenants;                    /* two, by key; else everybody is anonymous and may do all */
	bool split;                      /* with a rule between names of one server */
	uint8_t owner[MARKS];            /* tenant of a mark */
	struct errand errand[ERRANDS];
	unsigned nerrands;
	unsigned nservers;
	unsigned fault;                  /* of the upstreams: nonzero for this one only */
	struct flow_settings set;
	struct loop loop;
	struct metrics metrics;
	struct flow *f;
	char *area;
	size_t need;
	struct client client[CLIENTS + 1];
	unsigned nclients;
	struct voice voice[SIM_CONNS];
	struct question q[QUESTIONS];
	unsigned nq;
	bool failed;
	unsigned marks;
	int64_t died_ms[UPS];            /* 0: its provider lives */
	void *pinched[64];               /* buffers held by nobody, as if others had them all */
	unsigned npinched;
	int64_t pinched_until_ms;
} w;

static bool loud;
static unsigned total_answers, total_results, total_questions, total_cancelled;

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
	va_list ap;
	static unsigned said;
	w.failed = true;
	if (++said > 40)
		return;
	fprintf(stderr, "# world %llu: ", (unsigned long long)w.seed);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void text_put(struct text *t, const char *p, size_t n)
{
	if (t->n + n + 1 > t->cap) {
		t->cap = (t->n + n) * 2 + 512;
		t->p = realloc(t->p, t->cap);
		if (!t->p)
			abort();
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = 0;
}

__attribute__((format(printf, 2, 3))) static void text_add(struct text *t, const char *format, ...)
{
	char mem[4096];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(mem, sizeof mem, format, ap);
	va_end(ap);
	text_put(t, mem, (size_t)n);
}

static void text_drop(struct text *t, size_t n)
{
	if (n == 0)
		return;
	memmove(t->p, t->p + n, t->n - n + 1);
	t->n -= n;
}

static void text_free(struct text *t)
{
	free(t->p);
	*t = (struct text){ NULL, 0, 0 };
}

static void text_fill(struct text *t, size_t n)
{
	char x[1000];
	memset(x, 'x', sizeof x);
	for (; n > 0; n -= n < sizeof x ? n : sizeof x)
		text_put(t, x, n < sizeof x ? n : sizeof x);
}

static bool dice(uint32_t in) { return sim_roll(in) == 0; }

/* ---- who may what ---- */

#define KEY_0 "postern_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_1 "postern_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"

/* Server 0 is the first tenant's, server 1 the second's, server 2 everybody's. */
static bool may(unsigned tenant, unsigned server) { return !w.tenants || server == 2 || server == tenant; }

static unsigned owner_of(unsigned mark) { return mark < MARKS ? w.owner[mark] : 0; }

static void deliver_errand(struct errand *e)
{
	char line[100];
	int n = snprintf(line, sizeof line, "Authorization: Bearer cred-%u-%u%s", e->server, e->tenant, e->again ? "-again" : "");
	e->at_ms = 0;
	flow_credential(w.f, e->call, e->absent ? span_of(NULL, 0) : span_of(line, (size_t)n));
}

static bool get_token(void *ctx, unsigned server, unsigned tenant, uint64_t call, struct span subject, bool again)
{
	(void)ctx;
	if (!span_absent(subject))
		wrong("a caller's token was given away");
	if (w.hostile && dice(12))
		return false;
	struct errand *e = &w.errand[w.nerrands++ % ERRANDS];
	if (e->at_ms != 0)
		wrong("too many credentials are asked for");
	*e = (struct errand){ .call = call, .server = server, .tenant = tenant, .again = again, .absent = w.hostile && dice(8) };
	e->at_ms = sim.now_ms + (dice(2) ? 0 : sim_roll(w.hostile && dice(8) ? 8000 : 300));
	if (e->at_ms == sim.now_ms && dice(2))
		deliver_errand(e); /* at once, from within the question */
	return true;
}

static bool errands_act(void)
{
	bool did = false;
	for (unsigned i = 0; i < ERRANDS; i++)
		if (w.errand[i].at_ms != 0 && w.errand[i].at_ms <= sim.now_ms) {
			deliver_errand(&w.errand[i]);
			did = true;
		}
	return did;
}

/* ---- upstreams ---- */

static void frame(struct voice *v, const struct text *body, unsigned how)
{
	if (how == 1) {
		text_add(&v->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
		for (size_t at = 0, n; at < body->n; at += n) {
			n = 1 + sim_roll(2000);
			n = n < body->n - at ? n : body->n - at;
			text_add(&v->out, "%zx\r\n", n);
			text_put(&v->out, body->p + at, n);
			text_add(&v->out, "\r\n");
		}
		text_add(&v->out, "0\r\n\r\n");
	} else if (how == 2) {
		text_add(&v->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
		text_put(&v->out, body->p, body->n);
		v->then = THEN_CLOSE;
	} else {
		text_add(&v->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", body->n,
		    how == 3 ? "Connection: close\r\n" : "");
		text_put(&v->out, body->p, body->n);
		if (how == 3)
			v->then = THEN_CLOSE;
	}
}

static void event(struct text *to, bool chunked, const char *p, size_t n)
{
	if (chunked)
		text_add(to, "%zx\r\n", n + 8);
	text_add(to, "data: ");
	text_put(to, p, n);
	text_add(to, chunked ? "\n\n\r\n" : "\n\n");
}

static void result_text(struct text *b, struct question *q, const char *method, uint64_t id, bool big)
{
	text_add(b, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\",", (unsigned long long)id);
	if (strcmp(method, "server/discover") == 0)
		text_add(b, "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true,"
		    "\"listChanged\":true},\"logging\":{}},\"ttlMs\":60000,\"cacheScope\":\"public\"}}");
	else if (strcmp(method, "tools/list") == 0)
		text_add(b, "\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"bad\",\"inputSchema\":{\"type\":\"object\","
		    "\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}}}}],\"ttlMs\":1000,\"cacheScope\":\"public\"}}");
	else {
		text_add(b, "\"content\":[{\"type\":\"text\",\"text\":\"mark-%u-\"}],\"contents\":[],\"pad\":\"", q->mark);
		text_fill(b, big ? 17000 + sim_roll(20000) : sim_roll(200));
		text_add(b, "\"}}");
	}
}

#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

static void http_answer(struct voice *v, struct question *q, const char *method, bool has_token, bool whole)
{
	struct text body = { NULL, 0, 0 }, note = { NULL, 0, 0 };
	bool ask_only = strcmp(method, "server/discover") == 0 || strcmp(method, "tools/list") == 0;
	unsigned mode = sim_roll(7);
	bool big = dice(12);
	unsigned long long id = (unsigned long long)q->id;

	q->answered = true;
	v->at_ms = sim.now_ms + (dice(3) ? sim_roll(300) : 0);
	v->then = THEN_KEEP;
	if (w.hostile && (w.fault || dice(3)))
		mode = 7 + (w.fault ? w.fault - 1 : sim_roll(18));
	result_text(&body, q, method, q->id, big);
	if (q->listen && mode < 7) {
		bool chunked = dice(2);
		text_add(&v->out, SSE_HEAD "%s\r\n", chunked ? "Transfer-Encoding: chunked\r\n" : "Connection: close\r\n");
		text_add(&note, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{"
		    "\"toolsListChanged\":true},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%llu}}}", id);
		event(&v->out, chunked, note.p, note.n);
		for (unsigned i = sim_roll(4); i > 0; i--) {
			note.n = 0;
			text_add(&note, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{"
			    "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%llu}}}", id);
			event(&v->out, chunked, note.p, note.n);
		}
		q->answered = false; /* the stream goes on until the client has enough */
		v->stalled = true;
		if (w.hostile && dice(3))
			v->then = dice(2) ? THEN_CLOSE : THEN_RESET;
		goto out;
	}
	switch (mode) {
	case 0: case 1: case 2: case 3:
		if (dice(4))
			text_add(&v->out, "HTTP/1.1 102 Processing\r\n\r\n");
		frame(v, &body, mode);
		break;
	case 4: case 5: case 6: {
		bool chunked = mode != 5;
		text_add(&v->out, SSE_HEAD "%s\r\n", chunked ? "Transfer-Encoding: chunked\r\n" : "");
		text_add(&note, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"mark-%u-\"}}", q->mark);
		if (dice(2))
			event(&v->out, chunked, note.p, note.n);
		for (unsigned i = has_token || ask_only ? sim_roll(6) : 0; i > 0; i--) {
			note.n = 0;
			text_add(&note, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":%u,"
			    "\"message\":\"mark-%u-\"}}", id, i, q->mark);
			event(&v->out, chunked, note.p, note.n);
		}
		event(&v->out, chunked, body.p, body.n);
		if (chunked)
			text_add(&v->out, "0\r\n\r\n");
		else
			v->then = THEN_CLOSE;
		break;
	}
	case 7: v->then = THEN_CLOSE; break;
	case 8: v->then = THEN_RESET; break;
	case 9: frame(v, &body, 0); v->out.n -= 5; v->then = dice(2) ? THEN_CLOSE : THEN_RESET; break;
	case 10: v->stalled = true; q->answered = false; break;
	case 11: body.n = 0; q->answered = false; q->answered = true;
		result_text(&body, &(struct question){ .mark = 999999 }, "tools/call", q->id + 65536, false); frame(v, &body, 0); break;
	case 12: text_add(&v->out, "what is this\r\n\r\n"); break;
	case 13: frame(v, &body, 0); body.n = 0;
		result_text(&body, &(struct question){ .mark = 999999 }, "tools/call", q->id, false); frame(v, &body, 0); break;
	case 14: text_add(&v->out, SSE_HEAD "\r\n: wait\n\n"); v->stalled = true; q->answered = false; break;
	case 15: text_add(&v->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"); text_fill(&v->out, 50000); break;
	case 16: text_add(&v->out, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"); break;
	case 17: text_add(&v->out, SSE_HEAD "\r\n"); text_add(&note, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\",\"params\":{}}");
		event(&v->out, false, note.p, note.n); event(&v->out, false, body.p, body.n); v->then = THEN_CLOSE; break;
	case 18: text_add(&v->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"); text_put(&v->out, body.p, body.n); break;
	case 19: text_add(&v->out, SSE_HEAD "\r\n"); text_add(&note, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,"
		    "\"progress\":1}}", id + 1); event(&v->out, false, note.p, note.n); v->stalled = true; q->answered = false; break;
	case 20: text_add(&v->out, SSE_HEAD "\r\ndata: "); text_fill(&v->out, 200000); break;
	case 21: text_add(&v->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"); text_fill(&v->out, 300); break;
	case 22: text_add(&v->out, "HTTP/1.1 200 OK\r\nX: "); text_fill(&v->out, 20000); break;
	case 23: for (int i = 0; i < 40; i++) text_add(&v->out, "HTTP/1.1 102 Processing\r\n\r\n"); v->then = THEN_CLOSE; break;
	default: text_add(&v->out, SSE_HEAD "Transfer-Encoding: chunked\r\n\r\n"); event(&v->out, true, body.p, body.n); break; /* no end */
	}
out:
	if (!whole && !w.hostile)
		wrong("an upstream answered before it was asked");
	text_free(&body);
	text_free(&note);
}

static bool read_word(const char *text, const char *before, char *to, size_t cap)
{
	const char *p = strstr(text, before);
	size_t n = 0;
	if (!p)
		return false;
	for (p += strlen(before); *p && *p != '"' && *p != ',' && *p != '}' && n + 1 < cap; p++)
		to[n++] = *p;
	to[n] = 0;
	return true;
}

static struct question *note_question(struct voice *v, const char *text, char *method, size_t cap)
{
	char id[40] = "", mark[20] = "";
	if (!read_word(text, "\"method\":\"", method, cap) || w.nq == QUESTIONS)
		return NULL;
	struct question *q = &w.q[w.nq++];
	*q = (struct question){ .c = v->c, .server = v->server };
	if (!read_word(text, "\"id\":", id, sizeof id)) {
		w.nq--;
		return NULL;
	}
	q->id = strtoull(id, NULL, 10);
	const char *m = strstr(text, "mark-");
	(void)mark;
	q->mark = m ? (unsigned)strtoul(m + 5, NULL, 10) : 0;
	q->listen = strcmp(method, "subscriptions/listen") == 0;
	const char *own = strstr(text, "mine-");
	q->tenant = own && strchr(own, '"') ? (int)owner_of((unsigned)strtoul(own + 5, NULL, 10)) : -1;
	q->catalog = q->tenant < 0 && !q->listen;
	if (strstr(text, "\"hidden\"") || strstr(text, "\"absent\""))
		wrong("server %d was asked for what is not there or not allowed: %.200s", v->server, text);
	if (q->tenant >= 0 && !may((unsigned)q->tenant, (unsigned)v->server))
		wrong("server %d was asked for tenant %d", v->server, q->tenant);
	total_questions++;
	return q;
}

/* One line of ours for this server and this tenant, nothing of the client's, and a connection for each tenant. False: refused. */
static bool check_credential(struct voice *v, const struct question *q, char *end, bool whole)
{
	char want[64], *line = strstr(v->in.p, "Authorization:");
	bool good = true;

	if (!whole) /* who asks may not have come yet */
		return true;
	*end = 0;
	if (strstr(v->in.p, "postern_"))
		wrong("a client's key was sent upstream");
	if (w.set.servers[v->server].credential) {
		int tenant = q->tenant < 0 ? (int)FLOW_NO_TENANT : q->tenant;
		char *got = strstr(v->in.p, "\r\nAuthorization: Bearer cred-");
		int n = snprintf(want, sizeof want, "\r\nAuthorization: Bearer cred-%d-%d", v->server, tenant);
		if (!got || strncmp(got, want, (size_t)n) != 0)
			wrong("server %d was asked for tenant %d with: %.60s", v->server, tenant, got ? got + 2 : "(nothing)");
		if (got && strstr(got + 4, "Authorization:"))
			wrong("two credentials in one request");
		if (v->tenant >= 0 && v->tenant != tenant)
			wrong("tenant %d on a connection of tenant %d", tenant, v->tenant);
		v->tenant = tenant;
		good = !got || strncmp(got + n, "-again", 6) == 0 || !dice(6);
	} else if (line && line < end) {
		wrong("a credential for a server that wants none");
	}
	*end = '\r';
	return good;
}

static bool http_ask(struct voice *v)
{
	char method[64];
	size_t length = 0;
	char *end = v->in.n ? strstr(v->in.p, "\r\n\r\n") : NULL;
	if (!end || v->busy)
		return false;
	char *cl = strstr(v->in.p, "Content-Length: ");
	if (!cl || cl > end || strncmp(v->in.p, "POST /up HTTP/1.1\r\n", 19) != 0) {
		wrong("an upstream was sent something that is no request: %.60s", v->in.p);
		v->mute = true;
		return false;
	}
	length = strtoul(cl + 16, NULL, 10);
	size_t head = (size_t)(end + 4 - v->in.p);
	bool whole = v->in.n - head >= length;
	if (!whole && !(w.hostile && v->in.n - head > 200 && dice(30)))
		return false;
	struct question *q = note_question(v, v->in.p + head, method, sizeof method);
	if (!q) {
		wrong("a question without an id");
		v->mute = true;
		return false;
	}
	v->busy = true;
	if (!check_credential(v, q, end, whole) && whole) { /* it is not read: what it asks for is not done */
		q->answered = true;
		v->at_ms = sim.now_ms;
		v->then = THEN_KEEP;
		text_add(&v->out, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer resource_metadata=\"http://evil\"\r\nContent-Length: 0\r\n\r\n");
		text_drop(&v->in, head + length);
		return true;
	}
	http_answer(v, q, method, strstr(v->in.p, "progressToken") != NULL, whole);
	if (whole)
		text_drop(&v->in, head + length);
	else {
		v->skip = head + length - v->in.n; /* answered early: the rest of the question is to be thrown away */
		v->in.n = 0;
	}
	return true;
}

static void line_ask(struct voice *v)
{
	char method[64], id[40];
	char *nl;
	struct text body = { NULL, 0, 0 };
	while (v->in.n > 0 && (nl = memchr(v->in.p, '\n', v->in.n)) != NULL) {
		*nl = 0;
		if (strstr(v->in.p, "notifications/cancelled")) {
			if (read_word(v->in.p, "\"requestId\":", id, sizeof id))
				for (unsigned i = 0; i < w.nq; i++)
					if (w.q[i].c == v->c && w.q[i].id == strtoull(id, NULL, 10))
						w.q[i].cancelled = true, total_cancelled++;
		} else {
			struct question *q = note_question(v, v->in.p, method, sizeof method);
			bool token = strstr(v->in.p, "\"progressToken\"") != NULL;
			if (!q)
				wrong("a line without an id: %.80s", v->in.p);
			else if (w.hostile && dice(6))
				; /* never answered, unless later: see voice_act */
			else if (q->listen) {
				text_add(&v->out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{"
				    "\"toolsListChanged\":true},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%llu}}}\n", (unsigned long long)q->id);
			} else {
				for (unsigned i = token ? sim_roll(4) : 0; i > 0; i--)
					text_add(&v->out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":%u,"
					    "\"message\":\"mark-%u-\"}}\n", (unsigned long long)q->id, i, q->mark);
				if (w.hostile && dice(6))
					text_add(&v->out, dice(2) ? "not a message\n" : "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{\"x\":\"mark-999999-\"}}\n");
				q->answered = true;
				result_text(&body, q, method, q->id, dice(12));
				text_put(&v->out, body.p, body.n);
				text_add(&v->out, "\n");
				body.n = 0;
			}
		}
		text_drop(&v->in, (size_t)(nl + 1 - v->in.p));
	}
	text_free(&body);
}

static void link_line(unsigned server)
{
	struct sim_conn *c;
	int fd = sim_pair((int)server, &c);
	w.voice[c - sim.conn] = (struct voice){ .c = c, .server = (int)server };
	flow_link(w.f, server, fd);
}

/* Says a piece of what is to be said. */
static bool say_some(struct sim_conn *c, struct text *out, size_t most)
{
	size_t n = out->n < most ? out->n : most;
	if (n == 0)
		return false;
	sim_say(c, out->p, n);
	text_drop(out, n);
	return true;
}

static bool voice_act(struct voice *v)
{
	struct sim_conn *c = v->c;
	bool did = false;

	if (v->mute || c->connecting)
		return false;
	if (c->reset || c->gate_closed) {
		if (c->server >= 0)
			wrong("a line was cut that did nothing wrong"); /* nobody would bring a new one */
		v->mute = true;
		return true;
	}
	if (sim.rough && dice(3))
		return v->out.n > 0 || c->got.n > 0;
	if (c->got.n > 0) {
		size_t n = sim.rough && dice(2) ? 1 + sim_roll((uint32_t)c->got.n) : c->got.n;
		text_put(&v->in, c->got.p, n);
		sim_took(c, n);
		did = true;
	}
	if (v->server >= 0 && c->server >= 0) {
		line_ask(v);
		if (w.hostile && dice(400)) { /* dies, and is started anew */
			sim_close(c);
			v->mute = true;
			w.died_ms[v->server] = sim.now_ms;
			return true;
		}
	} else {
		if (v->skip > 0) {
			size_t n = v->skip < v->in.n ? v->skip : v->in.n;
			text_drop(&v->in, n);
			v->skip -= n;
		}
		did |= http_ask(v);
	}
	if (sim.now_ms >= v->at_ms && say_some(c, &v->out, sim.rough ? 1 + sim_roll(dice(2) ? 50 : 20000) : SIZE_MAX))
		return true;
	if (v->busy && v->out.n == 0 && sim.now_ms >= v->at_ms) {
		if (v->then == THEN_KEEP && v->stalled)
			return did;
		v->busy = false;
		did = true;
		if (v->then == THEN_CLOSE)
			sim_close(c);
		else if (v->then == THEN_RESET)
			sim_reset(c);
		if (v->then != THEN_KEEP)
			v->mute = true;
	}
	return did;
}

static bool connects_act(void)
{
	bool did = false;
	for (unsigned i = 0; i < sim.top; i++) {
		struct sim_conn *c = &sim.conn[i];
		if (!c->used || !c->connecting || (sim.rough && dice(2))) {
			did |= c->used && c->connecting;
			continue;
		}
		if (c->gate_closed) {
			c->connecting = false;
			continue;
		}
		did = true;
		c->connecting = false;
		if (w.hostile && dice(15)) {
			sim_reset(c);
			continue;
		}
		c->pending |= LOOP_WRITE;
		if (w.set.servers[c->port - 1].tls) {
			sim_tls_server(c, &sim_door);
			if (w.hostile && dice(12))
				c->tls->cut_at = 1 + sim_roll(3000);
			if (w.hostile && dice(12))
				c->tls->wait_ms = sim.now_ms + sim_roll(8000);
		}
		w.voice[i] = (struct voice){ .c = c, .server = (int)c->port - 1, .tenant = -1 };
	}
	return did;
}

/* ---- clients ---- */

static void write_ask(struct client *k, unsigned i)
{
	struct text body = { NULL, 0, 0 };
	static const char *const methods[] = { "tools/call", "resources/read", "tools/list", "server/discover", "subscriptions/listen", "tools/call" };
	enum ask kind = k->kind[i];
	char name[64], prefix[16] = "";
	bool chunked = !k->old && dice(4), pretty = dice(5);

	k->mark[i] = ++w.marks;
	if (w.marks < MARKS)
		w.owner[w.marks] = (uint8_t)k->tenant;
	k->server[i] = k->modest && w.tenants ? k->tenant : sim_roll(w.nservers);
	if (!w.set.plain)
		snprintf(prefix, sizeof prefix, "s%u__", k->server[i]);
	k->missing[i] = w.split && !k->modest && kind == ASK_CALL && dice(2);
	if (kind == ASK_READ && w.set.servers[k->server[i]].kind == FLOW_BUILTIN && !w.set.plain)
		snprintf(name, sizeof name, "files://s%u/mark-%u-", k->server[i], k->mark[i]);
	else if (kind == ASK_READ)
		snprintf(name, sizeof name, "x://mark-%u-", k->mark[i]);
	else
		snprintf(name, sizeof name, "%s%s", prefix, k->missing[i] ? dice(2) ? "hidden" : "absent" : "t");
	text_add(&body, "{\"jsonrpc\":\"2.0\",%s\"id\":7,\"method\":\"%s\",\"params\":{", pretty ? "\r\n " : "", methods[kind]);
	if (kind == ASK_CALL || kind == ASK_BAD) {
		text_add(&body, "\"name\":\"%s\",\"arguments\":{\"q\":\"mark-%u-\",\"pad\":\"", name, k->mark[i]);
		text_fill(&body, !w.tiny && !k->modest && dice(10) ? 20000 + sim_roll(30000) : sim_roll(300));
		text_add(&body, "\"},");
	} else if (kind == ASK_READ) {
		text_add(&body, "\"uri\":\"%s\",", name);
	} else if (kind == ASK_LISTEN) {
		text_add(&body, "\"notifications\":{\"toolsListChanged\":true},");
	}
	text_add(&body, "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}");
	if (kind < ASK_DISCOVER && dice(2))
		text_add(&body, ",\"progressToken\":\"p\"");
	text_add(&body, ",\"baggage\":\"who=mine-%u\"", k->mark[i]);
	text_add(&body, "}}%s", kind == ASK_BAD ? ",}" : "}");
	text_add(&k->out, "POST /mcp HTTP/1.%d\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n", k->old ? 0 : 1, methods[kind]);
	if (kind == ASK_CALL || kind == ASK_READ || kind == ASK_BAD)
		text_add(&k->out, "Mcp-Name: %s\r\n", name);
	if (w.tenants)
		text_add(&k->out, "Authorization: Bearer %s\r\n", k->tenant == 0 ? KEY_0 : KEY_1);
	if (!k->old && dice(8))
		text_add(&k->out, "Expect: 100-continue\r\n");
	if (chunked) {
		text_add(&k->out, "Transfer-Encoding: chunked\r\n\r\n");
		for (size_t at = 0, n; at < body.n; at += n) {
			n = 1 + sim_roll(dice(2) ? 20 : 9000);
			n = n < body.n - at ? n : body.n - at;
			text_add(&k->out, "%zX\r\n", n);
			text_put(&k->out, body.p + at, n);
			text_add(&k->out, "\r\n");
		}
		text_add(&k->out, "0\r\n\r\n");
	} else {
		text_add(&k->out, "Content-Length: %zu\r\n\r\n", body.n);
		text_put(&k->out, body.p, body.n);
	}
	text_free(&body);
}

/* No word of another client's, none of a wrong answer's. */
static void check_marks(struct client *k, const char *p)
{
	for (; (p = strstr(p, "mark-")) != NULL; p += 5)
		if (strtoul(p + 5, NULL, 10) != k->mark[k->answered] && strtoul(p + 5, NULL, 10) != 0)
			wrong("client %d got mark %lu in the answer to %u", (int)(k - w.client), strtoul(p + 5, NULL, 10), k->mark[k->answered]);
}

/* Is there anything here that this client may have? */
static bool permitted(const struct client *k)
{
	unsigned server = k->server[k->answered];
	enum ask kind = k->kind[k->answered];

	if (kind != ASK_CALL && kind != ASK_READ)
		return true;
	if (kind == ASK_CALL || w.set.servers[server].kind == FLOW_BUILTIN || w.set.plain)
		return may(k->tenant, server);
	for (unsigned i = 0; i < w.nservers; i++)
		if (w.set.servers[i].kind != FLOW_BUILTIN && may(k->tenant, i))
			return true;
	return false;
}

static void check_rights(const struct client *k, const char *p)
{
	char foreign[] = "\"s0__";
	foreign[2] = k->tenant == 0 ? '1' : '0';
	if (strstr(p, "evil"))
		wrong("an upstream's challenge was passed on");
	if (w.tenants && strstr(p, foreign))
		wrong("tenant %u was shown %s: %.200s", k->tenant, foreign, p);
}

static void check_message(struct client *k, unsigned status, const char *p)
{
	enum ask kind = k->kind[k->answered];
	bool result = strstr(p, "\"result\":") != NULL && status == 200;
	bool with_id = strncmp(p, "{\"jsonrpc\":\"2.0\",\"id\":7,", 24) == 0;

	check_marks(k, p);
	check_rights(k, p);
	if (!permitted(k) || k->missing[k->answered]) {
		if (result || (w.calm && !(strstr(p, "-32602") && (strstr(p, "Unknown tool: s") || strstr(p, "Resource not found: ")))))
			wrong("client %d may not and got: %u %.120s", (int)(k - w.client), status, p);
		return;
	}
	if (result && (!with_id || kind == ASK_BAD))
		wrong("client %d got a result that is not for its id: %.80s", (int)(k - w.client), p);
	if (result && (kind == ASK_CALL || kind == ASK_READ)) {
		char own[32];
		snprintf(own, sizeof own, "mark-%u-", k->mark[k->answered]);
		if (!strstr(p, own))
			wrong("client %d got a result without its mark %s: %.100s", (int)(k - w.client), own, p);
	}
	if (kind == ASK_LIST && result && !w.set.plain && strstr(p, "\"name\":\"t\""))
		wrong("a tool without its prefix: %.200s", p);
	if (w.calm && !result && kind != ASK_BAD)
		wrong("client %d was refused in a calm world: %u %.120s", (int)(k - w.client), status, p);
	k->good += result;
	total_results += result;
}

/* The events of a stream so far; true: the last one was an answer. */
static bool check_events(struct client *k, char *body, bool ended)
{
	char *p = body, *end;
	unsigned finals = 0;
	while ((end = strstr(p, "\n\n")) != NULL) {
		*end = 0;
		if (strncmp(p, "data: ", 6) == 0) {
			if (finals)
				wrong("something behind the answer in a stream");
			if (strstr(p, "\"method\":\"notifications/") == NULL) {
				finals++;
				if (ended)
					check_message(k, 200, p + 6);
			} else {
				check_marks(k, p + 6);
				if (strstr(p, "progressToken") && !strstr(p, "\"progressToken\":\"p\""))
					wrong("a foreign token: %.100s", p);
				if (strstr(p, "subscriptionId") && !strstr(p, "subscriptionId\":7"))
					wrong("a foreign subscription: %.200s", p);
				if (strstr(p, "acknowledged") && k->leaves_ms == 0)
					k->leaves_ms = sim.now_ms + 1 + sim_roll(2000);
			}
		} else if (*p != ':') {
			wrong("not an event: %.40s", p);
		}
		*end = '\n';
		p = end + 2;
	}
	if (finals > 1)
		wrong("two answers in one stream");
	return finals == 1;
}

static unsigned unread_requests(const struct client *k) { return k->sent - k->answered; }

/* Takes one whole answer out of what came; false: not whole yet. */
static bool take_answer(struct client *k, bool end)
{
	char *start = k->in.p + k->in_at;
	size_t n = k->in.n - k->in_at;
	char *head_end = n ? strstr(start, "\r\n\r\n") : NULL;
	unsigned status;

	if (!head_end)
		return false;
	if (n < 12 || strncmp(start, "HTTP/1.1 ", 9) != 0) {
		wrong("client %d got something that is no answer: %.80s", (int)(k - w.client), start);
		k->done = true;
		return false;
	}
	status = (unsigned)strtoul(start + 9, NULL, 10);
	char *body = head_end + 4;
	if (status < 200) {
		k->in_at += (size_t)(body - start);
		if (k->old)
			wrong("an interim answer to HTTP/1.0");
		return true;
	}
	if (unread_requests(k) == 0 && status != 408) {
		wrong("client %d got an answer to no question: %.80s", (int)(k - w.client), start);
		k->done = true;
		return false;
	}
	*head_end = 0;
	bool chunked = strstr(start, "\r\nTransfer-Encoding: chunked") != NULL, stream = strstr(start, "text/event-stream") != NULL;
	char *cl = strstr(start, "\r\nContent-Length: ");
	bool close = strstr(start, "\r\nConnection: close") != NULL;
	*head_end = '\r';
	size_t room = n - (size_t)(body - start), used;
	struct text plain = { NULL, 0, 0 };
	bool whole = false;
	if (chunked) {
		char *p = body, *limit = body + room;
		while (p < limit) {
			char *eol = strstr(p, "\r\n");
			if (!eol)
				break;
			size_t size = strtoul(p, NULL, 16);
			if ((size_t)(limit - eol) < size + 4)
				break;
			if (size > 0)
				text_put(&plain, eol + 2, size);
			if (memcmp(eol + 2 + size, "\r\n", 2) != 0)
				wrong("broken chunks");
			p = eol + 4 + size;
			if (size == 0) {
				whole = true;
				break;
			}
		}
		used = (size_t)(p - body);
	} else if (cl) {
		size_t length = strtoul(cl + 18, NULL, 10);
		whole = room >= length;
		used = length;
		if (whole)
			text_put(&plain, body, length);
	} else {
		whole = end;
		used = room;
		text_put(&plain, body, room);
	}
	if (!plain.p)
		text_put(&plain, "", 0);
	bool seen = stream && check_events(k, plain.p, whole);
	if (whole && stream && !seen && (chunked || w.calm))
		wrong("a stream without an answer");
	if (whole) {
		if (!stream && status != 202 && plain.n > 0)
			check_message(k, status, plain.p);
		k->in_at += (size_t)(body - start) + used;
		k->answered++;
		total_answers++;
		k->closing |= close;
	}
	text_free(&plain);
	return whole;
}

static void leave(struct client *k)
{
	k->done = true;
	if (!sim_over(k->c)) {
		if (dice(3) || k->halved || k->old) /* behind a FIN, a close that loses nothing is not to be heard on the wire; HTTP/1.0 cannot be probed */
			sim_reset(k->c);
		else
			sim_close(k->c);
	}
}

/* A word that is no TLS, or the beginning of some; then it waits for the end. */
static bool stranger_act(struct client *k)
{
	static const char *const words[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01", "\x16\x03\x01\x02\x00\x01", "\x15\x03\x03\x00\x02\x02\x28", "\x80\x2e\x01\x03\x01", "\x16", "",
	};
	struct sim_conn *c = k->c;

	if (k->sent == 0) {
		size_t i = sim_roll(sizeof words / sizeof words[0]);
		size_t n = i == 2 ? 6 : i == 3 ? 7 : strlen(words[i]); /* these have a zero in them */
		k->sent = 1;
		sim_say(c, words[i], n);
		for (unsigned junk = dice(3) ? sim_roll(3000) : 0; junk > 0; junk--)
			sim_say(c, &(char){ (char)sim_roll(256) }, 1);
		if (dice(8))
			sim_fin(c);
		return true;
	}
	bool hears = c->got.n > 0;
	sim_took(c, c->got.n); /* an alert at most */
	if (c->gate_fin || c->reset) {
		k->done = true;
		sim_close(c);
		return true;
	}
	return hears;
}

static bool client_act(struct client *k)
{
	struct sim_conn *c = k->c;
	bool did = false;

	if (k->done || sim.now_ms < k->starts_ms)
		return false;
	if (!c) {
		if (!(c = k->c = sim_client())) {
			wrong("too many connections");
		} else if (w.secure && !k->stranger) {
			sim_tls_client(c, &sim_route);
			if ((w.hostile || w.tiny) && dice(10))
				c->tls->cut_at = 1 + sim_roll(2000);
			if ((w.hostile || w.tiny) && dice(6))
				c->tls->wait_ms = sim.now_ms + sim_roll(7000);
		}
		return true;
	}
	if (k->stranger)
		return stranger_act(k);
	if (c->tls && c->tls->wait_ms > sim.now_ms)
		return false;
	if (sim.rough && dice(3))
		return true;
	if (c->tls && c->tls->cut_off && !sim_over(c) && w.calm)
		wrong("client %d was cut off without close_notify", (int)(k - w.client));
	if (k->abort_in > 0 && --k->abort_in == 0) {
		leave(k);
		return true;
	}
	if (c->got.n > 0) {
		size_t n = sim.rough && dice(2) ? 1 + sim_roll((uint32_t)c->got.n) : c->got.n;
		text_put(&k->in, c->got.p, n);
		sim_took(c, n);
		did = true;
	}
	bool over = sim_over(c) || (c->gate_fin && c->got.n == 0 && c->wire.n == 0);
	while (!k->done && take_answer(k, over))
		did = true;
	if (k->answered == k->n && k->halved && !over) { /* we both have said all: nothing may keep the connection */
		if (k->leaves_ms == 0)
			k->leaves_ms = sim.now_ms + 3000;
		else if (sim.now_ms >= k->leaves_ms && (wrong("a connection outlived both its ends"), true))
			leave(k);
		return did;
	}
	if (k->answered == k->n || over) {
		if (w.calm && k->answered < k->n)
			wrong("client %d was left with %u of %u answers", (int)(k - w.client), k->answered, k->n);
		leave(k);
		return true;
	}
	if (k->leaves_ms && sim.now_ms >= k->leaves_ms) {
		leave(k);
		return true;
	}
	if (k->sent < k->n && k->out.n == 0 && (k->pipelined || k->sent == k->answered)) {
		write_ask(k, k->sent++);
		did = true;
	}
	if (say_some(c, &k->out, !sim.rough ? SIZE_MAX : k->one_byte ? 1 : 1 + sim_roll(dice(2) ? 40 : 20000)))
		did = true;
	if (k->half && !k->halved && k->sent == k->n && k->out.n == 0) {
		k->halved = true;
		sim_fin(c);
		did = true;
	}
	return did;
}

static void new_client(unsigned i, bool good)
{
	struct client *k = &w.client[i];
	*k = (struct client){ .n = good ? 1 : 1 + sim_roll(ASKS), .starts_ms = sim.now_ms + (good ? 0 : sim_roll(3000)), .abort_in = -1 };
	for (unsigned a = 0; a < k->n; a++) {
		k->kind[a] = good ? ASK_CALL : sim_roll(ASK_LISTEN);
		if (!good && dice(8))
			k->kind[a] = ASK_BAD;
	}
	k->modest = good;
	if (good)
		return;
	k->tenant = w.tenants ? sim_roll(TENANTS) : 0;
	k->pipelined = dice(3);
	k->one_byte = dice(8);
	k->half = dice(5) & !w.secure; /* over TLS there are no halves */
	k->stranger = w.secure && !w.calm && dice(5);
	k->old = dice(10);
	if (k->old)
		k->n = 1;
	if (dice(6)) {
		k->n = 1;
		k->kind[0] = ASK_LISTEN;
		k->half = false;
	}
	if (!w.calm && dice(4))
		k->abort_in = 1 + (int)sim_roll(120);
}

/* ---- the world ---- */

/* The parent starts a provider anew a while after it died; that it is gone must have been seen long before. */
static bool parent_act(void)
{
	bool waits = false;
	for (unsigned i = 0; i < w.nservers; i++) {
		if (w.died_ms[i] == 0)
			continue;
		waits |= w.f->up[i].line_up;
		if (sim.now_ms < w.died_ms[i] + 200)
			continue;
		if (w.f->up[i].line_up)
			wrong("the end of a provider was not seen");
		w.died_ms[i] = 0;
		link_line(i);
		return true;
	}
	return waits && sim_news();
}

/* For a while no large buffer is to be had. */
static void pinch(bool may_begin)
{
	struct slots *pool = &w.f->large;
	if (w.npinched > 0 && (!may_begin || sim.now_ms >= w.pinched_until_ms)) {
		while (w.npinched > 0)
			slots_give(pool, w.pinched[--w.npinched]);
	} else if (w.npinched == 0 && may_begin && w.tiny && dice(100)) {
		w.pinched_until_ms = sim.now_ms + 1 + sim_roll(1500);
		while (w.npinched < 64 && (w.pinched[w.npinched] = slots_take(pool)) != NULL)
			w.npinched++;
	}
}

static bool step(bool clients)
{
	pinch(clients);
	bool did = connects_act() | parent_act() | errands_act() | sim_tls_act_all();
	for (unsigned i = 0; i < w.nclients && clients; i++)
		did |= client_act(&w.client[i]);
	for (unsigned i = 0; i < sim.top; i++)
		if (w.voice[i].c)
			did |= voice_act(&w.voice[i]);
	did |= sim_deliver(&w.loop);
	w.loop.now_ms = sim.now_ms;
	int wait = flow_tick(w.f);
	for (unsigned i = 0; i < w.nclients && clients; i++) /* what the tick said has not been looked at */
		did |= !w.client[i].done && w.client[i].c && (w.client[i].c->got.n > 0 || sim_over(w.client[i].c));
	for (unsigned i = 0; i < sim.top; i++)
		did |= w.voice[i].c && !w.voice[i].mute && w.voice[i].c->got.n > 0;
	if (did || sim_news() || wait == 0) {
		if (w.hostile && dice(300))
			sim.no_accept_until_ms = sim.now_ms + sim_roll(1000);
		if (sim.rough && dice(4))
			sim.now_ms += sim_roll(3);
		return true;
	}
	int64_t next = wait > 0 ? sim.now_ms + wait : INT64_MAX;
	for (unsigned i = 0; i < w.nclients && clients; i++) {
		struct client *k = &w.client[i];
		if (!k->done && k->starts_ms > sim.now_ms && k->starts_ms < next)
			next = k->starts_ms;
		if (!k->done && k->leaves_ms > sim.now_ms && k->leaves_ms < next)
			next = k->leaves_ms;
	}
	for (unsigned i = 0; i < ERRANDS; i++)
		if (w.errand[i].at_ms != 0 && w.errand[i].at_ms < next)
			next = w.errand[i].at_ms;
	if (w.npinched > 0 && w.pinched_until_ms < next)
		next = w.pinched_until_ms;
	for (unsigned i = 0; i < w.nservers; i++)
		if (w.died_ms[i] && w.died_ms[i] + 200 < next)
			next = w.died_ms[i] + 200;
	for (unsigned i = 0; i < sim.top; i++) {
		if (w.voice[i].c && !w.voice[i].mute && w.voice[i].at_ms > sim.now_ms && w.voice[i].at_ms < next)
			next = w.voice[i].at_ms;
		if (sim.conn[i].tls && sim.conn[i].tls->wait_ms > sim.now_ms && sim.conn[i].tls->wait_ms < next)
			next = sim.conn[i].tls->wait_ms;
	}
	if (next == INT64_MAX)
		return false;
	sim.now_ms = next;
	return true;
}

static bool clients_done(void)
{
	for (unsigned i = 0; i < w.nclients; i++)
		if (!w.client[i].done)
			return false;
	return true;
}

static void run_for(int64_t ms)
{
	int64_t until = sim.now_ms + ms;
	for (unsigned i = 0; i < TURNS_MAX && sim.now_ms < until; i++)
		if (!step(false))
			return;
}

static unsigned log_lines;
static char *area;
static size_t area_size;

static void count_line(struct span line) { log_lines += line.n > 0; }

static const struct policy_rule all_rule[] = { { .allow = true, .pattern = { "*", 1 } } };
static const struct policy_rule tenant_rules[] = {
	{ .allow = false, .pattern = { "s*__hidden", 10 } }, /* in split worlds */
	{ .allow = true, .pattern = { "s2__*", 5 } }, { .allow = true, .pattern = { "s0__*", 5 }, .tenants = 1 },
	{ .allow = true, .pattern = { "s1__*", 5 }, .tenants = 2 },
};
static struct auth_key keys[TENANTS] = { { .id = { "zero", 4 }, .tenant = 0 }, { .id = { "one", 3 }, .tenant = 1 } };
static const struct span tenant_names[TENANTS] = { { "zero", 4 }, { "one", 3 } };

/* Everybody and everything, or two tenants with keys whose rights differ. */
static void identities(struct flow_settings *s)
{
	s->auth.tenants = (struct auth_names){ tenant_names, TENANTS };
	s->policy = (struct policy){ all_rule, 1 };
	if (!w.tenants) {
		s->auth.anonymous = true;
		return;
	}
	crypto_sha256(KEY_0, sizeof KEY_0 - 1, keys[0].sha256);
	crypto_sha256(KEY_1, sizeof KEY_1 - 1, keys[1].sha256);
	s->auth.keys = keys;
	s->auth.nkeys = TENANTS;
	s->policy = (struct policy){ tenant_rules + !w.split, 3 + w.split };
}

static void build(uint64_t seed)
{
	static const struct span names[] = { { "s0", 2 }, { "s1", 2 }, { "s2", 2 } };
	struct flow_settings *s = &w.set;
	memset(&w, 0, sizeof w);
	w.seed = seed;
	sim_begin(seed, seed % 10 != 0);
	sim_tls_world(seed);
	w.hostile = seed % 3 == 1;
	sim.faulty = w.hostile;
	w.tiny = seed % 5 == 2;
	w.calm = !w.hostile && !w.tiny;
	w.secure = seed % 6 == 5;
	w.nservers = 1 + sim_roll(UPS);
	w.nclients = 1 + sim_roll(CLIENTS);
	*s = (struct flow_settings){ .nlisteners = 1, .nservers = w.nservers, .plain = w.nservers == 1 && dice(2), .version = SPAN("0"),
		.connections = 16, .requests = 16, .listens = 12, .large = 26, .tokens = 4096, .links = 30, .body_max = 100000, .reply_max = 100000,
		.head_ms = 20000, .body_ms = 30000, .idle_ms = 60000, .write_ms = 300000, .keepalive_ms = 5000, .metrics = &w.metrics, .log = count_line };
	log_lines = 0;
	if (w.tiny) {
		s->connections = 1 + sim_roll(4);
		s->requests = 1 + sim_roll(2);
		s->listens = sim_roll(2);
		s->large = 2 + sim_roll(2);
		s->links = 2 + sim_roll(2);
	}
	memset(s->seed, 7, sizeof s->seed);
	memset(s->entropy, 8, sizeof s->entropy);
	s->handshake_ms = 5000;
	s->sessions = 32;
	s->records = w.tiny && w.secure ? 1 + sim_roll(4) : 12;
	s->hooks = (struct flow_hooks){ .sign = sim_sign, .unix_ms = sim_unix_ms, .token = get_token };
	w.tenants = seed % 4 == 3 && !s->plain;
	w.split = w.tenants && seed % 8 == 3;
	identities(s);
	s->listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 80 } };
	for (unsigned i = 0; i < w.nservers; i++)
		s->servers[i] = (struct flow_server){ .name = names[i], .kind = !dice(3) ? FLOW_HTTP : dice(2) ? FLOW_BUILTIN : FLOW_LINE, .host = SPAN("up"), .path = SPAN("/up"),
			.fields = SPAN(""), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = (uint16_t)(i + 1) },
			.connect_ms = 5000, .idle_ms = 10000, .call_ms = 40000 };
	for (unsigned i = 0; i < w.nservers; i++)
		s->servers[i].credential = s->servers[i].kind == FLOW_HTTP && seed % 4 >= 2;
	for (unsigned i = 0; i < w.nservers; i++)
		if (w.secure && s->servers[i].kind == FLOW_HTTP && !dice(3))
			s->servers[i].tls = &sim_route;
	if (w.secure)
		s->listeners[0].tls = &sim_door;
	w.need = flow_need(s);
	if (w.need + 2 * GUARD > area_size) { /* kept from world to world: fresh pages cost more than the worlds */
		free(area);
		area_size = (w.need + 2 * GUARD + 63) & ~(size_t)63;
		area = aligned_alloc(64, area_size);
		if (!area)
			abort();
	}
	w.area = area;
	memset(w.area, 0xa5, w.need + 2 * GUARD);
	memset(w.area + GUARD, 0, w.need);
	w.loop.now_ms = sim.now_ms;
	w.f = flow_place(w.area + GUARD, s, &w.loop);
	for (unsigned i = 0; i < w.nservers; i++)
		if (s->servers[i].kind != FLOW_HTTP)
			link_line(i);
	if (!flow_open(w.f))
		wrong("flow_open failed");
	for (unsigned i = 0; i < w.nclients; i++)
		new_client(i, false);
}

static void destroy(void)
{
	for (size_t i = 0; i < GUARD; i++)
		if ((unsigned char)w.area[i] != 0xa5 || (unsigned char)w.area[GUARD + w.need + i] != 0xa5) {
			wrong("memory outside the area was written");
			break;
		}
	for (unsigned i = 0; i <= CLIENTS; i++) {
		text_free(&w.client[i].in);
		text_free(&w.client[i].out);
	}
	for (unsigned i = 0; i < sim.top; i++) {
		text_free(&w.voice[i].in);
		text_free(&w.voice[i].out);
	}
	sim_end();
}

static void check_empty(void)
{
	struct flow *f = w.f;
	if (log_lines > 4 * w.nq + 300)
		wrong("%u lines of log for %u questions", log_lines, w.nq);
	struct { const char *name; uint64_t used; } pools[] = {
		{ "connections", f->fronts.used }, { "requests", f->txns.used }, { "calls", f->legs.used }, { "links", f->links.used },
		{ "TLS states", f->tls.states.used }, { "record buffers", f->tls.records.used },
		{ "postern_tls_connections_open", f->metrics->v[METRIC_TLS_OPEN] },
		{ "small buffers", f->small.used }, { "large buffers", f->large.used }, { "listens", f->listens },
		{ "postern_connections_open", f->metrics->v[METRIC_CONNECTIONS_OPEN] }, { "postern_requests_open", f->metrics->v[METRIC_REQUESTS_OPEN] },
		{ "postern_listens_open", f->metrics->v[METRIC_LISTENS_OPEN] }, { "postern_upstream_open", f->metrics->v[METRIC_UPSTREAM_OPEN] },
	};
	for (unsigned i = 0; i < sizeof pools / sizeof pools[0]; i++)
		if (pools[i].used != 0)
			wrong("%llu %s in use when everybody has left", (unsigned long long)pools[i].used, pools[i].name);
}

/* Clients have left: what was asked for them must have been called off, long before any timeout. */
static void check_cancelled(void)
{
	run_for(300);
	for (unsigned i = 0; i < sim.top; i++)
		if (w.voice[i].c && !w.voice[i].mute && w.voice[i].c->server >= 0 && w.voice[i].c->in.n > 0)
			wrong("a line is not read any more");
	for (unsigned i = 0; i < w.nq; i++) {
		struct question *q = &w.q[i];
		if (!q->answered && !q->cancelled && !q->catalog && !q->c->gate_closed && !q->c->closed && !q->c->reset)
			wrong("question %llu (mark %u) was abandoned and not called off by server %d (%s)", (unsigned long long)q->id, q->mark, q->server,
			    q->c->server >= 0 ? "line" : "http");
	}
}

static void relink(void)
{
	for (unsigned i = 0; i < w.nservers; i++)
		if (w.set.servers[i].kind != FLOW_HTTP && (!w.f->up[i].line_up || w.died_ms[i])) {
			w.died_ms[i] = 0;
			link_line(i);
		}
}

static void run_world(uint64_t seed)
{
	build(seed);
	bool drain = seed % 7 == 3;
	unsigned drain_at = sim_roll(2000);
	int64_t deadline = sim.now_ms + 3600000, drained_by = 0;
	if (drain)
		w.calm = false;
	unsigned i;
	for (i = 0; i < TURNS_MAX && !clients_done() && sim.now_ms < deadline; i++) {
		if (drain && i == drain_at) {
			w.loop.now_ms = sim.now_ms;
			flow_drain(w.f, 3000);
			w.draining = true;
			drained_by = sim.now_ms + 3000;
			for (unsigned c = 0; c < w.nclients; c++) /* nobody comes any more */
				if (!w.client[c].done && (!w.client[c].c || !w.client[c].c->accepted)) {
					if (w.client[c].c)
						leave(&w.client[c]);
					w.client[c].done = true;
				}
		}
		if (w.draining && flow_drained(w.f))
			break;
		if (!step(true))
			break;
	}
	pinch(false);
	if (w.draining) {
		w.loop.now_ms = sim.now_ms;
		if (!flow_drained(w.f) && sim.now_ms > drained_by + 100)
			wrong("not drained within its time");
		for (unsigned c = 0; c < w.nclients; c++)
			if (!w.client[c].done && w.client[c].c)
				leave(&w.client[c]);
		run_for(70000);
	} else {
		if (!clients_done())
			wrong("stalled after %u steps at %lld", i, (long long)sim.now_ms);
		for (unsigned c = 0; c < w.nclients; c++)
			if (!w.client[c].done)
				wrong("  client %u has %u of %u answers", c, w.client[c].answered, w.client[c].n);
		check_cancelled();
		w.hostile = w.tiny = sim.faulty = false;
		sim.no_accept_until_ms = 0;
		relink();
		for (unsigned v = 0; v < sim.top; v++) /* what hangs, dies */
			if (w.voice[v].c && !w.voice[v].mute && w.voice[v].c->server < 0 && w.voice[v].stalled)
				sim_close(w.voice[v].c), w.voice[v].mute = true;
		run_for(70000);
		sim.now_ms += FLOW_CATALOG_RETRY_MS; /* what could not be learned is asked for again */
		new_client(CLIENTS, true);
		w.client[0] = (text_free(&w.client[0].in), text_free(&w.client[0].out), w.client[CLIENTS]);
		w.client[CLIENTS] = (struct client){ .done = true };
		w.nclients = 1;
		for (i = 0; i < TURNS_MAX && !clients_done() && step(true); i++)
			;
		if (w.client[0].good != 1)
			wrong("a good client that came later was not served: %.200s", w.client[0].in.p ? w.client[0].in.p : "(nothing)");
		run_for(70000);
	}
	check_empty();
	destroy();
}

static void worlds(const char *name, uint64_t from, uint64_t count)
{
	unsigned failed = 0;
	for (uint64_t seed = from; seed < from + count; seed++) {
		run_world(seed);
		failed += w.failed;
		if (loud && w.failed)
			diag("world %llu failed", (unsigned long long)seed);
	}
	is_int(failed, 0, name);
}

/* A provider that reads nothing, and clients that ask it and go away: what was asked and never sent is taken back. */
static void stalled_line(void)
{
	memset(&w, 0, sizeof w);
	uint64_t seed = 1;
	do
		build(seed++ * 30); /* neither hostile nor tiny, nothing rough */
	while ((w.nservers != 2 || w.set.servers[0].kind != FLOW_BUILTIN || w.set.servers[1].kind != FLOW_HTTP) && (destroy(), true));
	w.nclients = 0;
	for (unsigned i = 0; i < CLIENTS; i++)
		w.client[i].done = true;
	run_for(100); /* the catalogues are known */
	struct voice *line = NULL;
	for (unsigned i = 0; i < sim.top; i++)
		if (w.voice[i].c && w.voice[i].c->server == 0)
			line = &w.voice[i];
	line->mute = true;
	line->c->window = 2000;
	unsigned most = 0;
	for (unsigned i = 0; i < 600; i++) {
		new_client(0, true);
		struct client *k = &w.client[0];
		k->sent = 1;
		do {
			w.marks = i;
			k->out.n = 0;
			write_ask(k, 0);
		} while (k->server[0] != 0);
		k->c = sim_client();
		sim_say(k->c, k->out.p, k->out.n);
		run_for(1);
		(void)step(false);
		sim_reset(k->c);
		run_for(1);
		(void)step(false);
		text_free(&k->out);
		most = w.f->small.used > most ? w.f->small.used : most;
		free(k->c->in.p);
		free(k->c->got.p);
		*k->c = (struct sim_conn){ .used = false }; /* its place is free for the next */
		k->done = true;
	}
	ok(most < 24, "a provider that reads nothing does not collect buffers");
	is_int(w.f->legs.used, 0, "nor calls");
	destroy();
}

/* One connection to the upstream is enough to learn what it offers and then to call it. */
static void one_link(void)
{
	unsigned good = 0, known = 0;
	for (uint64_t seed = 30; seed < 3030; seed += 30) {
		memset(&w, 0, sizeof w);
		build(seed);
		if (w.nservers == 1 && w.set.servers[0].kind == FLOW_HTTP) {
			w.set.links = 1;
			w.calm = false; /* an event stream may still be ending on the only connection */
			new_client(0, true);
			w.client[0].starts_ms += 3000;
			w.nclients = 1;
			for (unsigned i = 0; i < TURNS_MAX && !clients_done() && step(true); i++)
				;
			good += w.client[0].good;
			known += w.f->up[0].catalog_state == CATALOG_KNOWN && w.client[0].good;
		}
		destroy();
	}
	ok(good > 0, "calls over the only connection are answered");
	ok(known > 0, "and what is offered was learned over it in two questions");
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		loud = true;
		worlds("chosen worlds", strtoull(argv[1], NULL, 10), argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
		return done_testing();
	}
	worlds("seeded worlds: one answer each, nobody else's, nothing left behind", 1, 1500);
	stalled_line();
	one_link();
	free(area);
	diag("%u questions to upstreams, %u answers, %u of them results, %u cancellations", total_questions, total_answers, total_results, total_cancelled);
	ok(total_results > 1000, "most of it went well");
	ok(total_cancelled > 10, "some was called off");
	return done_testing();
}
