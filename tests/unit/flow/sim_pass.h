/* Packets over the network in memory, in place of os/pass: a line (sim_pair) carries packets, each behind its length. Sends and takes whole
 * packets or none, as SOCK_SEQPACKET does; its window counts bytes. */
#ifndef TESTS_FLOW_SIM_PASS_H
#define TESTS_FLOW_SIM_PASS_H

#include "unit/flow/sim.h"

enum { SIM_PACKET_MAX = 1 << 16 };

/* The script's side: a packet to the gate, with a descriptor of the gate's (-1: none); the next from it: its length, 0 if there is none. */
void sim_packet_say(struct sim_conn *c, const void *p, size_t n, int fd);
size_t sim_packet_take(struct sim_conn *c, void *to, size_t cap);

#endif
