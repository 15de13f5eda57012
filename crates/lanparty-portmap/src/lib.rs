//! A port in the home router, opened by the program itself: PCP, NAT-PMP, UPnP.
