/* What a caller carries from a question to its answer: a requestState (gate/seal.h, "b1."), good for this process, this caller, this call, this round, for
 * a time. */
#include "bridge/bridge_state.h"
#include "gate/seal.h"

_Static_assert(sizeof(struct bridge_round) == 24 && (int)BRIDGE_KEY == (int)SEAL_KEY, "no gap: all of it is given away");

void round_digest(const struct json *j, const struct mcp_message *m, uint8_t digest[CRYPTO_HASH])
{
	/* The NULs part what is hashed: no JSON text holds one. */
	const struct span parts[] = { mcp_method_name(m->method), SPAN("\0"), json_raw(j, m->name), SPAN("\0"),
		m->arguments != JSON_NONE ? json_raw(j, m->arguments) : SPAN("") };

	crypto_hmac_sha256(SPAN("postern bridge call").p, 19, parts, sizeof parts / sizeof parts[0], digest);
}

static struct seal seal_for(const struct bridge *b, const struct bridge_call *c)
{
	return (struct seal){ SPAN("b1."), b->s.key, { call_principal(c), span_of((const char *)c->digest, CRYPTO_HASH) } };
}

void round_put(const struct bridge *b, const struct bridge_call *c, uint32_t kind, uint64_t id, uint32_t round, struct buf *out)
{
	const struct seal s = seal_for(b, c);
	const struct bridge_round what = { id, bridge_now(b) + b->s.park_ms, round, kind };
	char mem[sizeof what + SEAL_MAC];
	struct buf plain = buf_on(mem, sizeof mem);

	buf_put(&plain, span_of((const char *)&what, sizeof what));
	seal_write(out, &s, &plain);
}

bool round_get(const struct bridge *b, const struct bridge_call *c, uint32_t token, struct bridge_round *what)
{
	const struct seal s = seal_for(b, c);
	char text_mem[SEAL_TEXT(sizeof *what)], mem[sizeof *what + SEAL_MAC];
	struct buf text = buf_on(text_mem, sizeof text_mem), plain = buf_on(mem, sizeof mem);

	json_text(&b->json, token, &text);
	if (text.full || !seal_text(&s, buf_span(&text), &plain) || plain.n != sizeof *what || !seal_good(&s, &plain))
		return false;
	memcpy(what, mem, sizeof *what);
	return bridge_now(b) < what->until_ms;
}
