# What a minion's pillar may say of its database. Its own configuration wins over it.
# How a minion reaches its own database, and with what a replica logs in at its primary.
# Everything is commented out; where there is no default an example stands.

replica:

  # Which unit of systemd runs the server, where several do on one host. Not said, it is the first
  # of mariadb, mysql, mysqld and mysqld-server that is there.
  # Takes text of one line.
  #unit: mariadb.service

  # Where the server listens, if its own configuration does not say so.
  # Takes text of one line.
  #socket: /run/mysqld/mysqld.sock

  # With which account the server of this host is logged in to. root needs no password at the socket
  # of Debian's and MariaDB's packages. Beside defaults_file, root counts only where that file names
  # nobody.
  # Takes text of one line.
  #user: root

  # Its password, if it is not in defaults_file. A secret: let it stand in the pillar of this minion
  # alone, encrypted there (Salt's renderer gpg) if its files are under version control, and never
  # in a file that the master serves to all.
  # Takes text of one line.
  #password: 'the password of dba'

  # A file of the server's own client, which only root can read, with user and password. What is
  # named here beside it counts; what is not is taken from it. Better than `password`: what a kill
  # left half done is undone by a timer, which logs in by this file and is never told a password.
  # Takes text of one line.
  #defaults_file: /root/.my.cnf

  # How many files preparing a backup may have open, as far as the kernel lets it.
  # Takes a whole number, 1 or more.
  #open_files: 1000000

  # With what a replica logs in at its primary. Where configuration and pillar both have it, that of
  # the configuration counts as a whole.
  #replication:

    # With which account a replica logs in at its primary. There it needs REPLICATION SLAVE.
    # Takes text of one line.
  #  user: repl

    # Its password. A secret: let it stand in the pillar of this minion alone, encrypted there (Salt's
    # renderer gpg) if its files are under version control, and never in a file that the master serves
    # to all.
    # Takes text of one line.
  #  password: 'the password of repl'

    # Whether replication is encrypted. true alone asks for encryption of whoever answers. Not said,
    # it is left to MariaDB, which encrypts and verifies by itself since 11.4.
    # Takes true or false.
  #  ssl: true

    # The authority whose certificate a primary has to show, for the address under which it is
    # reached; replication is encrypted then. The file has to be on every replica, and readable for
    # the server.
    # Takes the absolute path of a file.
  #  ssl_ca: /etc/mysql/authority.pem

    # Whether that certificate is verified. true asks for encryption too, also alone. Not said, it is
    # verified if there is ssl_ca, else as MariaDB does by itself.
    # Takes true or false.
  #  ssl_verify: true
