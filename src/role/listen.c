#include "role/listen.h"

#include "os/sock.h"

void listen_start(struct listen_table *t)
{
	memset(t, 0, sizeof *t);
	for (unsigned s = 0; s < LISTEN_SLOTS; s++)
		for (unsigned i = 0; i < CONF_WORKERS_MAX; i++)
			t->slots[s].fd[i] = -1;
}

static unsigned used(const struct listen_slot *s)
{
	unsigned most = 0;

	for (unsigned u = 0; u < LISTEN_USERS; u++)
		if (s->count[u] > most)
			most = s->count[u];
	return most;
}

static void trim(struct listen_slot *s)
{
	for (unsigned i = used(s); i < CONF_WORKERS_MAX; i++)
		if (s->fd[i] >= 0) {
			sock_close(s->fd[i]);
			s->fd[i] = -1;
		}
}

static bool same(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static struct listen_slot *find(struct listen_table *t, unsigned user, const struct addr *at, unsigned key)
{
	struct listen_slot *vacant = NULL;

	for (unsigned i = 0; i < LISTEN_SLOTS; i++) {
		struct listen_slot *s = &t->slots[i];

		if (used(s) == 0) {
			if (!vacant)
				vacant = s;
		} else if (same(&s->wanted, at) && s->count[user] == 0 && (at->port != 0 || s->key == key)) {
			return s;
		}
	}
	return vacant;
}

struct listen_slot *listen_claim(struct listen_table *t, unsigned user, const struct addr *at, unsigned key, unsigned count, const char **why)
{
	struct listen_slot *s = find(t, user, at, key);

	*why = "too many addresses at a time";
	if (!s)
		return NULL;
	if (used(s) == 0) {
		s->wanted = s->bound = *at;
		s->key = key;
		if (!sock_listen_free(at, why))
			return NULL;
	}
	for (unsigned i = 0; i < count; i++)
		if (s->fd[i] < 0 && !sock_listen(&s->bound, LISTEN_BACKLOG, &s->fd[i], &s->bound, why)) {
			trim(s);
			return NULL;
		}
	s->count[user] = count;
	return s;
}

void listen_release(struct listen_table *t, unsigned user)
{
	for (unsigned i = 0; i < LISTEN_SLOTS; i++)
		if (t->slots[i].count[user] > 0) {
			t->slots[i].count[user] = 0;
			trim(&t->slots[i]);
		}
}
