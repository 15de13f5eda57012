#!/bin/sh
# Gives the virtual adapter the address that the LAN's DHCP server leased, and nothing else: no
# route but the one to the LAN itself, no DNS server, no host name. Called by dhclient, which says
# in $reason what has happened, and by udhcpc, which says it in $1.

# A mask that covers more than a class A network would take over the player's other traffic.
set_address() {
    case "$2" in
        255.*) ;;
        *) echo "the DHCP server offers the mask $2, which no LAN has" >&2; exit 1 ;;
    esac
    ip -4 address show dev "$interface" | grep -qF " $1/" || drop_addresses
    # It outlives a client that is killed, and not its lease.
    case "$4" in
        '' | 0 | *[!0-9]*) set -- "$1" "$2" "$3" forever ;;
    esac
    ip -4 address replace "$1/$2" broadcast "${3:-+}" dev "$interface" valid_lft "$4" preferred_lft "$4"
}

drop_addresses() {
    ip -4 address flush dev "$interface"
}

case "${reason:-$1}" in
    BOUND|RENEW|REBIND|REBOOT)
        set_address "$new_ip_address" "$new_subnet_mask" "$new_broadcast_address" "$new_dhcp_lease_time" ;;
    bound|renew)
        set_address "$ip" "$subnet" "$broadcast" "$lease" ;;
    EXPIRE|FAIL|RELEASE|STOP)
        drop_addresses ;;
    deconfig)
        # The first comes before it has asked: an address that an earlier client had stays meanwhile.
        if [ -e "${0%/*}/asked" ]; then drop_addresses; else : >"${0%/*}/asked"; fi ;;
    TIMEOUT)
        # An old lease that no server has confirmed.
        exit 1 ;;
esac
