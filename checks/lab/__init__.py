"""The lab: end-to-end tests on virtual machines with real ZFS and OpenSSH.

From the bottom up, each module using only those above it:

process      starts programs that cannot outlive us; the only spawner
cache        folders that are built once, atomically, outside the checkout
mirror       where this machine gets Debian packages from
instance_files what makes a guest a NixOS image of EC2, made of guest/ec2/
image        the guest's disk, made of recipe/, of a backend's recipe/ and of these files
owner        names of what a lab makes; sweeps away what dead labs left
network      a network namespace with a bridge, and a tap for each machine
disk         files that can be plugged into a machine
local_socket connects to programs that are just starting
agent        runs scripts in a guest that has no network yet
backend      what runs guests, behind one interface: qemu/ or uml/
remote       commands in a guest through OpenSSH
vm           one machine: start, kill, reset, disks, commands
instance     a machine that boots as an instance of EC2, without EC2's API
pool         a pool on a disk of its own
receivers    Prometheus and its node exporter, to be told of runs
evidence     keeps what a person needs after a failure
lab          two machines with a pool each, and everything cleaned up after
"""
