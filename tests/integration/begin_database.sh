#!/bin/sh
# What comments of pages use before commands about databases:
#
#   begin-database [SCHEMA]    an empty server on this host; with SCHEMA one that holds it, and that replicas may follow
set -eu

mariadb-install-db --user=mysql --datadir=/srv/mysql --auth-root-authentication-method=socket --skip-test-db >/dev/null
systemctl start mariadb
[ $# -gt 0 ] || exit 0
mariadb <<SQL
CREATE USER repl@'%' IDENTIFIED BY 'a-secret';
GRANT REPLICATION SLAVE ON *.* TO repl@'%';
CREATE DATABASE $1;
CREATE TABLE $1.item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80));
INSERT INTO $1.item (name) SELECT MD5(seq) FROM $1.seq_1_to_20000;
SQL
