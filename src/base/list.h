/* base/list.h: an intrusive, circular, doubly linked list. A node is in at most one list; a node out of any list points at itself. */
#ifndef POSTERN_BASE_LIST_H
#define POSTERN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

#define LIST_OWNER(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct list *l) { l->prev = l->next = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* Moves the node to the end of the list, whatever list it was in. */
static inline void list_append(struct list *l, struct list *n)
{
	list_remove(n);
	n->prev = l->prev;
	n->next = l;
	l->prev->next = n;
	l->prev = n;
}

/* Moves the node to the front of the list, whatever list it was in, at its front already as well. */
static inline void list_push(struct list *l, struct list *n)
{
	list_remove(n);
	list_append(l->next, n);
}

#endif
