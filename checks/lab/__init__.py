"""The lab: end-to-end tests on virtual machines with real ZFS and OpenSSH.

From the bottom up, each module using only those above it:

process      starts programs that cannot outlive us; the only spawner
cache        folders that are built once, atomically, outside the checkout
mirror       where this machine gets Debian packages from
instance_files what makes a guest a NixOS image of EC2, made of guest/ec2/
image        the guest's disk, kernel and initrd, made of recipe/ and of these files
owner        names of what a lab makes; sweeps away what dead labs left
network      a network namespace with a bridge, and a tap for each machine
qmp          talks to a running QEMU
machine      QEMU's command line
agent        runs scripts in a guest that has no network yet
saved_state  a booted guest, frozen once, that every machine wakes from
remote       commands in a guest through OpenSSH
vm           one machine: start, kill, reset, disks, commands
instance     a machine that boots as an instance of EC2, without EC2's API
pool         a pool on a disk of its own
receivers    Prometheus and its node exporter, to be told of runs
evidence     keeps what a person needs after a failure
lab          two machines with a pool each, and everything cleaned up after
"""
