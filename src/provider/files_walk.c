#include "provider/files_walk.h"

static int order_of(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int cmp = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return cmp != 0 ? cmp : (a.n > b.n) - (a.n < b.n);
}

static struct files_walk_level *push(struct files_walk *w, size_t dir_len, struct span last)
{
	struct files_walk_level *l = &w->levels[w->nlevels];
	const struct files_walk_level *above = w->nlevels > 0 ? l - 1 : NULL;

	w->nlevels++;
	l->dir_len = (uint16_t)dir_len;
	l->base = above ? (uint16_t)(above->base + above->used) : 0;
	l->cap = l->used = l->next = 0;
	l->dropped = l->read = l->inclusive = false;
	l->last_len = (uint8_t)last.n;
	if (last.n > 0)
		memcpy(l->last, last.p, last.n);
	return l;
}

void files_walk_start(struct files_walk *w, int root_fd, struct span dir, unsigned depth_max, bool hidden)
{
	files_walk_end(w);
	w->root_fd = root_fd;
	w->hidden = hidden;
	w->entered = false;
	w->depth_max = depth_max;
	w->path_len = dir.n;
	if (dir.n > 0)
		memcpy(w->path, dir.p, dir.n);
	push(w, dir.n, SPAN(""));
}

void files_walk_after(struct files_walk *w, struct span path)
{
	size_t start = w->path_len > 0 ? w->path_len + 1 : 0;
	unsigned depth = files_name_depth(span_of(w->path, w->path_len));

	if (path.n > FILES_PATH_MAX || path.n <= start)
		return;
	memcpy(w->path, path.p, path.n);
	w->nlevels = 0;
	/* One level for each component, and one for the last itself in case it is a directory. Those that no longer exist turn out empty. */
	for (size_t at = start, dir_len = start > 0 ? start - 1 : 0; w->nlevels < w->depth_max && depth + w->nlevels < FILES_DEPTH_MAX;) {
		struct span rest = span_from(path, at);
		const char *slash = rest.n > 0 ? memchr(rest.p, '/', rest.n) : NULL;
		struct span part = slash ? span_of(rest.p, (size_t)(slash - rest.p)) : rest;

		if (part.n > FILES_NAME_MAX)
			break;
		push(w, dir_len, part);
		if (at >= path.n)
			break;
		dir_len = at + part.n;
		at = dir_len < path.n ? dir_len + 1 : dir_len;
	}
}

void files_walk_from(struct files_walk *w, struct span name)
{
	struct files_walk_level *l = &w->levels[0];

	if (name.n == 0 || name.n > FILES_NAME_MAX)
		return;
	l->last_len = (uint8_t)name.n;
	memcpy(l->last, name.p, name.n);
	l->inclusive = true;
}

void files_walk_end(struct files_walk *w)
{
	if (w->fd >= 0)
		dir_close(w->fd);
	w->fd = -1;
	w->nlevels = 0;
}

static struct span name_at(const struct files_walk *w, const struct files_walk_level *l, unsigned place)
{
	const struct files_walk_name *n = &w->names[w->order[l->base + place]];

	return span_of(n->text, n->len);
}

/* True if the name comes after `last` and is less than what is kept, or there is room. */
static bool wanted(const struct files_walk *w, struct files_walk_level *l, struct span name)
{
	int cmp = l->last_len > 0 ? order_of(name, span_of(l->last, l->last_len)) : 1;

	if (cmp < 0 || (cmp == 0 && !l->inclusive))
		return false;
	if (l->used < l->cap)
		return true;
	l->dropped = true;
	return order_of(name, name_at(w, l, l->used - 1u)) < 0;
}

