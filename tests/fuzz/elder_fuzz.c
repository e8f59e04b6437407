/*
 * A script for the elder, a line a step: what clients send, what the modern side says, workers that go, time that passes. Whatever it is: each request
 * gets at most one answer in the right order, none after its client has gone, and once all questions have ended and time has passed, each has one.
 *
 *   I<version>    initialize of one of the revisions, answered      P<json>   a POST in the session          G<id>     GET, with Last-Event-ID if not empty
 *   D             DELETE                                            A<json>   said to the last question      R<json>   the result of the last question
 *   N<json>       the acknowledgement of the last question, a listen  O       the last question ends         C<c>      client c has gone
 *   W<c>          worker c is lost, and comes again                 T<c>      time passes                    S<c>      another session or principal
 *   F<c>          events or questions are refused, or not           L<c>      the last question's answer will lack scopes
 */
#include <stdlib.h>

#include "base/buf.h"
#include "elder/elder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { CALLS = 512, QUESTIONS = 512, SESSIONS = 8 };

static struct { bool used, streaming, over, gone, get; unsigned worker; } calls[CALLS];
static struct { uint64_t number; bool open; } questions[QUESTIONS];
static unsigned ncalls, nquestions;
static bool refuse_events, refuse_questions;
static char ids[SESSIONS][33];
static unsigned nids, current;
static struct elder *elder;
static struct elder_settings set;
static int64_t now;

static void must(bool right)
{
	if (!right)
		__builtin_trap();
}

static void may(unsigned worker, uint64_t call, bool streaming)
{
	must(call < ncalls && calls[call].used && !calls[call].over && !calls[call].gone && calls[call].worker == worker && calls[call].streaming == streaming);
}

static void reply(void *ctx, unsigned worker, uint64_t call, unsigned status, struct span session, bool again, uint64_t scopes, struct span json)
{
	(void)ctx, (void)again;
	may(worker, call, false);
	must(status == 200 || status == 202 || status == 400 || status == 403 || status == 404 || status == 503);
	must(scopes == 0 || status == 403);
	must(json.n <= set.reply_max + ELDER_GROWTH);
	calls[call].over = true;
	if (!span_absent(session) && nids < SESSIONS) {
		must(session.n == 32);
		memcpy(ids[nids], session.p, 32);
		current = nids++;
	}
}

static void stream(void *ctx, unsigned worker, uint64_t call, struct span session)
{
	(void)ctx, (void)session;
	may(worker, call, false);
	calls[call].streaming = true;
}

static bool event(void *ctx, unsigned worker, uint64_t call, struct span id, struct span json)
{
	(void)ctx;
	may(worker, call, true);
	must(id.n > 2 && id.n < 24 && json.n <= set.reply_max + ELDER_GROWTH);
	calls[call].over = refuse_events;
	return !refuse_events;
}

static void end(void *ctx, unsigned worker, uint64_t call)
{
	(void)ctx;
	may(worker, call, true);
	calls[call].over = true;
}

static bool send_question(void *ctx, const struct elder_question *q)
{
	(void)ctx;
	must(q->number != 0 && q->method.n > 0 && q->body.n > 0 && q->worker < set.workers);
	if (refuse_questions || nquestions == QUESTIONS)
		return false;
	for (unsigned i = 0; i < nquestions; i++)
		must(questions[i].number != q->number);
	questions[nquestions].number = q->number;
	questions[nquestions++].open = true;
	return true;
}

static void drop(void *ctx, uint64_t number)
{
	unsigned i = 0;

	(void)ctx;
	while (i < nquestions && questions[i].number != number)
		i++;
	must(i < nquestions && questions[i].open);
	questions[i].open = false;
}

static void come(enum elder_way way, struct span last_event, struct span body)
{
	static const uint8_t principals[2][ELDER_PRINCIPAL_N] = { { 1 }, { 2 } };
	struct elder_asked a = { .worker = ncalls & 1, .call = ncalls, .way = way, .principal = principals[current >> 6 & 1], .identity = SPAN("me"),
		.session = nids > 0 ? span_of(ids[current % nids], 32) : span_of(NULL, 0), .last_event = last_event.n > 0 ? last_event : span_of(NULL, 0), .body = body };

	if (ncalls == CALLS)
		return;
	calls[ncalls].used = true;
	calls[ncalls].get = way == ELDER_BY_GET;
	calls[ncalls++].worker = a.worker;
	elder_asks(elder, &a, now);
}

static unsigned last_open(void)
{
	for (unsigned i = nquestions; i > 0; i--)
		if (questions[i - 1].open)
			return i - 1;
	return QUESTIONS;
}

static void over(unsigned i)
{
	questions[i].open = false;
	elder_over(elder, questions[i].number, SPAN("over"), now);
}

