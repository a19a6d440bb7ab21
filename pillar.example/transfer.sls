# What a minion's pillar may say. Its own configuration wins over it.
# Everything is commented out and shows its default.

transfer:

  # How much may travel in a second, over all connections of a transfer together. If several hosts
  # have a limit the lowest one holds; in a chain every host sends at most so much. It can be
  # changed while the transfer runs: salt-run transfer.limit.
  # Takes 0 or none, or a rate from 9.8 KiB/s such as 200MB/s or 1Gbit/s.
  #limit: none

  # How much of a busy host's processors and disks the worker claims: none as much as another
  # service, normal half of that, low a tenth.
  # Takes none, normal or low.
  #nice: normal

  # How the destination's firewall is opened. auto finds out; none opens nothing, the port must be
  # open already.
  # Takes auto, nft, iptables, firewalld or none.
  #firewall: auto

  # Which of the hosts' addresses to use: a network, an address or an interface. Without it a subnet
  # that both hosts share comes first, then IPv4, then IPv6.
  # Takes a network such as 10.20.0.0/16, an address, or the name of an interface.
  #network: ''

  # The port the destination listens on; 0 takes a free one of `ports`.
  # Takes a whole number from 0 to 65535.
  #port: 0

  # The range in which a free port is sought when `port` is 0.
  # Takes a range of ports within 1 to 65535, such as 4400-4499.
  #ports: 4400-4499

  # What must stay free at the destination. auto keeps 5 % of the file system, at most 2 GiB and
  # 10,000 inodes.
  # Takes auto, a size such as 10GiB, or a share below 100 % such as 5%.
  #reserve: auto

  # How long a minion keeps the records of ended transfers.
  # Takes a time from 0s to 3650d, such as 30, 30s, 5m, 2h or 1d.
  #keep_runs: 14d

  # How much room the records of ended transfers may take; the oldest go first. 0 is no bound.
  # Takes a size such as 500MB or 10GiB, or 0.
  #keep_runs_bytes: 0

  # How much of what arrived before transfers failed is kept on this host, beside the time that
  # `keep_partial` allows; the oldest goes first. 0 is no bound.
  # Takes a size such as 500MB or 10GiB, or 0.
  #keep_partial_bytes: 0

  # In how many transfers this host takes part at once; more are refused, or wait (`wait`). 0 is any
  # number.
  # Takes a whole number from 0 to 10000.
  #max_transfers: 0

  # Where a minion keeps its run directories and its register.
  # Takes an absolute path without . or .. in it.
  #state_dir: /var/lib/salt-transfer
