#include "gate/host.h"

#include "base/text.h"

static bool is_loopback_name(struct span host)
{
	return span_ieq(host, SPAN("localhost")) || span_eq(host, SPAN("127.0.0.1")) || span_eq(host, SPAN("[::1]"));
}

/* The port of an authority over plain HTTP; `port` is what http_authority() gave. */
static unsigned port_of(struct span port)
{
	uint64_t v;

	return text_u64(port, &v) ? (unsigned)v : 80;
}

static bool is_own_address(const struct addr *own, struct span host)
{
	static const uint8_t any[sizeof own->ip];
	struct addr a;

	/* Bound to all addresses it has none of its own, and 0.0.0.0 reaches loopback from a browser on the same machine. */
	if (own->family == 0 || memcmp(own->ip, any, sizeof any) == 0 || !addr_read_ip(&a, host, 0))
		return false;
	return a.family == own->family && memcmp(a.ip, own->ip, a.family == 4 ? 4 : 16) == 0;
}

static bool is_configured_host(const struct host_rules *r, struct span host, struct span port)
{
	for (unsigned i = 0; i < r->nhosts; i++) {
		struct span name, only;

		if (http_authority(r->hosts[i], &name, &only) && span_ieq(name, host)
		    && (span_absent(only) || port_of(only) == port_of(port)))
			return true;
	}
	return false;
}

/* What stands before and after "://"; false without it. */
static bool origin_split(struct span origin, struct span *scheme, struct span *authority)
{
	for (size_t i = 0; i + 3 <= origin.n; i++) {
		if (memcmp(origin.p + i, "://", 3) == 0) {
			*scheme = span_of(origin.p, i);
			*authority = span_from(origin, i + 3);
			return true;
		}
	}
	return false;
}

static bool origin_equal(struct span a, struct span b)
{
	struct span scheme_a, scheme_b, rest_a, rest_b, host_a, host_b, port_a, port_b;

	if (!origin_split(a, &scheme_a, &rest_a) || !origin_split(b, &scheme_b, &rest_b)
	    || !http_authority(rest_a, &host_a, &port_a) || !http_authority(rest_b, &host_b, &port_b))
		return span_eq(a, b); /* "null" */
	return span_eq(scheme_a, scheme_b) && span_ieq(host_a, host_b) && span_eq(port_a, port_b);
}

static bool is_loopback_origin(const struct addr *own, struct span origin)
{
	struct span host, port;

	if (!addr_is_loopback(own) || !span_starts(origin, SPAN("http://")) || !http_authority(span_from(origin, 7), &host, &port))
		return false;
	return is_loopback_name(host) && (span_absent(port) || port.n > 0) && port_of(port) == own->port;
}

enum host_verdict host_check(const struct host_rules *r, const struct http_head *h)
{
	struct span origin = h->known[HTTP_ORIGIN], host, port;

	if (h->count[HTTP_HOST] != 1 || !http_authority(h->known[HTTP_HOST], &host, &port))
		return HOST_FOREIGN;
	if (!(addr_is_loopback(&r->address) && is_loopback_name(host)) && !is_own_address(&r->address, host)
	    && !is_configured_host(r, host, port))
		return HOST_FOREIGN;

	if (h->count[HTTP_ORIGIN] == 0)
		return HOST_OK;
	if (h->count[HTTP_ORIGIN] > 1)
		return HOST_FOREIGN_ORIGIN;
	for (unsigned i = 0; i < r->norigins; i++)
		if (origin_equal(r->origins[i], origin))
			return HOST_OK;
	return is_loopback_origin(&r->address, origin) ? HOST_OK : HOST_FOREIGN_ORIGIN;
}
