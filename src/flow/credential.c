/* An upstream's credential: got from another process for each call, put into the request as one head line, and wiped with the buffer. */
#include "flow/flow_priv.h"
#include "flow/leg.h"
#include "wire/crypto.h"
#include "wire/http_head.h"

#define NOTHING span_of(NULL, 0)

static void ask(struct leg *l, struct buffer *request)
{
	struct flow *f = l->f;
	const struct flow_hooks *hooks = &f->set->hooks;
	const struct flow_server *s = l->up->set;
	int64_t until = flow_now(f) + s->connect_ms;
	struct span subject = NOTHING;

	l->request = request;
	if (s->exchange && l->txn) {
		subject = l->txn->front->inner == FLOW_INNER_ELDER ? elder_token(l->txn) : l->txn->token;
		if (l->txn->who.kind != IDENTITY_TOKEN || span_absent(subject)) {
			leg_failed(l, LEG_CREDENTIAL, SPAN("is asked in the name of the caller, who must come with an access token for that"));
			return;
		}
	}
	timer_arm(&f->timers, &l->timer, l->total_until_ms != 0 && l->total_until_ms < until ? l->total_until_ms : until);
	if (!hooks->token || !hooks->token(hooks->ctx, l->up->index, l->tenant, leg_id(l), subject, l->again))
		leg_failed(l, LEG_CREDENTIAL, SPAN("cannot be asked: no credential for it is to be had"));
}

void credential_ask(struct leg *l, struct buffer *request) { ask(l, request); }

bool credential_may_again(const struct leg *l) { return l->up->set->credential && !l->again; }

/* Takes the line out again: the start of the request moves up over it. */
static void take_out(struct leg *l, struct buffer *b)
{
	char *head = b->p + b->from;
	const char *nl = memchr(head, '\n', b->n - b->from);
	if (!nl || l->credential_n == 0)
		return;
	memmove(head + l->credential_n, head, (size_t)(nl + 1 - head));
	crypto_wipe(head, l->credential_n);
	b->from += l->credential_n;
	l->credential_n = 0;
}

void credential_again(struct leg *l, struct buffer *request)
{
	take_out(l, request);
	l->again = true;
	ask(l, request);
}

/* Behind the request line, for which the head has been given room before it. The line comes from a process that talks to others: it must be one field. */
static bool put_in(struct leg *l, struct buffer *b, struct span line)
{
	size_t n = line.n + 2;
	char *head = b->p + b->from;
	const char *nl = memchr(head, '\n', b->n - b->from);

	if (!nl || line.n > FLOW_CREDENTIAL_MAX || n > b->from || !http_field_ok(line))
		return false;
	size_t first = (size_t)(nl + 1 - head);
	memmove(head - n, head, first);
	b->from -= (uint32_t)n;
	b->secret = true;
	memcpy(b->p + b->from + first, line.p, line.n);
	memcpy(b->p + b->from + first + line.n, "\r\n", 2);
	l->credential_n = (uint32_t)n;
	return true;
}

void flow_credential(struct flow *f, uint64_t call, struct span line)
{
	struct leg *l = leg_of_call(f, call);
	if (!l || !l->request)
		return; /* cancelled, or it came too late */
	if (span_absent(line)) {
		leg_failed(l, LEG_CREDENTIAL, SPAN("cannot be asked: no credential for it is to be had"));
		return;
	}
	if (!put_in(l, l->request, line)) {
		leg_failed(l, LEG_CREDENTIAL, SPAN("cannot be asked: its credential is no head line that fits"));
		return;
	}
	struct buffer *request = l->request;
	l->request = NULL;
	leg_dispatch(l, request);
}
