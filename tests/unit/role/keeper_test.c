/* role/keeper.h: the process itself, in its jail where the build has one: what it signs, for whom, how often, and what ends an edge or it. */
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "keys.h"
#include "os/clock.h"
#include "os/pass.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/keeper.h"
#include "role/log.h"
#include "tap.h"
#include "wire/private_key.h"

enum { SIGNS = 8 };

static struct conf c;
static struct conf_file cert_file[2], key_file[2];
static struct material m;
static int channel, logged;
static pid_t keeper;
static struct metrics *counted;
static char text[16384];

/* Number 0 is of the workers, on P-256; number 1 of the broker, RSA. */
static void fill(const char *first_key)
{
	static struct x509_cert leaf[2];
	static char der[2][8192];
	static struct span chain[2][X509_CHAIN_MAX];
	static const char *const name[2] = { "p256", "rsa2048" };

	memset(&m, 0, sizeof m);
	memset(&c, 0, sizeof c);
	c.file = SPAN("x.json");
	c.workers = 2;
	m.nkeys = 2;
	for (unsigned i = 0; i < 2; i++) {
		char crt[16];
		size_t n = 0;
		const char *pem;
		struct buf b = buf_on(der[i], sizeof der[i]);
		unsigned nchain;

		snprintf(crt, sizeof crt, "%s.crt", name[i]);
		pem = keys_text(crt, &n);
		if (x509_pem_chain(span_of(pem, n), &b, chain[i], X509_CHAIN_MAX, &nchain) != X509_OK || x509_read(&leaf[i], chain[i][0]) != X509_OK)
			exit(99);
		cert_file[i] = (struct conf_file){ SPAN("the.pem"), false, 7, 9, SPAN("/cert") };
		key_file[i] = (struct conf_file){ span_z(keys_file(i == 0 ? first_key : name[i], 0600)), false, 8, 10, SPAN("/key") };
		m.keys[i] = (struct material_key){ &key_file[i], &cert_file[i], chain[i][0], i == 1, open(key_file[i].path.p, O_RDONLY | O_CLOEXEC) };
	}
}

static void start(void)
{
	static struct entry e;
	int pair[2], back[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!pass_pair(pair) || pipe(back) != 0)
		exit(99);
	memset(&e, 0, sizeof e);
	memcpy(e.name, "keeper", 7);
	e.role = ROLE_KEEPER;
	e.parent_pid = getpid();
	e.channel = pair[1];
	e.null_fd = null;
	e.log_fd = back[1];
	keeper = fork();
	if (keeper == 0) {
		static struct keeper_start k;

		k.conf = &c;
		k.material = &m;
		k.entry = &e;
		k.metrics = counted;
		k.signs_a_second = SIGNS;
		if (proc_is_root() && !proc_become(PROC_NOBODY))
			_exit(98);
		keeper_run(&k);
	}
	sock_close(pair[1]);
	sock_close(back[1]);
	sock_close(null);
	for (unsigned i = 0; i < m.nkeys; i++)
		sock_close(m.keys[i].fd);
	channel = pair[0];
	logged = back[0];
	fcntl(logged, F_SETFL, O_NONBLOCK);
}

static bool tell(const union msg *what, int fd) { return msg_send(channel, what, fd); }

static int edge(enum role of, unsigned peer)
{
	int pair[2];

	if (!pass_pair_asking(pair, 5000))
		exit(99);
	tell(&(union msg){ .link = { MSG_LINK, of, peer, 0 } }, pair[1]);
	sock_close(pair[1]);
	return pair[0];
}

static bool ready(void)
{
	union msg got;
	const char *why;
	int fd;

	tell(&(union msg){ .start = { MSG_START } }, -1);
	pass_wait(channel, 20000);
	return msg_take(channel, ROLE_PARENT, ROLE_KEEPER, PHASE_STARTING, &got, &fd, &why) == MSG_GOT && got.type == MSG_READY;
}

static bool question(int fd, uint32_t key, enum tls_hash hash)
{
	struct msg_sign q = { .type = MSG_SIGN, .serial = 77, .key = key, .hash = hash, .n = (uint32_t)private_key_digest(hash) };

	return sock_write(fd, &q, sizeof q) == (long)sizeof q;
}

/* -1: the edge is closed; else the length of the signature. */
static int answer(int fd, struct msg_signed *a)
{
	memset(a, 0, sizeof *a);
	return sock_read(fd, a, sizeof *a) == (long)sizeof *a && a->serial == 77 ? (int)a->n : -1;
}

static int ask(int fd, uint32_t key, enum tls_hash hash, struct msg_signed *a)
{
	return question(fd, key, hash) ? answer(fd, a) : -1;
}

