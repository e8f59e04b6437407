/* base/addr.h: what is an address, what is not, and that writing and reading agree. */
#include "base/addr.h"
#include "page.h"
#include "tap.h"

static bool reads(const char *text, struct addr *a)
{
	size_t n = strlen(text);

	return addr_read(a, span_of(page_copy(text, n), n)); /* one byte too far and it dies */
}

static void same(const char *text, const char *want)
{
	char mem[ADDR_TEXT_MAX + 1];
	struct buf b = buf_on(mem, ADDR_TEXT_MAX);
	struct addr a;
	bool right = reads(text, &a);

	if (right)
		addr_write(&b, &a);
	mem[b.n] = 0;
	is_str(right ? mem : NULL, want, text);
}

int main(void)
{
	static const char *const wrong[] = {
		"", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:080", "127.0.0.1:+1", "127.0.0.1: 1", "127.0.0.1:1 ",
		"127.0.0.1:99999999999", "127.0.0:1", "127.0.0.0.1:1", "256.0.0.1:1", "1.2.3.04:1", "1.2.3.:1", ".1.2.3:1", "1..2.3:1", "0x7f.0.0.1:1",
		"2130706433:1", "::1:80", "[::1]", "[::1]80", "[::1:80", "::1]:80", "[]:80", "[:]:80", "[:::]:80", "[::1::]:80", "[1:2:3:4:5:6:7]:80",
		"[1:2:3:4:5:6:7:8:9]:80", "[1:2:3:4:5:6:7:]:80", "[:1:2:3:4:5:6:7]:80", "[12345::]:80", "[g::]:80", "[::1%lo]:80", "[1:2:3:4:5:6:7:8::]:80",
		"[::1.2.3]:80", "[::1.2.3.4.5]:80", "[1:2:3:4:5:6:7:1.2.3.4]:80", "[::1.2.3.4:5]:80", "[127.0.0.1:80", "example.com:80", "local host:80",
		"[[::1]]:80", "[::ffff:1.2.3.256]:80",
	};
	struct addr a;

	same("127.0.0.1:8080", "127.0.0.1:8080");
	same("0.0.0.0:0", "0.0.0.0:0");
	same("255.255.255.255:65535", "255.255.255.255:65535");
	same("localhost:1", "127.0.0.1:1");
	same("LocalHost:1", "127.0.0.1:1");
	same("[::1]:80", "[::1]:80");
	same("[::]:80", "[::]:80");
	same("[1::]:80", "[1::]:80");
	same("[2001:DB8::1]:80", "[2001:db8::1]:80");
	same("[2001:db8:0:0:1:0:0:1]:80", "[2001:db8::1:0:0:1]:80"); /* RFC 5952 4.2.3: the first of equal runs */
	same("[2001:db8:0:1:1:1:1:1]:80", "[2001:db8:0:1:1:1:1:1]:80"); /* 4.2.2: one group is not shortened */
	same("[0:0:1:0:0:0:0:1]:80", "[0:0:1::1]:80");
	same("[1:2:3:4:5:6:7:8]:80", "[1:2:3:4:5:6:7:8]:80");
	same("[1:2:3:4:5:6:7::]:80", "[1:2:3:4:5:6:7:0]:80");
	same("[::2:3:4:5:6:7:8]:80", "[0:2:3:4:5:6:7:8]:80");
	same("[::ffff:10.1.2.3]:80", "[::ffff:a01:203]:80");
	same("[1:2:3:4:5:6:7.8.9.10]:80", "[1:2:3:4:5:6:708:90a]:80");
	same("[0001:0002::0abc]:80", "[1:2::abc]:80");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ok(!reads(wrong[i], &a), wrong[i]);

	ok(addr_read_ip(&a, SPAN("::1"), 7) && a.family == 6 && a.port == 7, "an address without port, IPv6 without brackets");
	ok(addr_read_ip(&a, SPAN("[::1]"), 7) && a.family == 6, "or with");
	ok(addr_read_ip(&a, SPAN("localhost"), 7) && a.family == 4, "localhost is 127.0.0.1");
	ok(!addr_read_ip(&a, SPAN(""), 7) && !addr_read_ip(&a, SPAN("[]"), 7) && !addr_read_ip(&a, SPAN("[127.0.0.1]"), 7), "nothing is not an address");

	ok(reads("127.255.0.9:1", &a) && addr_is_loopback(&a), "127/8 is loopback");
	ok(reads("[::1]:1", &a) && addr_is_loopback(&a), "::1 is loopback");
	ok(reads("[::ffff:127.0.0.1]:1", &a) && addr_is_loopback(&a), "so is 127.0.0.1 in IPv6 dress");
	ok(reads("128.0.0.1:1", &a) && !addr_is_loopback(&a), "128.0.0.1 is not");
	ok(reads("0.0.0.0:1", &a) && !addr_is_loopback(&a), "0.0.0.0 is not");
	ok(reads("[::]:1", &a) && !addr_is_loopback(&a), ":: is not");
	ok(reads("[::2]:1", &a) && !addr_is_loopback(&a), "::2 is not");
	ok(reads("[::ffff:10.0.0.1]:1", &a) && !addr_is_loopback(&a), "10.0.0.1 in IPv6 dress is not");
	{
		char mem[8];
		struct buf b = buf_on(mem, sizeof mem);

		reads("255.255.255.255:65535", &a);
		addr_write(&b, &a);
		ok(b.full && b.n <= sizeof mem, "writing stays in the room given");
	}
	return done_testing();
}
