#include "role/signing.h"

#include "os/clock.h"
#include "os/sock.h"
#include "wire/private_key.h"

enum { LATE_MAX = 16 }; /* answers to earlier questions that are passed over */

static int edge = -1;
static uint32_t serial;
static int64_t pause_until_ms;

_Static_assert((int)MSG_SIGNATURE_MAX == (int)TLS_SIGNATURE_MAX, "a signature fits a message");

void signing_link(int fd)
{
	if (edge >= 0)
		sock_close(edge);
	edge = fd;
	pause_until_ms = 0;
}

static size_t take_answer(uint8_t *signature)
{
	struct msg_signed answer;

	for (unsigned i = 0; i < LATE_MAX; i++) {
		long n = sock_read(edge, &answer, sizeof answer);

		if (n == SOCK_AGAIN)
			break;
		if (n != (long)sizeof answer || answer.type != MSG_SIGNED || answer.n > sizeof answer.signature) {
			signing_link(-1); /* it has ended, or talks nonsense: a new one comes when it is started again */
			return 0;
		}
		if (answer.serial != serial)
			continue;
		memcpy(signature, answer.signature, answer.n);
		return answer.n;
	}
	pause_until_ms = clock_monotonic_ms() + SIGNING_PAUSE_MS;
	return 0;
}

size_t signing_ask(void *ctx, unsigned key, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX])
{
	struct msg_sign m = { .type = MSG_SIGN, .serial = ++serial, .key = key, .hash = hash, .n = (uint32_t)digest.n };
	long n;

	(void)ctx;
	if (edge < 0 || digest.n > sizeof m.digest || clock_monotonic_ms() < pause_until_ms)
		return 0;
	memcpy(m.digest, digest.p, digest.n);
	n = sock_write(edge, &m, sizeof m);
	if (n == SOCK_ERROR)
		signing_link(-1);
	else if (n == SOCK_AGAIN)
		pause_until_ms = clock_monotonic_ms() + SIGNING_PAUSE_MS;
	return n == (long)sizeof m ? take_answer(signature) : 0;
}

const struct tls_signer *signing_signer(void)
{
	static const struct tls_signer signer = { signing_ask, NULL };

	return &signer;
}

const char *signing_wrong(const struct msg_sign *m, long n, unsigned nkeys)
{
	if (n != (long)sizeof *m || m->type != MSG_SIGN)
		return "what is no question for a signature";
	if (m->key >= nkeys)
		return "for a key that is not there";
	if (private_key_digest((enum tls_hash)m->hash) == 0)
		return "for a hash that is not signed";
	if (m->n != private_key_digest((enum tls_hash)m->hash))
		return "for a digest of the wrong length";
	for (unsigned i = m->n; i < sizeof m->digest; i++)
		if (m->digest[i])
			return "with more than a digest";
	return NULL;
}
