/* The network, layer upon layer, each a file:
 *
 *     virtio_net.c   frames go to the device, and come from it
 *     ether.c        who of us is meant by a frame, and what is in it: ARP or IP
 *     arp.c          which Ethernet address belongs to an IP address
 *     ip.c           packets to and from other hosts, and through which interface
 *     icmp.c         ping, both ways
 *     udp.c          datagrams to and from ports
 *     dhcp.c         asks the network for an address of our own
 *
 * Whatever arrives may be damaged, or a lie: each layer compares the lengths that are in a header
 * with how many bytes there are before the next one sees any of them. */
#pragma once

#include "virtio.h"

enum { NET_LIMIT = 4, MAC = 6 };
enum { FRAME_LIMIT = 1514, PACKET_LIMIT = 1500 };   /* with the Ethernet header, and without */

/* Numbers on the network begin with their highest byte, and lie at any address. */
struct big16 { uint8_t byte[2]; };
struct big32 { uint8_t byte[4]; };
uint16_t from_big16(struct big16 number);
uint32_t from_big32(struct big32 number);
struct big16 big16(uint16_t number);
struct big32 big32(uint32_t number);

struct net {
    struct virtio *device;
    struct queue receive, transmit;
    uint8_t mac[MAC];
    uint32_t address, mask, router;                 /* 0: not known */
    uint64_t received, sent;                        /* frames */
};
extern struct net nets[NET_LIMIT];
extern unsigned net_count;

/* virtio_net.c */
void net_start_all(void);
bool net_link(const struct net *net);               /* is the cable in? */
size_t net_limit(const struct net *net);            /* bytes in a packet (the MTU) */
bool net_has_frames(void);
bool net_send(struct net *net, const void *frame, size_t length); /* false: it did not go out */
const uint8_t *net_receive(struct net *net, size_t *length);      /* NULL: there is none */
void net_release(struct net *net, const uint8_t *frame);          /* done with it */

/* ether.c */
enum { ETHER_IP = 0x0800, ETHER_ARP = 0x0806 };
extern const uint8_t ether_everybody[MAC];
void ether_serve(void);                             /* all frames that have arrived */
bool ether_send(struct net *net, const uint8_t to[MAC], uint16_t type, const void *payload,
                size_t length);

/* arp.c */
enum { ARP_LIMIT = 16 };
struct arp_entry {
    struct net *net;                                /* NULL: a free place */
    uint32_t address;
    uint8_t mac[MAC];
};
extern struct arp_entry arp_entries[ARP_LIMIT];
void arp_receive(struct net *net, const uint8_t *data, size_t length);
const uint8_t *arp_find(const struct net *net, uint32_t address); /* NULL: not known */
void arp_ask(struct net *net, uint32_t address);

/* ip.c: addresses are numbers, 10.0.2.15 is 0x0a00020f */
enum { IP_ICMP = 1, IP_UDP = 17 };
enum { IP_PAYLOAD_LIMIT = PACKET_LIMIT - 20, IP_EVERYBODY = 0xffffffff };
uint16_t ip_checksum(uint32_t sum, const void *data, size_t length); /* sum: of what is before */
void ip_receive(struct net *net, const uint8_t *data, size_t length);
bool ip_send(struct net *net, uint32_t to, uint8_t protocol, const void *payload, size_t length);
struct net *ip_reach(uint32_t to); /* through which interface; NULL, having said so: no way */
void ip_start_all(void);
bool ip_configure(struct net *net, char *text);     /* 10.0.0.2/24; false, having said why not */
void ip_print(uint32_t address);
bool ip_parse(const char *word, uint32_t *address); /* false, having said what is wrong */

/* icmp.c */
void icmp_receive(struct net *net, uint32_t from, const uint8_t *data, size_t length);
int cmd_ping(unsigned count, char **words);

/* udp.c */
struct datagram {
    struct net *net;
    uint32_t from;
    uint16_t port;                                  /* the sender's */
    const uint8_t *data;
    size_t length;
};
enum { UDP_LIMIT = IP_PAYLOAD_LIMIT - 8 };
typedef void (*udp_handler)(const struct datagram *datagram);
void udp_receive(struct net *net, uint32_t from, uint32_t to, const uint8_t *data, size_t length);
bool udp_send(struct net *net, uint32_t to, uint16_t from_port, uint16_t to_port, const void *data,
              size_t length);
void udp_listen(uint16_t port, udp_handler handler); /* NULL: no longer */

/* cmd_net.c, dhcp.c */
struct net *net_current(void); /* NULL, having said so, if there is none */
int cmd_dhcp(unsigned count, char **words);
