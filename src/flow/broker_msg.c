#include "flow/broker_msg.h"

size_t broker_msg_size(const union broker_packet *m)
{
	switch (m->type) {
	case BROKER_ASK_KEYS:
		return sizeof m->ask_keys;
	case BROKER_KEYS:
		return m->keys.state == BROKER_KEYS_HERE ? sizeof m->keys : offsetof(struct broker_keys, set);
	case BROKER_INTROSPECT:
		return sizeof m->introspect.head + m->introspect.head.n;
	case BROKER_INTROSPECTED:
		return sizeof m->introspected.head + m->introspected.head.n;
	case BROKER_TOKEN_ASK:
		return sizeof m->token_ask.head + m->token_ask.head.n;
	case BROKER_TOKEN:
		return sizeof m->token.head + m->token.head.n;
	default:
		return 0;
	}
}

/* The bytes that must be there before any field of it may be looked at. */
static size_t head_size(uint32_t type)
{
	switch (type) {
	case BROKER_ASK_KEYS:
		return sizeof(struct broker_ask_keys);
	case BROKER_KEYS:
		return offsetof(struct broker_keys, set);
	case BROKER_INTROSPECT:
		return sizeof(struct broker_introspect);
	case BROKER_INTROSPECTED:
		return sizeof(struct broker_introspected);
	case BROKER_TOKEN_ASK:
		return sizeof(struct broker_token_ask);
	case BROKER_TOKEN:
		return sizeof(struct broker_token);
	default:
		return SIZE_MAX;
	}
}

static bool asks(uint32_t type) { return type == BROKER_ASK_KEYS || type == BROKER_INTROSPECT || type == BROKER_TOKEN_ASK; }

/* One key of a set that came: what jwk.h promises about its lengths. The receiver indexes with them. */
static bool key_holds(const struct jwk *k)
{
	if (k->kid_n > JWK_KID_MAX || k->kind > JWK_P384 || (k->algs >> JWK_ALGS) != 0)
		return false;
	if (k->kind == JWK_RSA)
		return k->n_n > 0 && k->n_n <= JWK_RSA_MAX && k->e_n > 0 && k->e_n <= sizeof k->e;
	return k->point_n == (k->kind == JWK_P256 ? 65 : 97);
}

static bool set_holds(const struct jwk_set *s)
{
	if (s->n == 0 || s->n > JWK_SET_MAX)
		return false;
	for (uint32_t i = 0; i < s->n; i++)
		if (!key_holds(&s->keys[i]))
			return false;
	return true;
}

static const char *answer_wrong(uint32_t there, uint32_t n, uint32_t zero)
{
	if (there > 1 || zero != 0)
		return "a message with a field that is no yes or no";
	return there == (n > 0) ? NULL : "a message whose text does not go with what it says";
}

const char *broker_msg_wrong(const union broker_packet *m, size_t n, bool to_broker)
{
	if (n < sizeof m->type || n < head_size(m->type))
		return "a message of no known type, or too short";
	if (asks(m->type) != to_broker)
		return "a message of the other direction";
	if ((m->type == BROKER_INTROSPECT && m->introspect.head.n > BROKER_TEXT_MAX)
		|| (m->type == BROKER_INTROSPECTED && m->introspected.head.n > BROKER_TEXT_MAX)
		|| (m->type == BROKER_TOKEN_ASK && m->token_ask.head.n > BROKER_TEXT_MAX)
		|| (m->type == BROKER_TOKEN && m->token.head.n > BROKER_TEXT_MAX) || n != broker_msg_size(m))
		return "a message of the wrong length";
	switch (m->type) {
	case BROKER_KEYS:
		if (m->keys.state > BROKER_KEYS_HERE)
			return "a message with keys in no known state";
		return m->keys.state == BROKER_KEYS_HERE && !set_holds(&m->keys.set) ? "a set of keys that is none" : NULL;
	case BROKER_INTROSPECT:
		return m->introspect.head.n == 0 || m->introspect.head.zero != 0 ? "a question about no token" : NULL;
	case BROKER_INTROSPECTED:
		return answer_wrong(m->introspected.head.there, m->introspected.head.n, m->introspected.head.zero);
	case BROKER_TOKEN_ASK:
		return m->token_ask.head.again > 1 || m->token_ask.head.zero != 0 ? "a message with a field that is no yes or no" : NULL;
	case BROKER_TOKEN:
		return answer_wrong(m->token.head.there, m->token.head.n, m->token.head.zero);
	default:
		return NULL;
	}
}
