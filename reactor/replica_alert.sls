# For the events of stock beacons, such as salt/beacon/*/service/mariadb. In the master's configuration:
#
#   reactor:
#     - 'salt/beacon/*/service/*':
#       - /srv/salt/reactor/replica_alert.sls
#
# The event only says which host to look at: the second part of a beacon's tag after salt/beacon/.

{% set host = tag.split("/")[2] %}

recover {{ host | json }}:
  runner.state.orchestrate:
    - args:
      - mods: orch.recover_replica
      - pillar:
          host: {{ host | json }}