static void say(struct span front, struct span rest, bool ends)
{
	static char mem[70000];
	struct buf b = buf_on(mem, sizeof mem);
	unsigned i = last_open();

	if (i == QUESTIONS)
		return;
	buf_put(&b, front);
	buf_put(&b, rest);
	if (front.n > 0)
		BUF_LIT(&b, "}");
	if (!b.full)
		elder_message(elder, questions[i].number, buf_span(&b), now);
	if (ends && questions[i].open)
		over(i);
}

static void initialize(struct span rest)
{
	static const char *const version[] = { "2025-03-26", "2025-06-18", "2025-11-25" };
	char mem[512];
	struct buf b = buf_on(mem, sizeof mem);

	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"");
	buf_put(&b, span_z(version[rest.n > 0 ? (unsigned char)rest.p[0] % 3 : 2]));
	BUF_LIT(&b, "\",\"capabilities\":{\"roots\":{},\"sampling\":{\"tools\":{}},\"elicitation\":{\"form\":{},\"url\":{}}},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}");
	come(ELDER_BY_POST, span_of(NULL, 0), buf_span(&b));
	say(SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"), SPAN("{\"resultType\":\"complete\",\"capabilities\":{\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":true},"
		"\"resources\":{\"subscribe\":true,\"listChanged\":true},\"logging\":{},\"completions\":{}}}"), true);
}

static void step(char what, struct span rest)
{
	unsigned char c = rest.n > 0 ? (unsigned char)rest.p[0] : 0;

	switch (what) {
	case 'I':
		initialize(rest);
		break;
	case 'P':
		come(ELDER_BY_POST, span_of(NULL, 0), rest);
		break;
	case 'G':
		come(ELDER_BY_GET, rest, span_of(NULL, 0));
		break;
	case 'D':
		come(ELDER_BY_DELETE, span_of(NULL, 0), span_of(NULL, 0));
		break;
	case 'A':
		say(SPAN(""), rest, false);
		break;
	case 'R':
		say(SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"), rest, true);
		break;
	case 'N':
		say(SPAN("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":1},\"notifications\":"),
			rest.n > 0 ? rest : SPAN("{}"), false);
		break;
	case 'O':
		if (last_open() != QUESTIONS)
			over(last_open());
		break;
	case 'C':
		if (c < ncalls && calls[c].used && !calls[c].over && !calls[c].gone) {
			calls[c].gone = true;
			elder_client_gone(elder, calls[c].worker, c, now);
		}
		break;
	case 'W':
		for (unsigned i = 0; i < ncalls; i++)
			calls[i].gone = calls[i].gone || calls[i].worker == (c & 1);
		elder_worker_lost(elder, c & 1, now);
		elder_worker_joined(elder, c & 1);
		break;
	case 'T':
		now += (int64_t)c * c * 16;
		(void)elder_tick(elder, now);
		break;
	case 'S':
		current = c;
		break;
	case 'F':
		refuse_events = c & 1;
		refuse_questions = c >> 1 & 1;
		break;
	case 'L':
		if (last_open() != QUESTIONS)
			elder_lacks(elder, questions[last_open()].number, c);
		break;
	default:
		break;
	}
}

/* All ends: then everybody who is still there and has asked has been answered. */
static void finish(void)
{
	refuse_questions = true;
	for (unsigned round = 0; round < 4; round++) {
		while (last_open() != QUESTIONS)
			over(last_open());
		now += ELDER_ANSWER_MS;
		(void)elder_tick(elder, now);
	}
	for (unsigned i = 0; i < ncalls; i++)
		must(calls[i].get || calls[i].over || calls[i].gone);
	must(elder_calls(elder) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void *mem;

	set = (struct elder_settings){ .version = SPAN("1"), .workers = 2, .sessions = 4, .sessions_each = 3, .calls = 8, .body_max = 8192, .reply_max = 16384,
		.kept = 1 << 17, .kept_each = 1 << 14, .tokens = 1024, .idle_ms = 3600000,
		.hooks = { .reply = reply, .stream = stream, .event = event, .end = end, .send = send_question, .drop = drop } };
	if (!mem && posix_memalign(&mem, 64, elder_need(&set)) != 0)
		abort();
	memset(mem, 0, elder_need(&set));
	memset(calls, 0, sizeof calls);
	ncalls = nquestions = nids = current = 0;
	refuse_events = refuse_questions = false;
	now = 1000;
	elder = elder_place(mem, &set);
	elder_worker_joined(elder, 0);
	elder_worker_joined(elder, 1);
	initialize(SPAN(""));
	while (n > 0) {
		const uint8_t *nl = memchr(data, '\n', n);
		size_t line = nl ? (size_t)(nl - data) : n;

		if (line > 0 && line <= 8192)
			step((char)data[0], span_of((const char *)data + 1, line - 1));
		data += line + (nl != NULL);
		n -= line + (nl != NULL);
	}
	finish();
	return 0;
}
