#!/bin/sh
# Boots one machine of the lab.   boot.sh HOME CGROUP NAME   (called without NAME's namespaces, calls itself inside them)
#
# Prints the process id of the machine's init as seen outside, then waits for a line on stdin (the network is plugged
# in meanwhile), then becomes systemd. Everything below HOME is the machine's disk and survives; all else is the boot's.
set -eu
home=$1 cgroup=$2 name=$3

if [ "${4:-}" != inside ]; then
    echo 0 >"$cgroup/cgroup.procs"
    exec unshare -nmpfiuC --kill-child --propagation private "$0" "$home" "$cgroup" "$name" inside
fi

read -r pid _ </proc/self/stat      # still the outer /proc, so this is the outer number
hostname "$name"
echo "$pid"
read -r _

root=$home/root
mount -t overlay overlay -o "lowerdir=$(cat "$home/lower"),upperdir=$home/upper,workdir=$home/work" "$root"

# Own file systems where renames and staging happen: an overlay refuses to rename directories of its lower layer.
for place in srv tmp var/lib/salt-transfer; do
    mkdir -p "$root/$place"
    mount --bind "$home/disk/$place" "$root/$place"
done
while read -r shared; do
    mkdir -p "$root$shared"
    mount --bind "$shared" "$root$shared"
    mount -o remount,bind,ro "$root$shared"
done <"$home/shared"

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"          # the kernel is the host's: its settings are not ours to change,
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,rw "$root/proc/sys/net"      # except those of our own network
mount --bind "$home/boot_id" "$root/proc/sys/kernel/random/boot_id"

mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$root/run"
mkdir -p "$root/run/host"
mount --bind "$home/host" "$root/run/host"

mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net"
for node in null zero full random urandom tty fuse net/tun loop-control; do
    [ -c "/dev/$node" ] || continue
    cp -a "/dev/$node" "$root/dev/$node"
done
mount -t devpts -o newinstance,nosuid,noexec,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"

cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=salt-transfer-lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=lab.target --log-target=journal </dev/null >/dev/null 2>&1
