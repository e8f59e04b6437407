/* role/signing.h: what is a right question, and the asking side against a keeper that answers, is late, lies, hangs or is gone. */
#include <poll.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/pass.h"
#include "os/sock.h"
#include "os/proc.h"
#include "role/signing.h"
#include "tap.h"

enum { WAIT_MS = 200 };

enum behaviour { ANSWERS, ANSWERS_LATE_ONES_FIRST, ANSWERS_NONE, TOO_SHORT, TOO_LONG_SIGNATURE, OTHER_TYPE, HANGS, ENDS };

static void serve(int end, enum behaviour how)
{
	struct msg_sign m;
	struct msg_signed a = { .type = MSG_SIGNED, .n = 70 };
	int fd;

	for (;;) {
		pass_wait(end, 5000);
		if (pass_take(end, &m, sizeof m, &fd) != (long)sizeof m || signing_wrong(&m, sizeof m, 4) || how == ENDS)
			_exit(0);
		memset(a.signature, (int)(m.key + m.hash), sizeof a.signature);
		a.serial = m.serial;
		switch (how) {
		case ANSWERS_LATE_ONES_FIRST:
			for (uint32_t old = 1; old <= 3; old++) {
				struct msg_signed late = a;

				late.serial -= old;
				memset(late.signature, 'x', sizeof late.signature);
				pass_answer(end, &late, sizeof late);
			}
			break;
		case ANSWERS_NONE:
			a.n = 0;
			break;
		case TOO_SHORT:
			pass_answer(end, &a, sizeof a - 1);
			continue;
		case TOO_LONG_SIGNATURE:
			a.n = MSG_SIGNATURE_MAX + 1;
			break;
		case OTHER_TYPE:
			a.type = MSG_SIGN;
			break;
		case HANGS:
			continue;
		default:
			break;
		}
		pass_answer(end, &a, sizeof a);
	}
}

static void keeper(enum behaviour how)
{
	int pair[2];

	if (!pass_pair_asking(pair, WAIT_MS))
		_exit(99);
	if (proc_fork() == 0) {
		sock_close(pair[0]);
		serve(pair[1], how);
	}
	sock_close(pair[1]);
	signing_link(pair[0]);
}

static size_t ask(unsigned key, uint8_t *signature)
{
	static const char digest[32] = "digest";

	memset(signature, 0, TLS_SIGNATURE_MAX);
	return signing_signer()->sign(signing_signer()->ctx, key, TLS_SHA256, span_of(digest, sizeof digest), signature);
}

static void questions(void)
{
	struct msg_sign good = { .type = MSG_SIGN, .serial = 7, .key = 1, .hash = TLS_SHA384, .n = 48 }, m = good;

	memset(good.digest, 1, 48);
	m = good;
	ok(!signing_wrong(&m, sizeof m, 2), "a right question");
	ok(signing_wrong(&m, sizeof m - 1, 2), "one byte short");
	ok(signing_wrong(&m, PASS_BROKEN, 2), "one that is too long");
	ok(signing_wrong(&m, sizeof m, 1), "a key that is not there");
	m.type = MSG_SIGNED;
	ok(signing_wrong(&m, sizeof m, 2), "an answer");
	for (uint32_t hash = 0; hash < 6; hash++)
		for (uint32_t n = 0; n <= 65; n++) {
			bool right = (hash == TLS_SHA256 && n == 32) || (hash == TLS_SHA384 && n == 48) || (hash == TLS_SHA512 && n == 64);

			m = (struct msg_sign){ .type = MSG_SIGN, .hash = hash, .n = n };
			if (right != !signing_wrong(&m, sizeof m, 2))
				ok(false, "hash and length");
		}
	m = good;
	m.hash = UINT32_MAX;
	ok(signing_wrong(&m, sizeof m, 2), "a hash far away");
	m = good;
	m.n = UINT32_MAX;
	ok(signing_wrong(&m, sizeof m, 2), "a length far away");
	m = good;
	m.digest[48] = 1;
	ok(signing_wrong(&m, sizeof m, 2), "bytes behind the digest");
}

/* A question in vain that is not waited for. Now and then the machine itself takes its time: what is waited for would be so nearly always. */
static bool at_once(void)
{
	uint8_t signature[TLS_SIGNATURE_MAX];

	for (int i = 0; i < 20; i++) {
		int64_t before = clock_monotonic_ms();

		if (ask(1, signature) != 0)
			return false;
		if (clock_monotonic_ms() - before < WAIT_MS / 2)
			return true;
	}
	return false;
}

int main(void)
{
	uint8_t signature[TLS_SIGNATURE_MAX], zero[TLS_SIGNATURE_MAX] = { 0 };
	char large[65] = "";
	int64_t before;
	int pair[2];

	proc_signals(); /* no SIGPIPE */
	questions();
	ok(ask(0, signature) == 0, "without a keeper there is no signature");
	keeper(ANSWERS);
	ok(ask(3, signature) == 70 && signature[0] == 3 + TLS_SHA256 && signature[69] == 3 + TLS_SHA256 && signature[70] == 0, "a keeper answers");
	ok(ask(2, signature) == 70 && signature[0] == 2 + TLS_SHA256, "and again");
	ok(signing_ask(NULL, 0, TLS_SHA256, span_of(large, 65), signature) == 0, "more than any digest is not even asked");
	keeper(ANSWERS_LATE_ONES_FIRST);
	ok(ask(1, signature) == 70 && signature[0] == 1 + TLS_SHA256, "answers to earlier questions are passed over");
	keeper(ANSWERS_NONE);
	ok(ask(1, signature) == 0 && memcmp(signature, zero, sizeof zero) == 0, "none");
	ok(ask(1, signature) == 0, "none again");
	for (enum behaviour lie = TOO_SHORT; lie <= OTHER_TYPE; lie++) {
		keeper(lie);
		ok(ask(1, signature) == 0 && memcmp(signature, zero, sizeof zero) == 0, "nonsense is no signature");
	}
	keeper(ENDS);
	ok(ask(1, signature) == 0, "a keeper that ends meanwhile");
	ok(ask(1, signature) == 0, "and is gone");
	keeper(HANGS);
	before = clock_monotonic_ms();
	ok(ask(1, signature) == 0 && clock_monotonic_ms() - before >= WAIT_MS - 20, "a keeper that hangs is waited for");
	ok(at_once(), "once; then nothing is asked for a while");
	keeper(ANSWERS);
	ok(ask(1, signature) == 70, "a new keeper is asked at once");
	/* One that never reads: the queue fills up, and then sending waits no longer either. */
	if (!pass_pair_asking(pair, WAIT_MS))
		return 99;
	signing_link(pair[0]);
	ask(1, signature);
	ok(at_once() && at_once(), "three questions in vain are one wait");
	signing_link(-1);
	sock_close(pair[1]);
	return done_testing();
}