/* Puts a wanted name in its place; the greatest one makes room for it. */
static void keep(struct files_walk *w, struct files_walk_level *l, struct span name, enum dir_kind kind)
{
	uint16_t *order = w->order + l->base;
	unsigned low = 0, high, slot = (unsigned)l->base + l->used;

	if (l->used == l->cap)
		slot = order[--l->used];
	high = l->used;
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (order_of(name, name_at(w, l, middle)) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	memmove(order + low + 1, order + low, ((size_t)l->used - low) * sizeof order[0]);
	order[low] = (uint16_t)slot;
	l->used++;
	w->names[slot].kind = (uint8_t)kind;
	w->names[slot].len = (uint8_t)name.n;
	memcpy(w->names[slot].text, name.p, name.n);
}

/* Path of an entry of the top level, in w->path. False: too long to exist. */
static bool join(struct files_walk *w, const struct files_walk_level *l, struct span name)
{
	size_t at = l->dir_len;

	if (at + 1 + name.n > FILES_PATH_MAX)
		return false;
	if (at > 0)
		w->path[at++] = '/';
	memcpy(w->path + at, name.p, name.n);
	w->path_len = at + name.n;
	return true;
}

/* One batch of the directory that is open. */
static void read_some(struct files_walk *w, struct files_walk_level *l, void *batch)
{
	long got = dir_batch(w->fd, batch, FILES_WALK_BATCH);
	enum dir_kind kind;
	struct span name;

	if (got <= 0) {
		dir_close(w->fd);
		w->fd = -1;
		return;
	}
	for (size_t at = 0; dir_entry(batch, (size_t)got, &at, &name, &kind);) {
		if (kind == DIR_OTHER || !wanted(w, l, name) || !files_name_part(name, w->hidden))
			continue;
		if (kind == DIR_UNKNOWN) {
			struct dir_facts facts;

			if (!join(w, l, name) || dir_look(w->root_fd, files_walk_path(w), &facts) != DIR_FINE || facts.kind == DIR_OTHER)
				continue;
			kind = facts.kind;
		}
		keep(w, l, name, kind);
	}
}

/* Half of what is left, so that there is always something left: by halves the 4096 last until the least is reached, and the least is there
 * for every level. */
static uint16_t cap_of(const struct files_walk_level *l)
{
	unsigned half = (FILES_WALK_SLOTS - FILES_DEPTH_MAX * FILES_WALK_LEAST > l->base) ?
		(FILES_WALK_SLOTS - FILES_DEPTH_MAX * FILES_WALK_LEAST - (unsigned)l->base) / 2 : 0;

	return (uint16_t)(half > FILES_WALK_LEAST ? half : FILES_WALK_LEAST);
}

enum files_walk_step files_walk_next(struct files_walk *w, void *batch, enum dir_kind *kind)
{
	/* Each turn gives an entry, reads a batch, or leaves or enters a level: at most FILES_DEPTH_MAX turns without the former two. */
	while (w->nlevels > 0) {
		struct files_walk_level *l = &w->levels[w->nlevels - 1];

		if (w->fd >= 0) {
			read_some(w, l, batch);
			return FILES_WALK_MORE;
		}
		if (w->entered) {
			w->entered = false;
			if (w->nlevels < w->depth_max && files_name_depth(files_walk_path(w)) < FILES_DEPTH_MAX)
				push(w, w->path_len, SPAN(""));
			continue;
		}
		if (l->next < l->used) {
			const struct files_walk_name *n = &w->names[w->order[l->base + l->next++]];

			l->last_len = n->len;
			l->inclusive = false;
			memcpy(l->last, n->text, n->len);
			if (!join(w, l, span_of(n->text, n->len)))
				continue;
			*kind = (enum dir_kind)n->kind;
			w->entered = *kind == DIR_DIRECTORY;
			return FILES_WALK_ENTRY;
		}
		if (l->read && !l->dropped) {
			w->nlevels--;
			continue;
		}
		l->read = true;
		l->dropped = false;
		l->used = l->next = 0;
		l->cap = cap_of(l);
		if (dir_list(w->root_fd, span_of(w->path, l->dir_len), &w->fd) != DIR_FINE)
			w->fd = -1;
	}
	return FILES_WALK_END;
}
