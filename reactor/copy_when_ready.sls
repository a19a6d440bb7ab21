# Copies a dataset when its host says that there is a new edition:
#
#   salt-call event.send dataset/ready dataset=orders edition=2026-01-31
#
# In the master's configuration:
#
#   reactor:
#     - dataset/ready:
#       - salt://reactor/copy_when_ready.sls
#
# Any minion can fire any event. So this one only names a dataset; what is copied where stands here, and who could have
# said so is not believed for more than that. The key makes of one edition one copy, however often it is told.

{% set datasets = {
    "orders": {"src": "db1:/srv/orders", "dst": "report1:/srv/orders", "update": True},
} %}

{% set told = data.get("data", {}) %}
{% if told.get("dataset") in datasets %}
copy a dataset that is ready:
  runner.transfer.start:
    - args:
{%- for name, value in datasets[told["dataset"]].items() %}
      - {{ name }}: {{ value | json }}
{%- endfor %}
      - key: {{ ("%s %.100s" % (told["dataset"], told.get("edition", data["_stamp"]))) | json }}
{% endif %}