static const char *said(void)
{
	static size_t n;
	long got;

	text[n] = 0;
	while (n < sizeof text - 1 && (got = read(logged, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	return text;
}

static int ended(void)
{
	int status = 0;

	waitpid(keeper, &status, 0);
	sock_close(channel);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void closes(int fd, const void *packet, size_t n, int with, const char *words, const char *name)
{
	char none[8];

	if (!pass_send(fd, packet, n, with))
		ok(false, "it can be sent");
	is_int(sock_read(fd, none, sizeof none), 0, name);
	ok(strstr(said(), words), "and the log says why");
	sock_close(fd);
}

static void refuses(void)
{
	const struct msg_sign good = { .type = MSG_SIGN, .hash = TLS_SHA256, .n = 32 };
	struct { struct msg_sign q; char more; } longer = { good, 0 };
	struct msg_sign bad = good;

	closes(edge(ROLE_WORKER, 0), &good, sizeof good - 1, -1, "worker 0 asked what is no question for a signature: it gets no signatures any more", "one byte short");
	closes(edge(ROLE_WORKER, 0), &longer, sizeof longer, -1, "what is no question", "longer than a question");
	closes(edge(ROLE_WORKER, 0), "", 1, -1, "what is no question", "a byte");
	bad.key = 2;
	closes(edge(ROLE_WORKER, 0), &bad, sizeof bad, -1, "for a key that is not there", "a key that is not there");
	bad = good;
	bad.key = 1;
	closes(edge(ROLE_WORKER, 1), &bad, sizeof bad, -1, "worker 1 asked for a key of others", "the broker's key, asked for by a worker");
	closes(edge(ROLE_BROKER, 0), &good, sizeof good, -1, "the broker asked for a key of others", "a worker's key, asked for by the broker");
	bad = good;
	bad.hash = TLS_MD5_SHA1_NEVER;
	bad.n = 36;
	closes(edge(ROLE_WORKER, 0), &bad, sizeof bad, -1, "for a hash that is not signed", "MD5 with SHA-1");
	bad = good;
	bad.n = 48;
	closes(edge(ROLE_WORKER, 0), &bad, sizeof bad, -1, "for a digest of the wrong length", "a digest of another length");
	closes(edge(ROLE_WORKER, 0), &good, sizeof good, 2, "with a descriptor", "a descriptor with it");
}

/* One more than there are in a second, within one second: with slow machines in mind they are few, asked all together as a second begins. */
static void often(void)
{
	struct msg_signed a;
	int fd = edge(ROLE_WORKER, 1);
	unsigned got = 0, none = 0;

	for (int64_t until = clock_monotonic_ms() + 60000; clock_monotonic_ms() < until && (got != SIGNS || none != 1);) {
		for (int64_t second = clock_monotonic_ms() / 1000; clock_monotonic_ms() / 1000 == second;)
			usleep(1000);
		got = none = 0;
		for (unsigned i = 0; i <= SIGNS; i++)
			question(fd, 0, TLS_SHA256);
		for (unsigned i = 0; i <= SIGNS; i++)
			*(answer(fd, &a) > 0 ? &got : &none) += 1;
	}
	ok(got == SIGNS && none == 1, "so many in a second, and then none");
	ok(strstr(said(), "worker 1 asked for more signatures than there are in a second"), "and the log says so");
	fd = edge(ROLE_WORKER, 0);
	ok(ask(fd, 0, TLS_SHA384, &a) > 0, "another worker's edge has its own count");
}

static void serves(void)
{
	struct msg_signed a, again;
	int one, other, broker, old;

	fill("p256");
	start();
	one = edge(ROLE_WORKER, 0);
	broker = edge(ROLE_BROKER, 0);
	ok(ready(), "READY, once its keys are read");
	ok(ask(one, 0, TLS_SHA256, &a) > 0 && a.type == MSG_SIGNED, "a worker gets a signature");
	ok(ask(one, 0, TLS_SHA512, &again) > 0, "with another hash too");
	is_int(ask(broker, 1, TLS_SHA256, &a), 256, "the broker gets one of its own key");
	old = one;
	one = edge(ROLE_WORKER, 0);
	ok(ask(one, 0, TLS_SHA256, &a) > 0, "a worker that is started again has a new edge");
	is_int(ask(old, 0, TLS_SHA256, &again), -1, "and the old one is closed");
	sock_close(old);
	refuses();
	other = edge(ROLE_WORKER, 0);
	ok(ask(other, 0, TLS_SHA256, &a) > 0, "after all that it serves on");
	is_int(ask(broker, 1, TLS_SHA384, &a), -1, "whose edge was replaced by one that was closed has none");
	often();
	ok(counted->v[METRIC_SIGNATURES_REFUSED] == 9 && counted->v[METRIC_SIGNATURES_NONE] >= 1 && counted->v[METRIC_SIGNATURES_MADE] > SIGNS, "all of it is counted");
	ok(!strstr(said(), "BEGIN") && !strstr(said(), "PRIVATE"), "nothing of a key in the log");
	tell(&(union msg){ .drain = { MSG_DRAIN, 1000 } }, -1);
	is_int(ended(), 0, "DRAIN: it ends");
}

static void lies(const union msg *what, int fd, const char *words, const char *name)
{
	fill("p256");
	start();
	ok(ready(), "READY");
	tell(what, fd);
	is_int(ended(), 1, name);
	ok(strstr(said(), words), "and it says why");
}

static void wrong(const char *key, const char *words, const char *name)
{
	fill(key);
	start();
	tell(&(union msg){ .start = { MSG_START } }, -1);
	is_int(ended(), ENTRY_EXIT_WALLS, name);
	ok(strstr(said(), "x.json:8:10: /key: ") && strstr(said(), words), "and the line says which and why");
}

int main(void)
{
	proc_signals(); /* no SIGPIPE */
	counted = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	keys_begin();
	serves();
	lies(&(union msg){ .link = { MSG_LINK, ROLE_DESK, 0, 0 } }, 2, "a link to a role that asks for no signatures", "a link to the desk");
	lies(&(union msg){ .link = { MSG_LINK, ROLE_WORKER, CONF_WORKERS_MAX } }, 2, "a link to a role that asks for no signatures", "a link to no worker");
	lies(&(union msg){ .link = { MSG_LINK, ROLE_BROKER, 1, 0 } }, 2, "a link to a role that asks for no signatures", "a link to a second broker");
	lies(&(union msg){ .state = { .type = MSG_STATE } }, -1, "a message that is not permitted now", "a message of the desk's");
	wrong("p384", "the private key does not belong to the certificate in the.pem", "another certificate's key");
	wrong("p256enc", "the private key is encrypted", "an encrypted key");
	wrong("p256.crt", "there is no private key in it", "a certificate");
	keys_end();
	return done_testing();
}
