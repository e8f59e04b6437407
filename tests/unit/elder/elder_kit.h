/* What the elder's tests share: an elder whose hooks write down what they are told, a line each, and short words for what comes in. */
#ifndef TESTS_UNIT_ELDER_KIT_H
#define TESTS_UNIT_ELDER_KIT_H

#include <stdlib.h>

#include "base/text.h"
#include "elder/elder.h"
#include "tap.h"

enum { SAID_MAX = 1 << 20 };

static char said_mem[SAID_MAX], took_mem[SAID_MAX];
static size_t said_n;
static uint64_t asked_last;       /* number of the last question */
static uint64_t asked_for;        /* the call it was made of */
static unsigned asked_count, dropped_count, replies, streams, ends;
static bool refuse_send, refuse_event;
static struct elder_settings kit_set;
static struct elder *elder;
static int64_t now = 1000;
static char sid[64];
static uint64_t next_call = 1;

static void put(struct span s)
{
	if (s.n > 0 && said_n + s.n < sizeof said_mem)
		memcpy(said_mem + said_n, s.p, s.n), said_n += s.n;
}

__attribute__((format(printf, 1, 2))) static void putf(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	said_n += (size_t)vsnprintf(said_mem + said_n, sizeof said_mem - said_n, format, ap);
	va_end(ap);
}

static void kit_reply(void *ctx, unsigned worker, uint64_t call, unsigned status, struct span session, bool again, uint64_t scopes, struct span json)
{
	(void)ctx;
	replies++;
	if (!span_absent(session))
		snprintf(sid, sizeof sid, "%.*s", (int)session.n, session.p);
	if (scopes != 0)
		putf("lacks %" PRIu64 " ", scopes);
	putf("reply %u.%" PRIu64 " %u%s%s ", worker, call, status, span_absent(session) ? "" : " session", again ? " again" : "");
	put(json);
	putf("\n");
}

static void kit_stream(void *ctx, unsigned worker, uint64_t call, struct span session)
{
	(void)ctx;
	streams++;
	putf("stream %u.%" PRIu64 "%s\n", worker, call, span_absent(session) ? "" : " session");
}

static bool kit_event(void *ctx, unsigned worker, uint64_t call, struct span id, struct span json)
{
	(void)ctx;
	if (refuse_event)
		return false;
	putf("event %u.%" PRIu64 " %.*s ", worker, call, (int)id.n, id.p);
	put(json);
	putf("\n");
	return true;
}

static void kit_end(void *ctx, unsigned worker, uint64_t call)
{
	(void)ctx;
	ends++;
	putf("end %u.%" PRIu64 "\n", worker, call);
}

static bool kit_send(void *ctx, const struct elder_question *q)
{
	(void)ctx;
	if (refuse_send)
		return false;
	asked_last = q->number;
	asked_for = q->call;
	asked_count++;
	putf("ask %u %.*s", q->worker, (int)q->method.n, q->method.p);
	if (!span_absent(q->name))
		putf(" [%.*s]", (int)q->name.n, q->name.p);
	putf(" <%.*s> ", (int)q->identity.n, q->identity.p);
	put(q->body);
	putf("\n");
	return true;
}

static void kit_drop(void *ctx, uint64_t number)
{
	(void)ctx;
	dropped_count++;
	putf("drop%s\n", number == asked_last ? "" : " older");
}

static void kit_settings(struct elder_settings *s)
{
	*s = (struct elder_settings){
		.version = SPAN("9.9"), .workers = 2, .sessions = 8, .sessions_each = 4, .calls = 16, .body_max = 65536, .reply_max = 65536,
		.kept = 1 << 20, .kept_each = 64 << 10, .tokens = 4096, .idle_ms = 60000,
		.hooks = { .reply = kit_reply, .stream = kit_stream, .event = kit_event, .end = kit_end, .send = kit_send, .drop = kit_drop },
	};
	memset(s->entropy, 7, sizeof s->entropy);
}

static void kit_place(void)
{
	static void *mem;

	free(mem);
	mem = NULL;
	if (posix_memalign(&mem, 64, elder_need(&kit_set)) != 0)
		abort();
	memset(mem, 0, elder_need(&kit_set));
	elder = elder_place(mem, &kit_set);
	elder_worker_joined(elder, 0);
	elder_worker_joined(elder, 1);
	said_n = 0;
	refuse_send = refuse_event = false;
}

static void kit_begin(void)
{
	kit_settings(&kit_set);
	kit_place();
}

/* What was said since the last time, with \n between lines. */
static const char *said(void)
{
	memcpy(took_mem, said_mem, said_n);
	took_mem[said_n] = 0;
	said_n = 0;
	return took_mem;
}

static const uint8_t alice[ELDER_PRINCIPAL_N] = { 1 }, bob[ELDER_PRINCIPAL_N] = { 2 };
static const uint8_t *caller = alice;
static const char *identity = "id1";
static unsigned by_worker;

static struct span maybe(const char *z) { return z ? span_z(z) : span_of(NULL, 0); }

static uint64_t come(enum elder_way way, const char *session, const char *version, const char *last_event, const char *body)
{
	struct elder_asked a = { .worker = by_worker, .call = next_call++, .way = way, .principal = caller, .identity = span_z(identity), .version = maybe(version),
		.session = maybe(session), .last_event = maybe(last_event), .body = maybe(body) };

	elder_asks(elder, &a, now);
	return a.call;
}

static uint64_t post(const char *body) { return come(ELDER_BY_POST, sid, NULL, NULL, body); }
static void answer(uint64_t number, const char *json) { elder_message(elder, number, span_z(json), now); }

/* The answer to the question asked last, `rest` being {"result":…} or {"error":…} without its first brace. */
static void answered(const char *rest)
{
	static char mem[SAID_MAX];
	uint64_t number = asked_last;

	snprintf(mem, sizeof mem, "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",%s", number, rest);
	answer(number, mem);
	elder_over(elder, number, SPAN("closed"), now);
}

#define DISCOVERED "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{\"listChanged\":true}," \
	"\"resources\":{\"subscribe\":true,\"listChanged\":true},\"prompts\":{},\"completions\":{},\"logging\":{},\"extensions\":{\"x/y\":{}}},\"instructions\":\"Be kind\"," \
	"\"ttlMs\":5,\"cacheScope\":\"private\",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"srv\",\"version\":\"3\"}}}}"
#define CAPS_ALL "{\"roots\":{\"listChanged\":true},\"sampling\":{\"tools\":{}},\"elicitation\":{\"form\":{},\"url\":{}}}"

__attribute__((unused)) static const char *begin_session(const char *version, const char *caps)
{
	char body[2048];

	snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\",\"capabilities\":%s,"
		"\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}", version, caps);
	sid[0] = 0;
	come(ELDER_BY_POST, NULL, NULL, NULL, body);
	answered(DISCOVERED);
	said();
	post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	said();
	return sid;
}

/* One test: `want` stands in `got`, which is shown if not. */
static bool tap_has(const char *got, const char *want, const char *name, const char *file, int line)
{
	if (tap_ok(strstr(got, want) != NULL, name, file, line))
		return true;
	diag("     got %s", got);
	diag("    want %s", want);
	return false;
}
#define has(got, want, name) tap_has((got), (want), (name), __FILE__, __LINE__)
#define hasnt(got, want, name) (tap_ok(strstr((got), (want)) == NULL, (name), __FILE__, __LINE__) || (diag("     got %s", (got)), false))

#endif
