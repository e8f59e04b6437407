#include "base/addr.h"

/* Decimal up to `max`, no leading zero ("010" is eight to some and ten to others). Returns the digits used, 0 if there is no number. */
static size_t take_decimal(struct span s, unsigned max, unsigned *v)
{
	unsigned n = 0;
	size_t i = 0;

	for (; i < s.n && i < 5 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		n = n * 10 + (unsigned)(s.p[i] - '0');
	if (i == 0 || n > max || (i > 1 && s.p[0] == '0'))
		return 0;
	*v = n;
	return i;
}

static bool read_ip4(uint8_t ip[4], struct span s)
{
	for (int i = 0; i < 4; i++) {
		unsigned v;
		size_t n;

		if (i > 0) {
			if (s.n == 0 || s.p[0] != '.')
				return false;
			s = span_from(s, 1);
		}
		n = take_decimal(s, 255, &v);
		if (n == 0)
			return false;
		ip[i] = (uint8_t)v;
		s = span_from(s, n);
	}
	return s.n == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four hex digits; returns how many. */
static size_t take_group(struct span s, unsigned *v)
{
	size_t i = 0;

	*v = 0;
	for (; i < s.n && i < 4 && hex_digit(s.p[i]) >= 0; i++)
		*v = *v << 4 | (unsigned)hex_digit(s.p[i]);
	return i;
}

/* RFC 4291 2.2: eight groups, one run of them may be "::", the last two may be dotted. No zone. */
static bool read_ip6(uint8_t ip[16], struct span s)
{
	uint8_t out[16] = { 0 };
	size_t at = 0;      /* bytes written */
	size_t gap = 17;    /* where "::" stands; 17: nowhere */

	if (span_starts(s, SPAN("::"))) {
		gap = 0;
		s = span_from(s, 2);
	}
	while (s.n > 0 && at < 16) {
		unsigned v;
		size_t n = take_group(s, &v);

		if (n == 0)
			return false;
		if (n < s.n && s.p[n] == '.') {
			if (at > 12 || !read_ip4(out + at, s))
				return false;
			at += 4;
			s.n = 0;
			break;
		}
		out[at++] = (uint8_t)(v >> 8);
		out[at++] = (uint8_t)(v & 255);
		s = span_from(s, n);
		if (s.n == 0)
			break;
		if (span_starts(s, SPAN("::")) && gap > 16) {
			gap = at;
			s = span_from(s, 2);
		} else if (s.p[0] == ':' && s.n > 1 && at < 16) {
			s = span_from(s, 1);
		} else {
			return false;
		}
	}
	if (s.n > 0 || (gap > 16 ? at != 16 : at > 14))
		return false;
	memset(ip, 0, 16);
	if (gap > 16)
		gap = at;
	memcpy(ip, out, gap);
	memcpy(ip + 16 - (at - gap), out + gap, at - gap);
	return true;
}

bool addr_read_ip(struct addr *a, struct span ip, uint16_t port)
{
	struct addr out = { 0 };

	out.port = port;
	if (span_ieq(ip, SPAN("localhost")))
		ip = SPAN("127.0.0.1");
	if (ip.n > 0 && read_ip4(out.ip, ip)) {
		out.family = 4;
	} else {
		if (ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
			ip = span_of(ip.p + 1, ip.n - 2);
		memset(out.ip, 0, sizeof out.ip);
		if (ip.n == 0 || !read_ip6(out.ip, ip))
			return false;
		out.family = 6;
	}
	*a = out;
	return true;
}

bool addr_read(struct addr *a, struct span text)
{
	size_t colon = text.n;
	unsigned port = 0;
	struct span ip;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return false;
	ip = span_of(text.p, colon - 1);
	text = span_from(text, colon);
	if (text.n == 0 || take_decimal(text, 65535, &port) != text.n)
		return false;
	/* "::1:80" could mean two things: an IPv6 address with a port needs its brackets. */
	if (ip.n == 0 || (memchr(ip.p, ':', ip.n) && ip.p[0] != '['))
		return false;
	return addr_read_ip(a, ip, (uint16_t)port);
}

static void write_hex(struct buf *b, unsigned v)
{
	bool begun = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		unsigned d = v >> shift & 15;

		if (d || begun || shift == 0)
			buf_char(b, "0123456789abcdef"[d]);
		begun = begun || d;
	}
}

/* RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) is "::". */
static void write_ip6(struct buf *b, const uint8_t ip[16])
{
	int best = -1, best_n = 1;

	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && ip[2 * (i + n)] == 0 && ip[2 * (i + n) + 1] == 0)
			n++;
		if (n > best_n) {
			best = i;
			best_n = n;
		}
	}
	for (int i = 0; i < 8;) {
		if (i == best) {
			BUF_LIT(b, "::");
			i += best_n;
			continue;
		}
		if (i > 0 && i != best + best_n)
			buf_char(b, ':');
		write_hex(b, (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]);
		i++;
	}
}

void addr_write(struct buf *b, const struct addr *a)
{
	if (a->family == 6) {
		buf_char(b, '[');
		write_ip6(b, a->ip);
		buf_char(b, ']');
	} else {
		for (int i = 0; i < 4; i++) {
			if (i > 0)
				buf_char(b, '.');
			buf_u64(b, a->ip[i]);
		}
	}
	buf_char(b, ':');
	buf_u64(b, a->port);
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };
	static const uint8_t mapped[13] = { [10] = 255, [11] = 255, [12] = 127 };

	if (a->family == 4)
		return a->ip[0] == 127;
	return a->family == 6 && (memcmp(a->ip, one, 16) == 0 || memcmp(a->ip, mapped, 13) == 0);
}
