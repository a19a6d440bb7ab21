#!/bin/sh
# Runs a command in a fresh clone of this checkout on a bare Debian.   debian.sh SUITE COMMAND...
#
# Called by ./dev, in a mount and process namespace of its own and with a directory that is removed afterwards. The
# network is the host's, because packages come from there; ./dev itself makes one of its own for all that follows.
set -eu
suite=$1
shift
checkout=$(cd "$(dirname "$0")/.." && pwd)
root=$SALT_TRANSFER_LAB_DIR/$suite

echo "debian: installing $suite with python3 and git, and nothing else" >&2
debootstrap --variant=minbase --include=ca-certificates,git,python3 "$suite" "$root" >"$root.log" || {
    cat "$root.log" >&2
    exit 70
}

# What a site adds to every host of its own.
cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
chroot "$root" update-ca-certificates >/dev/null
cp /etc/resolv.conf /etc/hosts "$root/etc/"

mount --bind "$root" "$root"
cd "$root"
mkdir -p root/salt-transfer mnt/checkout mnt/old
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
mount --bind "$checkout" mnt/checkout
pivot_root . mnt/old
umount -l /mnt/old

export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset SALT_TRANSFER_LAB_DIR PYTHONPATH PYTHON
git -c safe.directory='*' clone --quiet /mnt/checkout /root/salt-transfer
cd /root/salt-transfer
"$@"
exit $?
