#include "elder/elder_priv.h"

#include "base/text.h"

/* A principal is a keyed hash, so any bytes of it are one. */
static struct owner **bucket(struct elder *e, const uint8_t *principal)
{
	return &e->owner_buckets[text_le((const char *)principal, 4) % e->nbuckets];
}

struct owner *owner_find(struct elder *e, const uint8_t *principal)
{
	for (struct owner *o = *bucket(e, principal); o; o = o->next)
		if (crypto_equal(o->principal, principal, ELDER_PRINCIPAL_N))
			return o;
	return NULL;
}

struct owner *owner_join(struct elder *e, const uint8_t *principal)
{
	struct owner *o = owner_find(e, principal), **at = bucket(e, principal);

	if (!o) {
		o = slots_take(&e->owners);
		*o = (struct owner){ .next = *at };
		memcpy(o->principal, principal, sizeof o->principal);
		*at = o;
	}
	o->sessions++;
	return o;
}

void owner_leave(struct elder *e, struct owner *o)
{
	struct owner **at = bucket(e, o->principal);

	if (--o->sessions > 0)
		return;
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	slots_give(&e->owners, o);
}

bool owner_has_room(const struct elder *e, const struct owner *o, unsigned n)
{
	uint32_t free = e->calls.count - e->calls.used, quarter = e->calls.count / 4;

	return free >= n && e->posts.used < e->posts.count && (free - n >= quarter || (o ? o->calls : 0) + n <= quarter);
}

bool owner_put(struct elder *e, struct owner *o, struct chain *c, struct span text)
{
	uint32_t n = store_blocks(text.n);

	*c = (struct chain){ NULL, 0 };
	if (n > e->store.blocks.count / 2 || o->blocks > e->store.blocks.count / 2 - n || !store_put(&e->store, c, text))
		return false;
	o->blocks += n;
	return true;
}

void owner_drop(struct elder *e, struct owner *o, struct chain *c)
{
	if (c->first)
		o->blocks -= store_blocks(c->n);
	store_drop(&e->store, c);
}
