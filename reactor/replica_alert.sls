# Has a replica looked at, and rebuilt if it is broken and may be rebuilt, when a beacon of Salt's own tells of it. In
# the master's configuration:
#
#   reactor:
#     - salt/beacon/*/service/mariadb:
#       - salt://reactor/replica_alert.sls
#     - salt/beacon/*/log/replication:
#       - salt://reactor/replica_alert.sls
#
# Any minion can fire any event. This one only says which host to look at; all else is asked of the servers themselves,
# and `replica_repair` in the master's configuration says what may be done then.

{% set host = tag.split("/")[2] %}
{% set told = data.get(tag.split("/")[-1]) %}

{% if not (told is mapping and told.get("running")) %}
recover_a_replica:
  runner.state.orchestrate:
    - args:
      - mods: orch.recover_replica
      - pillar:
          host: {{ host | json }}
{% endif %}
